/* SPDX-License-Identifier: Apache-2.0 */
/* sync_table [packets [scenarios [target]]]: the acceptance targets of sync, measured on
 * a simulated wire with the real frames. Counts, bytes and ratios, never seconds. The
 * presets are 10^6 packets and 10^4 scenarios, some minutes and 500 MB; the targets
 * are for those. target: its rows alone. Exit 1 when one is missed. */
#include "sync/chance.h"

#include "security/key.h"

#include <time.h>

#define DAY_US INT64_C(86400000000)

static world w;
static int missed;

typedef struct figures {
    double bytes, frames, per, twice, data; /* per difference; sent twice; ÷ needed */
    uint32_t passes, trips, open_peak;
    bool agreed;
} figures;

static void row(const char *what, const char *target, double got, double most) {
    bool good = got <= most;
    missed += !good;
    printf("%-58s %-14s %10.2f  %s\n", what, target, got, good ? "met" : "MISSED");
}

/* A packet of the past six days that lives seven. */
static uint32_t past(uint32_t sources, int64_t ttl_us) {
    int64_t age = (int64_t) dice_below(&w.dice, 6 * (uint64_t) DAY_US) + 60000000;
    uint32_t source = 100 + (uint32_t) dice_below(&w.dice, sources);
    return w_packet_new(&w, source, (uint32_t) dice_below(&w.dice, W_NAMES), W_START - age,
        W_START - age + ttl_us, w.packet_count);
}

static void begin(uint64_t seed, unsigned drop, unsigned repeat) {
    w_begin(&w, seed, 2);
    w.drop = drop;
    w.repeat = repeat;
}

/* Runs until both say that they agree; figures are of what was said in between. */
static figures settle(uint64_t differences) {
    figures f = { 0 };
    for (uint32_t i = 0; i < 2; i++) w_feed(&w, w.nodes[i]);
    w.data_needed = w.data_sent = w.control_bytes = w.control_frames = 0;
    uint64_t end = w.now_ns + 3600 * SECOND_NS;
    while (w.now_ns < end &&
           w.nodes[0]->sync.stat.agreed + w.nodes[1]->sync.stat.agreed == 0) {
        w_step(&w, w.now_ns + SECOND_NS);
    }
    for (int i = 0; i < 2; i++) {
        const ki_sync_stat *s = &w.nodes[i]->sync.stat;
        f.passes = s->passes_peak > f.passes ? s->passes_peak : f.passes;
        f.open_peak = s->open_peak > f.open_peak ? s->open_peak : f.open_peak;
        f.agreed = f.agreed || s->agreed > 0;
    }
    f.agreed = f.agreed && w_agreed(&w);
    missed += !f.agreed;
    f.bytes = (double) w.control_bytes;
    f.frames = (double) w.control_frames;
    f.per = f.bytes / (differences == 0 ? 1 : (double) differences);
    f.data = (double) w.data_sent / (w.data_needed == 0 ? 1 : (double) w.data_needed);
    printf("# %.0f frames, %.0f bytes, %llu packets for %llu, %u passes, %u open ranges, "
           "%.1f s of the wire%s\n",
        f.frames, f.bytes, (unsigned long long) w.data_sent,
        (unsigned long long) w.data_needed, f.passes, f.open_peak, (double) w.now_ns / 1e9,
        f.agreed ? "" : ", NOT AGREED");
    return f;
}

/* `lost` of n packets are missing on one side or the other. */
static figures scattered(
    uint32_t n, uint32_t sources, uint32_t lost, unsigned drop, unsigned repeat) {
    begin(1, drop, repeat);
    uint8_t *gone = calloc(n, 1);
    for (uint32_t i = 0; i < lost;) {
        uint64_t k = dice_below(&w.dice, n);
        i += gone[k] == 0;
        gone[k] = gone[k] == 0 ? (uint8_t) (1 + dice_below(&w.dice, 2)) : gone[k];
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = past(sources, 7 * DAY_US);
        if (gone[i] != 1) w_keep(&w, 0, p, true, true);
        if (gone[i] != 2) w_keep(&w, 1, p, true, true);
    }
    free(gone);
    figures f = settle(lost);
    w_end(&w);
    return f;
}

/* One node lacks the newest part of n packets: it is the asker, whose key is lower. */
static figures newest(uint32_t n, double part, bool mixed, unsigned drop, unsigned repeat) {
    begin(2, drop, repeat);
    uint64_t lacking = 0;
    for (uint32_t i = 0; i < n; i++) {
        static const int64_t ttls[] = { 8, 14, 30 };
        uint32_t p = past(1000, (mixed ? ttls[dice_below(&w.dice, 3)] : 7) * DAY_US);
        bool is_new = w.packets[p].t_end_us > W_START - (int64_t) (part * 6 * DAY_US);
        w_keep(&w, 1, p, true, true);
        lacking += is_new;
        if (!is_new) w_keep(&w, 0, p, true, true);
    }
    figures f = settle(lacking);
    f.twice = 100 * (f.data - 1);
    w_end(&w);
    return f;
}

/* Of this thread: what others do on the machine is not counted. */
static double seconds(void) {
    struct timespec t;
    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* One signature check, in seconds. It is measured beside what is held against it, so
 * that a slower moment is slower for both. */
static double check_cost(void) {
    static uint8_t public[KITH_KEY_SIZE], signature[64];
    static bool made;
    uint8_t seed[32] = { 1 }, bytes[300] = { 0 };
    kith_key *key = NULL;
    if (!made && kith_key_from_seed(&key, seed, NULL) == 0) {
        kith_key_public(key, public);
        ki_key_sign(key, "kith-sync-1", bytes, sizeof bytes, signature);
        kith_key_free(&key);
        made = true;
    }
    double from = seconds();
    bool good = ki_key_verify(public, "kith-sync-1", bytes, sizeof bytes, signature);
    double took = seconds() - from;
    missed += !good;
    return took;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *) a, y = *(const double *) b;
    return x < y ? -1 : x > y;
}

static double median(double *of, size_t count) {
    qsort(of, count, sizeof *of, by_size);
    return of[count / 2];
}

#define ROUNDS 15

/* An ASK full of these pieces, in signature checks. */
static double answer_cost(const ki_piece *piece, uint64_t nonce) {
    ki_sync *s = &w.nodes[0]->sync;
    ki_peer *p = ki_peer_find(s, w.nodes[1]->sync.me);
    double took[ROUNDS] = { 0 }, check[ROUNDS] = { 1 };
    for (int round = 0; round < ROUNDS && p != NULL; round++) {
        ki_head head = { .type = FRAME_ASK,
            .to = s->me,
            .from = p->id,
            .nonce = nonce,
            .scope = p->scope.hash,
            .floor = (uint32_t) (W_START / 1000000 + 10) };
        ki_writer out;
        ki_piece one = *piece;
        ki_frame_begin(&out, &head);
        do {
            one.rid++;
        } while (ki_frame_put(&out, &one));
        ki_frame_seal(&out, p->mac_key);
        p->tokens_ns = 0;
        s->frame_count = s->data_count = 0;
        double from = seconds();
        (void) !ki_sync_take(s, out.bytes, out.length, w_time(&w, w.nodes[0]));
        took[round] = seconds() - from;
        check[round] = check_cost();
    }
    return median(took, ROUNDS) / median(check, ROUNDS);
}

/* The dearest frames that anybody can send. */
static void worst_frames(uint32_t n) {
    begin(4, 0, 0);
    for (uint32_t i = 0; i < n; i++) w_keep(&w, 0, past(1000, 7 * DAY_US), true, true);
    w.nodes[1]->mute = false;
    for (uint64_t end = w.now_ns + 3 * SECOND_NS; w.now_ns < end;) w_step(&w, end);
    double worst = 0;
    const ki_set *set = &ki_own_view(&w.nodes[0]->sync)->set;
    const ki_item *at = ki_set_at(set, set->count - 4000);
    ki_bound from = at == NULL ? BOUND_START : (ki_bound){ at->expiry, 0 };
    ki_piece dear[] = { { .kind = ASK_EXPAND, .hi = BOUND_END }, { .kind = ASK_ROOT },
        { .kind = ASK_CELLS, .lo = from, .hi = BOUND_END, .count = 256 },
        { .kind = ASK_TAGS, .lo = from, .hi = BOUND_END, .count = 1 } };
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++) {
        double cost = answer_cost(&dear[i], 1);
        printf("# 16 pieces of kind %u: %.0f signature checks\n", dear[i].kind, cost);
        worst = cost > worst ? cost : worst;
    }
    row("10 worst frame: signature checks", "<= 150", worst, 150);
    w_end(&w);
}

/* 100 nodes in one group, 100 posts a second for a minute, 1 % lost by each; once
 * half of them hear nothing for two seconds. */
static void group(bool outage) {
    w_begin(&w, 11, 100);
    w.delay_ns = W_MS;
    for (int i = 0; i < 40; i++) w_step(&w, w.now_ns + 100 * W_MS);
    w.drop = 1;
    w.said = w.peak = w.data_sent = w.lost = 0;
    for (uint32_t i = 0; i < 6000; i++) {
        uint64_t end = w.now_ns + 10 * W_MS;
        w.deaf = outage && i >= 3000 && i < 3200 ? 50 : 0;
        w_emit(&w, i % 100, 3600 * INT64_C(1000000), 0);
        while (w.now_ns < end) w_step(&w, end);
    }
    w.drop = 0;
    uint64_t repairs = 0, distinct = 0, asked = 0;
    for (uint64_t end = w.now_ns + 100 * SECOND_NS; w.now_ns < end;) w_step(&w, end);
    for (uint32_t i = 0; i < 100; i++) {
        repairs += w.nodes[i]->sync.gaps.repaired;
        asked += w.nodes[i]->sync.gaps.asked;
    }
    for (uint32_t p = 0; p < w.packet_count; p++) distinct += w.packets[p].lost;
    printf("# %llu KEYS, %llu repairs by them, %llu packets in all, for %llu packets that "
           "somebody lost%s\n",
        (unsigned long long) asked, (unsigned long long) repairs,
        (unsigned long long) w.data_sent, (unsigned long long) distinct,
        w_agreed(&w) ? "" : ", NOT AGREED");
    missed += !w_agreed(&w);
    row(outage ? "11 group, half deaf for 2 s: peak frames in 100 ms"
               : "11 group of 100, 1 % loss: peak frames in 100 ms",
        "<= 60", (double) w.peak, 60);
    row(outage ? "11 group, half deaf: repairs per packet lost"
               : "11 group: repairs per packet lost",
        "<= 1.1", (double) w.data_sent / (double) distinct, 1.1);
    w_end(&w);
}

static void equal(uint32_t n) {
    begin(1, 0, 0);
    w.nodes[1]->skew_us = 60000000; /* no boundary in common: roots must be asked for */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = past(1000, 7 * DAY_US);
        for (uint32_t k = 0; k < 2; k++) w_keep(&w, k, p, true, true);
    }
    figures f = settle(0);
    row("1  equal: frames", "<= 2", f.frames, 2);
    row("1  equal: bytes", "<= 300", f.bytes, 300);
    for (int i = 0; i < 200; i++) w_step(&w, w.now_ns + SECOND_NS);
    w_end(&w);
}

static void unchanged(uint32_t n) {
    begin(1, 0, 0);
    n = n < 5000 ? n : 5000;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = past(1000, 7 * DAY_US);
        if (i % 9 != 0) w_keep(&w, 0, p, true, true);
        if (i % 9 != 1) w_keep(&w, 1, p, true, true);
    }
    (void) settle(1);
    for (int i = 0; i < 200; i++) w_step(&w, w.now_ns + SECOND_NS);
    uint64_t before = w.control_frames, end = w.now_ns + 3600 * SECOND_NS;
    while (w.now_ns < end) w_step(&w, end);
    row("12 unchanged roots: frames but HELLO in an hour", "0",
        (double) (w.control_frames - before), 0);
    w_end(&w);
}

static void scenarios(long count) {
    long failed = 0;
    uint32_t passes = 0;
    for (long seed = 1; seed <= count; seed++) {
        scenario c = c_draw((uint64_t) seed);
        failed += c_run(&w, &c, 1800) < 0;
        for (uint32_t i = 0; i < c.nodes; i++) {
            uint32_t peak = w.nodes[i]->sync.stat.passes_peak;
            passes = peak > passes ? peak : passes;
        }
        w_end(&w);
    }
    printf("# %ld scenarios\n", count);
    row("7  scenarios: failures", "0", (double) failed, 0);
    row("7  scenarios: passes of an exchange", "<= 30", passes, 30);
}

#define BATCH   1000
#define BATCHES 250

/* Of the last inserts, when the tree is as large as it gets. */
static void index_costs(uint32_t n) {
    for (int order = 0; order < 2; order++) {
        static double took[BATCHES], check[BATCHES];
        ki_set set;
        uint64_t dice = 1;
        double from = 0;
        uint32_t batches = n / BATCH < BATCHES ? n / BATCH : BATCHES;
        ki_set_init(&set);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t left = n - i, batch = left % BATCH == 0 ? left / BATCH : n;
            if (batch < batches) took[batch] = seconds() - from;
            if (batch <= batches) check[batch - 1] = check_cost();
            if (batch <= batches) from = seconds();
            ki_item item = { .expiry = order ? 1000 * (uint64_t) i : dice_roll(&dice) >> 2,
                .id = { dice_roll(&dice), dice_roll(&dice) } };
            (void) !ki_set_add(&set, &item);
        }
        took[0] = seconds() - from;
        row(order ? "9  index, in order: bytes per packet"
                  : "9  index, random: bytes per packet",
            "<= 90", (double) set.bytes / n, 90);
        row(order ? "9  index, in order: insert per signature check"
                  : "9  index, random: insert per signature check",
            "<= 0.1", median(took, batches) / BATCH / median(check, batches), 0.1);
        ki_set_fini(&set);
    }
}

static void few_bytes(uint32_t n) {
    figures f = scattered(n, 1000, 100, 0, 0);
    row("3  100 differences: bytes each", "<= 400", f.per, 400);
    f = scattered(n, 1000, n / 100, 0, 0);
    row("3  1 in 100 differs: bytes each", "<= 80", f.per, 80);
}

static void one(uint32_t n) {
    figures f = scattered(n, 1000, 1, 0, 0);
    row("2  one difference: frames", "<= 12", f.frames, 12);
    row("2  one difference: kB", "<= 2.5", f.bytes / 1000, 2.5);
}

static void tenth(uint32_t n) {
    figures f = newest(n, 0.1, false, 0, 0);
    row("4  newest 10 %: bytes each", "<= 1", f.per, 1);
    row("4  newest 10 %: sent twice, %", "<= 5", f.twice, 5);
    f = newest(n, 0.1, true, 0, 0);
    row("4  newest 10 %, mixed TTL: bytes each", "<= 15", f.per, 15);
}

static void fresh(uint32_t n) {
    figures f = newest(n, 2, false, 0, 0);
    row("5  fresh: control frames per 1,000 packets", "<= 1", f.frames / n * 1000, 1);
}

static void lossy(uint32_t n) {
    figures f = scattered(n, 1000, n / 100, 30, 10);
    row("6  30 % loss, 1 in 100: bytes each", "<= 350", f.per, 350);
    row("6  30 % loss, 1 in 100: data", "<= 1.6", f.data, 1.6);
    f = newest(n, 2, false, 30, 10);
    row("6  30 % loss, fresh: bytes each", "<= 60", f.per, 60);
    row("6  30 % loss, fresh: data", "<= 1.6", f.data, 1.6);
    f = newest(n, 0.1, false, 30, 10);
    row("6  30 % loss, newest 10 %: bytes each", "<= 60", f.per, 60);
    row("6  30 % loss, newest 10 %: data", "<= 1.6", f.data, 1.6);
}

static void sources(uint32_t n) {
    double few = scattered(n, 10, n / 100, 0, 0).per;
    double many = scattered(n, 40000, n / 100, 0, 0).per;
    row("8  10 against 40,000 sources: % apart", "<= 2",
        100 * (many > few ? many / few - 1 : few / many - 1), 2);
}

static void groups(uint32_t n) {
    (void) n;
    group(false);
    group(true);
}

int main(int argc, char **argv) {
    static void (*const targets[])(uint32_t n) = { NULL, equal, one, few_bytes, tenth,
        fresh, lossy, NULL, sources, index_costs, worst_frames, groups, unchanged };
    uint32_t n = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 1000000;
    long runs = argc > 2 ? strtol(argv[2], NULL, 10) : 10000;
    unsigned long only = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%-58s %-14s %10s\n", "target", "bound", "measured");
    for (unsigned long t = 1; t < sizeof targets / sizeof *targets; t++) {
        if (only != 0 && only != t) continue;
        if (t == 7)
            scenarios(runs);
        else
            targets[t](n);
    }
    printf("# %d missed\n", missed);
    return missed != 0;
}
