/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that reads a clock. BOOTTIME, because a suspended machine must
 * not find its deadlines an hour in the future. */
#include <kith/time.h>

#include <time.h>

_Static_assert(sizeof(time_t) == 8, "seconds go on after 2038");

kith_time kith_time_now(void) {
    struct timespec mono, wall;
    (void) clock_gettime(CLOCK_BOOTTIME, &mono);
    (void) clock_gettime(CLOCK_REALTIME, &wall);
    return (kith_time){
        .mono_ns = (uint64_t) mono.tv_sec * 1000000000u + (uint64_t) mono.tv_nsec,
        .wall_us = (int64_t) wall.tv_sec * 1000000 + wall.tv_nsec / 1000,
    };
}
