/* SPDX-License-Identifier: Apache-2.0 */
/* store proofs: who signed two packets under one number. */
#include "cli/proof.h"

#include "cli/place.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>

typedef struct walk {
    kith_store *store;
    const char *subject;
    proof_each each;
    void *ctx;
    proof *one;
} walk;

static int take_first(void *ctx, const kith_record *stored) {
    proof *p = ctx;
    p->first = stored->packet;
    memcpy(p->first_id, stored->id, sizeof p->first_id);
    return KITH_STOP;
}

static int see(void *ctx, const kith_record *stored) {
    walk *w = ctx;
    proof *p = w->one;
    memset(p, 0, sizeof *p);
    if (kith_packet_decode(stored->packet.bytes, stored->packet.length, &p->content) < 0) {
        return 0;
    }
    if (w->subject != NULL && strcmp(w->subject, p->content.address.subject) != 0) return 0;
    p->packet = stored->packet;
    memcpy(p->id, stored->id, sizeof p->id);
    kith_keyid(p->content.source, p->keyid);
    kith_query query = { .after = stored->arrival - 1,
        .before = stored->arrival + 1,
        .with_expired = true,
        .with_retracted = true,
        .limit = 1 };
    if (stored->arrival > 0 && kith_store_find(w->store, &query, take_first, p, NULL) < 0) {
        p->first.length = 0; /* it went just now */
    }
    return w->each(w->ctx, p) ? 0 : KITH_STOP;
}

int each_proof(
    kith_store *store, const char *subject, proof_each each, void *ctx, kith_error *err) {
    walk w = { .store = store, .subject = subject, .each = each, .ctx = ctx, .one = NULL };
    w.one = calloc(1, sizeof *w.one);
    if (w.one == NULL) {
        *err = (kith_error){ .code = KITH_E_MEMORY };
        return KITH_E_MEMORY;
    }
    int r = kith_store_proofs(store, see, &w, err);
    free(w.one);
    return r;
}

typedef struct listing {
    out *out;
    size_t count;
    bool bad;
} listing;

static bool show(void *ctx, const proof *p) {
    listing *l = ctx;
    record r = record_of("proof");
    as_column(put_hex(&r, "from", p->keyid, sizeof p->keyid), 0);
    as_column(put_text(&r, "subject", p->content.address.subject), 0);
    as_column(put_count(&r, "epoch", p->content.epoch), 0);
    as_column(put_count(&r, "seq", p->content.seq), 0);
    bool there = p->first.length > 0;
    as_column(there ? put_hex(&r, "first", p->first_id, sizeof p->first_id)
                    : put_absent(&r, "first"),
        4);
    as_column(put_hex(&r, "second", p->id, sizeof p->id), 4);
    put_hex(&r, "source", p->content.source, sizeof p->content.source);
    put_time(&r, "expires", kith_packet_expires_us(&p->content));
    if (there) {
        put_hex(&r, "first_packet", p->first.bytes, p->first.length);
    } else {
        put_absent(&r, "first_packet");
    }
    put_hex(&r, "second_packet", p->packet.bytes, p->packet.length);
    l->count++;
    l->bad = !out_emit(l->out, &r);
    return !l->bad;
}

int verb_store_proofs(const call *c) {
    kith_store *store = NULL;
    kith_error err = { 0 };
    listing l = { .out = c->out };
    int code = open_store(c, &store);
    if (code != 0) return code;
    if (each_proof(store, NULL, show, &l, &err) < 0) {
        code = store_fault(c, &err);
    } else if (l.bad) {
        code = EXIT_USAGE;
    } else if (l.count == 0) {
        code =
            fault_do(c->out, E_NOTHING, "proofs of equivocation", "nothing is to be done",
                "no source was seen to sign two packets under one number");
    }
    kith_store_close(&store);
    return code;
}
