/* SPDX-License-Identifier: Apache-2.0 */
/* A private post: paid, drawn and posted in the one order that never leaks. */
#include "store/shim.h"

#include "store/kit.h"

#include <kith/ledger.h>

#include "base/dice.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define ONE KITH_RHO_ONE

static kith_key *key;
static kith_error err;

static kith_store *begin(uint64_t rho) {
    kit_clean();
    if (key == NULL) key = kit_key(1);
    kith_store *s = kit_open(NULL);
    if (s != NULL && kith_ledger_grant(s, "clinic", rho, 0, KIT_NOW, NULL) < 0) {
        kith_store_close(&s);
    }
    return s;
}

static kith_release records(uint32_t n, double rho) {
    kith_release_options o = { .lower = 0, .upper = 1, .rho = rho };
    kith_release r = { 0 };
    if (kith_release_init(&r, &o, &err) < 0) return r;
    for (uint32_t i = 0; i < n; i++) (void) !kith_release_add(&r, 0.25 + 0.5 * (i % 2));
    return r;
}

static kith_post post_of(const char *subject) {
    kith_post p = { .content = { .t_end_us = KIT_NOW, .ttl_s = 3600 } };
    (void) snprintf(
        p.content.address.subject, sizeof p.content.address.subject, "%s", subject);
    return p;
}

static int send(kith_store *s, kith_release *r, kith_post *p) {
    return kith_ledger_post(s, key, "clinic", r, p, kit_at(KIT_NOW), &err);
}

typedef struct sums {
    uint64_t spent, ever, debits;
    size_t packets;
} sums;

static int add_account(void *ctx, const kith_account *a) {
    sums *t = ctx;
    if (a->subject[0] == '\0') {
        t->spent += a->spent;
        t->ever += a->ever;
        t->debits += a->debits;
    }
    return 0;
}

static int add_packet(void *ctx, const kith_record *record) {
    sums *t = ctx;
    (void) record;
    t->packets++;
    return 0;
}

static sums look(kith_store *s) {
    sums t = { 0 };
    kith_query all = { .now_us = KIT_NOW };
    if (kith_ledger_each(s, KIT_NOW, add_account, &t, NULL) < 0 ||
        kith_store_find(s, &all, add_packet, &t, NULL) < 0) {
        t.debits = 999;
    }
    return t;
}

static bool same(sums a, sums b) {
    return a.spent == b.spent && a.ever == b.ever && a.debits == b.debits &&
           a.packets == b.packets;
}

static void a_private_post_is_paid_and_noisy(void) {
    kith_store *s = begin(2 * ONE);
    EXPECT(s != NULL);
    kith_release r = records(50, 1);
    uint64_t price = r.rho;
    kith_post p = post_of("a.b");
    EXPECT_INT(send(s, &r, &p), 0);
    EXPECT_INT(p.result, 0);
    EXPECT_INT(r.n, 0);
    kith_content c;
    EXPECT_INT(kith_packet_decode(p.packet.bytes, p.packet.length, &c), 0);
    EXPECT(c.has == (KITH_HAS_EFFECT | KITH_HAS_COVARIANCE | KITH_HAS_PRIVACY));
    EXPECT(c.n == 50 && c.mechanism == KITH_NOISE_GAUSS && c.measure == KITH_MEAN);
    EXPECT((double) c.rho * (double) ONE >= (double) price && c.v_dp > 0);
    EXPECT(c.covariance[0] > (double) c.v_dp);
    sums t = look(s);
    EXPECT(t.spent == price && t.debits == 1 && t.packets == 1);
    kith_store_close(&s);
}

static void what_is_refused_costs_nothing(void) {
    kith_store *s = begin(ONE);
    sums before = look(s);
    kith_release few = records(19, 0.1), r = records(40, 0.1), dear = records(40, 3);
    kith_post p = post_of("a.b");
    EXPECT_INT(send(s, &few, &p), KITH_EMPTY); /* below k */
    EXPECT(strstr(err.text, "19 records are fewer than 20") != NULL);
    EXPECT_INT(few.n, 19);
    p.content.has = KITH_HAS_TEXT;
    (void) snprintf(p.content.text, sizeof p.content.text, "x");
    p.content.text_length = 1;
    EXPECT_INT(send(s, &r, &p), KITH_R_PRIVACY);
    p = post_of("a.b");
    p.content.has = KITH_HAS_CONCLUSION;
    p.content.conclusion = 3;
    EXPECT_INT(send(s, &r, &p), KITH_R_PRIVACY);
    p = post_of("Not A Subject");
    EXPECT_INT(send(s, &r, &p), KITH_R_SUBJECT);
    p = post_of("a.b");
    p.content.t_end_us = KIT_NOW + 3600000000;
    EXPECT_INT(send(s, &r, &p), KITH_R_FUTURE);
    p = post_of("a.b");
    p.content.ttl_s = 0;
    EXPECT_INT(send(s, &r, &p), KITH_R_TIME);
    p = post_of("a.b");
    EXPECT_INT(send(s, &dear, &p), KITH_E_SPENT); /* over budget */
    EXPECT_INT(dear.n, 40);
    EXPECT_INT(p.content.has, 0);
    EXPECT_INT(
        kith_ledger_post(s, key, "others", &r, &p, kit_at(KIT_NOW), &err), KITH_E_SPENT);
    EXPECT_INT(r.n, 40);
    EXPECT(same(before, look(s)));
    EXPECT_INT(send(s, &r, &p), 0);
    EXPECT_INT(look(s).packets, 1);
    kith_store_close(&s);
}

static int count_one(void *ctx, const kith_record *record) {
    (void) record;
    ++*(int *) ctx;
    return 0;
}

static void the_same_noisy_packet_is_sent_again_for_nothing(void) {
    kith_store *s = begin(ONE);
    kith_release r = records(40, 0.5);
    kith_post p = post_of("a.b");
    EXPECT_INT(send(s, &r, &p), 0);
    sums paid = look(s);
    for (int i = 0; i < 5; i++) {
        int waiting = 0;
        EXPECT_INT(kith_store_outbox(
                       s, "mem://x", false, 0, 10, KIT_NOW, count_one, &waiting, NULL),
            0);
        EXPECT_INT(waiting, 1);
        EXPECT_INT(kit_admit(s, &p.packet, "mem://back"), KITH_DUPLICATE);
    }
    EXPECT(same(paid, look(s)));
    /* The same noise under a new number, after a store that failed: nothing either. */
    EXPECT_INT(kith_store_post(s, key, &p, 1, kit_at(KIT_NOW), NULL), 0);
    EXPECT_INT(look(s).debits, 1);
    /* The same records with new noise cost anew. */
    r = records(40, 0.5);
    p = post_of("c.d");
    EXPECT_INT(send(s, &r, &p), 0);
    EXPECT_INT(look(s).debits, 2);
    r = records(40, 0.5);
    EXPECT_INT(send(s, &r, &p), KITH_E_SPENT);
    kith_store_close(&s);
}

/* ---- cuts ---- */

typedef struct seen {
    atomic_uint posted;
} seen;
static seen *book;

static int live_with_cut(long at, int how) {
    int status = 0;
    atomic_store(&book->posted, 0);
    pid_t child = fork();
    if (child == 0) {
        shim.folder = kit_folder;
        shim.on = true;
        shim.cut_at = at;
        shim.cut_how = how;
        shim.dice = (uint64_t) at * 7 + (uint64_t) how;
        kith_store *s = kit_open(NULL);
        if (s == NULL) _exit(3);
        for (int i = 0; i < 4; i++) {
            kith_release r = records(40, 1);
            kith_post p = post_of("a.b");
            if (send(s, &r, &p) != 0 || p.result != 0) _exit(4);
            (void) atomic_fetch_add(&book->posted, 1);
        }
        kith_store_close(&s);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                    : -1;
}

/* Every packet that is in the store afterwards was paid; a debit without its packet is
 * the price of a crash. */
static void d1_a_crash_at_any_step_costs_budget_and_never_leaks(void) {
    long cuts = 0, costly = 0;
    shim.no_disk = true;
    book =
        mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(book != MAP_FAILED);
    for (int how = 0; how < 4; how++) {
        int code = 42;
        for (long at = 1; code == 42; at++, cuts++) {
            kith_store *s = begin(100 * ONE);
            EXPECT(s != NULL);
            kith_store_close(&s);
            code = live_with_cut(at, how);
            (void) unlink(kit_path("s.db-shm"));
            s = kit_open(NULL);
            EXPECT(s != NULL);
            sums t = look(s);
            uint64_t price = records(40, 1).rho;
            EXPECT(t.packets >= atomic_load(&book->posted));
            EXPECT(t.debits >= t.packets && t.debits <= t.packets + 1);
            EXPECT(t.ever == t.debits * price);
            costly += t.debits > t.packets;
            kith_store_close(&s);
        }
        EXPECT_INT(code, 0);
    }
    printf("# %ld cuts, %ld between debit and packet\n", cuts, costly);
    EXPECT(cuts > 60);
    EXPECT(costly > 0);
}

static void d2_a_kill_at_any_moment_costs_budget_and_never_leaks(void) {
    uint64_t dice = 12;
    long costly = 0, rounds = getenv("KITH_SOAK") != NULL ? 500 : 40;
    shim.no_disk = true;
    for (long i = 0; i < rounds; i++) {
        kith_store *s = begin(60000 * ONE);
        int status = 0;
        uint64_t enough = 1 + dice_below(&dice, 4);
        EXPECT(s != NULL);
        kith_store_close(&s);
        pid_t child = fork();
        if (child == 0) {
            s = kit_open(NULL);
            if (s == NULL) _exit(5);
            for (;;) {
                kith_release r = records(40, 1);
                kith_post p = post_of("a.b");
                if (send(s, &r, &p) != 0) _exit(4);
            }
        }
        /* Until it has begun to post, and then a little, by chance. */
        s = kit_open(NULL);
        while (
            s != NULL && look(s).debits < enough && waitpid(child, &status, WNOHANG) == 0) {
        }
        (void) kill(child, SIGKILL);
        (void) waitpid(child, &status, 0);
        EXPECT(WIFSIGNALED(status));
        kith_store_close(&s);
        s = kit_open(NULL);
        EXPECT(s != NULL);
        sums t = look(s);
        EXPECT(t.debits >= t.packets && t.debits <= t.packets + 1);
        costly += t.debits > t.packets;
        kith_store_close(&s);
    }
    printf("# %ld kills, %ld between debit and packet\n", rounds, costly);
    kith_key_free(&key);
}

static const test_case cases[] = {
    { "a_private_post_is_paid_and_noisy", a_private_post_is_paid_and_noisy },
    { "what_is_refused_costs_nothing", what_is_refused_costs_nothing },
    { "the_same_noisy_packet_is_sent_again_for_nothing",
        the_same_noisy_packet_is_sent_again_for_nothing },
    { "d1_a_crash_at_any_step_costs_budget_and_never_leaks",
        d1_a_crash_at_any_step_costs_budget_and_never_leaks },
    { "d2_a_kill_at_any_moment_costs_budget_and_never_leaks",
        d2_a_kill_at_any_moment_costs_budget_and_never_leaks },
};
TEST_MAIN(cases)
