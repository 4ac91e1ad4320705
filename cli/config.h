/* SPDX-License-Identifier: Apache-2.0 */
/* cli/config.h - what is set, and where it was set.
 *
 * flag > KITH_SECTION_KEY > ./kith.conf with --project > $XDG_CONFIG_HOME/kith >
 * /etc/kith/conf.d > /etc/kith/kith.conf > preset. A setting is kept as text with
 * its origin and checked against its row the moment it is read; sections are then
 * read out into plain structs.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "cli/flags.h"
#include "cli/out.h"

#include <kith/carrier.h>

#define SETTINGS_MAX 512
#define NAMED_MAX    16 /* sections [carrier ...], and so on */

typedef struct setting {
    char *section, *name, *key, *value, *origin; /* name "": not a named section */
} setting;

typedef struct settings {
    size_t count;
    setting list[SETTINGS_MAX];
    char files[16][PATH_TEXT_MAX + 1]; /* that were read, in order of rising rank */
    size_t file_count;
} settings;

typedef struct store_section {
    char url[KITH_URL_MAX + 1];
} store_section;
typedef struct key_section {
    char file[PATH_TEXT_MAX + 1];
} key_section;
typedef struct log_section {
    int level, form;
} log_section;
typedef struct node_section {
    bool relay, pool_unsigned;
    char follow[1024], plugins[PATH_TEXT_MAX + 1];
} node_section;
typedef struct template_section {
    char folder[PATH_TEXT_MAX + 1];
} template_section;
typedef struct carrier_section {
    char url[KITH_URL_MAX + 1];
} carrier_section;
typedef struct signal_section {
    char subject[KITH_SUBJECT_MAX + 1], command[1024], template[64], near[256];
    int kind;
    int64_t count, window_ns, least, ttl_ns, unit, every_ns;
} signal_section;
typedef struct action_section {
    char subject[KITH_SUBJECT_MAX + 1], command[1024];
    int act;
    int64_t every_ns, limit_ns;
} action_section;

typedef struct section_row {
    const char *name;
    bool named;
    const kith_option *rows;
    size_t size;
} section_row;
extern const section_row config_sections[]; /* ends with a NULL name */

/* Rows of a section, also those of a carrier's own; NULL: there is none. */
const kith_option *section_rows(const char *name, bool *ret_named, size_t *ret_size);

/* 0, or an exit code after a fault was told. */
int settings_load(settings **ret, const out *o, const common_flags *common, uint64_t given);
void settings_free(settings **s);

/* Fills a section's struct: presets, then what is set. name "" or that of a named
 * section. Cannot fail, for every value was checked when it was read. */
void settings_read(const settings *s, const char *section, const char *name, void *ret);
/* Names of the named sections of that kind, in order of first appearance. */
size_t settings_names(const settings *s, const char *section, const char *ret[NAMED_MAX]);
/* The value in force, or NULL. */
const setting *settings_find(
    const settings *s, const char *section, const char *name, const char *key);

/* For tests and the fuzzer: one file's text, checked, into s. */
bool settings_text(settings *s, const char *path, const char *text, size_t length,
    char *ret_why, size_t why_size);

/* $XDG_DATA_HOME/kith/LEAF, and the like. false: HOME is not set. */
bool data_path(const char *leaf, char *ret, size_t size);
bool config_path(const char *leaf, char *ret, size_t size);
/* The store's URL and the key's file in force. false: no HOME, a fault was told. */
bool store_url(const settings *s, const out *o, char ret[KITH_URL_MAX + 1]);
bool key_file(const settings *s, const out *o, char ret[PATH_TEXT_MAX + 1]);

#endif
