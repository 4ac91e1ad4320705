/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what tests/vectors/check.py reads.
 *
 *   vectors packets               the golden packets, JSON
 *   vectors addresses             the golden subjects, patterns and fingerprints, JSON
 *   vectors packet-stream SEED N  N random packets, most of them spoilt, with what
 *                                 decode says: one JSON line each
 *   vectors address-stream SEED N N random pairs of pattern and subject
 */
#include "golden.h"
#include "show.h"

#include "packet/samples.h"

#include <kith/address.h>
#include <kith/key.h>

#include <stdlib.h>

/* Near the limit of the pivots, where only the same operations in the same order
 * agree: the last element of the diagonal is what leaves the last pivot there. */
static void near_pivot(uint64_t *dice, kith_content *c) {
    size_t p = 2 + dice_below(dice, 3), last = p * (p + 1) / 2 - 1, row = last - (p - 1);
    c->type = KITH_LEAF;
    c->has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE;
    sample_effect(dice, c, p);
    sample_covariance(dice, c->covariance, p);
    double *a = c->covariance, need = 0;
    if (p == 2) {
        need = a[1] * a[1] / a[0];
    } else {
        for (size_t j = 0; j + 1 < p; j++) a[row + j] = 0;
        double x = a[row] = sqrt(a[0] * a[last]) * 0.99;
        need = x * x / (a[0] - (p > 2 ? a[1] * a[1] / a[2] : 0));
        if (p == 4) a[3] = a[4] = 0;
    }
    a[last] = need / (1 - 0x1p-20);
    for (uint64_t n = dice_below(dice, 9), i = 0; i < n; i++) {
        a[last] = nextafter(a[last], i % 2 ? 0 : INFINITY);
        if (n > 4) a[last] = nextafter(a[last], dice_roll(dice) % 2 ? 0 : INFINITY);
    }
}

static void put64(uint8_t *b, double x) {
    uint64_t v;
    memcpy(&v, &x, 8);
    for (int i = 0; i < 8; i++) b[i] = (uint8_t) (v >> (56 - 8 * i));
}

/* Encode would refuse half of these, so the matrix is put in afterwards. */
static bool pivot_packet(uint64_t *dice, kith_packet *p) {
    kith_content c = sample_content(dice);
    double a[10];
    near_pivot(dice, &c);
    memcpy(a, c.covariance, sizeof a);
    memset(c.covariance, 0, sizeof c.covariance);
    for (size_t i = 0, at = 0; i < c.components; at += ++i + 1) c.covariance[at] = 1;
    if (kith_packet_encode(&c, p) < 0) return false;
    size_t count = c.components * (c.components + 1u) / 2;
    uint8_t *b = p->bytes + p->length - KITH_SIGNATURE_SIZE - 8 * count;
    for (size_t i = 0; i < count; i++) put64(b + 8 * i, a[i]);
    return true;
}

static int packet_stream(uint64_t dice, uint64_t count) {
    kith_key *key = NULL;
    if (kith_key_from_seed(&key, (const uint8_t[32]){ 7 }, NULL) < 0) return 1;
    for (uint64_t i = 0; i < count;) {
        kith_packet p;
        uint8_t bytes[KITH_PACKET_MAX + 8];
        bool verify = i % 500 == 0;
        kith_content c = sample_content(&dice);
        if (i % 8 == 3) {
            if (!pivot_packet(&dice, &p)) continue;
        } else if ((verify ? kith_packet_seal(&c, key, &p) : kith_packet_encode(&c, &p)) <
                   0) {
            continue;
        }
        size_t length = p.length;
        memcpy(bytes, p.bytes, length);
        if (i % 4 != 0 && i % 8 != 3) length = sample_spoil(&dice, bytes, length);
        show_packet(bytes, length, verify || i % 500 == 1);
        printf("\n");
        i++;
    }
    kith_key_free(&key);
    return 0;
}

/* Short words of the letters that matter. */
static size_t word(uint64_t *dice, char *ret) {
    static const char letters[] = "aab..._-9*>*>A \xc3|";
    size_t n = dice_below(dice, 12);
    if (dice_below(dice, 64) == 0) n = 120 + dice_below(dice, 12);
    bool plain = dice_roll(dice) % 2;
    for (size_t i = 0; i < n; i++) ret[i] = letters[dice_below(dice, plain ? 9 : 17)];
    if (n > 20) {
        for (size_t i = 0; i < n; i++) ret[i] = "ab"[dice_roll(dice) % 2];
        if (dice_roll(dice) % 2) ret[dice_below(dice, n)] = '.';
    }
    ret[n] = '\0';
    return n;
}

/* A pattern that wants the subject, or nearly: tokens become stars, the tail '>',
 * and now and then a letter changes. */
static size_t near_pattern(uint64_t *dice, const char *s, char *ret) {
    size_t n = 0;
    while (*s != '\0') {
        size_t token = strcspn(s, ".");
        uint64_t what = dice_below(dice, 8);
        if (what < 2) {
            ret[n++] = "*>"[what];
            if (what == 1 && dice_below(dice, 8) != 0) break;
        } else {
            memcpy(ret + n, s, token);
            n += token;
            if (what == 2 && dice_below(dice, 4) == 0) ret[n - 1] = 'q';
        }
        s += token;
        if (*s == '.') ret[n++] = *s++;
    }
    ret[n] = '\0';
    return n;
}

static int address_stream(uint64_t dice, uint64_t count) {
    char p[160], s[160];
    for (uint64_t i = 0; i < count; i++) {
        size_t pn = word(&dice, p), sn = word(&dice, s);
        if (i % 2 == 0) {
            sample_subject(&dice, s);
            sn = strlen(s);
            pn = near_pattern(&dice, s, p);
        }
        printf("[\"%s\",\"%s\",%d,%d,%d,%d]\n", show_hex(p, pn), show_hex(s, sn),
            kith_pattern_valid(p), kith_subject_valid(p), kith_subject_valid(s),
            kith_subject_matches(p, s));
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "packets") == 0) return golden_packets();
    if (argc == 2 && strcmp(argv[1], "addresses") == 0) return golden_addresses();
    if (argc == 4) {
        uint64_t seed = strtoull(argv[2], NULL, 10), count = strtoull(argv[3], NULL, 10);
        if (strcmp(argv[1], "packet-stream") == 0) return packet_stream(seed, count);
        if (strcmp(argv[1], "address-stream") == 0) return address_stream(seed, count);
    }
    return 2;
}
