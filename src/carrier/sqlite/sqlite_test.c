/* SPDX-License-Identifier: Apache-2.0 */
/* What sqlite promises beyond the suite: plans that use the indexes, rows from
 * strangers, a file that is held, full or gone. */
#include "carrier/sqlite/db.h"

#include "carrier/suite_help.h"
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define URL "sqlite://@/shared.db"

static const char *file_of(const realm *r) {
    static char path[128];
    (void) snprintf(path, sizeof path, "%s/shared.db", r->folder);
    return path;
}

/* Somebody else's hand in the same file. */
static void inject(const realm *r, const char *text) {
    sqlite3 *other = NULL;
    char *why = NULL;
    if (sqlite3_open(file_of(r), &other) != SQLITE_OK ||
        sqlite3_exec(other, text, NULL, NULL, &why) != SQLITE_OK) {
        printf("# %s: %s\n", text, why);
        abort();
    }
    (void) sqlite3_close(other);
}

static int64_t ask(const realm *r, const char *text) {
    sqlite3 *other = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_open(file_of(r), &other) != SQLITE_OK ||
        sqlite3_prepare_v2(other, text, -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        abort();
    }
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void) sqlite3_finalize(stmt);
    (void) sqlite3_close(other);
    return value;
}

static bool plan_has(sqlite3 *file, int statement, const char *want) {
    char text[1024], plan[1024] = "";
    sqlite3_stmt *stmt = NULL;
    (void) snprintf(text, sizeof text, "EXPLAIN QUERY PLAN %s", ki_db_sql(statement));
    if (sqlite3_prepare_v2(file, text, -1, &stmt, NULL) != SQLITE_OK) abort();
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        size_t n = strlen(plan);
        (void) snprintf(plan + n, sizeof plan - n, "%s; ", sqlite3_column_text(stmt, 3));
    }
    (void) sqlite3_finalize(stmt);
    bool has = strstr(plan, want) != NULL && strstr(plan, "SCAN kith_1") == NULL;
    if (!has) printf("# %s: %s\n", ki_db_sql(statement), plan);
    return has;
}

static void every_statement_uses_its_index(void) {
    realm r = realm_of(URL);
    kith_link *l = realm_open(&r);
    sqlite3 *file = NULL;
    EXPECT_INT(sqlite3_open(file_of(&r), &file), SQLITE_OK);
    EXPECT(plan_has(file, DB_AFTER, "INTEGER PRIMARY KEY (rowid>?)"));
    EXPECT(plan_has(file, DB_ONE, "INTEGER PRIMARY KEY (rowid=?)"));
    EXPECT(plan_has(file, DB_NEXT, "INTEGER PRIMARY KEY (rowid>?)"));
    EXPECT(plan_has(file, DB_RANGE, "COVERING INDEX kith_1_subj (subj>? AND subj<?)"));
    EXPECT(plan_has(file, DB_EXPIRE, "COVERING INDEX kith_1_exp (exp<?)"));
    for (int i = 0; i < DB_STATEMENTS; i++) EXPECT(strstr(ki_db_sql(i), "LIKE") == NULL);
    (void) sqlite3_close(file);
    kith_link_close(&l);
    realm_free(&r);
}

static size_t memory_kib(void) {
    size_t pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%zu %zu", &pages, &resident) != 2) abort();
    (void) fclose(f);
    return resident * (size_t) sysconf(_SC_PAGESIZE) / 1024;
}

#define ROW(id, subj, body)                                                                \
    "INSERT INTO kith_1 VALUES (" id ", " subj ", 9223372036854775807, 0, randomblob(16)," \
    " " body ");"

/* W6, W10: rows of wrong types and lengths are passed by, the next one is read. */
static void w10_rows_of_a_wrong_form_are_dropped_whole(void) {
    static const char *const rows[] = {
        ROW("1", "'a.b'", "'text'"),
        ROW("2", "'a.b'", "17"),
        ROW("3", "'a.b'", "x''"),
        ROW("4", "'a.b'", "zeroblob(513)"),
        ROW("5", "'a.b'", "zeroblob(100000)"),
        ROW("6", "x'612e62'", "x'01'"),
        ROW("7", "'IOT.hvac'", "x'01'"),
        ROW("8", "'iot.hvac.'", "x'01'"),
        ROW("9", "''", "x'01'"),
        ROW("10", "replace(hex(zeroblob(50000)), '0', 'a')", "x'01'"),
        ROW("11", "'a' || char(0) || '.b'", "x'01'"),
        ROW("12", "'a b'", "x'01'"),
    };
    realm r = realm_of(URL);
    kith_link *to = realm_open(&r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) inject(&r, rows[i]);
    inject(&r, ROW("13", "'a.b'", "x'2a00000000000000'"));
    EXPECT_INT(kith_link_follow(to, ">"), 0);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 1);
    EXPECT_INT(t.lowest, 42);
    kith_counters c;
    kith_link_counters(to, &c);
    EXPECT_INT(c.rubbish, sizeof rows / sizeof *rows);
    EXPECT_INT(ask(&r, "SELECT count(*) FROM kith_1"), 13); /* nothing is deleted */
    kith_link_close(&to);
    realm_free(&r);
}

static void w6_a_huge_row_costs_no_memory(void) {
    realm r = realm_of(URL);
    kith_link *to = realm_open(&r);
    inject(&r, ROW("1", "'a.b'", "zeroblob(48000000)"));
    inject(&r, ROW("2", "'a.b'", "x'2a00000000000000'"));
    size_t before = memory_kib();
    EXPECT_INT(kith_link_follow(to, "a.b"), 0);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.lowest, 42);
    EXPECT(memory_kib() < before + 8192);
    kith_link_close(&to);
    realm_free(&r);
}

/* Many rows that nobody wants, a few that one pattern does. */
static void a_backlog_is_found_by_subject(void) {
    static const struct {
        const char *pattern;
        size_t count;
    } rows[] = { { "want.it", 7 }, { "want.>", 14 }, { "want.*.x", 7 }, { "w.>", 0 },
        { ">", 9014 }, { "wantx", 10 } };
    realm r = realm_of(URL "?sync=normal");
    kith_link *l = realm_open(&r);
    inject(&r,
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9014)"
        "INSERT INTO kith_1 SELECT i, CASE WHEN i % 1000 = 0 AND i < 8000 THEN 'want.it'"
        " WHEN i % 1000 = 1 AND i > 1 AND i < 9000 AND i < 8000 THEN 'want.a.x'"
        " WHEN i <= 11 AND i > 1 THEN 'wantx' ELSE 'other.' || (i % 50) END,"
        " 9223372036854775807, 0, randomblob(16),"
        " CAST(char(1 + i % 100) AS BLOB) FROM n");
    kith_link_close(&l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        l = realm_open(&r);
        EXPECT_INT(kith_link_follow(l, rows[i].pattern), 0);
        EXPECT_INT(kith_link_rewind(l, &(kith_position){ .kind = KITH_FROM_START }), 0);
        size_t got = 0;
        uint64_t last = 0;
        kith_item item;
        while (await(l, &item, got >= rows[i].count)) {
            EXPECT(item.token > last); /* in order, none twice */
            last = item.token;
            got++;
        }
        printf("# %s\n", rows[i].pattern);
        EXPECT_INT(got, i == 1 ? rows[0].count + rows[2].count : rows[i].count);
        kith_counters c;
        kith_link_counters(l, &c);
        EXPECT_INT(c.filtered + c.rubbish, 0);
        kith_link_close(&l);
    }
    realm_free(&r);
}

static void begins_at_a_time(void) {
    realm r = realm_of(URL);
    kith_link *from = realm_open(&r), *to = realm_open(&r);
    for (size_t hour = 1; hour <= 3; hour++) {
        kith_link_tick(
            from, (kith_time){ .mono_ns = hour, .wall_us = (int64_t) hour * 1000000 });
        uint64_t through;
        uint8_t bytes[8];
        kith_posting p = posting_of("a", bytes, fill_number(hour, bytes));
        p.ticket = hour;
        EXPECT_INT(kith_link_post(from, &p), 0);
        int told = KITH_EMPTY;
        UNTIL ((told = kith_link_settle(from, &through, NULL)) != KITH_EMPTY) {
            (void) readable(kith_link_wake_fd(from), 5);
        }
        EXPECT_INT(told, 0);
    }
    EXPECT_INT(kith_link_follow(to, "a"), 0);
    for (size_t hour = 1; hour <= 4; hour++) {
        kith_position at = { .kind = KITH_FROM_TIME, .time_us = (int64_t) hour * 1000000 };
        EXPECT_INT(kith_link_rewind(to, &at), 0);
        tally t = { .expect = 4 - hour };
        EXPECT(tally_drain(&t, to));
        EXPECT_INT(t.distinct, 4 - hour);
        EXPECT(hour == 4 || t.lowest == hour);
    }
    kith_link_close(&from);
    kith_link_close(&to);
    realm_free(&r);
}

/* Posts one and waits for its fate. */
static int fate_of(kith_link *l, size_t number, kith_error *err) {
    uint8_t bytes[8];
    uint64_t through;
    kith_posting p = posting_of("a.b", bytes, fill_number(number, bytes));
    p.ticket = number;
    int r = KITH_FULL;
    UNTIL ((r = kith_link_post(l, &p)) != KITH_FULL) (void) idle_turn(l);
    if (r != 0) return r;
    UNTIL ((r = kith_link_settle(l, &through, err)) != KITH_EMPTY) pass_time(l);
    return r;
}

static void d6_a_held_file_costs_a_bounded_wait(void) {
    realm r = realm_of(URL "?busy=30ms");
    kith_link *l = realm_open(&r);
    sqlite3 *other = NULL;
    kith_error err = { 0 };
    EXPECT_INT(sqlite3_open(file_of(&r), &other), SQLITE_OK);
    EXPECT_INT(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(fate_of(l, 1, &err), KITH_E_BUSY);
    EXPECT(strstr(err.text, "locked") != NULL);
    EXPECT_INT(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    EXPECT_INT(fate_of(l, 1, &err), 0);
    EXPECT_INT(kith_link_health(l, NULL), 0);
    (void) sqlite3_close(other);
    kith_link_close(&l);
    realm_free(&r);
}

static void d8_a_file_that_vanishes_refuses_and_recovers(void) {
    realm r = realm_of(URL);
    kith_link *l = realm_open(&r), *to = realm_open(&r);
    char away[160];
    kith_error err = { 0 };
    EXPECT_INT(kith_link_follow(to, "a.b"), 0);
    (void) snprintf(away, sizeof away, "%s.away", file_of(&r));
    EXPECT_INT(fate_of(l, 1, &err), 0);
    tally t = { .expect = 1 };
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(rename(file_of(&r), away), 0);
    UNTIL (kith_link_health(l, &err) != 0) (void) idle_turn(l);
    EXPECT(kith_link_health(l, &err) < 0);
    uint8_t bytes[8];
    kith_posting p = posting_of("a.b", bytes, fill_number(2, bytes));
    EXPECT_INT(kith_link_post(l, &p), KITH_FULL);
    EXPECT(access(file_of(&r), F_OK) != 0); /* it is not made anew */
    EXPECT_INT(rename(away, file_of(&r)), 0);
    EXPECT_INT(fate_of(l, 2, &err), 0);
    t.expect = 2;
    EXPECT(tally_drain(&t, to));
    EXPECT_INT(t.distinct, 2);
    kith_link_close(&l);
    kith_link_close(&to);
    realm_free(&r);
}

/* The limit stands for a full disk: what was settled is there, the rest is told. */
static void d3_a_full_disk_is_told_and_nothing_settled_is_lost(void) {
    realm r = realm_of(URL);
    kith_link *l = realm_open(&r);
    kith_error err = { 0 };
    struct rlimit old, small;
    EXPECT_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
    (void) signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){ .rlim_cur = 60000, .rlim_max = old.rlim_max };
    EXPECT_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    size_t n = 1;
    int fate = 0;
    while (n < 1000 && (fate = fate_of(l, n, &err)) == 0) n++;
    EXPECT_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
    EXPECT(fate < 0);
    EXPECT(n > 1 && n < 1000);
    EXPECT(ask(&r, "SELECT count(*) FROM kith_1") >= (int64_t) n - 1);
    EXPECT_INT(fate_of(l, n, &err), 0); /* there is room again */
    EXPECT_INT(ask(&r, "SELECT count(*) FROM kith_1"), n);
    kith_link_close(&l);
    realm_free(&r);
}

static void removes_what_expired_in_small_steps(void) {
    realm r = realm_of(URL);
    kith_link *l = realm_open(&r);
    inject(&r, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3500)"
               "INSERT INTO kith_1 SELECT i, 'a', CASE WHEN i <= 3000 THEN i ELSE"
               " 9223372036854775807 END, 0, randomblob(16), x'01' FROM n");
    kith_time now = { .mono_ns = 1, .wall_us = INT64_C(1700000000000000) };
    for (int i = 0; i < 400 && ask(&r, "SELECT count(*) FROM kith_1") > 500; i++) {
        now.mono_ns += 61000000000;
        kith_link_tick(l, now);
        (void) readable(kith_link_wake_fd(l), 2);
    }
    EXPECT_INT(ask(&r, "SELECT count(*) FROM kith_1"), 500);
    kith_link_close(&l);
    realm_free(&r);
}

static void refuses_what_is_no_shared_file(void) {
    realm r = realm_of(URL);
    kith_link *l = NULL;
    kith_error err = { 0 };
    char other[160];
    int fd = open(file_of(&r), O_CREAT | O_WRONLY, 0600);
    EXPECT(fd >= 0 && write(fd, "this is no database at all, but text", 36) == 36);
    close(fd);
    EXPECT_INT(kith_link_open(&l, r.url, NULL, &err), KITH_E_CORRUPT);
    EXPECT(unlink(file_of(&r)) == 0);
    (void) snprintf(other, sizeof other, "%s/elsewhere.db", r.folder);
    EXPECT(symlink(other, file_of(&r)) == 0);
    EXPECT(kith_link_open(&l, r.url, NULL, &err) < 0);
    EXPECT(access(other, F_OK) != 0); /* nor made through it */
    EXPECT_INT(kith_link_open(&l, "sqlite:///nowhere/x.db", NULL, &err), KITH_E_MISSING);
    EXPECT_INT(kith_link_open(&l, "sqlite:///tmp/", NULL, &err), KITH_E_ARG);
    EXPECT_INT(kith_link_open(&l, "sqlite://", NULL, &err), KITH_E_ARG);
    EXPECT(l == NULL);
    realm_free(&r);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(every_statement_uses_its_index),
    CASE(w10_rows_of_a_wrong_form_are_dropped_whole),
    CASE(w6_a_huge_row_costs_no_memory),
    CASE(a_backlog_is_found_by_subject),
    CASE(begins_at_a_time),
    CASE(d6_a_held_file_costs_a_bounded_wait),
    CASE(d8_a_file_that_vanishes_refuses_and_recovers),
    CASE(d3_a_full_disk_is_told_and_nothing_settled_is_lost),
    CASE(removes_what_expired_in_small_steps),
    CASE(refuses_what_is_no_shared_file),
};
TEST_MAIN(cases)
