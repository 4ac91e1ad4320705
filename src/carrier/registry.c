/* SPDX-License-Identifier: Apache-2.0 */
/* Which carriers there are, and whether one is whole. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <string.h>

/* In the order `kith carriers` shows: carriers, then wrappers. */
static const kith_carrier *const carriers[] = { &ki_mem_carrier, &ki_dir_carrier,
    &ki_sqlite_carrier, &ki_fifo_carrier, &ki_tcp_carrier, &ki_unix_carrier,
    &ki_udp_carrier, &ki_fault_carrier, &ki_trace_carrier };

#define COUNT (sizeof carriers / sizeof *carriers)

const kith_carrier *kith_carrier_at(size_t index) {
    return index < COUNT ? carriers[index] : NULL;
}

const char *kith_level_name(kith_level level) {
    static const char *const names[] = { "none", "process", "os", "disk", "replicated" };
    size_t index = (size_t) level;
    return index < sizeof names / sizeof *names ? names[index] : "unknown";
}

const kith_carrier *ki_carrier_find(const char *scheme, size_t length) {
    for (size_t i = 0; i < COUNT; i++) {
        if (strlen(carriers[i]->scheme) == length &&
            memcmp(carriers[i]->scheme, scheme, length) == 0) {
            return carriers[i];
        }
    }
    return NULL;
}

/* What a field of that type takes of self; 0: no such type. */
static size_t field_size(const kith_option *o) {
    switch (o->type) {
    case KITH_OPTION_INT:
    case KITH_OPTION_TIME:
    case KITH_OPTION_BYTES: return sizeof(int64_t);
    case KITH_OPTION_TEXT: return o->max < 0 ? 0 : (size_t) o->max + 1;
    case KITH_OPTION_BOOL: return sizeof(bool);
    case KITH_OPTION_ONE: return sizeof(int);
    case KITH_OPTION_REAL: return sizeof(double);
    }
    return 0;
}

static int vet_options(const kith_carrier *c, kith_error *err) {
    size_t rows = 0;
    for (const kith_option *o = c->options; o != NULL && o->name != NULL; o++) {
        size_t size = field_size(o);
        bool told = o->help != NULL && o->min <= o->max &&
                    (o->type != KITH_OPTION_ONE || o->words != NULL);
        if (!told || ++rows > KITH_OPTIONS_MAX || size == 0 || o->offset > c->state_size ||
            size > c->state_size - o->offset) {
            return ki_fail(err, KITH_E_NOTSUP, "carrier %s: option %s makes no sense",
                c->scheme, o->name);
        }
    }
    return 0;
}

/* A carrier with a hole in it is a stale or broken plugin: say so when it is
 * opened and not at three in the morning. */
int ki_carrier_vet(const kith_carrier *c, kith_error *err) {
    CHECK(c != NULL);
    if (c->abi != KITH_CARRIER_ABI) { /* first: other members may have moved */
        return ki_fail(
            err, KITH_E_NOTSUP, "carrier of ABI %u, not %u", c->abi, KITH_CARRIER_ABI);
    }
    if (c->scheme == NULL || c->scheme[0] == '\0' ||
        c->scheme[strspn(c->scheme, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
        return ki_fail(err, KITH_E_NOTSUP, "carrier without a scheme");
    }
    if (c->summary == NULL || c->place == NULL || c->state_size == 0 || c->open == NULL ||
        c->close == NULL || c->post == NULL || c->follow == NULL || c->pull == NULL) {
        return ki_fail(err, KITH_E_NOTSUP, "carrier %s lacks a member", c->scheme);
    }
    return vet_options(c, err);
}
