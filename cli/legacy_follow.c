/* SPDX-License-Identifier: Apache-2.0 */
/* follow --legacy: what publishers of seed 0 say, each packet once, and why others were
 * refused. Nothing is stored: nobody has signed it. */
#include "cli/legacy.h"

#include <kith/address.h>
#include <kith/legacy.h>

#include <stdlib.h>
#include <string.h>

#define REASONS (KITH_L_FRAMES - KITH_L_LAST + 1)
#define SEEN    65536 /* places for ids of late; a repeat after many others is new again */

typedef struct watcher {
    legacy_link l;
    const char *pattern;
    uint64_t shown, limit, doubled, refused[REASONS];
    uint64_t *seen; /* SEEN first words of ids, by their last bits */
    bool bad;
} watcher;

static bool seen_before(watcher *w, const uint8_t id[KITH_ID_SIZE]) {
    uint64_t word;
    memcpy(&word, id, sizeof word);
    uint64_t *place = &w->seen[word % SEEN];
    bool same = *place == word;
    *place = word;
    return same;
}

/* topic NULL: a row of a store. */
static void show(
    watcher *w, const char *topic, const kith_seed0 *p, const uint8_t id[KITH_ID_SIZE]) {
    char from[sizeof p->node_id + 16];
    record r = record_of("legacy");
    snprintf(from, sizeof from, "unsigned:%s", topic == NULL ? "" : p->node_id);
    as_column(
        topic == NULL ? put_absent(&r, "id") : put_hex(&r, "id", id, KITH_ID_SIZE), 4);
    as_column(put_text(&r, "subject", p->domain), 0);
    as_column(put_real(&r, "outcome_delta", p->outcome_delta), 4);
    as_column(put_real(&r, "confidence", p->confidence), 4);
    as_column(put_int(&r, "n_observations", p->n_observations), 0);
    as_column(put_text(&r, "from", from), 0);
    if (topic == NULL) {
        put_absent(&r, "node_id");
    } else {
        put_text(&r, "node_id", p->node_id);
        put_text(&r, "context_hash", p->context_hash);
        put_real(&r, "timestamp", p->timestamp);
        put_text(&r, "topic", topic);
    }
    put_time(&r, "arrived", kith_time_now().wall_us);
    put_int(&r, "seed", 0);
    put_bool(&r, "signed", false);
    if (!out_emit(w->l.c->out, &r)) w->bad = true;
    w->shown++;
}

/* A row of a store's answer has neither name nor time. */
static int take_row(watcher *w, const uint8_t *text, size_t length) {
    kith_seed0 rows[KITH_SEED0_ROWS_MAX];
    int n = kith_seed0_read_reply((const char *) text, length, rows);
    for (int i = 0; i < n; i++) {
        if (kith_subject_matches(w->pattern, rows[i].domain)) show(w, NULL, &rows[i], NULL);
    }
    return n < 0 ? n : 0;
}

/* Why it is refused, or 0. */
static int take(watcher *w, const kith_item *item) {
    char topic[KITH_SEED0_TOPIC_MAX + 1];
    uint8_t id[KITH_ID_SIZE];
    kith_seed0 p;
    size_t n = item->length < 2 ? SIZE_MAX : (size_t) item->bytes[0] << 8 | item->bytes[1];
    if (item->kind != KITH_ITEM_LEGACY || n + 2 > item->length) return KITH_L_FRAMES;
    const uint8_t *payload = item->bytes + 2 + n;
    size_t length = item->length - 2 - n;
    if (n == 0 && length > 0 && payload[0] == '[') return take_row(w, payload, length);
    int r = kith_seed0_decode((const char *) item->bytes + 2, n, payload, length, &p);
    if (r == 0) r = kith_legacy_timely(p.timestamp, kith_time_now().wall_us);
    if (r < 0) return r;
    if (!kith_subject_matches(w->pattern, p.domain)) return 0;
    kith_legacy_id(0, item->bytes + 2, n, payload, length, id);
    if (seen_before(w, id)) {
        w->doubled++;
        return 0;
    }
    memcpy(topic, item->bytes + 2, n); /* decode looked at its length */
    topic[n] = '\0';
    show(w, topic, &p, id);
    return 0;
}

static bool enough(const watcher *w) {
    return w->bad || (w->limit > 0 && w->shown >= w->limit);
}

/* Everything that is there now. */
static int read_all(watcher *w) {
    kith_item item;
    int r;
    while (!enough(w) && (r = kith_link_pull(w->l.link, &item)) != KITH_EMPTY) {
        if (r < 0 && r != KITH_E_FORMAT) return r;
        if (r != 0) continue; /* a frame too many is counted by the link */
        int why = take(w, &item);
        if (why < 0) w->refused[KITH_L_FRAMES - why]++;
        kith_link_ack(w->l.link, item.token);
    }
    return 0;
}

static void sum_up(watcher *w) {
    const out *o = w->l.c->out;
    kith_counters counted;
    char text[512] = "";
    uint64_t all = 0;
    record r = record_of("follow_end");
    kith_link_counters(w->l.link, &counted);
    w->refused[0] += counted.rubbish;
    for (int i = 0; i < REASONS; i++) all += w->refused[i];
    put_count(&r, "shown", w->shown);
    put_count(&r, "doubled", w->doubled);
    put_count(&r, "refused", all);
    for (int i = 0; i < REASONS; i++) {
        if (w->refused[i] == 0) continue;
        const char *name = kith_legacy_counter(KITH_L_FRAMES - i);
        size_t used = strlen(text);
        put_count(&r, name, w->refused[i]);
        snprintf(text + used, sizeof text - used, "%s%s %llu", used > 0 ? ", " : ": ", name,
            (unsigned long long) w->refused[i]);
    }
    if (o->json) {
        out_json(o->to, &r);
        return;
    }
    out_rows(w->l.c->out);
    out_note(o, "%llu shown, %llu doubled, %llu refused%s", (unsigned long long) w->shown,
        (unsigned long long) w->doubled, (unsigned long long) all, text);
}

static int watch(watcher *w, uint64_t end) {
    int r = 0;
    do {
        r = read_all(w);
        if (r < 0) break;
        if (!out_flush(w->l.c->out)) w->bad = true;
        if (end != 0 && kith_time_now().mono_ns >= end) break;
    } while (!enough(w) && legacy_wait(&w->l, end));
    sum_up(w);
    if (r < 0) {
        kith_error err = { .code = r };
        return fault_kith(w->l.c->out, E_UNREACHED, w->l.c->args[0], &err);
    }
    return w->bad ? EXIT_USAGE : 0;
}

int follow_legacy(const call *c) {
    const look_flags *f = c->flags;
    bool start = strcmp(f->since, "start") == 0;
    if ((f->since[0] != '\0' && !start) || flag_given(c, "own") ||
        flag_given(c, "foreign") || flag_given(c, "carrier")) {
        return fault(c->out, E_TOGETHER, "--legacy",
            "seed 0 has no times, no sources and only the URL that is named; only --since "
            "start asks its store");
    }
    watcher w = { .pattern = c->args[1], .limit = (uint64_t) f->limit };
    const char *why = kith_subject_fault(w.pattern, true);
    if (why != NULL) return fault(c->out, E_SUBJECT, w.pattern, "%s", why);
    w.seen = calloc(SEEN, sizeof *w.seen);
    if (w.seen == NULL) return fault(c->out, E_MEMORY, "ids", NULL);
    uint64_t end = f->for_ns == 0 ? 0 : kith_time_now().mono_ns + (uint64_t) f->for_ns;
    int code = legacy_open(&w.l, c, c->args[0], "bind=no");
    if (code == 0) {
        kith_position to = { .kind = start ? KITH_FROM_START : KITH_FROM_NOW };
        bool good = kith_link_follow(w.l.link, w.pattern) == 0 &&
                    kith_link_rewind(w.l.link, &to) == 0;
        code = good ? watch(&w, end) : fault(c->out, E_MEMORY, w.pattern, NULL);
        legacy_close(&w.l);
    }
    free(w.seen);
    return code;
}
