/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes at every write, processes die at any moment: what was
 * acknowledged is there afterwards, no sequence comes twice, nothing is damaged.
 * KITH_SOAK=1: 10,000 of each instead of 1,000. */
#include "store/shim.h"

#include "store/kit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    POSTS_MAX = 4096,
};

/* Written by the child, read by the parent: it survives the child. */
typedef struct ledger {
    atomic_uint acked;
    uint8_t ids[POSTS_MAX][KITH_ID_SIZE];
    uint64_t epoch[POSTS_MAX], seq[POSTS_MAX];
    atomic_ulong last_epoch; /* seen over all lives */
} ledger;

static ledger *book;

static long rounds(void) {
    const char *soak = getenv("KITH_SOAK");
    return soak != NULL && soak[0] == '1' ? 10000 : 1000;
}

/* The same each time; in a soak others, which are printed. SEED repeats them. */
static uint64_t dice_of(uint64_t fixed) {
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : fixed;
    if (given == NULL && rounds() > 1000) ki_dice_system(&seed, sizeof seed);
    printf("# SEED=%llu\n", (unsigned long long) seed);
    return seed;
}

static void make_ledger(void) {
    shim.no_disk = true;
    if (book == NULL) {
        book = mmap(
            NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    memset(book, 0, sizeof *book);
}

static kith_store *open_here(void) {
    char url[160];
    kith_store *s = NULL;
    kith_error err = { 0 };
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    if (kith_store_open(&s, url, &err) < 0) printf("# open: %s\n", err.text);
    return s;
}

static void acknowledge(const kith_post *p) {
    unsigned n = atomic_load(&book->acked);
    if (n < POSTS_MAX) {
        memcpy(book->ids[n], p->id, KITH_ID_SIZE);
        book->epoch[n] = p->content.epoch;
        book->seq[n] = p->content.seq;
        atomic_store(&book->acked, n + 1);
    }
}

/* One life: open, perhaps begin a run, post, close. Ends in shim_cut or here. */
static void live(uint64_t seed, int posts) {
    kith_key *key = kit_key(1);
    kith_store *s = open_here();
    if (s == NULL) _exit(3);
    if (seed % 2 == 0 && kith_store_begin_run(s, NULL) < 0) _exit(4);
    for (int i = 0; i < posts; i++) {
        kith_post p[3];
        size_t n = 1 + (seed + (uint64_t) i) % 3;
        for (size_t k = 0; k < n; k++) {
            p[k] = (kith_post){ .content = kit_leaf("a.b", i % 1000) };
        }
        if (kith_store_post(s, key, p, n, kit_at(KIT_NOW), NULL) < 0) _exit(5);
        for (size_t k = 0; k < n; k++) {
            if (p[k].result != 0) _exit(6);
            acknowledge(&p[k]);
        }
        while (atomic_load(&book->acked) == POSTS_MAX) {
            (void) pause(); /* the one who kills us is late, and the book is full */
        }
        if (i % 5 == 4)
            (void) !kith_store_save(s, "cursor", &i, sizeof i, i % 2 == 0, NULL);
    }
    kith_store_close(&s);
    _exit(0);
}

static void reboot(void) {
    (void) unlink(kit_path("s.db-shm"));
}

typedef struct census {
    size_t count, doubled;
    uint64_t epoch[POSTS_MAX * 2], seq[POSTS_MAX * 2];
    uint8_t ids[POSTS_MAX * 2][KITH_ID_SIZE];
} census;

static int count_in(void *ctx, const kith_record *r) {
    census *c = ctx;
    kith_content content;
    if (kith_packet_decode(r->packet.bytes, r->packet.length, &content) != 0 ||
        c->count == POSTS_MAX * 2) {
        return KITH_STOP;
    }
    c->epoch[c->count] = content.epoch;
    c->seq[c->count] = content.seq;
    memcpy(c->ids[c->count++], r->id, KITH_ID_SIZE);
    return 0;
}

/* Acknowledged, and not in the store. */
static long missing(kith_store *s) {
    static census c;
    c.count = 0;
    kith_query q = { .now_us = KIT_NOW };
    long lost = 0;
    if (kith_store_find(s, &q, count_in, &c, NULL) < 0) return -1;
    for (unsigned i = 0; i < atomic_load(&book->acked); i++) {
        bool found = false;
        for (size_t k = c.count; k-- > 0 && !found;) {
            found = memcmp(c.ids[k], book->ids[i], KITH_ID_SIZE) == 0;
        }
        lost += !found;
    }
    return lost;
}

/* The same place acknowledged for two packets. */
static long doubled(void) {
    long n = 0;
    unsigned acked = atomic_load(&book->acked);
    for (unsigned i = 0; i < acked; i++) {
        for (unsigned k = i + 1; k < acked; k++) {
            n += book->epoch[i] == book->epoch[k] && book->seq[i] == book->seq[k];
        }
    }
    return n;
}

/* Salvage, if there is any, ends before close returns the file to us. */
static kith_store *open_settled(void) {
    kith_store *s = open_here();
    kith_store_stat stat = { .salvaging = true };
    while (s != NULL && stat.salvaging && kith_store_stats(s, &stat, NULL) == 0) {
        (void) usleep(100);
    }
    return s;
}

/* Files set aside as damaged: neither a kill nor a cut damages anything. */
static long set_aside(void) {
    DIR *dir = opendir(kit_folder);
    long n = 0;
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL;
         e = readdir(dir)) {
        n += strstr(e->d_name, ".damaged-") != NULL || strstr(e->d_name, ".salvaged-");
    }
    if (dir != NULL) (void) closedir(dir);
    return n;
}

static void d1_power_cuts_lose_nothing_acknowledged(void) {
    long total = rounds(), cuts = 0, lost = 0, corrupt = 0, twice = 0, aside = 0;
    uint64_t dice = dice_of(20261121);
    for (long k = 0; cuts < total; k++) {
        bool fresh = k % 8 == 0; /* else: the same store, cut again and again */
        if (fresh) {
            kit_clean();
            make_ledger();
        }
        long cut_at = 1 + (long) dice_below(&dice, 260);
        uint64_t seed = dice_roll(&dice);
        pid_t child = fork();
        if (child == 0) {
            shim.on = true;
            shim.folder = kit_folder;
            shim.dice = seed;
            shim.cut_at = cut_at;
            shim.cut_how = (int) (seed % 3);
            live(seed, 12);
        }
        int status = 0;
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(WIFEXITED(status));
        EXPECT(WEXITSTATUS(status) == 42 || WEXITSTATUS(status) == 0);
        cuts += WEXITSTATUS(status) == 42;
        reboot();
        if (k % 8 != 7 && k % 3 != 0) continue; /* look now and then, not each time */
        kith_store *s = open_settled();
        EXPECT(s != NULL);
        long gone = missing(s);
        EXPECT(gone >= 0);
        lost += gone;
        twice += doubled();
        kith_store_close(&s);
        aside += set_aside();
        char url[160];
        kith_error err = { 0 };
        (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
        corrupt += kith_store_check(url, &err) != 0;
        if (err.code != 0) printf("# %s\n", err.text);
    }
    printf("# %ld cuts: %ld acknowledged lost, %ld corrupt, %ld sequences twice, %ld files "
           "taken for damaged\n",
        cuts, lost, corrupt, twice, aside);
    EXPECT_INT(aside, 0);
    EXPECT_INT(lost, 0);
    EXPECT_INT(corrupt, 0);
    EXPECT_INT(twice, 0);
}

static void d2_kills_lose_nothing_acknowledged(void) {
    long total = rounds(), lost = 0, corrupt = 0, twice = 0, aside = 0;
    uint64_t dice = dice_of(7);
    for (long k = 0; k < total; k++) {
        if (k % 20 == 0) {
            kit_clean();
            make_ledger();
        }
        unsigned from = atomic_load(&book->acked);
        uint64_t seed = dice_roll(&dice);
        /* In each tenth life of a store enough for a checkpoint, and a log begun anew. */
        unsigned most = k / 20 % 10 == 0 ? 400 : 8;
        unsigned want = from + (unsigned) (seed >> 8) % most;
        pid_t child = fork();
        if (child == 0) live(seed, 1000000);
        /* Kill it some instants after it acknowledged something. */
        int status = 0;
        bool ended = false;
        want = want < POSTS_MAX ? want : POSTS_MAX;
        while (!ended && atomic_load(&book->acked) < want) {
            ended = waitpid(child, &status, WNOHANG) == child;
        }
        for (volatile uint64_t spin = seed % 200000; spin > 0; spin--) {
        }
        if (ended) printf("# the child ended by itself, status %d\n", status);
        EXPECT(!ended);
        EXPECT(kill(child, SIGKILL) == 0);
        EXPECT(waitpid(child, &status, 0) == child);
        if (k % 20 != 19) continue;
        kith_store *s = open_settled();
        EXPECT(s != NULL);
        lost += missing(s);
        twice += doubled();
        kith_store_close(&s);
        aside += set_aside();
        char url[160];
        (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
        corrupt += kith_store_check(url, NULL) != 0;
    }
    printf(
        "# %ld kills: %ld acknowledged lost, %ld corrupt, %ld sequences twice, %ld files "
        "taken for damaged\n",
        total, lost, corrupt, twice, aside);
    EXPECT_INT(aside, 0);
    EXPECT_INT(lost, 0);
    EXPECT_INT(corrupt, 0);
    EXPECT_INT(twice, 0);
}

static void a_lone_poster_pays_one_fsync(void) {
    kit_clean();
    make_ledger();
    kith_key *key = kit_key(1);
    kith_store *s = open_here();
    EXPECT(s != NULL);
    EXPECT_INT(kith_store_begin_run(s, NULL), 0);
    EXPECT_INT(kit_post(s, key, "a.b", 0, NULL), 0); /* begins the log: two more */
    for (int i = 0; i < 5; i++) {
        long before = atomic_load(&shim_syncs);
        EXPECT_INT(kit_post(s, key, "a.b", i, NULL), 0);
        EXPECT_INT(atomic_load(&shim_syncs) - before, 1);
    }
    kith_key_free(&key);
    kith_store_close(&s);
}

static const test_case cases[] = {
    { "a_lone_poster_pays_one_fsync", a_lone_poster_pays_one_fsync },
    { "d1_power_cuts_lose_nothing_acknowledged", d1_power_cuts_lose_nothing_acknowledged },
    { "d2_kills_lose_nothing_acknowledged", d2_kills_lose_nothing_acknowledged },
};
TEST_MAIN(cases)
