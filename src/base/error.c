/* SPDX-License-Identifier: Apache-2.0 */
#include <kith/error.h>
#include <kith/version.h>

const char *kith_error_name(int code) {
    switch (code) {
    case KITH_OK: return "ok";
    case KITH_EMPTY: return "empty";
    case KITH_FULL: return "full";
    case KITH_OPEN: return "breaker open";
    case KITH_GAP: return "gap";
    case KITH_DUPLICATE: return "duplicate";
    case KITH_STOP: return "stopped";
    case KITH_E_ARG: return "bad argument";
    case KITH_E_MEMORY: return "out of memory";
    case KITH_E_SYSTEM: return "system error";
    case KITH_E_FORMAT: return "bad format";
    case KITH_E_DENIED: return "denied";
    case KITH_E_CLOSED: return "closed";
    case KITH_E_TIMEOUT: return "timed out";
    case KITH_E_NOTSUP: return "not supported";
    case KITH_E_SPACE: return "no space";
    case KITH_E_BUSY: return "busy";
    case KITH_E_CORRUPT: return "damaged";
    case KITH_E_MISSING: return "missing";
    case KITH_E_CONFIG: return "bad setting";
    case KITH_E_REPLACED: return "another medium";
    case KITH_E_SPENT: return "budget spent";
    default: return code <= KITH_E_REFUSED ? "refused" : "unknown";
    }
}

bool kith_error_retriable(int code) {
    return code == KITH_FULL || code == KITH_OPEN || code == KITH_E_SYSTEM ||
           code == KITH_E_TIMEOUT || code == KITH_E_SPACE || code == KITH_E_BUSY;
}

const char *kith_version(void) {
    return KITH_VERSION;
}
