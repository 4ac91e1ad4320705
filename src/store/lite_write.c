/* SPDX-License-Identifier: Apache-2.0 */
/* What happens inside a commit: packets of our own, and packets from elsewhere. */
#include "store/lite.h"

#include "base/check.h"
#include "base/fail.h"

#include <string.h>

enum {
    SLOT_LEAF = 1, /* low bits of pkt.slot: may it be pooled? */
    SLOT_EVAL = 2,
};

typedef struct row {
    const kith_packet *packet;
    const ki_facts *facts;
    int64_t src, way, at;
    bool own;
    uint64_t arrival; /* out */
    bool known;       /* out: the place is taken */
} row;

static sqlite3_stmt *at_place(
    lite *s, lite_sql which, int64_t src, uint64_t epoch, uint64_t seq) {
    sqlite3_stmt *st = ki_lite_sql(&s->writer, which);
    if (st != NULL) {
        (void) sqlite3_bind_int64(st, 1, src);
        (void) sqlite3_bind_int64(st, 2, (int64_t) epoch);
        (void) sqlite3_bind_int64(st, 3, (int64_t) seq);
    }
    return st;
}

static int trouble(lite *s) {
    return sqlite3_extended_errcode(s->writer.sql);
}

/* The tombstone, and the mark on the target if it is here. */
static int bury(lite *s, const row *r) {
    const ki_facts *f = r->facts;
    sqlite3_stmt *st = at_place(s, SQL_PKT_AT, r->src, f->target_epoch, f->target_seq);
    if (st == NULL) {
        return trouble(s);
    }
    int64_t target = 0, until = f->expires_us;
    if (sqlite3_step(st) == SQLITE_ROW) {
        target = sqlite3_column_int64(st, 0);
        int64_t expires = sqlite3_column_int64(st, 3);
        until = expires > until ? expires : until;
    }
    int rc = sqlite3_reset(st);
    until = until > INT64_MAX - GONE_GRACE_US ? INT64_MAX : until + GONE_GRACE_US;
    st = rc == SQLITE_OK ? at_place(s, SQL_GONE_ADD, r->src, f->target_epoch, f->target_seq)
                         : NULL;
    if (st == NULL) {
        return rc != SQLITE_OK ? rc : trouble(s);
    }
    (void) sqlite3_bind_int64(st, 4, until);
    (void) sqlite3_step(st);
    rc = sqlite3_reset(st);
    st = rc == SQLITE_OK && target != 0 ? ki_lite_sql(&s->writer, SQL_PKT_RETRACT) : NULL;
    if (st == NULL) {
        return rc;
    }
    (void) sqlite3_bind_int64(st, 1, target);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

/* DO NOTHING, not OR IGNORE: the caller must see that the place is taken. */
static int add(lite *s, row *r) {
    const ki_facts *f = r->facts;
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_PKT_ADD);
    if (st == NULL) {
        return trouble(s);
    }
    int kind = !f->evidence ? 0 : f->type == KITH_EVAL ? SLOT_EVAL : SLOT_LEAF;
    uint64_t arrival = s->last_arrival + 1;
    CHECK(r->arrival == 0); /* once a row */
    (void) sqlite3_bind_int64(st, 1, (int64_t) arrival);
    (void) sqlite3_bind_int64(st, 2, r->src);
    (void) sqlite3_bind_int64(st, 3, (int64_t) f->epoch);
    (void) sqlite3_bind_int64(st, 4, (int64_t) f->seq);
    (void) sqlite3_bind_text(st, 5, f->subject, (int) f->subject_length, SQLITE_STATIC);
    (void) sqlite3_bind_int64(st, 6, ki_lite_slot(f->template_id, kind));
    (void) sqlite3_bind_int64(st, 7, f->expires_us);
    (void) sqlite3_bind_int(st, 8, r->own);
    (void) sqlite3_bind_int(st, 9, 0);
    (void) sqlite3_bind_int64(st, 10, r->at);
    (void) sqlite3_bind_int64(st, 11, r->way);
    (void) sqlite3_bind_blob(st, 12, f->id, KITH_ID_SIZE, SQLITE_STATIC);
    (void) sqlite3_bind_blob(st, 13, r->packet->bytes, r->packet->length, SQLITE_STATIC);
    (void) sqlite3_step(st);
    int rc = sqlite3_reset(st);
    if (rc != SQLITE_OK) {
        return rc;
    }
    r->known = sqlite3_changes(s->writer.sql) == 0;
    if (r->known) {
        return SQLITE_OK;
    }
    r->arrival = s->last_arrival = arrival;
    return f->retracts ? bury(s, r) : SQLITE_OK;
}

/* ---- own packets ---- */

static void seal(kith_post *p, const kith_key *key, uint64_t epoch, uint64_t seq) {
    p->content.epoch = epoch;
    p->content.seq = seq;
    p->result = kith_packet_seal(&p->content, key, &p->packet);
    if (p->result == 0) {
        kith_packet_id(&p->packet, p->id);
    }
}

static int add_post(lite *s, kith_post *p, lite_own *own, const lite_job *job) {
    ki_facts facts;
    int r = ki_facts_of(&p->packet, p->id, &facts);
    CHECK(r == 0); /* we sealed it a moment ago */
    row own_row = {
        .packet = &p->packet,
        .facts = &facts,
        .src = own->src,
        .at = job->now_us,
        .own = true,
    };
    int rc = add(s, &own_row);
    if (rc == SQLITE_OK && own_row.known) {
        /* A number that somebody knows already: a store was lost or put back. */
        (void) pthread_mutex_lock(&s->own_lock);
        ki_lite_own_leap(s, own, own->row_epoch);
        (void) pthread_mutex_unlock(&s->own_lock);
        uint64_t seq = ki_lite_own_fresh(s, own, 1);
        seal(p, job->key, own->row_epoch, seq);
        r = ki_facts_of(&p->packet, p->id, &facts);
        CHECK(r == 0);
        rc = add(s, &own_row);
    }
    p->arrival = own_row.arrival;
    return rc;
}

static int run_post(lite *s, lite_job *job) {
    uint8_t key[KITH_KEY_SIZE];
    kith_post *posts = job->arg;
    lite_own *own = NULL;
    kith_key_public(job->key, key);
    int rc = ki_lite_own(s, key, &own);
    if (rc != SQLITE_OK) {
        return rc;
    }
    bool sealed =
        job->block != 0 && job->block == own->block && job->epoch == own->row_epoch;
    uint64_t seq = sealed ? 0 : ki_lite_own_fresh(s, own, job->count);
    uint64_t block = own->block;
    for (size_t i = 0; rc == SQLITE_OK && i < job->count; i++) {
        if (own->block != block) { /* a leap: what was taken is void */
            sealed = false;
            seq = ki_lite_own_fresh(s, own, job->count - i) - i;
            block = own->block;
        }
        if (!sealed && posts[i].result == 0) {
            seal(&posts[i], job->key, own->row_epoch, seq + i);
        }
        rc = posts[i].result == 0 ? add_post(s, &posts[i], own, job) : SQLITE_OK;
    }
    return rc;
}

int ki_lite_post(void *self, const kith_key *key, kith_post *posts, size_t count,
    kith_time now, kith_error *err) {
    lite *s = self;
    uint8_t public[KITH_KEY_SIZE];
    uint64_t seq = 0;
    lite_job job = {
        .run = run_post,
        .arg = posts,
        .key = key,
        .count = count,
        .now_us = now.wall_us,
    };
    kith_key_public(key, public);
    bool ahead = ki_lite_take(s, public, count, &job.epoch, &seq, &job.block);
    for (size_t i = 0; i < count; i++) {
        posts[i].result = kith_packet_timely(&posts[i].content, now.wall_us);
        if (ahead && posts[i].result == 0) {
            seal(&posts[i], key, job.epoch, seq + i);
        }
    }
    int r = ki_lite_commit(s, &job, err);
    for (size_t i = 0; r < 0 && i < count; i++) {
        posts[i].result = r;
    }
    return r;
}

/* ---- packets from elsewhere ---- */

/* One more way to a packet that is here. */
static int note_way(lite *s, int64_t arrival, int64_t first, int64_t way) {
    if (way == first) {
        return SQLITE_OK;
    }
    sqlite3_stmt *st = ki_lite_sql(&s->writer, SQL_WAY_ADD);
    if (st == NULL) {
        return trouble(s);
    }
    (void) sqlite3_bind_int64(st, 1, arrival);
    (void) sqlite3_bind_int64(st, 2, way);
    (void) sqlite3_step(st);
    return sqlite3_reset(st);
}

static int keep_proof(lite *s, const row *r) {
    sqlite3_stmt *st = at_place(s, SQL_PROOF_ADD, r->src, r->facts->epoch, r->facts->seq);
    if (st == NULL) {
        return trouble(s);
    }
    (void) sqlite3_bind_int64(st, 4, r->facts->expires_us);
    (void) sqlite3_bind_blob(st, 5, r->facts->id, KITH_ID_SIZE, SQLITE_STATIC);
    (void) sqlite3_bind_blob(st, 6, r->packet->bytes, r->packet->length, SQLITE_STATIC);
    (void) sqlite3_step(st);
    (void) atomic_fetch_add(&s->equivocations, 1);
    return sqlite3_reset(st);
}

/* The place is taken: by the same packet, or by another one, or by nobody. */
static int compare(lite *s, const row *r, kith_arrival *a) {
    sqlite3_stmt *st = at_place(s, SQL_PKT_AT, r->src, r->facts->epoch, r->facts->seq);
    if (st == NULL) {
        return trouble(s);
    }
    int64_t arrival = 0, first = 0;
    bool same = false;
    if (sqlite3_step(st) == SQLITE_ROW) {
        const void *pid = sqlite3_column_blob(st, 1);
        arrival = sqlite3_column_int64(st, 0);
        first = sqlite3_column_int64(st, 2);
        same = pid != NULL && sqlite3_column_bytes(st, 1) == KITH_ID_SIZE &&
               memcmp(pid, r->facts->id, KITH_ID_SIZE) == 0;
    }
    int rc = sqlite3_reset(st);
    if (rc != SQLITE_OK || arrival == 0) {
        return rc;
    }
    if (!same) {
        a->result = KITH_R_EQUIVOCATION;
        return keep_proof(s, r);
    }
    a->result = KITH_DUPLICATE;
    a->arrival = (uint64_t) arrival;
    (void) atomic_fetch_add(&s->duplicates, 1);
    return note_way(s, arrival, first, r->way);
}

static int is_gone(lite *s, const row *r, bool *ret) {
    sqlite3_stmt *st = at_place(s, SQL_GONE_GET, r->src, r->facts->epoch, r->facts->seq);
    if (st == NULL) {
        return trouble(s);
    }
    *ret = sqlite3_step(st) == SQLITE_ROW;
    return sqlite3_reset(st);
}

static int admit_one(lite *s, kith_arrival *a, row *r) {
    a->result = KITH_E_MISSING; /* with known: it is not here any more */
    a->arrival = 0;
    if (a->known) {
        return compare(s, r, a);
    }
    bool gone = false;
    int rc = is_gone(s, r, &gone);
    if (rc == SQLITE_OK && gone) {
        a->result = KITH_R_RETRACTED;
        rc = compare(s, r, a); /* it may be here, marked: then it is a duplicate */
        return rc;
    }
    rc = rc != SQLITE_OK ? rc : add(s, r);
    if (rc != SQLITE_OK || r->known) {
        return rc != SQLITE_OK ? rc : compare(s, r, a);
    }
    a->result = 0;
    a->arrival = r->arrival;
    return r->own ? ki_lite_own_seen(s, r->facts) : SQLITE_OK;
}

static int run_admit(lite *s, lite_job *job) {
    kith_arrival *arrivals = job->arg;
    const char *last_way = NULL;
    int64_t way = 0;
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < job->count; i++) {
        kith_arrival *a = &arrivals[i];
        ki_facts facts;
        a->result = ki_facts_of(&a->packet, a->id, &facts);
        if (a->result < 0) {
            continue;
        }
        row r = { .packet = &a->packet, .facts = &facts, .at = job->now_us };
        if (last_way == NULL || strcmp(last_way, a->way) != 0) {
            rc = ki_lite_carrier(s, a->way, &way);
            last_way = a->way;
        }
        r.way = way;
        rc = rc != SQLITE_OK ? rc : ki_lite_source(s, facts.source, &r.src, &r.own);
        rc = rc != SQLITE_OK ? rc : admit_one(s, a, &r);
    }
    return rc;
}

int ki_lite_admit(
    void *self, kith_arrival *arrivals, size_t count, kith_time now, kith_error *err) {
    lite_job job = {
        .run = run_admit,
        .arg = arrivals,
        .count = count,
        .now_us = now.wall_us,
    };
    int r = ki_lite_commit(self, &job, err);
    bool full = r == KITH_E_SPACE && job.failed == r; /* the bound, not the disk */
    for (size_t i = 0; r < 0 && i < count; i++) {
        arrivals[i].result = r;
    }
    return full ? 0 : r;
}

/* ---- packets from a damaged file ---- */

typedef struct back {
    const ki_leaf_row *rows;
    uint64_t count;
} back;

static int back_one(lite *s, const ki_leaf_row *from, uint64_t *count) {
    ki_facts facts;
    if (ki_facts_of(&from->packet, from->id, &facts) < 0) {
        return SQLITE_OK;
    }
    row r = { .packet = &from->packet, .facts = &facts, .at = from->at, .own = from->own };
    bool own_source = false, gone = false;
    int rc = ki_lite_source(s, facts.source, &r.src, &own_source);
    rc = rc != SQLITE_OK ? rc : ki_lite_carrier(s, "salvage", &r.way);
    r.way = r.own ? 0 : r.way;
    rc = rc != SQLITE_OK ? rc : is_gone(s, &r, &gone);
    rc = rc != SQLITE_OK || gone ? rc : add(s, &r);
    *count += r.arrival != 0;
    return rc == SQLITE_OK && (own_source || r.own) && r.arrival != 0
               ? ki_lite_own_seen(s, &facts)
               : rc;
}

static int run_back(lite *s, lite_job *job) {
    back *b = job->arg;
    int rc = SQLITE_OK;
    b->count = 0;
    for (size_t i = 0; rc == SQLITE_OK && i < job->count; i++) {
        rc = back_one(s, &b->rows[i], &b->count);
    }
    return rc;
}

int ki_lite_bring_back(lite *s, const ki_leaf_row *rows, size_t count, uint64_t *ret_back) {
    back b = { .rows = rows };
    lite_job job = { .run = run_back, .arg = &b, .count = count };
    int r = ki_lite_commit(s, &job, NULL);
    *ret_back = r < 0 ? 0 : b.count;
    return r;
}
