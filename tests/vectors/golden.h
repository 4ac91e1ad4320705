/* SPDX-License-Identifier: Apache-2.0 */
/* vectors/golden.h - the committed vectors, made again. */
#ifndef VECTORS_GOLDEN_H
#define VECTORS_GOLDEN_H

int golden_packets(void);
int golden_addresses(void);

#endif
