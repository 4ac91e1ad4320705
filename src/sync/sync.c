/* SPDX-License-Identifier: Apache-2.0 */
/* transition -> function: IDLE->LISTING hear, LISTING->FETCHING and ->IDLE
 * take_end, FETCHING->LISTING and ->IDLE advance, any->IDLE give_up. */
#include "sync/sync.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/dice.h"
#include "base/hash.h"
#include "base/wire.h"

#include <string.h>

/* OFFSET SIZE MEANING, of every frame:
 *      0    2 "KS"
 *      2    1 version, 0: the plain exchange
 *      3    1 type
 *      4    8 tag of the store that is spoken of
 * HELLO:   12 8 highest arrival
 * WANT:    12 8 after    20 8 bits needed   28: patterns, length 1 and text each
 * END:     12 8 after    20 8 through       28 4 scope, CRC-32C of those patterns
 *          32 1 count    33 8 each */
enum {
    FRAME_HELLO = 1,
    FRAME_WANT = 2,
    FRAME_END = 3,

    HELLO_SIZE = 20,
    WANT_SIZE = 28,
    END_SIZE = 33, /* and the tags */
};

/* A HELLO at once when we have news, but not more often than this; and one now
 * and then for those who joined in silence. */
#define HELLO_NEWS_NS UINT64_C(500000000)
#define HELLO_IDLE_NS UINT64_C(10000000000)
/* Doubles with every try: 200 ms to 25.6 s. */
#define RETRY_NS UINT64_C(200000000)
/* How long packets may come after the END that followed them. */
#define LATE_NS UINT64_C(50000000)

_Static_assert(END_SIZE + SYNC_LIST_MAX * 8 <= SYNC_FRAME_MAX, "an END fits a frame");
_Static_assert(SYNC_LIST_MAX < 64, "the bits of a list fit a word");

static void check(const ki_sync *s) {
    CHECK(s->peer_count <= SYNC_PEERS_MAX);
    CHECK(s->seen_now <= 1);
    CHECK(s->seen_count <= SYNC_SEEN_SIZE / 2);
    for (uint32_t i = 0; i < s->peer_count; i++) {
        const ki_sync_peer *p = &s->peers[i];
        CHECK(p->tag != s->me);
        CHECK(p->state == SYNC_IDLE || p->cursor < p->last);
        CHECK(p->state != SYNC_FETCHING || (p->listed >= 1 && p->listed <= SYNC_LIST_MAX));
        CHECK(p->state != SYNC_FETCHING || p->through > p->cursor);
        CHECK(p->tries <= SYNC_TRIES_MAX);
    }
}

static uint32_t scope_hash(const uint8_t *scope, size_t length) {
    return length == 0 ? 0 : ki_crc32c(0, scope, length);
}

void ki_sync_init(ki_sync *s, uint64_t me, uint64_t seed, const ki_sync_memory *memory) {
    memset(s, 0, sizeof *s);
    s->me = me;
    s->dice = seed;
    if (memory != NULL) {
        s->memory = *memory;
    }
    check(s);
}

uint64_t ki_sync_tag(const uint8_t id[KITH_ID_SIZE]) {
    return wire_get64(id) | 1; /* 0 marks a free slot of the table */
}

static bool in_generation(const uint64_t *table, uint64_t tag) {
    for (uint64_t i = tag >> 1; table[i % SYNC_SEEN_SIZE] != 0; i++) {
        if (table[i % SYNC_SEEN_SIZE] == tag) {
            return true;
        }
    }
    return false;
}

static bool was_seen(const ki_sync *s, uint64_t tag) {
    return in_generation(s->seen[0], tag) || in_generation(s->seen[1], tag);
}

void ki_sync_seen(ki_sync *s, const uint8_t id[KITH_ID_SIZE]) {
    uint64_t tag = ki_sync_tag(id);
    if (in_generation(s->seen[s->seen_now], tag)) {
        return;
    }
    if (s->seen_count == SYNC_SEEN_SIZE / 2) { /* the older half is forgotten */
        s->seen_now ^= 1;
        memset(s->seen[s->seen_now], 0, sizeof s->seen[0]);
        s->seen_count = 0;
    }
    uint64_t *table = s->seen[s->seen_now], i = tag >> 1;
    while (table[i % SYNC_SEEN_SIZE] != 0) i++;
    table[i % SYNC_SEEN_SIZE] = tag;
    s->seen_count++;
    CHECK(s->seen_count <= SYNC_SEEN_SIZE / 2); /* a free slot ends every search */
}

static uint64_t missing(const ki_sync *s, const ki_sync_peer *p) {
    uint64_t bits = 0;
    for (uint32_t i = 0; i < p->listed; i++) {
        bits |= was_seen(s, p->list[i]) ? 0 : UINT64_C(1) << i;
    }
    return bits;
}

bool ki_sync_lacked(const ki_sync *s, const uint8_t id[KITH_ID_SIZE]) {
    uint64_t tag = ki_sync_tag(id);
    for (uint32_t i = 0; i < s->peer_count && !was_seen(s, tag); i++) {
        const ki_sync_peer *p = &s->peers[i];
        for (uint32_t k = 0; k < p->listed; k++) {
            if (p->list[k] == tag) {
                return true;
            }
        }
    }
    return false;
}

static ki_sync_peer *find(ki_sync *s, uint64_t tag) {
    for (uint32_t i = 0; i < s->peer_count; i++) {
        if (s->peers[i].tag == tag) {
            return &s->peers[i];
        }
    }
    return NULL;
}

/* A cursor holds for a store and for what was asked of it. */
static uint64_t cursor_key(const ki_sync *s, uint64_t tag) {
    return tag ^ s->scope_hash * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t remembered(const ki_sync *s, uint64_t tag) {
    return s->memory.load == NULL ? 0 : s->memory.load(s->memory.ctx, cursor_key(s, tag));
}

static ki_sync_peer *meet(ki_sync *s, uint64_t tag) {
    ki_sync_peer *p = &s->peers[0];
    if (s->peer_count < SYNC_PEERS_MAX) {
        p = &s->peers[s->peer_count++];
    } else {
        for (uint32_t i = 1; i < s->peer_count; i++) {
            p = s->peers[i].heard_ns < p->heard_ns ? &s->peers[i] : p;
        }
    }
    memset(p, 0, sizeof *p);
    p->tag = tag;
    p->cursor = remembered(s, tag);
    return p;
}

static void ask(ki_sync_peer *p, ki_sync_state state, uint64_t when_ns) {
    p->state = state;
    p->tries = 0;
    p->due_ns = when_ns;
}

static void hear(ki_sync *s, uint64_t tag, uint64_t last, uint64_t now_ns) {
    ki_sync_peer *p = find(s, tag);
    if (p == NULL) {
        p = meet(s, tag);
        /* The newcomer has not heard of us: speak soon, not all at once. */
        uint64_t soon = now_ns + dice_below(&s->dice, LATE_NS);
        s->hello_ns = soon < s->hello_ns ? soon : s->hello_ns;
    }
    p->heard_ns = now_ns;
    p->last = last > p->last ? last : p->last;
    if (p->state == SYNC_IDLE && p->cursor < p->last) {
        ask(p, SYNC_LISTING, now_ns);
    }
}

/* The list is complete: go on behind it. */
static void advance(ki_sync *s, ki_sync_peer *p, uint64_t now_ns) {
    p->cursor = p->through;
    p->listed = 0;
    if (s->memory.save != NULL) {
        s->memory.save(s->memory.ctx, cursor_key(s, p->tag), p->cursor);
    }
    ask(p, p->cursor < p->last ? SYNC_LISTING : SYNC_IDLE, now_ns);
}

static int take_end(ki_sync *s, const uint8_t *b, size_t length, uint64_t now_ns) {
    uint64_t after = wire_get64(b + 12), through = wire_get64(b + 20);
    uint32_t scope = wire_get32(b + 28), count = b[32];
    if (length != END_SIZE + 8 * (size_t) count || count > SYNC_LIST_MAX ||
        through < after) {
        return KITH_E_FORMAT;
    }
    ki_sync_peer *p = find(s, wire_get64(b + 4));
    if (p == NULL || p->state == SYNC_IDLE || after != p->cursor || through == after ||
        scope != s->scope_hash) {
        return 0; /* another's, late, or no step forward */
    }
    bool again = p->state == SYNC_FETCHING;
    p->heard_ns = now_ns;
    p->through = through;
    p->last = through > p->last ? through : p->last;
    p->listed = count;
    for (uint32_t i = 0; i < count; i++) {
        p->list[i] = wire_get64(b + END_SIZE + 8 * i);
    }
    if (missing(s, p) == 0) {
        advance(s, p, now_ns);
    } else {
        ask(p, SYNC_FETCHING, again ? now_ns + LATE_NS : now_ns);
    }
    return 0;
}

/* Lengths and patterns up to the end, each of them valid. */
static bool scope_ok(const uint8_t *scope, size_t length) {
    for (size_t at = 0; at < length;) {
        size_t n = scope[at++];
        char text[KITH_SUBJECT_MAX + 1] = "";
        if (n < 1 || n > KITH_SUBJECT_MAX || n > length - at) {
            return false;
        }
        memcpy(text, scope + at, n);
        if (!kith_pattern_valid(text)) {
            return false;
        }
        at += n;
    }
    return true;
}

bool ki_sync_wants(const ki_sync_wish *wish, const char *subject) {
    for (size_t at = 0; at < wish->scope_length; at += wish->scope[at] + 1u) {
        char text[KITH_SUBJECT_MAX + 1] = "";
        CHECK(wish->scope[at] <= KITH_SUBJECT_MAX);
        CHECK(at + wish->scope[at] < wish->scope_length);
        memcpy(text, wish->scope + at + 1, wish->scope[at]);
        if (kith_subject_matches(text, subject)) {
            return true;
        }
    }
    return wish->scope_length == 0;
}

static int take_want(
    const ki_sync *s, const uint8_t *b, size_t length, ki_sync_wish *ret_wish) {
    if (length < WANT_SIZE || length > SYNC_FRAME_MAX ||
        !scope_ok(b + WANT_SIZE, length - WANT_SIZE)) {
        return KITH_E_FORMAT;
    }
    if (wire_get64(b + 4) != s->me) {
        return 0;
    }
    ret_wish->after = wire_get64(b + 12);
    ret_wish->need = wire_get64(b + 20);
    ret_wish->scope_length = length - WANT_SIZE;
    memcpy(ret_wish->scope, b + WANT_SIZE, ret_wish->scope_length);
    return KITH_STOP;
}

int ki_sync_take(
    ki_sync *s, const uint8_t *b, size_t length, uint64_t now_ns, ki_sync_wish *ret_wish) {
    if (length < HELLO_SIZE || b[0] != 'K' || b[1] != 'S' || b[2] != 0) {
        return KITH_E_FORMAT;
    }
    check(s);
    int r = KITH_E_FORMAT;
    uint64_t tag = wire_get64(b + 4);
    if (b[3] == FRAME_HELLO && length == HELLO_SIZE) {
        r = 0;
        if (tag != s->me) {
            hear(s, tag, wire_get64(b + 12), now_ns);
        }
    } else if (b[3] == FRAME_WANT) {
        r = take_want(s, b, length, ret_wish);
    } else if (b[3] == FRAME_END && length >= END_SIZE) {
        r = take_end(s, b, length, now_ns);
    }
    check(s);
    return r;
}

static size_t frame(uint8_t *b, uint8_t type, uint64_t tag, uint64_t first) {
    b[0] = 'K';
    b[1] = 'S';
    b[2] = 0;
    b[3] = type;
    wire_put64(b + 4, tag);
    wire_put64(b + 12, first);
    return HELLO_SIZE;
}

/* A WANT for a peer whose time has come, or 0. */
static size_t want(ki_sync *s, ki_sync_peer *p, uint64_t now_ns, uint8_t *ret_frame) {
    if (p->state == SYNC_FETCHING && missing(s, p) == 0) {
        advance(s, p, now_ns);
    }
    if (p->state == SYNC_IDLE || now_ns < p->due_ns) {
        return 0;
    }
    if (p->tries == SYNC_TRIES_MAX) { /* gone; its next HELLO begins anew */
        p->listed = 0;
        ask(p, SYNC_IDLE, now_ns);
        return 0;
    }
    p->due_ns = now_ns + (RETRY_NS << p->tries) + dice_below(&s->dice, LATE_NS);
    p->tries++;
    (void) frame(ret_frame, FRAME_WANT, p->tag, p->cursor);
    wire_put64(ret_frame + 20, p->state == SYNC_FETCHING ? missing(s, p) : 0);
    CHECK(WANT_SIZE + s->scope_length <= SYNC_FRAME_MAX);
    memcpy(ret_frame + WANT_SIZE, s->scope, s->scope_length);
    return WANT_SIZE + s->scope_length;
}

size_t ki_sync_give(
    ki_sync *s, uint64_t own_last, uint64_t now_ns, uint8_t ret_frame[SYNC_FRAME_MAX]) {
    check(s);
    if (own_last != s->told && s->hello_ns > now_ns + HELLO_NEWS_NS) {
        s->hello_ns = now_ns + HELLO_NEWS_NS;
    }
    size_t length = 0;
    if (now_ns >= s->hello_ns) {
        s->told = own_last;
        s->hello_ns = now_ns + HELLO_IDLE_NS + dice_below(&s->dice, HELLO_IDLE_NS / 4);
        length = frame(ret_frame, FRAME_HELLO, s->me, own_last);
    }
    for (uint32_t i = 0; i < s->peer_count && length == 0; i++) {
        length = want(s, &s->peers[i], now_ns, ret_frame);
    }
    check(s);
    return length;
}

/* Every peer's store is read on from where this scope was. */
static void begin_again(ki_sync *s, bool from_zero, uint64_t now_ns) {
    for (uint32_t i = 0; i < s->peer_count; i++) {
        ki_sync_peer *p = &s->peers[i];
        p->cursor = from_zero ? 0 : remembered(s, p->tag);
        p->cursor = p->cursor < p->last ? p->cursor : p->last;
        p->listed = 0;
        ask(p, p->cursor < p->last ? SYNC_LISTING : SYNC_IDLE, now_ns);
    }
}

bool ki_sync_narrow(
    ki_sync *s, const ki_sync_pattern *patterns, size_t count, uint64_t now_ns) {
    size_t length = 0;
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        size_t n = strlen(patterns[i]);
        fits = length + n + 1 <= SYNC_SCOPE_MAX;
        if (fits) {
            s->scope[length] = (uint8_t) n;
            memcpy(s->scope + length + 1, patterns[i], n);
            length += n + 1;
        }
    }
    s->scope_length = fits ? length : 0;
    s->scope_hash = scope_hash(s->scope, s->scope_length);
    begin_again(s, false, now_ns);
    check(s);
    return fits;
}

void ki_sync_afresh(ki_sync *s, uint64_t now_ns) {
    memset(s->seen, 0, sizeof s->seen);
    s->seen_count = 0;
    begin_again(s, true, now_ns);
    check(s);
}

uint64_t ki_sync_due(const ki_sync *s) {
    uint64_t due = s->hello_ns;
    for (uint32_t i = 0; i < s->peer_count; i++) {
        const ki_sync_peer *p = &s->peers[i];
        due = p->state != SYNC_IDLE && p->due_ns < due ? p->due_ns : due;
    }
    return due;
}

size_t ki_sync_end(const ki_sync *s, const ki_sync_wish *wish, uint64_t through,
    const uint64_t *tags, size_t count, uint8_t ret_frame[SYNC_FRAME_MAX]) {
    CHECK(count <= SYNC_LIST_MAX);
    CHECK(through >= wish->after);
    (void) frame(ret_frame, FRAME_END, s->me, wish->after);
    wire_put64(ret_frame + 20, through);
    wire_put32(ret_frame + 28, scope_hash(wish->scope, wish->scope_length));
    ret_frame[32] = (uint8_t) count;
    for (size_t i = 0; i < count; i++) {
        wire_put64(ret_frame + END_SIZE + 8 * i, tags[i]);
    }
    return END_SIZE + 8 * count;
}

bool ki_sync_settled(const ki_sync *s) {
    for (uint32_t i = 0; i < s->peer_count; i++) {
        if (s->peers[i].state != SYNC_IDLE) {
            return false;
        }
    }
    return true;
}
