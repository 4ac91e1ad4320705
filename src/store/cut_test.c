/* SPDX-License-Identifier: Apache-2.0 */
/* A commit is cut off by a kill, alone or beside others who have the store open: nothing
 * is lost, and nothing is called damage. The rule itself: log_test.c. */
#include "store/shim.h"

#include "store/kit.h"
#include "store/log.h"

enum {
    PACKETS = 16
};

/* Frames of a commit that never came, as a kill leaves them: whole, and of this log. */
static void leave_unfinished(void) {
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *sql = NULL;
        static const char half[] =
            "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=2; BEGIN; CREATE TABLE x(a);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) "
            "INSERT INTO x SELECT randomblob(3000) FROM n";
        bool good = sqlite3_open(kit_path("s.db"), &sql) == SQLITE_OK &&
                    sqlite3_exec(sql, half, NULL, NULL, NULL) == SQLITE_OK;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

static void d2_an_unfinished_commit_written_over_in_part_is_no_damage(void) {
    kith_store_stat stat = { 0 };
    kit_clean();
    kit_leave_log(PACKETS);
    leave_unfinished();
    EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
    kit_leave_log(1); /* fewer frames than those that lie there */
    EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
    kith_store *s = kit_open_settled(&stat);
    EXPECT(s != NULL && !stat.quarantined);
    EXPECT_INT(kit_find(s, &(kith_query){ .origin = KITH_ORIGIN_OWN }).count, PACKETS + 1);
    kith_store_close(&s);
}

/* Has it open all the while, and posts once after the other was killed. */
static pid_t hold_open(int go[2], int said[2]) {
    if ((pipe(go) | pipe(said)) != 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        char word = 0;
        kith_key *key = kit_key(1);
        kith_store *s = kit_open(NULL);
        bool good = s != NULL && kit_post(s, key, "a.b", 1, NULL) == 0;
        good = good && write(said[1], "", 1) == 1 && read(go[0], &word, 1) == 1;
        good = good && kit_post(s, key, "a.b", 2, NULL) == 0;
        _exit(good ? 0 : 1); /* as if killed, too */
    }
    return child;
}

/* A commit of many frames, killed at its n-th write, or, 0, in its sync: 42. */
static int commit_until(long n) {
    static kith_post posts[64];
    pid_t child = fork();
    if (child == 0) {
        kith_key *key = kit_key(3);
        kith_store *s = kit_open(NULL);
        if (s == NULL) _exit(1);
        for (size_t i = 0; i < 64; i++) {
            char subject[32];
            (void) snprintf(subject, sizeof subject, "wide.s%zu", i * 7919 % 64);
            posts[i] = (kith_post){ .content = kit_leaf(subject, 1) };
        }
        shim.folder = kit_folder;
        shim.cut_how = 3;
        shim.cut_at = n;
        shim.cut_sync = n == 0;
        shim.on = true;
        (void) !kith_store_post(s, key, posts, 64, kit_at(KIT_NOW), NULL);
        _exit(0);
    }
    int status = 0;
    (void) waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

/* Nothing is called damage, with SQLite's index and without, as after a power cut. */
static void expect_whole(size_t own, size_t or_own) {
    for (int cut = 0; cut < 2; cut++) {
        kith_store_stat stat = { 0 };
        EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
        if (cut == 0) {
            (void) unlink(kit_path("s.db-shm"));
            continue;
        }
        kith_store *s = kit_open_settled(&stat);
        EXPECT(s != NULL && !stat.quarantined);
        size_t have = kit_find(s, &(kith_query){ .origin = KITH_ORIGIN_OWN }).count;
        EXPECT(have == own || have == or_own);
        kith_store_close(&s);
    }
}

static void d2_a_commit_cut_off_while_another_holds_the_store_is_no_damage(void) {
    int left = 0;
    for (long n = 0, ends = 42; ends == 42; n++) {
        int go[2], said[2], status = 1;
        char word = 0;
        ki_log log;
        kit_clean();
        kit_leave_log(PACKETS);
        pid_t holder = hold_open(go, said);
        EXPECT(read(said[0], &word, 1) == 1);
        ends = commit_until(n);
        EXPECT(ends == 42 || ends == 0);
        EXPECT(write(go[1], "", 1) == 1);
        EXPECT(waitpid(holder, &status, 0) == holder && status == 0);
        for (int i = 0; i < 2; i++) (void) close(go[i]), (void) close(said[i]);
        EXPECT_INT(ki_log_scan(kit_path("s.db-wal"), &log, NULL, NULL, NULL), 0);
        left += log.cut_off && log.valid == log.committed;
        /* Killed behind the commit, before anybody was told: it is there. */
        expect_whole(PACKETS + 2 + 64, PACKETS + 2 + (ends == 0 ? 64 : 0));
    }
    printf("# %d of them left frames behind a shorter commit\n", left);
    EXPECT(left > 3);
}

static const test_case cases[] = {
    { "d2_an_unfinished_commit_written_over_in_part_is_no_damage",
        d2_an_unfinished_commit_written_over_in_part_is_no_damage },
    { "d2_a_commit_cut_off_while_another_holds_the_store_is_no_damage",
        d2_a_commit_cut_off_while_another_holds_the_store_is_no_damage },
};
TEST_MAIN(cases)
