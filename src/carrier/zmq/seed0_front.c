/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/zmq/seed0_front.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/wire.h"

#include <stdio.h>
#include <string.h>

/* ---- what a posting says ---- */

static int read_item(const kith_posting *what, kith_seed0_frames *f, kith_seed0 *p) {
    size_t topic = what->length < 2 ? SIZE_MAX : wire_get16(what->bytes);
    if (topic > KITH_SEED0_TOPIC_MAX || topic + 2 > what->length ||
        what->length - topic - 2 > KITH_SEED0_LENGTH_MAX) {
        return KITH_L_LENGTH;
    }
    f->topic_length = (uint16_t) topic;
    f->payload_length = (uint16_t) (what->length - topic - 2);
    memcpy(f->topic, what->bytes + 2, topic);
    memcpy(f->payload, what->bytes + 2 + topic, f->payload_length);
    return kith_seed0_decode(f->topic, topic, f->payload, f->payload_length, p);
}

int ki_seed0_read(const kith_posting *what, kith_seed0_frames *f, kith_seed0 *p) {
    kith_content c;
    if (what->kind == KITH_ITEM_LEGACY) {
        return read_item(what, f, p);
    }
    if (kith_packet_decode(what->bytes, what->length, &c) < 0) {
        return KITH_L_PARTS;
    }
    int r = kith_seed0_of(&c, p);
    return r < 0 ? r : kith_seed0_encode(p, f);
}

/* ---- those who ask ---- */

static bool begins(const char *topic, size_t n, const void *prefix, size_t length) {
    return length <= n && memcmp(topic, prefix, length) == 0;
}

/* Where the last whole token of text begins: behind a dot, or 0. */
static size_t last_token(const char *text, size_t length) {
    while (length > 0 && text[length - 1] != '.') length--;
    return length;
}

/* "a.b.d+0": the subject ends before the last ".d". */
static bool before_outcome(const char *text, size_t plus, char *ret) {
    bool good = plus > 2 && plus <= KITH_SUBJECT_MAX + 2 && text[plus - 1] == 'd' &&
                text[plus - 2] == '.';
    if (good) {
        memcpy(ret, text, plus - 2);
        ret[plus - 2] = '\0';
    }
    return good && kith_subject_valid(ret);
}

/* Behind a subject comes ".d+0.1" or ".d-0.1", and "d-0" could be a token, too: where the
 * subject may end before a token of the prefix, that token is left to the prefix. */
bool ki_seed0_pattern_of(
    const void *prefix, size_t length, char ret[KITH_SUBJECT_MAX + 1]) {
    memcpy(ret, ">", 2);
    if (length > KITH_SEED0_TOPIC_MAX ||
        !begins("qis.", 4, prefix, length < 4 ? length : 4)) {
        return false;
    }
    if (length <= 4) {
        return true;
    }
    const char *text = (const char *) prefix + 4;
    length -= 4;
    const char *plus = memchr(text, '+', length);
    if (plus != NULL) {
        return before_outcome(text, (size_t) (plus - text), ret);
    }
    size_t tail = last_token(text, length);
    size_t whole = tail; /* with the dot behind it */
    size_t last = whole == 0 ? 0 : last_token(text, whole - 1);
    bool outcome = whole - last == 4 && memcmp(text + last, "d-", 2) == 0; /* d-0 */
    if (whole > 0 && (tail == length || text[tail] == 'd' || outcome)) {
        whole = last;
        whole = outcome && whole > 0 ? last_token(text, whole - 1) : whole;
    }
    if (whole == 0) {
        return true;
    }
    if (whole + 1 > KITH_SUBJECT_MAX) {
        return false;
    }
    memcpy(ret, text, whole);
    memcpy(ret + whole, ">", 2);
    return kith_pattern_valid(ret);
}

typedef struct finding {
    const void *prefix;
    size_t length, looked, found;
    kith_seed0 rows[KITH_SEED0_ROWS_MAX]; /* the newest last */
} finding;

static int look(void *ctx, const kith_posting *what) {
    finding *f = ctx;
    kith_seed0_frames frames;
    kith_seed0 *place = &f->rows[KITH_SEED0_ROWS_MAX - 1 - f->found];
    if (ki_seed0_read(what, &frames, place) == 0 &&
        begins(frames.topic, frames.topic_length, f->prefix, f->length)) {
        f->found++;
    }
    return f->found == KITH_SEED0_ROWS_MAX || ++f->looked == SEED0_LOOKS ? KITH_STOP : 0;
}

/* A store that fails gives what it gave until then: REQ knows no errors. */
size_t ki_seed0_answer(const kith_host *host, const void *prefix, size_t length,
    bool extended, char ret[KITH_SEED0_REPLY_MAX]) {
    char pattern[KITH_SUBJECT_MAX + 1];
    finding f = { .prefix = prefix, .length = length };
    if (host->recall != NULL && ki_seed0_pattern_of(prefix, length, pattern)) {
        (void) host->recall(
            host->ctx, strcmp(pattern, ">") == 0 ? NULL : pattern, look, &f);
    }
    int n =
        kith_seed0_reply(f.rows + KITH_SEED0_ROWS_MAX - f.found, f.found, extended, ret);
    CHECK(n > 0); /* each of them was encoded or decoded once */
    return (size_t) n;
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
