/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite gets no memory, once or for ever, at each allocation of a whole life of a store:
 * an error, and nothing else. The store that was there is whole, what was acknowledged is
 * in it, and the same handle goes on when there is memory again. KITH_SOAK=1: at each
 * allocation; else at each seventh, the next time beginning where SEED says. */
#include "store/shim.h"

#include "store/kit.h"

#include <sqlite3.h>

enum {
    PACKETS = 16,
    BATCH = 8,
    FILE_MAX = 1 << 20,
};

/* ---- SQLite's memory ---- */

static struct {
    long left; /* until it fails; 0: never */
    long failures;
    bool for_ever;
} starve;
static sqlite3_mem_methods plain;

static bool fails(void) {
    bool now = starve.left == 1;
    starve.left -= starve.left > 1 || (now && !starve.for_ever);
    starve.failures += now;
    return now;
}
static void *starved_malloc(int size) {
    return fails() ? NULL : plain.xMalloc(size);
}
static void *starved_realloc(void *old, int size) {
    return fails() ? NULL : plain.xRealloc(old, size);
}

/* Before SQLite wakes up. */
static void take_over(void) {
    static bool done;
    if (!done) {
        (void) sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
        sqlite3_mem_methods ours = plain;
        ours.xMalloc = starved_malloc;
        ours.xRealloc = starved_realloc;
        done = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK;
    }
    shim.no_disk = true;
}

/* ---- one life ---- */

static const char *const names[] = { "s.db", "s.db-wal", "s.db-epoch" };
static struct {
    ssize_t size;
    uint8_t at[FILE_MAX];
} kept[3];

/* A store that was not closed, as every life here finds it. */
static bool keep(void) {
    kit_clean();
    kit_leave_log(PACKETS);
    bool good = true;
    for (int i = 0; i < 3; i++) {
        int fd = open(kit_path(names[i]), O_RDONLY);
        kept[i].size = fd < 0 ? -1 : read(fd, kept[i].at, FILE_MAX);
        good = good && kept[i].size > 0 && kept[i].size < FILE_MAX;
        if (fd >= 0) (void) close(fd);
    }
    return good;
}

static bool lay(void) {
    bool good = true;
    kit_clean();
    for (int i = 0; i < 3; i++) {
        int fd = open(kit_path(names[i]), O_WRONLY | O_CREAT | O_EXCL, 0600);
        good =
            good && fd >= 0 && write(fd, kept[i].at, (size_t) kept[i].size) == kept[i].size;
        if (fd >= 0) (void) close(fd);
    }
    return good;
}

typedef struct life {
    kith_key *key, *other;
    kith_packet
        in[BATCH]; /* what a carrier brings: one twice, one under another's number */
    kith_post post, after;
    kith_arrival brought[BATCH];
    bool posted, admitted, posted_after;
    int worst; /* the first code that nobody may see */
} life;

static void judge(life *l, int r) {
    bool fair = r >= 0 || r == KITH_E_MEMORY || r == KITH_E_SYSTEM || r == KITH_E_MISSING;
    if (!fair && l->worst == 0) l->worst = r;
}

static int any_way(void *ctx, const char *way) {
    (void) ctx, (void) way;
    return 0;
}
static int any_record(void *ctx, const kith_record *record) {
    (void) record;
    ++*(size_t *) ctx;
    return 0;
}

static void ask(life *l, kith_store *s) {
    size_t n = 0;
    char saved[8];
    kith_store_stat stat;
    kith_content content = kit_leaf("in.x", 1);
    const kith_query all[] = {
        { .pattern = "*.>", .now_us = KIT_NOW },
        { .pattern = "*.b", .newest_first = true, .limit = 5, .now_us = KIT_NOW },
        { .by_subject = true, .now_us = KIT_NOW },
        { .id = l->post.id, .id_length = 4, .now_us = KIT_NOW },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        judge(l, kith_store_find(s, &all[i], any_record, &n, NULL));
    }
    judge(l, kith_store_latest(s, ">", KIT_NOW, any_record, &n, NULL));
    judge(l, kith_store_outbox(s, "dir", true, 0, 0, KIT_NOW, any_record, &n, NULL));
    judge(l, kith_store_ways(s, 1, any_way, NULL, NULL));
    judge(l, kith_store_proofs(s, any_record, &n, NULL));
    judge(l, kith_store_knows(s, &content, l->post.id));
    judge(l, kith_store_load(s, "cursor", saved, sizeof saved, &n));
    judge(l, kith_store_stats(s, &stat, NULL));
    (void) kith_store_version(s);
    (void) kith_store_wake_fd(s);
}

static void write_all(life *l, kith_store *s) {
    l->post = (kith_post){ .content = kit_leaf("own.a", 1) };
    int r = kith_store_post(s, l->key, &l->post, 1, kit_at(KIT_NOW), NULL);
    l->posted = r == 0 && l->post.result == 0;
    judge(l, r);
    for (size_t i = 0; i < BATCH; i++) {
        l->brought[i] = (kith_arrival){ .packet = l->in[i], .way = "dir", .result = -1 };
    }
    r = kith_store_admit(s, l->brought, BATCH, kit_at(KIT_NOW), NULL);
    l->admitted = r == 0;
    judge(l, r);
    judge(l, kith_store_save(s, "soon", "y", 1, false, NULL));
    judge(l, kith_store_save(s, "now", "y", 1, true, NULL));
    judge(l, kith_store_prune(s, KIT_NOW, 100, NULL));
}

/* Starving from the n-th allocation on; then once more with memory, by the same handle. */
static void live(life *l, long n, bool for_ever) {
    kith_store *s = NULL;
    starve.failures = 0;
    starve.for_ever = for_ever;
    starve.left = n;
    int r = kith_store_open(&s, kit_url(), NULL);
    judge(l, r);
    if (r == 0) {
        if (n % 2 == 0) judge(l, kith_store_begin_run(s, NULL));
        write_all(l, s);
        ask(l, s);
        judge(l, kith_store_backup(s, kit_path("copy.db"), NULL));
        judge(l, kith_store_check(kit_url(), NULL));
        if (!for_ever) starve.left = 0;
        if (n % 3 == 0) starve.left = 0;
        l->after = (kith_post){ .content = kit_leaf("own.b", 1) };
        r = kith_store_post(s, l->key, &l->after, 1, kit_at(KIT_NOW), NULL);
        l->posted_after = r == 0 && l->after.result == 0;
        judge(l, starve.left == 0 && !l->posted_after ? KITH_E_CLOSED : 0);
        kith_store_close(&s);
    }
    starve.left = 0;
}

static bool is_there(kith_store *s, const uint8_t id[KITH_ID_SIZE]) {
    size_t n = 0;
    const kith_query q = { .id = id, .id_length = KITH_ID_SIZE, .now_us = KIT_NOW };
    return kith_store_find(s, &q, any_record, &n, NULL) == 0 && n == 1;
}

/* Whole, nothing set aside, and all that was said to be safe. */
static bool kept_all(const life *l) {
    kith_store_stat stat = { 0 };
    bool whole = kith_store_check(kit_url(), NULL) == 0;
    kith_store *s = kit_open_settled(&stat);
    bool good = whole && s != NULL && !stat.quarantined && stat.packets >= PACKETS + 1;
    good = good && (!l->posted || is_there(s, l->post.id));
    good = good && (!l->posted_after || is_there(s, l->after.id));
    for (size_t i = 0; good && l->admitted && i < BATCH; i++) {
        uint8_t id[KITH_ID_SIZE];
        kith_packet_id(&l->in[i], id);
        good = l->brought[i].result != 0 || is_there(s, id);
    }
    kith_store_close(&s);
    return good;
}

static void pack(life *l) {
    l->key = kit_key(1);
    l->other = kit_key(9);
    for (size_t i = 0; i < BATCH; i++) {
        l->in[i] = kit_packet(l->other, "in.x", 1, 1 + i, (double) i);
    }
    l->in[BATCH - 2] = l->in[0];
    l->in[BATCH - 1] = kit_packet(l->other, "in.x", 1, 1, 99); /* a proof */
}

static void sweep(bool for_ever) {
    const char *soak = getenv("KITH_SOAK"), *seed = getenv("SEED");
    long step = soak != NULL && soak[0] == '1' ? 1 : 7, sites = 0, lost = 0, odd = 0;
    take_over();
    EXPECT(keep());
    for (long n = 1 + (seed == NULL ? 0 : atol(seed) % step);; n += step) {
        life l = { 0 };
        pack(&l);
        EXPECT(lay());
        live(&l, n, for_ever);
        bool last = starve.failures == 0;
        bool good = kept_all(&l);
        if (l.worst != 0 || !good) printf("# allocation %ld: %d, %d\n", n, l.worst, good);
        odd += l.worst != 0;
        lost += !good;
        kith_key_free(&l.key);
        kith_key_free(&l.other);
        if (last) {
            EXPECT(l.posted && l.admitted && l.posted_after);
            break;
        }
        sites++;
    }
    printf("# %ld of SQLite's allocations: %ld unfair answers, %ld stores not whole\n",
        sites, odd, lost);
    EXPECT_INT(odd, 0);
    EXPECT_INT(lost, 0);
    EXPECT(sites > 100);
}

static void p7_an_allocation_of_sqlite_fails_once(void) {
    sweep(false);
}
static void p7_an_allocation_of_sqlite_fails_and_all_behind_it(void) {
    sweep(true);
}

static const test_case cases[] = {
    { "p7_an_allocation_of_sqlite_fails_once", p7_an_allocation_of_sqlite_fails_once },
    { "p7_an_allocation_of_sqlite_fails_and_all_behind_it",
        p7_an_allocation_of_sqlite_fails_and_all_behind_it },
};
TEST_MAIN(cases)
