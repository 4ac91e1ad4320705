/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - one number for all that a node knows.
 *
 *   each slot    fingerprint 32, key-id 16, epoch 8, seq 8, packet id 32
 *   each sum     count 16, S1..S4 16 each       of one component of one fingerprint
 *
 * Slots in the order of their first four fields, sums in the order of their
 * fingerprints, integers big endian. Only effects with a variance enter sums: the
 * logarithm of a count may differ in its last bit between two libraries, and the
 * packet's id stands for it already. */
#include <kith/synthesis.h>

#include <kith/address.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX   (1u << 20)
#define SLOTS_FIRST 64
#define ORDER_BYTES (KITH_FINGERPRINT_SIZE + KITH_KEYID_SIZE + 8 + 8)

/* The first bytes are hashed as they stand, and ordered by as they stand. */
typedef struct slot {
    uint8_t bytes[ORDER_BYTES + KITH_ID_SIZE];
    uint8_t components; /* 0: nothing to add up */
    double y[KITH_EFFECT_MAX], v[KITH_EFFECT_MAX];
} slot;

struct kith_state_digest {
    slot *slots;
    size_t count, room;
};

static void check(const kith_state_digest *digest) {
    CHECK(digest != NULL);
    CHECK(digest->count <= digest->room);
    CHECK(digest->count <= SLOTS_MAX);
    CHECK((digest->slots != NULL) == (digest->room > 0));
}

int kith_state_digest_new(kith_state_digest **ret) {
    CHECK(ret != NULL);
    kith_state_digest *digest = calloc(1, sizeof *digest);
    if (!digest) {
        return KITH_E_MEMORY;
    }
    *ret = digest;
    return 0;
}

void kith_state_digest_free(kith_state_digest **digest) {
    CHECK(digest != NULL);
    if (*digest) {
        check(*digest);
        free((*digest)->slots);
        free(*digest);
        *digest = NULL;
    }
}

static int make_room(kith_state_digest *digest) {
    if (digest->count < digest->room) {
        return 0;
    }
    size_t room = digest->room ? 2 * digest->room : SLOTS_FIRST;
    slot *slots = realloc(digest->slots, room * sizeof *slots);
    if (!slots) {
        return KITH_E_MEMORY;
    }
    digest->slots = slots;
    digest->room = room;
    CHECK(digest->count < digest->room);
    return 0;
}

/* Variances stand on the diagonal of a lower triangle: at 0, 2, 5, 9. */
static void take_effects(slot *it, const kith_content *content) {
    if (~content->has & (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE)) {
        return;
    }
    CHECK(content->components <= KITH_EFFECT_MAX);
    it->components = content->components;
    for (size_t c = 0; c < it->components; c++) {
        it->y[c] = content->effect[c];
        it->v[c] = content->covariance[c * (c + 3) / 2];
    }
}

int kith_state_digest_add(kith_state_digest *digest, const kith_content *content,
    const uint8_t id[KITH_ID_SIZE]) {
    check(digest);
    CHECK(content != NULL);
    CHECK(id != NULL);
    if (content->type != KITH_LEAF && content->type != KITH_EVAL) {
        return 0;
    }
    if (content->components > KITH_EFFECT_MAX) {
        return KITH_E_ARG;
    }
    if (digest->count >= SLOTS_MAX) {
        return KITH_FULL;
    }
    slot it = { .components = 0 };
    int rc =
        kith_address_fingerprint(content->template_id, content->address.subject, it.bytes);
    rc = rc ? rc : make_room(digest);
    if (rc) {
        return rc;
    }
    kith_keyid(content->source, it.bytes + KITH_FINGERPRINT_SIZE);
    wire_put64(it.bytes + ORDER_BYTES - 16, content->epoch);
    wire_put64(it.bytes + ORDER_BYTES - 8, content->seq);
    memcpy(it.bytes + ORDER_BYTES, id, KITH_ID_SIZE);
    take_effects(&it, content);
    digest->slots[digest->count++] = it;
    check(digest);
    return 0;
}

static int by_bytes(const void *a, const void *b) {
    const slot *x = a, *z = b;
    return memcmp(x->bytes, z->bytes, sizeof x->bytes);
}

static void hash_sums(ki_sha256 *hash, const kith_sums *sums) {
    uint8_t bytes[5 * 16] = { 0 };
    wire_put64(bytes + 8, sums->count);
    for (size_t i = 0; i < 4; i++) {
        wire_put64(bytes + 16 * (i + 1), sums->s[i].high);
        wire_put64(bytes + 16 * (i + 1) + 8, sums->s[i].low);
    }
    ki_sha256_add(hash, bytes, sizeof bytes);
}

/* Slots of one fingerprint, which stand together. Decoded packets are in range,
 * and 2^20 slots are fewer than the sums hold: an add that fails has content that
 * no decoder made, and its slot has its id in the hash anyway. */
static void hash_subject(ki_sha256 *hash, const slot *slots, size_t count) {
    for (uint8_t c = 0; c < KITH_EFFECT_MAX; c++) {
        kith_sums sums = { 0 };
        for (size_t i = 0; i < count; i++) {
            if (c < slots[i].components) {
                (void) !kith_sums_add(&sums, slots[i].y[c], slots[i].v[c]);
            }
        }
        if (sums.count > 0) {
            hash_sums(hash, &sums);
        }
    }
}

void kith_state_digest_finish(kith_state_digest *digest, uint8_t ret[32]) {
    check(digest);
    const slot *slots = digest->slots;
    ki_sha256 hash;
    ki_sha256_init(&hash);
    if (digest->count > 1) {
        qsort(digest->slots, digest->count, sizeof *digest->slots, by_bytes);
    }
    for (size_t i = 0; i < digest->count; i++) {
        CHECK(i == 0 || by_bytes(&slots[i - 1], &slots[i]) <= 0);
        ki_sha256_add(&hash, slots[i].bytes, sizeof slots[i].bytes);
    }
    for (size_t from = 0, to = 0; from < digest->count; from = to) {
        while (to < digest->count &&
               memcmp(slots[from].bytes, slots[to].bytes, KITH_FINGERPRINT_SIZE) == 0) {
            to++;
        }
        CHECK(to > from);
        hash_subject(&hash, slots + from, to - from);
    }
    ki_sha256_done(&hash, ret);
}
