/* SPDX-License-Identifier: Apache-2.0 */
/* What one line of a configuration cannot tell: whether `kith run` would take it all.
 * The rules of a section stand where they are used, in run_source.c and run_action.c. */
#include "cli/check.h"
#include "cli/run.h"
#include "cli/verbs.h"

#include <kith/address.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the key was set, or which section lacks it. */
static int bad(const call *c, const char *section, const char *name, const char *key,
    const char *why) {
    char about[80];
    CHECK(why != NULL);
    const setting *one = settings_find(c->settings, section, name, key);
    snprintf(about, sizeof about, "[%s%s%.40s]", section, *name == '\0' ? "" : " ", name);
    return fault(c->out, E_CONFIG, one == NULL ? about : one->origin, "%s%s%s%s",
        one == NULL ? "without " : "", one == NULL ? key : "", one == NULL ? ": " : "",
        why);
}

/* ---- carriers ---- */

static const kith_carrier *scheme_of(const char *text, size_t length) {
    for (size_t i = 0; kith_carrier_at(i) != NULL; i++) {
        const char *scheme = kith_carrier_at(i)->scheme;
        if (strlen(scheme) == length && memcmp(scheme, text, length) == 0) {
            return kith_carrier_at(i);
        }
    }
    return NULL;
}

/* Is the value one that this carrier's option takes? true: not its option, or fine. */
static bool value_fits(const kith_carrier *k, const char *name, const char *value,
    bool *ret_known, kith_error *err) {
    const kith_option *row = k->options;
    while (row != NULL && row->name != NULL && strcmp(row->name, name) != 0) row++;
    if (row == NULL || row->name == NULL) return true;
    *ret_known = true;
    void *scratch = calloc(1, k->state_size);
    bool good =
        scratch == NULL || kith_option_set(k->options, scratch, name, value, err) == 0;
    free(scratch);
    return good;
}

/* One "name=value" of a URL, for each carrier in its chain. */
static int check_option(
    const call *c, const char *section, const char *url, const char *pair, size_t length) {
    char name[64], value[KITH_URL_MAX + 1], why[256];
    const char *near = NULL;
    bool known = false;
    kith_error err = { 0 };
    size_t n = strcspn(pair, "=&");
    n = n < length ? n : length;
    snprintf(name, sizeof name, "%.*s", (int) (n < 63 ? n : 63), pair);
    snprintf(value, sizeof value, "%.*s", n < length ? (int) (length - n - 1) : 0,
        pair + n + (n < length));
    if (strchr(value, '%') != NULL) return 0; /* the carrier decodes it when it opens */
    for (const char *p = url; *p != '\0' && *p != ':';) {
        size_t word = strcspn(p, "+:");
        const kith_carrier *k = scheme_of(p, word);
        if (k == NULL) return 0; /* a plugin answers for itself */
        if (!value_fits(k, name, value, &known, &err)) {
            return bad(c, "carrier", section, "url", err.text);
        }
        if (near == NULL) near = kith_option_nearest(k->options, name);
        p += word + (p[word] == '+');
    }
    if (known) return 0;
    snprintf(why, sizeof why, "no option %s%s%s%s", name,
        near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
        near == NULL ? "" : "?");
    return bad(c, "carrier", section, "url", why);
}

/* A plugin that is found without being named. */
static bool installed(const char *scheme) {
    char folder[KITH_URL_MAX + 1], path[KITH_URL_MAX + 100];
    for (size_t i = 0; kith_plugin_folder(i, folder); i++) {
        snprintf(path, sizeof path, "%s/kith-carrier-%.60s.so", folder, scheme);
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

/* Each carrier named in "fault+dir://..." must be known, here or as a plugin. */
static int check_scheme(const call *c, const char *section, const char *scheme) {
    const char *words[64] = { NULL };
    char why[256];
    node_section node;
    settings_read(c->settings, "node", "", &node);
    if (scheme_of(scheme, strlen(scheme)) != NULL || node.plugins[0] != '\0' ||
        installed(scheme)) {
        return 0;
    }
    for (size_t i = 0; i < 63 && kith_carrier_at(i) != NULL; i++) {
        words[i] = kith_carrier_at(i)->scheme;
    }
    const char *near = kith_nearest_word(words, scheme);
    snprintf(why, sizeof why, "no carrier %.60s%s%s%s", scheme,
        near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
        near == NULL ? "" : "?");
    return bad(c, "carrier", section, "url", why);
}

static int check_carrier(const call *c, const char *name) {
    carrier_section one;
    int code = 0;
    settings_read(c->settings, "carrier", name, &one);
    if (one.url[0] == '\0') return bad(c, "carrier", name, "url", "no place is named");
    const char *end = strstr(one.url, "://");
    if (end == NULL) {
        return bad(
            c, "carrier", name, "url", "this is no URL like SCHEME://PLACE?OPTION=VALUE");
    }
    for (const char *p = one.url; p < end && code == 0;) {
        char scheme[64];
        size_t n = strcspn(p, "+:");
        snprintf(scheme, sizeof scheme, "%.*s", (int) (n < 63 ? n : 63), p);
        code = check_scheme(c, name, scheme);
        p += n + 1;
    }
    const char *query = strchr(end, '?');
    for (const char *p = query == NULL ? "" : query + 1; *p != '\0' && code == 0;) {
        size_t n = strcspn(p, "&");
        if (n > 0) code = check_option(c, name, one.url, p, n);
        p += n + (p[n] == '&');
    }
    return code;
}

/* ---- the rest ---- */

static int check_follow(const call *c) {
    node_section node;
    char *rest = NULL;
    settings_read(c->settings, "node", "", &node);
    for (char *word = strtok_r(node.follow, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        const char *why = kith_subject_fault(word, true);
        if (why != NULL) return bad(c, "node", "", "follow", why);
    }
    return 0;
}

int config_check(const call *c) {
    const char *names[NAMED_MAX], *key = NULL;
    int code = check_follow(c);
    size_t count = settings_names(c->settings, "carrier", names);
    for (size_t i = 0; i < count && code == 0; i++) code = check_carrier(c, names[i]);
    count = settings_names(c->settings, "signal", names);
    for (size_t i = 0; i < count && code == 0; i++) {
        signal_section one;
        settings_read(c->settings, "signal", names[i], &one);
        const char *why = signal_fault(&one, &key);
        if (why != NULL) code = bad(c, "signal", names[i], key, why);
    }
    count = settings_names(c->settings, "action", names);
    for (size_t i = 0; i < count && code == 0; i++) {
        action_section one;
        settings_read(c->settings, "action", names[i], &one);
        const char *why = action_fault(&one, &key);
        if (why != NULL) code = bad(c, "action", names[i], key, why);
    }
    return code;
}
