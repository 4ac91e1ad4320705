/* SPDX-License-Identifier: Apache-2.0 */
/* Stores of older, newer and foreign making: an older one is brought up to date, whatever
 * moment the power goes; everything else is refused and stays as it is, byte for byte. */
#include "store/shim.h"

#include "store/kit.h"

#include <kith/heard.h>

#include "store/lite.h"
#include "store/vfs.h"

#include <signal.h>
#include <sys/wait.h>

enum {
    PACKETS = 24,   /* in golden/store-1.db */
    PACKETS_2 = 12, /* in golden/store-2.db */
    LATEST = 8,     /* of old.own: two own templates, three of each stranger */
};

static const char *url_of(const char *name) {
    static char url[160];
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path(name));
    return url;
}

static kith_store *open_store(void) {
    kith_store *s = NULL;
    kith_error err = { 0 };
    if (kith_store_open(&s, url_of("s.db"), &err) < 0) printf("# open: %s\n", err.text);
    return s;
}

static int old = 1; /* the schema of the store that is copied */

static bool copy_old(void) {
    char from[512];
    uint8_t bytes[4096];
    const char *golden = getenv("KITH_GOLDEN");
    (void) snprintf(
        from, sizeof from, "%s/store-%d.db", golden == NULL ? "tests/golden" : golden, old);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(kit_path("s.db"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool fine = in >= 0 && out >= 0;
    ssize_t n = 0;
    while (fine && (n = read(in, bytes, sizeof bytes)) > 0) {
        fine = write(out, bytes, (size_t) n) == n;
    }
    if (in >= 0) (void) close(in);
    if (out >= 0) (void) close(out);
    return fine && n == 0;
}

/* Through our own layer, so that what it writes is summed. */
static bool run_sql(const char *name, const char *vfs, bool keep_log, const char *sql) {
    sqlite3 *db = NULL;
    bool fine = ki_vfs_register() == SQLITE_OK &&
                sqlite3_open_v2(kit_path(name), &db,
                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) == SQLITE_OK &&
                sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep_log, NULL) ==
                    SQLITE_OK &&
                sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    (void) sqlite3_close(db);
    return fine;
}

/* ---- older ---- */

static bool has_effect(const kit_list *l, double effect) {
    for (size_t i = 0; i < l->count; i++) {
        if (l->effects[i] == effect) return true;
    }
    return false;
}

static kit_list latest(kith_store *s) {
    kit_list l = { 0 };
    if (kith_store_latest(s, "old.own", KIT_NOW, kit_collect, &l, NULL) != 0) {
        l.count = SIZE_MAX;
    }
    return l;
}

static int count_heard(void *ctx, const kith_heard *h) {
    (void) ctx, (void) h;
    test_bad = true; /* there are none */
    return 0;
}

static void holds_what_the_old_one_held(kith_store *s) {
    char state[8];
    size_t n = 0;
    kith_query all = { .with_retracted = true };
    if (old == 2) {
        kith_query unsigned_ones = { .now_us = KIT_NOW };
        EXPECT_INT(kith_store_heard(s, &unsigned_ones, count_heard, NULL, NULL), 0);
        EXPECT_INT(kit_find(s, &all).count, PACKETS_2);
        return;
    }
    EXPECT_INT(kit_find(s, &all).count, PACKETS);
    kit_list l = latest(s);
    EXPECT_INT(l.count, LATEST);
    static const double effects[LATEST] = { 5, 9, 106, 107, 108, 109, 110, 111 };
    for (int i = 0; i < LATEST; i++) EXPECT(has_effect(&l, effects[i]));
    EXPECT_INT(kith_store_load(s, "cursor", state, sizeof state, &n), 0);
    EXPECT(n == 4 && memcmp(state, "here", 4) == 0);
}

static void an_older_store_is_brought_up_to_date(void) {
    kit_clean();
    EXPECT(copy_old());
    EXPECT_INT(kit_number("PRAGMA user_version"), 1);
    kith_store *s = open_store();
    EXPECT(s != NULL);
    holds_what_the_old_one_held(s);
    EXPECT(!test_bad);
    /* A packet of today takes the place of one of then. */
    kith_key *own = kit_key(1), *other = kit_key(2);
    EXPECT_INT(kit_post(s, own, "old.own", 50, NULL), 0);
    kith_content c = kit_leaf("old.own", 60);
    kith_packet p = { 0 };
    c.seq = 100;
    memset(c.template_id, 0x41, sizeof c.template_id);
    EXPECT_INT(kith_packet_seal(&c, other, &p), 0);
    EXPECT_INT(kit_admit(s, &p, "mem://one"), 0);
    kit_list l = latest(s);
    EXPECT_INT(l.count, LATEST);
    EXPECT(has_effect(&l, 50) && has_effect(&l, 60));
    EXPECT(!has_effect(&l, 5) && !has_effect(&l, 107));
    kith_key_free(&own);
    kith_key_free(&other);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url_of("s.db"), NULL), 0);
    EXPECT_INT(kit_number("PRAGMA user_version"), SCHEMA_VERSION);
    EXPECT_INT(kit_number("SELECT count(*) FROM sqlite_schema WHERE name = 'template'"), 0);
}

/* Returns how the child ended: 42 cut, 0 it was through. */
static int open_with_cut(long at, int how) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        shim.folder = kit_folder;
        shim.on = true;
        shim.cut_at = at;
        shim.cut_how = how;
        shim.dice = (uint64_t) at * 7 + (uint64_t) how;
        kith_store *s = open_store();
        if (s == NULL) _exit(3);
        kith_store_close(&s);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                    : -1;
}

/* 0 all that was not synced is lost, 1 half of it, 2 sectors, 3 nothing: a kill. */
static void a_store_of_schema_2_gains_a_table_for_unsigned_packets(void) {
    static const char topic[] = "qis.clinical.radiology.ct.d+0.1";
    kith_seed0 p = { .domain = "clinical.radiology.ct",
        .outcome_delta = 0.125,
        .confidence = 0.875,
        .n_observations = 100,
        .timestamp = (double) (KIT_NOW / 1000000) };
    kith_seed0_frames f;
    kith_heard h;
    kith_store_stat stat;
    old = 2;
    kit_clean();
    EXPECT(copy_old());
    old = 1;
    EXPECT_INT(kit_number("PRAGMA user_version"), 2);
    kith_store *s = open_store();
    EXPECT(s != NULL);
    EXPECT_INT(kith_seed0_encode(&p, &f), 0);
    EXPECT_INT(
        kith_heard_read(0, topic, strlen(topic), f.payload, f.payload_length, &h), 0);
    (void) snprintf(h.gateway, sizeof h.gateway, "zmq://x");
    EXPECT_INT(kith_store_hear(s, &h, 1, kit_at(KIT_NOW), NULL), 0);
    EXPECT_INT(h.result, 0);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT_INT(stat.packets, PACKETS_2);
    EXPECT_INT(stat.heard, 1);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url_of("s.db"), NULL), 0);
    EXPECT_INT(kit_number("PRAGMA user_version"), SCHEMA_VERSION);
    /* A row whose bytes are not those of its id is found. */
    EXPECT(run_sql("s.db", VFS_NAME, false, "UPDATE heard SET subj = 'clinical.other'"));
    kith_error err = { 0 };
    EXPECT_INT(kith_store_check(url_of("s.db"), &err), KITH_E_CORRUPT);
    EXPECT(strstr(err.text, "unsigned") != NULL);
}

static void d1_a_cut_at_any_write_of_bringing_up_is_survived(void) {
    long cuts = 0;
    shim.no_disk = true;
    for (int kind = 0; kind < 8; kind++) {
        int code = 42;
        old = 1 + kind / 4;
        for (long at = 1; code == 42; at++, cuts++) {
            kit_clean();
            EXPECT(copy_old());
            code = open_with_cut(at, kind % 4);
            (void) unlink(kit_path("s.db-shm"));
            kith_store *s = open_store();
            EXPECT(s != NULL);
            holds_what_the_old_one_held(s);
            EXPECT(!test_bad);
            kith_store_stat stat;
            EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
            /* A torn log is copied aside, for nobody can tell it from a damaged one. */
            EXPECT(!stat.quarantined || strstr(stat.quarantine, "-wal") != NULL);
            kith_store_close(&s);
            EXPECT_INT(kit_number("PRAGMA user_version"), SCHEMA_VERSION);
        }
        EXPECT_INT(code, 0);
    }
    old = 1;
    printf("# %ld cuts\n", cuts);
    EXPECT(cuts > 80);
}

static void an_older_store_in_use_is_not_touched(void) {
    kit_clean();
    EXPECT(copy_old());
    int fd = open(kit_path("s.db-lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), status = 0;
    struct flock lock = { .l_type = F_RDLCK, .l_len = 1 };
    EXPECT(fd >= 0);
    pid_t child = fork(); /* the lock is the file's, and goes with its last descriptor */
    if (child == 0) {
        (void) pause();
        _exit(0);
    }
    EXPECT_INT(fcntl(fd, F_OFD_SETLK, &lock), 0);
    (void) close(fd);
    kith_store *s = NULL;
    EXPECT_INT(kith_store_open(&s, url_of("s.db"), NULL), KITH_E_BUSY);
    EXPECT_INT(kit_number("PRAGMA user_version"), 1);
    (void) kill(child, SIGKILL);
    EXPECT(waitpid(child, &status, 0) == child);
    s = open_store();
    EXPECT(s != NULL);
    holds_what_the_old_one_held(s);
    kith_store_close(&s);
}

/* ---- newer ---- */

static void refused_and_unchanged(const char *name, int code, const char *words) {
    kit_shot before = kit_take_shot(NULL);
    kith_store *s = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_store_open(&s, url_of(name), &err), code);
    if (strstr(err.text, words) == NULL) printf("# %s\n", err.text);
    EXPECT(strstr(err.text, words) != NULL);
    EXPECT(kit_same(before, kit_take_shot(NULL)));
    EXPECT_INT(kith_store_check(url_of(name), &err), code);
    EXPECT(kit_same(before, kit_take_shot(NULL)));
}

static void make_store(void) {
    kit_clean();
    kith_store *s = open_store();
    kith_key *key = kit_key(1);
    EXPECT(s != NULL);
    for (int i = 0; i < 20; i++) EXPECT_INT(kit_post(s, key, "a.b", i, NULL), 0);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void a_newer_store_is_refused_and_stays_as_it_is(void) {
    make_store();
    EXPECT(!test_bad);
    EXPECT(run_sql("s.db", VFS_NAME, false,
        "CREATE TABLE later(x); PRAGMA user_version = 7;"
        "PRAGMA wal_checkpoint(TRUNCATE)"));
    refused_and_unchanged("s.db", KITH_E_NOTSUP, "made by a newer kith: its schema is 7");
}

static void a_newer_store_whose_log_says_so_is_refused(void) {
    make_store();
    EXPECT(!test_bad);
    EXPECT(
        run_sql("s.db", VFS_NAME, true, "CREATE TABLE later(x); PRAGMA user_version = 7"));
    EXPECT_INT(unlink(kit_path("s.db-shm")), 0); /* as after a reboot */
    kit_shot before = kit_take_shot("s.db-shm");
    kith_store *s = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_store_open(&s, url_of("s.db"), &err), KITH_E_NOTSUP);
    EXPECT(strstr(err.text, "made by a newer kith") != NULL);
    EXPECT_INT(kith_store_check(url_of("s.db"), NULL), KITH_E_NOTSUP);
    EXPECT(kit_same(before, kit_take_shot("s.db-shm"))); /* the log's index is no state */
}

static void a_newer_layout_of_pages_is_refused(void) {
    kit_clean();
    EXPECT(run_sql("s.db", NULL, false,
        "PRAGMA page_size = 8192; CREATE TABLE a(x); PRAGMA user_version = 9;"
        "PRAGMA application_id = 0x6b697468"));
    refused_and_unchanged("s.db", KITH_E_NOTSUP, "made by a newer kith: its schema is 9");
}

static void a_flipped_version_is_damage_and_not_news(void) {
    make_store();
    EXPECT(!test_bad);
    int fd = open(kit_path("s.db"), O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    EXPECT(fd >= 0 && pread(fd, &byte, 1, 62) == 1);
    byte ^= 4;
    EXPECT(pwrite(fd, &byte, 1, 62) == 1);
    (void) close(fd);
    kith_store *s = open_store();
    kith_store_stat stat;
    EXPECT(s != NULL);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.quarantined);
    kith_store_close(&s);
}

/* ---- foreign ---- */

static void what_is_no_file_is_refused(void) {
    kit_clean();
    EXPECT_INT(mkdir(kit_path("folder"), 0700), 0);
    EXPECT_INT(mkfifo(kit_path("pipe"), 0600), 0);
    EXPECT_INT(symlink("/dev/null", kit_path("link")), 0);
    refused_and_unchanged("folder", KITH_E_SYSTEM, "a folder, where a regular file");
    EXPECT(!test_bad);
    refused_and_unchanged("pipe", KITH_E_SYSTEM, "a pipe, where a regular file");
    EXPECT(!test_bad);
    refused_and_unchanged("link", KITH_E_SYSTEM, "a symbolic link, where a regular file");
    EXPECT(!test_bad);
    EXPECT_INT(rmdir(kit_path("folder")), 0);
    kith_store *s = NULL;
    kith_error err = { 0 };
    EXPECT_INT(kith_store_open(&s, "sqlite:/dev/null", &err), KITH_E_SYSTEM);
    EXPECT(strstr(err.text, "a device, where a regular file") != NULL);
    EXPECT(access("/dev/null-lock", F_OK) < 0);
}

static void a_file_of_somebody_else_is_refused(void) {
    kit_clean();
    FILE *f = fopen(kit_path("notes.txt"), "w");
    EXPECT(f != NULL && fputs("these are my notes\n", f) >= 0);
    EXPECT_INT(fclose(f), 0);
    EXPECT(run_sql(
        "other.db", NULL, false, "CREATE TABLE mine(x); INSERT INTO mine VALUES(1)"));
    EXPECT(run_sql("logged.db", NULL, true,
        "PRAGMA journal_mode = WAL; CREATE TABLE mine(x); INSERT INTO mine VALUES(1)"));
    refused_and_unchanged("notes.txt", KITH_E_DENIED, "not a database at all");
    EXPECT(!test_bad);
    refused_and_unchanged("other.db", KITH_E_DENIED, "not a kith store");
    EXPECT(!test_bad);
    refused_and_unchanged("logged.db", KITH_E_DENIED, "not a kith store");
}

static void an_empty_file_becomes_a_store(void) {
    kit_clean();
    int fd = open(kit_path("s.db"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT(fd >= 0);
    (void) close(fd);
    kith_store *s = open_store();
    kith_store_stat stat;
    EXPECT(s != NULL);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(!stat.quarantined);
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(url_of("s.db"), NULL), 0);
    kit_done();
}

static const test_case cases[] = {
    { "an_older_store_is_brought_up_to_date", an_older_store_is_brought_up_to_date },
    { "a_store_of_schema_2_gains_a_table_for_unsigned_packets",
        a_store_of_schema_2_gains_a_table_for_unsigned_packets },
    { "d1_a_cut_at_any_write_of_bringing_up_is_survived",
        d1_a_cut_at_any_write_of_bringing_up_is_survived },
    { "an_older_store_in_use_is_not_touched", an_older_store_in_use_is_not_touched },
    { "a_newer_store_is_refused_and_stays_as_it_is",
        a_newer_store_is_refused_and_stays_as_it_is },
    { "a_newer_store_whose_log_says_so_is_refused",
        a_newer_store_whose_log_says_so_is_refused },
    { "a_newer_layout_of_pages_is_refused", a_newer_layout_of_pages_is_refused },
    { "a_flipped_version_is_damage_and_not_news",
        a_flipped_version_is_damage_and_not_news },
    { "what_is_no_file_is_refused", what_is_no_file_is_refused },
    { "a_file_of_somebody_else_is_refused", a_file_of_somebody_else_is_refused },
    { "an_empty_file_becomes_a_store", an_empty_file_becomes_a_store },
};

TEST_MAIN(cases)
