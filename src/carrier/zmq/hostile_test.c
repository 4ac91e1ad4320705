/* SPDX-License-Identifier: Apache-2.0 */
/* A link over libzmq among strangers: programs that speak libzmq and not our tongue, or
 * our tongue and no sense; readers that sleep; a first link that goes. Real sockets, on
 * names of this machine that nobody else has. Nothing here is timed: a fact is waited
 * for until it is so, or the hang guard of suite_help.h ends it. */
#include "carrier/suite_help.h"
#include "carrier/zmq/frame.h"
#include "carrier/zmq/sockets.h"

#include "test.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <zmq.h>

enum {
    PORT = 24550,
    LONG = 513,
};

static realm tcp_realm(void) {
    return realm_of("zmq://~:24550");
}

/* A program with bare sockets that says hello as if it were one of us. */
typedef struct stranger {
    void *context, *out, *dealer;
    ki_zmq_place at;
    uint8_t name[ZMQ_NAME_SIZE];
} stranger;

static uint16_t any_port(void *socket, const char *host) {
    char endpoint[ZMQ_ENDPOINT_SIZE];
    size_t size = sizeof endpoint;
    (void) snprintf(endpoint, sizeof endpoint, "tcp://%s:*", host);
    if (zmq_bind(socket, endpoint) != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0) {
        abort();
    }
    return (uint16_t) strtoul(strrchr(endpoint, ':') + 1, NULL, 10);
}

/* "zmq://HOST:PORT" -> HOST */
static void host_of(const realm *r, char ret[16]) {
    (void) snprintf(ret, 16, "%.*s", (int) strcspn(r->url + 6, ":"), r->url + 6);
}

static stranger stranger_come(const realm *r) {
    stranger s = { .context = zmq_ctx_new() };
    char to[ZMQ_ENDPOINT_SIZE];
    int linger = 0;
    host_of(r, s.at.host);
    s.out = zmq_socket(s.context, ZMQ_PUB);
    s.dealer = zmq_socket(s.context, ZMQ_DEALER);
    zmq_setsockopt(s.out, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(s.dealer, ZMQ_LINGER, &linger, sizeof linger);
    s.at.live = any_port(s.out, s.at.host);
    s.at.sync = 9; /* nobody there: it never answers */
    memset(s.name, 7, sizeof s.name);
    (void) snprintf(to, sizeof to, "tcp://%s:%d", s.at.host, PORT + 1);
    if (zmq_connect(s.dealer, to) != 0) abort();
    return s;
}

static void stranger_go(stranger *s) {
    zmq_close(s->out);
    zmq_close(s->dealer);
    zmq_ctx_term(s->context);
}

static void say_hello(stranger *s) {
    uint8_t bytes[ZMQ_HELLO_MAX];
    ki_zmq_hello h = { .kind = ZMQ_HELLO, .wants = 1, .own_count = 1 };
    memcpy(h.name, s->name, sizeof h.name);
    h.own[0] = s->at;
    size_t n = ki_zmq_hello_write(&h, bytes);
    if (zmq_send(s->dealer, bytes, n, 0) < 0) abort();
}

static void publish(stranger *s, const char *topic, size_t length, int frames) {
    static const uint8_t bytes[4097];
    for (int i = 0; i < frames; i++) {
        bool last = i == frames - 1;
        const void *part = i == 0 ? (const void *) topic : (const void *) bytes;
        size_t n = i == 0 ? strlen(topic) : length;
        if (zmq_send(s->out, part, n, last ? 0 : ZMQ_SNDMORE) < 0) abort();
    }
}

static uint64_t rubbish_of(const kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.rubbish;
}

/* Good ones, until the first is heard: from then on all come. */
static bool meet(stranger *s, kith_link *l) {
    kith_item item;
    int r = KITH_EMPTY;
    say_hello(s);
    UNTIL (r == 0) {
        publish(s, "a.b.", 3, 2);
        pass_time(l);
        r = kith_link_pull(l, &item);
    }
    return r == 0;
}

static void w10_a_message_of_other_than_two_frames_is_dropped_whole(void) {
    static const int frames[] = { 1, 3, 4, 1000 };
    realm r = tcp_realm();
    kith_link *l = realm_open(&r);
    EXPECT_INT(kith_link_follow(l, ">"), 0);
    stranger s = stranger_come(&r);
    EXPECT(meet(&s, l));
    uint64_t before = rubbish_of(l);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        publish(&s, "a.b.", 3, frames[i]);
    }
    publish(&s, "the.end.", 5, 2);
    kith_item item = { 0 };
    UNTIL (item.length == 5) {
        int got = kith_link_pull(l, &item);
        EXPECT(got == 0 || got == KITH_EMPTY || got == KITH_E_FORMAT);
        EXPECT(got != 0 || item.length == 3 || item.length == 5);
        if (got == KITH_EMPTY) pass_time(l);
    }
    EXPECT_INT(item.length, 5);
    EXPECT(strcmp(item.from.subject, "the.end") == 0);
    EXPECT_INT(rubbish_of(l) - before, 4);
    stranger_go(&s);
    kith_link_close(&l);
    realm_free(&r);
}

static void w6_what_is_no_packet_is_dropped_and_counted(void) {
    static const struct {
        const char *topic;
        size_t length;
    } wrong[] = { { "a.b.", 0 }, { "a.b.", LONG }, { "a.b.", 4096 }, { "a.b", 3 },
        { ".", 3 }, { "", 3 }, { "A.b.", 3 }, { "a..b.", 3 } };
    realm r = tcp_realm();
    kith_link *l = realm_open(&r);
    EXPECT_INT(kith_link_follow(l, ">"), 0);
    stranger s = stranger_come(&r);
    EXPECT(meet(&s, l));
    uint64_t before = rubbish_of(l);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        publish(&s, wrong[i].topic, wrong[i].length, 2);
    }
    publish(&s, "the.end.", 5, 2);
    kith_item item = { 0 };
    UNTIL (item.length == 5) {
        int got = kith_link_pull(l, &item);
        EXPECT(got != 0 || item.length == 3 || item.length == 5);
        if (got == KITH_EMPTY) pass_time(l);
    }
    EXPECT_INT(item.length, 5);
    EXPECT_INT(rubbish_of(l) - before, sizeof wrong / sizeof *wrong);
    stranger_go(&s);
    kith_link_close(&l);
    realm_free(&r);
}

/* KiB of this process at the highest: "VmHWM:" in memory, "VmPeak:" ever asked for. */
static long peak_kib(const char *which) {
    char line[128];
    long kib = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        size_t n = strlen(which);
        if (strncmp(line, which, n) == 0) kib = strtol(line + n, NULL, 10);
    }
    if (f != NULL) fclose(f);
    return kib;
}

/* Raw TCP: the greeting of ZMTP 3.0 with no mechanism, then a frame that says it is
 * `length` long, and one that really sends 64 KiB of it. */
static void attack(const realm *r, int port, uint64_t length) {
    static const uint8_t more[65536];
    uint8_t greeting[64] = { 0xff, [9] = 0x7f, [10] = 3, [12] = 'N', 'U', 'L', 'L' };
    uint8_t frame[9] = { 2 };
    char host[16];
    host_of(r, host);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
    inet_pton(AF_INET, host, &to.sin_addr);
    for (int i = 0; i < 8; i++) frame[8 - i] = (uint8_t) (length >> (8 * i));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *) &to, sizeof to) != 0) abort();
    (void) !send(fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    (void) !send(fd, frame, sizeof frame, MSG_NOSIGNAL);
    (void) !send(fd, more, sizeof more, MSG_NOSIGNAL);
    uint8_t answer[256]; /* the other end closes: nothing waits for the rest */
    while (recv(fd, answer, sizeof answer, 0) > 0) {
    }
    close(fd);
}

static void w6_a_length_of_any_size_takes_no_memory_and_ends_its_sender(void) {
    static const uint64_t lengths[] = { 4097, 65536, UINT64_C(1) << 20, UINT64_C(1) << 30,
        UINT64_C(1) << 63, UINT64_MAX };
    realm r = tcp_realm();
    kith_link *l = realm_open(&r), *from = realm_open(&r);
    EXPECT_INT(kith_link_follow(l, ">"), 0);
    attack(&r, PORT, 4097);
    attack(&r, PORT + 1, 4097);
    long held = peak_kib("VmHWM:"), asked = peak_kib("VmPeak:");
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            attack(&r, PORT, lengths[i]);
            attack(&r, PORT + 1, lengths[i]);
        }
    }
    held = peak_kib("VmHWM:") - held;
    asked = peak_kib("VmPeak:") - asked;
    printf("# grown by %ld KiB, and %ld asked for\n", held, asked);
    EXPECT(held < 16 << 10);   /* 3 MiB were sent; sanitizers keep what was freed */
    EXPECT(asked < 512 << 10); /* nobody asked for a gigabyte, eight times */
    batch b = { .subject = "a.b", .first = 1, .count = 50, .fill = fill_number };
    tally t = { .expect = 50 };
    EXPECT(batch_send(from, &b));
    EXPECT(tally_drain(&t, l));
    EXPECT_INT(t.distinct, 50);
    kith_link_close(&from);
    kith_link_close(&l);
    realm_free(&r);
}

static void rubbish_to_the_sync_port_is_counted_and_frames_still_come(void) {
    realm r = tcp_realm();
    kith_link *l = realm_open(&r), *from = realm_open(&r);
    stranger s = stranger_come(&r);
    uint64_t before = rubbish_of(l);
    static const char *const wrong[] = { "", "H", "X", "S", "Habc", "B\1short" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (zmq_send(s.dealer, wrong[i], strlen(wrong[i]), 0) < 0) abort();
    }
    for (int i = 0; i < 1000; i++) {
        if (zmq_send(s.dealer, "S", 1, i == 999 ? 0 : ZMQ_SNDMORE) < 0) abort();
    }
    UNTIL (rubbish_of(l) - before >= 7) pass_time(l);
    EXPECT_INT(rubbish_of(l) - before, 7);
    kith_posting p = {
        .kind = KITH_ITEM_SYNC, .length = 3, .bytes = (const uint8_t *) "abc"
    };
    kith_item item = { 0 };
    EXPECT_INT(kith_link_post(from, &p), 0);
    UNTIL (item.length == 3) {
        if (kith_link_pull(l, &item) == KITH_EMPTY) pass_time(l);
    }
    EXPECT(item.kind == KITH_ITEM_SYNC && memcmp(item.bytes, "abc", 3) == 0);
    stranger_go(&s);
    kith_link_close(&from);
    kith_link_close(&l);
    realm_free(&r);
}

/* Not a packet is dropped without a word: the poster hears "full" first; the one who
 * reads gets on, in order, while the other sleeps; and that one is told of its gap. */
static void o4_a_reader_that_sleeps_holds_nobody_up(void) {
    enum {
        FLOOD = 8000 /* a reader and its poster keep 2 x 2048, and some the kernel */
    };
    realm r = realm_of("zmq://~:24550?hwm=64K");
    kith_link *from = realm_open(&r), *awake = realm_open(&r), *asleep = realm_open(&r);
    EXPECT_INT(kith_link_follow(awake, "flood"), 0);
    EXPECT_INT(kith_link_follow(asleep, "flood"), 0);
    size_t heard = 0, last = 0, fulls = 0;
    kith_item item;
    for (size_t i = 1; i <= FLOOD; i++) {
        uint8_t bytes[512];
        memset(bytes, 0, sizeof bytes);
        (void) fill_number(i, bytes);
        kith_posting p = posting_of("flood", bytes, sizeof bytes);
        int posted = KITH_FULL;
        UNTIL (posted != KITH_FULL) {
            posted = kith_link_post(from, &p);
            fulls += posted == KITH_FULL;
            while (kith_link_pull(awake, &item) == 0) {
                uint64_t n;
                memcpy(&n, item.bytes, sizeof n);
                EXPECT(n > last);
                last = (size_t) n;
                heard++;
            }
            if (posted == KITH_FULL) pass_time(awake);
        }
        EXPECT_INT(posted, 0);
    }
    UNTIL (last == FLOOD) {
        if (kith_link_pull(awake, &item) == 0) {
            uint64_t n;
            memcpy(&n, item.bytes, sizeof n);
            last = (size_t) n;
            heard++;
        } else {
            pass_time(awake);
        }
    }
    kith_counters c;
    kith_link_counters(from, &c);
    printf("# full %zu times, %llu not for everybody, %zu heard\n", fulls,
        (unsigned long long) c.failures, heard);
    EXPECT(fulls > 0 && c.failures > 0);
    EXPECT(heard + c.failures >= FLOOD); /* what the awake one missed is counted too */
    EXPECT(heard > FLOOD / 2);
    int told = KITH_EMPTY;
    UNTIL (told == KITH_GAP) {
        told = kith_link_pull(asleep, &item);
        if (told == KITH_EMPTY) pass_time(asleep);
    }
    EXPECT_INT(told, KITH_GAP);
    kith_link_counters(asleep, &c);
    EXPECT(c.lost > 0);
    kith_link_close(&from);
    kith_link_close(&awake);
    kith_link_close(&asleep);
    realm_free(&r);
}

/* True: what `from` posts reaches `to`, sooner or later. */
static bool reaches(kith_link *from, kith_link *to) {
    kith_item item;
    int got = KITH_EMPTY;
    UNTIL (got == 0) {
        kith_posting p = posting_of("a.b", "x", 1);
        (void) !kith_link_post(from, &p);
        pass_time(to);
        got = kith_link_pull(to, &item);
    }
    while (kith_link_pull(to, &item) == 0) {
    }
    return got == 0;
}

static void takes_over(const char *pattern) {
    realm r = realm_of(pattern);
    kith_link *first = realm_open(&r), *b = realm_open(&r), *c = realm_open(&r);
    EXPECT_INT(kith_link_follow(b, ">"), 0);
    EXPECT_INT(kith_link_follow(c, ">"), 0);
    kith_link_close(&first);
    EXPECT(reaches(b, c) && reaches(c, b));
    for (int i = 0; i < 3; i++) {
        kith_link *late = realm_open(&r);
        EXPECT_INT(kith_link_follow(late, ">"), 0);
        EXPECT(reaches(b, late) && reaches(late, c) && reaches(c, late));
        kith_link_close(&late);
    }
    kith_link_close(&b);
    kith_link_close(&c);
    realm_free(&r);
}

static void when_the_first_of_a_url_goes_another_takes_its_place(void) {
    takes_over("zmq://~:24550?backoff=200ms");
}

static void the_same_in_a_folder(void) {
    takes_over("zmq://@?backoff=200ms");
}

static void peers_of_another_url_are_found_and_tell_of_theirs(void) {
    realm a = tcp_realm(), b = tcp_realm();
    char url[1100];
    kith_link *one = realm_open(&a), *two = realm_open(&a), *other = NULL;
    (void) snprintf(url, sizeof url, "%s?peers=%s", b.url, a.url + 6);
    EXPECT_INT(kith_link_open(&other, url, NULL, NULL), 0);
    EXPECT_INT(kith_link_follow(other, ">"), 0);
    EXPECT_INT(kith_link_follow(two, ">"), 0);
    EXPECT(reaches(one, other) && reaches(two, other) && reaches(other, two));
    EXPECT_INT(kith_link_health(other, NULL), 0);
    kith_link_close(&one);
    kith_link_close(&two);
    kith_error err = { 0 };
    UNTIL (kith_link_health(other, &err) != 0) pass_time(other);
    EXPECT(strstr(err.text, "none of the peers") != NULL);
    kith_link_close(&other);
    realm_free(&a);
    realm_free(&b);
}

static void what_makes_no_sense_is_refused_and_undone(void) {
    static const char *const wrong[] = { "zmq://", "zmq://127.0.0.1", "zmq://0.0.0.0:24550",
        "zmq://127.0.0.1:24550?peers=10.1.2.3:5", "zmq://127.0.0.1:24550?peers=/run/x",
        "zmq://127.0.0.1:24550?peers=,", "zmq:///proc/nowhere/bus", "zmq:///etc/passwd",
        "zmq:///tmp", "zmq://127.0.0.1:24550?hwm=1", "zmq://127.0.0.1:24550?backof=1s" };
    kith_link *l = NULL;
    size_t before = descriptors();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kith_error err = { 0 };
        int r = kith_link_open(&l, wrong[i], NULL, &err);
        if (r >= 0) printf("# %s\n", wrong[i]);
        EXPECT(r < 0 && l == NULL && err.text[0] != '\0');
    }
    UNTIL (descriptors() == before) (void) readable(-1, 1);
    EXPECT_INT(descriptors(), before);
}

/* The hook: a pair of sockets with keys talks, and libzmq is asked whether it took them. */
static void sockets_with_keys_speak_curve(void) {
    char text[3][41], secret[41];
    ki_zmq_keys server, client;
    memset(&server, 0, sizeof server);
    memset(&client, 0, sizeof client);
    if (zmq_has("curve") == 0) SKIP("this libzmq was built without CURVE");
    if (zmq_curve_keypair(text[0], text[1]) != 0 || zmq_curve_keypair(text[2], secret) != 0)
        abort();
    zmq_z85_decode(server.public_key, text[0]);
    zmq_z85_decode(server.secret_key, text[1]);
    zmq_z85_decode(client.server_key, text[0]);
    zmq_z85_decode(client.public_key, text[2]);
    zmq_z85_decode(client.secret_key, secret);
    void *context = NULL, *router = NULL, *dealer = NULL;
    static const uint8_t route[ZMQ_ROUTE_SIZE] = "r1234567890abcde";
    ki_zmq_wish in = { .type = ZMQ_ROUTER,
        .server = true,
        .messages_max = 8,
        .reconnect_ms = 100,
        .backoff_ms = 200,
        .keys = &server };
    ki_zmq_wish out = { .type = ZMQ_DEALER,
        .messages_max = 8,
        .reconnect_ms = 100,
        .backoff_ms = 200,
        .route = route,
        .keys = &client };
    EXPECT_INT(ki_zmq_context(&context, NULL), 0);
    EXPECT_INT(ki_zmq_socket(&router, context, &in, NULL), 0);
    EXPECT_INT(ki_zmq_socket(&dealer, context, &out, NULL), 0);
    char endpoint[ZMQ_ENDPOINT_SIZE], got[32];
    (void) snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u",
        (unsigned) any_port(router, "127.0.0.1"));
    EXPECT_INT(zmq_connect(dealer, endpoint), 0);
    int sent = -1, n = -1;
    UNTIL (sent >= 0) sent = zmq_send(dealer, "hi", 2, ZMQ_DONTWAIT);
    UNTIL (n >= 0) n = zmq_recv(router, got, sizeof got, ZMQ_DONTWAIT);
    EXPECT(n == ZMQ_ROUTE_SIZE && memcmp(got, route, sizeof route) == 0);
    EXPECT_INT(zmq_recv(router, got, sizeof got, 0), 2);
    zmq_close(dealer);
    zmq_close(router);
    zmq_ctx_term(context);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(w10_a_message_of_other_than_two_frames_is_dropped_whole),
    CASE(w6_what_is_no_packet_is_dropped_and_counted),
    CASE(w6_a_length_of_any_size_takes_no_memory_and_ends_its_sender),
    CASE(rubbish_to_the_sync_port_is_counted_and_frames_still_come),
    CASE(o4_a_reader_that_sleeps_holds_nobody_up),
    CASE(when_the_first_of_a_url_goes_another_takes_its_place),
    CASE(the_same_in_a_folder),
    CASE(peers_of_another_url_are_found_and_tell_of_theirs),
    CASE(what_makes_no_sense_is_refused_and_undone),
    CASE(sockets_with_keys_speak_curve),
};
TEST_MAIN(cases)
