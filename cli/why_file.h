/* SPDX-License-Identifier: Apache-2.0 */
/* cli/why_file.h - an answer as a file: the question, its time, and every packet that was
 * looked at, so that anybody can compute it again.
 *
 *   {"v":1,"kind":"why",...}        the question; numbers of 64 bits as texts
 *   {"v":1,"kind":"packet",...}     hex, where it stood, the ways it came; one each
 *   {"v":1,"kind":"end","packets":n}
 */
#ifndef CLI_WHY_FILE_H
#define CLI_WHY_FILE_H

#include "cli/asking.h"

/* Writes what a->ask found. An exit code. */
int why_file_write(asking *a, const char *path, const kith_evidence *rows, size_t count);

/* Fills a with the question, the time and a store in memory that holds the packets, each
 * verified. An exit code; close in any case. */
int why_file_open(asking *a, const char *path);
void why_file_close(asking *a);

/* Where a packet stood in the store it was written from, and how it came there. */
void why_file_place(const struct why_file *file, const uint8_t id[KITH_ID_SIZE],
    uint64_t *ret_arrival, char *ret_ways, size_t size);

#endif
