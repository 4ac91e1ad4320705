/* SPDX-License-Identifier: Apache-2.0 */
/* sign, verify: a packet against libsodium's own call on as many bytes. */
#include "rows.h"
#include "sample.h"

#include <kith/key.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

typedef struct seal {
    const bench *b;
    kith_key *key;
    uint8_t secret[crypto_sign_SECRETKEYBYTES], public_key[crypto_sign_PUBLICKEYBYTES];
    kith_content content[SAMPLES];
    kith_packet packet[SAMPLES];
    /* What the peer signs: the domain and the packet's bytes before the signature. */
    size_t length;
    uint8_t message[SAMPLES][KITH_PACKET_MAX];
    uint8_t signature[SAMPLES][crypto_sign_BYTES];
    uint64_t failed;
} seal;

static const char domain[] = "kith-packet-1";

static int prepare(seal *s) {
    uint8_t seed[32];
    memset(seed, 7, sizeof seed);
    kith_error err = { 0 };
    if (kith_key_from_seed(&s->key, seed, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    crypto_sign_seed_keypair(s->public_key, s->secret, seed);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        sample_content(i, SAMPLES, SAMPLE_ASCII, &s->content[i]);
        if (kith_packet_seal(&s->content[i], s->key, &s->packet[i]) != 0) {
            return bench_failed("sample %d cannot be sealed", (int) i);
        }
        size_t body = s->packet[i].length - (size_t) KITH_SIGNATURE_SIZE;
        s->length = sizeof domain - 1 + body;
        memcpy(s->message[i], domain, sizeof domain - 1);
        memcpy(s->message[i] + sizeof domain - 1, s->packet[i].bytes, body);
        crypto_sign_detached(s->signature[i], NULL, s->message[i], s->length, s->secret);
        if (memcmp(s->signature[i], s->packet[i].bytes + body, crypto_sign_BYTES) != 0) {
            return bench_failed("the two sides do not sign the same bytes");
        }
    }
    return 0;
}

static void sign_ours(void *ctx, uint64_t count) {
    seal *s = ctx;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = i % SAMPLES;
        s->failed += kith_packet_seal(&s->content[k], s->key, &s->packet[k]) != 0;
    }
}

static void sign_peer(void *ctx, uint64_t count) {
    seal *s = ctx;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = i % SAMPLES;
        s->failed += crypto_sign_detached(
                         s->signature[k], NULL, s->message[k], s->length, s->secret) != 0;
    }
}

static void verify_ours(void *ctx, uint64_t count) {
    seal *s = ctx;
    for (uint64_t i = 0; i < count; i++) {
        s->failed += kith_packet_verify(&s->packet[i % SAMPLES]) != 0;
    }
}

static void verify_peer(void *ctx, uint64_t count) {
    seal *s = ctx;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t k = i % SAMPLES;
        s->failed += crypto_sign_verify_detached(
                         s->signature[k], s->message[k], s->length, s->public_key) != 0;
    }
}

static int timed(seal *s, void (*step)(void *, uint64_t), double *ret) {
    *ret = bench_loop(s->b, 32, step, s);
    return s->failed == 0 ? 0 : bench_failed("%d failed", (int) s->failed);
}

static int run_sign_ours(void *ctx, double *ret) {
    return timed(ctx, sign_ours, ret);
}

static int run_sign_peer(void *ctx, double *ret) {
    return timed(ctx, sign_peer, ret);
}

static int run_verify_ours(void *ctx, double *ret) {
    return timed(ctx, verify_ours, ret);
}

static int run_verify_peer(void *ctx, double *ret) {
    return timed(ctx, verify_peer, ret);
}

static int run(bench *b, bench_run ours, bench_run peer, const bench_line *line) {
    static seal s;
    s = (seal){ .b = b };
    char name[64];
    snprintf(
        name, sizeof name, "libsodium %s, crypto_sign_*detached", sodium_version_string());
    const bench_side sides[] = { { .name = "kith", .run = ours, .ctx = &s },
        { .name = "libsodium", .run = peer, .ctx = &s } };
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 2,
        .lines = line,
        .line_count = 1,
        .pin = true,
        .peer = name };
    int r = prepare(&s);
    r = r < 0 ? r : bench_row_run(b, &row);
    kith_key_free(&s.key);
    return r;
}

int row_sign(bench *b) {
    static const bench_line line = { .name = "sign",
        .what = "seal a 300-byte packet: encode and sign",
        .ours = 0,
        .peer = 1,
        .target = 1.05 };
    return run(b, run_sign_ours, run_sign_peer, &line);
}

int row_verify(bench *b) {
    static const bench_line line = { .name = "verify",
        .what = "verify a 300-byte packet",
        .ours = 0,
        .peer = 1,
        .target = 1.05 };
    return run(b, run_verify_ours, run_verify_peer, &line);
}
