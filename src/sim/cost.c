/* SPDX-License-Identifier: Apache-2.0 */
/* Panel C: what one answer reads, against what the store holds. A real store in memory,
 * 32 sources to a subject, asked as `kith ask` asks. Counts, not times: those stand in
 * `make bench`, which has a clock. */
#include "sim/panel.h"

#include <kith/node.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TWINS = 32, /* sources of one subject */
    QUESTIONS = 200,
    LOT = 64, /* packets given to the store at once */
};
#define NOW INT64_C(1750000000000000)

typedef struct reading {
    uint64_t leaves, bytes, answers;
} reading;

static void subject_of(size_t cell, char ret[KITH_SUBJECT_MAX + 1]) {
    (void) snprintf(ret, KITH_SUBJECT_MAX + 1, "cost.c%zu", cell);
}

/* A stranger's leaf, as it lies in a store: nobody looks at a signature twice. */
static int packet_of(size_t number, uint64_t *dice, kith_packet *ret) {
    kith_content c = { .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .epoch = 1,
        .seq = number + 1,
        .t_end_us = NOW,
        .ttl_s = 86400,
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 20,
        .effect = { draw_normal(dice) },
        .covariance = { 0.05 } };
    for (int i = 0; i < 8; i++) c.source[i] = (uint8_t) (number >> (56 - 8 * i));
    c.source[31] = 1;
    subject_of(number / TWINS, c.address.subject);
    return kith_packet_encode(&c, ret);
}

static int fill(kith_store *store, size_t from, size_t to, uint64_t *dice) {
    static const kith_time now = { 1, NOW };
    for (size_t i = from; i < to;) {
        kith_arrival lot[LOT];
        size_t count = 0;
        for (; count < LOT && i < to; i++) {
            lot[count] = (kith_arrival){ .way = "mem://cost" };
            int r = packet_of(i, dice, &lot[count++].packet);
            if (r < 0) return r;
        }
        int r = kith_store_admit(store, lot, count, now, NULL);
        for (size_t k = 0; k < count && r == 0; k++) r = lot[k].result;
        if (r != 0) return r < 0 ? r : KITH_E_ARG;
    }
    return 0;
}

static int seen(void *ctx, const kith_record *record) {
    reading *it = ctx;
    it->leaves++;
    it->bytes += record->packet.length;
    return 0;
}

static int ask(kith_store *store, size_t held, uint64_t *dice, reading *it) {
    kith_answer a;
    uint8_t template_id[KITH_TEMPLATE_SIZE], measure;
    char subject[KITH_SUBJECT_MAX + 1];
    subject_of(dice_below(dice, held / TWINS), subject);
    kith_ask question = { .subject = subject, .now_us = NOW };
    size_t rows = 0;
    int r = kith_store_latest(store, subject, NOW, seen, it, NULL);
    if (r == 0) {
        r = kith_ask_store(
            store, &question, &a, template_id, &measure, NULL, 0, &rows, NULL);
    }
    it->answers += r == 0 && !a.insufficient && a.k == TWINS;
    return r;
}

static int measure(kith_sim_panel *p, kith_store *store, size_t held, uint64_t *dice) {
    reading it = { 0 };
    for (int i = 0; i < QUESTIONS; i++) {
        int r = ask(store, held, dice, &it);
        if (r < 0) return r;
    }
    double x = (double) held, bytes = (double) it.bytes / QUESTIONS;
    ki_bounds flat = { TWINS / 2.0, TWINS * 2.0 };
    ki_sim_add(p, "leaves read for an answer", x, (double) it.leaves / QUESTIONS, flat);
    ki_sim_add(p, "bytes read for an answer", x, bytes,
        (ki_bounds){ TWINS * 80.0, TWINS * (double) KITH_PACKET_MAX });
    ki_sim_add(
        p, "answers of 200", x, (double) it.answers, (ki_bounds){ QUESTIONS, QUESTIONS });
    ki_sim_add(p, "bytes for all, each its subject", x, bytes * x, SIM_FREE);
    ki_sim_add(p, "bytes for all, all to all", x, bytes / TWINS * x * (x - 1), SIM_FREE);
    ki_sim_add(p, "pairs, a count", x, x * (x - 1) / 2, SIM_FREE)->aside = true;
    return 0;
}

int ki_panel_cost(kith_sim_panel *p) {
    kith_store *store = NULL;
    uint64_t dice = ki_dice_for(p, 0);
    size_t held = 0, most = p->quick ? 10000 : 1000000;
    int r = kith_store_open(&store, "memory:?max_bytes=4G", NULL);
    for (size_t size = 1000; size <= most && r == 0; size *= 10) {
        size_t whole = size / TWINS * TWINS; /* no subject with half its sources */
        r = fill(store, held, whole, &dice);
        held = whole;
        if (r == 0) r = measure(p, store, held, &dice);
    }
    kith_store_close(&store);
    return r > 0 ? KITH_E_ARG : r;
}
