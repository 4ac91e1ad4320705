/* SPDX-License-Identifier: Apache-2.0 */
/* The model: what was posted, by whom, and whether it was acknowledged. Each post has a
 * number, which its packet carries as n; so a packet found anywhere can be judged. */
#include "sim/swarm.h"

#include "base/dice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ki_sim_wrong(ki_sim *s, const char *fmt, ...) {
    char *to = s->report->wrong;
    if (to[0] != '\0') return; /* the first counts */
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(to, sizeof s->report->wrong, fmt, args);
    va_end(args);
}

static int remember(ki_sim *s, uint32_t node) {
    if (s->attempt_count == s->attempt_size) {
        uint32_t size = s->attempt_size == 0 ? 1024 : 2 * s->attempt_size;
        ki_attempt *more = realloc(s->attempts, size * sizeof *more);
        if (more == NULL) return KITH_E_MEMORY;
        s->attempts = more;
        s->attempt_size = size;
    }
    s->attempts[s->attempt_count++] = (ki_attempt){ .node = node };
    return 0;
}

static kith_post post_of(ki_sim *s, const ki_member *m, uint32_t number) {
    kith_post p = { .content = { .type = KITH_LEAF,
                        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
                        .t_end_us = ki_sim_time(s, m).wall_us,
                        .ttl_s = 40 * 86400,
                        .measure = KITH_MEAN_DIFFERENCE,
                        .components = 1,
                        .n = number,
                        .effect = { 0.01 * (double) dice_below(&s->dice, 100) },
                        .covariance = { 0.04 } } };
    (void) snprintf(p.content.address.subject, sizeof p.content.address.subject, "sim.%c",
        (char) ('a' + dice_below(&s->dice, 5)));
    return p;
}

/* Epoch and sequence of a source rise, whatever happened to it. */
static void in_order(ki_sim *s, ki_member *m, const kith_packet *packet) {
    kith_content c;
    if (kith_packet_decode(packet->bytes, packet->length, &c) != 0) {
        ki_sim_wrong(s, "a node made a packet that is none");
        return;
    }
    bool rises = c.epoch > m->epoch || (c.epoch == m->epoch && c.seq > m->seq);
    if (!rises && m->epoch != 0) ki_sim_wrong(s, "a sequence was used twice");
    m->epoch = c.epoch;
    m->seq = c.seq;
    s->report->checks++;
}

int ki_sim_post(ki_sim *s, ki_member *m) {
    bool twice = s->config->bug == KITH_SIM_BUG_TWICE;
    bool invents = s->config->bug == KITH_SIM_BUG_INVENTED;
    uint32_t number = s->attempt_count + 1;
    int r = remember(s, (uint32_t) (m - s->members));
    if (r < 0) return r;
    kith_post p = post_of(s, m, invents ? number + 1000000 : number);
    for (int i = 0; i < (twice ? 2 : 1); i++) {
        kith_post again = p;
        r = kith_store_post(m->store, m->key, &again, 1, ki_sim_time(s, m), NULL);
        if (r != 0 || again.result != 0) {
            s->report->refused++;
            return 0;
        }
        ki_attempt *it = &s->attempts[number - 1];
        if (i == 0) memcpy(it->id, again.id, sizeof it->id);
        it->acked = !invents;
        in_order(s, m, &again.packet);
        s->report->posted++;
    }
    return 0;
}

bool ki_sim_alike(ki_sim *s) {
    uint64_t first = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        kith_store_stat stat;
        if (kith_store_stats(s->members[i].store, &stat, NULL) < 0) return false;
        if (i == 0) first = stat.packets;
        if (stat.packets != first) return false;
        if (!kith_node_idle(s->members[i].node)) return false;
    }
    return true;
}

typedef struct census {
    ki_sim *s;
    uint32_t node;
    uint8_t *seen; /* by attempt */
} census;

static int count_one(void *ctx, const kith_record *record) {
    census *c = ctx;
    ki_sim *s = c->s;
    kith_content content;
    int r = kith_packet_decode(record->packet.bytes, record->packet.length, &content);
    uint32_t number = r == 0 ? content.n : 0;
    s->report->checks++;
    if (number == 0 || number > s->attempt_count) {
        ki_sim_wrong(s, "node %u has a packet that nobody posted", c->node);
        return KITH_STOP;
    }
    const ki_attempt *it = &s->attempts[number - 1];
    if (memcmp(content.source, s->members[it->node].public_key, KITH_KEY_SIZE) != 0) {
        ki_sim_wrong(s, "node %u has post %u under another name", c->node, number);
    } else if (c->seen[number - 1]++ != 0) {
        ki_sim_wrong(s, "node %u has post %u twice", c->node, number);
    } else if (it->acked && memcmp(it->id, record->id, KITH_ID_SIZE) != 0) {
        ki_sim_wrong(s, "node %u has other bytes for post %u", c->node, number);
    }
    return s->report->wrong[0] == '\0' ? 0 : KITH_STOP;
}

/* One node: everything acknowledged once, and nothing that nobody posted. */
static int judge_one(ki_sim *s, uint32_t node, uint8_t *seen) {
    const ki_member *m = &s->members[node];
    census c = { s, node, seen };
    kith_query all = { .now_us = ki_sim_time(s, m).wall_us };
    memset(seen, 0, s->attempt_count + 1);
    int r = kith_store_find(m->store, &all, count_one, &c, NULL);
    if (r < 0) return r;
    for (uint32_t i = 0; i < s->attempt_count && s->report->wrong[0] == '\0'; i++) {
        if (s->attempts[i].acked && seen[i] == 0) {
            ki_sim_wrong(s, "post %u of node %u was acknowledged, and node %u lacks it",
                i + 1, s->attempts[i].node, node);
        }
    }
    return 0;
}

int ki_sim_judge(ki_sim *s) {
    uint8_t *seen = calloc(s->attempt_count + 1, 1), digest[32];
    if (seen == NULL) return KITH_E_MEMORY;
    int r = 0;
    for (uint32_t i = 0; i < s->count && r == 0 && s->report->wrong[0] == '\0'; i++) {
        const ki_member *m = &s->members[i];
        uint64_t slots = 0;
        r = judge_one(s, i, seen);
        if (r == 0) {
            r = kith_store_digest(
                m->store, ">", ki_sim_time(s, m).wall_us, digest, &slots, NULL);
        }
        if (i == 0) memcpy(s->report->digest, digest, sizeof digest);
        if (r == 0 && memcmp(digest, s->report->digest, sizeof digest) != 0) {
            ki_sim_wrong(s, "nodes 0 and %u have the same packets and not one digest", i);
        }
        s->report->checks++;
    }
    free(seen);
    return r;
}
