/* SPDX-License-Identifier: Apache-2.0 */
/* A function of the program goes before the C library's own, for every library too. */
#include "allocations.h"

#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

static _Thread_local uint64_t asked;

uint64_t allocations(void) {
    return asked;
}

void *malloc(size_t size) {
    asked++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    asked++;
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    asked++;
    return __libc_realloc(old, size);
}
