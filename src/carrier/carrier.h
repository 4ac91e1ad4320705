/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/carrier.h - between the core and the carriers built into this library. */
#ifndef CARRIER_CARRIER_H
#define CARRIER_CARRIER_H

#include <kith/carrier.h>

extern const kith_carrier ki_mem_carrier;    /* mem/: one process */
extern const kith_carrier ki_dir_carrier;    /* dir/: a shared folder */
extern const kith_carrier ki_sqlite_carrier; /* sqlite/: a shared file */
extern const kith_carrier ki_fifo_carrier;   /* fifo/: a folder of pipes */
extern const kith_carrier ki_udp_carrier;    /* udp/: a multicast group */
extern const kith_carrier ki_tcp_carrier;    /* tcp/: a port */
extern const kith_carrier ki_unix_carrier;   /* tcp/: a socket file */
extern const kith_carrier ki_fault_carrier;  /* fault/: harms on purpose */
extern const kith_carrier ki_trace_carrier;  /* trace/: says every call */

/* Opens a carrier that is not in the built-in list: a plugin's, a test's. */
typedef struct ki_opening {
    const kith_carrier *carrier;
    const char *place;
    const char *query; /* "drop=10&seed=7", or NULL */
    const kith_host *host;
    kith_plugin *plugin; /* closed with the link, or by a failed open */
} ki_opening;
KITH_MUST_USE int ki_link_open_carrier(
    kith_link **ret, const ki_opening *how, kith_error *err);

/* E_NOTSUP: another ABI, or a member that every carrier has is missing. */
KITH_MUST_USE int ki_carrier_vet(const kith_carrier *c, kith_error *err);

/* The built-in carrier of that scheme, or NULL. */
const kith_carrier *ki_carrier_find(const char *scheme, size_t length);

/* For wrappers: make the patterns of a link exactly these. All were checked
 * by the wrapper's own link. */
KITH_MUST_USE int ki_link_follow_all(
    kith_link *link, const char *const *patterns, size_t count);

/* Does the pattern want the subject? Both must be valid; the same answer as
 * kith_subject_matches, without looking at every byte three times. */
bool ki_wants(const char *pattern, const char *subject);

/* Splits a query in two: what the table knows and what it does not. Both
 * results have room for KITH_URL_MAX + 1. */
void ki_query_split(
    const char *query, const kith_option *table, char *ret_known, char *ret_rest);

/* Is every option of a URL known to somebody in its chain of built-in carriers?
 * 0, or E_CONFIG and the nearest of all their names. */
KITH_MUST_USE int ki_url_check_names(const char *url, kith_error *err);

/* Calls host->say if there is one. */
void ki_say(const kith_host *host, const char *scheme, const char *fmt, ...)
    KITH_PRINTF(3, 4);

#endif
