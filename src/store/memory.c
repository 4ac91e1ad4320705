/* SPDX-License-Identifier: Apache-2.0 */
/* The memory engine: the same promises without a disk, gone with the process. One
 * lock, held for microseconds: a question first notes which arrivals answer it,
 * then hands them on one by one without the lock, so its callback may post.
 *
 * Its epoch is the time of the first post, in microseconds: the last life's
 * sequences are not used again though nothing remembers them. */
#include "store/engine.h"

#include <kith/address.h>
#include <kith/option.h>

#include "base/check.h"
#include "base/fail.h"
#include "store/shelf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROOFS_MAX = 1024,
    FEW = 64,
    MARK_BUCKETS = 4096,
};

/* A tombstone, or the proof of a lie; by place. */
typedef struct mark {
    struct mark *next;
    uint8_t source[KITH_KEY_SIZE];
    uint64_t epoch, seq;
    int64_t until;
    kith_packet proof; /* length 0: a tombstone */
} mark;

typedef struct named {
    struct named *next;
    size_t length;
    uint8_t *bytes; /* of a state; NULL for a way */
    char name[];
} named;

typedef struct own_key {
    struct own_key *next;
    uint8_t key[KITH_KEY_SIZE];
    uint64_t epoch, next_seq;
} own_key;

typedef struct memory {
    struct {
        int64_t max_bytes;
    } options;
    pthread_mutex_t lock;
    shelf shelf;
    mark *marks[MARK_BUCKETS];
    size_t tombstones, proofs;
    named *states, *ways;
    own_key *keys;
    uint64_t epoch;
    bool new_run;
    uint64_t evicted, refused, duplicates, equivocations, commits;
} memory;

static const kith_option options[] = {
    { "max_bytes", KITH_OPTION_BYTES, offsetof(memory, options.max_bytes), 64 << 10,
        INT64_C(1) << 44, "256M", NULL, "memory beyond which packets make room" },
    { 0 },
};

static void lock(memory *m) {
    (void) pthread_mutex_lock(&m->lock);
}

static void unlock(memory *m) {
    (void) pthread_mutex_unlock(&m->lock);
}

static void memory_close(void *self) {
    memory *m = self;
    ki_shelf_fini(&m->shelf);
    for (size_t i = 0; i < MARK_BUCKETS; i++) {
        for (mark *p = m->marks[i], *next; p != NULL; p = next) {
            next = p->next;
            free(p);
        }
    }
    for (int i = 0; i < 2; i++) {
        for (named *p = i == 0 ? m->states : m->ways, *next; p != NULL; p = next) {
            next = p->next;
            free(p->bytes);
            free(p);
        }
    }
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
        r = ki_shelf_init(&m->shelf, (uint64_t) m->options.max_bytes);
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
    lock(m);
    m->new_run = true;
    unlock(m);
    return 0;
}

/* ---- room ---- */

static int drop_some(memory *m, int64_t now_us, uint32_t at_most) {
    uint32_t n = 0;
    for (int own = 0; own < 2; own++) {
        shelf_rec *r = ki_shelf_soonest(&m->shelf, own == 1);
        while (r != NULL && r->exp <= now_us && n < at_most) {
            ki_shelf_drop_soonest(&m->shelf, own == 1);
            n++;
            r = ki_shelf_soonest(&m->shelf, own == 1);
        }
    }
    return (int) n;
}

static int make_room(memory *m, size_t need, int64_t now_us) {
    while (m->shelf.bytes + need > (uint64_t) m->options.max_bytes) {
        if (drop_some(m, now_us, FEW) > 0) {
            continue;
        }
        if (ki_shelf_soonest(&m->shelf, false) == NULL) {
            m->refused++;
            return KITH_E_SPACE;
        }
        ki_shelf_drop_soonest(&m->shelf, false);
        m->evicted++;
    }
    return 0;
}

static void prune_marks(memory *m, mark **at, int64_t now_us) {
    while (*at != NULL) {
        mark *old = *at;
        if (old->until > now_us) {
            at = &old->next;
            continue;
        }
        *at = old->next;
        *(old->proof.length == 0 ? &m->tombstones : &m->proofs) -= 1;
        free(old);
    }
}

static int memory_prune(void *self, int64_t now_us, uint32_t at_most, kith_error *err) {
    memory *m = self;
    (void) err;
    lock(m);
    int n = drop_some(m, now_us, at_most);
    for (size_t i = 0; i < MARK_BUCKETS; i++) {
        prune_marks(m, &m->marks[i], now_us);
    }
    m->commits += n > 0;
    unlock(m);
    return n;
}

/* ---- in ---- */

static mark **bucket(memory *m, uint64_t epoch, uint64_t seq) {
    uint64_t h =
        (epoch * UINT64_C(0x9e3779b97f4a7c15) ^ seq) * UINT64_C(0xbf58476d1ce4e5b9);
    return &m->marks[h >> 52 & (MARK_BUCKETS - 1)];
}

static mark *find_mark(
    memory *m, const uint8_t source[32], uint64_t epoch, uint64_t seq, bool tombstone) {
    mark *p = *bucket(m, epoch, seq);
    while (p != NULL &&
           (p->epoch != epoch || p->seq != seq || (p->proof.length == 0) != tombstone ||
               memcmp(p->source, source, KITH_KEY_SIZE) != 0)) {
        p = p->next;
    }
    return p;
}

/* expires: of what the mark is about, or of the proof. */
static int64_t keep_until(int64_t expires, bool tombstone) {
    int64_t grace = tombstone ? GONE_GRACE_US : 0;
    return expires > INT64_MAX - grace ? INT64_MAX : expires + grace;
}

static int add_mark(
    memory *m, const ki_facts *f, uint64_t epoch, uint64_t seq, const kith_packet *proof) {
    int64_t until = keep_until(f->expires_us, proof == NULL);
    mark *p = find_mark(m, f->source, epoch, seq, proof == NULL);
    if (p != NULL) {
        p->until = p->until > until ? p->until : until;
        return 0;
    }
    p = calloc(1, sizeof *p);
    if (p == NULL) {
        return KITH_E_MEMORY;
    }
    *p = (mark){
        .next = *bucket(m, epoch, seq), .epoch = epoch, .seq = seq, .until = until
    };
    memcpy(p->source, f->source, KITH_KEY_SIZE);
    if (proof != NULL) {
        p->proof = *proof;
    }
    *bucket(m, epoch, seq) = p;
    *(proof == NULL ? &m->tombstones : &m->proofs) += 1;
    return 0;
}

static const char *intern(memory *m, const char *way) {
    named *p = m->ways;
    while (p != NULL && strcmp(p->name, way) != 0) {
        p = p->next;
    }
    size_t n = strlen(way) + 1;
    if (p == NULL && (p = calloc(1, sizeof *p + n)) != NULL) {
        memcpy(p->name, way, n);
        p->next = m->ways;
        m->ways = p;
    }
    return p == NULL ? NULL : p->name;
}

/* A RETRACT lays its tombstone first, so that running out of memory in between
 * leaves nothing that counts. */
static int add(
    memory *m, const kith_packet *packet, const ki_facts *f, bool own, shelf_rec **ret) {
    int r = f->retracts ? add_mark(m, f, f->target_epoch, f->target_seq, NULL) : 0;
    r = r < 0 ? r : ki_shelf_add(&m->shelf, packet, f, own, ret);
    shelf_rec *target = r == 0 && f->retracts ? ki_shelf_at(&m->shelf, f->source,
                                                    f->target_epoch, f->target_seq)
                                              : NULL;
    if (target != NULL) {
        target->gone = true;
        mark *tomb = find_mark(m, f->source, f->target_epoch, f->target_seq, true);
        int64_t until = keep_until(target->exp, true);
        tomb->until = tomb->until > until ? tomb->until : until;
    }
    return r;
}

static own_key *find_key(memory *m, const uint8_t key[32]) {
    own_key *k = m->keys;
    while (k != NULL && memcmp(k->key, key, KITH_KEY_SIZE) != 0) {
        k = k->next;
    }
    return k;
}

static own_key *make_key(memory *m, const uint8_t key[32], int64_t now_us) {
    own_key *k = find_key(m, key);
    uint64_t now = now_us > 0 ? (uint64_t) now_us : 1;
    if (m->epoch == 0 || m->new_run) {
        m->epoch = now > m->epoch ? now : m->epoch + 1;
        m->new_run = false;
    }
    if (k == NULL && (k = calloc(1, sizeof *k)) != NULL) {
        memcpy(k->key, key, KITH_KEY_SIZE);
        k->next = m->keys;
        m->keys = k;
    }
    if (k != NULL && k->epoch < m->epoch) {
        k->epoch = m->epoch;
        k->next_seq = 0;
    }
    return k;
}

static int post_one(
    memory *m, own_key *k, const kith_key *key, kith_post *p, int64_t now_us) {
    ki_facts facts;
    shelf_rec *rec = NULL;
    p->result = kith_packet_timely(&p->content, now_us);
    while (p->result == 0) {
        p->content.epoch = k->epoch;
        p->content.seq = k->next_seq++;
        p->result = kith_packet_seal(&p->content, key, &p->packet);
        if (p->result != 0) {
            return 0;
        }
        kith_packet_id(&p->packet, p->id);
        int r = ki_facts_of(&p->packet, p->id, &facts);
        CHECK(r == 0);
        if (ki_shelf_at(&m->shelf, facts.source, facts.epoch, facts.seq) != NULL) {
            k->epoch++; /* somebody knows this number already */
            k->next_seq = 0;
            continue;
        }
        r = add(m, &p->packet, &facts, true, &rec);
        if (r < 0) {
            return r;
        }
        rec->at = now_us;
        p->arrival = rec->arrival;
        break;
    }
    return 0;
}

static int memory_post(void *self, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err) {
    memory *m = self;
    uint8_t public[KITH_KEY_SIZE];
    kith_key_public(key, public);
    lock(m);
    size_t need = count * (sizeof(shelf_rec) + KITH_PACKET_MAX + KITH_SUBJECT_MAX + FEW);
    int r = make_room(m, need, now.wall_us);
    own_key *k = r < 0 ? NULL : make_key(m, public, now.wall_us);
    r = r < 0 || k != NULL ? r : KITH_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        r = r < 0 ? r : post_one(m, k, key, &posts[i], now.wall_us);
        posts[i].result = r < 0 ? r : posts[i].result;
    }
    m->commits++;
    unlock(m);
    return r == 0 ? 0
                  : ki_fail(err, r,
                        r == KITH_E_SPACE ? "the store is full (max_bytes)" : "no memory");
}

static int note_way(shelf_rec *rec, const char *way) {
    shelf_way **at = &rec->more_ways;
    if (rec->way == way) {
        return 0;
    }
    for (; *at != NULL; at = &(*at)->next) {
        if ((*at)->name == way) return 0;
    }
    *at = calloc(1, sizeof **at);
    if (*at == NULL) {
        return KITH_E_MEMORY;
    }
    (*at)->name = way;
    return 0;
}

static int compare(
    memory *m, shelf_rec *rec, kith_arrival *a, const ki_facts *f, const char *way) {
    if (memcmp(rec->id, f->id, KITH_ID_SIZE) != 0) {
        m->equivocations++;
        int r = m->proofs < PROOFS_MAX ? add_mark(m, f, f->epoch, f->seq, &a->packet) : 0;
        return r < 0 ? r : KITH_R_EQUIVOCATION;
    }
    m->duplicates++;
    a->arrival = rec->arrival;
    int r = note_way(rec, way);
    return r < 0 ? r : KITH_DUPLICATE;
}

static int admit_one(memory *m, kith_arrival *a, int64_t now_us) {
    ki_facts f;
    a->arrival = 0;
    const char *way = intern(m, a->way);
    if (way == NULL || ki_facts_of(&a->packet, NULL, &f) < 0) {
        return way == NULL ? KITH_E_MEMORY : KITH_E_FORMAT;
    }
    shelf_rec *rec = ki_shelf_at(&m->shelf, f.source, f.epoch, f.seq);
    if (rec != NULL || a->known) {
        return rec == NULL ? KITH_E_MISSING : compare(m, rec, a, &f, way);
    }
    if (find_mark(m, f.source, f.epoch, f.seq, true) != NULL) {
        return KITH_R_RETRACTED;
    }
    own_key *k = find_key(m, f.source);
    int r = make_room(m, ki_shelf_cost(&f, a->packet.length), now_us);
    r = r < 0 ? r : add(m, &a->packet, &f, k != NULL, &rec);
    if (r < 0) {
        return r;
    }
    if (k != NULL &&
        (f.epoch > k->epoch || (f.epoch == k->epoch && f.seq >= k->next_seq))) {
        k->epoch = f.epoch < INT64_MAX ? f.epoch + 1 : f.epoch;
        k->next_seq = 0;
    }
    rec->at = now_us;
    rec->way = way;
    a->arrival = rec->arrival;
    return 0;
}

static int memory_admit(
    void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err) {
    memory *m = self;
    int r = 0;
    lock(m);
    for (size_t i = 0; i < count; i++) {
        arrivals[i].result = admit_one(m, &arrivals[i], now.wall_us);
        r = arrivals[i].result == KITH_E_MEMORY ? KITH_E_MEMORY : r;
    }
    m->commits++;
    unlock(m);
    return r == 0 ? 0 : ki_fail(err, r, "admit: no memory");
}

static int memory_knows(
    void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]) {
    memory *m = self;
    lock(m);
    shelf_rec *rec = ki_shelf_at(&m->shelf, content->source, content->epoch, content->seq);
    int r = rec == NULL                              ? 0
            : memcmp(rec->id, id, KITH_ID_SIZE) == 0 ? KITH_DUPLICATE
                                                     : KITH_R_EQUIVOCATION;
    unlock(m);
    return r;
}

/* ---- questions: note the arrivals under the lock, hand them on without ---- */

typedef struct noted {
    uint64_t small[FEW], *at;
    size_t count, room;
    uint64_t limit;
} noted;

static int note(noted *n, uint64_t arrival) {
    if (n->count == n->room) {
        size_t room = n->room == 0 ? FEW : n->room * 4;
        uint64_t *more =
            n->room == 0 ? n->small
                         : realloc(n->at == n->small ? NULL : n->at, room * sizeof *more);
        if (more == NULL) {
            return KITH_E_MEMORY;
        }
        if (n->at == n->small) {
            memcpy(more, n->small, sizeof n->small);
        }
        n->at = more;
        n->room = room;
    }
    n->at[n->count++] = arrival;
    return 0;
}

static bool enough(const noted *n) {
    return n->limit != 0 && n->count >= n->limit;
}

static bool wanted(const kith_query *q, const shelf_rec *r) {
    return (r->exp > q->now_us || q->with_expired) && (!r->gone || q->with_retracted) &&
           (q->origin == KITH_ORIGIN_ANY || r->own == (q->origin == KITH_ORIGIN_OWN)) &&
           r->arrival > q->after && (q->before == 0 || r->arrival < q->before) &&
           (q->id_length == 0 || memcmp(r->id, q->id, q->id_length) == 0);
}

static int note_subject(const memory *m, const kith_query *q, const shelf_subject *subject,
    bool down, noted *n) {
    shelf_rec *r = down ? subject->last : subject->first;
    const shelf_rec *from = ki_shelf_arrival(&m->shelf, down ? q->before : q->after);
    if (from != NULL && from->subject == subject) { /* a page goes on */
        r = down ? from->prev : from->next;
    }
    for (; r != NULL && !enough(n); r = down ? r->prev : r->next) {
        if (!wanted(q, r)) continue;
        int failed = note(n, r->arrival);
        if (failed < 0) return failed;
        if (n->count <= FEW) ki_shelf_fetch(r);
    }
    return 0;
}

/* "a.b.>": one subject after the other. */
static int note_range(const memory *m, const kith_query *q, const char *pattern, noted *n) {
    char from[SKIP_ROOM];
    ki_skip_first(pattern, from);
    size_t length = strlen(from);
    shelf_spot spot = ki_shelf_spot(&m->shelf, from);
    while (!enough(n)) {
        const shelf_subject *subject = ki_shelf_next(&m->shelf, &spot);
        if (subject == NULL || strncmp(subject->text, from, length) != 0) {
            break;
        }
        int r = note_subject(m, q, subject, false, n);
        if (r < 0) return r;
    }
    return 0;
}

static int note_matching(
    const memory *m, const kith_query *q, const char *pattern, noted *n) {
    if (ki_skip_reach(pattern) == REACH_RANGE) {
        return note_range(m, q, pattern, n);
    }
    char seek[SKIP_ROOM];
    bool more = true;
    ki_skip_first(pattern, seek);
    while (more && !enough(n)) {
        const shelf_subject *subject = ki_shelf_seek(&m->shelf, seek);
        if (subject == NULL) {
            break;
        }
        if (kith_subject_matches(pattern, subject->text)) {
            int r = note_subject(m, q, subject, false, n);
            if (r < 0) return r;
        }
        more = ki_skip_next(pattern, subject->text, seek);
    }
    return 0;
}

/* From one end of the arrivals, at most `few` of them. *ret_last: where it stopped. */
static int note_scan(
    const memory *m, const kith_query *q, size_t few, noted *n, uint64_t *ret_last) {
    uint64_t base = m->shelf.base, end = base + m->shelf.arrival_count;
    uint64_t low = q->after + 1 > base ? q->after + 1 : base;
    uint64_t high = q->before != 0 && q->before < end ? q->before : end;
    size_t looked = 0;
    for (uint64_t i = 0; low + i < high && !enough(n); i++) {
        uint64_t arrival = q->newest_first ? high - 1 - i : low + i;
        const shelf_rec *r = ki_shelf_arrival(&m->shelf, arrival);
        if (r == NULL) {
            continue;
        }
        *ret_last = arrival;
        bool match = wanted(q, r) && (q->pattern == NULL || kith_subject_matches(q->pattern,
                                                                r->subject->text));
        int failed = match ? note(n, arrival) : 0;
        if (failed < 0) return failed;
        if (++looked == few) return KITH_FULL;
    }
    return 0;
}

static int up(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static int by_arrival(const memory *m, const kith_query *q, noted *n) {
    uint64_t last = 0;
    size_t few = q->limit == 0 ? 1 : 256 + 4 * (size_t) q->limit;
    int r = q->limit == 0 ? KITH_FULL : note_scan(m, q, few, n, &last);
    if (r != KITH_FULL) {
        return r;
    }
    kith_query rest = *q;
    noted more = { 0 };
    if (q->limit != 0) {
        *(q->newest_first ? &rest.before : &rest.after) = last;
    }
    r = note_matching(m, &rest, q->pattern, &more);
    if (r == 0 && more.count > 0) {
        qsort(more.at, more.count, sizeof *more.at, up);
    }
    for (size_t i = 0; r == 0 && i < more.count && !enough(n); i++) {
        r = note(n, more.at[q->newest_first ? more.count - 1 - i : i]);
    }
    if (more.at != more.small) {
        free(more.at);
    }
    return r;
}

static int note_answer(const memory *m, const kith_query *q, noted *n) {
    uint64_t last = 0;
    ki_reach reach = ki_skip_reach(q->pattern);
    if (reach == REACH_ONE) {
        const shelf_subject *subject = ki_shelf_seek(&m->shelf, q->pattern);
        bool there = subject != NULL && strcmp(subject->text, q->pattern) == 0;
        return there ? note_subject(m, q, subject, q->newest_first && !q->by_subject, n)
                     : 0;
    }
    if (q->by_subject) {
        return note_matching(m, q, q->pattern == NULL ? ">" : q->pattern, n);
    }
    return reach == REACH_ALL ? note_scan(m, q, SIZE_MAX, n, &last) : by_arrival(m, q, n);
}

static void fill(const shelf_rec *r, int64_t now_us, kith_record *ret) {
    ret->arrival = r->arrival;
    ret->arrived_us = r->at;
    ret->expires_us = r->exp;
    ret->own = r->own;
    ret->retracted = r->gone;
    ret->expired = r->exp <= now_us;
    memcpy(ret->id, r->id, KITH_ID_SIZE);
    ret->packet.length = r->length;
    memcpy(ret->packet.bytes, r->bytes, r->length);
    size_t n = r->way == NULL ? 0 : strlen(r->way);
    memcpy(ret->way, r->way == NULL ? "" : r->way, n);
    ret->way[n] = '\0';
}

static void hand_on(memory *m, noted *n, int64_t now_us, kith_each each, void *ctx) {
    kith_record record;
    bool stop = false;
    for (size_t i = 0; i < n->count && !stop; i++) {
        lock(m);
        const shelf_rec *r = ki_shelf_arrival(&m->shelf, n->at[i]);
        if (r != NULL) fill(r, now_us, &record);
        unlock(m);
        stop = r != NULL && each(ctx, &record) == KITH_STOP;
    }
    if (n->at != n->small) {
        free(n->at);
    }
}

static int memory_find(
    void *self, const kith_query *query, kith_each each, void *ctx, kith_error *err) {
    memory *m = self;
    noted n = { .limit = query->limit };
    lock(m);
    int r = note_answer(m, query, &n);
    unlock(m);
    n.count = r < 0 ? 0 : n.count;
    hand_on(m, &n, query->now_us, each, ctx);
    return r < 0 ? ki_fail(err, r, "find: no memory") : 0;
}

/* ---- latest ---- */

/* Subject, template, source, type; the newest of its kind first. */
static int by_slot(const void *a, const void *b) {
    enum {
        AT_TEMPLATE = 4,
        KEY = KITH_TEMPLATE_SIZE + KITH_KEY_SIZE,
    };
    const shelf_rec *x = *(shelf_rec *const *) a, *y = *(shelf_rec *const *) b;
    int d = memcmp(x->bytes + AT_TEMPLATE, y->bytes + AT_TEMPLATE, KEY);
    if (d != 0) return d;
    if (x->bytes[1] != y->bytes[1]) return x->bytes[1] < y->bytes[1] ? -1 : 1;
    if (x->epoch != y->epoch) return x->epoch > y->epoch ? -1 : 1;
    return (x->seq < y->seq) - (x->seq > y->seq);
}

static bool same_slot(const shelf_rec *x, const shelf_rec *y) {
    return x->bytes[1] == y->bytes[1] &&
           memcmp(x->bytes + 4, y->bytes + 4, KITH_TEMPLATE_SIZE + KITH_KEY_SIZE) == 0;
}

static int latest_of(const shelf_subject *subject, int64_t now_us, noted *n) {
    size_t count = 0, i = 0;
    for (shelf_rec *r = subject->first; r != NULL; r = r->next) {
        count += r->evidence && !r->gone && r->exp > now_us;
    }
    const shelf_rec **list = count == 0 ? NULL : malloc(count * sizeof *list);
    if (list == NULL) {
        return count == 0 ? 0 : KITH_E_MEMORY;
    }
    for (shelf_rec *r = subject->first; r != NULL; r = r->next) {
        if (r->evidence && !r->gone && r->exp > now_us) list[i++] = r;
    }
    qsort(list, count, sizeof *list, by_slot);
    int r = 0;
    for (i = 0; r == 0 && i < count; i++) {
        if (i == 0 || !same_slot(list[i - 1], list[i])) {
            r = note(n, list[i]->arrival);
        }
    }
    free(list);
    return r;
}

static int memory_latest(void *self, const char *pattern, int64_t now_us, kith_each each,
    void *ctx, kith_error *err) {
    memory *m = self;
    noted n = { 0 };
    char seek[SKIP_ROOM];
    bool more = true;
    int r = 0;
    pattern = pattern == NULL ? ">" : pattern;
    ki_skip_first(pattern, seek);
    lock(m);
    while (r == 0 && more) {
        const shelf_subject *subject = ki_shelf_seek(&m->shelf, seek);
        if (subject == NULL) {
            break;
        }
        r = kith_subject_matches(pattern, subject->text) ? latest_of(subject, now_us, &n)
                                                         : 0;
        more = ki_skip_next(pattern, subject->text, seek);
    }
    unlock(m);
    n.count = r < 0 ? 0 : n.count;
    hand_on(m, &n, now_us, each, ctx);
    return r < 0 ? ki_fail(err, r, "latest: no memory") : 0;
}

/* ---- the rest ---- */

static bool came_by(const shelf_rec *r, const char *way) {
    bool found = r->way != NULL && strcmp(r->way, way) == 0;
    for (const shelf_way *w = r->more_ways; w != NULL && !found; w = w->next) {
        found = strcmp(w->name, way) == 0;
    }
    return found;
}

static int memory_outbox(
    void *self, const ki_outbox *what, kith_each each, void *ctx, kith_error *err) {
    memory *m = self;
    noted n = { .limit = what->limit };
    int failed = 0;
    lock(m);
    uint64_t end = m->shelf.base + m->shelf.arrival_count;
    uint64_t i = what->after + 1 > m->shelf.base ? what->after + 1 : m->shelf.base;
    for (; i < end && !enough(&n) && failed == 0; i++) {
        const shelf_rec *r = ki_shelf_arrival(&m->shelf, i);
        bool goes = r != NULL && r->exp > what->now_us && !r->gone &&
                    (r->own || (what->relay && !came_by(r, what->way)));
        failed = goes ? note(&n, i) : 0;
    }
    unlock(m);
    hand_on(m, &n, what->now_us, each, ctx);
    return failed < 0 ? ki_fail(err, failed, "outbox: no memory") : 0;
}

static int memory_ways(void *self, uint64_t arrival,
    int (*each)(void *ctx, const char *way), void *ctx, kith_error *err) {
    memory *m = self;
    (void) err;
    for (size_t i = 0;; i++) { /* names are never freed while the store is open */
        lock(m);
        const shelf_rec *r = ki_shelf_arrival(&m->shelf, arrival);
        const char *name = r == NULL ? NULL : r->way;
        size_t k = i;
        const shelf_way *w = r == NULL ? NULL : r->more_ways;
        if (name == NULL || k > 0) {
            k -= name != NULL;
            for (; w != NULL && k > 0; k--) w = w->next;
            name = w == NULL ? NULL : w->name;
        }
        unlock(m);
        if (name == NULL || each(ctx, name) == KITH_STOP) {
            return 0;
        }
    }
}

static int memory_save(void *self, const ki_saved *what, kith_error *err) {
    memory *m = self;
    size_t n = strlen(what->name) + 1;
    named *fresh = what->length == 0 ? NULL : calloc(1, sizeof *fresh + n);
    uint8_t *bytes = what->length == 0 ? NULL : malloc(what->length);
    if (what->length > 0 && (fresh == NULL || bytes == NULL)) {
        free(fresh);
        free(bytes);
        return ki_fail(err, KITH_E_MEMORY, "save: no memory");
    }
    lock(m);
    for (named **at = &m->states; *at != NULL; at = &(*at)->next) {
        named *old = *at;
        if (strcmp(old->name, what->name) == 0) {
            *at = old->next;
            free(old->bytes);
            free(old);
            break;
        }
    }
    if (fresh != NULL) {
        memcpy(fresh->name, what->name, n);
        memcpy(bytes, what->bytes, what->length);
        fresh->bytes = bytes;
        fresh->length = what->length;
        fresh->next = m->states;
        m->states = fresh;
    }
    unlock(m);
    return 0;
}

static int memory_load(
    void *self, const char *name, void *ret, size_t size, size_t *ret_length) {
    memory *m = self;
    lock(m);
    const named *p = m->states;
    while (p != NULL && strcmp(p->name, name) != 0) {
        p = p->next;
    }
    int r = p == NULL ? KITH_E_MISSING : p->length > size ? KITH_E_SPACE : 0;
    if (r == 0) {
        memcpy(ret, p->bytes, p->length);
        *ret_length = p->length;
    }
    unlock(m);
    return r;
}

static int memory_stats(void *self, kith_store_stat *ret, kith_error *err) {
    memory *m = self;
    (void) err;
    lock(m);
    const shelf *s = &m->shelf;
    const shelf_rec *own = ki_shelf_soonest(s, true), *foreign = ki_shelf_soonest(s, false);
    const shelf_rec *first =
        own == NULL || (foreign != NULL && foreign->exp < own->exp) ? foreign : own;
    size_t i = 0;
    while (i < s->arrival_count && s->arrivals[i] == NULL) {
        i++;
    }
    *ret = (kith_store_stat){
        .engine = "memory",
        .packets = s->count,
        .own = s->own_count,
        .foreign = s->count - s->own_count,
        .tombstones = m->tombstones,
        .subjects_hint = s->subject_count,
        .bytes = s->bytes,
        .max_bytes = (uint64_t) m->options.max_bytes,
        .first_arrival = i < s->arrival_count ? s->base + i : 0,
        .last_arrival = s->base + s->arrival_count - 1,
        .epoch = m->epoch,
        .oldest_expiry_us = first == NULL ? 0 : first->exp,
        .evicted = m->evicted,
        .refused_full = m->refused,
        .duplicates = m->duplicates,
        .equivocations = m->equivocations,
        .commits = m->commits,
    };
    unlock(m);
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
    lock(m);
    uint64_t v = m->commits;
    unlock(m);
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
    .post = memory_post,
    .admit = memory_admit,
    .knows = memory_knows,
    .find = memory_find,
    .latest = memory_latest,
    .outbox = memory_outbox,
    .ways = memory_ways,
    .save = memory_save,
    .load = memory_load,
    .prune = memory_prune,
    .stats = memory_stats,
    .check = memory_check,
    .backup = memory_backup,
    .version = memory_version,
    .wake_fd = memory_wake_fd,
};
