/* SPDX-License-Identifier: Apache-2.0 */
/* What sync promises: whatever the wire does, nodes that meet come to have the
 * same, soon, and work that is open has its bounds. Seeds make every run alike. */
#include "sync/chance.h"

#include "test.h"

static world w;

static void within_bounds(const scenario *c) {
    for (uint32_t i = 0; i < c->nodes; i++) {
        const ki_sync *s = &w.nodes[i]->sync;
        ki_sync_check(s);
        EXPECT(s->stat.open_peak <= SYNC_OPEN_MAX);
        EXPECT(s->job_count <= SYNC_JOBS_MAX);
    }
}

/* 1,000; 10,000 in a soak; or as KITH_SCENARIOS says. */
static long scenario_count(void) {
    const char *soak = getenv("KITH_SOAK"), *text = getenv("KITH_SCENARIOS");
    bool all = soak != NULL && strcmp(soak, "1") == 0;
    return text != NULL ? strtol(text, NULL, 10) : all ? 10000 : 1000;
}

static void all_scenarios_end_in_agreement(void) {
    long count = scenario_count();
    uint32_t passes = 0, open = 0;
    int slowest = 0;
    for (long seed = 1; seed <= count; seed++) {
        scenario c = c_draw((uint64_t) seed);
        int took = c_run(&w, &c, 1800);
        if (took < 0) {
            printf("# seed %ld: %u nodes, %u packets, %u live, loss %u, repeat %u, spoil "
                   "%u%s%s%s\n",
                seed, c.nodes, c.packets, c.live, c.drop, c.repeat, c.spoil,
                c.narrow ? ", narrow" : "", c.skewed ? ", skewed" : "",
                c.liar ? ", liar" : "");
        }
        within_bounds(&c);
        for (uint32_t i = 0; i < c.nodes; i++) {
            const ki_sync_stat *s = &w.nodes[i]->sync.stat;
            passes = s->passes_peak > passes ? s->passes_peak : passes;
            open = s->open_peak > open ? s->open_peak : open;
        }
        slowest = took > slowest ? took : slowest;
        w_end(&w);
        EXPECT(took >= 0);
    }
    printf("# %ld scenarios: at most %u passes, %u open ranges, %d s\n", count, passes,
        open, slowest);
    EXPECT(passes <= 30);
}

static const test_case cases[] = {
    { "all_scenarios_end_in_agreement", all_scenarios_end_in_agreement },
};
TEST_MAIN(cases)
