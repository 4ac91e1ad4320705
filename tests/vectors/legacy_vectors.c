/* SPDX-License-Identifier: Apache-2.0 */
/* Asked line by line what the C makes of bytes; hex on both sides, - is none:
 *   0 TOPIC PAYLOAD      fields of seed 0, or "refused COUNTER"
 *   w DOMAIN NODE CONTEXT DELTA CONFIDENCE N TIME      the two frames, and the id
 *   q EXTENDED and as w                                a reply of that one row
 *   1 TEXT               what encode makes of what decode read
 *   r NUMBER             as Python writes it
 * Numbers are C's hexadecimal ones. */
#include "base/hash.h"
#include "legacy/python.h"

#include <kith/legacy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE  8192
#define WORDS 10

static void refused(int code) {
    printf("refused %s\n", kith_legacy_counter(code));
}

static size_t bytes_of(const char *hex, uint8_t *ret, size_t size) {
    size_t n = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
    if (n > size || (n > 0 && !ki_unhex(hex, 2 * n, ret, n))) exit(2);
    return n;
}

static void text_of(const char *hex, char *ret, size_t size) {
    uint8_t bytes[LINE];
    size_t n = bytes_of(hex, bytes, size - 1);
    memcpy(ret, bytes, n);
    ret[n] = '\0';
}

static void put_hex(const void *bytes, size_t n, const char *behind) {
    char hex[2 * LINE + 1];
    ki_hex(bytes, n, hex);
    printf("%s%s", n == 0 ? "-" : hex, behind);
}

static void read_seed0(char **word) {
    uint8_t topic[LINE], payload[LINE];
    kith_seed0 p;
    bool named = strcmp(word[1], "-") != 0;
    size_t topic_length = bytes_of(word[1], topic, sizeof topic);
    size_t length = bytes_of(word[2], payload, sizeof payload);
    int r = kith_seed0_decode(
        named ? (const char *) topic : NULL, topic_length, payload, length, &p);
    if (r < 0) {
        refused(r);
        return;
    }
    put_hex(p.domain, strlen(p.domain), " ");
    put_hex(p.node_id, strlen(p.node_id), " ");
    put_hex(p.context_hash, strlen(p.context_hash), " ");
    printf("%a %a %d %a\n", p.outcome_delta, p.confidence, p.n_observations, p.timestamp);
}

static kith_seed0 seed0_of(char **word) {
    kith_seed0 p = { .outcome_delta = strtod(word[3], NULL),
        .confidence = strtod(word[4], NULL),
        .n_observations = atoi(word[5]),
        .timestamp = strtod(word[6], NULL) };
    text_of(word[0], p.domain, sizeof p.domain);
    text_of(word[1], p.node_id, sizeof p.node_id);
    text_of(word[2], p.context_hash, sizeof p.context_hash);
    return p;
}

static void write_seed0(char **word) {
    kith_seed0 p = seed0_of(word + 1);
    kith_seed0_frames f;
    uint8_t id[KITH_ID_SIZE];
    int r = kith_seed0_encode(&p, &f);
    if (r < 0) {
        refused(r);
        return;
    }
    kith_legacy_id(0, f.topic, f.topic_length, f.payload, f.payload_length, id);
    put_hex(f.topic, f.topic_length, " ");
    put_hex(f.payload, f.payload_length, " ");
    put_hex(id, sizeof id, "\n");
}

static void write_reply(char **word) {
    static char text[KITH_SEED0_REPLY_MAX];
    kith_seed0 p = seed0_of(word + 2);
    int n = kith_seed0_reply(&p, 1, word[1][0] == '1', text);
    if (n < 0) {
        refused(n);
        return;
    }
    printf("%s\n", text);
}

static void rewrite_seed1(char **word) {
    uint8_t text[LINE];
    char again[KITH_SEED1_LENGTH_MAX + 1];
    kith_seed1 p;
    size_t length = bytes_of(word[1], text, sizeof text);
    int r = kith_seed1_decode(NULL, 0, (const char *) text, length, &p);
    if (r == 0) r = kith_seed1_encode(&p, again);
    if (r < 0) {
        refused(r);
    } else {
        printf("%s\n", again);
    }
}

int main(void) {
    static char text[LINE];
    while (fgets(text, sizeof text, stdin) != NULL) {
        char *word[WORDS] = { NULL }, *rest = NULL;
        size_t n = 0;
        for (char *w = strtok_r(text, " \n", &rest); w != NULL && n < WORDS;
             w = strtok_r(NULL, " \n", &rest)) {
            word[n++] = w;
        }
        char number[PYTHON_REAL_MAX];
        switch (word[0] == NULL ? ' ' : word[0][0]) {
        case '0': read_seed0(word); break;
        case 'w': write_seed0(word); break;
        case 'q': write_reply(word); break;
        case '1': rewrite_seed1(word); break;
        case 'r':
            (void) ki_python_real(strtod(word[1], NULL), number);
            printf("%s\n", number);
            break;
        default: return 2;
        }
    }
    return 0;
}
