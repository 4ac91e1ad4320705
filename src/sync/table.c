/* SPDX-License-Identifier: Apache-2.0 */
/* sync_table [packets]: the acceptance targets of sync, measured on a simulated
 * wire with the real frames. Counts, bytes and ratios, never seconds. The preset
 * is 10^6 packets, a few minutes and about 500 MB; targets are for that. */
#include "sync/world.h"

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
    printf("%-58s %-14s %10.2f  %s\n", what, target, got, good ? "ok" : "MISSED");
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

/* The second node lacks the newest part of n packets. */
static figures newest(uint32_t n, double part, bool mixed, unsigned drop, unsigned repeat) {
    begin(2, drop, repeat);
    uint64_t lacking = 0;
    for (uint32_t i = 0; i < n; i++) {
        static const int64_t ttls[] = { 8, 14, 30 };
        uint32_t p = past(1000, (mixed ? ttls[dice_below(&w.dice, 3)] : 7) * DAY_US);
        bool is_new = w.packets[p].t_end_us > W_START - (int64_t) (part * 6 * DAY_US);
        w_keep(&w, 0, p, true, true);
        lacking += is_new;
        if (!is_new) w_keep(&w, 1, p, true, true);
    }
    figures f = settle(lacking);
    f.twice = 100 * (f.data - 1);
    w_end(&w);
    return f;
}

static double seconds(void) {
    struct timespec t;
    (void) clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void index_costs(uint32_t n) {
    for (int order = 0; order < 2; order++) {
        ki_set set;
        uint64_t dice = 1;
        ki_set_init(&set);
        double from = seconds();
        for (uint32_t i = 0; i < n; i++) {
            ki_item item = { .expiry = order ? 1000 * (uint64_t) i : dice_roll(&dice) >> 2,
                .id = { dice_roll(&dice), dice_roll(&dice) } };
            (void) !ki_set_add(&set, &item);
        }
        double each = (seconds() - from) / n * 1e6;
        row(order ? "9  index, in order: bytes per packet"
                  : "9  index, random: bytes per packet",
            "<= 90", (double) set.bytes / n, 90);
        printf("# insert %.2f us (a signature check is about 50)\n", each);
        ki_set_fini(&set);
    }
}

int main(int argc, char **argv) {
    uint32_t n = argc > 1 ? (uint32_t) strtoul(argv[1], NULL, 10) : 1000000;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%-58s %-14s %10s\n", "target", "bound", "measured");
    figures f = scattered(n, 1000, 1, 0, 0);
    row("2  one difference: frames", "<= 12", f.frames, 12);
    row("2  one difference: kB", "<= 2.5", f.bytes / 1000, 2.5);
    row("3  100 differences: bytes each", "<= 400", scattered(n, 1000, 100, 0, 0).per, 400);
    f = scattered(n, 1000, n / 100, 0, 0);
    row("3  1 in 100 differs: bytes each", "<= 80", f.per, 80);
    f = newest(n, 0.1, false, 0, 0);
    row("4  newest 10 %: bytes each", "<= 1", f.per, 1);
    row("4  newest 10 %: sent twice, %", "<= 5", f.twice, 5);
    row("4  newest 10 %, mixed TTL: bytes each", "<= 15", newest(n, 0.1, true, 0, 0).per,
        15);
    f = newest(n, 2, false, 0, 0);
    row("5  fresh: control frames per 1,000 packets", "<= 1", f.frames / n * 1000, 1);
    f = scattered(n, 1000, n / 100, 30, 10);
    row("6  30 % loss, 1 in 100: bytes each", "<= 350", f.per, 350);
    row("6  30 % loss, 1 in 100: data", "<= 1.6", f.data, 1.6);
    f = newest(n, 2, false, 30, 10);
    row("6  30 % loss, fresh: bytes each", "<= 60", f.per, 60);
    row("6  30 % loss, fresh: data", "<= 1.6", f.data, 1.6);
    f = newest(n, 0.1, false, 30, 10);
    row("6  30 % loss, newest 10 %: bytes each", "<= 60", f.per, 60);
    row("6  30 % loss, newest 10 %: data", "<= 1.6", f.data, 1.6);
    double few = scattered(n, 10, n / 100, 0, 0).per;
    double many = scattered(n, 40000, n / 100, 0, 0).per;
    row("8  10 against 40,000 sources: % apart", "<= 2",
        100 * (many > few ? many / few - 1 : few / many - 1), 2);
    index_costs(n);
    return missed != 0;
}
