/* SPDX-License-Identifier: Apache-2.0 */
/* Whole nodes through everything that may befall them: nothing acknowledged is lost,
 * nothing counts twice, nothing is invented, one digest. And mistakes that are planted are
 * found, or else all of this would prove nothing. KITH_SOAK=1: a thousand fresh seeds. */
#include <kith/sim.h>

#include "base/dice.h"
#include "test.h"

#include <unistd.h>

static char folder[512];
static kith_sim_report report, again;

static bool in_folder(void) {
    const char *shared = getenv("TEST_SHM");
    return test_folder(
        shared == NULL ? test_place() : shared, "swarm", folder, sizeof folder);
}

static bool run(const kith_sim_config *c, kith_sim_report *ret) {
    kith_error err = { 0 };
    int r = kith_sim_swarm_run(c, ret, &err);
    if (r < 0) printf("# seed %llu: %s\n", (unsigned long long) c->seed, err.text);
    return r == 0;
}

static kith_sim_config with(uint64_t seed) {
    return (kith_sim_config){ .seed = seed, .faults = KITH_SIM_ALL, .folder = folder };
}

static void nothing_is_lost_doubled_or_invented(void) {
    const char *soak = getenv("KITH_SOAK"), *given = getenv("SEED");
    bool longer = soak != NULL && soak[0] == '1' && given == NULL;
    uint64_t posted = 0, crashes = 0, refused = 0;
    int seeds = given != NULL ? 1 : longer ? 1000 : 20;
    EXPECT(in_folder());
    for (int i = 0; i < seeds && !test_bad; i++) {
        kith_sim_config c = with((uint64_t) i + 1);
        if (longer) ki_dice_system(&c.seed, sizeof c.seed);
        if (given != NULL) c.seed = strtoull(given, NULL, 10);
        if (!longer) c.until_ns = INT64_C(60000000000);
        if (!run(&c, &report) || !report.good) {
            test_bad = true;
            printf(
                "# %s; SEED=%llu repeats it\n", report.wrong, (unsigned long long) c.seed);
        }
        posted += report.posted, crashes += report.crashes, refused += report.refused;
    }
    printf("# %d seeds, %llu packets posted, %llu refused, %llu power cuts\n", seeds,
        (unsigned long long) posted, (unsigned long long) refused,
        (unsigned long long) crashes);
    (void) rmdir(folder);
}

static void one_seed_one_course(void) {
    EXPECT(in_folder());
    kith_sim_config c = with(71);
    c.until_ns = INT64_C(60000000000);
    EXPECT(run(&c, &report) && run(&c, &again));
    EXPECT(memcmp(&report, &again, sizeof report) == 0);
    c.seed++;
    EXPECT(run(&c, &again));
    EXPECT(memcmp(report.digest, again.digest, sizeof report.digest) != 0);
    (void) rmdir(folder);
}

/* Is this mistake found by one of some seeds, and by the right check? */
static bool found(int bug, const char *words) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        kith_sim_config c = with(seed);
        c.bug = bug;
        c.until_ns = INT64_C(120000000000);
        if (!run(&c, &report)) return false;
        if (report.good) continue;
        printf(
            "# planted %d, seed %llu: %s\n", bug, (unsigned long long) seed, report.wrong);
        return strstr(report.wrong, words) != NULL;
    }
    return false;
}

static void planted_mistakes_are_found(void) {
    EXPECT(in_folder());
    EXPECT(found(KITH_SIM_BUG_INVENTED, "nobody posted"));
    EXPECT(found(KITH_SIM_BUG_TWICE, "twice"));
    EXPECT(found(KITH_SIM_BUG_APART, "still differ"));
    EXPECT(found(KITH_SIM_BUG_LOST, ""));
    (void) rmdir(folder);
}

static void more_nodes_than_disks_keep_their_stores_in_memory(void) {
    EXPECT(in_folder());
    kith_sim_config c = with(3);
    c.nodes = 60; /* three streets and a high street */
    c.until_ns = INT64_C(20000000000);
    EXPECT(run(&c, &report));
    if (!report.good) printf("# %s\n", report.wrong);
    EXPECT(report.good && report.disks == 0 && report.nodes == 60);
    (void) rmdir(folder);
}

static const test_case cases[] = {
    { "nothing_is_lost_doubled_or_invented", nothing_is_lost_doubled_or_invented },
    { "one_seed_one_course", one_seed_one_course },
    { "planted_mistakes_are_found", planted_mistakes_are_found },
    { "more_nodes_than_disks_keep_their_stores_in_memory",
        more_nodes_than_disks_keep_their_stores_in_memory },
};
TEST_MAIN(cases)
