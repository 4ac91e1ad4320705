/* SPDX-License-Identifier: Apache-2.0 */
/* cli/proof.h - two packets of one source under one number: which, and whose. */
#ifndef CLI_PROOF_H
#define CLI_PROOF_H

#include "cli/evidence.h"
#include "cli/out.h"

#include <kith/store.h>

typedef struct proof {
    kith_content content; /* of the second */
    uint8_t keyid[KITH_KEYID_SIZE];
    uint8_t id[KITH_ID_SIZE], first_id[KITH_ID_SIZE];
    kith_packet packet, first; /* first.length 0: it has gone */
} proof;

/* false: stop. Each proof is borrowed until the callback returns. */
typedef bool (*proof_each)(void *ctx, const proof *one);

/* Those of one subject, or with NULL all; 0, or < 0 and err. */
int each_proof(
    kith_store *store, const char *subject, proof_each each, void *ctx, kith_error *err);

#endif
