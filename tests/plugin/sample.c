/* SPDX-License-Identifier: Apache-2.0 */
/* A carrier that lives outside the library: one constant, one symbol, nothing of
 * ours linked in. It keeps the last post and hands it back. Built four times:
 * whole, of another ABI, with a hole, and under a name that is not its own. */
#include <kith/carrier.h>

#include <string.h>

#ifndef SAMPLE_ABI
#define SAMPLE_ABI KITH_CARRIER_ABI
#endif

typedef struct sample {
    int64_t stamp; /* option */
    bool full;
    kith_item item;
} sample;

static int sample_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    (void) self, (void) host, (void) err;
    return strcmp(place, "here") == 0 ? 0 : KITH_E_MISSING;
}

static void sample_close(void *self) {
    (void) self;
}

static int sample_post(void *self, const kith_posting *what) {
    sample *s = self;
    s->item.kind = what->kind;
    s->item.length = what->length;
    s->item.token = (uint64_t) s->stamp;
    s->item.from = *what->to;
    memcpy(s->item.bytes, what->bytes, what->length);
    s->full = true;
    return 0;
}

static int sample_follow(void *self, const char *const *patterns, size_t count) {
    (void) self, (void) patterns, (void) count;
    return 0;
}

#ifndef SAMPLE_HOLE
static int sample_pull(void *self, kith_item *ret_item) {
    sample *s = self;
    if (!s->full) {
        return KITH_EMPTY;
    }
    s->full = false;
    *ret_item = s->item;
    return 0;
}
#endif

static const kith_option options[] = {
    { "stamp", KITH_OPTION_INT, offsetof(sample, stamp), 0, 100, "7", NULL,
        "token of items" },
    { .name = NULL },
};

extern const kith_carrier kith_carrier_v1; /* KITH_CARRIER_SYMBOL */

KITH_API const kith_carrier kith_carrier_v1 = {
    .abi = SAMPLE_ABI,
    .state_size = sizeof(sample),
    .scheme = "sample",
    .summary = "hands back the last post",
    .place = "here",
    .options = options,
    .open = sample_open,
    .close = sample_close,
    .post = sample_post,
    .follow = sample_follow,
#ifndef SAMPLE_HOLE
    .pull = sample_pull,
#endif
};
