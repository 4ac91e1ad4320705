/* SPDX-License-Identifier: Apache-2.0 */
/* From "fault+mem://bus?drop=10" to an open link. */
#include "base/check.h"
#include "base/fail.h"
#include "carrier/carrier.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    NAME_SIZE = 64, /* of an option, with its end */
};

typedef struct text {
    char *to;
    size_t used;
} text;

/* Joins with '&'. There is room: all parts come from one URL. */
static void join(text *t, const char *part, size_t length) {
    CHECK(t->used + length + 1 <= KITH_URL_MAX);
    if (t->used > 0) {
        t->to[t->used++] = '&';
    }
    memcpy(t->to + t->used, part, length);
    t->used += length;
    t->to[t->used] = '\0';
}

static bool knows(const kith_option *table, const char *name, size_t length) {
    for (const kith_option *o = table; o != NULL && o->name != NULL; o++) {
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0) {
            return true;
        }
    }
    return false;
}

void ki_query_split(
    const char *query, const kith_option *table, char *ret_known, char *ret_rest) {
    text known = { ret_known, 0 }, rest = { ret_rest, 0 };
    *ret_known = *ret_rest = '\0';
    for (const char *p = query; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, "&");
        if (n > 0) {
            join(knows(table, p, strcspn(p, "&=")) ? &known : &rest, p, n);
        }
        p += n + (p[n] == '&');
    }
}

/* 0: known; E_CONFIG: by nobody; KITH_STOP: a plugin is in the chain, which
 * will answer for itself. */
static int check_name(const char *url, const char *name, size_t length, kith_error *err) {
    char word[NAME_SIZE];
    (void) snprintf(word, sizeof word, "%.*s", (int) length, name);
    const char *near = NULL;
    for (const char *at = url;;) {
        size_t n = strcspn(at, "+:?");
        const kith_carrier *c = ki_carrier_find(at, n);
        if (c == NULL) {
            return KITH_STOP;
        }
        if (knows(c->options, name, length)) {
            return 0;
        }
        const char *here =
            length < NAME_SIZE ? kith_option_nearest(c->options, word) : NULL;
        near = near == NULL ? here : near;
        if (at[n] != '+') {
            break;
        }
        at += n + 1;
    }
    return ki_fail(err, KITH_E_CONFIG, "no option %s%s%s%s", word,
        near == NULL ? "" : "; did you mean ", near == NULL ? "" : near,
        near == NULL ? "" : "?");
}

int ki_url_check_names(const char *url, kith_error *err) {
    const char *query = strchr(url, '?');
    for (const char *p = query == NULL ? "" : query + 1; *p != '\0';) {
        size_t n = strcspn(p, "&");
        int r = n == 0 ? 0 : check_name(url, p, strcspn(p, "&="), err);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
        p += n + (p[n] == '&');
    }
    return 0;
}

/* Carriers of ours that need a library of others, and how they come here. */
static const struct {
    const char *scheme, *built, *library;
} foreign[] = { { "zmq", "libzmq3-dev", "libzmq5" } };

static const char *remedy(const char *scheme, size_t length, bool there) {
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (strlen(foreign[i].scheme) == length &&
            memcmp(foreign[i].scheme, scheme, length) == 0) {
            return there ? foreign[i].library : foreign[i].built;
        }
    }
    return NULL;
}

static bool name_file(
    const char *folder, const char *scheme, size_t length, char ret[KITH_URL_MAX + 1]) {
    int n = snprintf(
        ret, KITH_URL_MAX + 1, "%s/kith-carrier-%.*s.so", folder, (int) length, scheme);
    return n > 0 && n <= KITH_URL_MAX && access(ret, F_OK) == 0;
}

/* The host's folder, then our own. Only plain letters come near a file name. */
static bool find_plugin(
    const kith_host *host, const char *scheme, size_t length, char ret[KITH_URL_MAX + 1]) {
    char folder[KITH_URL_MAX + 1];
    if (length == 0 || length >= NAME_SIZE ||
        strspn(scheme, "abcdefghijklmnopqrstuvwxyz0123456789-") < length) {
        return false;
    }
    bool found = host != NULL && host->plugin_dir != NULL &&
                 name_file(host->plugin_dir, scheme, length, ret);
    for (size_t i = 0; !found && kith_plugin_folder(i, folder); i++) {
        found = name_file(folder, scheme, length, ret);
    }
    return found;
}

static int open_plugin(kith_plugin **ret, const char *scheme, size_t length,
    const kith_host *host, const kith_carrier **ret_carrier, kith_error *err) {
    char path[KITH_URL_MAX + 1];
    if (!find_plugin(host, scheme, length, path)) {
        const char *package = remedy(scheme, length, false);
        if (package == NULL) {
            return ki_fail(err, KITH_E_NOTSUP, "no carrier for '%.100s'", scheme);
        }
        return ki_fail(err, KITH_E_NOTSUP,
            "%.*s:// is not in this build: install %s, then build kith again", (int) length,
            scheme, package);
    }
    int r = kith_plugin_open(ret, path, ret_carrier, err);
    const char *package = remedy(scheme, length, true);
    if (r == KITH_E_NOTSUP && package != NULL) {
        return ki_fail_in(
            err, r, "%.*s:// needs the package %s", (int) length, scheme, package);
    }
    if (r == 0 && (strlen((*ret_carrier)->scheme) != length ||
                      memcmp((*ret_carrier)->scheme, scheme, length) != 0)) {
        r = ki_fail(err, KITH_E_NOTSUP, "%s is for '%.60s'", path, (*ret_carrier)->scheme);
        kith_plugin_close(ret);
    }
    return r;
}

/* Cuts the URL in three for the outermost carrier: its place, its options and
 * (inside the place of a wrapper) what is left for those within. */
static int open_found(kith_link **ret, const char *url, size_t scheme_length,
    ki_opening *how, kith_error *err) {
    char place[2 * KITH_URL_MAX], known[KITH_URL_MAX + 1], rest[KITH_URL_MAX + 1];
    const char *mark = how->carrier->inner != NULL ? "+" : "://";
    if (strncmp(url + scheme_length, mark, strlen(mark)) != 0) {
        kith_plugin_close(&how->plugin);
        return ki_fail(
            err, KITH_E_ARG, "'%.100s': %s wants %s here", url, how->carrier->scheme, mark);
    }
    const char *from = url + scheme_length + strlen(mark);
    size_t n = strcspn(from, "?");
    const char *query = from[n] == '?' ? from + n + 1 : NULL;
    bool wrapper = how->carrier->inner != NULL;
    rest[0] = '\0';
    if (wrapper) {
        ki_query_split(query, how->carrier->options, known, rest);
    }
    (void) snprintf(
        place, sizeof place, "%.*s%s%s", (int) n, from, rest[0] == '\0' ? "" : "?", rest);
    how->place = place;
    how->query = wrapper ? known : query;
    return ki_link_open_carrier(ret, how, err);
}

int kith_link_open(
    kith_link **ret, const char *url, const kith_host *host, kith_error *err) {
    CHECK(ret != NULL);
    CHECK(url != NULL);
    if (strnlen(url, KITH_URL_MAX + 1) > KITH_URL_MAX) {
        return ki_fail(err, KITH_E_ARG, "URL longer than %d", KITH_URL_MAX);
    }
    int r = ki_url_check_names(url, err);
    if (r < 0) {
        return r;
    }
    size_t n = strcspn(url, "+:");
    ki_opening how = { .carrier = ki_carrier_find(url, n), .host = host };
    const kith_carrier *own = host == NULL ? NULL : host->carrier;
    if (own != NULL && strlen(own->scheme) == n && memcmp(own->scheme, url, n) == 0) {
        how.carrier = own;
    }
    if (how.carrier == NULL) {
        r = open_plugin(&how.plugin, url, n, host, &how.carrier, err);
        if (r < 0) {
            return r;
        }
    }
    return open_found(ret, url, n, &how, err);
}
