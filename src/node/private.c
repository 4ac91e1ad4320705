/* SPDX-License-Identifier: Apache-2.0 */
/* A private post, in the one order that never leaks: pay, draw, post. */
#include <kith/ledger.h>

#include "base/check.h"
#include "base/fail.h"

#include <string.h>

/* All that can be refused is refused before anything is paid: the packet is built with
 * everything but its noise. */
static int rehearse(
    const kith_release *release, const kith_content *content, int64_t now_us) {
    kith_content c = *content;
    kith_packet unused;
    if ((c.has & (KITH_HAS_TEXT | KITH_HAS_CONCLUSION)) != 0) {
        return KITH_R_PRIVACY;
    }
    c.type = KITH_LEAF;
    c.epoch = 1;
    int r = kith_release_preview(release, &c);
    r = r < 0 ? r : kith_template_admits(&c);
    r = r < 0 ? r : kith_packet_encode(&c, &unused);
    return r == 0 && kith_packet_timely(&c, now_us) == KITH_R_FUTURE ? KITH_R_FUTURE : r;
}

int kith_ledger_post(kith_store *store, const kith_key *key, const char *records,
    kith_release *release, kith_post *post, kith_time now, kith_error *err) {
    CHECK(store != NULL && key != NULL && release != NULL && post != NULL);
    post->result = 0;
    if (release->n < release->options.n_min) {
        (void) ki_fail(err, KITH_E_ARG, "%lu records are fewer than %lu",
            (unsigned long) release->n, (unsigned long) release->options.n_min);
        return KITH_EMPTY;
    }
    int r = rehearse(release, &post->content, now.wall_us);
    if (r < 0) {
        post->result = r;
        const char *words = kith_refusal_words(r);
        return ki_fail(err, r, "%s", words == NULL ? kith_error_name(r) : words);
    }
    kith_debit debit = { .records = records,
        .subject = post->content.address.subject,
        .rho = release->rho,
        .now_us = now.wall_us };
    memcpy(debit.template_id, post->content.template_id, sizeof debit.template_id);
    r = kith_ledger_spend(store, &debit, NULL, err);
    if (r < 0) {
        return r;
    }
    r = kith_release_take(release, &post->content);
    if (r != 0) {
        return ki_fail(err, KITH_E_SYSTEM, "the system gave no randomness");
    }
    return kith_store_post(store, key, post, 1, now, err);
}
