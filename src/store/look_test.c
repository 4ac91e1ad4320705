/* SPDX-License-Identifier: Apache-2.0 */
/* A store that may not be written: it is read, whatever lies beside it, and not a byte
 * of it changes. A child sees the folder mounted read-only, or is somebody without the
 * right to write. */
#include "store/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    OWN = 30,
    FOREIGN = 5,
    NOBODY = 65534,
    CANNOT = 77, /* of a child: this machine cannot show it */
};

static char url[160];

static kith_store *open_store(void) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    if (kith_store_open(&s, url, &err) < 0) printf("# open: %s\n", err.text);
    return s;
}

static int fill(kith_store *s) {
    kith_key *a = kit_key(1), *b = kit_key(2);
    int r = 0;
    for (int i = 0; r == 0 && i < OWN; i++) r = kit_post(s, a, "a.b", i, NULL);
    for (uint64_t i = 0; r == 0 && i < FOREIGN; i++) {
        kith_packet p = kit_packet(b, "a.c", 1, i, 100);
        r = kit_admit(s, &p, "mem://x");
    }
    r = r < 0 ? r : kith_store_save(s, "cursor", "here", 4, true, NULL);
    kith_key_free(&a);
    kith_key_free(&b);
    return r;
}

/* In a process that ends without a word, so that its log stays as it is. */
static bool fill_and_die(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        kith_store *s = open_store();
        _exit(s != NULL && fill(s) == 0 ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

/* ---- the ways to be kept from writing ---- */

static bool mount_read_only(void) {
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(kit_folder, kit_folder, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, kit_folder, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0;
}

static void give_to(uid_t who) {
    DIR *dir = opendir(kit_folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL;
         e = readdir(dir)) {
        if (e->d_name[0] != '.' && fchownat(dirfd(dir), e->d_name, who, who, 0) < 0) break;
    }
    if (dir != NULL) (void) closedir(dir);
}

/* The files are the child's own; the folder, 0555, lets nobody make or rename. */
static bool lose_rights(void) {
    return geteuid() != 0 || (setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
                                 setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* ---- what must work, what must be refused ---- */

#define MUST(cond)                                                                         \
    do {                                                                                   \
        if (!(cond)) {                                                                     \
            printf("# line %d: %s\n", __LINE__, #cond);                                    \
            return 1;                                                                      \
        }                                                                                  \
    } while (0)

static int see_way(void *ctx, const char *way) {
    *(bool *) ctx = strcmp(way, "mem://x") == 0;
    return 0;
}

static int ask(kith_store *s) {
    char state[16];
    size_t n = 0;
    bool way = false;
    kith_store_stat stat;
    kit_list all = kit_find(s, &(kith_query){ 0 });
    MUST(all.count == OWN + FOREIGN);
    MUST(kit_find(s, &(kith_query){ .pattern = "a.>", .by_subject = true }).count ==
         OWN + FOREIGN);
    kit_list latest = { 0 };
    MUST(kith_store_latest(s, "a.b", KIT_NOW, kit_collect, &latest, NULL) == 0);
    MUST(latest.count == 1);
    MUST(latest.effects[0] == OWN - 1);
    MUST(kith_store_ways(s, all.last.arrival, see_way, &way, NULL) == 0);
    MUST(way);
    MUST(kith_store_load(s, "cursor", state, sizeof state, &n) == 0);
    MUST(n == 4);
    MUST(kith_store_stats(s, &stat, NULL) == 0);
    MUST(stat.packets == OWN + FOREIGN);
    MUST(stat.degraded);
    MUST(strstr(stat.why, "read-only") != NULL);
    MUST(!stat.quarantined);
    return 0;
}

static int refuse(kith_store *s) {
    kith_error err = { 0 };
    kith_key *key = kit_key(1);
    kith_post p = { .content = kit_leaf("a.b", 1) };
    MUST(kith_store_post(s, key, &p, 1, kit_at(KIT_NOW), &err) == KITH_E_DENIED);
    MUST(p.result == KITH_E_DENIED);
    MUST(err.sys == EROFS);
    MUST(strstr(err.text, "read-only") != NULL);
    MUST(kith_store_save(s, "cursor", "there", 5, false, NULL) == KITH_E_DENIED);
    MUST(kith_store_prune(s, KIT_NOW, 10, NULL) == KITH_E_DENIED);
    MUST(kith_store_begin_run(s, NULL) == KITH_E_DENIED);
    kith_key_free(&key);
    return 0;
}

static int look(void) {
    kith_store *s = open_store();
    kith_error err = { 0 };
    MUST(s != NULL);
    int bad = ask(s);
    bad = bad != 0 ? bad : refuse(s);
    bad = bad != 0 ? bad : ask(s);
    kith_store_close(&s);
    if (bad == 0 && kith_store_check(url, &err) != 0) {
        printf("# check: %s\n", err.text);
        return 1;
    }
    return bad;
}

static int in_child(bool (*confine)(void), int (*fn)(void)) {
    int status = 0;
    (void) fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int code = confine() ? fn() : CANNOT;
        (void) fflush(stdout);
        _exit(code);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/* Both ways; the folder is as it was after each. */
static void looks_and_changes_nothing(void) {
    kit_shot before = kit_take_shot(NULL);
    int mounted = in_child(mount_read_only, look);
    kit_shot after = kit_take_shot(NULL);
    EXPECT(mounted == 0 || mounted == CANNOT);
    EXPECT(kit_same(before, after));
    if (geteuid() == 0) give_to(NOBODY);
    EXPECT_INT(chmod(kit_folder, 0555), 0);
    int confined = in_child(lose_rights, look);
    EXPECT_INT(chmod(kit_folder, 0700), 0);
    if (geteuid() == 0) give_to(0);
    after = kit_take_shot(NULL);
    EXPECT_INT(confined, 0);
    EXPECT(kit_same(before, after));
    if (mounted == CANNOT) SKIP("no right to mount; without the right to write it works");
}

static void a_closed_store_is_read(void) {
    kit_clean();
    kith_store *s = open_store();
    EXPECT(s != NULL && fill(s) == 0);
    kith_store_close(&s);
    looks_and_changes_nothing();
}

static void a_copy_of_the_database_alone_is_read(void) {
    kit_clean();
    kith_store *s = open_store();
    EXPECT(s != NULL && fill(s) == 0);
    kith_store_close(&s);
    static const char *const beside[] = { "-wal", "-shm", "-lock", "-epoch" };
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char name[16];
        (void) snprintf(name, sizeof name, "s.db%s", beside[i]);
        EXPECT_INT(unlink(kit_path(name)), 0);
    }
    looks_and_changes_nothing();
}

static void what_only_the_log_has_is_read(void) {
    kit_clean();
    EXPECT(fill_and_die());
    struct stat st;
    EXPECT(stat(kit_path("s.db-wal"), &st) == 0 && st.st_size > 4096);
    looks_and_changes_nothing();
}

static void what_only_the_log_has_is_read_without_its_index(void) {
    kit_clean();
    EXPECT(fill_and_die());
    EXPECT_INT(unlink(kit_path("s.db-shm")), 0);
    looks_and_changes_nothing();
}

/* ---- beside somebody who writes ---- */

static int to_writer[2], from_writer[2];

/* Sees what is posted after it has opened. */
static int follow(void) {
    char byte = 0;
    kith_store *s = open_store();
    MUST(s != NULL);
    MUST(ask(s) == 0);
    uint64_t version = kith_store_version(s);
    MUST(write(to_writer[1], "x", 1) == 1);
    MUST(read(from_writer[0], &byte, 1) == 1);
    MUST(kit_find(s, &(kith_query){ 0 }).count == OWN + FOREIGN + 1);
    MUST(kith_store_version(s) != version);
    kith_store_close(&s);
    return 0;
}

static void a_writer_elsewhere_is_followed(void) {
    kit_clean();
    kith_store *s = open_store();
    EXPECT(s != NULL && fill(s) == 0);
    EXPECT(pipe(to_writer) == 0 && pipe(from_writer) == 0);
    (void) fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        int code = mount_read_only() ? follow() : CANNOT;
        (void) fflush(stdout);
        (void) !write(to_writer[1], "y", 1); /* whatever happened: nobody waits */
        _exit(code);
    }
    kith_key *key = kit_key(1);
    char byte = 0;
    int status = 0, posted = 0;
    EXPECT(read(to_writer[0], &byte, 1) == 1);
    if (byte == 'x') posted = kit_post(s, key, "a.d", 1, NULL);
    (void) !write(from_writer[1], "x", 1);
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
    kith_key_free(&key);
    kith_store_close(&s);
    for (int i = 0; i < 2; i++) {
        (void) close(to_writer[i]);
        (void) close(from_writer[i]);
    }
    if (WEXITSTATUS(status) == CANNOT) SKIP("no right to mount");
    EXPECT_INT(status, 0);
    EXPECT_INT(posted, 0);
}

/* ---- damage ---- */

static int look_at_damage(void) {
    kith_store_stat stat;
    kith_store *s = open_store();
    MUST(s != NULL);
    MUST(kith_store_stats(s, &stat, NULL) == 0);
    MUST(strstr(stat.why, "log is damaged") != NULL);
    kith_store_close(&s);
    MUST(kith_store_check(url, NULL) == KITH_E_CORRUPT);
    return 0;
}

static void a_damaged_log_is_named_and_left(void) {
    kit_clean();
    EXPECT(fill_and_die());
    int fd = open(kit_path("s.db-wal"), O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    EXPECT(fd >= 0 && pread(fd, &byte, 1, 32 + 3 * 4120 + 900) == 1);
    byte ^= 1;
    EXPECT(pwrite(fd, &byte, 1, 32 + 3 * 4120 + 900) == 1);
    (void) close(fd);
    kit_shot before = kit_take_shot(NULL);
    if (geteuid() == 0) give_to(NOBODY);
    EXPECT_INT(chmod(kit_folder, 0555), 0);
    int code = in_child(lose_rights, look_at_damage);
    EXPECT_INT(chmod(kit_folder, 0700), 0);
    kit_shot after = kit_take_shot(NULL);
    EXPECT_INT(code, 0);
    EXPECT(kit_same(before, after));
    kit_done();
}

static const test_case cases[] = {
    { "a_closed_store_is_read", a_closed_store_is_read },
    { "a_copy_of_the_database_alone_is_read", a_copy_of_the_database_alone_is_read },
    { "what_only_the_log_has_is_read", what_only_the_log_has_is_read },
    { "what_only_the_log_has_is_read_without_its_index",
        what_only_the_log_has_is_read_without_its_index },
    { "a_writer_elsewhere_is_followed", a_writer_elsewhere_is_followed },
    { "a_damaged_log_is_named_and_left", a_damaged_log_is_named_and_left },
};

TEST_MAIN(cases)
