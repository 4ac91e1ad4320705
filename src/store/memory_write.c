/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in: our own by post, those of others by admit. */
#include "store/memory.h"

#include "base/check.h"
#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

/* A tombstone outlives its target by a day, a proof does not. */
static int64_t keep_until(int64_t expires, bool tombstone) {
    int64_t grace = tombstone ? GONE_GRACE_US : 0;
    return expires > INT64_MAX - grace ? INT64_MAX : expires + grace;
}

static mark_place place_of(const ki_facts *f) {
    return (mark_place){ f->source, f->epoch, f->seq };
}

/* The later of what the retraction and its target, if it is here, ask for. */
static int64_t entombed_until(
    const memory *m, const ki_facts *f, const mark_place *target) {
    const shelf_rec *r = ki_shelf_at(&m->shelf, target->source, target->epoch, target->seq);
    return keep_until(r != NULL && r->exp > f->expires_us ? r->exp : f->expires_us, true);
}

/* A RETRACT lays its tombstone first, so that running out of memory in between
 * leaves nothing that counts. It may be its own target. */
static int add(
    memory *m, const kith_packet *packet, const ki_facts *f, bool own, shelf_rec **ret) {
    if (!f->retracts) {
        return ki_shelf_add(&m->shelf, packet, f, own, ret);
    }
    CHECK(f->type == KITH_RETRACT);
    mark_place at = { f->source, f->target_epoch, f->target_seq };
    int r = ki_marks_entomb(&m->marks, &at, entombed_until(m, f, &at), own);
    r = r < 0 ? r : ki_shelf_add(&m->shelf, packet, f, own, ret);
    shelf_rec *target = r < 0 ? NULL : ki_shelf_at(&m->shelf, at.source, at.epoch, at.seq);
    if (target != NULL) {
        target->gone = true;
    }
    return r;
}

/* ---- post ---- */

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
    CHECK(k == NULL || k->epoch > 0);
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

int ki_memory_post(void *self, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err) {
    memory *m = self;
    uint8_t public[KITH_KEY_SIZE];
    kith_key_public(key, public);
    memory_lock(m);
    size_t need = count * (ki_shelf_cost(KITH_PACKET_MAX) + ki_marks_cost(NULL));
    int r = ki_memory_room(m, need, now.wall_us);
    own_key *k = r < 0 ? NULL : make_key(m, public, now.wall_us);
    r = r < 0 || k != NULL ? r : KITH_E_MEMORY;
    for (size_t i = 0; i < count; i++) {
        int one = r < 0 ? r : post_one(m, k, key, &posts[i], now.wall_us);
        posts[i].result = one < 0 ? one : posts[i].result;
        r = one < 0 && i == 0 ? one : r; /* later: those before it are there */
    }
    CHECK(r < 0 || ki_memory_used(m) <= (uint64_t) m->options.max_bytes);
    m->commits++;
    memory_unlock(m);
    return r == 0 ? 0
                  : ki_fail(err, r,
                        r == KITH_E_SPACE ? "the store is full (max_bytes)" : "no memory");
}

/* ---- admit ---- */

const char *ki_memory_intern(memory *m, const char *way) {
    named *p = m->ways;
    while (p != NULL && strcmp(p->name, way) != 0) {
        p = p->next;
    }
    size_t n = strlen(way) + 1;
    CHECK(n <= KITH_WAY_MAX + 1);
    if (p == NULL && (p = calloc(1, sizeof *p + n)) != NULL) {
        memcpy(p->name, way, n);
        p->next = m->ways;
        m->ways = p;
        m->named_bytes += sizeof *p + n;
    }
    return p == NULL ? NULL : p->name;
}

/* The place is taken. Neither a proof nor a way is refused: both are small. */
static int compare(
    memory *m, shelf_rec *rec, kith_arrival *a, const ki_facts *f, const char *way) {
    if (memcmp(rec->id, f->id, KITH_ID_SIZE) != 0) {
        m->equivocations++;
        mark_place place = place_of(f);
        int64_t until = keep_until(f->expires_us, false);
        int r = ki_marks_prove(&m->marks, &place, until, &a->packet);
        return r < 0 ? r : KITH_R_EQUIVOCATION;
    }
    m->duplicates++;
    a->arrival = rec->arrival;
    int r = ki_shelf_note_way(&m->shelf, rec, way);
    return r < 0 ? r : KITH_DUPLICATE;
}

static int store_one(
    memory *m, kith_arrival *a, const ki_facts *f, const char *way, int64_t now_us) {
    own_key *k = find_key(m, f->source);
    shelf_rec *rec = NULL;
    size_t tomb = f->retracts ? ki_marks_cost(NULL) : 0;
    size_t need = ki_shelf_cost(a->packet.length) + tomb;
    int r = ki_memory_room(m, need, now_us);
    r = r < 0 ? r : add(m, &a->packet, f, k != NULL, &rec);
    if (r < 0) {
        return r;
    }
    if (k != NULL &&
        (f->epoch > k->epoch || (f->epoch == k->epoch && f->seq >= k->next_seq))) {
        k->epoch = f->epoch < INT64_MAX ? f->epoch + 1 : f->epoch;
        k->next_seq = 0;
    }
    CHECK(rec->way == NULL && rec->more_ways == NULL);
    rec->at = now_us;
    rec->way = way;
    a->arrival = rec->arrival;
    return 0;
}

static int admit_one(memory *m, kith_arrival *a, int64_t now_us) {
    ki_facts f;
    a->arrival = 0;
    const char *way = ki_memory_intern(m, a->way);
    if (way == NULL || ki_facts_of(&a->packet, a->id, &f) < 0) {
        return way == NULL ? KITH_E_MEMORY : KITH_E_FORMAT;
    }
    shelf_rec *rec = ki_shelf_at(&m->shelf, f.source, f.epoch, f.seq);
    if (rec != NULL || a->known) {
        return rec == NULL ? KITH_E_MISSING : compare(m, rec, a, &f, way);
    }
    mark_place place = place_of(&f);
    return ki_marks_entombed(&m->marks, &place) ? KITH_R_RETRACTED
                                                : store_one(m, a, &f, way, now_us);
}

/* Without memory for the first, nothing was done; for a later one, those from there on
 * found no room: what was stored before must be told as stored. */
int ki_memory_admit(
    void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err) {
    memory *m = self;
    bool starved = false;
    memory_lock(m);
    for (size_t i = 0; i < count; i++) {
        int r = starved ? KITH_E_MEMORY : admit_one(m, &arrivals[i], now.wall_us);
        starved = r == KITH_E_MEMORY;
        arrivals[i].result = starved && i > 0 ? KITH_E_SPACE : r;
        ki_memory_trim(m);
    }
    m->commits++;
    memory_unlock(m);
    bool none = starved && arrivals[0].result == KITH_E_MEMORY;
    return none ? ki_fail(err, KITH_E_MEMORY, "admit: no memory") : 0;
}

int ki_memory_knows(
    void *self, const kith_content *content, const uint8_t id[KITH_ID_SIZE]) {
    memory *m = self;
    memory_lock(m);
    const shelf_rec *rec =
        ki_shelf_at(&m->shelf, content->source, content->epoch, content->seq);
    int r = rec == NULL                              ? 0
            : memcmp(rec->id, id, KITH_ID_SIZE) == 0 ? KITH_DUPLICATE
                                                     : KITH_R_EQUIVOCATION;
    memory_unlock(m);
    return r;
}
