/* SPDX-License-Identifier: Apache-2.0 */
/* What one may ask a link beside its packets. Where a wrapper has no word of its own,
 * the link inside speaks. */
#include "base/check.h"
#include "carrier/link_state.h"

int kith_link_wake_fd(kith_link *l) {
    CHECK(l != NULL);
    if (l->carrier->wake_fd != NULL) {
        return l->carrier->wake_fd(l->self);
    }
    return l->inner != NULL ? kith_link_wake_fd(l->inner) : -1;
}

void kith_link_tick(kith_link *l, kith_time now) {
    CHECK(l != NULL);
    if (l->carrier->tick != NULL) {
        l->carrier->tick(l->self, now);
    } else if (l->inner != NULL) {
        kith_link_tick(l->inner, now);
    }
}

uint32_t kith_link_can(const kith_link *l) {
    CHECK(l != NULL);
    return l->carrier->can | (l->inner == NULL ? 0 : kith_link_can(l->inner));
}

kith_level kith_link_level(const kith_link *l) {
    CHECK(l != NULL);
    if (l->carrier->level != NULL) {
        return l->carrier->level(l->self);
    }
    return l->inner == NULL ? KITH_LEVEL_NONE : kith_link_level(l->inner);
}

static bool settles_by_itself(const kith_link *l) {
    return l->carrier->settle == NULL && (l->inner == NULL || settles_by_itself(l->inner));
}

void kith_link_counters(const kith_link *l, kith_counters *ret) {
    CHECK(l != NULL);
    CHECK(ret != NULL);
    kith_counters c = { 0 };
    if (l->carrier->counters != NULL) {
        l->carrier->counters(l->self, &c);
    } else if (l->inner != NULL) {
        kith_link_counters(l->inner, &c);
    }
    c.posted = l->counters.posted;
    c.pulled = l->counters.pulled;
    c.rubbish += l->counters.rubbish;
    c.filtered += l->counters.filtered;
    if (settles_by_itself(l)) {
        c.settled = c.posted;
    }
    *ret = c;
}

int kith_link_health(const kith_link *l, kith_error *err) {
    CHECK(l != NULL);
    if (l->carrier->health != NULL) {
        int r = l->carrier->health(l->self, err);
        return r <= 0 ? r : KITH_E_FORMAT;
    }
    return l->inner == NULL ? 0 : kith_link_health(l->inner, err);
}

const char *kith_link_scheme(const kith_link *l) {
    CHECK(l != NULL);
    return l->inner != NULL ? kith_link_scheme(l->inner) : l->carrier->scheme;
}
