/* SPDX-License-Identifier: Apache-2.0 */
/* kith/error.h - how every kith function says what happened.
 *
 * A function that can fail returns int:
 *   < 0   it failed; the value is one of KITH_E_*; outputs are untouched
 *     0   it did what its name says
 *   > 0   a normal answer, listed in that function's comment (EMPTY, FULL...)
 * Negative codes are passed upward unchanged. Positive codes are for the
 * direct caller alone and must not be passed upward.
 */
#ifndef KITH_ERROR_H
#define KITH_ERROR_H

#include <kith/export.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KITH_OK = 0,

    /* Answers. */
    KITH_EMPTY = 1,     /* nothing to read now */
    KITH_FULL = 2,      /* no room now; try later or drop */
    KITH_OPEN = 3,      /* a breaker forbids the call */
    KITH_GAP = 4,       /* something is missing here, and counted */
    KITH_DUPLICATE = 5, /* known already; nothing changed */
    KITH_STOP = 6,      /* a callback has seen enough */

    /* Failures. The numbers are part of the ABI: add, never renumber. */
    KITH_E_ARG = -1, /* the caller's arguments make no sense */
    KITH_E_MEMORY = -2,
    KITH_E_SYSTEM = -3, /* a system call failed; see kith_error.sys */
    KITH_E_FORMAT = -4, /* bytes from outside are not what they claim */
    KITH_E_DENIED = -5,
    KITH_E_CLOSED = -6,
    KITH_E_TIMEOUT = -7,
    KITH_E_NOTSUP = -8,
    KITH_E_SPACE = -9,     /* disk or configured bound is full */
    KITH_E_BUSY = -10,     /* another process holds it; worth a retry */
    KITH_E_CORRUPT = -11,  /* our own stored bytes are damaged */
    KITH_E_MISSING = -12,  /* what was named is not there */
    KITH_E_CONFIG = -13,   /* a setting makes no sense */
    KITH_E_REPLACED = -14, /* another medium stands where the one we knew was */
    KITH_E_SPENT = -15,    /* no privacy budget is left for it; kith/ledger.h */

    /* -100 and below: why a packet was refused, kith/packet.h. */
    KITH_E_REFUSED = -100,
};

/* Why a call failed, for a person. Owned by the caller, never allocated. */
typedef struct kith_error {
    int code;       /* KITH_E_*, or 0 while nothing failed */
    int sys;        /* errno at the origin, or 0 */
    char text[504]; /* "open zmq: bind tcp://...: address in use"; cut to fit */
} kith_error;

/* One or two words for a code, static storage, never NULL. */
KITH_API const char *kith_error_name(int code);

/* May the same call succeed later without anybody changing anything? */
KITH_API bool kith_error_retriable(int code);

#ifdef __cplusplus
}
#endif
#endif
