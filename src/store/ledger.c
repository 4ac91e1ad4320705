/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of privacy: arithmetic and bytes. docs/privacy.md says what they promise. */
#include "store/ledger.h"

#include <kith/address.h>

#include "base/check.h"
#include "base/fail.h"
#include "base/wire.h"

#include <stdio.h>
#include <string.h>

static const char magic[8] = "kithled1";

static void check(const ki_account *a) {
    CHECK(a->spent <= a->ever);
    CHECK(a->limit <= KITH_GRANT_MAX);
    CHECK(a->period_us >= 0);
    CHECK(a->period_us > 0 || a->number == 0);
}

void ki_account_format(const ki_account *a, uint8_t ret[LEDGER_BYTES]) {
    const uint64_t words[] = { a->limit, a->spent, a->ever, a->debits, a->life,
        (uint64_t) a->period_us, a->number, (uint64_t) a->begin_us, (uint64_t) a->last_us };
    _Static_assert(sizeof magic + sizeof words == LEDGER_BYTES, "the layout above");
    check(a);
    memcpy(ret, magic, sizeof magic);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        wire_put64(ret + 8 + 8 * i, words[i]);
    }
}

int ki_account_parse(const void *bytes, size_t length, ki_account *ret) {
    const uint8_t *p = bytes;
    if (length != LEDGER_BYTES || memcmp(p, magic, sizeof magic) != 0) {
        return KITH_E_CORRUPT;
    }
    ki_account a = {
        .limit = wire_get64(p + 8),
        .spent = wire_get64(p + 16),
        .ever = wire_get64(p + 24),
        .debits = wire_get64(p + 32),
        .life = wire_get64(p + 40),
        .period_us = (int64_t) wire_get64(p + 48),
        .number = wire_get64(p + 56),
        .begin_us = (int64_t) wire_get64(p + 64),
        .last_us = (int64_t) wire_get64(p + 72),
    };
    if (a.spent > a.ever || a.limit > KITH_GRANT_MAX || a.period_us < 0 ||
        (a.period_us == 0 && a.number != 0) || a.begin_us < 0 || a.last_us < 0 ||
        a.number > INT64_MAX) {
        return KITH_E_CORRUPT;
    }
    *ret = a;
    return 0;
}

/* ---- time ---- */

/* Which period that is, counted from the grant. It never goes back: a clock that was set
 * back finds the period it had, and what was spent in it. */
static uint64_t number_at(const ki_account *a, int64_t now_us) {
    if (a->period_us == 0 || now_us <= a->begin_us) {
        return a->number;
    }
    uint64_t n = (uint64_t) (now_us - a->begin_us) / (uint64_t) a->period_us;
    return n > a->number ? n : a->number;
}

static void turn(ki_account *a, int64_t now_us) {
    uint64_t n = number_at(a, now_us);
    CHECK(n >= a->number);
    a->spent = n == a->number ? a->spent : 0;
    a->number = n;
}

/* ---- what changes an account ---- */

void ki_account_grant(
    const ki_account *was, const ki_ledger_op *op, uint64_t life, ki_account *ret) {
    ki_account a = was == NULL ? (ki_account){ 0 } : *was;
    CHECK(op->grant);
    turn(&a, op->now_us);
    if (was == NULL || a.period_us != op->period_us) {
        a.begin_us = op->now_us > a.last_us ? op->now_us : a.last_us;
        a.period_us = op->period_us;
        a.number = 0;
    }
    a.limit = op->limit;
    a.life = life;
    check(&a);
    *ret = a;
}

static double rho_of(uint64_t amount) {
    return (double) amount / (double) KITH_RHO_ONE;
}

static int refuse(kith_error *err, const ki_account *was, const ki_ledger_op *op) {
    const char *records = op->debit->records;
    if (was == NULL) {
        return ki_fail(err, KITH_E_SPENT,
            "no privacy was granted for the records %s; do: kith budget grant %s --rho 1",
            records, records);
    }
    double left = was->spent < was->limit ? rho_of(was->limit - was->spent) : 0;
    return ki_fail(err, KITH_E_SPENT,
        "the records %s have rho %.6g left of %.6g, and this costs %.6g%s; do: kith budget "
        "%s",
        records, left, rho_of(was->limit), rho_of(op->debit->rho),
        was->period_us > 0 ? " before it renews" : "", records);
}

int ki_account_spend(const ki_account *was, const ki_ledger_op *op, uint64_t life,
    ki_account *ret, kith_error *err) {
    const char *records = op->debit->records;
    uint64_t rho = op->debit->rho;
    CHECK(!op->grant);
    CHECK(rho > 0 && rho <= KITH_GRANT_MAX);
    if (was == NULL) {
        return refuse(err, was, op);
    }
    if (was->life != life) {
        return ki_fail(err, KITH_E_SPENT,
            "the account of the records %s is of another life of this store, and may not "
            "know "
            "all that was spent; do: kith budget grant %s --rho WHAT-IS-LEFT",
            records, records);
    }
    ki_account a = *was;
    turn(&a, op->now_us);
    if (a.spent > a.limit || rho > a.limit - a.spent || a.ever > UINT64_MAX / 2) {
        return refuse(err, &a, op);
    }
    a.spent += rho;
    a.ever += rho;
    a.debits++;
    a.last_us = op->now_us > a.last_us ? op->now_us : a.last_us;
    check(&a);
    CHECK(a.spent <= a.limit);
    *ret = a;
    return 0;
}

void ki_share_spend(
    const ki_account *was, const ki_account *account, uint64_t rho, ki_account *ret) {
    ki_account a = was == NULL ? (ki_account){ 0 } : *was;
    bool same = a.number == account->number && a.begin_us == account->begin_us;
    a.spent = same ? a.spent : 0;
    a.number = account->number;
    a.begin_us = account->begin_us;
    a.period_us = account->period_us;
    a.limit = account->limit;
    a.life = account->life;
    a.last_us = account->last_us;
    a.spent += rho;
    a.ever += rho;
    a.debits++;
    check(&a);
    *ret = a;
}

/* ---- names ---- */

void ki_account_name(const char *records, char ret[LEDGER_NAME]) {
    int n = snprintf(ret, LEDGER_NAME, LEDGER_PREFIX "%s", records);
    CHECK(n > 0 && (size_t) n < LEDGER_NAME);
}

void ki_share_name(const kith_debit *debit, char ret[LEDGER_NAME]) {
    char digits[2 * KITH_TEMPLATE_SIZE + 1];
    for (size_t i = 0; i < KITH_TEMPLATE_SIZE; i++) {
        (void) snprintf(digits + 2 * i, 3, "%02x", debit->template_id[i]);
    }
    int n = snprintf(
        ret, LEDGER_NAME, LEDGER_PREFIX "%s!%s!%s", debit->records, debit->subject, digits);
    CHECK(n > 0 && (size_t) n < LEDGER_NAME);
}

static int nibble(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_part(const char **at, char *ret, size_t size) {
    size_t n = strcspn(*at, "!");
    if (n == 0 || n >= size) {
        return false;
    }
    memcpy(ret, *at, n);
    ret[n] = '\0';
    *at += n;
    return kith_subject_fault(ret, false) == NULL;
}

bool ki_ledger_read_name(const char *name, kith_account *ret) {
    kith_account a = { 0 };
    const char *at = name + sizeof LEDGER_PREFIX - 1;
    if (strncmp(name, LEDGER_PREFIX, sizeof LEDGER_PREFIX - 1) != 0 ||
        !read_part(&at, a.records, sizeof a.records)) {
        return false;
    }
    if (*at == '\0') {
        *ret = a;
        return true;
    }
    at++;
    if (!read_part(&at, a.subject, sizeof a.subject) || *at++ != '!' ||
        strlen(at) != sizeof a.template_id * 2) {
        return false;
    }
    for (size_t i = 0; i < sizeof a.template_id; i++) {
        int high = nibble(at[2 * i]), low = nibble(at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        a.template_id[i] = (uint8_t) (high << 4 | low);
    }
    *ret = a;
    return true;
}

void ki_account_show(const ki_account *a, const ki_account *of, uint64_t life,
    int64_t now_us, kith_account *ret) {
    ki_account now = *of;
    turn(&now, now_us);
    bool same = a->number == now.number && a->begin_us == now.begin_us;
    ret->limit = now.limit;
    ret->spent = same ? a->spent : 0;
    ret->ever = a->ever;
    ret->debits = a->debits;
    ret->last_us = a->last_us;
    ret->locked = of->life != life;
    ret->renews_us = 0;
    uint64_t periods = now.number + 1;
    if (now.period_us > 0 &&
        periods <= (uint64_t) (INT64_MAX - now.begin_us) / (uint64_t) now.period_us) {
        ret->renews_us = now.begin_us + (int64_t) periods * now.period_us;
    }
}
