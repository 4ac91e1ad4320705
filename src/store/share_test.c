/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads, several processes, no memory. */
#include "store/kit.h"

#include "alloc.h"
#include "base/dice.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

static char url[200];

static kith_store *open_url(const char *query) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    (void) snprintf(url, sizeof url, "sqlite:%s%s", kit_path("s.db"), query);
    if (kith_store_open(&s, url, &err) < 0) printf("# %s\n", err.text);
    return s;
}

/* ---- threads ---- */

enum {
    THREADS = 64,
    EACH = 40,
};

typedef struct poster {
    kith_store *store;
    const kith_key *key;
    atomic_int *failed;
    int number;
} poster;

static void *post_many(void *arg) {
    poster *p = arg;
    for (int i = 0; i < EACH; i++) {
        char subject[32];
        (void) snprintf(subject, sizeof subject, "t%d.x", p->number);
        if (kit_post(p->store, p->key, subject, i, NULL) != 0)
            atomic_fetch_add(p->failed, 1);
        if (i % 16 == 0) {
            kith_query q = { .pattern = subject, .limit = 4 };
            if (kit_find(p->store, &q).count == 0) atomic_fetch_add(p->failed, 1);
        }
    }
    return NULL;
}

static void post_from_all(kith_store *s) {
    kith_key *key = kit_key(1);
    pthread_t threads[THREADS];
    poster posters[THREADS];
    atomic_int failed = 0;
    EXPECT_INT(kith_store_begin_run(s, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (poster){ s, key, &failed, i };
        EXPECT(pthread_create(&threads[i], NULL, post_many, &posters[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) (void) pthread_join(threads[i], NULL);
    EXPECT_INT(atomic_load(&failed), 0);
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT_INT(stat.packets, THREADS * EACH);
    EXPECT_INT(stat.last_arrival, THREADS * EACH);
    kith_key_free(&key);
}

static void many_threads_share_one_sync(void) {
    kit_clean();
    kith_store *s = open_url("");
    kith_store_stat stat;
    EXPECT(s != NULL);
    post_from_all(s);
    EXPECT(!test_bad);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    printf(
        "# %d posts in %llu commits\n", THREADS * EACH, (unsigned long long) stat.commits);
    EXPECT(stat.commits < THREADS * EACH / 2 && stat.fsyncs_shared > 0);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url, NULL), 0);
}

static void many_threads_post_to_memory(void) {
    kith_store *s = NULL;
    EXPECT_INT(kith_store_open(&s, "memory:", NULL), 0);
    post_from_all(s);
    kith_store_close(&s);
}

/* ---- processes ---- */

static void two_processes_share_a_store(void) {
    enum {
        PROCESSES = 4,
        POSTS = 60,
    };
    pid_t children[PROCESSES];
    kit_clean();
    for (int c = 0; c < PROCESSES; c++) {
        children[c] = fork();
        if (children[c] == 0) {
            kith_key *key = kit_key(1); /* all with the same key */
            kith_store *s = open_url("");
            if (s == NULL || (c % 2 == 0 && kith_store_begin_run(s, NULL) != 0)) _exit(1);
            for (int i = 0; i < POSTS; i++) {
                if (kit_post(s, key, "a.b", i, NULL) != 0) _exit(2);
            }
            kith_store_close(&s);
            _exit(0);
        }
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status = 0;
        EXPECT(waitpid(children[c], &status, 0) == children[c]);
        EXPECT_INT(status, 0);
    }
    kith_store *s = open_url("");
    kith_store_stat stat;
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT_INT(stat.packets, PROCESSES * POSTS); /* no place was used twice */
    EXPECT_INT(stat.last_arrival, PROCESSES * POSTS);
    EXPECT(!stat.quarantined);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url, NULL), 0);
}

static void other_handle_is_seen(void) {
    kit_clean();
    kith_key *key = kit_key(1);
    kith_store *a = open_url(""), *b = open_url("");
    EXPECT(a != NULL && b != NULL);
    uint64_t before = kith_store_version(b);
    EXPECT_INT(kit_post(a, key, "a.b", 1, NULL), 0);
    EXPECT(kith_store_version(b) != before);
    EXPECT_INT(kit_find(b, &(kith_query){ 0 }).count, 1);
    kith_post p;
    EXPECT_INT(kit_post(b, key, "a.b", 2, &p), 0);
    EXPECT_INT(p.content.seq, 1);
    EXPECT_INT(kit_post(a, key, "a.b", 3, &p), 0);
    EXPECT_INT(p.content.seq, 2);
    kith_store_close(&a);
    EXPECT_INT(kit_post(b, key, "a.b", 4, &p), 0);
    EXPECT_INT(kit_find(b, &(kith_query){ 0 }).count, 4);
    kith_key_free(&key);
    kith_store_close(&b);
}

static void d6_a_locked_database_is_a_bounded_wait(void) {
    kit_clean();
    kith_key *key = kit_key(1);
    kith_store *s = open_url("");
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    sqlite3 *other = NULL;
    EXPECT(sqlite3_open_v2(kit_path("s.db"), &other, SQLITE_OPEN_READWRITE, NULL) ==
           SQLITE_OK);
    EXPECT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    EXPECT_INT(kit_post(s, key, "a.b", 2, NULL), KITH_E_BUSY);
    EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, 1); /* who asks does not wait */
    EXPECT(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    EXPECT_INT(kit_post(s, key, "a.b", 3, NULL), 0);
    (void) sqlite3_close(other);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void d9_a_hanging_reader_lets_the_log_grow_no_further(void) {
    kit_clean();
    kith_key *key = kit_key(1);
    kith_store *s = open_url("");
    kith_store_stat stat;
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    sqlite3 *other = NULL;
    EXPECT(sqlite3_open_v2(kit_path("s.db"), &other, SQLITE_OPEN_READWRITE, NULL) ==
           SQLITE_OK);
    EXPECT(sqlite3_exec(other, "BEGIN; SELECT count(*) FROM pkt", NULL, NULL, NULL) == 0);
    static kith_post posts[1000];
    int r = 0;
    uint64_t n = 0;
    for (; r == 0 && n < 200; n++) {
        for (int k = 0; k < 1000; k++) {
            char subject[32];
            (void) snprintf(subject, sizeof subject, "s%d.x", (k * 7919) % 1000);
            posts[k] = (kith_post){ .content = kit_leaf(subject, k) };
        }
        r = kith_store_post(s, key, posts, 1000, kit_at(KIT_NOW), NULL);
    }
    EXPECT_INT(r, KITH_E_SPACE);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.degraded && strstr(stat.why, "64 MiB") != NULL);
    EXPECT(stat.wal_bytes < (80u << 20));
    EXPECT(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    (void) sqlite3_close(other);
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(!stat.degraded);
    kith_key_free(&key);
    kith_store_close(&s);
}

/* ---- the plans ---- */

static void asking_uses_the_indexes(void) {
    static const struct {
        const char *sql, *plan;
    } rows[] = {
        { "SELECT id FROM pkt INDEXED BY pkt_subj WHERE subj = 'a' AND id > 5 AND id < 9 "
          "ORDER BY id",
            "SEARCH pkt USING COVERING INDEX pkt_subj (subj=? AND id>? AND id<?)" },
        { "SELECT body FROM pkt INDEXED BY pkt_subj WHERE subj >= 'a.' AND subj < 'a/' AND"
          " +id > 1 ORDER BY subj, id",
            "SEARCH pkt USING INDEX pkt_subj (subj>? AND subj<?)" },
        { "SELECT body FROM pkt INDEXED BY pkt_own WHERE own = 1 AND id > 7 ORDER BY id",
            "SEARCH pkt USING INDEX pkt_own (id>?)" },
        { "SELECT exp, pid FROM pkt ORDER BY exp, pid",
            "SCAN pkt USING COVERING INDEX pkt_exp" },
    };
    kit_clean();
    kith_store *s = open_url("");
    EXPECT(s != NULL);
    sqlite3 *sql = NULL;
    EXPECT(sqlite3_open(kit_path("s.db"), &sql) == SQLITE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[400];
        sqlite3_stmt *st = NULL;
        (void) snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", rows[i].sql);
        EXPECT(sqlite3_prepare_v2(sql, text, -1, &st, NULL) == SQLITE_OK);
        EXPECT(sqlite3_step(st) == SQLITE_ROW);
        const char *plan = (const char *) sqlite3_column_text(st, 3);
        if (strcmp(plan, rows[i].plan) != 0) printf("# %s\n", plan);
        EXPECT(strcmp(plan, rows[i].plan) == 0);
        EXPECT(sqlite3_step(st) == SQLITE_DONE); /* no sorter */
        (void) sqlite3_finalize(st);
    }
    (void) sqlite3_close(sql);
    kith_store_close(&s);
}

/* ---- no memory ---- */

/* Open, post, admit, ask; every failure is said, and nothing is left behind. */
static int live_briefly(const char *place, bool *ret_acked) {
    kith_key *key = kit_key(1), *other = kit_key(2);
    kith_store *s = NULL;
    kit_list l = { 0 };
    *ret_acked = false;
    int r = key == NULL || other == NULL ? KITH_E_MEMORY : kith_store_open(&s, place, NULL);
    if (r == 0) {
        r = kit_post(s, key, "a.b", 1, NULL);
        *ret_acked = r == 0;
        kith_packet p = kit_packet(other, "a.c", 1, 1, 1);
        int a = kit_admit(s, &p, "dir");
        r = r < 0 ? r : a < 0 ? a : 0;
        a = kith_store_save(s, "x", "y", 1, true, NULL);
        r = r < 0 ? r : a;
        kith_query q = { .pattern = "*.>", .now_us = KIT_NOW };
        a = kith_store_find(s, &q, kit_collect, &l, NULL);
        r = r < 0 ? r : a;
        a = kith_store_latest(s, ">", KIT_NOW, kit_collect, &l, NULL);
        r = r < 0 ? r : a;
    }
    kith_store_close(&s);
    kith_key_free(&key);
    kith_key_free(&other);
    return r;
}

static void p7_each_allocation_of_ours_fails_in_turn(void) {
    static const char *const places[] = { "sqlite", "memory:" };
    for (int e = 0; e < 2; e++) {
        size_t n = 1;
        for (;; n++) {
            bool acked = false;
            kit_clean();
            if (e == 0) (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
            alloc_fail_at(n);
            int r = live_briefly(e == 0 ? url : places[e], &acked);
            bool delivered = alloc_failed();
            alloc_fail_at(0);
            if (!delivered) {
                EXPECT_INT(r, 0);
                break;
            }
            EXPECT(r == KITH_E_MEMORY || r == 0);
        }
        printf("# %s: %zu allocations\n", places[e], n - 1);
        EXPECT(n > 3);
    }
}

static const test_case cases[] = {
    { "many_threads_share_one_sync", many_threads_share_one_sync },
    { "many_threads_post_to_memory", many_threads_post_to_memory },
    { "two_processes_share_a_store", two_processes_share_a_store },
    { "other_handle_is_seen", other_handle_is_seen },
    { "d6_a_locked_database_is_a_bounded_wait", d6_a_locked_database_is_a_bounded_wait },
    { "d9_a_hanging_reader_lets_the_log_grow_no_further",
        d9_a_hanging_reader_lets_the_log_grow_no_further },
    { "asking_uses_the_indexes", asking_uses_the_indexes },
    { "p7_each_allocation_of_ours_fails_in_turn",
        p7_each_allocation_of_ours_fails_in_turn },
};
TEST_MAIN(cases)
