/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/net.h"

#include "base/dice.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

typedef struct sim_link {
    ki_net *net;
    uint32_t me;
    uint64_t posted;
} sim_link;

int ki_net_open(ki_net *net, uint32_t nodes, uint32_t street, uint64_t seed) {
    uint32_t streets = (nodes + street - 1) / street;
    uint32_t links = nodes + (streets > 1 ? streets : 0);
    *net = (ki_net){ .dice = seed,
        .nodes = nodes,
        .links = links,
        .room = nodes > 16 ? 96 : 512,
        .delay_ns = 1,
        .deaf = calloc((size_t) nodes * nodes, sizeof(uint32_t)),
        .boxes = calloc(links, sizeof(ki_box)) };
    bool there = net->deaf != NULL && net->boxes != NULL;
    for (uint32_t i = 0; i < links && there; i++) {
        ki_box *box = &net->boxes[i];
        box->node = i < nodes ? i : (i - nodes) * street;
        box->street = i < nodes ? i / street : streets;
        box->items = calloc(net->room, sizeof(kith_item));
        there = box->items != NULL;
    }
    if (!there) ki_net_close(net);
    return there ? 0 : KITH_E_MEMORY;
}

void ki_net_close(ki_net *net) {
    for (size_t i = 0; i < net->count; i++) free(net->heap[i]);
    for (uint32_t i = 0; net->boxes != NULL && i < net->links; i++) {
        free(net->boxes[i].items);
    }
    free(net->boxes);
    free(net->deaf);
    free(net->heap);
    *net = (ki_net){ 0 };
}

static bool sooner(const ki_letter *a, const ki_letter *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static bool put(ki_net *net, ki_letter *l) {
    if (net->count == net->size) {
        size_t size = net->size == 0 ? 1024 : 2 * net->size;
        ki_letter **more = realloc(net->heap, size * sizeof *more);
        if (more == NULL) return false;
        net->heap = more;
        net->size = size;
    }
    size_t i = net->count++;
    for (; i > 0 && sooner(l, net->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        net->heap[i] = net->heap[(i - 1) / 2];
    }
    net->heap[i] = l;
    return true;
}

static ki_letter *take(ki_net *net) {
    ki_letter *first = net->heap[0], *last = net->heap[--net->count];
    size_t i = 0;
    for (size_t k = 1; k < net->count; k = 2 * i + 1) {
        k += k + 1 < net->count && sooner(net->heap[k + 1], net->heap[k]);
        if (!sooner(net->heap[k], last)) break;
        net->heap[i] = net->heap[k];
        i = k;
    }
    net->heap[i] = last;
    return first;
}

uint64_t ki_net_due(const ki_net *net) {
    return net->count == 0 ? UINT64_MAX : net->heap[0]->due_ns;
}

static void lose(ki_net *net, ki_box *box) {
    net->lost++;
    box->gaps++;
}

void ki_net_bring(
    ki_net *net, uint64_t now_ns, void (*got)(void *ctx, uint32_t node), void *ctx) {
    net->now_ns = now_ns;
    while (ki_net_due(net) <= now_ns) {
        ki_letter *l = take(net);
        ki_box *box = &net->boxes[l->to];
        if (box->open && box->count < net->room) {
            box->items[(box->first + box->count++) % net->room] = l->item;
            got(ctx, box->node);
        } else if (box->open) {
            lose(net, box);
        }
        free(l);
    }
}

static int send(ki_net *net, uint32_t to, const kith_posting *what) {
    ki_letter *l = calloc(1, sizeof *l);
    if (l == NULL) return KITH_E_MEMORY;
    l->due_ns = net->now_ns + 1000000 + dice_below(&net->dice, net->delay_ns);
    l->order = net->order++;
    l->to = to;
    l->item.kind = what->kind;
    l->item.length = what->length;
    memcpy(l->item.bytes, what->bytes, what->length);
    if (what->kind == KITH_ITEM_PACKET) l->item.from = *what->to;
    net->messages++;
    if (put(net, l)) return 0;
    free(l);
    return KITH_E_MEMORY;
}

static int sim_post(void *self, const kith_posting *what) {
    sim_link *s = self;
    ki_net *net = s->net;
    int r = 0;
    const ki_box *mine = &net->boxes[s->me];
    for (uint32_t to = 0; to < net->links && r == 0; to++) {
        const ki_box *box = &net->boxes[to];
        if (to == s->me || !box->open || box->street != mine->street) continue;
        bool lost = dice_below(&net->dice, 100) < net->loss;
        bool twice = dice_below(&net->dice, 100) < net->repeat;
        if (lost || net->deaf[(size_t) box->node * net->nodes + mine->node] > 0) {
            net->lost++;
            continue;
        }
        r = send(net, to, what);
        if (r == 0 && twice) r = send(net, to, what);
        net->repeated += twice;
    }
    s->posted++;
    return r;
}

static int sim_open(void *self, const char *place, const kith_host *host, kith_error *err) {
    sim_link *s = self;
    s->net = host->carrier_ctx;
    s->me = (uint32_t) strtoul(place, NULL, 10);
    if (s->net == NULL || s->me >= s->net->links) {
        return ki_fail(err, KITH_E_ARG, "'%.20s' is no link of a simulation", place);
    }
    ki_box *box = &s->net->boxes[s->me];
    box->open = true;
    box->count = 0;
    return 0;
}

static void sim_close(void *self) {
    sim_link *s = self;
    s->net->boxes[s->me].open = false;
}

static int sim_pull(void *self, kith_item *ret_item) {
    sim_link *s = self;
    ki_box *box = &s->net->boxes[s->me];
    if (box->count == 0) {
        bool gap = box->gaps != box->told;
        box->told = box->gaps;
        return gap ? KITH_GAP : KITH_EMPTY;
    }
    *ret_item = box->items[box->first];
    box->first = (box->first + 1) % s->net->room;
    box->count--;
    return 0;
}

static int sim_follow(void *self, const char *const *patterns, size_t count) {
    (void) self, (void) patterns, (void) count;
    return 0; /* everything comes; the core filters */
}

static void sim_counters(void *self, kith_counters *ret) {
    sim_link *s = self;
    ret->posted = ret->settled = s->posted;
    ret->lost = s->net->boxes[s->me].gaps;
}

static const kith_option none[] = { { .name = NULL } };

const kith_carrier ki_sim_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_SYNC,
    .state_size = sizeof(sim_link),
    .scheme = "sim",
    .summary = "between the nodes of a simulation",
    .place = "number of a link",
    .options = none,
    .open = sim_open,
    .close = sim_close,
    .post = sim_post,
    .follow = sim_follow,
    .pull = sim_pull,
    .counters = sim_counters,
};
