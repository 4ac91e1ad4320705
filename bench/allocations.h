/* SPDX-License-Identifier: Apache-2.0 */
/* bench/allocations.h - how often this thread has asked for memory, in our code, in the
 * peer's and in every library: malloc, calloc and realloc of the program are counted. */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stdint.h>

uint64_t allocations(void);

#endif
