/* SPDX-License-Identifier: Apache-2.0 */
/* The memory engine's door: open and close, small state, figures. */
#include "store/memory.h"

#include <kith/option.h>

#include "base/check.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

static const kith_option options[] = {
    { "max_bytes", KITH_OPTION_BYTES, offsetof(memory, options.max_bytes), 64 << 10,
        INT64_C(1) << 44, "256M", NULL, "memory beyond which packets make room" },
    { 0 },
};

static void free_named(named *p) {
    while (p != NULL) {
        named *next = p->next;
        free(p->bytes);
        free(p);
        p = next;
    }
}

static void memory_close(void *self) {
    memory *m = self;
    ki_shelf_fini(&m->shelf);
    ki_marks_fini(&m->marks);
    ki_memory_heard_fini(m);
    free_named(m->states);
    free_named(m->ways);
    for (own_key *p = m->keys, *next; p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    (void) pthread_mutex_destroy(&m->lock);
    free(m);
}

static int memory_open(void **ret, const char *place, const char *query, kith_error *err) {
    memory *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory");
    }
    (void) pthread_mutex_init(&m->lock, NULL);
    int r = kith_option_presets(options, m, err);
    r = r < 0 ? r : kith_option_query(options, m, query, err);
    if (r == 0 && *place != '\0') {
        r = ki_fail(err, KITH_E_CONFIG, "memory: has no place, only memory:?max_bytes=16M");
    }
    if (r == 0) {
        uint64_t most = (uint64_t) m->options.max_bytes;
        r = ki_shelf_init(&m->shelf, most);
        r = r < 0 ? r : ki_marks_init(&m->marks, most);
        r = r < 0 ? ki_fail(err, r, "no memory") : 0;
    }
    if (r < 0) {
        memory_close(m);
        return r;
    }
    *ret = m;
    return 0;
}

static int memory_begin_run(void *self, kith_error *err) {
    memory *m = self;
    (void) err;
    memory_lock(m);
    m->new_run = true;
    memory_unlock(m);
    return 0;
}

/* The i-th way of a packet, or NULL. Names are never freed while the store is open. */
static const char *way_at(memory *m, uint64_t arrival, size_t i) {
    memory_lock(m);
    const shelf_rec *r = ki_shelf_arrival(&m->shelf, arrival);
    const char *name = NULL;
    if (r != NULL && r->way != NULL && i-- == 0) {
        name = r->way;
    } else if (r != NULL) {
        const shelf_way *w = r->more_ways;
        for (; w != NULL && i > 0; i--) w = w->next;
        name = w == NULL ? NULL : w->name;
    }
    memory_unlock(m);
    return name;
}

static int memory_ways(void *self, uint64_t arrival,
    int (*each)(void *ctx, const char *way), void *ctx, kith_error *err) {
    (void) err;
    for (size_t i = 0;; i++) {
        const char *name = way_at(self, arrival, i);
        if (name == NULL || each(ctx, name) == KITH_STOP) {
            return 0;
        }
    }
}

/* ---- proofs ---- */

typedef struct told {
    kith_record record;
    uint8_t source[KITH_KEY_SIZE];
    uint64_t epoch, seq;
} told;

typedef struct telling {
    const memory *m;
    told *list;
    size_t count, room;
} telling;

static void tell_proof(void *ctx, const kith_packet *proof) {
    telling *t = ctx;
    kith_content content;
    if (t->count == t->room ||
        kith_packet_decode(proof->bytes, proof->length, &content) < 0) {
        return;
    }
    told *one = &t->list[t->count++];
    const shelf_rec *first =
        ki_shelf_at(&t->m->shelf, content.source, content.epoch, content.seq);
    *one = (told){ .epoch = content.epoch, .seq = content.seq };
    memcpy(one->source, content.source, sizeof one->source);
    one->record.packet = *proof;
    one->record.arrival = first == NULL ? 0 : first->arrival;
    kith_packet_id(proof, one->record.id);
}

static int by_place(const void *a, const void *b) {
    const told *x = a, *y = b;
    int by_key = memcmp(x->source, y->source, sizeof x->source);
    if (by_key != 0) return by_key;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Copies are told, without the lock: who is told may post. */
static int memory_proofs(void *self, kith_each each, void *ctx, kith_error *err) {
    memory *m = self;
    memory_lock(m);
    telling t = { .m = m, .room = m->marks.proofs };
    t.list = calloc(t.room + 1, sizeof *t.list);
    if (t.list != NULL) ki_marks_each_proof(&m->marks, tell_proof, &t);
    memory_unlock(m);
    if (t.list == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "no memory");
    }
    CHECK(t.count <= t.room);
    qsort(t.list, t.count, sizeof *t.list, by_place);
    for (size_t i = 0; i < t.count; i++) {
        if (each(ctx, &t.list[i].record) == KITH_STOP) break;
    }
    free(t.list);
    return 0;
}

/* ---- small state ---- */

static named *new_state(const ki_saved *what) {
    size_t n = strlen(what->name) + 1;
    named *p = malloc(sizeof *p + n);
    uint8_t *bytes = malloc(what->length);
    if (p == NULL || bytes == NULL) {
        free(p);
        free(bytes);
        return NULL;
    }
    *p = (named){ .length = what->length, .bytes = bytes };
    memcpy(p->name, what->name, n);
    memcpy(bytes, what->bytes, what->length);
    return p;
}

static size_t cost_of(const named *p) {
    return p == NULL ? 0 : sizeof *p + strlen(p->name) + 1 + p->length;
}

/* Takes the place of old, if there is one; fresh may be NULL. */
static void put_state(memory *m, named *fresh, named *old) {
    named **at = &m->states;
    while (*at != old) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    if (old != NULL) {
        *at = old->next;
        CHECK(m->named_bytes >= cost_of(old));
        m->named_bytes -= cost_of(old);
        free(old->bytes);
        free(old);
    }
    if (fresh != NULL) {
        fresh->next = m->states;
        m->states = fresh;
        m->named_bytes += cost_of(fresh);
    }
}

static named *find_state(const memory *m, const char *name) {
    named *p = m->states;
    while (p != NULL && strcmp(p->name, name) != 0) {
        p = p->next;
    }
    return p;
}

/* Nobody tells the time here: what has expired goes as the foreign packet that expires
 * first. */
static int memory_save(void *self, const ki_saved *what, kith_error *err) {
    memory *m = self;
    named *fresh = what->length == 0 ? NULL : new_state(what);
    if (what->length > 0 && fresh == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "save: no memory");
    }
    memory_lock(m);
    named *old = find_state(m, what->name);
    size_t need = cost_of(fresh), had = cost_of(old);
    int r = need <= had ? 0 : ki_memory_room(m, need - had, INT64_MIN);
    if (r == 0) {
        put_state(m, fresh, old);
    }
    memory_unlock(m);
    if (r < 0) {
        free(fresh->bytes);
        free(fresh);
        return ki_fail(err, r, "save: the store is full (max_bytes)");
    }
    return 0;
}

static int memory_load(
    void *self, const char *name, void *ret, size_t size, size_t *ret_length) {
    memory *m = self;
    memory_lock(m);
    const named *p = find_state(m, name);
    int r = p == NULL ? KITH_E_MISSING : p->length > size ? KITH_E_SPACE : 0;
    if (r == 0) {
        CHECK(p->length > 0 && p->length <= KITH_STATE_MAX);
        memcpy(ret, p->bytes, p->length);
        *ret_length = p->length;
    }
    memory_unlock(m);
    return r;
}

static int memory_stats(void *self, kith_store_stat *ret, kith_error *err) {
    memory *m = self;
    (void) err;
    memory_lock(m);
    const shelf *s = &m->shelf;
    const shelf_rec *own = ki_shelf_soonest(s, true), *foreign = ki_shelf_soonest(s, false);
    const shelf_rec *first =
        own == NULL || (foreign != NULL && foreign->exp < own->exp) ? foreign : own;
    size_t i = 0;
    while (i < s->slot_count && s->slots[i].rec == NULL) {
        i++;
    }
    *ret = (kith_store_stat){
        .engine = "memory",
        .packets = s->count,
        .own = s->own_count,
        .foreign = s->count - s->own_count,
        .tombstones = m->marks.tombstones,
        .subjects_hint = s->order.subjects,
        .bytes = ki_memory_used(m),
        .max_bytes = (uint64_t) m->options.max_bytes,
        .first_arrival = i < s->slot_count ? s->slots[i].arrival : 0,
        .last_arrival = s->next_arrival - 1,
        .epoch = m->epoch,
        .oldest_expiry_us = first == NULL ? 0 : first->exp,
        .evicted = m->evicted,
        .heard = m->heard.count,
        .heard_evicted = m->heard.evicted,
        .refused_full = m->refused,
        .duplicates = m->duplicates,
        .equivocations = m->equivocations,
        .commits = m->commits,
    };
    memory_unlock(m);
    return 0;
}

static int memory_head(
    void *self, uint64_t *ret_last, uint64_t *ret_evicted, kith_error *err) {
    memory *m = self;
    (void) err;
    memory_lock(m);
    *ret_last = m->shelf.next_arrival - 1;
    *ret_evicted = m->evicted;
    memory_unlock(m);
    return 0;
}

static int memory_check(const char *place, const char *query, kith_error *err) {
    (void) place, (void) query;
    return ki_fail(err, KITH_E_NOTSUP, "a store in memory leaves nothing to check");
}

static int memory_backup(void *self, const char *path, kith_error *err) {
    (void) self, (void) path;
    return ki_fail(err, KITH_E_NOTSUP, "a store in memory is not copied to a file");
}

static uint64_t memory_version(void *self) {
    memory *m = self;
    memory_lock(m);
    uint64_t v = m->commits;
    memory_unlock(m);
    return v;
}

static int memory_wake_fd(void *self) {
    (void) self;
    return -1;
}

const ki_engine ki_engine_memory = {
    .scheme = "memory",
    .open = memory_open,
    .close = memory_close,
    .begin_run = memory_begin_run,
    .post = ki_memory_post,
    .admit = ki_memory_admit,
    .knows = ki_memory_knows,
    .find = ki_memory_find,
    .latest = ki_memory_latest,
    .outbox = ki_memory_outbox,
    .ways = memory_ways,
    .proofs = memory_proofs,
    .hear = ki_memory_hear,
    .heard = ki_memory_heard,
    .save = memory_save,
    .load = memory_load,
    .prune = ki_memory_prune,
    .stats = memory_stats,
    .head = memory_head,
    .check = memory_check,
    .backup = memory_backup,
    .version = memory_version,
    .wake_fd = memory_wake_fd,
};
