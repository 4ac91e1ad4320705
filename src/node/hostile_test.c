/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from outside: rubbish, lies, repeats, clocks that are wrong. Refused
 * aloud or harmless, and the state is what it was. */
#include "node/kit.h"
#include "node/node.h"

#include <unistd.h>

/* Posts bytes natively, past every check of a node. */
static void inject(
    const char *url, const char *subject, const uint8_t *bytes, size_t size) {
    kith_link *link = NULL;
    kith_address to = { "" };
    memcpy(to.subject, subject, strlen(subject) + 1);
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = (uint16_t) size,
        .bytes = bytes,
        .to = &to,
        .expires_us = INT64_MAX };
    if (kith_link_open(&link, url, NULL, NULL) != 0) abort();
    if (kith_link_post(link, &what) != 0) abort();
    run(100);
    kith_link_close(&link);
}

static void refuses_aloud_and_goes_on(void) {
    member *me = join("mem://bad");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    kith_post p = leaf("a.b", 1);
    p.content.epoch = 1;
    kith_packet packet;
    EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);

    inject("mem://bad", "a.b", (const uint8_t *) "\001ubbish", 7);
    EXPECT_INT(m[0].last_refusal, KITH_R_LENGTH);
    inject("mem://bad", "a.c", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_ADDRESS);
    packet.bytes[packet.length - 1] ^= 1;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_SIGNATURE);
    packet.bytes[packet.length - 1] ^= 1;
    packet.bytes[0] = 2;
    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(m[0].last_refusal, KITH_R_VERSION);
    packet.bytes[0] = 1;
    EXPECT_INT(me->refused, 4);
    EXPECT_INT(packets(me), 0);

    inject("mem://bad", "a.b", packet.bytes, packet.length);
    EXPECT_INT(packets(me), 1);
    EXPECT_INT(kith_node_refused(me->node, KITH_R_ADDRESS), 1);
    kith_key_free(&stranger);
    leave_all();
}

static void c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl(void) {
    member *me = join("mem://clock");
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    static const struct {
        int64_t ahead_s;
        int refusal;
    } rows[] = {
        { 315360000, KITH_R_FUTURE },
        { 61, KITH_R_FUTURE },
        { 55, 0 },
        { -5, 0 },
        { -315360000, KITH_R_EXPIRED },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kith_post p = leaf("a.b", 1);
        kith_packet packet;
        p.content.epoch = 1;
        p.content.seq = i;
        p.content.t_end_us += rows[i].ahead_s * 1000000;
        EXPECT_INT(kith_packet_seal(&p.content, stranger, &packet), 0);
        uint64_t before = packets(me);
        me->last_refusal = 0;
        inject("mem://clock", "a.b", packet.bytes, packet.length);
        EXPECT_INT(me->last_refusal, rows[i].refusal);
        EXPECT_INT(packets(me) - before, rows[i].refusal == 0);
    }
    kith_key_free(&stranger);
    leave_all();
}

static void c1_what_a_wrong_clock_refused_comes_when_it_is_right(void) {
    join("mem://reset");
    post(&m[0], "a.b", 1);
    run(100);
    int64_t right = now.wall_us;
    now.wall_us -= INT64_C(86400000000); /* the joiner wakes up yesterday */
    member *late = join("mem://reset");
    for (int i = 0; i < 900; i++) {
        kith_time theirs = { now.mono_ns, right + i * 10000 };
        if (kith_node_step(m[0].node, theirs) < 0) abort();
        if (kith_node_step(late->node, now) < 0) abort();
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
    EXPECT_INT(late->last_refusal, KITH_R_FUTURE);
    EXPECT_INT(late->accepted, 0);
    now.wall_us += INT64_C(86400000000);
    run(10000);
    EXPECT_INT(late->accepted, 1);
    leave_all();
}

/* Others are at ease meanwhile: what it cut off as expired is no floor for ever. */
static void c1_a_clock_that_was_years_ahead_hides_nothing_afterwards(void) {
    const int64_t years = INT64_C(315360000000000);
    join("mem://ahead");
    member *wrong = join("mem://ahead");
    for (int i = 0; i < 3; i++) post(&m[0], "a.b", i);
    run(10000);
    EXPECT_INT(wrong->accepted, 3);
    kith_post brief = leaf("a.c", 1);
    brief.content.ttl_s = 1800; /* it expires before those that are cut off */
    for (int i = 0; i < 2000; i++) {
        kith_time theirs = { now.mono_ns, now.wall_us + years };
        if (i == 500)
            EXPECT_INT(kith_store_post(m[0].store, m[0].key, &brief, 1, now, NULL), 0);
        if (kith_node_step(m[0].node, now) < 0) abort();
        if (kith_node_step(wrong->node, theirs) < 0) abort();
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
    EXPECT_INT(wrong->last_refusal, KITH_R_EXPIRED);
    EXPECT_INT(wrong->accepted, 3);
    run(60000);
    EXPECT_INT(wrong->accepted, 4);
    leave_all();
}

/* A shared file: read by a thread, which gets its time. */
static char file_folder[64], file_url[96];

static void open_file_place(void) {
    if (!test_folder(test_place(), "kith-again", file_folder, sizeof file_folder)) abort();
    (void) snprintf(file_url, sizeof file_url, "sqlite://%s/x.db?sync=normal", file_folder);
}

static void leave_file_place(void) {
    static const char *const tails[] = { "", "-wal", "-shm" };
    leave_all();
    for (size_t i = 0; i < 3; i++) {
        char path[96];
        (void) snprintf(path, sizeof path, "%s/x.db%s", file_folder, tails[i]);
        (void) unlink(path);
    }
    (void) rmdir(file_folder);
}

static void run_slowly(int milliseconds) {
    for (int i = 0; i < milliseconds; i += 100) {
        run(100);
        (void) usleep(200);
    }
}

/* Past every check of a node, and there when it returns. */
static void put_in_file(kith_content *content, const kith_key *key, bool bent) {
    kith_link *link = NULL;
    kith_packet packet;
    uint64_t through = 0;
    if (kith_packet_seal(content, key, &packet) != 0) abort();
    packet.bytes[packet.length - 1] ^= bent;
    kith_posting what = { .kind = KITH_ITEM_PACKET,
        .length = packet.length,
        .bytes = packet.bytes,
        .to = &content->address,
        .ticket = 1,
        .expires_us = INT64_MAX };
    if (kith_link_open(&link, file_url, NULL, NULL) != 0) abort();
    if (kith_link_post(link, &what) != 0) abort();
    while (kith_link_settle(link, &through, NULL) != 0) (void) usleep(100);
    kith_link_close(&link);
}

/* Two minutes of patience, or far more of the nodes' own time. */
static bool comes(const uint64_t *counter, uint64_t value) {
    for (int i = 0; i < 60000 && *counter < value; i++) {
        run(100);
        (void) usleep(2000);
    }
    return *counter >= value;
}

/* Whoever made it, it is nobody's: it must not make the node read all there is. */
static void c1_an_unsigned_packet_of_the_future_makes_nothing_be_read_again(void) {
    open_file_place();
    member *me = join(file_url);
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    kith_post p = leaf("a.b", 1);
    p.content.epoch = 1;
    p.content.t_end_us += 67 * 1000000; /* one bit, and it is good in seven seconds */
    put_in_file(&p.content, stranger, true);
    EXPECT(comes(&me->refused, 1));
    EXPECT_INT(me->last_refusal, KITH_R_FUTURE);
    run_slowly(20000);
    p = leaf("a.c", 1); /* whatever is read again comes before it */
    p.content.epoch = 1;
    put_in_file(&p.content, stranger, false);
    EXPECT(comes(&me->accepted, 1));
    EXPECT_INT(me->refused, 1);
    kith_key_free(&stranger);
    leave_file_place();
}

/* Signed ones do, but not more often than once in a minute. */
static void c1_packets_of_the_future_are_read_again_once_in_a_minute(void) {
    open_file_place();
    member *me = join(file_url);
    kith_key *stranger = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&stranger, seed, NULL), 0);
    int64_t from_us = now.wall_us;
    for (uint64_t i = 0; i < 20; i++) {
        kith_post p = leaf("a.b", 1);
        p.content.epoch = 1;
        p.content.seq = i;
        p.content.t_end_us = from_us + (int64_t) (100 + i) * 1000000;
        put_in_file(&p.content, stranger, false);
    }
    EXPECT(comes(&me->refused, 20));
    run_slowly(60000);
    EXPECT(comes(&me->accepted, 20));
    printf("# refused %d times\n", (int) me->refused);
    EXPECT(me->refused <= 3 * 20);
    kith_key_free(&stranger);
    leave_file_place();
}

static void two_packets_under_one_number_are_a_proof(void) {
    member *me = join("mem://twice");
    kith_key *liar = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&liar, seed, NULL), 0);
    for (int i = 0; i < 2; i++) {
        kith_post p = leaf("a.b", i);
        kith_packet packet;
        p.content.epoch = 1;
        EXPECT_INT(kith_packet_seal(&p.content, liar, &packet), 0);
        inject("mem://twice", "a.b", packet.bytes, packet.length);
    }
    EXPECT_INT(me->last_refusal, KITH_R_EQUIVOCATION);
    EXPECT_INT(packets(me), 1);
    kith_key_free(&liar);
    leave_all();
}

/* Each of three nodes believed one of the twins, or heard of none. */
static void who_signed_twice_keeps_nobody_from_agreeing(void) {
    member *a = join("mem://left"), *b = join("mem://right"), *c = join("mem://third");
    static const char *const urls[] = { "mem://left", "mem://right", "mem://third" };
    kith_key *liar = NULL;
    uint8_t seed[32] = { 99 };
    EXPECT_INT(kith_key_from_seed(&liar, seed, NULL), 0);
    for (int i = 0; i < 3; i++) {
        kith_post p = leaf("a.b", i % 2);
        kith_packet packet;
        p.content.epoch = 1;
        p.content.t_end_us = now.wall_us - 60000000;
        EXPECT_INT(kith_packet_seal(&p.content, liar, &packet), 0);
        inject(urls[i], "a.b", packet.bytes, packet.length);
        post(&m[i], "a.c", i);
    }
    for (size_t i = 0; i < 3; i++) { /* now they meet */
        const char *both = "mem://meeting";
        kith_node_close(&m[i].node);
        open_node(&m[i], &both, 1, NULL, false);
    }
    run(60000);
    for (size_t i = 0; i < 3; i++) {
        EXPECT_INT(packets(&m[i]), 4); /* one twin, and what the three posted */
        const ki_sync *s = m[i].node->links[0].sync;
        for (int k = 0; k < SYNC_PEERS_MAX; k++)
            EXPECT(s->peers[k].id == 0 || !s->peers[k].differs);
        EXPECT_INT(s->stat.stuck, 0);
        EXPECT_INT(m[i].node->twin_count, 1);
    }
    (void) a;
    (void) b;
    (void) c;
    kith_key_free(&liar);
    leave_all();
}

static void w9_the_same_packets_in_any_order_end_in_one_digest(void) {
    member *a = join("mem://order"), *b = join("mem://other");
    kith_key *source = NULL;
    uint8_t seed[32] = { 77 };
    EXPECT_INT(kith_key_from_seed(&source, seed, NULL), 0);
    static kith_packet all[500];
    for (size_t i = 0; i < 500; i++) {
        kith_post p = leaf(i % 2 ? "a.b" : "a.c", 0.001 * (double) i);
        p.content.epoch = 1;
        p.content.seq = i;
        EXPECT_INT(kith_packet_seal(&p.content, source, &all[i]), 0);
    }
    kith_link *left = NULL, *right = NULL;
    EXPECT_INT(kith_link_open(&left, "mem://order?ring=4M", NULL, NULL), 0);
    EXPECT_INT(kith_link_open(&right, "mem://other?ring=4M", NULL, NULL), 0);
    for (size_t i = 0; i < 1000; i++) {
        const kith_packet *x = &all[i % 500], *y = &all[(i * 211 + 7) % 500];
        kith_address to = { "" };
        kith_posting what = {
            .kind = KITH_ITEM_PACKET, .to = &to, .expires_us = INT64_MAX
        };
        memcpy(to.subject, (i % 500) % 2 ? "a.b" : "a.c", 4);
        what.bytes = x->bytes;
        what.length = x->length;
        EXPECT_INT(kith_link_post(left, &what), 0);
        memcpy(to.subject, ((i * 211 + 7) % 500) % 2 ? "a.b" : "a.c", 4);
        what.bytes = y->bytes;
        what.length = y->length;
        EXPECT_INT(kith_link_post(right, &what), 0);
        if (i % 20 == 0) run(20);
    }
    run(500);
    EXPECT_INT(a->accepted, 500);
    EXPECT_INT(b->accepted, 500);
    EXPECT_INT(a->refused + b->refused, 0);
    EXPECT(one_digest());
    kith_link_close(&left);
    kith_link_close(&right);
    kith_key_free(&source);
    leave_all();
}

static const test_case cases[] = {
    { "refuses_aloud_and_goes_on", refuses_aloud_and_goes_on },
    { "c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl",
        c1_a_clock_far_ahead_is_refused_and_a_past_one_judged_by_its_ttl },
    { "c1_what_a_wrong_clock_refused_comes_when_it_is_right",
        c1_what_a_wrong_clock_refused_comes_when_it_is_right },
    { "c1_a_clock_that_was_years_ahead_hides_nothing_afterwards",
        c1_a_clock_that_was_years_ahead_hides_nothing_afterwards },
    { "c1_an_unsigned_packet_of_the_future_makes_nothing_be_read_again",
        c1_an_unsigned_packet_of_the_future_makes_nothing_be_read_again },
    { "c1_packets_of_the_future_are_read_again_once_in_a_minute",
        c1_packets_of_the_future_are_read_again_once_in_a_minute },
    { "two_packets_under_one_number_are_a_proof",
        two_packets_under_one_number_are_a_proof },
    { "who_signed_twice_keeps_nobody_from_agreeing",
        who_signed_twice_keeps_nobody_from_agreeing },
    { "w9_the_same_packets_in_any_order_end_in_one_digest",
        w9_the_same_packets_in_any_order_end_in_one_digest },
};
TEST_MAIN(cases)
