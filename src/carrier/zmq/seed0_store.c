/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/seed0_store.h"

#include "base/check.h"
#include "base/wire.h"

#include <stdio.h>
#include <string.h>

enum {
    STATE_NAME_SIZE = 224,
    CHUNK_MAX = 4096, /* of a state */
};
_Static_assert(
    8 + SEED0_CHUNK * (4 + KITH_SEED0_TOPIC_MAX + KITH_SEED0_LENGTH_MAX) <= CHUNK_MAX,
    "the longest packets fit");

void ki_seed0_keep(
    ki_seed0_store *s, const kith_seed0_frames *frames, const kith_seed0 *packet) {
    CHECK(frames->topic_length <= KITH_SEED0_TOPIC_MAX);
    ki_seed0_kept *k = &s->kept[s->total % SEED0_KEPT];
    k->topic_length = frames->topic_length;
    memcpy(k->topic, frames->topic, frames->topic_length);
    k->packet = *packet;
    s->total++;
    s->count += s->count < SEED0_KEPT;
}

static bool begins(const char *topic, size_t n, const void *prefix, size_t length) {
    return length <= n && memcmp(topic, prefix, length) == 0;
}

/* From the newest back, then turned around: the newest stands last. */
size_t ki_seed0_answer(const ki_seed0_store *s, const void *prefix, size_t length,
    bool extended, char ret[KITH_SEED0_REPLY_MAX]) {
    kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    size_t found = 0;
    for (size_t i = 1; i <= s->count && found < KITH_SEED0_ROWS_MAX; i++) {
        const ki_seed0_kept *k = &s->kept[(s->total - i) % SEED0_KEPT];
        if (begins(k->topic, k->topic_length, prefix, length)) {
            found++;
            rows[KITH_SEED0_ROWS_MAX - found] = k->packet;
        }
    }
    int n = kith_seed0_reply(rows + KITH_SEED0_ROWS_MAX - found, found, extended, ret);
    CHECK(n > 0); /* each of them was encoded or decoded once */
    return (size_t) n;
}

/* ---- over a restart ---- */

static void name_of(const char *place, uint64_t chunk, char ret[STATE_NAME_SIZE]) {
    (void) snprintf(
        ret, STATE_NAME_SIZE, "seed0:%.200s:%u", place, (unsigned) (chunk % SEED0_CHUNKS));
}

/* The number of the first, then of each: both lengths, topic, payload. */
static size_t write_chunk(const ki_seed0_store *s, uint64_t chunk, uint8_t *ret) {
    uint64_t first = chunk * SEED0_CHUNK, oldest = s->total - s->count;
    size_t at = 8;
    first = first < oldest ? oldest : first;
    wire_put64(ret, first);
    for (uint64_t i = first; i < s->total && i < (chunk + 1) * SEED0_CHUNK; i++) {
        const ki_seed0_kept *k = &s->kept[i % SEED0_KEPT];
        kith_seed0_frames f;
        int r = kith_seed0_encode(&k->packet, &f);
        CHECK(r == 0); /* it went over the wire */
        CHECK(at + 4 + k->topic_length + f.payload_length <= CHUNK_MAX);
        wire_put16(ret + at, k->topic_length);
        wire_put16(ret + at + 2, f.payload_length);
        memcpy(ret + at + 4, k->topic, k->topic_length);
        memcpy(ret + at + 4 + k->topic_length, f.payload, f.payload_length);
        at += 4u + k->topic_length + f.payload_length;
    }
    return at;
}

void ki_seed0_save(ki_seed0_store *s, const kith_host *host, const char *place) {
    uint64_t last = s->total == 0 ? 0 : (s->total - 1) / SEED0_CHUNK;
    uint64_t chunk = s->saved / SEED0_CHUNK;
    if (host->save == NULL || s->saved == s->total) {
        return;
    }
    chunk = chunk + SEED0_CHUNKS <= last ? last - SEED0_CHUNKS + 1 : chunk;
    for (; chunk <= last; chunk++) {
        char name[STATE_NAME_SIZE];
        uint8_t bytes[CHUNK_MAX];
        name_of(place, chunk, name);
        if (host->save(host->ctx, name, bytes, write_chunk(s, chunk, bytes)) < 0) {
            return; /* tried again with the next tick */
        }
    }
    s->saved = s->total;
}

static void read_chunk(ki_seed0_store *s, const uint8_t *bytes, size_t length) {
    for (size_t at = 8; at + 4 <= length;) {
        size_t topic = wire_get16(bytes + at), payload = wire_get16(bytes + at + 2);
        kith_seed0_frames f = { .topic_length = (uint16_t) topic };
        kith_seed0 p;
        if (topic > KITH_SEED0_TOPIC_MAX || at + 4 + topic + payload > length ||
            kith_seed0_decode((const char *) bytes + at + 4, topic, bytes + at + 4 + topic,
                payload, &p) < 0) {
            return;
        }
        memcpy(f.topic, bytes + at + 4, topic);
        ki_seed0_keep(s, &f, &p);
        at += 4 + topic + payload;
    }
}

/* The piece with the lowest number of those not read yet; SEED0_CHUNKS: none. */
static unsigned lowest(const uint64_t *first, const bool *there) {
    unsigned best = SEED0_CHUNKS;
    for (unsigned i = 0; i < SEED0_CHUNKS; i++) {
        if (there[i] && (best == SEED0_CHUNKS || first[i] < first[best])) {
            best = i;
        }
    }
    return best;
}

static bool load(const kith_host *host, const char *place, unsigned chunk,
    uint8_t bytes[CHUNK_MAX], size_t *ret_length) {
    char name[STATE_NAME_SIZE];
    name_of(place, chunk, name);
    return host->load(host->ctx, name, bytes, CHUNK_MAX, ret_length) == 0 &&
           *ret_length > 8 && *ret_length <= CHUNK_MAX;
}

void ki_seed0_load(ki_seed0_store *s, const kith_host *host, const char *place) {
    uint64_t first[SEED0_CHUNKS];
    bool there[SEED0_CHUNKS] = { false };
    uint8_t bytes[CHUNK_MAX];
    size_t length;
    CHECK(s->total == 0);
    for (unsigned i = 0; host->load != NULL && i < SEED0_CHUNKS; i++) {
        there[i] = load(host, place, i, bytes, &length);
        first[i] = there[i] ? wire_get64(bytes) : 0;
    }
    for (unsigned i; (i = lowest(first, there)) < SEED0_CHUNKS; there[i] = false) {
        if (first[i] != s->total) { /* a hole: what is before it is too old to matter */
            s->count = 0;
            s->total = first[i];
        }
        if (load(host, place, i, bytes, &length)) {
            read_chunk(s, bytes, length);
        }
    }
    s->saved = s->total;
}

/* ---- who follows what ---- */

static ki_seed0_prefix *find(ki_seed0_readers *r, const void *prefix, size_t length) {
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].length == length && memcmp(r->list[i].text, prefix, length) == 0) {
            return &r->list[i];
        }
    }
    return NULL;
}

void ki_seed0_told(ki_seed0_readers *r, const void *bytes, size_t length) {
    const uint8_t *b = bytes;
    if (length < 1 || b[0] > 1 || length - 1 > KITH_SEED0_TOPIC_MAX) {
        return; /* longer than any topic: nothing it could match */
    }
    ki_seed0_prefix *at = find(r, b + 1, length - 1);
    if (b[0] == 0 && at != NULL) {
        *at = r->list[--r->count];
    } else if (b[0] == 1 && at == NULL && r->count == SEED0_FOLLOWED) {
        r->all = true;
    } else if (b[0] == 1 && at == NULL) {
        at = &r->list[r->count++];
        at->length = (uint8_t) (length - 1);
        memcpy(at->text, b + 1, length - 1);
    }
    CHECK(r->count <= SEED0_FOLLOWED);
}

bool ki_seed0_followed(const ki_seed0_readers *r, const char *topic, size_t length) {
    for (size_t i = 0; i < r->count; i++) {
        if (begins(topic, length, r->list[i].text, r->list[i].length)) {
            return true;
        }
    }
    return r->all;
}

/* Behind a whole subject comes ".d+0.1"; what else ".d" may bring is filtered. */
size_t ki_seed0_prefix_of(const char *pattern, char ret[KITH_SEED0_TOPIC_MAX + 1]) {
    size_t n = strcspn(pattern, "*>");
    CHECK(n <= KITH_SUBJECT_MAX);
    int size = snprintf(ret, KITH_SEED0_TOPIC_MAX + 1, "qis.%.*s%s", (int) n, pattern,
        pattern[n] == '\0' ? ".d" : "");
    CHECK(size > 0 && size <= KITH_SEED0_TOPIC_MAX);
    return (size_t) size;
}
