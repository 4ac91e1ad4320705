/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier in one process that keeps its word (how=good), or breaks it in one of
 * many ways: what `kith conform` must tell apart. It stays loaded, and what was
 * posted stays with it. */
#include <kith/carrier.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GOOD,
    DROP,
    LOSE,
    CORRUPT,
    SHORTEN,
    FOREIGN,
    MISNAME,
    SWAP,
    FORGET,
    UNSETTLED,
    TWICE,
    CRASH,
    HANG,
    FULL
};

typedef struct bus {
    char place[64];
    kith_item *items;
    size_t count, room, links;
    struct bus *next;
} bus;

static bus *buses;

typedef struct broken {
    int how; /* option */
    bus *bus;
    size_t at, posts, pulls, patterns;
    uint64_t through, told;
} broken;

static int broken_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    broken *b = self;
    (void) host, (void) err;
    bus *u = buses;
    while (u != NULL && strncmp(u->place, place, sizeof u->place - 1) != 0) u = u->next;
    if (u == NULL) {
        u = calloc(1, sizeof *u);
        if (u == NULL) return KITH_E_MEMORY;
        strncpy(u->place, place, sizeof u->place - 1);
        u->next = buses;
        buses = u;
    }
    u->links++;
    b->bus = u;
    b->at = u->count;
    return 0;
}

static void broken_close(void *self) {
    broken *b = self;
    b->bus->links--;
    if (b->how == FORGET && b->bus->links == 0) b->bus->count = 0;
}

static bool known(const bus *u, const kith_posting *what) {
    for (size_t i = 0; i < u->count; i++) {
        if (u->items[i].length == what->length &&
            memcmp(u->items[i].bytes, what->bytes, what->length) == 0 &&
            strcmp(u->items[i].from.subject, what->to->subject) == 0) {
            return true;
        }
    }
    return false;
}

static int keep(bus *u, const kith_posting *what) {
    if (u->count == u->room) {
        size_t room = u->room == 0 ? 256 : 2 * u->room;
        kith_item *items = realloc(u->items, room * sizeof *items);
        if (items == NULL) return KITH_FULL;
        u->items = items;
        u->room = room;
    }
    kith_item *item = &u->items[u->count++];
    *item = (kith_item){
        .kind = what->kind, .length = what->length, .token = u->count, .from = *what->to
    };
    memcpy(item->bytes, what->bytes, what->length);
    return 0;
}

static int broken_post(void *self, const kith_posting *what) {
    broken *b = self;
    b->posts++;
    if (b->how == FULL) return KITH_FULL;
    if (b->how == CRASH && b->bus->count >= 5) abort();
    int r = 0;
    if (b->how != DROP && !(b->how == LOSE && b->posts % 7 == 0) &&
        (b->how == TWICE || !known(b->bus, what))) {
        r = keep(b->bus, what);
    }
    if (r == 0) b->through = what->ticket > b->through ? what->ticket : b->through;
    return r;
}

static int broken_follow(void *self, const char *const *patterns, size_t count) {
    broken *b = self;
    (void) patterns;
    b->patterns = count;
    return 0;
}

static void spoil(broken *b, kith_item *item) {
    bool now = ++b->pulls % 5 == 0;
    if (!now) return;
    if (b->how == CORRUPT) item->bytes[item->length / 2] ^= 1;
    if (b->how == SHORTEN && item->length > 1) item->length--;
    if (b->how == MISNAME) strcpy(item->from.subject, "raw.other");
}

static int broken_pull(void *self, kith_item *ret_item) {
    broken *b = self;
    if (b->how == HANG && b->bus->count >= 5) pause();
    if (b->patterns == 0 || b->at >= b->bus->count) return KITH_EMPTY;
    size_t at = b->at++;
    if (b->how == SWAP && (at ^ 1) < b->bus->count) at ^= 1;
    *ret_item = b->bus->items[at];
    spoil(b, ret_item);
    if (b->how == FOREIGN && b->pulls % 50 == 0) {
        b->at--;
        ret_item->length = 64;
        memset(ret_item->bytes, 0x55, 64);
    }
    return 0;
}

static int broken_settle(void *self, uint64_t *ret_through, kith_error *err) {
    broken *b = self;
    (void) err;
    if (b->how == UNSETTLED || b->told == b->through) return KITH_EMPTY;
    *ret_through = b->told = b->through;
    return 0;
}

static int broken_rewind(void *self, const kith_position *to) {
    broken *b = self;
    if (to->kind != KITH_FROM_START && to->kind != KITH_FROM_NOW) return KITH_E_NOTSUP;
    b->at = to->kind == KITH_FROM_START ? 0 : b->bus->count;
    return 0;
}

static const kith_option options[] = {
    { "how", KITH_OPTION_ONE, offsetof(broken, how), 0, 0, "good",
        "good|drop|lose|corrupt|shorten|foreign|misname|swap|forget|unsettled|twice|crash|"
        "hang|full",
        "which word it breaks" },
    { .name = NULL },
};

extern const kith_carrier kith_carrier_v1; /* KITH_CARRIER_SYMBOL */

KITH_API const kith_carrier kith_carrier_v1 = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_REPLAY | KITH_CAN_ORDER | KITH_CAN_DEDUPE,
    .state_size = sizeof(broken),
    .scheme = "broken",
    .summary = "keeps its word, or breaks it in one way",
    .place = "name",
    .options = options,
    .open = broken_open,
    .close = broken_close,
    .post = broken_post,
    .follow = broken_follow,
    .pull = broken_pull,
    .settle = broken_settle,
    .rewind = broken_rewind,
};
