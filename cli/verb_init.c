/* SPDX-License-Identifier: Apache-2.0 */
/* init: this node's key, store and configuration. Nothing is ever overwritten. */
#include "cli/place.h"
#include "cli/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folders above `path`, each 0700 if it was not there. false: errno. */
static bool make_folders(const char *path) {
    char part[PATH_TEXT_MAX + 1];
    snprintf(part, sizeof part, "%s", path);
    for (char *p = part + 1; *p != '\0'; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST) return false;
        *p = '/';
    }
    return true;
}

static const char config_text[] =
    "# kith's configuration; `kith help config` says what may stand here.\n"
    "# One setting a line; kith config show --origin tells what is in force.\n"
    "\n"
    "# [carrier stick]\n"
    "# url = dir:///media/stick/kith\n";

/* "" when there is one already, or no home to put it in. */
static int write_config(const call *c, char *ret, size_t size) {
    if (c->common->config[0] != '\0' || !config_path("kith.conf", ret, size) ||
        access(ret, F_OK) == 0) {
        *ret = '\0';
        return 0;
    }
    if (!make_folders(ret)) return fault(c->out, E_FOLDER, ret, "%s", strerror(errno));
    int fd = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t length = sizeof config_text - 1;
    bool good = fd >= 0 && write(fd, config_text, length) == (ssize_t) length;
    int why = errno;
    if (fd >= 0) close(fd);
    return good ? 0 : fault(c->out, E_FOLDER, ret, "%s", strerror(why));
}

static int make_store(const call *c, const char *url, const char *path) {
    kith_error err = { 0 };
    kith_store *store = NULL;
    if (*path != '\0' && !make_folders(path)) {
        return fault(c->out, E_FOLDER, path, "%s", strerror(errno));
    }
    int r = kith_store_open(&store, url, &err);
    kith_store_close(&store);
    return r < 0 ? fault_kith(c->out, E_FOLDER, url, &err) : 0;
}

static int make_key(const call *c, const char *path, kith_key **ret) {
    kith_error err = { 0 };
    if (!make_folders(path)) return fault(c->out, E_FOLDER, path, "%s", strerror(errno));
    int r = kith_key_create(ret, path, &err);
    if (r == KITH_E_DENIED) return fault_kith(c->out, E_NO_KEY, path, &err);
    return r < 0 ? fault_kith(c->out, E_FOLDER, path, &err) : 0;
}

static int told(const call *c, const kith_key *key, const char *file, const char *url,
    const char *config, bool fresh) {
    uint8_t public_key[KITH_KEY_SIZE], keyid[KITH_KEYID_SIZE];
    kith_key_public(key, public_key);
    kith_keyid(public_key, keyid);
    record r = record_of("init");
    as_column(put_hex(&r, "key_id", keyid, sizeof keyid), 0);
    as_column(put_text(&r, "key", file), 0);
    as_column(put_text(&r, "store", url), 0);
    as_column(put_text(&r, "config", *config == '\0' ? NULL : config), 0);
    put_bool(&r, "key_is_new", fresh);
    put_hex(&r, "public_key", public_key, sizeof public_key);
    if (!out_emit(c->out, &r)) return EXIT_USAGE;
    out_rows(c->out);
    out_next(c->out, "kith post lab.oven.heat --effect 0.12 --se 0.03 -n 240");
    return 0;
}

int verb_init(const call *c) {
    char file[PATH_TEXT_MAX + 1], url[KITH_URL_MAX + 1], path[KITH_URL_MAX + 1] = "";
    char config[PATH_TEXT_MAX + 1] = "";
    kith_key *key = NULL;
    if (!key_file(c->settings, c->out, file)) return EXIT_CONFIG;
    if (!store_url(c->settings, c->out, url)) return EXIT_IO;
    if (strncmp(url, "sqlite:", 7) == 0) {
        const char *place = url + 7 + (strncmp(url + 7, "//", 2) == 0 ? 2 : 0);
        snprintf(path, sizeof path, "%.*s", (int) strcspn(place, "?"), place);
    }
    bool has_key = access(file, F_OK) == 0 || errno == EACCES;
    bool has_store = *path == '\0' || access(path, F_OK) == 0;
    if (has_key && has_store) return fault(c->out, E_INITED, file, NULL);
    int code = has_key ? open_key(c, &key) : make_key(c, file, &key);
    if (code == 0) code = make_store(c, url, path);
    if (code == 0) code = write_config(c, config, sizeof config);
    if (code == 0) code = told(c, key, file, url, config, !has_key);
    kith_key_free(&key);
    return code;
}
