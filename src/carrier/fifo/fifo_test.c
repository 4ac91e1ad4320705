/* SPDX-License-Identifier: Apache-2.0 */
/* What fifo promises beyond the suite: whole records, readers that come and go, die and
 * dawdle, and a folder in which nothing of others is touched. */
#include "carrier/suite_help.h"

#include "carrier/fifo/record.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static kith_link *open_as(const realm *r, const char *query) {
    realm as = *r;
    size_t n = strlen(as.url);
    (void) snprintf(as.url + n, sizeof as.url - n, "?%s", query);
    return realm_open(&as);
}

static kith_link *follow(kith_link *l) {
    if (kith_link_follow(l, ">") != 0) abort();
    return l;
}

static const char *path_in(const realm *r, const char *name) {
    static char path[256];
    (void) snprintf(path, sizeof path, "%s/%s", r->folder, name);
    return path;
}

static uint64_t rubbish_of(const kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.rubbish;
}

static int post_number(kith_link *l, size_t number) {
    uint8_t bytes[8];
    kith_posting p = posting_of("a", bytes, fill_number(number, bytes));
    return kith_link_post(l, &p);
}

/* Numbers from 1 until there is no room: how many went. */
static size_t fill_up(kith_link *l) {
    size_t n = 1;
    while (post_number(l, n) == 0) n++;
    return n - 1;
}

static void a_full_pipe_says_so_and_the_retry_reaches_who_lacks_it(void) {
    realm r = realm_of("fifo://@");
    kith_link *from = open_as(&r, "patience=1h");
    kith_link *slow = follow(open_as(&r, "pipe=4K&me=slow")),
              *quick = follow(open_as(&r, ""));
    size_t went = fill_up(from);
    EXPECT(went >= 300);
    for (int i = 0; i < 50; i++) { /* tried again and again, as a node does */
        EXPECT_INT(post_number(from, went + 1), KITH_FULL);
        pass_time(from);
    }
    tally at_once = { .expect = went + 1 }, later = { .expect = went + 1 };
    EXPECT(tally_drain(&at_once, quick));
    EXPECT_INT(at_once.distinct, went + 1);
    EXPECT_INT(at_once.repeats, 0);
    kith_item item;
    EXPECT_INT(kith_link_pull(slow, &item), 0);
    (void) tally_note(&later, number_of(&item));
    EXPECT_INT(post_number(from, went + 1), 0);
    EXPECT(tally_drain(&later, slow));
    EXPECT_INT(later.distinct, went + 1);
    EXPECT_INT(later.repeats + lost_by(slow), 0);
    EXPECT(tally_drain(&at_once, quick));
    EXPECT_INT(at_once.repeats, 0);
    kith_link_close(&from);
    kith_link_close(&slow);
    kith_link_close(&quick);
    realm_free(&r);
}

/* O4: it stands still; the others go on, and it learns how many it missed, and where. */
static void o4_who_dawdles_holds_up_nobody_and_is_told_how_many_it_missed(void) {
    enum {
        MORE = 200
    };
    realm r = realm_of("fifo://@");
    kith_link *from = open_as(&r, "patience=2s");
    kith_link *slow = follow(open_as(&r, "pipe=4K")), *quick = follow(open_as(&r, ""));
    size_t went = fill_up(from), total = went + MORE;
    int turns = 0;
    for (size_t n = went + 1; n <= total; n += post_number(from, n) == 0) {
        pass_time(from);
        turns++;
    }
    EXPECT(turns < MORE + 20); /* two seconds of waiting, once */
    tally all = { .expect = total }, some = { .expect = total };
    EXPECT(tally_drain(&all, quick));
    EXPECT_INT(all.distinct, total);
    kith_item item;
    for (size_t n = 1; n <= went; n++) {
        EXPECT_INT(kith_link_pull(slow, &item), 0);
        EXPECT_INT(number_of(&item), n);
        (void) tally_note(&some, n);
    }
    pass_time(from); /* there is room to say it */
    EXPECT_INT(post_number(from, total + 1), 0);
    int got = kith_link_pull(slow, &item), gaps = 0;
    for (; got == KITH_GAP; gaps++) got = kith_link_pull(slow, &item);
    EXPECT(gaps >= 1);
    EXPECT_INT(lost_by(slow), MORE);
    EXPECT_INT(got, 0);
    EXPECT_INT(number_of(&item), total + 1);
    kith_link_close(&from);
    kith_link_close(&slow);
    kith_link_close(&quick);
    realm_free(&r);
}

/* A process that reads, says so, and is killed. */
static pid_t reader(const realm *r, const char *query, int *ret_pipe) {
    int ready[2];
    if (pipe(ready) != 0) abort();
    pid_t pid = fork();
    if (pid == 0) {
        kith_link *l = follow(open_as(r, query));
        if (l == NULL || write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(ready[1]);
    *ret_pipe = ready[0];
    char x;
    if (pid < 0 || read(ready[0], &x, 1) != 1) abort();
    return pid;
}

static void end(pid_t pid, int fd) {
    int status;
    if (kill(pid, SIGKILL) != 0 || waitpid(pid, &status, 0) != pid) abort();
    close(fd);
}

static size_t pipes_in(const realm *r) {
    size_t n = 0;
    DIR *d = opendir(r->folder);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += strstr(e->d_name, ".fifo") != NULL;
    }
    closedir(d);
    return n;
}

/* Twenty lives: no signal ends the poster, nothing is left in the folder. */
static void a_reader_that_is_killed_harms_nobody(void) {
    realm r = realm_of("fifo://@");
    kith_link *from = realm_open(&r), *to = follow(realm_open(&r));
    tally t = { 0 };
    for (size_t life = 1; life <= 20; life++) {
        int fd;
        pid_t pid = reader(&r, life % 2 == 0 ? "me=victim" : "", &fd);
        EXPECT_INT(pipes_in(&r), 3);
        EXPECT_INT(post_number(from, 2 * life - 1), 0);
        end(pid, fd);
        EXPECT_INT(post_number(from, 2 * life), 0); /* EPIPE, not SIGPIPE */
        t.expect = 2 * life;
        EXPECT(tally_drain(&t, to));
        EXPECT_INT(t.distinct, t.expect);
        pass_time(from);
        EXPECT_INT(post_number(from, 2 * life), 0); /* looks once more, and tidies up */
        EXPECT_INT(pipes_in(&r), 2);
    }
    sigset_t waiting;
    EXPECT_INT(sigpending(&waiting), 0);
    EXPECT_INT(sigismember(&waiting, SIGPIPE), 0);
    kith_link_close(&from);
    kith_link_close(&to);
    EXPECT_INT(pipes_in(&r), 0);
    realm_free(&r);
}

/* Whoever holds SIGPIPE back himself keeps the one he had. */
static void a_signal_that_waited_before_still_waits(void) {
    realm r = realm_of("fifo://@");
    kith_link *from = realm_open(&r);
    sigset_t pipes, before, waiting;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    EXPECT_INT(pthread_sigmask(SIG_BLOCK, &pipes, &before), 0);
    EXPECT_INT(pthread_kill(pthread_self(), SIGPIPE), 0);
    int fd;
    pid_t pid = reader(&r, "", &fd);
    EXPECT_INT(post_number(from, 1), 0);
    end(pid, fd);
    EXPECT_INT(post_number(from, 2), 0);
    EXPECT_INT(sigpending(&waiting), 0);
    EXPECT_INT(sigismember(&waiting, SIGPIPE), 1);
    int which;
    EXPECT_INT(sigwait(&pipes, &which), 0);
    EXPECT_INT(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    kith_link_close(&from);
    realm_free(&r);
}

static void put_file(const realm *r, const char *name) {
    int fd = open(path_in(r, name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "mine", 4) != 4) abort();
    close(fd);
}

static void files_of_others_are_not_written_to(void) {
    realm r = realm_of("fifo://@");
    put_file(&r, "file.fifo");
    put_file(&r, "secret");
    if (symlink("secret", path_in(&r, "link.fifo")) != 0) abort();
    if (mkfifo(path_in(&r, "open.fifo"), 0600) != 0) abort();
    if (chmod(path_in(&r, "open.fifo"), 0666) != 0) abort(); /* anybody could read it */
    if (mkdir(path_in(&r, "folder.fifo"), 0700) != 0) abort();
    int nosy = open(path_in(&r, "open.fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    kith_link *from = realm_open(&r), *to = follow(realm_open(&r));
    for (size_t n = 1; n <= 10; n++) EXPECT_INT(post_number(from, n), 0);
    tally t = { .expect = 10 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 10);
    EXPECT_INT(rubbish_of(from), 5);
    char bytes[16];
    EXPECT_INT(read(nosy, bytes, sizeof bytes), 0);
    struct stat st;
    EXPECT_INT(stat(path_in(&r, "file.fifo"), &st), 0);
    EXPECT_INT(st.st_size, 4);
    EXPECT_INT(stat(path_in(&r, "secret"), &st), 0);
    EXPECT_INT(st.st_size, 4);
    close(nosy);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void expect_refused(const char *url, int code, const char *word) {
    kith_link *l = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_link_open(&l, url, NULL, &err), code);
    if (strstr(err.text, word) == NULL) printf("# %s\n", err.text);
    EXPECT(strstr(err.text, word) != NULL);
}

static void refuses_places_and_names_that_are_not_ours_alone(void) {
    realm r = realm_of("fifo://@?me=seven");
    size_t before = descriptors();
    char url[600];
    kith_link *l = realm_open(&r);
    expect_refused(r.url, KITH_E_BUSY, "me=");
    kith_link_close(&l);
    l = realm_open(&r); /* and once it has gone, the name is free */
    struct stat st;
    EXPECT_INT(stat(path_in(&r, "seven.fifo"), &st), 0);
    EXPECT(S_ISFIFO(st.st_mode));
    EXPECT_INT(st.st_mode & 07777, 0600);
    kith_link_close(&l);
    put_file(&r, "seven.fifo");
    expect_refused(r.url, KITH_E_DENIED, "seven.fifo");
    EXPECT_INT(unlink(path_in(&r, "seven.fifo")), 0);
    (void) snprintf(url, sizeof url, "fifo://%s?me=../x", r.folder);
    expect_refused(url, KITH_E_CONFIG, "me=");
    (void) snprintf(url, sizeof url, "fifo://%s/nowhere", r.folder);
    expect_refused(url, KITH_E_SYSTEM, "nowhere");
    expect_refused("fifo://", KITH_E_ARG, "folder");
    EXPECT_INT(chmod(r.folder, 0777), 0);
    expect_refused(r.url, KITH_E_DENIED, "chmod");
    EXPECT_INT(chmod(r.folder, 0700), 0);
    EXPECT_INT(descriptors(), before);
    realm_free(&r);
}

/* What is no record: the pipe is given up, the gap told, and what comes then is read. */
static void w6_bytes_that_are_no_record_cost_one_pipe(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } rows[] = { { "\x02\x01", 2 }, { "\0\0", 2 }, { "\xff\xff\0\0\0\0", 6 }, { "\0", 1 },
        { "\x01\0abc", 5 }, { "GET / HTTP/1.1", 14 }, { "\xff\xff\0", 3 } };
    realm r = realm_of("fifo://@");
    kith_link *from = realm_open(&r), *to = follow(open_as(&r, "me=to"));
    kith_item item;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        EXPECT_INT(post_number(from, 10 + i), 0);
        int fd = open(path_in(&r, "to.fifo"), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        EXPECT(fd >= 0);
        EXPECT_INT(write(fd, rows[i].bytes, rows[i].length), (ssize_t) rows[i].length);
        close(fd);
        EXPECT(await(to, &item, false));
        EXPECT_INT(number_of(&item), 10 + i);
        EXPECT_INT(kith_link_pull(to, &item), KITH_GAP);
        EXPECT_INT(rubbish_of(to), i + 1);
        EXPECT_INT(lost_by(to), i + 1);
        EXPECT_INT(post_number(from, 100 + i), 0);
        EXPECT(await(to, &item, false));
        EXPECT_INT(number_of(&item), 100 + i);
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static void a_pipe_or_folder_that_was_removed_comes_back(void) {
    realm r = realm_of("fifo://@");
    kith_link *from = realm_open(&r), *to = follow(open_as(&r, "me=to"));
    kith_error err = { 0 };
    kith_item item;
    EXPECT_INT(unlink(path_in(&r, "to.fifo")), 0);
    pass_time(to);
    EXPECT_INT(kith_link_health(to, &err), 0);
    EXPECT_INT(post_number(from, 1), 0);
    EXPECT(await(to, &item, false));
    char away[80];
    (void) snprintf(away, sizeof away, "%s.away", r.folder);
    EXPECT_INT(rename(r.folder, away), 0);
    pass_time(from);
    EXPECT_INT(kith_link_health(from, &err), KITH_E_SYSTEM);
    EXPECT_INT(post_number(from, 2), KITH_FULL);
    EXPECT_INT(mkdir(r.folder, 0700), 0);
    pass_time(from);
    EXPECT_INT(kith_link_health(from, &err), KITH_E_REPLACED);
    EXPECT_INT(rmdir(r.folder), 0);
    EXPECT_INT(rename(away, r.folder), 0);
    pass_time(from);
    EXPECT_INT(kith_link_health(from, &err), 0);
    EXPECT_INT(post_number(from, 2), 0);
    EXPECT(await(to, &item, false));
    EXPECT_INT(number_of(&item), 2);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

/* ---- threads, each with a link of its own ---- */

enum {
    WRITERS = 4,
    EACH = 1000
};

typedef struct writer {
    realm r;
    size_t number;
} writer;

static void *write_many(void *arg) {
    writer *w = arg;
    kith_link *l = realm_open(&w->r);
    const kith_address to = { "a" };
    for (size_t i = 1; i <= EACH;) {
        uint8_t bytes[8];
        kith_posting p = { .kind = KITH_ITEM_PACKET,
            .length = (uint16_t) fill_number(w->number * EACH + i, bytes),
            .bytes = bytes,
            .to = &to };
        i += kith_link_post(l, &p) == 0;
    }
    kith_link_close(&l);
    return NULL;
}

/* Longer records than a page holds many of, from all sides: each whole, and in order. */
static void many_writers_never_mix_their_records(void) {
    static writer w[WRITERS];
    static tally t;
    pthread_t threads[WRITERS];
    realm r = realm_of("fifo://@");
    kith_link *to = follow(open_as(&r, "pipe=8K"));
    t = (tally){ .expect = WRITERS * EACH };
    for (size_t i = 0; i < WRITERS; i++) {
        w[i] = (writer){ r, i };
        if (pthread_create(&threads[i], NULL, write_many, &w[i]) != 0) abort();
    }
    size_t last[WRITERS] = { 0 };
    kith_item item;
    while (t.distinct < t.expect && await(to, &item, false)) {
        size_t n = number_of(&item), from = (n - 1) / EACH;
        EXPECT(from < WRITERS && n > last[from]);
        last[from] = n;
        (void) tally_note(&t, n);
    }
    for (size_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    EXPECT_INT(t.distinct, t.expect);
    EXPECT_INT(t.repeats + lost_by(to) + rubbish_of(to), 0);
    kith_link_close(&to);
    realm_free(&r);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(a_full_pipe_says_so_and_the_retry_reaches_who_lacks_it),
    CASE(o4_who_dawdles_holds_up_nobody_and_is_told_how_many_it_missed),
    CASE(a_reader_that_is_killed_harms_nobody),
    CASE(a_signal_that_waited_before_still_waits),
    CASE(files_of_others_are_not_written_to),
    CASE(refuses_places_and_names_that_are_not_ours_alone),
    CASE(w6_bytes_that_are_no_record_cost_one_pipe),
    CASE(a_pipe_or_folder_that_was_removed_comes_back),
    CASE(many_writers_never_mix_their_records),
};
TEST_MAIN(cases)
