/* SPDX-License-Identifier: Apache-2.0 */
/* What a link of seed 0 remembers: without a socket. tests/system/legacy_test.py has
 * those of the other side. */
#include "base/wire.h"
#include "carrier/zmq/seed0_store.h"

#include "test.h"

static kith_seed0 packet(int n) {
    return (kith_seed0){ .domain = "a.b",
        .node_id = "n",
        .context_hash = "c",
        .outcome_delta = 0.5,
        .confidence = 0.5,
        .n_observations = n,
        .timestamp = 1750000000.0 };
}

static void keep(ki_seed0_store *s, int n) {
    kith_seed0 p = packet(n);
    kith_seed0_frames f;
    if (kith_seed0_encode(&p, &f) == 0) ki_seed0_keep(s, &f, &p);
}

/* Rows of the answer; the n_observations of the first and the last. */
static int answer(const ki_seed0_store *s, const char *prefix, int *first, int *last) {
    static char text[KITH_SEED0_REPLY_MAX];
    static kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    size_t n = ki_seed0_answer(s, prefix, strlen(prefix), false, text);
    int count = kith_seed0_read_reply(text, n, rows);
    *first = count > 0 ? rows[0].n_observations : 0;
    *last = count > 0 ? rows[count - 1].n_observations : 0;
    return count;
}

static void the_newest_fifty_come_oldest_first(void) {
    static ki_seed0_store s;
    int first, last;
    EXPECT_INT(answer(&s, "", &first, &last), 0);
    for (int i = 1; i <= 3; i++) keep(&s, i);
    EXPECT_INT(answer(&s, "", &first, &last), 3);
    EXPECT_INT(first, 1);
    for (int i = 4; i <= SEED0_KEPT + 7; i++) keep(&s, i);
    EXPECT_INT(answer(&s, "qis.a.b.d+0.5", &first, &last), 50);
    EXPECT_INT(first, SEED0_KEPT + 7 - 49);
    EXPECT_INT(last, SEED0_KEPT + 7);
    EXPECT_INT(answer(&s, "qis.a.b.d+0.5x", &first, &last), 0);
    EXPECT_INT(answer(&s, "a.b", &first, &last), 0);
}

static void told(ki_seed0_readers *r, char kind, const char *prefix) {
    char bytes[300];
    bytes[0] = kind;
    memcpy(bytes + 1, prefix, strlen(prefix));
    ki_seed0_told(r, bytes, 1 + strlen(prefix));
}

static bool followed(const ki_seed0_readers *r, const char *topic) {
    return ki_seed0_followed(r, topic, strlen(topic));
}

static void readers_come_and_go(void) {
    static ki_seed0_readers r;
    EXPECT(!followed(&r, "qis.a.d+0.0"));
    told(&r, 1, "qis.a");
    told(&r, 1, "qis.b");
    EXPECT(followed(&r, "qis.a.d+0.0"));
    EXPECT(followed(&r, "qis.ab.d+0.0")); /* their prefixes are of bytes */
    EXPECT(!followed(&r, "qis."));
    told(&r, 0, "qis.a");
    told(&r, 0, "qis.c");
    told(&r, 2, "qis.a");
    EXPECT(!followed(&r, "qis.a.d+0.0"));
    told(&r, 1, "");
    EXPECT(followed(&r, "x"));
    told(&r, 0, "");
    ki_seed0_told(&r, "", 0);
    EXPECT_INT(r.count, 1);
}

static void more_readers_than_places_count_as_all(void) {
    static ki_seed0_readers r;
    char prefix[16];
    for (int i = 0; i <= SEED0_FOLLOWED; i++) {
        (void) snprintf(prefix, sizeof prefix, "p%d", i);
        EXPECT(!followed(&r, "q"));
        told(&r, 1, prefix);
    }
    EXPECT_INT(r.count, SEED0_FOLLOWED);
    EXPECT(followed(&r, "q"));
}

static void a_prefix_longer_than_any_topic_is_nothing(void) {
    static ki_seed0_readers r;
    char prefix[KITH_SEED0_TOPIC_MAX + 2];
    memset(prefix, 'p', sizeof prefix);
    prefix[KITH_SEED0_TOPIC_MAX + 1] = '\0';
    told(&r, 1, prefix);
    EXPECT_INT(r.count, 0);
    prefix[KITH_SEED0_TOPIC_MAX] = '\0';
    told(&r, 1, prefix);
    EXPECT_INT(r.count, 1);
}

static bool prefix_is(const char *pattern, const char *want) {
    char text[KITH_SEED0_TOPIC_MAX + 1];
    size_t n = ki_seed0_prefix_of(pattern, text);
    return n == strlen(want) && strcmp(text, want) == 0;
}

static void a_pattern_becomes_the_prefix_of_all_it_wants(void) {
    EXPECT(prefix_is("a.b", "qis.a.b.d"));
    EXPECT(prefix_is("a.>", "qis.a."));
    EXPECT(prefix_is("a.*.c", "qis.a."));
    EXPECT(prefix_is(">", "qis."));
    EXPECT(prefix_is("*", "qis."));
}

/* ---- the node's small state, as the host gives it ---- */

typedef struct state {
    char name[SEED0_CHUNKS][64];
    uint8_t bytes[SEED0_CHUNKS][4096];
    size_t length[SEED0_CHUNKS];
    bool full;
    int saves;
} state;

static int place_of(state *s, const char *name, bool make) {
    for (int i = 0; i < SEED0_CHUNKS; i++) {
        if (s->name[i][0] == '\0' && make) (void) snprintf(s->name[i], 64, "%s", name);
        if (strcmp(s->name[i], name) == 0) return i;
    }
    return -1;
}

static int save(void *ctx, const char *name, const void *bytes, size_t length) {
    state *s = ctx;
    int i = place_of(s, name, true);
    if (s->full || i < 0 || length > sizeof s->bytes[0]) return KITH_E_SPACE;
    memcpy(s->bytes[i], bytes, length);
    s->length[i] = length;
    s->saves++;
    return 0;
}

static int load(void *ctx, const char *name, void *ret, size_t size, size_t *ret_length) {
    state *s = ctx;
    int i = place_of(s, name, false);
    if (i < 0) return KITH_E_MISSING;
    if (s->length[i] > size) return KITH_E_SPACE;
    memcpy(ret, s->bytes[i], s->length[i]);
    *ret_length = s->length[i];
    return 0;
}

static void a_restart_still_knows_the_newest(void) {
    static state kept;
    kith_host host = { .ctx = &kept, .save = save, .load = load };
    int first, last, n = 0;
    for (int life = 0; life < 60; life++) {
        static ki_seed0_store s;
        memset(&s, 0, sizeof s);
        ki_seed0_load(&s, &host, "127.0.0.1:5555");
        int count = answer(&s, "", &first, &last);
        EXPECT_INT(count, n < 50 ? n : 50);
        EXPECT_INT(last, n);
        EXPECT(n == 0 || first == n - count + 1);
        for (int i = 0; i < life * 3 % 40; i++) keep(&s, ++n);
        ki_seed0_save(&s, &host, "127.0.0.1:5555");
        int saves = kept.saves;
        ki_seed0_save(&s, &host, "127.0.0.1:5555"); /* nothing is new */
        EXPECT_INT(kept.saves, saves);
    }
    EXPECT(n > 8 * SEED0_CHUNK * SEED0_CHUNKS);
    EXPECT(place_of(&kept, "seed0:127.0.0.1:5555:15", false) >= 0);
}

static void a_save_that_failed_is_tried_again(void) {
    static state kept;
    static ki_seed0_store s, again;
    kith_host host = { .ctx = &kept, .save = save, .load = load };
    int first, last;
    for (int i = 1; i <= 20; i++) keep(&s, i);
    kept.full = true;
    ki_seed0_save(&s, &host, "p");
    kept.full = false;
    ki_seed0_save(&s, &host, "p");
    ki_seed0_load(&again, &host, "p");
    EXPECT_INT(answer(&again, "", &first, &last), 20);
}

static void damaged_pieces_are_passed_over(void) {
    static state kept;
    static ki_seed0_store s;
    kith_host host = { .ctx = &kept, .save = save, .load = load };
    int first, last;
    for (int i = 1; i <= 20; i++) keep(&s, i);
    ki_seed0_save(&s, &host, "p");
    for (size_t at = 0; at < kept.length[1]; at++) {
        static ki_seed0_store again;
        memset(&again, 0, sizeof again);
        kept.bytes[1][at] ^= 0x80;
        ki_seed0_load(&again, &host, "p");
        kept.bytes[1][at] ^= 0x80;
        int n = answer(&again, "", &first, &last);
        EXPECT(n >= 4 && n <= 20);
    }
}

static const test_case cases[] = {
    { "the_newest_fifty_come_oldest_first", the_newest_fifty_come_oldest_first },
    { "readers_come_and_go", readers_come_and_go },
    { "more_readers_than_places_count_as_all", more_readers_than_places_count_as_all },
    { "a_prefix_longer_than_any_topic_is_nothing",
        a_prefix_longer_than_any_topic_is_nothing },
    { "a_pattern_becomes_the_prefix_of_all_it_wants",
        a_pattern_becomes_the_prefix_of_all_it_wants },
    { "a_restart_still_knows_the_newest", a_restart_still_knows_the_newest },
    { "a_save_that_failed_is_tried_again", a_save_that_failed_is_tried_again },
    { "damaged_pieces_are_passed_over", damaged_pieces_are_passed_over },
};
TEST_MAIN(cases)
