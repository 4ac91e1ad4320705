/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/name.h - names in the shared folder; docs/formats/dir.md.
 *
 *   kith-1/iot=/hvac=/energy-anomaly=/3f/3fa9...(32 hex of SHA-256).kp
 *
 * A token's folder ends in '=', which no token contains and no Windows device
 * name has; a shard is two hex digits; a packet ends in .kp. Pure.
 */
#ifndef CARRIER_DIR_NAME_H
#define CARRIER_DIR_NAME_H

#include <kith/packet.h>

enum {
    DIR_ID_SIZE = 16,
    DIR_NAME_SIZE = 2 * DIR_ID_SIZE + 4,                    /* hex, ".kp", NUL */
    DIR_PATH_SIZE = KITH_SUBJECT_MAX + KITH_TOKENS_MAX + 8, /* tokens, shard, NUL */
};

enum {
    DIR_OTHER = 0, /* not ours */
    DIR_TOKEN = 1,
    DIR_SHARD = 2,
    DIR_PACKET = 3,
    DIR_COPY = 4, /* ends in .kp but is no name of ours: a sync tool's conflict copy */
};

/* What a name says it is; for a packet also its id. */
int ki_dir_kind(const char *name, uint8_t ret_id[DIR_ID_SIZE]);

/* "iot=/hvac=/3f" for a valid subject and the first byte of an id. */
void ki_dir_path(const char *subject, uint8_t shard, char ret_path[DIR_PATH_SIZE]);

/* And back: false if the path is not of that form. */
bool ki_dir_unpath(const char *path, char ret_subject[KITH_SUBJECT_MAX + 1]);

/* First half of SHA-256 of the bytes, and the name made of it. */
void ki_dir_id(const void *bytes, size_t size, uint8_t ret_id[DIR_ID_SIZE]);
void ki_dir_name(const uint8_t id[DIR_ID_SIZE], char ret_name[DIR_NAME_SIZE]);

#endif
