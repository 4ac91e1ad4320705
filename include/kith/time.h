/* SPDX-License-Identifier: Apache-2.0 */
/* kith/time.h - now, as an argument. Nothing in the library reads a clock; the
 * program does, once per turn of its loop, and hands the answer down. */
#ifndef KITH_TIME_H
#define KITH_TIME_H

#include <kith/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kith_time {
    uint64_t mono_ns; /* for timeouts: never steps, counts through suspend (BOOTTIME) */
    int64_t wall_us;  /* for packets: UTC since 1970 */
} kith_time;

/* The one place where a clock is read; for programs. */
KITH_API kith_time kith_time_now(void);

#ifdef __cplusplus
}
#endif
#endif
