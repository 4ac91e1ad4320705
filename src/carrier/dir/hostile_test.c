/* SPDX-License-Identifier: Apache-2.0 */
/* A folder that others write: what they put there is never followed, never taken from
 * them, and costs a look, not a read. */
#include "carrier/dir/dir_help.h"
#include "carrier/dir/tree.h"
#include "test.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

static const kith_position from_start = { .kind = KITH_FROM_START };

/* Posts `count` numbers from `first` through a link of its own. */
static bool put(const realm *r, size_t first, size_t count) {
    kith_link *l = realm_open(r);
    batch b = { .subject = "a.b", .first = first, .count = count, .fill = fill_number };
    bool sent = batch_send(l, &b);
    kith_link_close(&l);
    return sent;
}

static void what_somebody_writes_into_a_pipe_stays_in_it(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8], back[16];
    const char *pipe = home_of(&r, 1, bytes);
    EXPECT_INT(mkfifo(pipe, 0644), 0);
    int fd = open(pipe, O_RDWR | O_NONBLOCK);
    EXPECT(fd >= 0);
    EXPECT_INT(write(fd, bytes, 8), 8);
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    EXPECT(put(&r, 2, 1));
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT_INT(t.lowest, 2);
    EXPECT_INT(read(fd, back, sizeof back), 8);
    close(fd);
    kith_link_close(&to);
    realm_free(&r);
}

static void a_socket_and_a_file_that_cannot_be_read_are_counted_and_left(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8];
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void) home_of(&r, 1, bytes);
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s", home_of(&r, 1, bytes));
    EXPECT(n > 0);
    if ((size_t) n < sizeof at.sun_path) {
        EXPECT_INT(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
    } else { /* too long a path for a socket: a folder is no file either */
        EXPECT_INT(mkdir(home_of(&r, 1, bytes), 0755), 0);
    }
    const char *shut = home_of(&r, 2, bytes);
    write_file(shut, bytes, 8);
    EXPECT_INT(chmod(shut, 0), 0);
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    tally t = { .expect = geteuid() == 0 ? 1 : 0 }; /* nothing is shut to root */
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, t.expect);
    EXPECT(rubbish(to) >= (geteuid() == 0 ? 1 : 2));
    EXPECT_INT(access(shut, F_OK), 0);
    close(fd);
    kith_link_close(&to);
    realm_free(&r);
}

/* Cut off while we look, then whole: damaged is not the same as read. */
static void a_file_that_is_cut_off_and_written_anew_is_read_when_whole(void) {
    realm r = realm_of("dir://@?sync=os&watch=poll&poll=250ms");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8];
    write_file(home_of(&r, 1, bytes), bytes, 8);
    EXPECT_INT(truncate(home_of(&r, 1, bytes), 3), 0);
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    tally none = { 0 }, whole = { .expect = 1 };
    EXPECT(tally_drain(&none, to));
    EXPECT_INT(none.distinct, 0);
    EXPECT(rubbish(to) >= 1);
    write_file(home_of(&r, 1, bytes), bytes, 8);
    EXPECT(tally_drain(&whole, to));
    EXPECT_INT(whole.distinct, 1);
    kith_link_close(&to);
    realm_free(&r);
}

/* A subject's folder is taken away under a reader, put back, exchanged for a link. */
static void d7_a_folder_may_go_come_back_and_become_a_link(void) {
    realm r = realm_of("dir://@/in?sync=os");
    kith_link *to = follow(&r, ">");
    char here[128], away[128];
    (void) snprintf(here, sizeof here, "%s/in/kith-1/a=", r.folder);
    (void) snprintf(away, sizeof away, "%s/away", r.folder);
    EXPECT(put(&r, 1, 5));
    tally t = { .expect = 5 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 5);
    EXPECT_INT(rename(here, away), 0);
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    tally none = { 0 };
    EXPECT(tally_drain(&none, to));
    EXPECT_INT(none.distinct, 0);
    EXPECT_INT(symlink(away, here), 0); /* the same files, but outside */
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    EXPECT(tally_drain(&none, to));
    EXPECT_INT(none.distinct, 0);
    EXPECT_INT(kith_link_health(to, NULL), 0);
    EXPECT_INT(unlink(here), 0);
    EXPECT_INT(rename(away, here), 0);
    tally back = { .expect = 5 };
    EXPECT(tally_drain(&back, to));
    EXPECT_INT(back.distinct, 5);
    kith_link_close(&to);
    realm_free(&r);
}

/* Each is looked at once: names cost a table's place, not a read, and no memory that
 * grows with each look. */
static void twenty_thousand_foreign_files_cost_one_look(void) {
    enum {
        FOREIGN = 20000
    };
    realm r = realm_of("dir://@?sync=os&watch=poll&poll=250ms");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8];
    char path[300];
    (void) home_of(&r, 1, bytes);
    for (int i = 0; i < FOREIGN; i++) {
        (void) snprintf(path, sizeof path, "%s/kith-1/a=/note-%d.txt", r.folder, i);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        EXPECT(fd >= 0);
        close(fd);
    }
    EXPECT_INT(kith_link_rewind(to, &from_start), 0);
    EXPECT(put(&r, 1, 1));
    tally t = { .expect = 1 };
    UNTIL (t.distinct == 1 && rubbish(to) >= FOREIGN) EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT_INT(rubbish(to), FOREIGN);
    size_t before = memory_kib();
    for (int i = 0; i < 60; i++) (void) idle_turn(to);
    EXPECT_INT(rubbish(to), FOREIGN);
#ifndef __SANITIZE_THREAD__ /* its own notes grow with what threads do */
    EXPECT(memory_kib() < before + 2048);
#else
    (void) before;
#endif
    kith_link_close(&to);
    realm_free(&r);
}

/* More in one folder than two threads take at once, with and without a second one. */
static void a_long_history_is_read_whole_by_one_thread_or_two(void) {
    enum {
        FILES = 3000
    };
    realm r = realm_of("dir://@?sync=os");
    static tally t;
    kith_link *from = realm_open(&r);
    batch b = { .subject = "a.b", .first = 1, .count = FILES, .fill = fill_number };
    EXPECT(batch_send(from, &b));
    kith_link_close(&from);
    cpu_set_t all, one;
    EXPECT_INT(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0) CPU_SET(i, &one);
    }
    for (int round = 0; round < 2; round++) {
        EXPECT_INT(sched_setaffinity(0, sizeof one, round == 0 ? &one : &all), 0);
        kith_link *to = follow(&r, ">");
        EXPECT_INT(kith_link_rewind(to, &from_start), 0);
        t = (tally){ .expect = FILES };
        EXPECT(tally_drain(&t, to));
        EXPECT_INT(t.distinct, FILES);
        EXPECT_INT(t.repeats, 0);
        EXPECT_INT(rubbish(to), 0);
        kith_link_close(&to);
    }
    realm_free(&r);
}

static void what_is_not_known_to_be_local_is_held_to_be_remote(void) {
    realm r = realm_of("dir://@");
    int here = open(r.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT(here >= 0 && proc >= 0);
    EXPECT(!ki_tree_is_remote(here)); /* tmpfs or the disk of this machine */
    EXPECT(ki_tree_is_remote(proc));
    EXPECT(ki_tree_is_remote(-1));
    close(here);
    close(proc);
    realm_free(&r);
}

/* It looks like the place where a stick was mounted: nothing is begun there, and who
 * begins it is told. */
static void an_emptied_folder_is_left_alone_until_somebody_begins_it(void) {
    realm r = realm_of("dir://@/place?sync=os");
    kith_error err = { 0 };
    kith_link *l = follow(&r, ">");
    EXPECT(put(&r, 1, 3));
    EXPECT_INT(
        nftw(path_in(&r, "place/kith-1"), realm_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
    UNTIL (kith_link_health(l, &err) != 0) pass_time(l);
    EXPECT_INT(kith_link_health(l, &err), KITH_E_MISSING);
    EXPECT(strstr(err.text, "emptied") != NULL && strstr(err.text, "begins") != NULL);
    for (int i = 0; i < 20; i++) pass_time(l);
    EXPECT(access(path_in(&r, "place/kith-1"), F_OK) != 0);
    kith_link *next = realm_open(&r); /* as kith sync would */
    UNTIL (kith_link_health(l, &err) == KITH_E_REPLACED) pass_time(l);
    EXPECT_INT(kith_link_health(l, &err), KITH_E_REPLACED);
    kith_link_close(&next);
    kith_link_close(&l);
    realm_free(&r);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(what_somebody_writes_into_a_pipe_stays_in_it),
    CASE(a_socket_and_a_file_that_cannot_be_read_are_counted_and_left),
    CASE(a_file_that_is_cut_off_and_written_anew_is_read_when_whole),
    CASE(d7_a_folder_may_go_come_back_and_become_a_link),
    CASE(twenty_thousand_foreign_files_cost_one_look),
    CASE(a_long_history_is_read_whole_by_one_thread_or_two),
    CASE(what_is_not_known_to_be_local_is_held_to_be_remote),
    CASE(an_emptied_folder_is_left_alone_until_somebody_begins_it),
};
TEST_MAIN(cases)
