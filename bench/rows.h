/* SPDX-License-Identifier: Apache-2.0 */
/* bench/rows.h - one function per row of the table; each lives in its own file. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "harness.h"

int row_codec_encode(bench *b);
int row_codec_decode(bench *b);
int row_sign(bench *b);
int row_verify(bench *b);
int row_mem_pull(bench *b);
int row_zmq_tcp(bench *b);
int row_zmq_ipc(bench *b);
int row_tcp(bench *b);
int row_unix(bench *b);
int row_store_post_64(bench *b);
int row_store_post_1(bench *b);
int row_prefix_disk(bench *b);
int row_prefix_memory(bench *b);
int row_checkpoint_tail(bench *b);
int row_dir_scan(bench *b);
int row_post_to_stored(bench *b);
int row_fresh_node(bench *b);
int row_udp_paced(bench *b);
int row_sums_add(bench *b);
int row_answer(bench *b);
int row_answer_robust(bench *b);
int row_answer_cell(bench *b);
int row_reml(bench *b);
int row_start(bench *b);
int row_idle(bench *b);
int row_size(bench *b);

#endif
