/* SPDX-License-Identifier: Apache-2.0 */
/* ask --legacy seed1: the fields of an older program, each with what it should have meant.
 * Independent sources are counted and not messages, the own result is not among them,
 * nobody who was left out votes, and below the quorum there is no recommendation. */
#include "cli/asking.h"
#include "cli/place.h"

#include <math.h>
#include <stdlib.h>

#define ROWS_MAX (2 * KITH_POOL_MAX)
#define STRONG   0.8 /* share of one sign */
#define LEAN     0.6
#define SURE     0.7 /* mean confidence */

typedef struct tally {
    uint32_t votes, up;
    double confidence, weighted; /* sums */
} tally;

static tally count(const kith_evidence *rows, size_t n) {
    tally t = { .votes = 0 };
    for (size_t i = 0; i < n; i++) {
        const kith_evidence *e = &rows[i];
        if (e->left_out != NULL || e->vote.fate == KITH_VOTE_FLAGGED) continue;
        double sure = kith_normal_cdf(fabs(e->y) / sqrt(e->v)); /* that the sign is right */
        t.votes++;
        t.up += e->y > 0;
        t.confidence += sure;
        t.weighted += e->vote.weight * sure;
    }
    return t;
}

static const char *recommend(const tally *t) {
    double up = t->up / (double) t->votes, sure = t->confidence / t->votes;
    if (up >= STRONG && sure >= SURE) return "strong positive";
    if (up >= LEAN) return "lean positive";
    if (up <= 1 - STRONG && sure >= SURE) return "strong negative";
    return up <= 1 - LEAN ? "lean negative" : "mixed";
}

static int show(asking *a, const char *subject, const kith_asked *asked, const tally *t) {
    const kith_answer *answer = &asked->answers[0];
    bool no = answer->insufficient;
    uint8_t keyid[KITH_KEYID_SIZE];
    record r = record_of("consensus");
    if (a->ask.self != NULL) {
        kith_keyid(a->ask.self, keyid);
        as_column(put_hex(&r, "agent_id", keyid, sizeof keyid), 4);
    } else {
        as_column(put_absent(&r, "agent_id"), 0);
    }
    as_column(put_text(&r, "consensus_problem", subject), 0);
    as_column(put_int(&r, "n_agents", (int64_t) answer->k), 0);
    as_column(put_count(&r, "synthesis_pairs", answer->pairs), 0);
    as_column(put_real(&r, "consensus_strength", no ? (double) NAN : answer->agreement), 3);
    as_column(put_real(&r, "weighted_confidence", no ? (double) NAN : t->weighted), 3);
    as_column(put_text(&r, "recommendation", no ? "insufficient" : recommend(t)), 0);
    as_column(
        put_bool(&r, "alert", !no && (answer->kept.ci_low > 0 || answer->kept.ci_high < 0)),
        0);
    put_int(&r, "quorum", (int64_t) answer->quorum);
    put_int(&r, "missing", (int64_t) answer->missing);
    put_int(&r, "flagged", (int64_t) answer->flagged);
    put_real(&r, "i2", no ? (double) NAN : answer->kept.i2);
    put_time(&r, "synthesized_at", a->ask.now_us);
    if (!out_emit(a->c->out, &r)) return EXIT_USAGE;
    return no ? EXIT_NOTHING : 0;
}

int show_legacy(asking *a, const char *subject) {
    kith_evidence *rows = calloc(ROWS_MAX, sizeof *rows);
    kith_error err = { 0 };
    kith_asked asked;
    size_t n = 0;
    if (rows == NULL) return fault(a->c->out, E_MEMORY, "evidence", NULL);
    int r = kith_ask_all(a->store, &a->ask, &asked, rows, ROWS_MAX, &n, &err);
    int code = 0;
    if (r == KITH_E_MISSING) {
        code = fault(a->c->out, E_NOTHING, subject, NULL);
    } else if (r < 0) {
        code = store_fault(a->c, &err);
    } else {
        tally t = count(rows, n < ROWS_MAX ? n : ROWS_MAX);
        code = show(a, subject, &asked, &t);
    }
    free(rows);
    return code;
}
