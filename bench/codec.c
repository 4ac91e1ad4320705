/* SPDX-License-Identifier: Apache-2.0 */
/* codec-encode, codec-decode: a 300-byte packet without its signature check, against
 * protobuf C++ with the same fields. Both sides go round the same contents. */
#include "allocations.h"
#include "protobuf_peer.h"
#include "rows.h"
#include "sample.h"

#include <string.h>

typedef struct coded {
    uint16_t length;
    uint8_t bytes[KITH_PACKET_MAX];
} coded;

typedef struct codec {
    const bench *b;
    kith_content content[SAMPLES];
    coded ours[SAMPLES], peer[SAMPLES];
    uint64_t failed, allocated, done; /* allocated: by our side, of done */
} codec;

static codec texts[2]; /* by sample_text */

static int prepare(const bench *b, sample_text text) {
    codec *c = &texts[text];
    *c = (codec){ .b = b };
    for (uint64_t i = 0; i < SAMPLES; i++) {
        kith_packet packet;
        sample_content(i, SAMPLES, text, &c->content[i]);
        memset(c->content[i].signature, (int) i, sizeof c->content[i].signature);
        int r = kith_packet_encode(&c->content[i], &packet);
        if (r != 0 || packet.length != SAMPLE_BYTES) {
            return bench_failed("sample %d is refused: %d", (int) i, r);
        }
        c->ours[i].length = packet.length;
        memcpy(c->ours[i].bytes, packet.bytes, packet.length);
        c->peer[i].length = (uint16_t) protobuf_peer_encode(
            &c->content[i], c->peer[i].bytes, sizeof c->peer[i].bytes);
        kith_content back = c->content[i];
        if (c->peer[i].length == 0 ||
            !protobuf_peer_decode(c->peer[i].bytes, c->peer[i].length, &back) ||
            memcmp(&back, &c->content[i], sizeof back) != 0) {
            return bench_failed("the peer does not carry sample %d", (int) i);
        }
    }
    return 0;
}

static void encode_ours(void *ctx, uint64_t count) {
    codec *c = ctx;
    kith_packet packet;
    for (uint64_t i = 0; i < count; i++) {
        c->failed += kith_packet_encode(&c->content[i % SAMPLES], &packet) != 0;
    }
}

static void encode_peer(void *ctx, uint64_t count) {
    codec *c = ctx;
    uint8_t bytes[KITH_PACKET_MAX];
    for (uint64_t i = 0; i < count; i++) {
        c->failed +=
            protobuf_peer_encode(&c->content[i % SAMPLES], bytes, sizeof bytes) == 0;
    }
}

static void decode_ours(void *ctx, uint64_t count) {
    codec *c = ctx;
    static kith_content content;
    for (uint64_t i = 0; i < count; i++) {
        const coded *from = &c->ours[i % SAMPLES];
        c->failed += kith_packet_decode(from->bytes, from->length, &content) != 0;
    }
}

static void decode_peer(void *ctx, uint64_t count) {
    codec *c = ctx;
    static kith_content content;
    for (uint64_t i = 0; i < count; i++) {
        const coded *from = &c->peer[i % SAMPLES];
        c->failed += !protobuf_peer_decode(from->bytes, from->length, &content);
    }
}

static int timed(codec *c, void (*step)(void *, uint64_t), double *ret) {
    uint64_t before = allocations();
    *ret = bench_loop(c->b, 16 * SAMPLES, step, c);
    c->allocated = allocations() - before;
    return c->failed == 0 ? 0 : bench_failed("%d were refused", (int) c->failed);
}

static int ours_must_not_allocate(codec *c, void (*step)(void *, uint64_t), double *ret) {
    int r = timed(c, step, ret);
    if (r == 0 && c->allocated != 0) {
        return bench_failed("our side allocated %d times", (int) c->allocated);
    }
    return r;
}

static int run_encode_ours(void *ctx, double *ret) {
    return ours_must_not_allocate(ctx, encode_ours, ret);
}

static int run_encode_peer(void *ctx, double *ret) {
    return timed(ctx, encode_peer, ret);
}

static int run_decode_ours(void *ctx, double *ret) {
    return ours_must_not_allocate(ctx, decode_ours, ret);
}

static int run_decode_peer(void *ctx, double *ret) {
    return timed(ctx, decode_peer, ret);
}

static int run(bench *b, bench_run ours, bench_run peer, const bench_line lines[2]) {
    if (prepare(b, SAMPLE_ASCII) < 0 || prepare(b, SAMPLE_OTHER) < 0) {
        return -1;
    }
    const bench_side sides[] = {
        { .name = "kith", .run = ours, .ctx = &texts[SAMPLE_ASCII] },
        { .name = "protobuf C++", .run = peer, .ctx = &texts[SAMPLE_ASCII] },
        { .name = "kith", .run = ours, .ctx = &texts[SAMPLE_OTHER] },
        { .name = "protobuf C++", .run = peer, .ctx = &texts[SAMPLE_OTHER] },
    };
    const bench_row row = { .unit = "ns",
        .sides = sides,
        .side_count = 4,
        .lines = lines,
        .line_count = 2,
        .pin = true,
        .peer = protobuf_peer_name() };
    return bench_row_run(b, &row);
}

int row_codec_encode(bench *b) {
    static const bench_line lines[] = {
        { .name = "codec-encode/ascii",
            .what = "encode a 300-byte packet without signing, no allocation",
            .ours = 0,
            .peer = 1,
            .target = 0.45 },
        { .name = "codec-encode/other",
            .what = "the same with German, Greek and Chinese text",
            .ours = 2,
            .peer = 3,
            .target = 0.45 },
    };
    return run(b, run_encode_ours, run_encode_peer, lines);
}

int row_codec_decode(bench *b) {
    static const bench_line lines[] = {
        { .name = "codec-decode/ascii",
            .what = "decode it with every check, without verifying",
            .ours = 0,
            .peer = 1,
            .target = 0.35 },
        { .name = "codec-decode/other",
            .what = "the same with German, Greek and Chinese text",
            .ours = 2,
            .peer = 3,
            .target = 0.45 },
    };
    return run(b, run_decode_ours, run_decode_peer, lines);
}
