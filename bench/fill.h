/* SPDX-License-Identifier: Apache-2.0 */
/* bench/fill.h - stores with many rows, made once in the scratch folder and used by
 * every row of the run that needs them. */
#ifndef BENCH_FILL_H
#define BENCH_FILL_H

#include "harness.h"

#include <kith/store.h>

/* Rows of a filled store at this scale: 10^6 for the record. */
uint64_t fill_rows(const bench *b);
/* Few and many subjects over these rows: 10^4 and 10^6 for the record. */
uint64_t fill_subjects(const bench *b, bool many);

/* The options of every sqlite store here. */
void fill_url(char *ret, size_t size, const char *path);

/* A closed sqlite store, filled; the path stays valid. NULL: failed. */
const char *fill_disk(bench *b, bool many);
/* An open memory store, filled; the caller closes it. */
int fill_memory(bench *b, bool many, kith_store **ret);
/* Copies a closed store's file. */
int fill_copy(const char *from, const char *to);

#endif
