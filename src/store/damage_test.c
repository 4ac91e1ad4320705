/* SPDX-License-Identifier: Apache-2.0 */
/* Bits flip: found, said, and brought back where that can be. KITH_SOAK=1: 10,000 flips
 * instead of 1,000. */
#include "store/shim.h"

#include "store/epoch.h"
#include "store/kit.h"
#include "store/log.h"
#include "store/vfs.h"

#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    PACKETS = 16,
    FILE_MAX = 4 << 20,
};

typedef struct bytes {
    size_t size;
    uint8_t at[FILE_MAX];
} bytes;

static bool slurp(const char *name, bytes *ret) {
    int fd = open(kit_path(name), O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, ret->at, sizeof ret->at);
    ret->size = n > 0 ? (size_t) n : 0;
    if (fd >= 0) (void) close(fd);
    return fd >= 0;
}

static bool spew(const char *name, const bytes *b) {
    int fd = open(kit_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    bool done = fd >= 0 && write(fd, b->at, b->size) == (ssize_t) b->size;
    if (fd >= 0) (void) close(fd);
    return done;
}

static long flips(void) {
    const char *soak = getenv("KITH_SOAK");
    return soak != NULL && soak[0] == '1' ? 10000 : 1000;
}

/* Each flip: check says so, open gives a store that works, under a higher epoch if
 * anything was set aside; the flip back, and all is whole again. */
static void flip_each(
    const char *name, long count, uint64_t seed, size_t size, size_t *ret_back) {
    static bytes whole[3], bad;
    static const char *const names[] = { "s.db", "s.db-wal", "s.db-epoch" };
    size_t which = strcmp(name, "s.db") == 0 ? 0 : 1;
    for (size_t i = 0; i < 3; i++) EXPECT(slurp(names[i], &whole[i]));
    bad = whole[which];
    size = size == 0 ? bad.size : size;
    EXPECT(size > 0 && bad.size >= size);
    long unseen = 0, unopened = 0, worse = 0;
    size_t least = SIZE_MAX;
    for (long k = 0; k < count; k++) {
        uint64_t bit = dice_below(&seed, size * 8);
        kit_clean();
        bad.at[bit / 8] ^= (uint8_t) (1 << bit % 8);
        for (size_t i = 0; i < 3; i++)
            EXPECT(spew(names[i], i == which ? &bad : &whole[i]));
        if (kith_store_check(kit_url(), NULL) != KITH_E_CORRUPT) {
            unseen++;
            printf("# unseen: %s byte %llu bit %llu\n", name, (unsigned long long) bit / 8,
                (unsigned long long) bit % 8);
        }
        (void) unlink(kit_path("s.db-shm"));
        kith_store_stat stat = { 0 };
        kith_store *s = kit_open_settled(&stat);
        unopened += s == NULL;
        if (s != NULL) {
            kit_list l = kit_find(s, &(kith_query){ 0 });
            size_t have = l.count;
            least = have < least ? have : least;
            worse += !stat.quarantined;
            kith_key *key = kit_key(1);
            kith_post p;
            EXPECT_INT(kit_post(s, key, "a.b", 1, &p), 0);
            EXPECT(p.content.epoch > 1);
            kith_key_free(&key);
            kith_store_close(&s);
        }
        bad.at[bit / 8] ^= (uint8_t) (1 << bit % 8);
    }
    printf("# %s: %ld flips, %ld unseen by check, %ld by open, %ld not opened, at worst "
           "%zu of "
           "%d packets back\n",
        name, count, unseen, worse, unopened, least, PACKETS + 1);
    *ret_back = least;
    EXPECT_INT(unseen, 0);
    EXPECT_INT(worse, 0);
    EXPECT_INT(unopened, 0);
}

static void d5_a_flipped_bit_in_the_live_log_is_found(void) {
    size_t back = 0;
    kit_clean();
    shim.no_disk = true;
    kit_leave_log(PACKETS);
    ki_log log;
    EXPECT_INT(ki_log_scan(kit_path("s.db-wal"), &log, NULL, NULL, NULL), 0);
    EXPECT(!log.damaged && log.committed > 20); /* behind it lies what an older log left */
    flip_each(
        "s.db-wal", flips() / 2, 5, WAL_HEADER + log.committed * (size_t) WAL_FRAME, &back);
    EXPECT(back >= PACKETS - 1); /* the log holds most pages many times over */
}

static void d5_a_flipped_bit_in_any_page_is_found(void) {
    size_t back = 0;
    kit_clean();
    shim.no_disk = true;
    kit_leave_log(PACKETS);
    kith_store *s = kit_open(NULL); /* and closed: everything moves to the pages */
    EXPECT(s != NULL);
    kith_store_close(&s);
    flip_each("s.db", flips() - flips() / 2, 6, 0, &back);
}

static void d5_a_damaged_epoch_file_leads_to_no_reuse(void) {
    static bytes whole, bad;
    kith_key *key = kit_key(1);
    kit_clean();
    kit_leave_log(3);
    EXPECT(slurp("s.db-epoch", &whole));
    uint64_t last = 1;
    for (int k = 0; k < 40; k++) {
        bad = whole;
        uint64_t dice = (uint64_t) k;
        bad.at[dice_below(&dice, 64)] ^= 1; /* one copy: the other serves */
        if (k % 2 == 1) bad.at[512 + dice_below(&dice, 64)] ^= 1; /* both: leap */
        EXPECT(spew("s.db-epoch", &bad));
        kith_store *s = kit_open(NULL);
        kith_post p;
        EXPECT(s != NULL);
        EXPECT_INT(kith_store_begin_run(s, NULL), 0);
        EXPECT_INT(kit_post(s, key, "a.b", 1, &p), 0);
        EXPECT(p.content.epoch > last);
        last = p.content.epoch;
        kith_store_close(&s);
        EXPECT(slurp("s.db-epoch", &whole));
    }
    kith_key_free(&key);
}

/* The power went while a start wrote both copies in place: one of them is older. */
static void d2_an_epoch_half_risen_is_no_damage(void) {
    static bytes whole;
    kith_key *key = kit_key(1);
    kit_clean();
    kit_leave_log(3);
    EXPECT(slurp("s.db-epoch", &whole));
    for (int copy = 0; copy < 2; copy++) {
        ki_epoch was = { 0 }, e = { 0 };
        uint8_t risen[EPOCH_FILE_SIZE];
        EXPECT_INT(ki_epoch_parse(whole.at, whole.size, &was), 0);
        EXPECT_INT(was.partial, 0);
        e = was;
        e.epoch += 7;
        ki_epoch_format(&e, risen);
        memcpy(whole.at + copy * 512, risen + copy * 512, 64);
        EXPECT_INT(ki_epoch_parse(whole.at, whole.size, &e), 0);
        EXPECT_INT(e.epoch, was.epoch + 7);
        EXPECT_INT(e.partial, 2);
        EXPECT(spew("s.db-epoch", &whole));
        EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
        kith_store *s = kit_open(NULL); /* opening makes them equal again */
        EXPECT(s != NULL && slurp("s.db-epoch", &whole));
        EXPECT_INT(ki_epoch_parse(whole.at, whole.size, &e), 0);
        EXPECT_INT(e.partial, 0);
        kith_post p;
        EXPECT_INT(kit_post(s, key, "a.b", 1, &p), 0);
        EXPECT_INT(p.content.epoch, was.epoch + 7);
        EXPECT_INT(kith_store_begin_run(s, NULL), 0);
        EXPECT_INT(kit_post(s, key, "a.b", 1, &p), 0);
        EXPECT_INT(p.content.epoch, was.epoch + 8);
        kith_store_close(&s);
        EXPECT(slurp("s.db-epoch", &whole));
    }
    kith_key_free(&key);
}

/* The old file goes away bit by bit; own packets and small state come back. */
static void quarantine_brings_back_what_it_can(void) {
    static bytes page;
    kit_clean();
    kit_leave_log(PACKETS);
    kith_store *s = kit_open(NULL);
    EXPECT(s != NULL);
    kith_store_close(&s);
    EXPECT(slurp("s.db", &page));
    page.at[100] ^= 1; /* in the schema: SQLite can do nothing with it */
    EXPECT(spew("s.db", &page));
    kith_store_stat stat = { 0 };
    s = kit_open_settled(&stat);
    EXPECT(s != NULL);
    EXPECT(stat.quarantined && strstr(stat.quarantine, "damaged-1") != NULL);
    EXPECT_INT(stat.salvaged, PACKETS + 1);
    EXPECT_INT(kit_find(s, &(kith_query){ .origin = KITH_ORIGIN_OWN }).count, PACKETS);
    kit_list l = kit_find(s, &(kith_query){ .newest_first = true });
    EXPECT_INT(l.count, PACKETS + 1);
    EXPECT(l.arrivals[0] > UINT64_C(1) << 40); /* old cursors lie below */
    kith_store_close(&s);
    s = kit_open_settled(&stat);
    EXPECT(s != NULL && !stat.quarantined);
    EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
    kith_store_close(&s);
}

/* Too large to be read at each open: a run reads it, or whoever asks for the page. */
static void a_large_store_is_looked_through_when_a_run_begins(void) {
    static bytes page;
    static kith_post posts[1000];
    kith_key *key = kit_key(1);
    kith_store_stat stat;
    kit_clean();
    kith_store *s = kit_open(NULL);
    for (int k = 0; k < 24; k++) {
        for (int i = 0; i < 1000; i++) {
            char subject[32];
            (void) snprintf(subject, sizeof subject, "large.s%d", i);
            posts[i] = (kith_post){ .content = kit_leaf(subject, i) };
        }
        EXPECT_INT(kith_store_post(s, key, posts, 1000, kit_at(KIT_NOW), NULL), 0);
    }
    kith_store_close(&s);
    int fd = open(kit_path("s.db"), O_RDWR);
    EXPECT(lseek(fd, 0, SEEK_END) > 8 << 20);
    EXPECT(pread(fd, page.at, 1, 5000000) == 1);
    page.at[0] ^= 4;
    EXPECT(pwrite(fd, page.at, 1, 5000000) == 1);
    (void) close(fd);
    s = kit_open(NULL);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(!stat.quarantined);
    EXPECT_INT(kith_store_begin_run(s, NULL), 0);
    stat.salvaging = true;
    while (stat.salvaging && kith_store_stats(s, &stat, NULL) == 0) (void) usleep(1000);
    EXPECT(stat.quarantined);
    EXPECT(stat.salvaged >= 23900);
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void a_foreign_database_is_left_alone(void) {
    kit_clean();
    static bytes b;
    memcpy(b.at, "SQLite format 3", 16);
    b.size = 8192;
    EXPECT(spew("s.db", &b));
    kith_error err = { 0 };
    EXPECT(kit_open(&err) == NULL);
    EXPECT(err.code == KITH_E_CORRUPT || err.code == KITH_E_DENIED);
    static bytes after;
    EXPECT(slurp("s.db", &after));
    EXPECT(after.size == b.size && memcmp(after.at, b.at, b.size) == 0);
}

static void a_backup_opens_under_a_raised_epoch(void) {
    kith_key *key = kit_key(1);
    kith_post p, q;
    char url[160];
    kit_clean();
    kith_store *s = kit_open(NULL), *copy = NULL;
    EXPECT(s != NULL);
    for (int i = 0; i < 20; i++) EXPECT_INT(kit_post(s, key, "a.b", i, &p), 0);
    char path[128];
    (void) snprintf(path, sizeof path, "%s", kit_path("copy.db"));
    EXPECT_INT(kith_store_backup(s, path, NULL), 0);
    EXPECT(kith_store_backup(s, path, NULL) < 0);
    EXPECT_INT(kit_post(s, key, "a.b", 21, &p), 0);
    (void) snprintf(url, sizeof url, "sqlite:%s", path);
    EXPECT_INT(kith_store_check(url, NULL), 0);
    EXPECT_INT(kith_store_open(&copy, url, NULL), 0);
    EXPECT_INT(kit_find(copy, &(kith_query){ 0 }).count, 20);
    EXPECT_INT(kit_post(copy, key, "a.b", 5, &q), 0);
    EXPECT(q.content.epoch > p.content.epoch);
    kith_key_free(&key);
    kith_store_close(&copy);
    kith_store_close(&s);
}

static const test_case cases[] = {
    { "d5_a_flipped_bit_in_the_live_log_is_found",
        d5_a_flipped_bit_in_the_live_log_is_found },
    { "d5_a_flipped_bit_in_any_page_is_found", d5_a_flipped_bit_in_any_page_is_found },
    { "d5_a_damaged_epoch_file_leads_to_no_reuse",
        d5_a_damaged_epoch_file_leads_to_no_reuse },
    { "d2_an_epoch_half_risen_is_no_damage", d2_an_epoch_half_risen_is_no_damage },
    { "quarantine_brings_back_what_it_can", quarantine_brings_back_what_it_can },
    { "a_large_store_is_looked_through_when_a_run_begins",
        a_large_store_is_looked_through_when_a_run_begins },
    { "a_foreign_database_is_left_alone", a_foreign_database_is_left_alone },
    { "a_backup_opens_under_a_raised_epoch", a_backup_opens_under_a_raised_epoch },
};
TEST_MAIN(cases)
