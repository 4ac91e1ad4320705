/* SPDX-License-Identifier: Apache-2.0 */
/* bench/sample.h - contents as nodes post them: 300 bytes encoded, each another. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <kith/packet.h>

#define SAMPLE_BYTES 300 /* encoded, of every sample with a text */
#define SAMPLES      16  /* that a codec row goes round: all stay in the nearest cache */

#define SAMPLE_GROUPS 10000 /* of subjects that share all but the last token */

typedef enum sample_text {
    SAMPLE_ASCII = 0,
    SAMPLE_OTHER = 1, /* German, Greek, Chinese: one to three bytes a character */
} sample_text;

/* A leaf of one effect with its variance, a conclusion and as much text as fits. The
 * subject is spread over `subjects` different ones; the same index gives the same
 * content. Source, epoch and sequence are set too, the signature is not. */
void sample_content(
    uint64_t index, uint64_t subjects, sample_text text, kith_content *ret_content);

/* The subject of a sample. */
void sample_subject(uint64_t index, uint64_t subjects, char ret[KITH_SUBJECT_MAX + 1]);

#endif
