/* SPDX-License-Identifier: Apache-2.0 */
/* What the frames of a stream promise, byte by byte; nothing here has a socket. */
#include "carrier/tcp/block.h"
#include "carrier/tcp/wants.h"

#include "base/dice.h"
#include "base/wire.h"
#include "test.h"

#include <string.h>

static const hello ours = { .version = LINK_VERSION,
    .role = ROLE_LEAF,
    .window = 1 << 20,
    .id = { 1, 2, 3 },
    .challenge = { 9, 8 } };

static void a_hello_comes_back_as_it_was(void) {
    uint8_t bytes[FRAME_HEADER + HELLO_SIZE];
    frame f;
    hello back;
    EXPECT_INT(ki_tcp_put_hello(bytes, &ours), sizeof bytes);
    for (size_t n = 0; n < sizeof bytes; n++) {
        EXPECT_INT(ki_tcp_frame(bytes, n, &f), KITH_EMPTY);
    }
    EXPECT_INT(ki_tcp_frame(bytes, sizeof bytes, &f), 0);
    EXPECT_INT(ki_tcp_get_hello(&f, &back), 0);
    EXPECT(memcmp(&back, &ours, sizeof back) == 0);
}

/* Of the fixed bytes of a HELLO none may be another. */
static void a_hello_of_another_kind_is_refused(void) {
    uint8_t bytes[FRAME_HEADER + HELLO_SIZE];
    frame f;
    hello back;
    static const size_t fixed[] = { 8, 9, 10, 11, 15, 20, 21, 22, 23 };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        (void) ki_tcp_put_hello(bytes, &ours);
        bytes[fixed[i]] ^= 1;
        EXPECT_INT(ki_tcp_frame(bytes, sizeof bytes, &f), 0);
        EXPECT_INT(ki_tcp_get_hello(&f, &back), KITH_E_FORMAT);
    }
    (void) ki_tcp_put_hello(bytes, &ours);
    bytes[FRAME_HEADER + 5] = 3; /* neither hub nor leaf */
    EXPECT_INT(ki_tcp_frame(bytes, sizeof bytes, &f), 0);
    EXPECT_INT(ki_tcp_get_hello(&f, &back), KITH_E_FORMAT);
    (void) ki_tcp_put_hello(bytes, &ours);
    wire_put32(bytes + FRAME_HEADER + 8, FRAME_MAX - 1); /* a window no batch fits into */
    EXPECT_INT(ki_tcp_get_hello(&f, &back), KITH_E_FORMAT);
}

/* Before a byte of the body is there, and whatever the type says. */
static void w6_a_length_beyond_its_type_is_refused_at_once(void) {
    static const uint32_t lengths[] = { 65529, 65536, 1u << 20, 1u << 30, 1u << 31,
        UINT32_MAX };
    size_t refused = 0;
    for (unsigned type = 0; type <= 255; type++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            uint8_t head[FRAME_HEADER] = { (uint8_t) type };
            frame f;
            wire_put32(head + 4, lengths[i]);
            EXPECT_INT(ki_tcp_frame(head, sizeof head, &f), KITH_E_FORMAT);
            refused++;
        }
    }
    EXPECT_INT(refused, 256 * 6);
}

static size_t a_batch(uint8_t *to, size_t items) {
    uint8_t *at = to + BATCH_HEAD;
    wire_put32(to + FRAME_HEADER, 0);
    for (size_t i = 0; i < items; i++) {
        wire_put16(at, 3);
        at[2] = i % 3 == 2 ? KITH_ITEM_SYNC : KITH_ITEM_PACKET;
        at[3] = i % 3 == 2 ? 0 : 3;
        memcpy(at + 4, "a.babc", at[3] + 3u);
        at += 4 + at[3] + 3;
    }
    size_t length = (size_t) (at - to);
    ki_tcp_put_header(to, FRAME_BATCH, (uint16_t) items, length - FRAME_HEADER);
    return length;
}

static void a_batch_is_whole_or_refused(void) {
    uint8_t bytes[256];
    frame f;
    size_t length = a_batch(bytes, 7);
    EXPECT_INT(ki_tcp_frame(bytes, length, &f), 0);
    EXPECT_INT(ki_tcp_check_batch(&f), 0);
    for (uint32_t cut = BATCH_LOST; cut < length - FRAME_HEADER; cut++) {
        f.length = cut;
        EXPECT_INT(ki_tcp_check_batch(&f), KITH_E_FORMAT);
    }
    f.length = (uint32_t) (length - FRAME_HEADER);
    f.count = 6;
    EXPECT_INT(ki_tcp_check_batch(&f), KITH_E_FORMAT);
    f.count = 8;
    EXPECT_INT(ki_tcp_check_batch(&f), KITH_E_FORMAT);
}

/* W10 asks it of frames of one message; here items are the parts of a frame. */
static void w10_another_number_of_items_than_said_drops_the_frame_whole(void) {
    static const unsigned counts[] = { 0, 1, 3, 1000 };
    uint8_t bytes[256];
    frame f;
    for (size_t i = 0; i < 4; i++) {
        size_t length = a_batch(bytes, 2), next = a_batch(bytes + length, 2);
        wire_put16(bytes + 2, (uint16_t) counts[i]);
        EXPECT_INT(ki_tcp_frame(bytes, length + next, &f), 0);
        EXPECT_INT(ki_tcp_check_batch(&f), KITH_E_FORMAT);
        EXPECT_INT(f.length, length - FRAME_HEADER);
        EXPECT_INT(ki_tcp_frame(bytes + length, next, &f), 0);
        EXPECT_INT(ki_tcp_check_batch(&f), 0);
    }
}

static void an_item_outside_its_ranges_is_refused(void) {
    static const struct {
        size_t at;
        uint8_t value;
    } bad[] = { { 0, 255 }, { 1, 0 }, { 2, 0 }, { 2, 3 }, { 2, KITH_ITEM_SYNC }, { 3, 0 },
        { 3, 129 }, { 0, 2 } };
    uint8_t bytes[256];
    frame f;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t length = a_batch(bytes, 1);
        bytes[BATCH_HEAD + bad[i].at] = bad[i].value;
        EXPECT_INT(ki_tcp_frame(bytes, length, &f), 0);
        EXPECT_INT(ki_tcp_check_batch(&f), KITH_E_FORMAT);
    }
}

static void wants_come_back_as_they_were(void) {
    uint8_t bytes[WANT_FRAME_MAX];
    wants w = { 0 }, back = { .all = true };
    frame f;
    for (int i = 0; i < KITH_PATTERNS_MAX; i++) {
        char text[KITH_SUBJECT_MAX + 1];
        memset(text, 'a', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        text[0] = (char) ('a' + i % 26);
        text[1] = (char) ('a' + i / 26);
        ki_tcp_wants_add(&w, text);
        ki_tcp_wants_add(&w, text); /* once is enough */
    }
    size_t n = ki_tcp_put_want(bytes, 7, &w);
    EXPECT_INT(n, WANT_FRAME_MAX);
    EXPECT_INT(ki_tcp_frame(bytes, n, &f), 0);
    EXPECT_INT(ki_tcp_get_want(&f, &back), 0);
    EXPECT(ki_tcp_wants_equal(&w, &back));
    ki_tcp_wants_add(&w, "one.more"); /* no room: then all */
    EXPECT(w.all && w.count == 0);
    EXPECT(ki_tcp_wanted(&w, "what.ever") && ki_tcp_wanted(&w, "_sys.x"));
    n = ki_tcp_put_want(bytes, 8, &w);
    EXPECT_INT(ki_tcp_frame(bytes, n, &f), 0);
    EXPECT_INT(ki_tcp_get_want(&f, &back), 0);
    EXPECT(back.all);
}

static void a_pattern_that_is_none_is_refused_and_changes_nothing(void) {
    static const char *const bad[] = { "A", "a..b", ">.a", "a*", "a b", ".a" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t bytes[64] = { 0 };
        wants back = { 0 };
        frame f;
        size_t n = strlen(bad[i]);
        bytes[FRAME_HEADER + 5] = (uint8_t) n;
        memcpy(bytes + FRAME_HEADER + 6, bad[i], n);
        ki_tcp_put_header(bytes, FRAME_WANT, 1, 6 + n);
        ki_tcp_wants_add(&back, "kept");
        EXPECT_INT(ki_tcp_frame(bytes, sizeof bytes, &f), 0);
        EXPECT_INT(ki_tcp_get_want(&f, &back), KITH_E_FORMAT);
        EXPECT(back.count == 1 && strcmp(back.text[0], "kept") == 0);
    }
}

/* Blocks against a model that only counts: what is put in comes out once and in order,
 * what is lost is told in its place. */
static void a_random_walk_over_blocks_loses_nothing(void) {
    blocks q;
    uint64_t dice = 20261121, in = 0, out = 0, lost = 0, told = 0;
    block *held[4] = { 0 };
    EXPECT_INT(ki_blocks_init(&q, 4 * FRAME_MAX), 0);
    for (int step = 0; step < 60000; step++) {
        uint8_t bytes[KITH_PACKET_MAX] = { 0 };
        batch_item item = { .kind = KITH_ITEM_SYNC, .bytes = bytes, .subject = bytes };
        item.length = (uint16_t) (8 + dice_below(&dice, KITH_PACKET_MAX - 7));
        size_t at = dice_below(&dice, 4), what = dice_below(&dice, 1000);
        if (what < 996) {
            wire_put64(bytes, in + lost);
            if (ki_blocks_room(&q, (size_t) ITEM_HEAD + item.length)) {
                ki_blocks_put(&q, &item);
                in++;
            } else {
                ki_blocks_lose(&q, 1);
                lost++;
            }
        } else if (held[at] != NULL) {
            ki_blocks_give_back(&q, held[at]);
            held[at] = NULL;
        } else if ((held[at] = ki_blocks_take(&q)) != NULL) {
            if (what == 999) { /* not sent after all */
                ki_blocks_untake(&q, held[at]);
                held[at] = NULL;
                ki_blocks_check(&q);
                continue;
            }
            told += held[at]->lost;
            const uint8_t *from = held[at]->bytes + BATCH_HEAD;
            for (unsigned i = 0; i < held[at]->count; i++) {
                from += ki_tcp_item(from, &item);
                EXPECT(wire_get64(item.bytes) == out + told);
                out++;
            }
            EXPECT(from == held[at]->bytes + held[at]->used);
        }
        ki_blocks_check(&q);
    }
    printf("# in %llu out %llu lost %llu told %llu\n", (unsigned long long) in,
        (unsigned long long) out, (unsigned long long) lost, (unsigned long long) told);
    EXPECT(lost > 0 && out > 10000 && told <= lost && out <= in);
    ki_blocks_fini(&q);
}

#define CASE(name)                                                                         \
    { #name, name }
static const test_case cases[] = {
    CASE(a_hello_comes_back_as_it_was),
    CASE(a_hello_of_another_kind_is_refused),
    CASE(w6_a_length_beyond_its_type_is_refused_at_once),
    CASE(a_batch_is_whole_or_refused),
    CASE(w10_another_number_of_items_than_said_drops_the_frame_whole),
    CASE(an_item_outside_its_ranges_is_refused),
    CASE(wants_come_back_as_they_were),
    CASE(a_pattern_that_is_none_is_refused_and_changes_nothing),
    CASE(a_random_walk_over_blocks_loses_nothing),
};
TEST_MAIN(cases)
