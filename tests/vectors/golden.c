/* SPDX-License-Identifier: Apache-2.0 */
/* One packet of each kind and one for each reason to refuse, made from nothing
 * but this text. */
#include "golden.h"

#include "show.h"

#include "base/hash.h"
#include "packet/samples.h"

#include <kith/address.h>
#include <kith/key.h>

#include <float.h>
#include <stdlib.h>

#define EFFECT (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE)

static kith_key *key;
static bool first;

static void name(const char *text) {
    printf("%s{\"name\":\"%s\",\n   \"packet\":", first ? "\n  " : ",\n  ", text);
    first = false;
}

static kith_content basic(uint8_t type, unsigned has) {
    return (kith_content){
        .type = type,
        .has = (uint16_t) has,
        .epoch = 3,
        .seq = 41,
        .t_end_us = 1700000000123456,
        .span_s = 3600,
        .ttl_s = 604800,
        .address = { "iot.hvac" },
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 20,
        .effect = { -0.25 },
        .covariance = { 0.5 },
        .hits = 7,
        .tries = 11,
        .confidence = 0.87f,
        .context16_count = 3,
        .context16 = { 1, 256, 65535 },
        .context8_count = 4,
        .context8 = { -128, -1, 0, 127 },
        .mechanism = 1,
        .rho = 0.125f,
        .v_dp = 0.0625f,
        .conclusion = 258,
        .text_length = 15,
        .text = "filter replaced",
        .digest = { .measure = 1,
            .components = 1,
            .level = 2,
            .count = 3,
            .prefix = { 0xa5, 0xc0 },
            .sums = { { { 6, 0 }, { 12, 1 }, { ~0ull, 5 }, { 0, 9 } } } },
    };
}

static void emit(const char *text, kith_content c) {
    kith_packet p;
    int r = kith_packet_seal(&c, key, &p);
    if (r < 0) {
        fprintf(stderr, "%s: %s\n", text, kith_refusal_words(r));
        exit(1);
    }
    name(text);
    show_packet(p.bytes, p.length, true);
    printf("}");
}

static kith_content many(void) {
    kith_content c = basic(KITH_LEAF, EFFECT);
    c.components = 4;
    for (int i = 0; i < 4; i++) c.effect[i] = i - 1.5;
    static const double a[10] = { 1, 0.5, 2, -0.25, 0.125, 3, 0.1, 0.2, -0.3, 4 };
    memcpy(c.covariance, a, sizeof a);
    return c;
}

static kith_content texts(void) {
    kith_content c = basic(KITH_LEAF, KITH_HAS_TEXT);
    (void) snprintf(c.text, sizeof c.text, "%s",
        "K\xc3\xbchler \xe6\xb8\xa9\xe5\xba\xa6 \xd7\xa2 \xf0\x9f\x8c\xa1 ~");
    c.text_length = (uint8_t) strlen(c.text);
    return c;
}

static kith_content lowest(void) {
    kith_content c = basic(KITH_LEAF, EFFECT | KITH_HAS_PRIVACY);
    c.epoch = c.n = 1;
    c.seq = c.span_s = 0;
    c.t_end_us = c.ttl_s = 1;
    c.address = (kith_address){ "a" };
    c.effect[0] = DBL_MIN;
    c.covariance[0] = 0x1p-20;
    c.rho = 0x1p-30f;
    c.v_dp = 0x1p-40f;
    return c;
}

static kith_content highest(void) {
    kith_content c = basic(KITH_LEAF, EFFECT | KITH_HAS_PRIVACY);
    c.epoch = c.seq = INT64_MAX;
    c.n = INT32_MAX;
    c.span_s = UINT32_MAX;
    c.t_end_us = 253402300799999999;
    c.ttl_s = 315576000;
    (void) snprintf(
        c.address.subject, sizeof c.address.subject, "%0*d.-._.z.9.a.b.0", 114, 0);
    c.effect[0] = -1024;
    c.covariance[0] = 0x1p20;
    c.rho = 64;
    c.v_dp = 0x1p20f;
    return c;
}

static kith_content largest(void) {
    uint64_t dice = 512;
    kith_content c = sample_largest(&dice);
    c.t_end_us = 1700000000000000;
    c.span_s = 60;
    return c;
}

static kith_content eval(void) {
    kith_content c = basic(KITH_EVAL, EFFECT);
    c.measure = KITH_SCORE_GAIN;
    return c;
}

static kith_content small_report(void) {
    kith_content c = basic(KITH_LEAF, KITH_HAS_TEXT);
    c.address = (kith_address){ "a" };
    c.text_length = 1;
    return c;
}

static void accepted(void) {
    emit("the smallest report", small_report());
    emit("an effect", basic(KITH_LEAF, EFFECT));
    emit("an effect of four components", many());
    emit("an effect with noise in its variance",
        basic(KITH_LEAF, EFFECT | KITH_HAS_PRIVACY));
    emit("an effect with a confidence",
        basic(KITH_LEAF, KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE));
    emit("counts", basic(KITH_LEAF, KITH_HAS_COUNTS));
    emit("a report with a code and a confidence",
        basic(KITH_LEAF, KITH_HAS_CONCLUSION | KITH_HAS_CONFIDENCE));
    emit("all that goes beside an effect",
        basic(KITH_LEAF, EFFECT | KITH_HAS_PRIVACY | KITH_HAS_CONTEXT16 |
                             KITH_HAS_CONCLUSION | KITH_HAS_TEXT));
    emit("counts at a place of small numbers",
        basic(KITH_LEAF, KITH_HAS_COUNTS | KITH_HAS_CONTEXT8));
    emit("text in five scripts", texts());
    emit("everything at its lowest", lowest());
    emit("everything at its highest", highest());
    emit("an evaluation", eval());
    emit("a digest", basic(KITH_DIGEST, KITH_HAS_DIGEST));
    emit("the largest packet", largest());
    emit("a bare retraction", basic(KITH_RETRACT, 0));
    emit("a retraction that says why",
        basic(KITH_RETRACT, KITH_HAS_CONTEXT16 | KITH_HAS_TEXT));
}

/* In these the first part begins at 93. */
static const struct {
    const char *name;
    uint8_t type;
    unsigned has;
    size_t at;
    const char *bytes; /* hex, put in place of what is there */
} spoilt[] = {
    { "version 2", KITH_LEAF, EFFECT, 0, "02" },
    { "type 0", KITH_LEAF, EFFECT, 1, "00" },
    { "type 5", KITH_LEAF, EFFECT, 1, "05" },
    { "flag bit 11", KITH_LEAF, EFFECT, 2, "0803" },
    { "flag bit 15", KITH_LEAF, EFFECT, 2, "8003" },
    { "effect without an error", KITH_LEAF, EFFECT, 2, "0001" },
    { "covariance without an effect", KITH_LEAF, EFFECT, 2, "0002" },
    { "effect and counts", KITH_LEAF, EFFECT, 2, "0007" },
    { "nothing at all", KITH_LEAF, EFFECT, 2, "0000" },
    { "two contexts", KITH_LEAF, KITH_HAS_TEXT, 2, "0130" },
    { "counts with noise", KITH_LEAF, KITH_HAS_COUNTS, 2, "0044" },
    { "a digest in a leaf", KITH_LEAF, EFFECT, 2, "0200" },
    { "a retraction of counts", KITH_LEAF, KITH_HAS_COUNTS, 1, "04" },
    { "an evaluation with text", KITH_LEAF, EFFECT, 1, "030103" },
    { "a sketch alone", KITH_DIGEST, KITH_HAS_DIGEST, 2, "0400" },
    { "epoch 0", KITH_LEAF, EFFECT, 52, "0000000000000000" },
    { "epoch of 64 bits", KITH_LEAF, EFFECT, 52, "8000000000000000" },
    { "sequence of 64 bits", KITH_LEAF, EFFECT, 60, "8000000000000000" },
    { "time 0", KITH_LEAF, EFFECT, 68, "0000000000000000" },
    { "time before 1970", KITH_LEAF, EFFECT, 68, "ffffffffffffffff" },
    { "the year 10000", KITH_LEAF, EFFECT, 68, "0384440ccc736000" },
    { "a span from before 1970", KITH_LEAF, EFFECT, 68, "000000000000000100000001" },
    { "ttl 0", KITH_LEAF, EFFECT, 80, "00000000" },
    { "ttl above ten years", KITH_LEAF, EFFECT, 80, "12cf4f81" },
    { "an empty subject", KITH_LEAF, EFFECT, 84, "00" },
    { "a subject of 129 bytes", KITH_LEAF, EFFECT, 84, "81" },
    { "an upper case letter", KITH_LEAF, EFFECT, 85, "49" },
    { "a subject that begins with a dot", KITH_LEAF, EFFECT, 85, "2e" },
    { "a subject that ends with a dot", KITH_LEAF, EFFECT, 92, "2e" },
    { "two dots", KITH_LEAF, EFFECT, 87, "2e2e" },
    { "a star in a subject", KITH_LEAF, EFFECT, 85, "2a" },
    { "NUL in a subject", KITH_LEAF, EFFECT, 90, "00" },
    { "a subject of the system", KITH_LEAF, EFFECT, 84, "085f7379732e612e62" },
    { "measure 0", KITH_LEAF, EFFECT, 93, "00" },
    { "the measure of evaluations", KITH_LEAF, EFFECT, 93, "09" },
    { "no components", KITH_LEAF, EFFECT, 94, "00" },
    { "five components", KITH_LEAF, EFFECT, 94, "05" },
    { "two components beside a confidence", KITH_LEAF,
        KITH_HAS_EFFECT | KITH_HAS_CONFIDENCE, 94, "02" },
    { "an evaluation of the mean", KITH_EVAL, EFFECT, 93, "01" },
    { "n 0", KITH_LEAF, EFFECT, 95, "00000000" },
    { "n of 32 bits", KITH_LEAF, EFFECT, 95, "80000000" },
    { "hits above tries", KITH_LEAF, KITH_HAS_COUNTS, 93, "0000000c" },
    { "no tries", KITH_LEAF, KITH_HAS_COUNTS, 93, "0000000000000000" },
    { "an effect of NaN", KITH_LEAF, EFFECT, 99, "7ff8000000000000" },
    { "an infinite effect", KITH_LEAF, EFFECT, 99, "fff0000000000000" },
    { "an effect of -0", KITH_LEAF, EFFECT, 99, "8000000000000000" },
    { "a denormal effect", KITH_LEAF, EFFECT, 99, "000fffffffffffff" },
    { "an effect just above 1024", KITH_LEAF, EFFECT, 99, "4090000000000001" },
    { "a variance of NaN", KITH_LEAF, EFFECT, 107, "7ff0000000000001" },
    { "a variance of 0", KITH_LEAF, EFFECT, 107, "0000000000000000" },
    { "a negative variance", KITH_LEAF, EFFECT, 107, "bfe0000000000000" },
    { "a variance just below 2^-20", KITH_LEAF, EFFECT, 107, "3eafffffffffffff" },
    { "a variance just above 2^20", KITH_LEAF, EFFECT, 107, "4130000000000001" },
    { "a confidence of NaN", KITH_LEAF, KITH_HAS_CONFIDENCE | KITH_HAS_TEXT, 93,
        "7fc00000" },
    { "a confidence of -0", KITH_LEAF, KITH_HAS_CONFIDENCE | KITH_HAS_TEXT, 93,
        "80000000" },
    { "a denormal confidence", KITH_LEAF, KITH_HAS_CONFIDENCE | KITH_HAS_TEXT, 93,
        "007fffff" },
    { "a confidence above 1", KITH_LEAF, KITH_HAS_CONFIDENCE | KITH_HAS_TEXT, 93,
        "3f800001" },
    { "a confidence below 0", KITH_LEAF, KITH_HAS_CONFIDENCE | KITH_HAS_TEXT, 93,
        "bf000000" },
    { "no context numbers", KITH_RETRACT, KITH_HAS_CONTEXT16, 93, "00" },
    { "17 context numbers", KITH_RETRACT, KITH_HAS_CONTEXT16, 93, "11" },
    { "65 small context numbers", KITH_RETRACT, KITH_HAS_CONTEXT8, 93, "41" },
    { "privacy mechanism 0", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 115, "00" },
    { "privacy mechanism 3", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 115, "03" },
    { "rho too large", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 116, "42800001" },
    { "rho of NaN", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 116, "7f800001" },
    { "noise too small", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 120, "2b7fffff" },
    { "noise of -0", KITH_LEAF, EFFECT | KITH_HAS_PRIVACY, 120, "80000000" },
    { "conclusion 0", KITH_LEAF, KITH_HAS_CONCLUSION, 93, "0000" },
    { "an empty text", KITH_LEAF, KITH_HAS_TEXT, 93, "00" },
    { "a text of 161 bytes", KITH_LEAF, KITH_HAS_TEXT, 93, "a1" },
    { "a newline", KITH_LEAF, KITH_HAS_TEXT, 94, "0a" },
    { "DEL", KITH_LEAF, KITH_HAS_TEXT, 94, "7f" },
    { "NEL, a control of C1", KITH_LEAF, KITH_HAS_TEXT, 94, "c285" },
    { "a line separator", KITH_LEAF, KITH_HAS_TEXT, 94, "e280a8" },
    { "an override of the reading direction", KITH_LEAF, KITH_HAS_TEXT, 94, "e280ae" },
    { "an isolate of the reading direction", KITH_LEAF, KITH_HAS_TEXT, 94, "e281a6" },
    { "the Arabic letter mark", KITH_LEAF, KITH_HAS_TEXT, 94, "d89c" },
    { "a slash in two bytes", KITH_LEAF, KITH_HAS_TEXT, 94, "c0af" },
    { "a slash in three bytes", KITH_LEAF, KITH_HAS_TEXT, 94, "e080af" },
    { "half a surrogate pair", KITH_LEAF, KITH_HAS_TEXT, 94, "eda080" },
    { "a character beyond Unicode", KITH_LEAF, KITH_HAS_TEXT, 94, "f4908080" },
    { "a character cut in half", KITH_LEAF, KITH_HAS_TEXT, 108, "c3" },
    { "measure 10 in a digest", KITH_DIGEST, KITH_HAS_DIGEST, 93, "0a" },
    { "a digest of five components", KITH_DIGEST, KITH_HAS_DIGEST, 94, "05" },
    { "level 14", KITH_DIGEST, KITH_HAS_DIGEST, 95, "0e" },
    { "a prefix without a cell", KITH_DIGEST, KITH_HAS_DIGEST, 95, "ff" },
    { "an empty digest", KITH_DIGEST, KITH_HAS_DIGEST, 112, "0000000000000000" },
    { "a digest of too many", KITH_DIGEST, KITH_HAS_DIGEST, 112, "0000000000400001" },
    { "weights below 0", KITH_DIGEST, KITH_HAS_DIGEST, 120, "80" },
    { "weights of 0", KITH_DIGEST, KITH_HAS_DIGEST, 120, "0000000000000000" },
    { "a sum of squares below 0", KITH_DIGEST, KITH_HAS_DIGEST, 168, "ff" },
    { "a register of 58", KITH_DIGEST, KITH_HAS_DIGEST | KITH_HAS_SKETCH, 184, "e80000" },
};

static void show_spoilt(const char *text, const kith_packet *p, size_t length) {
    name(text);
    show_packet(p->bytes, length, false);
    printf("}");
}

static void refused(void) {
    kith_packet p = { 0 };
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        kith_content c = basic(spoilt[i].type, spoilt[i].has);
        if (c.type == KITH_EVAL) c.measure = KITH_SCORE_GAIN;
        if (kith_packet_seal(&c, key, &p) < 0) exit(1);
        size_t n = strlen(spoilt[i].bytes) / 2;
        if (!ki_unhex(spoilt[i].bytes, 2 * n, p.bytes + spoilt[i].at, n)) exit(1);
        show_spoilt(spoilt[i].name, &p, p.length);
    }
    kith_content c = basic(KITH_LEAF, EFFECT), big = largest();
    if (kith_packet_seal(&c, key, &p) < 0) exit(1);
    p.bytes[p.length] = 0; /* seal says nothing of what lies behind a packet */
    show_spoilt("no bytes", &p, 0);
    show_spoilt("one byte", &p, 1);
    show_spoilt("one byte short", &p, p.length - 1u);
    show_spoilt("one byte over", &p, p.length + 1u);
    kith_packet big_packet;
    if (kith_packet_seal(&big, key, &big_packet) < 0) exit(1);
    uint8_t over[KITH_PACKET_MAX + 1] = { 0 };
    memcpy(over, big_packet.bytes, 85);
    memcpy(over + 85, big_packet.bytes + 84, KITH_PACKET_MAX - 84);
    over[84]++; /* the subject is one letter longer; all else is as it should be */
    over[85] = 'a';
    name("513 bytes");
    show_packet(over, sizeof over, false);
    printf("}");
}

static void badly_signed(void) {
    kith_packet p;
    kith_content c = basic(KITH_LEAF, EFFECT);
    if (kith_packet_seal(&c, key, &p) < 0) exit(1);
    uint8_t *sig = p.bytes + p.length - KITH_SIGNATURE_SIZE;
    sig[5] ^= 1;
    name("a bit of the signature");
    show_packet(p.bytes, p.length, true);
    printf("}");
    sig[5] ^= 1;
    p.bytes[95] ^= 1;
    name("a bit of what is signed");
    show_packet(p.bytes, p.length, true);
    printf("}");
    /* The neutral point as key and R, and S = 0: the equation holds for anything. */
    memset(p.bytes + 20, 0, 32);
    memset(sig, 0, KITH_SIGNATURE_SIZE);
    p.bytes[20] = sig[0] = 1;
    name("a source of small order");
    show_packet(p.bytes, p.length, true);
    printf("}");
}

int golden_packets(void) {
    uint8_t seed[32];
    for (int i = 0; i < 32; i++) seed[i] = (uint8_t) i;
    if (kith_key_from_seed(&key, seed, NULL) < 0) return 1;
    printf("{\"seed\":\"%s\",\n \"accepted\":[", show_hex(seed, sizeof seed));
    first = true;
    accepted();
    printf("],\n \"refused\":[");
    first = true;
    refused();
    printf("],\n \"badly signed\":[");
    first = true;
    badly_signed();
    printf("]}\n");
    kith_key_free(&key);
    return 0;
}

static const char *const words[] = { "a", "a.b-c.d_9.-._", "1.2.3.4.5.6.7.8",
    "1.2.3.4.5.6.7.8.9", "", ".", ".a", "a.", "a..b", "A", "a b", "a/b", "a\xc3\xa9", "*",
    ">", "a.*.b", "*.*", "a.>", ">.a", ">.>", "a.>.", "a*", "*a", "a>", "**", "_sys.a",
    "a|b", "a\r\n", "*.*.*.*.*.*.*.>", "*.*.*.*.*.*.*.*.>", "iot.hvac.energy-anomaly" };

static const char *const pairs[][2] = { { "iot.hvac", "iot.hvac" },
    { "iot.hvac", "iot.hvac.x" }, { "iot.hvac.x", "iot.hvac" },
    { "iot.hvac.>", "iot.hvac.x" }, { "iot.hvac.>", "iot.hvac.x.y" },
    { "iot.hvac.>", "iot.hvac" }, { "iot.hvac.>", "iot.hvacuum.x" },
    { "iot.hvac", "iot.hvad" }, { "iot.*.x", "iot.hvac.x" }, { "iot.*.x", "iot.a.b.x" },
    { "iot.*", "iot" }, { "*.*", "a.b" }, { "*", "a.b" }, { "*.b.>", "a.b.c.d" },
    { ">", "a" }, { ">", "a.b.c" }, { ">", "_sys.a" }, { "*.a", "_sys.a" },
    { "_sys.>", "_sys.a" }, { "_sys.*", "_sys.a" }, { "a.>", "a._b" }, { "", "a" },
    { ">", "" }, { "a.*.b", "a..b" }, { "a.>.b", "a.c" }, { "A", "A" },
    { "clinical", "clinicalx" }, { "clinical.>", "clinicalx.y" } };

static void show_words(void) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        const char *w = words[i];
        printf("%s{\"text\":\"%s\",\"subject\":%s,\"pattern\":%s}",
            i == 0 ? "\n  " : ",\n  ", show_hex(w, strlen(w)),
            kith_subject_valid(w) ? "true" : "false",
            kith_pattern_valid(w) ? "true" : "false");
    }
}

static void show_pairs(void) {
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        printf("%s{\"pattern\":\"%s\",\"subject\":\"%s\",\"matches\":%s}",
            i == 0 ? "\n  " : ",\n  ", pairs[i][0], pairs[i][1],
            kith_subject_matches(pairs[i][0], pairs[i][1]) ? "true" : "false");
    }
}

static void show_fingerprints(void) {
    static const char *const subjects[] = { "iot.hvac.energy-anomaly", "a.b.c", "ab.c",
        "a.bc", "abc", "1.2.3.4.5.6.7.8" };
    first = true;
    for (int u = -1; u <= 1; u++) {
        uint8_t id[KITH_TEMPLATE_SIZE] = { 0 }, f[KITH_FINGERPRINT_SIZE];
        id[15] = (uint8_t) u;
        for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
            if (kith_address_fingerprint(id, subjects[i], f) < 0) exit(1);
            printf("%s{\"template\":\"%s\",\"subject\":\"%s\",\n   \"fingerprint\":\"%s\"}",
                first ? "\n  " : ",\n  ", show_hex(id, sizeof id), subjects[i],
                show_hex(f, sizeof f));
            first = false;
        }
    }
}

int golden_addresses(void) {
    printf("{\"words\":[");
    show_words();
    printf("],\n \"pairs\":[");
    show_pairs();
    printf("],\n \"fingerprints\":[");
    show_fingerprints();
    printf("]}\n");
    return 0;
}
