/* SPDX-License-Identifier: Apache-2.0 */
/* Over real sockets: what strangers may do to a link, and what peers that stall, die
 * or come back may. Waits are for facts, with a hang guard far above them. */
#include "carrier/suite_help.h"
#include "carrier/tcp/wants.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* A socket of our own to where the realm's hub listens. */
static int stranger(const realm *r) {
    char host[64];
    const char *place = strstr(r->url, "://") + 3, *colon = strrchr(place, ':');
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET };
    bool is_unix = *place == '/';
    (void) snprintf(
        un.sun_path, sizeof un.sun_path, "%.*s", (int) strcspn(place, "?"), place);
    if (!is_unix) {
        (void) snprintf(host, sizeof host, "%.*s", (int) (colon - place), place);
        in.sin_port = htons((uint16_t) atoi(colon + 1));
        if (inet_pton(AF_INET, host, &in.sin_addr) != 1) abort();
    }
    int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *at = is_unix ? (struct sockaddr *) &un : (struct sockaddr *) &in;
    socklen_t size = is_unix ? sizeof un : sizeof in;
    while (fd >= 0 && connect(fd, at, size) < 0) {
        if (errno != EAGAIN && errno != EINTR) abort(); /* a backlog that is full */
        (void) poll(NULL, 0, 1);
    }
    return fd;
}

static void say(int fd, const void *bytes, size_t n) {
    (void) !send(fd, bytes, n, MSG_NOSIGNAL); /* refused already: as good */
}

static void greet(int fd) {
    uint8_t bytes[128];
    hello h = {
        .version = LINK_VERSION, .role = ROLE_LEAF, .window = 1 << 20, .id = { 77 }
    };
    say(fd, bytes, ki_tcp_put_hello(bytes, &h));
}

/* Until the other end closes. False: it does not. */
static bool is_closed(int fd) {
    uint8_t bytes[4096];
    UNTIL (false) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 1000) == 1 && recv(fd, bytes, sizeof bytes, 0) <= 0) return true;
    }
    return false;
}

/* The next frame of that type; others are passed over. */
static bool next_frame(int fd, uint8_t type, uint8_t *bytes, frame *ret) {
    size_t have = 0;
    UNTIL (false) {
        int r = ki_tcp_frame(bytes, have, ret);
        if (r == 0 && ret->type == type) return true;
        size_t want = have < FRAME_HEADER
                          ? FRAME_HEADER - have
                          : FRAME_HEADER + (size_t) (bytes[6] << 8 | bytes[7]) - have;
        if (r == 0) {
            have = 0;
            continue;
        }
        ssize_t n = recv(fd, bytes + have, want, 0);
        if (r < 0 || n <= 0) return false;
        have += (size_t) n;
    }
    return false;
}

static uint64_t rubbish(kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.rubbish;
}

static bool post_number(kith_link *l, const char *subject, size_t number) {
    uint8_t bytes[8];
    kith_posting p = posting_of(subject, bytes, fill_number(number, bytes));
    return kith_link_post(l, &p) == 0;
}

/* One packet from the one to the other: all is well between them. */
static bool all_is_well(kith_link *from, kith_link *to, size_t number) {
    kith_item item;
    return post_number(from, "well", number) && await(to, &item, false) &&
           number_of(&item) == number;
}

typedef struct scene {
    realm r;
    kith_link *hub, *leaf;
} scene;

static scene scene_of(const char *url) {
    scene s = { .r = realm_of(url) };
    s.hub = realm_open(&s.r);
    s.leaf = realm_open(&s.r);
    if (kith_link_follow(s.leaf, "well") != 0) abort();
    return s;
}

static void scene_end(scene *s) {
    kith_link_close(&s->leaf);
    kith_link_close(&s->hub);
    realm_free(&s->r);
}

static const char *const wires[] = { "tcp://#?queue=256K", "unix://@/bus?queue=256K" };

static void w6_a_frame_that_claims_four_gigabytes_ends_its_sender(void) {
    static const uint8_t claim[] = { FRAME_BATCH, 0, 0, 1, 255, 255, 255, 255 };
    for (int i = 0; i < 2; i++) {
        scene s = scene_of(wires[i]);
        for (int known = 0; known < 2; known++) {
            int fd = stranger(&s.r);
            uint64_t before = rubbish(s.hub);
            if (known) greet(fd);
            say(fd, claim, sizeof claim);
            EXPECT(is_closed(fd));
            UNTIL (rubbish(s.hub) == before + 1) (void) poll(NULL, 0, 1);
            EXPECT_INT(rubbish(s.hub), before + 1);
            close(fd);
        }
        EXPECT(all_is_well(s.hub, s.leaf, 1));
        scene_end(&s);
    }
}

static void rubbish_of_any_kind_harms_nobody_else(void) {
    uint64_t dice = 20261121;
    scene s = scene_of(wires[0]);
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[700];
        int fd = stranger(&s.r);
        for (size_t k = 0; k < sizeof bytes; k++) bytes[k] = (uint8_t) roll(&dice);
        if (i % 3 == 0) greet(fd);
        if (i % 2 == 0) memset(bytes, 0, 8), bytes[0] = (uint8_t) (1 + i % 7), bytes[7] = 8;
        say(fd, bytes, 1 + roll(&dice) % sizeof bytes);
        if (i % 5 == 0) (void) shutdown(fd, SHUT_WR);
        close(fd);
    }
    EXPECT(all_is_well(s.hub, s.leaf, 1));
    EXPECT(rubbish(s.hub) > 0);
    scene_end(&s);
}

/* A byte now and then is no HELLO: the deadline is for all of it. */
static void a_slow_loris_is_gone_in_time(void) {
    uint8_t bytes[128];
    scene s = scene_of(wires[0]);
    hello h = {
        .version = LINK_VERSION, .role = ROLE_LEAF, .window = 1 << 20, .id = { 7 }
    };
    size_t n = ki_tcp_put_hello(bytes, &h);
    int fd = stranger(&s.r);
    bool gone = false;
    for (size_t i = 0; i < n - 1 && !gone; i++) {
        say(fd, bytes + i, 1);
        struct pollfd p = { .fd = fd, .events = POLLRDHUP };
        gone = poll(&p, 1, 1000) == 1;
    }
    EXPECT(gone);
    EXPECT(is_closed(fd));
    close(fd);
    EXPECT(all_is_well(s.hub, s.leaf, 1));
    scene_end(&s);
}

static size_t resident(void) {
    size_t pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%zu %zu", &all, &pages) != 2) abort();
    fclose(f);
    return pages * 4096;
}

/* They hold no place for long, no memory to speak of, and nobody out. */
static void a_thousand_silent_strangers_keep_nobody_out(void) {
    enum {
        STRANGERS = 1000
    };
    static int fds[STRANGERS];
    struct rlimit files;
    EXPECT_INT(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max < STRANGERS + 200) SKIP("too few descriptors allowed");
    files.rlim_cur = files.rlim_max < 4096 ? files.rlim_max : 4096;
    EXPECT_INT(setrlimit(RLIMIT_NOFILE, &files), 0);
    scene s = scene_of(wires[0]);
    EXPECT(all_is_well(s.hub, s.leaf, 1));
    size_t before = resident();
    for (int i = 0; i < STRANGERS; i++) fds[i] = stranger(&s.r);
    kith_link *late = realm_open(&s.r); /* among them */
    EXPECT_INT(kith_link_health(late, NULL), 0);
    EXPECT_INT(kith_link_follow(late, "well"), 0);
    size_t grown = resident() - before;
    EXPECT(resident() < before || grown < STRANGERS * 65536u);
    EXPECT(all_is_well(s.hub, late, 2));
    for (int i = 0; i < STRANGERS; i++) {
        EXPECT(is_closed(fds[i]));
        close(fds[i]);
    }
    kith_link_close(&late);
    scene_end(&s);
}

static void a_peer_that_says_it_is_done_is_let_go(void) {
    scene s = scene_of(wires[1]);
    int fd = stranger(&s.r);
    greet(fd);
    (void) shutdown(fd, SHUT_WR);
    EXPECT(is_closed(fd));
    close(fd);
    EXPECT(all_is_well(s.hub, s.leaf, 1));
    scene_end(&s);
}

/* What a peer does not want does not travel to it. */
static void only_what_is_wanted_travels(void) {
    static uint8_t bytes[FRAME_MAX];
    for (int i = 0; i < 2; i++) {
        scene s = scene_of(wires[i]);
        wants w = { 0 };
        frame f;
        int fd = stranger(&s.r);
        greet(fd);
        ki_tcp_wants_add(&w, "a.>");
        say(fd, bytes, ki_tcp_put_want(bytes, 1, &w));
        EXPECT(next_frame(fd, FRAME_WANT, bytes, &f)); /* the hub waits for an answer */
        say(fd, bytes, ki_tcp_put_number32(bytes, FRAME_WANTED, ki_tcp_get32(&f)));
        EXPECT(next_frame(fd, FRAME_WANTED, bytes, &f));
        for (size_t k = 0; k < 100; k++) {
            EXPECT(post_number(k % 2 ? s.hub : s.leaf, "b.c", k + 1));
        }
        EXPECT(post_number(s.hub, "a.b", 777));
        EXPECT(next_frame(fd, FRAME_BATCH, bytes, &f));
        batch_item item;
        EXPECT_INT(f.count, 1);
        (void) ki_tcp_item(f.body + BATCH_LOST, &item);
        EXPECT(item.subject_length == 3 && memcmp(item.subject, "a.b", 3) == 0);
        close(fd);
        scene_end(&s);
    }
}

/* One stops reading: the other misses nothing, and the first is told how much it did. */
static void o4_a_stalled_reader_harms_no_other_and_gets_an_exact_count(void) {
    enum {
        FLOOD = 6000 /* of 516 bytes: many times what is kept for one */
    };
    for (int i = 0; i < 2; i++) {
        static uint8_t bytes[500];
        scene s = scene_of(wires[i]);
        kith_link *stalled = realm_open(&s.r);
        EXPECT_INT(kith_link_follow(s.leaf, "flood"), 0);
        EXPECT_INT(kith_link_follow(stalled, "flood"), 0);
        size_t got = 0, last = 0, late = 0;
        kith_item item;
        for (size_t n = 1; n <= FLOOD;) {
            kith_posting p = posting_of("flood", bytes, sizeof bytes);
            memcpy(bytes, &n, sizeof n);
            n += kith_link_post(s.hub, &p) == 0;
            while (kith_link_pull(s.leaf, &item) == 0) got++;
        }
        UNTIL (got == FLOOD) {
            int r = kith_link_pull(s.leaf, &item);
            EXPECT(r == 0 || r == KITH_EMPTY); /* no gap */
            got += r == 0;
            if (r != 0) pass_time(s.leaf);
        }
        EXPECT_INT(got, FLOOD);
        UNTIL (late + lost_by(stalled) == FLOOD) {
            int r = kith_link_pull(stalled, &item);
            if (r == 0) {
                size_t n;
                memcpy(&n, item.bytes, sizeof n);
                EXPECT(n > last);
                last = n;
                late++;
            } else if (r == KITH_EMPTY) {
                pass_time(stalled);
            }
        }
        EXPECT_INT(late + lost_by(stalled), FLOOD);
        EXPECT(lost_by(stalled) > 0);
        kith_link_close(&stalled);
        scene_end(&s);
    }
}

static void a_hub_that_is_killed_is_replaced_by_one_of_its_leaves(void) {
    for (int i = 0; i < 2; i++) {
        realm r = realm_of(wires[i]);
        int ready[2];
        char c;
        EXPECT_INT(pipe(ready), 0);
        pid_t hub = fork();
        if (hub == 0) {
            (void) realm_open(&r);
            (void) !write(ready[1], "+", 1);
            for (;;) pause();
        }
        EXPECT_INT(read(ready[0], &c, 1), 1);
        kith_link *a = realm_open(&r), *b = realm_open(&r);
        EXPECT_INT(kith_link_follow(b, "well"), 0);
        EXPECT_INT(kill(hub, SIGKILL), 0);
        EXPECT_INT(waitpid(hub, NULL, 0), hub);
        kith_item item; /* what is under way then may be lost: it is said until it comes */
        bool came = false;
        UNTIL (came) {
            (void) post_number(a, "well", 5);
            (void) poll(NULL, 0, 2);
            came = kith_link_pull(b, &item) == 0;
        }
        EXPECT(came);
        EXPECT_INT(kith_link_health(a, NULL) | kith_link_health(b, NULL), 0);
        kith_link_close(&a);
        kith_link_close(&b);
        close(ready[0]);
        close(ready[1]);
        realm_free(&r);
    }
}

static void a_socket_file_is_its_owners_and_goes_with_the_hub(void) {
    realm r = realm_of(wires[1]);
    char path[100];
    struct stat st;
    (void) snprintf(path, sizeof path, "%s/bus", r.folder);
    kith_link *l = realm_open(&r);
    EXPECT_INT(stat(path, &st), 0);
    EXPECT(S_ISSOCK(st.st_mode));
    EXPECT_INT(st.st_mode & 07777, 0600);
    kith_link_close(&l);
    EXPECT_INT(stat(path, &st), -1);
    realm_free(&r);
}

static void what_is_no_socket_stays_where_it_is(void) {
    realm r = realm_of(wires[1]);
    char path[100];
    struct stat st;
    kith_link *l = NULL;
    kith_error err = { 0 };
    (void) snprintf(path, sizeof path, "%s/bus", r.folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    EXPECT(fd >= 0 && close(fd) == 0);
    EXPECT_INT(kith_link_open(&l, r.url, NULL, &err), KITH_E_DENIED);
    EXPECT(strstr(err.text, "no socket") != NULL);
    EXPECT(stat(path, &st) == 0 && S_ISREG(st.st_mode));
    realm_free(&r);
}

static void another_user_is_refused(void) {
    if (geteuid() != 0) SKIP("only root can be somebody else");
    scene s = scene_of(wires[1]);
    char path[100];
    (void) snprintf(path, sizeof path, "%s/bus", s.r.folder);
    EXPECT_INT(
        chmod(path, 0777) | chmod(s.r.folder, 0755), 0); /* as if nothing kept it out */
    pid_t child = fork();
    if (child == 0) {
        if (setuid(65534) != 0) _exit(2);
        int fd = stranger(&s.r);
        greet(fd);
        uint8_t byte;
        _exit(recv(fd, &byte, 1, 0) > 0 ? 1 : 0); /* not even a HELLO */
    }
    int status = -1;
    EXPECT_INT(waitpid(child, &status, 0), child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    EXPECT(all_is_well(s.hub, s.leaf, 1));
    scene_end(&s);
}

static void a_place_beyond_this_machine_is_refused_until_there_are_keys(void) {
    static const char *const far[] = { "tcp://0.0.0.0:24550", "tcp://10.0.0.1:24550",
        "tcp://[::]:24550", "tcp://[2001:db8::1]:24550", "tcp://example.org:24550" };
    static const char *const bad[] = { "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536", "tcp://:24550", "tcp://127.0.0.1:2455x", "tcp://::1:24550",
        "unix://", "unix://bus", "unix:///tmp/" };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        kith_link *l = NULL;
        kith_error err = { 0 };
        EXPECT_INT(kith_link_open(&l, far[i], NULL, &err), KITH_E_NOTSUP);
        EXPECT(strstr(err.text, "keys") != NULL);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_link *l = NULL;
        EXPECT_INT(kith_link_open(&l, bad[i], NULL, NULL), KITH_E_ARG);
    }
}

#define CASE(name)                                                                         \
    { #name, name }
static const test_case cases[] = {
    CASE(w6_a_frame_that_claims_four_gigabytes_ends_its_sender),
    CASE(rubbish_of_any_kind_harms_nobody_else),
    CASE(a_slow_loris_is_gone_in_time),
    CASE(a_thousand_silent_strangers_keep_nobody_out),
    CASE(a_peer_that_says_it_is_done_is_let_go),
    CASE(only_what_is_wanted_travels),
    CASE(o4_a_stalled_reader_harms_no_other_and_gets_an_exact_count),
    CASE(a_hub_that_is_killed_is_replaced_by_one_of_its_leaves),
    CASE(a_socket_file_is_its_owners_and_goes_with_the_hub),
    CASE(what_is_no_socket_stays_where_it_is),
    CASE(another_user_is_refused),
    CASE(a_place_beyond_this_machine_is_refused_until_there_are_keys),
};
TEST_MAIN(cases)
