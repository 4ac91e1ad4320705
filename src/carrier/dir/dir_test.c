/* SPDX-License-Identifier: Apache-2.0 */
/* What dir promises beyond the suite: whole files only, nothing of others touched, and a folder that goes and comes back. */
#include "carrier/dir/dir_help.h"
#include "test.h"

static void a_packet_is_a_file_named_by_its_content(void) {
    realm r = realm_of("dir://@");
    kith_link *l = realm_open(&r);
    uint8_t bytes[8], back[16];
    batch b = { .subject = "a.b", .first = 7, .count = 1, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    int fd = open(home_of(&r, 7, bytes), O_RDONLY);
    EXPECT(fd >= 0);
    EXPECT_INT(read(fd, back, sizeof back), sizeof bytes);
    EXPECT(memcmp(bytes, back, sizeof bytes) == 0);
    close(fd);
    EXPECT_INT(rmdir(path_in(&r, "kith-1/.tmp")), 0); /* nothing is left in it */
    kith_link_close(&l);
    realm_free(&r);
}

/* What else a shared folder holds. All of it stays where it is. */
static void put_rubbish(const realm *r) {
    static const uint8_t big[64 * 1024] = { 1 };
    uint8_t bytes[8];
    write_file(home_of(r, 100, bytes), bytes, 4); /* half */
    write_file(home_of(r, 101, bytes), bytes, 0); /* empty */
    write_file(home_of(r, 102, bytes), big, 513); /* one byte too long */
    write_file(home_of(r, 103, bytes), big, sizeof big);
    const char *sparse = home_of(r, 104, bytes); /* 1 GiB of nothing */
    write_file(sparse, bytes, 8);
    if (truncate(sparse, 1 << 30) != 0) abort();
    if (symlink("/etc/hostname", home_of(r, 105, bytes)) != 0) abort();
    if (mkdir(home_of(r, 106, bytes), 0755) != 0) abort();
    if (mkfifo(home_of(r, 107, bytes), 0644) != 0) abort();
    (void) mkdir(path_in(r, "kith-1/A="), 0755); /* wrong case */
    (void) mkdir(path_in(r, "kith-1/A=/3f"), 0755);
    write_file(path_in(r, "kith-1/A=/3f/x.kp"), "x", 1);
    write_file(path_in(r, "kith-1/README.txt"), "hello", 5);
    write_file(path_in(r, "kith-1/a=/stray.kp"), "x", 1);
}

enum {
    RUBBISH = 11,
};

/* W6, W10 as well: too long costs no memory, the next one is read. */
static void d7_only_whole_checked_files_are_read(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8];
    EXPECT_INT(kith_link_rewind(to, &(kith_position){ .kind = KITH_FROM_START }), 0);
    size_t before = memory_kib();
    put_rubbish(&r);
    write_file(home_of(&r, 1, bytes), bytes, 8);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    /* by a look at everything too; what was counted is not counted again */
    EXPECT_INT(kith_link_rewind(to, &(kith_position){ .kind = KITH_FROM_START }), 0);
    EXPECT(tally_drain(&t, to));
    uint64_t found = rubbish(to);
    EXPECT(found >= RUBBISH);
    for (int i = 0; i < 300; i++) pass_time(to);
    EXPECT_INT(rubbish(to), found);
    EXPECT(memory_kib() < before + 4096);
    write_file(home_of(&r, 100, bytes), bytes, 8); /* the half one becomes whole */
    tally more = { .expect = 1 };
    EXPECT(tally_drain(&more, to));
    EXPECT_INT(more.distinct, 1);
    EXPECT_INT(more.lowest, 100);
    struct stat st;
    EXPECT_INT(lstat(home_of(&r, 105, bytes), &st), 0);
    EXPECT_INT(lstat(home_of(&r, 101, bytes), &st), 0);
    EXPECT_INT(stat(path_in(&r, "kith-1/README.txt"), &st), 0);
    kith_link_close(&to);
    realm_free(&r);
}

static void w6_a_file_of_a_gigabyte_costs_nothing(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = follow(&r, ">");
    uint8_t bytes[8];
    size_t before = memory_kib();
    for (size_t n = 1; n <= 20; n++) {
        const char *path = home_of(&r, n, bytes);
        write_file(path, bytes, 8);
        if (truncate(path, 1 << 30) != 0) abort();
    }
    write_file(home_of(&r, 21, bytes), bytes, 8);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT_INT(t.lowest, 21);
    EXPECT(memory_kib() < before + 4096);
    kith_link_close(&to);
    realm_free(&r);
}

static void a_conflict_copy_is_read_by_its_content(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = follow(&r, "a.>");
    uint8_t bytes[8];
    char copy[512];
    (void) home_of(&r, 5, bytes);
    char *path = copy;
    (void) snprintf(copy, sizeof copy, "%s", home_of(&r, 5, bytes));
    (void) snprintf(strrchr(path, '.'), 24, " (conflict).kp");
    write_file(copy, bytes, 8);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT_INT(access(copy, F_OK), 0);
    kith_link_close(&to);
    realm_free(&r);
}

/* As rsync and Syncthing do: written elsewhere, then renamed into its place. */
static void finds_what_was_renamed_into_its_place(void) {
    static const char *const urls[] = { "dir://@?sync=os&watch=inotify",
        "dir://@?sync=os&watch=poll&poll=250ms", "dir://@?sync=os" };
    for (size_t i = 0; i < 3; i++) {
        realm r = realm_of(urls[i]);
        kith_link *to = follow(&r, "a.b");
        tally t = { 0 };
        for (size_t n = 1; n <= 50; n++) {
            uint8_t bytes[8];
            const char *home = home_of(&r, n, bytes);
            char aside[512];
            (void) snprintf(aside, sizeof aside, "%s.part", home);
            write_file(aside, bytes, 8);
            EXPECT_INT(rename(aside, home), 0);
            t.expect = n;
            if (n % 10 == 0) EXPECT(tally_drain(&t, to));
        }
        EXPECT_INT(t.distinct, 50);
        EXPECT_INT(t.repeats, 0);
        kith_link_close(&to);
        realm_free(&r);
    }
}

/* More news than the kernel keeps: nothing is missed. */
static void an_overflow_of_news_ends_in_a_look_at_everything(void) {
    enum {
        FILES = 8000
    };
    realm r = realm_of("dir://@?sync=os");
    kith_link *to = realm_open(&r); /* follows nothing: news pile up */
    batch first = { .subject = "a.b", .first = 1, .count = 300, .fill = fill_number };
    kith_link *from = realm_open(&r);
    EXPECT(batch_send(from, &first)); /* the folders exist and are watched */
    for (size_t n = 301; n <= FILES; n++) {
        uint8_t bytes[8];
        const char *home = home_of(&r, n, bytes);
        write_file(home, bytes, 8);
        write_file(home, bytes, 8); /* three events or more for each */
    }
    EXPECT_INT(kith_link_follow(to, "a.b"), 0);
    static tally t;
    t = (tally){ .expect = FILES };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, FILES);
    EXPECT_INT(t.repeats, 0);
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

static int post_one(kith_link *l, size_t number) {
    uint8_t bytes[8];
    kith_posting p = posting_of("a.b", bytes, fill_number(number, bytes));
    p.ticket = number;
    return kith_link_post(l, &p);
}

static void d8_a_folder_that_vanishes_refuses_and_recovers(void) {
    realm r = realm_of("dir://@/stick?sync=os");
    kith_link *l = realm_open(&r), *to = follow(&r, "a.b");
    char away[128], here[128];
    (void) snprintf(here, sizeof here, "%s/stick", r.folder);
    (void) snprintf(away, sizeof away, "%s/pulled", r.folder);
    batch b = { .subject = "a.b", .first = 1, .count = 5, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    EXPECT_INT(rename(here, away), 0);
    int r1 = post_one(l, 6); /* taken or full, but never settled */
    EXPECT(r1 == 0 || r1 == KITH_FULL);
    kith_error err = { 0 };
    int told = 0;
    UNTIL (kith_link_health(l, &err) != 0 && (r1 != 0 || told != 0)) told |= idle_turn(l);
    EXPECT_INT(kith_link_health(l, &err), KITH_E_MISSING);
    EXPECT(strstr(err.text, "stick") != NULL);
    EXPECT_INT(post_one(l, 6), KITH_FULL);
    EXPECT(r1 == KITH_FULL || told < 0);
    EXPECT(access(here, F_OK) != 0); /* it is not made anew on the disk below */
    EXPECT_INT(mkdir(here, 0755), 0);
    for (int i = 0; i < 20; i++) (void) idle_turn(l);
    EXPECT(kith_link_health(l, &err) < 0); /* an empty folder is not it either */
    EXPECT_INT(rmdir(here), 0);
    EXPECT_INT(rename(away, here), 0);
    UNTIL (kith_link_health(l, NULL) == 0) (void) idle_turn(l);
    EXPECT_INT(kith_link_health(l, NULL), 0);
    b = (batch){ .subject = "a.b", .first = 6, .count = 5, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    tally t = { .expect = 10 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 10);
    kith_link_close(&l);
    kith_link_close(&to);
    realm_free(&r);
}

/* A folder of ours exchanged for a link that leads out. */
static void d7_no_link_is_followed_when_writing(void) {
    realm r = realm_of("dir://@/in?sync=os");
    kith_link *l = realm_open(&r);
    char out[128];
    (void) snprintf(out, sizeof out, "%s/out", r.folder);
    EXPECT_INT(mkdir(out, 0755), 0);
    EXPECT_INT(symlink(out, path_in(&r, "in/kith-1/a=")), 0);
    EXPECT_INT(post_one(l, 1), 0);
    kith_error err = { 0 };
    uint64_t through;
    int told = KITH_EMPTY;
    UNTIL ((told = kith_link_settle(l, &through, &err)) != KITH_EMPTY) pass_time(l);
    EXPECT(told < 0);
    EXPECT_INT(rmdir(out), 0); /* empty */
    kith_link_close(&l);
    realm_free(&r);
}

static size_t fill_expiring(size_t number, uint8_t *ret) {
    kith_content c = {
        .type = KITH_LEAF, .has = KITH_HAS_COUNTS, .epoch = 1, .seq = number
    };
    c.t_end_us = INT64_C(1700000000000000);
    c.span_s = 1;
    c.ttl_s = number == 1 ? 3600 : 315576000; /* number 2: for ten years */
    c.address = (kith_address){ "a.b" };
    c.tries = 10;
    c.hits = 3;
    kith_packet p;
    int r = kith_packet_encode(&c, &p);
    if (r != 0) {
        printf("# encode: %d\n", r);
        abort();
    }
    memcpy(ret, p.bytes, p.length);
    return p.length;
}

static bool holds(const realm *r, size_t number) {
    uint8_t bytes[KITH_PACKET_MAX], id[DIR_ID_SIZE];
    char path[DIR_PATH_SIZE], name[DIR_NAME_SIZE], rest[256];
    ki_dir_id(bytes, fill_expiring(number, bytes), id);
    ki_dir_path("a.b", id[0], path);
    ki_dir_name(id, name);
    (void) snprintf(rest, sizeof rest, "kith-1/%s/%s", path, name);
    return access(path_in(r, rest), F_OK) == 0;
}

/* By the time inside the packet; files that are no packets stay. */
static void removes_what_expired_and_nothing_else(void) {
    realm r = realm_of("dir://@?sync=os&grace=1h");
    kith_link *l = follow(&r, ">");
    uint8_t bytes[8];
    batch b = { .subject = "a.b", .first = 1, .count = 2, .fill = fill_expiring };
    EXPECT(batch_send(l, &b));
    write_file(home_of(&r, 9, bytes), bytes, 8);
    char left[200], alive[200];
    (void) snprintf(left, sizeof left, "%s/kith-1/.tmp/of-the-dead", r.folder);
    (void) snprintf(alive, sizeof alive, "%s/kith-1/.tmp/of-the-living", r.folder);
    write_file(left, bytes, 8);
    write_file(alive, bytes, 8);
    EXPECT_INT(utimensat(AT_FDCWD, left, (struct timespec[2]){ { 0 } }, 0), 0);
    EXPECT(holds(&r, 1) && holds(&r, 2));
    uint64_t hour = UINT64_C(3600000000000);
    kith_time now = { .mono_ns = hour, .wall_us = INT64_C(1700000000000000) };
    for (int i = 0; i < 400 && holds(&r, 1); i++) {
        /* the first hours: expired, but within the grace */
        EXPECT(holds(&r, 1) || now.wall_us > INT64_C(1700000000000000) + 7200000000);
        kith_link_tick(l, now);
        (void) readable(kith_link_wake_fd(l), 5);
        kith_item item;
        while (kith_link_pull(l, &item) == 0) {
        }
        now.mono_ns += hour / 2;
        now.wall_us += 1800000000;
    }
    EXPECT(!holds(&r, 1));
    EXPECT(holds(&r, 2));
    EXPECT_INT(access(home_of(&r, 9, bytes), F_OK), 0);
    EXPECT(access(left, F_OK) != 0);
    EXPECT_INT(access(alive, F_OK), 0);
    kith_link_close(&l);
    realm_free(&r);
}

static void refuses_more_files_than_it_may_look_at(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *l = realm_open(&r);
    batch b = { .subject = "a.b", .first = 1, .count = 20, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    kith_link_close(&l);
    kith_error err = { 0 };
    realm small = r;
    (void) snprintf(small.url, sizeof small.url, "dir://%s?max_files=19", r.folder);
    EXPECT_INT(kith_link_open(&l, small.url, NULL, &err), KITH_E_SPACE);
    EXPECT(strstr(err.text, "max_files=19") != NULL);
    realm_free(&r);
}

static void another_stick_is_another_medium(void) {
    realm a = realm_of("dir://@"), b = realm_of("dir://@");
    kith_link *l = realm_open(&a), *m = realm_open(&b);
    kith_position at;
    EXPECT(kith_link_cursor(l, &at));
    EXPECT_INT(kith_link_rewind(l, &at), 0);
    EXPECT_INT(kith_link_rewind(m, &at), KITH_E_MISSING);
    EXPECT_INT(kith_link_rewind(m, &(kith_position){ .kind = 77 }), KITH_E_ARG);
    kith_link_close(&l);
    kith_link_close(&m);
    realm_free(&a);
    realm_free(&b);
}

static void d7_a_link_ends_when_another_stick_stands_in_its_place(void) {
    realm a = realm_of("dir://@"), b = realm_of("dir://@");
    kith_link *l = follow(&a, "a.b"), *other = realm_open(&b);
    kith_error err = { 0 };
    kith_position before, after;
    batch sent = { .subject = "a.b", .first = 1, .count = 5, .fill = fill_number };
    EXPECT(batch_send(other, &sent));
    kith_link_close(&other);
    EXPECT(kith_link_cursor(l, &before));
    char aside[520], here[520];
    (void) snprintf(here, sizeof here, "%s", path_in(&a, "kith-1"));
    (void) snprintf(aside, sizeof aside, "%s", path_in(&a, "aside"));
    EXPECT_INT(rename(here, aside), 0);
    EXPECT_INT(rename(path_in(&b, "kith-1"), here), 0);
    UNTIL (kith_link_health(l, &err) != 0) pass_time(l);
    EXPECT_INT(kith_link_health(l, &err), KITH_E_REPLACED);
    EXPECT(strstr(err.text, "another medium") != NULL);
    kith_item item;
    uint8_t bytes[8];
    for (int i = 0; i < 20; i++, pass_time(l)) {
        EXPECT_INT(
            kith_link_pull(l, &item), KITH_EMPTY); /* nothing of the other comes in */
    }
    kith_posting p = posting_of("a.b", bytes, fill_number(9, bytes));
    EXPECT_INT(kith_link_post(l, &p), KITH_FULL);
    EXPECT(kith_link_cursor(l, &after));
    EXPECT(after.length == before.length &&
           memcmp(after.cursor, before.cursor, DIR_ID_SIZE) == 0);
    kith_link_close(&l);
    realm_free(&a);
    realm_free(&b);
}

static void says_why_it_cannot_open(void) {
    static const char *const bad[] = { "dir://", "dir:///nowhere/at/all",
        "dir:///etc/hostname", "dir:///proc/nothing" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kith_link *l = NULL;
        kith_error err = { 0 };
        EXPECT(kith_link_open(&l, bad[i], NULL, &err) < 0);
        EXPECT(l == NULL);
        EXPECT(strstr(err.text, "open dir: ") == err.text);
    }
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(a_packet_is_a_file_named_by_its_content),
    CASE(d7_only_whole_checked_files_are_read),
    CASE(w6_a_file_of_a_gigabyte_costs_nothing),
    CASE(a_conflict_copy_is_read_by_its_content),
    CASE(finds_what_was_renamed_into_its_place),
    CASE(an_overflow_of_news_ends_in_a_look_at_everything),
    CASE(d8_a_folder_that_vanishes_refuses_and_recovers),
    CASE(d7_no_link_is_followed_when_writing),
    CASE(removes_what_expired_and_nothing_else),
    CASE(refuses_more_files_than_it_may_look_at),
    CASE(another_stick_is_another_medium),
    CASE(d7_a_link_ends_when_another_stick_stands_in_its_place),
    CASE(says_why_it_cannot_open),
};
TEST_MAIN(cases)
