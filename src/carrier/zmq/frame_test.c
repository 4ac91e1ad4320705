/* SPDX-License-Identifier: Apache-2.0 */
/* What links over libzmq tell each other, as bytes and as texts. */
#include "carrier/zmq/frame.h"

#include "test.h"

static const struct {
    const char *text, *live, *sync;
} right[] = {
    { "127.0.0.1:24550", "tcp://127.0.0.1:24550", "tcp://127.0.0.1:24551" },
    { "127.9.8.7:1", "tcp://127.9.8.7:1", "tcp://127.9.8.7:2" },
    { "127.0.0.1:40001:40007", "tcp://127.0.0.1:40001", "tcp://127.0.0.1:40007" },
    { "/run/kith/bus", "ipc:///run/kith/bus/0.live", "ipc:///run/kith/bus/0.sync" },
    { "/run/kith/bus#63", "ipc:///run/kith/bus/63.live", "ipc:///run/kith/bus/63.sync" },
};

static const char *const wrong[] = { "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
    "127.0.0.1:65535", "127.0.0.1:99999", "127.0.0.1:1:", "127.0.0.1:1:0",
    "127.0.0.1:1:2:3", "127.0.0.1:1x", ":24550", "kith.example:24550", "/", "//", "/a b",
    "/a,b", "/a*", "/a#", "/a#64", "/a#1x", "/a\n", "127.0.0.1:*", "[::1]:24550" };

static void a_place_is_read_as_it_is_written_and_nothing_else(void) {
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        ki_zmq_place p;
        char text[ZMQ_PLACE_MAX + 1], live[ZMQ_ENDPOINT_SIZE], sync[ZMQ_ENDPOINT_SIZE];
        EXPECT_INT(ki_zmq_place_parse(&p, right[i].text, strlen(right[i].text), NULL), 0);
        ki_zmq_place_text(&p, text);
        ki_zmq_place_live(&p, live);
        ki_zmq_place_sync(&p, sync);
        EXPECT(strcmp(text, right[i].text) == 0);
        EXPECT(strcmp(live, right[i].live) == 0);
        EXPECT(strcmp(sync, right[i].sync) == 0);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ki_zmq_place p = { .live = 7 };
        kith_error err = { 0 };
        EXPECT_INT(ki_zmq_place_parse(&p, wrong[i], strlen(wrong[i]), &err), KITH_E_CONFIG);
        EXPECT(err.text[0] != '\0' && p.live == 7);
    }
}

/* A NUL would hide what stands behind it, and equal places must be equal memory. */
static void a_place_with_a_nul_inside_is_refused(void) {
    static const char hidden[] = "127.0.0.1\0x:24550", folder[] = "/run\0x";
    ki_zmq_place p;
    EXPECT_INT(ki_zmq_place_parse(&p, hidden, sizeof hidden - 1, NULL), KITH_E_CONFIG);
    EXPECT_INT(ki_zmq_place_parse(&p, folder, sizeof folder - 1, NULL), KITH_E_CONFIG);
}

static void other_machines_are_refused_and_told_why(void) {
    static const char *const far[] = { "0.0.0.0:24550", "192.168.1.5:24550", "8.8.8.8:1",
        "128.0.0.1:24550", "126.255.255.255:24550" };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        ki_zmq_place p;
        kith_error err = { 0 };
        EXPECT_INT(ki_zmq_place_parse(&p, far[i], strlen(far[i]), &err), KITH_E_NOTSUP);
        EXPECT(strstr(err.text, "keys") != NULL && strstr(err.text, "127.0.0.1") != NULL);
    }
}

static void a_folder_that_is_too_long_is_refused(void) {
    char text[ZMQ_FOLDER_MAX + 2];
    ki_zmq_place p;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    EXPECT_INT(ki_zmq_place_parse(&p, text, ZMQ_FOLDER_MAX, NULL), 0);
    EXPECT_INT(ki_zmq_place_parse(&p, text, ZMQ_FOLDER_MAX + 1, NULL), KITH_E_CONFIG);
}

static ki_zmq_place place_of(const char *text) {
    ki_zmq_place p;
    if (ki_zmq_place_parse(&p, text, strlen(text), NULL) != 0) abort();
    return p;
}

static ki_zmq_hello sample(size_t others) {
    ki_zmq_hello h = {
        .kind = ZMQ_HELLO, .wants = 0x01020304, .seen = 7, .shed = 9, .own_count = 2
    };
    for (size_t i = 0; i < ZMQ_NAME_SIZE; i++) h.name[i] = (uint8_t) (200 + i);
    h.own[0] = place_of("127.0.0.1:40001:40007");
    h.own[1] = place_of("127.0.0.1:24550");
    for (size_t i = 0; i < others; i++) {
        h.others[i] = place_of("127.0.0.2:100");
        h.others[i].live = (uint16_t) (1000 + i);
        h.others[i].sync = (uint16_t) (5000 + i);
    }
    h.other_count = (uint8_t) others;
    return h;
}

static void a_hello_comes_back_as_it_was(void) {
    for (size_t others = 0; others <= ZMQ_OTHERS_MAX; others++) {
        uint8_t bytes[ZMQ_HELLO_MAX];
        ki_zmq_hello h = sample(others), back;
        size_t n = ki_zmq_hello_write(&h, bytes);
        EXPECT(n <= ZMQ_HELLO_MAX);
        EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), 0);
        EXPECT(memcmp(&h, &back, sizeof h) == 0);
    }
}

/* The page docs/formats/zmq.md shows these bytes. */
static void the_bytes_are_those_of_the_page(void) {
    static const uint8_t want[] = { 'H', 1, 200, 201, 202, 203, 204, 205, 206, 207, 208,
        209, 210, 211, 212, 213, 214, 215, 1, 2, 3, 4, 0, 0, 0, 7, 0, 0, 0, 9, 1, 1, 5, '/',
        'b', 'u', 's', '9', 4, '/', 'o', '#', '3' };
    uint8_t bytes[ZMQ_HELLO_MAX];
    ki_zmq_hello h = sample(1);
    h.own_count = 1;
    h.own[0] = place_of("/bus9");
    h.others[0] = place_of("/o#3");
    EXPECT_INT(ki_zmq_hello_write(&h, bytes), sizeof want);
    EXPECT(memcmp(bytes, want, sizeof want) == 0);
}

static void what_does_not_fit_into_a_hello_is_left_out(void) {
    uint8_t bytes[ZMQ_HELLO_MAX];
    char text[ZMQ_FOLDER_MAX + 1];
    ki_zmq_hello h = sample(0), back;
    memset(text, 'a', sizeof text);
    text[0] = '/';
    for (; h.other_count < ZMQ_OTHERS_MAX; h.other_count++) {
        if (ki_zmq_place_parse(&h.others[h.other_count], text, ZMQ_FOLDER_MAX, NULL) != 0)
            abort();
    }
    size_t n = ki_zmq_hello_write(&h, bytes);
    EXPECT(n <= ZMQ_HELLO_MAX);
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), 0);
    EXPECT(back.own_count == 2 && back.other_count >= 8 && back.other_count < 12);
}

static void w1_every_truncation_of_a_hello_is_refused(void) {
    uint8_t bytes[ZMQ_HELLO_MAX + 1];
    ki_zmq_hello h = sample(5), back = { .kind = 77 };
    size_t n = ki_zmq_hello_write(&h, bytes);
    for (size_t i = 0; i < n; i++) {
        EXPECT_INT(ki_zmq_hello_read(&back, bytes, i), KITH_E_FORMAT);
    }
    bytes[n] = 0;
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n + 1), KITH_E_FORMAT);
    bytes[1] = 2;
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), KITH_E_FORMAT);
    bytes[1] = 1;
    bytes[30] = 0;
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), KITH_E_FORMAT);
    bytes[30] = ZMQ_OWN_MAX + 1;
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), KITH_E_FORMAT);
    EXPECT_INT(back.kind, 77);
}

static void a_goodbye_is_a_name_and_no_more(void) {
    uint8_t bytes[ZMQ_HELLO_MAX];
    ki_zmq_hello h = sample(0), back;
    h.kind = ZMQ_BYE;
    size_t n = ki_zmq_hello_write(&h, bytes);
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n), 0);
    EXPECT(back.kind == ZMQ_BYE && memcmp(back.name, h.name, ZMQ_NAME_SIZE) == 0);
    EXPECT_INT(ki_zmq_hello_read(&back, bytes, n + 1), KITH_E_FORMAT);
}

static void a_mark_tells_who_and_which(void) {
    uint8_t bytes[1 + ZMQ_MARK_SIZE + 1], name[ZMQ_NAME_SIZE];
    ki_zmq_hello h = sample(0);
    uint32_t generation = 0;
    bool here = false;
    bytes[0] = 1;
    ki_zmq_mark_write(h.name, 0x0a0b0c0d, bytes + 1);
    EXPECT(ki_zmq_mark_read(bytes, 1 + ZMQ_MARK_SIZE, &here, name, &generation));
    EXPECT(here && generation == 0x0a0b0c0d && memcmp(name, h.name, sizeof name) == 0);
    bytes[0] = 0;
    EXPECT(ki_zmq_mark_read(bytes, 1 + ZMQ_MARK_SIZE, &here, name, &generation) && !here);
    bytes[0] = 2;
    EXPECT(!ki_zmq_mark_read(bytes, 1 + ZMQ_MARK_SIZE, &here, name, &generation));
    bytes[0] = 1;
    EXPECT(!ki_zmq_mark_read(bytes, ZMQ_MARK_SIZE, &here, name, &generation));
    EXPECT(!ki_zmq_mark_read(bytes, 2 + ZMQ_MARK_SIZE, &here, name, &generation));
    bytes[1] = 'a'; /* a pattern of somebody's */
    EXPECT(!ki_zmq_mark_read(bytes, 1 + ZMQ_MARK_SIZE, &here, name, &generation));
}

/* Prefixes are of bytes: the dot keeps iot.hvacuum away from who wants iot.hvac. */
static void w5_every_topic_ends_with_a_dot(void) {
    static const struct {
        const char *pattern, *topic;
    } table[] = { { "iot.hvac", "iot.hvac." }, { "iot.hvac.>", "iot.hvac." },
        { "iot.*.x", "iot." }, { "*.x", "" }, { ">", "" }, { "a.b.c.*", "a.b.c." } };
    char topic[ZMQ_TOPIC_MAX];
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = ki_zmq_topic_of(table[i].pattern, topic);
        EXPECT_INT(n, strlen(table[i].topic));
        EXPECT(memcmp(topic, table[i].topic, n) == 0);
    }
    kith_address back = { "untouched" };
    size_t n = ki_zmq_topic_write("iot.hvac", topic);
    EXPECT(n == 9 && ki_zmq_topic_read(topic, n, &back));
    EXPECT(strcmp(back.subject, "iot.hvac") == 0);
    EXPECT(!ki_zmq_topic_read("iot.hvac", 8, &back));
    EXPECT(!ki_zmq_topic_read(".", 1, &back));
    EXPECT(!ki_zmq_topic_read("a\0b.", 4, &back));
    char longest[ZMQ_TOPIC_MAX + 1];
    memset(longest, 'a', sizeof longest);
    longest[ZMQ_TOPIC_MAX - 1] = longest[ZMQ_TOPIC_MAX] = '.';
    EXPECT(ki_zmq_topic_read(longest, ZMQ_TOPIC_MAX, &back));
    EXPECT_INT(strlen(back.subject), KITH_SUBJECT_MAX);
    EXPECT(!ki_zmq_topic_read(longest, ZMQ_TOPIC_MAX + 1, &back));
}

static const test_case cases[] = {
    { "a_place_is_read_as_it_is_written_and_nothing_else",
        a_place_is_read_as_it_is_written_and_nothing_else },
    { "a_place_with_a_nul_inside_is_refused", a_place_with_a_nul_inside_is_refused },
    { "other_machines_are_refused_and_told_why", other_machines_are_refused_and_told_why },
    { "a_folder_that_is_too_long_is_refused", a_folder_that_is_too_long_is_refused },
    { "a_hello_comes_back_as_it_was", a_hello_comes_back_as_it_was },
    { "the_bytes_are_those_of_the_page", the_bytes_are_those_of_the_page },
    { "what_does_not_fit_into_a_hello_is_left_out",
        what_does_not_fit_into_a_hello_is_left_out },
    { "w1_every_truncation_of_a_hello_is_refused",
        w1_every_truncation_of_a_hello_is_refused },
    { "a_goodbye_is_a_name_and_no_more", a_goodbye_is_a_name_and_no_more },
    { "a_mark_tells_who_and_which", a_mark_tells_who_and_which },
    { "w5_every_topic_ends_with_a_dot", w5_every_topic_ends_with_a_dot },
};
TEST_MAIN(cases)
