/* SPDX-License-Identifier: Apache-2.0 */
/* budget, budget grant: what privacy was spent, and how much may be. */
#include "cli/place.h"
#include "cli/verbs.h"

#include <kith/address.h>
#include <kith/ledger.h>

#include <string.h>

typedef struct showing {
    const call *c;
    const char *only; /* records or a subject; NULL: all */
    size_t shown;
    int code;
} showing;

static double rho_of(uint64_t amount) {
    return (double) amount / (double) KITH_RHO_ONE;
}

static int show_one(void *ctx, const kith_account *a) {
    showing *s = ctx;
    bool whole = a->subject[0] == '\0';
    if (s->only != NULL && strcmp(s->only, a->records) != 0 &&
        strcmp(s->only, a->subject) != 0) {
        return 0;
    }
    double spent = rho_of(a->spent), limit = rho_of(a->limit);
    record r = record_of("budget");
    as_column(put_text(&r, "records", a->records), 0);
    as_column(put_text(&r, "subject", whole ? "*" : a->subject), 0);
    as_column(put_real(&r, "spent", spent), 4);
    if (whole) {
        as_column(put_real(&r, "left", spent < limit ? limit - spent : 0), 4);
        as_column(put_real(&r, "limit", limit), 4);
        put_absent(&r, "template");
    } else { /* what is left is left to the records together */
        as_column(put_absent(&r, "left"), 0);
        as_column(put_absent(&r, "limit"), 0);
        put_hex(&r, "template", a->template_id, sizeof a->template_id);
    }
    as_column(put_real(&r, "epsilon", kith_rho_epsilon(spent, KITH_DELTA)), 4);
    put_real(&r, "epsilon_limit", kith_rho_epsilon(limit, KITH_DELTA));
    put_real(&r, "delta", KITH_DELTA);
    put_real(&r, "ever", rho_of(a->ever));
    put_real(&r, "epsilon_ever", kith_rho_epsilon(rho_of(a->ever), KITH_DELTA));
    as_column(put_count(&r, "posts", a->debits), 0);
    as_column(
        a->renews_us > 0 ? put_time(&r, "renews", a->renews_us) : put_absent(&r, "renews"),
        0);
    if (a->debits > 0) {
        put_time(&r, "last", a->last_us);
    } else {
        put_absent(&r, "last");
    }
    as_column(put_text(&r, "state",
                  a->locked       ? "locked"
                  : spent < limit ? "open"
                                  : "spent"),
        0);
    s->shown++;
    s->code = out_emit(s->c->out, &r) ? 0 : EXIT_USAGE;
    return s->code == 0 ? 0 : KITH_STOP;
}

static int show(const call *c, kith_store *store, const char *only, int64_t now_us) {
    kith_error err = { 0 };
    showing s = { .c = c, .only = only };
    if (kith_ledger_each(store, now_us, show_one, &s, &err) < 0)
        return store_fault(c, &err);
    return s.code != 0 ? s.code : s.shown > 0 ? EXIT_DONE : EXIT_NOTHING;
}

int verb_budget(const call *c) {
    kith_store *store = NULL;
    int code = open_store(c, &store);
    if (code != 0) return code;
    const char *only = c->arg_count > 0 ? c->args[0] : NULL;
    code = show(c, store, only, kith_time_now().wall_us);
    if (code == EXIT_NOTHING) {
        code = fault_do(c->out, E_NOTHING, only == NULL ? "the accounts" : only,
            "kith budget grant RECORDS --epsilon 1",
            "nothing of that was granted or spent");
    }
    kith_store_close(&store);
    return code;
}

int verb_budget_grant(const call *c) {
    const budget_flags *f = c->flags;
    const char *records = c->args[0];
    kith_store *store = NULL;
    kith_error err = { 0 };
    int64_t now_us = kith_time_now().wall_us;
    if (flag_given(c, "rho") == flag_given(c, "epsilon")) {
        return fault(c->out, E_TOGETHER, "budget grant", "give one of --rho and --epsilon");
    }
    const char *why = kith_subject_fault(records, false);
    if (why != NULL || strlen(records) > KITH_RECORDS_MAX) {
        return fault(c->out, E_SUBJECT, records, "%s",
            why == NULL ? "the name of records has 64 bytes at most" : why);
    }
    double rho = flag_given(c, "rho") ? f->rho : kith_epsilon_rho(f->epsilon, KITH_DELTA);
    int code = open_store(c, &store);
    if (code != 0) return code;
    /* Rounded to the nearest 2^-40: a limit is a decision, not a measurement. */
    uint64_t limit = (uint64_t) (rho * (double) KITH_RHO_ONE + 0.5);
    if (kith_ledger_grant(store, records, limit, f->renew_ns / 1000, now_us, &err) < 0) {
        code = store_fault(c, &err);
    } else {
        code = show(c, store, records, now_us);
    }
    kith_store_close(&store);
    return code;
}
