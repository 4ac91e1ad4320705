/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of privacy: what was spent stays spent, whatever happens to clock, process,
 * power and file. KITH_SOAK=1: ten times as many steps. */
#include "store/shim.h"

#include "store/kit.h"

#include "base/dice.h"
#include "store/ledger.h"
#include "store/lite.h"
#include "store/vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ONE KITH_RHO_ONE
#define DAY INT64_C(86400000000)

static kith_error err;

static int spend_on(
    kith_store *s, const char *records, const char *subject, uint64_t rho, int64_t now_us) {
    kith_debit d = { .records = records, .subject = subject, .rho = rho, .now_us = now_us };
    return kith_ledger_spend(s, &d, NULL, &err);
}

static int spend(kith_store *s, uint64_t rho) {
    return spend_on(s, "clinic", "a.b", rho, KIT_NOW);
}

typedef struct books {
    size_t count;
    kith_account at[64];
} books;

static int note(void *ctx, const kith_account *a) {
    books *b = ctx;
    if (b->count < 64) b->at[b->count] = *a;
    b->count++;
    return 0;
}

static books look(kith_store *s, int64_t now_us) {
    books b = { 0 };
    if (kith_ledger_each(s, now_us, note, &b, &err) < 0) b.count = 999;
    return b;
}

static bool same_books(books a, books b) {
    bool same = a.count == b.count && a.count <= 64;
    for (size_t i = 0; same && i < a.count; i++) {
        const kith_account *x = &a.at[i], *y = &b.at[i];
        same = strcmp(x->records, y->records) == 0 && strcmp(x->subject, y->subject) == 0 &&
               x->spent == y->spent && x->ever == y->ever && x->limit == y->limit &&
               x->debits == y->debits && x->last_us == y->last_us && x->locked == y->locked;
    }
    return same;
}

static void nothing_is_spent_that_was_not_granted(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT(s != NULL);
    EXPECT_INT(spend(s, 1), KITH_E_SPENT);
    EXPECT(strstr(err.text, "granted") != NULL);
    EXPECT_INT(look(s, KIT_NOW).count, 0);
    EXPECT_INT(kith_ledger_grant(s, "clinic", 3 * ONE, 0, KIT_NOW, &err), 0);
    EXPECT_INT(spend(s, ONE), 0);
    EXPECT_INT(spend_on(s, "clinic", "c.d", ONE, KIT_NOW), 0);
    books before = look(s, KIT_NOW);
    EXPECT_INT(before.count, 3);
    EXPECT(before.at[0].spent == 2 * ONE && before.at[0].subject[0] == '\0');
    EXPECT(strcmp(before.at[1].subject, "a.b") == 0 && before.at[1].spent == ONE);
    EXPECT(strcmp(before.at[2].subject, "c.d") == 0 && before.at[2].limit == 3 * ONE);
    EXPECT_INT(spend(s, ONE + 1), KITH_E_SPENT); /* too much: nothing changes */
    EXPECT(strstr(err.text, "rho 1 left of 3") != NULL);
    EXPECT(same_books(before, look(s, KIT_NOW)));
    EXPECT_INT(spend(s, ONE), 0); /* the last of it, to the unit */
    EXPECT_INT(spend(s, 1), KITH_E_SPENT);
    EXPECT_INT(spend_on(s, "other", "a.b", 1, KIT_NOW), KITH_E_SPENT);
    kith_store_close(&s);
    s = kit_open(NULL);
    EXPECT_INT(spend(s, 1), KITH_E_SPENT);
    EXPECT(look(s, KIT_NOW).at[0].spent == 3 * ONE);
    kith_store_close(&s);
}

static void arguments_without_meaning_are_refused(void) {
    static const char *const names[] = { "", "A", "a b", "a!b", "a..b", NULL };
    char longer[KITH_RECORDS_MAX + 2];
    memset(longer, 'a', sizeof longer);
    longer[KITH_RECORDS_MAX + 1] = '\0';
    kit_clean();
    kith_store *s = kit_open(NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        EXPECT_INT(kith_ledger_grant(s, names[i], ONE, 0, KIT_NOW, NULL), KITH_E_ARG);
    }
    EXPECT_INT(kith_ledger_grant(s, longer, ONE, 0, KIT_NOW, NULL), KITH_E_ARG);
    longer[KITH_RECORDS_MAX] = '\0';
    EXPECT_INT(kith_ledger_grant(s, longer, ONE, 0, KIT_NOW, NULL), 0);
    EXPECT_INT(spend_on(s, longer, "a.b", ONE, KIT_NOW), 0);
    EXPECT_INT(kith_ledger_grant(s, "a", KITH_GRANT_MAX + 1, 0, KIT_NOW, NULL), KITH_E_ARG);
    EXPECT_INT(kith_ledger_grant(s, "a", ONE, -1, KIT_NOW, NULL), KITH_E_ARG);
    EXPECT_INT(spend_on(s, longer, "A!", ONE, KIT_NOW), KITH_E_ARG);
    EXPECT_INT(spend(s, 0), KITH_E_ARG);
    EXPECT_INT(kith_store_save(s, "ledger:clinic", "x", 1, true, NULL), KITH_E_ARG);
    EXPECT_INT(kith_store_save(s, "ledger:clinic", NULL, 0, true, NULL), KITH_E_ARG);
    kith_store_close(&s);
    EXPECT_INT(kith_store_open(&s, "memory:", NULL), 0);
    EXPECT_INT(kith_ledger_grant(s, "a", ONE, 0, KIT_NOW, NULL), KITH_E_NOTSUP);
    EXPECT_INT(spend(s, 1), KITH_E_NOTSUP);
    EXPECT_INT(look(s, KIT_NOW).count, 0);
    kith_store_close(&s);
}

static void a_clock_set_back_gives_nothing_back(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT_INT(kith_ledger_grant(s, "q", ONE, 90 * DAY, KIT_NOW, NULL), 0);
    EXPECT_INT(spend_on(s, "q", "a.b", ONE, KIT_NOW + DAY), 0);
    kith_account a = look(s, KIT_NOW + DAY).at[0];
    EXPECT(a.renews_us == KIT_NOW + 90 * DAY && a.spent == ONE);
    static const int64_t back[] = { 0, 1, DAY, KIT_NOW - 400 * DAY, KIT_NOW,
        KIT_NOW + 89 * DAY };
    for (size_t i = 0; i < sizeof back / sizeof *back; i++) {
        EXPECT_INT(spend_on(s, "q", "a.b", 1, back[i]), KITH_E_SPENT);
        EXPECT(look(s, back[i]).at[0].spent == ONE);
    }
    /* The next period, and its end; then a clock that goes back into the first. */
    EXPECT(look(s, KIT_NOW + 90 * DAY).at[0].spent == 0);
    EXPECT_INT(spend_on(s, "q", "a.b", ONE, KIT_NOW + 90 * DAY), 0);
    EXPECT_INT(spend_on(s, "q", "a.b", 1, KIT_NOW + 2 * DAY), KITH_E_SPENT);
    EXPECT_INT(spend_on(s, "q", "a.b", 1, KIT_NOW + 179 * DAY), KITH_E_SPENT);
    books b = look(s, KIT_NOW + 90 * DAY);
    EXPECT(b.at[0].ever == 2 * ONE && b.at[1].ever == 2 * ONE && b.at[1].spent == ONE);
    /* Granting again, at whatever time, gives nothing back of what was spent. */
    EXPECT_INT(kith_ledger_grant(s, "q", ONE, 90 * DAY, KIT_NOW, NULL), 0);
    EXPECT_INT(spend_on(s, "q", "a.b", 1, KIT_NOW + 2 * DAY), KITH_E_SPENT);
    EXPECT_INT(kith_ledger_grant(s, "q", ONE, DAY, 5, NULL), 0);
    EXPECT_INT(spend_on(s, "q", "a.b", 1, KIT_NOW), KITH_E_SPENT);
    kith_store_close(&s);
}

/* ---- a random walk beside a model ---- */

typedef struct model {
    bool granted;
    uint64_t limit, spent, ever;
    int64_t period, begin, last;
    int64_t number;
} model;

static void model_turn(model *m, int64_t now) {
    if (m->period > 0 && now > m->begin && (now - m->begin) / m->period > m->number) {
        m->number = (now - m->begin) / m->period;
        m->spent = 0;
    }
}

static void a_random_walk_never_overspends(void) {
    static const char *const names[] = { "a", "a-b", "a.b", "b", "a0" };
    static const char *const subjects[] = { "x", "x.y", "x-y", "z" };
    model models[5] = { 0 };
    uint64_t dice = 77, refused = 0, paid = 0;
    int64_t now = KIT_NOW;
    shim.no_disk = true;
    kit_clean();
    kith_store *s = kit_open(NULL);
    long steps = getenv("KITH_SOAK") != NULL ? 20000 : 1500;
    for (long i = 0; i < steps; i++) {
        size_t k = dice_below(&dice, 5);
        model *m = &models[k];
        int64_t jump = (int64_t) dice_below(&dice, 40) * DAY / 4;
        now += dice_below(&dice, 4) == 0 ? -jump : jump / 8; /* clocks go both ways */
        if (dice_below(&dice, 12) == 0) {
            uint64_t limit = dice_below(&dice, 20) * ONE;
            int64_t period = (int64_t) dice_below(&dice, 3) * 10 * DAY;
            EXPECT_INT(kith_ledger_grant(s, names[k], limit, period, now, NULL), 0);
            model_turn(m, now);
            if (!m->granted || m->period != period) {
                m->begin = now > m->last ? now : m->last;
                m->number = 0;
            }
            m->granted = true;
            m->limit = limit;
            m->period = period;
        } else {
            uint64_t rho = 1 + dice_below(&dice, 2 * ONE);
            int r = spend_on(s, names[k], subjects[dice_below(&dice, 4)], rho, now);
            model was = *m;
            if (m->granted) model_turn(m, now);
            bool fits = m->granted && m->spent <= m->limit && rho <= m->limit - m->spent;
            EXPECT_INT(r, fits ? 0 : KITH_E_SPENT);
            if (fits) {
                m->spent += rho;
                m->ever += rho;
                m->last = now > m->last ? now : m->last;
                paid++;
            } else {
                *m = was;
                refused++;
            }
        }
        if (dice_below(&dice, 50) == 0) {
            kith_store_close(&s);
            s = kit_open(NULL);
            EXPECT(s != NULL);
        }
    }
    books b = look(s, now);
    uint64_t ever[5] = { 0 }, shares[5] = { 0 };
    EXPECT(b.count <= 64);
    for (size_t i = 0; i < b.count; i++) {
        for (size_t k = 0; k < 5; k++) {
            if (strcmp(b.at[i].records, names[k]) != 0) continue;
            EXPECT(!b.at[i].locked);
            (b.at[i].subject[0] == '\0' ? ever : shares)[k] += b.at[i].ever;
            if (b.at[i].subject[0] == '\0') {
                model_turn(&models[k], now);
                EXPECT(
                    b.at[i].spent == models[k].spent && b.at[i].limit == models[k].limit);
            }
        }
    }
    for (size_t k = 0; k < 5; k++)
        EXPECT(ever[k] == models[k].ever && shares[k] == ever[k]);
    printf("# %llu paid, %llu refused\n", (unsigned long long) paid,
        (unsigned long long) refused);
    EXPECT(paid > 100 && refused > 100);
    kith_store_close(&s);
}

/* ---- other processes, other lives ---- */

static void processes_never_overspend_together(void) {
    enum {
        PROCESSES = 4,
        SHARES = 150
    };
    pid_t children[PROCESSES];
    int total = 0;
    shim.no_disk = true;
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT_INT(kith_ledger_grant(s, "clinic", SHARES * ONE + ONE / 2, 0, KIT_NOW, NULL), 0);
    kith_store_close(&s);
    for (int c = 0; c < PROCESSES; c++) {
        children[c] = fork();
        if (children[c] == 0) {
            int paid = 0, r = 0;
            kith_store *mine = kit_open(NULL);
            if (mine == NULL) _exit(255);
            while ((r = spend(mine, ONE)) == 0) paid++;
            kith_store_close(&mine);
            _exit(r == KITH_E_SPENT ? paid : 254);
        }
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status = 0;
        EXPECT(waitpid(children[c], &status, 0) == children[c]);
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) < 200);
        total += WEXITSTATUS(status);
    }
    EXPECT_INT(total, SHARES);
    s = kit_open(NULL);
    EXPECT(look(s, KIT_NOW).at[0].spent == SHARES * ONE);
    kith_store_close(&s);
}

static bool raw_sql(const char *sql) {
    sqlite3 *db = NULL;
    bool fine = ki_vfs_register() == SQLITE_OK &&
                sqlite3_open_v2(kit_path("s.db"), &db, SQLITE_OPEN_READWRITE, VFS_NAME) ==
                    SQLITE_OK &&
                sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    if (!fine) printf("# %s\n", sqlite3_errmsg(db));
    (void) sqlite3_close(db);
    return fine;
}

/* In the place of what is there: the file stays the same for the system. */
static bool copy_over(const char *from, const char *to) {
    uint8_t bytes[4096];
    ssize_t n = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC),
        out = open(to, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool fine = in >= 0 && out >= 0;
    while (fine && (n = read(in, bytes, sizeof bytes)) > 0) {
        fine = write(out, bytes, (size_t) n) == n;
    }
    if (in >= 0) (void) close(in);
    if (out >= 0) (void) close(out);
    return fine && n == 0;
}

static void an_account_survives_a_new_schema(void) {
    char from[512], sql[400], hex[2 * LEDGER_BYTES + 1];
    uint8_t bytes[LEDGER_BYTES];
    const char *root = getenv("KITH_SOURCE");
    (void) snprintf(
        from, sizeof from, "%s/tests/golden/store-1.db", root == NULL ? "." : root);
    kit_clean();
    kith_store *s = kit_open(NULL); /* makes the epoch's file */
    EXPECT(s != NULL);
    kith_store_close(&s);
    (void) unlink(kit_path("s.db-wal"));
    (void) unlink(kit_path("s.db-shm"));
    EXPECT(copy_over(from, kit_path("s.db")));
    ki_account a = { .limit = 5 * ONE, .spent = 2 * ONE, .ever = 2 * ONE, .debits = 2 };
    ki_account_format(&a, bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    (void) snprintf(
        sql, sizeof sql, "INSERT INTO state VALUES('" LEDGER_PREFIX "clinic', x'%s')", hex);
    EXPECT(raw_sql(sql));
    EXPECT_INT(kit_number("PRAGMA user_version"), 1);
    s = kit_open(NULL);
    EXPECT(s != NULL);
    EXPECT_INT(kit_number("PRAGMA user_version"), SCHEMA_VERSION);
    EXPECT(!look(s, KIT_NOW).at[0].locked);
    EXPECT_INT(spend(s, 3 * ONE + 1), KITH_E_SPENT);
    EXPECT_INT(spend(s, 3 * ONE), 0);
    kith_store_close(&s);
}

static void a_restored_backup_is_locked_until_granted_again(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT_INT(kith_ledger_grant(s, "clinic", 4 * ONE, 0, KIT_NOW, NULL), 0);
    EXPECT_INT(spend(s, ONE), 0);
    EXPECT_INT(kith_store_backup(s, kit_path("copy"), NULL), 0);
    EXPECT_INT(spend(s, 3 * ONE), 0);
    kith_store_close(&s);
    /* The copy does not know the three. */
    char copy[160];
    (void) snprintf(copy, sizeof copy, "%s", kit_path("copy"));
    EXPECT(rename(copy, kit_path("s.db")) == 0);
    (void) unlink(kit_path("s.db-wal"));
    (void) unlink(kit_path("s.db-shm"));
    s = kit_open(NULL);
    EXPECT(s != NULL);
    kith_account a = look(s, KIT_NOW).at[0];
    EXPECT(a.locked && a.spent == ONE && a.limit == 4 * ONE);
    EXPECT_INT(spend(s, 1), KITH_E_SPENT);
    EXPECT(strstr(err.text, "another life") != NULL);
    EXPECT_INT(kith_ledger_grant(s, "clinic", 2 * ONE, 0, KIT_NOW, NULL), 0);
    EXPECT_INT(spend(s, ONE + 1), KITH_E_SPENT);
    EXPECT_INT(spend(s, ONE), 0);
    kith_store_close(&s);
    s = kit_open(NULL);
    EXPECT(!look(s, KIT_NOW).at[0].locked);
    kith_store_close(&s);
}

static void what_is_salvaged_from_damage_is_locked(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT_INT(kith_ledger_grant(s, "clinic", 4 * ONE, 0, KIT_NOW, NULL), 0);
    EXPECT_INT(spend(s, ONE), 0);
    kith_store_close(&s);
    EXPECT(raw_sql("PRAGMA wal_checkpoint(TRUNCATE)"));
    int fd = open(kit_path("s.db"), O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && pwrite(fd, "x", 1, 4096 + 4000) == 1 && close(fd) == 0);
    kith_store_stat stat;
    s = kit_open_settled(&stat);
    EXPECT(s != NULL && stat.quarantined);
    /* Wherever the damage struck, nothing may be spent unasked. */
    EXPECT_INT(spend(s, 1), KITH_E_SPENT);
    books b = look(s, KIT_NOW);
    printf("# %zu rows came back\n", b.count);
    for (size_t i = 0; i < b.count; i++) EXPECT(b.at[i].locked);
    kith_store_close(&s);
}

static void a_damaged_row_is_told_and_granted_anew(void) {
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT_INT(kith_ledger_grant(s, "clinic", 4 * ONE, 0, KIT_NOW, NULL), 0);
    kith_store_close(&s);
    EXPECT(raw_sql("UPDATE state SET saved = x'00' WHERE name = 'ledger:clinic'"));
    s = kit_open(NULL);
    EXPECT(look(s, KIT_NOW).at[0].locked);
    EXPECT_INT(spend(s, 1), KITH_E_CORRUPT);
    EXPECT_INT(kith_ledger_grant(s, "clinic", ONE, 0, KIT_NOW, NULL), 0);
    EXPECT_INT(spend(s, ONE), 0);
    kith_store_close(&s);
}

/* ---- cuts ---- */

static atomic_uint *acked;

static int spend_with_cut(long at, int how) {
    int status = 0;
    atomic_store(acked, 0);
    pid_t child = fork();
    if (child == 0) {
        shim.folder = kit_folder;
        shim.on = true;
        shim.cut_at = at;
        shim.cut_how = how;
        shim.dice = (uint64_t) at * 7 + (uint64_t) how;
        kith_store *s = kit_open(NULL);
        if (s == NULL) _exit(3);
        for (int i = 0; i < 6; i++) {
            if (spend(s, ONE) != 0) _exit(4);
            (void) atomic_fetch_add(acked, 1);
        }
        kith_store_close(&s);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                    : -1;
}

/* 0 all that was not synced is lost, 1 half of it, 2 sectors, 3 nothing: a kill. */
static void d1_no_cut_gives_back_what_was_spent(void) {
    long cuts = 0, locked = 0, costly = 0;
    shim.no_disk = true;
    acked = mmap(
        NULL, sizeof *acked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(acked != MAP_FAILED);
    for (int how = 0; how < 4; how++) {
        int code = 42;
        for (long at = 1; code == 42; at++, cuts++) {
            kit_clean();
            kith_store *s = kit_open(NULL);
            EXPECT_INT(kith_ledger_grant(s, "clinic", 100 * ONE, 0, KIT_NOW, NULL), 0);
            EXPECT_INT(spend(s, 10 * ONE), 0);
            kith_store_close(&s);
            code = spend_with_cut(at, how);
            (void) unlink(kit_path("s.db-shm"));
            s = kit_open(NULL);
            EXPECT(s != NULL);
            books b = look(s, KIT_NOW);
            uint64_t known = (10 + atomic_load(acked)) * ONE;
            locked += b.at[0].locked;
            if (!b.at[0].locked) {
                EXPECT(b.at[0].ever >= known && b.at[0].ever <= known + ONE);
                costly += b.at[0].ever > known;
            } else {
                EXPECT_INT(spend(s, 1), KITH_E_SPENT);
            }
            kith_store_close(&s);
        }
        EXPECT_INT(code, 0);
    }
    printf("# %ld cuts, %ld cost a debit that nobody used, %ld locked the account\n", cuts,
        costly, locked);
    EXPECT(cuts > 40);
    EXPECT(locked < cuts / 4);
}

static void an_account_as_bytes_has_one_form(void) {
    uint64_t dice = 6;
    for (int i = 0; i < 2000; i++) {
        ki_account a = { .limit = dice_below(&dice, KITH_GRANT_MAX + 1),
            .spent = dice_roll(&dice) >> 8,
            .debits = dice_roll(&dice),
            .life = dice_roll(&dice),
            .period_us = (int64_t) (dice_roll(&dice) >> 1),
            .begin_us = (int64_t) (dice_roll(&dice) >> 1),
            .last_us = (int64_t) (dice_roll(&dice) >> 1),
            .number = dice_roll(&dice) >> 1 };
        a.ever = a.spent + (dice_roll(&dice) >> 8);
        if (a.period_us == 0) a.number = 0;
        uint8_t bytes[LEDGER_BYTES + 1], again[LEDGER_BYTES];
        ki_account back;
        ki_account_format(&a, bytes);
        EXPECT_INT(ki_account_parse(bytes, LEDGER_BYTES, &back), 0);
        ki_account_format(&back, again);
        EXPECT(memcmp(bytes, again, LEDGER_BYTES) == 0);
        EXPECT_INT(ki_account_parse(bytes, LEDGER_BYTES - 1, &back), KITH_E_CORRUPT);
        EXPECT_INT(ki_account_parse(bytes, LEDGER_BYTES + 1, &back), KITH_E_CORRUPT);
        bytes[dice_below(&dice, 8)] ^= 1;
        EXPECT_INT(ki_account_parse(bytes, LEDGER_BYTES, &back), KITH_E_CORRUPT);
    }
}

static const test_case cases[] = {
    { "nothing_is_spent_that_was_not_granted", nothing_is_spent_that_was_not_granted },
    { "arguments_without_meaning_are_refused", arguments_without_meaning_are_refused },
    { "a_clock_set_back_gives_nothing_back", a_clock_set_back_gives_nothing_back },
    { "a_random_walk_never_overspends", a_random_walk_never_overspends },
    { "processes_never_overspend_together", processes_never_overspend_together },
    { "an_account_survives_a_new_schema", an_account_survives_a_new_schema },
    { "a_restored_backup_is_locked_until_granted_again",
        a_restored_backup_is_locked_until_granted_again },
    { "what_is_salvaged_from_damage_is_locked", what_is_salvaged_from_damage_is_locked },
    { "a_damaged_row_is_told_and_granted_anew", a_damaged_row_is_told_and_granted_anew },
    { "d1_no_cut_gives_back_what_was_spent", d1_no_cut_gives_back_what_was_spent },
    { "an_account_as_bytes_has_one_form", an_account_as_bytes_has_one_form },
};
TEST_MAIN(cases)
