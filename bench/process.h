/* SPDX-License-Identifier: Apache-2.0 */
/* bench/process.h - whole programs under the clock. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <sys/types.h>

/* From spawn to exit, output thrown away; < 0 when it does not exit with 0. */
int process_run(char *const argv[], double *ret_ns);

/* A program that goes on until it is stopped. *ret_ns: from spawn to the first line of
 * its output that contains `ready`; < 0 when it ends or says nothing within 10 s. */
typedef struct process {
    pid_t pid;
    int output;
} process;
int process_start(process *p, char *const argv[], const char *ready, double *ret_ns);
void process_stop(process *p);

/* Resident, in bytes; 0: no such process. */
double process_rss(const process *p);

#endif
