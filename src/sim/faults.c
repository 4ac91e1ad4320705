/* SPDX-License-Identifier: Apache-2.0 */
/* What a seed draws, what befalls the nodes, and how all of it is healed. Node 0 is
 * never harmed by more than its wire, so that there is somebody to agree with. */
#include "sim/swarm.h"

#include "base/dice.h"

static const char *const names[] = { "loss", "repeat", "delay", "partition", "crash",
    "clock", "sync", "full", "pause" };

const char *kith_sim_fault_name(size_t index) {
    return index < sizeof names / sizeof *names ? names[index] : NULL;
}

static uint64_t roll(ki_sim *s, uint64_t below) {
    return dice_below(&s->dice, below);
}

static bool has(const ki_sim *s, uint32_t fault) {
    return (s->report->faults & fault) != 0;
}

/* Every seed enables a part of the faults. All lots are drawn whether they are used or
 * not, so that a seed without one fault is otherwise the same. */
void ki_sim_draw(ki_sim *s) {
    kith_sim_report *r = s->report;
    uint32_t drawn = (uint32_t) roll(s, KITH_SIM_ALL + 1);
    uint32_t nodes = 3 + (uint32_t) roll(s, 6), loss = (uint32_t) roll(s, 41);
    uint32_t repeat = (uint32_t) roll(s, 21);
    int64_t minutes = 1 + (int64_t) roll(s, 8), delay_ms = 1 << roll(s, 14);
    r->faults = drawn & s->config->faults;
    s->count = r->nodes = s->config->nodes == 0 ? nodes : s->config->nodes;
    r->until_ns = s->config->until_ns == 0 ? minutes * 60 * (int64_t) SIM_SECOND
                                           : s->config->until_ns;
    r->loss = has(s, KITH_SIM_LOSS) ? loss : 0;
    r->repeat = has(s, KITH_SIM_REPEAT) ? repeat : 0;
    r->delay_ns = has(s, KITH_SIM_DELAY) ? delay_ms * (int64_t) SIM_MS : 0;
}

static void deaf(ki_sim *s, const ki_cut *c, bool on) {
    uint32_t *one = &s->net.deaf[(size_t) c->a * s->count + c->b],
             *other = &s->net.deaf[(size_t) c->b * s->count + c->a];
    uint32_t step = on ? 1 : UINT32_MAX; /* one more, or one less */
    *one += step;
    if (c->both) *other += step;
}

/* Some nodes on one side, the rest on the other; or one direction alone. */
static void partition(ki_sim *s) {
    bool both = roll(s, 2) == 0;
    uint64_t until = s->now_ns + SIM_SECOND * (1 + roll(s, 600));
    uint32_t apart = 1 + (uint32_t) roll(s, s->count - 1), used = 0;
    for (size_t i = 0; i < SIM_CUTS && used < s->count; i++) {
        ki_cut *c = &s->cuts[i];
        if (c->until_ns != 0) continue;
        uint32_t other = used++;
        if (other == apart) continue;
        *c = (ki_cut){ .a = apart, .b = other, .both = both, .until_ns = until };
        deaf(s, c, true);
    }
    s->report->partitions++;
}

static void power_cut(ki_sim *s, ki_member *m) {
    if (m->disk == NULL) return;
    m->disk->lies = s->config->bug == KITH_SIM_BUG_LOST;
    if (ki_sim_down(s, m) < 0) ki_sim_wrong(s, "a simulated disk cannot be undone");
    m->back_ns = s->now_ns + SIM_SECOND * (1 + roll(s, 60));
    m->paused = false;
    s->report->crashes++;
}

/* Ten years ahead is only for a while: what is expired by its clock, a node removes. */
static void set_clock(ki_sim *s, ki_member *m) {
    static const int64_t wrong_s[] = { 5, -5, 50, -50, 3600, -3600, 86400, -86400, -864000,
        315360000, -315360000 };
    size_t which = roll(s, sizeof wrong_s / sizeof *wrong_s);
    m->wrong_us = wrong_s[which] * 1000000;
    m->right_ns = s->now_ns + SIM_SECOND * (1 + roll(s, 900));
    s->report->clocks++;
}

static bool harm(ki_sim *s, ki_member *m, uint32_t fault) {
    if (!has(s, fault)) return false;
    switch (fault) {
    case KITH_SIM_PARTITION: partition(s); break;
    case KITH_SIM_CRASH: power_cut(s, m); break;
    case KITH_SIM_CLOCK: set_clock(s, m); break;
    case KITH_SIM_SYNC:
        if (m->disk != NULL) m->disk->fail_next = 1;
        break;
    case KITH_SIM_FULL:
        if (m->disk == NULL) break;
        m->disk->full = true;
        m->room_ns = s->now_ns + SIM_SECOND * (1 + roll(s, 120));
        s->report->fulls++;
        break;
    case KITH_SIM_PAUSE:
        m->paused = true;
        m->back_ns = s->now_ns + SIM_SECOND * (1 + roll(s, 120));
        s->report->pauses++;
        break;
    default: return false;
    }
    return true;
}

/* A post is dated by the clock of its node: while that is far off it posts nothing,
 * for what is dated so is refused by rights. */
static bool may_post(const ki_member *m) {
    return m->store != NULL && !m->paused && m->wrong_us > -60000000 &&
           m->wrong_us < 10000000;
}

void ki_sim_event(ki_sim *s) {
    static const uint32_t faults[] = { KITH_SIM_PARTITION, KITH_SIM_CRASH, KITH_SIM_CLOCK,
        KITH_SIM_SYNC, KITH_SIM_FULL, KITH_SIM_PAUSE };
    uint64_t mean_ms = 8000 / s->count + 400; /* the larger, the more happens */
    ki_member *m = &s->members[roll(s, s->count)];
    ki_member *harmed = &s->members[1 + roll(s, s->count - 1)];
    uint64_t what = roll(s, 4);
    uint32_t fault = faults[roll(s, sizeof faults / sizeof *faults)];
    uint64_t posts = 1 + roll(s, 4), dice = dice_roll(&s->dice), mine = s->dice;
    s->dice = dice; /* what it takes changes nothing of what comes later */
    if (what == 0 && harmed->store != NULL && !harmed->paused) {
        (void) harm(s, harmed, fault);
    } else if (may_post(m)) {
        for (uint64_t i = 0; i < posts && s->report->wrong[0] == '\0'; i++) {
            if (ki_sim_post(s, m) < 0) ki_sim_wrong(s, "no memory for what was posted");
        }
        m->due_ns = s->now_ns;
    }
    s->dice = mine;
    s->event_ns = s->now_ns + SIM_MS * (1 + roll(s, 2 * mean_ms));
}

static void end_cuts(ki_sim *s, uint64_t now_ns) {
    for (size_t i = 0; i < SIM_CUTS; i++) {
        ki_cut *c = &s->cuts[i];
        if (c->until_ns == 0 || c->until_ns > now_ns) continue;
        deaf(s, c, false);
        c->until_ns = 0;
    }
}

void ki_sim_over(ki_sim *s) {
    end_cuts(s, s->now_ns);
    for (uint32_t i = 0; i < s->count; i++) {
        ki_member *m = &s->members[i];
        if (m->right_ns <= s->now_ns) m->wrong_us = 0;
        if (m->disk != NULL && m->room_ns <= s->now_ns) m->disk->full = false;
        if (m->back_ns > s->now_ns) continue;
        m->due_ns = m->paused ? s->now_ns : m->due_ns;
        m->paused = false;
        if (m->store != NULL) continue;
        kith_error err = { 0 };
        if (ki_sim_up(s, m, &err) == 0) continue;
        ki_sim_wrong(s, "node %u does not come back: %.120s", i, err.text);
    }
}

/* Whole wires, right clocks, empty disks, and everybody is up. */
int ki_sim_heal(ki_sim *s, kith_error *err) {
    if (s->report->wrong[0] != '\0') return 0;
    s->net.loss = s->net.repeat = 0;
    s->net.delay_ns = 1;
    if (s->config->bug != KITH_SIM_BUG_APART) end_cuts(s, UINT64_MAX);
    s->event_ns = UINT64_MAX;
    for (uint32_t i = 0; i < s->count; i++) {
        ki_member *m = &s->members[i];
        m->wrong_us = 0;
        m->paused = false;
        m->due_ns = s->now_ns;
        if (m->disk != NULL) {
            s->report->syncs += m->disk->failed;
            m->disk->full = false;
            m->disk->fail_next = 0;
        }
        int r = m->store == NULL ? ki_sim_up(s, m, err) : 0;
        if (r < 0) return r;
    }
    return ki_sim_post(s, &s->members[0]); /* news: even a wire at rest begins to talk */
}
