/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/gaps.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/wire.h"

/* Waits: of who asks, first and again; of the source and of others who answer. */
#define MS            UINT64_C(1000000)
#define ASK_MIN_NS    (50 * MS)
#define ASK_SPAN_NS   (450 * MS)
#define AGAIN_NS      (500 * MS)
#define OWN_SPAN_NS   (10 * MS)
#define OTHER_MIN_NS  (20 * MS)
#define OTHER_SPAN_NS (180 * MS)
#define TRIES_MAX     3
#define VAIN_NS       (5000 * MS) /* asked again within: nobody answered */
#define TWO_LOST_NS   (400 * MS)
#define GONE_NS       (5000 * MS) /* a source that is not heard any more */
#define KEYS_PACKETS  64          /* repeated for one KEYS */
#define REPAIRS_PER_S 1000        /* in all */
#define REPEAT_NS     (100 * MS)  /* not again so soon after somebody repeated it */
/* The whole group asks 50 times a second, and once more for two packets it hears. Half
 * of it deaf for two seconds would ask for everything at once. */
#define PACE_NS       (20 * MS)
#define PACE_SAVED_NS (100 * MS)
#define PACE_LIVE_NS  (10 * MS)

/* Somebody asked, or posted. */
static void pace(ki_gaps *g, bool asked, uint64_t now_ns) {
    uint64_t least = now_ns > PACE_SAVED_NS ? now_ns - PACE_SAVED_NS : 0;
    uint64_t next = asked                       ? g->pace_ns + PACE_NS
                    : g->pace_ns > PACE_LIVE_NS ? g->pace_ns - PACE_LIVE_NS
                                                : 0;
    g->pace_ns = next > least ? next : least;
}

static uint64_t mix(uint64_t source, uint64_t epoch, uint64_t seq) {
    uint64_t state = source ^ epoch * UINT64_C(0x9e3779b97f4a7c15) ^ seq << 20;
    return dice_roll(&state);
}

/* A source's place is one of eight; the one heard longest ago makes room. */
static ki_gap_source *source_of(ki_gaps *g, uint64_t source, uint64_t epoch) {
    ki_gap_source *set =
        &g->sources[mix(source, 0, 0) % (GAPS_SOURCES / GAPS_WAYS) * GAPS_WAYS];
    ki_gap_source *room = set;
    for (int i = 0; i < GAPS_WAYS; i++) {
        if (set[i].source == source) {
            room = &set[i];
            break;
        }
        room = set[i].heard_ns < room->heard_ns ? &set[i] : room;
    }
    if (room->source != source || room->epoch < epoch) {
        *room = (ki_gap_source){ .source = source, .epoch = epoch, .newest = UINT64_MAX };
    }
    return room;
}

/* Each packet has one place; a later one takes it over. Places of others' are the same in
 * all nodes: what one has lost to a later one nobody has. So our own, which we are
 * asked for first, have theirs by number: the last of them are always there. */
static ki_recent *recent_of(ki_gaps *g, uint64_t source, uint64_t epoch, uint64_t seq) {
    if (source == g->me) {
        return &g->recent[GAPS_RECENT + seq % GAPS_OWN];
    }
    return &g->recent[mix(source, epoch, seq) % GAPS_RECENT];
}

static bool is_it(const ki_recent *e, uint64_t source, uint64_t epoch, uint64_t seq) {
    return e->item.arrival != 0 && e->seq == seq && e->source == source &&
           e->epoch == epoch;
}

/* Bits of what lies between the newest so far and a newer one. */
static void note(ki_gaps *g, ki_gap_source *e, uint64_t seq, bool live, uint64_t now_ns) {
    if (e->newest == UINT64_MAX) { /* an old one, brought, says not where its source is */
        e->newest = live ? seq : e->newest;
    } else if (seq > e->newest) {
        uint64_t step = seq - e->newest;
        uint64_t skipped = step - 1 > GAPS_WINDOW ? GAPS_WINDOW : step - 1;
        uint64_t fresh = skipped == 0 || !live ? 0 : UINT64_MAX >> (64 - skipped);
        e->missing = (step >= 64 ? 0 : e->missing << step) | fresh;
        e->newest = seq;
    } else if (seq < e->newest && e->newest - seq <= GAPS_WINDOW) {
        e->missing &= ~(UINT64_C(1) << (e->newest - 1 - seq));
    }
    if (e->missing == 0) {
        e->due_ns = 0;
        e->tries = 0;
    } else if (e->due_ns == 0 && e->tries == 0) {
        e->due_ns = now_ns + ASK_MIN_NS + dice_below(&g->dice, ASK_SPAN_NS);
    }
}

static void cancel(ki_gaps *g, uint32_t recent) {
    for (uint32_t i = 0; i < g->repair_count; i++) {
        if (g->repairs[i].recent == recent) {
            g->repairs[i] = g->repairs[--g->repair_count];
            g->cancelled++;
            return;
        }
    }
}

void ki_gaps_heard(ki_gaps *g, uint64_t source, uint64_t epoch, uint64_t seq,
    const ki_item *item, bool own, bool live, uint64_t now_ns) {
    ki_recent *place = recent_of(g, source, epoch, seq);
    if (is_it(place, source, epoch, seq)) { /* somebody repeated it: we need not */
        place->sent_ns = now_ns;
        cancel(g, (uint32_t) (place - g->recent));
    } else if (item != NULL) {
        cancel(g, (uint32_t) (place - g->recent));
        *place = (ki_recent){ source, epoch, seq, *item, 0, 0, own };
    }
    if (!g->exact || source == 0 || source == g->me) {
        return;
    }
    ki_gap_source *e = source_of(g, source, epoch);
    e->heard_ns = now_ns;
    if (live && (e->newest == UINT64_MAX || seq > e->newest)) {
        pace(g, false, now_ns);
    }
    if (e->epoch == epoch) {
        note(g, e, seq, live, now_ns);
    }
}

bool ki_gaps_asked(const ki_gaps *g, uint64_t source, uint64_t epoch, uint64_t seq) {
    for (int i = 0; i < GAPS_SOURCES; i++) {
        const ki_gap_source *e = &g->sources[i];
        if (e->source == source && e->epoch == epoch && e->tries > 0) {
            uint64_t back = e->newest - seq - 1;
            return back < GAPS_WINDOW && (e->missing >> back & 1) != 0;
        }
    }
    return false;
}

/* Another asked for these: we need not, for a while. */
static void heard_asked(ki_gaps *g, uint64_t source, const ki_keys *keys, uint64_t now_ns) {
    for (int i = 0; i < GAPS_SOURCES; i++) {
        ki_gap_source *e = &g->sources[i];
        if (e->source != source || e->epoch != keys->epoch || e->missing == 0) {
            continue;
        }
        uint64_t left = e->missing;
        for (uint32_t k = 0; k < keys->count; k++) {
            for (uint64_t q = 0; q < keys->runs[k].length && q < GAPS_WINDOW; q++) {
                uint64_t back = e->newest - (keys->runs[k].first + q) - 1;
                left &= back < 64 ? ~(UINT64_C(1) << back) : UINT64_MAX;
            }
        }
        if (left == 0) {
            e->due_ns = now_ns + AGAIN_NS + dice_below(&g->dice, AGAIN_NS);
            e->tries += e->tries < TRIES_MAX;
        }
    }
}

/* The source repeats; others only when it is gone, or was asked before in vain. */
static bool mine_to_repeat(ki_gaps *g, ki_recent *e, uint64_t now_ns) {
    uint64_t since = e->asked_ns == 0 ? UINT64_MAX : now_ns - e->asked_ns;
    bool again = since >= TWO_LOST_NS && since < VAIN_NS; /* sooner: two have lost it */
    const ki_gap_source *source = source_of(g, e->source, e->epoch);
    bool gone = source->heard_ns + GONE_NS < now_ns;
    e->asked_ns = since < TWO_LOST_NS ? e->asked_ns : now_ns;
    return e->own || again || gone;
}

static void plan(ki_gaps *g, ki_recent *e, uint64_t now_ns) {
    uint32_t at = (uint32_t) (e - g->recent);
    for (uint32_t i = 0; i < g->repair_count; i++) {
        if (g->repairs[i].recent == at) {
            return;
        }
    }
    if (!mine_to_repeat(g, e, now_ns) || g->repair_count == GAPS_REPAIRS ||
        (e->sent_ns != 0 && e->sent_ns + REPEAT_NS > now_ns)) {
        return;
    }
    uint64_t wait = e->own ? dice_below(&g->dice, OWN_SPAN_NS)
                           : OTHER_MIN_NS + dice_below(&g->dice, OTHER_SPAN_NS);
    g->repairs[g->repair_count++] = (ki_repair){ at, now_ns + wait, now_ns };
}

void ki_gaps_keys(ki_gaps *g, const ki_keys *keys, uint64_t now_ns) {
    uint64_t source = wire_get64(keys->source);
    uint32_t left = KEYS_PACKETS;
    pace(g, true, now_ns);
    heard_asked(g, source, keys, now_ns);
    for (uint32_t k = 0; k < keys->count; k++) {
        const ki_run *run = &keys->runs[k];
        for (uint64_t q = 0; q < run->length && left > 0; q++, left--) {
            ki_recent *e = recent_of(g, source, keys->epoch, run->first + q);
            if (is_it(e, source, keys->epoch, run->first + q)) {
                plan(g, e, now_ns);
            }
        }
    }
}

static void runs_of(const ki_gap_source *e, ki_keys *ret) {
    memset(ret, 0, sizeof *ret);
    wire_put64(ret->source, e->source);
    ret->epoch = e->epoch;
    for (uint64_t back = GAPS_WINDOW; back > 0; back--) {
        if ((e->missing >> (back - 1) & 1) == 0 || e->newest < back) {
            continue;
        }
        uint64_t seq = e->newest - back;
        ki_run *last = ret->count == 0 ? NULL : &ret->runs[ret->count - 1];
        if (last != NULL && last->first + last->length == seq) {
            last->length++;
        } else if (ret->count < RUNS_MAX) {
            ret->runs[ret->count++] = (ki_run){ seq, 1 };
        }
    }
}

bool ki_gaps_ask(ki_gaps *g, uint64_t now_ns, ki_keys *ret) {
    for (int i = 0; i < GAPS_SOURCES; i++) {
        ki_gap_source *e = &g->sources[i];
        if (e->due_ns == 0 || e->due_ns > now_ns) {
            continue;
        }
        if (e->tries >= TRIES_MAX) { /* roots will find it */
            e->due_ns = 0;
            e->tries = 0;
            e->missing = 0;
            continue;
        }
        if (g->pace_ns > now_ns) {
            e->due_ns = now_ns + ASK_MIN_NS + dice_below(&g->dice, ASK_SPAN_NS);
            continue;
        }
        e->tries++;
        e->due_ns = now_ns + AGAIN_NS + dice_below(&g->dice, AGAIN_NS);
        runs_of(e, ret);
        if (ret->count > 0) {
            g->asked++;
            pace(g, true, now_ns);
            return true;
        }
    }
    return false;
}

bool ki_gaps_repair(ki_gaps *g, uint64_t now_ns, ki_item *ret) {
    if (g->tokens_ns > now_ns) {
        return false;
    }
    for (uint32_t i = 0; i < g->repair_count; i++) {
        if (g->repairs[i].due_ns <= now_ns) {
            ki_recent *e = &g->recent[g->repairs[i].recent];
            *ret = e->item;
            e->sent_ns = now_ns;
            g->repairs[i] = g->repairs[--g->repair_count];
            g->repaired++;
            g->tokens_ns = now_ns + 1000 * MS / REPAIRS_PER_S;
            return true;
        }
    }
    return false;
}

bool ki_gaps_open(const ki_gaps *g) {
    for (int i = 0; i < GAPS_SOURCES; i++) {
        if (g->sources[i].missing != 0 && g->sources[i].due_ns != 0) {
            return true;
        }
    }
    return false;
}

uint64_t ki_gaps_due(const ki_gaps *g) {
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < g->repair_count; i++) {
        due = g->repairs[i].due_ns < due ? g->repairs[i].due_ns : due;
    }
    due = due < g->tokens_ns ? g->tokens_ns : due;
    for (int i = 0; i < GAPS_SOURCES; i++) {
        const ki_gap_source *e = &g->sources[i];
        due = e->due_ns != 0 && e->due_ns < due ? e->due_ns : due;
    }
    return due;
}
