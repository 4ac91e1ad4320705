/* SPDX-License-Identifier: Apache-2.0 */
/* cli/evidence.h - flags, or a line of JSON with their names, become a packet's
 * content; and a packet becomes a record. */
#ifndef CLI_EVIDENCE_H
#define CLI_EVIDENCE_H

#include "cli/fault.h"
#include "cli/flags.h"
#include "cli/out.h"

#include <kith/heard.h>
#include <kith/packet.h>
#include <kith/store.h>
#include <kith/template.h>

#define LINE_MAX_BYTES 65536
#define WHY_MAX        320

/* The rows of encode_rows are the first of post_rows too, so `given` fits both.
 * 0, or the fault and, in why, its reason. */
int evidence_content(const post_flags *f, uint64_t given, const char *subject,
    int64_t now_us, kith_content *ret, char why[WHY_MAX]);

/* Sets in *ret what the object in text names; *ret and *given hold what was said
 * before. 0, or the fault. Anything but one flat object is E_LINE. */
int evidence_line(
    const char *text, size_t length, post_flags *ret, uint64_t *given, char why[WHY_MAX]);

/* The same for an object of jansson that is parsed already. */
struct json_t;
int evidence_object(
    const struct json_t *object, post_flags *ret, uint64_t *given, char why[WHY_MAX]);

/* The fault for a KITH_R_*, and its words. */
int refusal_fault(int refusal, const kith_content *content, char why[WHY_MAX]);

/* "2026-11-21T12:00:00Z", with fractions; or "90m" for that long before now; or
 * "now". false: neither. */
bool parse_when(const char *text, int64_t now_us, int64_t *ret_us);

/* Storage that a packet's record borrows from. */
typedef struct packet_view {
    const kith_templates *known; /* for the unit; may be NULL */
    kith_content content;
    uint8_t keyid[KITH_KEYID_SIZE], id[KITH_ID_SIZE];
    double effects[KITH_EFFECT_MAX], near[64];
    char words[96];
    char name[KITH_SEED1_LENGTH_MAX], from[KITH_SEED1_LENGTH_MAX + 16];
} packet_view;

/* What one unit of an effect is; 1 when the template is not known. */
double unit_of(
    const kith_templates *known, const uint8_t id[KITH_TEMPLATE_SIZE], int *ret_u);

/* Appends all a packet says. false: its bytes are no packet. */
bool packet_record(record *r, packet_view *view, const kith_packet *packet);
/* That, and what the store knows of it. */
bool stored_record(record *r, packet_view *view, const kith_record *stored);
/* The same of what nobody signed: its columns, and what it claims. */
bool heard_record(record *r, packet_view *view, const kith_heard *heard);

/* 2 * n hex digits. */
bool parse_hex(
    const char *text, size_t length, uint8_t *ret, size_t size, size_t *ret_length);

#endif
