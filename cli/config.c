/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/config.h"

#include "cli/check.h"
#include "cli/fault.h"
#include "cli/ini.h"
#include "cli/parse.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void settings_free(settings **s) {
    if (*s == NULL) return;
    for (size_t i = 0; i < (*s)->count; i++) {
        setting *one = &(*s)->list[i];
        free(one->section);
        free(one->name);
        free(one->key);
        free(one->value);
        free(one->origin);
    }
    free(*s);
    *s = NULL;
}

static setting *find(
    const settings *s, const char *section, const char *name, const char *key) {
    for (size_t i = 0; i < s->count; i++) {
        const setting *one = &s->list[i];
        if (strcmp(one->section, section) == 0 && strcmp(one->name, name) == 0 &&
            strcmp(one->key, key) == 0) {
            return (setting *) (uintptr_t) one;
        }
    }
    return NULL;
}

const setting *settings_find(
    const settings *s, const char *section, const char *name, const char *key) {
    return find(s, section, name, key);
}

size_t settings_names(const settings *s, const char *section, const char *ret[NAMED_MAX]) {
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        const setting *one = &s->list[i];
        bool known = strcmp(one->section, section) != 0 || *one->name == '\0';
        for (size_t k = 0; k < n && !known; k++) known = strcmp(ret[k], one->name) == 0;
        if (!known && n < NAMED_MAX) ret[n++] = one->name;
    }
    return n;
}

void settings_read(const settings *s, const char *section, const char *name, void *ret) {
    bool named;
    size_t size;
    kith_error err;
    const kith_option *rows = section_rows(section, &named, &size);
    CHECK(rows != NULL);
    memset(ret, 0, size);
    (void) !kith_option_presets(rows, ret, &err); /* our own presets are legal: a test */
    for (size_t i = 0; i < s->count; i++) {
        const setting *one = &s->list[i];
        if (strcmp(one->section, section) == 0 && strcmp(one->name, name) == 0) {
            (void) !kith_option_set(rows, ret, one->key, one->value, &err); /* checked */
        }
    }
}

/* ---- one more setting ---- */

/* A value against its row, in storage that is thrown away. */
static bool fits(const kith_option *rows, size_t size, const char *key, const char *value,
    char *why, size_t why_size) {
    kith_error err = { 0 };
    void *scratch = calloc(1, size);
    int r =
        scratch == NULL ? KITH_E_MEMORY : kith_option_set(rows, scratch, key, value, &err);
    free(scratch);
    if (r < 0)
        snprintf(why, why_size, "%s", err.text[0] == '\0' ? kith_error_name(r) : err.text);
    return r == 0;
}

static bool renew(char **slot, const char *text) {
    char *copy = strdup(text);
    if (copy == NULL) return false;
    free(*slot);
    *slot = copy;
    return true;
}

static bool check_name(const char *name, char *why, size_t size) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (n > 0 && n <= 32 && name[n] == '\0') return true;
    snprintf(why, size, "a section's second name has 1 to 32 of a-z 0-9 -");
    return false;
}

static void no_section(const char *section, char *why, size_t size) {
    const char *words[32] = { NULL };
    size_t n = 0;
    for (const section_row *s = config_sections; s->name != NULL && n < 31; s++) {
        words[n++] = s->name;
    }
    const char *near = kith_nearest_word(words, section);
    if (*section == '\0') {
        snprintf(why, size, "no section stands before it");
    } else {
        snprintf(why, size, "no section [%.60s]%s%s%s", section,
            near == NULL ? "" : "; did you mean [", near == NULL ? "" : near,
            near == NULL ? "" : "]?");
    }
}

static bool put_setting(settings *s, const char *section, const char *name, const char *key,
    const char *value, const char *origin, char *why, size_t why_size) {
    bool named;
    size_t size;
    const kith_option *rows = section_rows(section, &named, &size);
    if (rows == NULL) {
        no_section(section, why, why_size);
        return false;
    }
    if (named != (*name != '\0')) {
        snprintf(why, why_size,
            named ? "[%s] needs a name of yours: [%s NAME]" : "[%s] takes no second name",
            section, section);
        return false;
    }
    if ((named && !check_name(name, why, why_size)) ||
        !fits(rows, size, key, value, why, why_size)) {
        return false;
    }
    setting *one = find(s, section, name, key);
    if (one == NULL) {
        const char *names[NAMED_MAX];
        bool fresh = named;
        size_t count = settings_names(s, section, names);
        for (size_t i = 0; i < count; i++) fresh = fresh && strcmp(names[i], name) != 0;
        if (s->count == SETTINGS_MAX || (fresh && count == NAMED_MAX)) {
            snprintf(why, why_size, "too many settings or [%s ...] sections", section);
            return false;
        }
        one = &s->list[s->count++];
        *one = (setting){ 0 };
        if (!renew(&one->section, section) || !renew(&one->name, name) ||
            !renew(&one->key, key)) {
            snprintf(why, why_size, "no memory");
            return false;
        }
    }
    bool good = renew(&one->value, value) && renew(&one->origin, origin);
    if (!good) snprintf(why, why_size, "no memory");
    return good;
}

/* ---- files ---- */

typedef struct file_reading {
    settings *into;
    const char *path;
    size_t first; /* settings of this file begin here, in `seen` */
    settings *seen;
} file_reading;

/* "carrier stick" -> "carrier", "stick" */
static void split(const char *text, char *section, char *name, size_t size) {
    size_t n = strcspn(text, " \t");
    snprintf(section, size, "%.*s", (int) n, text);
    snprintf(name, size, "%s", text + n + strspn(text + n, " \t"));
}

static bool take_line(void *ctx, const char *where, const char *key, const char *value,
    unsigned line, ini_fault *ret) {
    file_reading *f = ctx;
    char section[64], name[64], origin[PATH_TEXT_MAX + 32];
    split(where, section, name, sizeof section);
    snprintf(origin, sizeof origin, "%s:%u", f->path, line);
    const setting *twice = find(f->seen, section, name, key);
    if (twice != NULL) {
        snprintf(ret->text, sizeof ret->text, "%.60s stands twice, first at %.100s", key,
            twice->origin);
        return false;
    }
    return put_setting(
        f->seen, section, name, key, value, origin, ret->text, sizeof ret->text);
}

bool settings_text(settings *s, const char *path, const char *text, size_t length,
    char *ret_why, size_t why_size) {
    ini_fault bad;
    settings *seen = calloc(1, sizeof *seen);
    file_reading f = { .into = s, .path = path, .seen = seen };
    if (seen == NULL) {
        snprintf(ret_why, why_size, "no memory");
        return false;
    }
    bool good = ini_read(text, length, take_line, &f, &bad);
    if (!good) snprintf(ret_why, why_size, "%s:%u: %s", path, bad.line, bad.text);
    for (size_t i = 0; i < seen->count && good; i++) {
        const setting *one = &seen->list[i];
        good = put_setting(s, one->section, one->name, one->key, one->value, one->origin,
            ret_why, why_size);
    }
    settings_free(&seen);
    return good;
}

/* Reads a file that may be absent. 0, or an exit code. */
static int load_file(settings *s, const out *o, const char *path, bool must) {
    char why[PATH_TEXT_MAX + 256] = "";
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int sys = errno;
        bool link = lstat(path, &about) == 0 && S_ISLNK(about.st_mode);
        if (!must && !link && (sys == ENOENT || sys == ENOTDIR)) return 0;
        return fault(
            o, E_NO_CONFIG, path, "%s%s", link ? "a symbolic link: " : "", strerror(sys));
    }
    bool plain = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    char *text = plain && about.st_size <= INI_TEXT_MAX ? malloc(INI_TEXT_MAX + 1) : NULL;
    size_t n = 0;
    for (ssize_t got = 1; text != NULL && got > 0 && n <= INI_TEXT_MAX; n += (size_t) got) {
        got = read(fd, text + n, INI_TEXT_MAX + 1 - n);
        if (got < 0) got = 0;
    }
    close(fd);
    if (text == NULL) {
        free(text);
        return fault(
            o, E_NO_CONFIG, path, plain ? "it is over 1 MiB" : "it is no plain file");
    }
    bool good = settings_text(s, path, text, n, why, sizeof why);
    free(text);
    if (!good) return fault(o, E_CONFIG, path, "%s", why);
    if (s->file_count < 16) {
        snprintf(s->files[s->file_count++], sizeof s->files[0], "%s", path);
    }
    return 0;
}

bool data_path(const char *leaf, char *ret, size_t size) {
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    bool good = xdg != NULL && *xdg == '/';
    if (!good && (home == NULL || *home != '/')) return false;
    int n = snprintf(ret, size, "%s%s/kith%s%s", good ? xdg : home,
        good ? "" : "/.local/share", *leaf == '\0' ? "" : "/", leaf);
    return n > 0 && (size_t) n < size;
}

bool config_path(const char *leaf, char *ret, size_t size) {
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool good = xdg != NULL && *xdg == '/';
    if (!good && (home == NULL || *home != '/')) return false;
    int n = snprintf(ret, size, "%s%s/kith%s%s", good ? xdg : home, good ? "" : "/.config",
        *leaf == '\0' ? "" : "/", leaf);
    return n > 0 && (size_t) n < size;
}

static int load_files(settings *s, const out *o, const common_flags *common) {
    char path[PATH_TEXT_MAX + 1];
    glob_t found;
    if (common->config[0] != '\0') return load_file(s, o, common->config, true);
    int code = load_file(s, o, "/etc/kith/kith.conf", false);
    if (code == 0 && glob("/etc/kith/conf.d/*.conf", 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && code == 0; i++) {
            code = load_file(s, o, found.gl_pathv[i], false);
        }
        globfree(&found);
    }
    if (code == 0 && config_path("kith.conf", path, sizeof path)) {
        code = load_file(s, o, path, false);
    }
    if (code == 0 && common->project) code = load_file(s, o, "kith.conf", true);
    return code;
}

/* ---- environment ---- */

/* KITH_STORE_URL; for named sections KITH_CARRIER_STICK_URL. */
static int load_variable(settings *s, const out *o, const char *variable) {
    char name[128], section[64], why[400] = "", about[160];
    size_t n = strcspn(variable, "=");
    const char *value = variable + n + (variable[n] == '=');
    if (n < 6 || n >= sizeof name) return 0;
    for (size_t i = 5; i <= n; i++) {
        char c = i == n ? '\0' : (char) tolower((unsigned char) variable[i]);
        name[i - 5] = c == '_' ? '-' : c;
    }
    size_t cut = strcspn(name, "-");
    snprintf(section, sizeof section, "%.*s", (int) (cut < 63 ? cut : 63), name);
    bool named;
    size_t size;
    const kith_option *rows = section_rows(section, &named, &size);
    if (rows == NULL || name[cut] != '-') return 0; /* not ours: KITH_SOURCE, say */
    char *key = name + cut + 1, *mine = key + strlen(key);
    if (named) {
        char *last = strrchr(key, '-');
        if (last == NULL) return 0;
        *last = '\0';
        mine = key;
        key = last + 1;
    }
    snprintf(about, sizeof about, "%.*s", (int) (n < 150 ? n : 150), variable);
    if (!named) {
        /* A row may be written with '_': compare with both. */
        for (const kith_option *row = rows; row->name != NULL; row++) {
            bool same = strlen(row->name) == strlen(key);
            for (size_t i = 0; same && key[i] != '\0'; i++) {
                same = key[i] == row->name[i] || (key[i] == '-' && row->name[i] == '_');
            }
            if (same) snprintf(key, sizeof name - cut - 1, "%s", row->name);
        }
    }
    if (put_setting(s, section, mine, key, value, about, why, sizeof why)) return 0;
    return fault(o, E_ENVIRONMENT, about, "%s", why);
}

extern char **environ;

static int load_environment(settings *s, const out *o) {
    int code = 0;
    for (char **p = environ; *p != NULL && code == 0; p++) {
        if (strncmp(*p, "KITH_", 5) == 0) code = load_variable(s, o, *p);
    }
    return code;
}

/* ---- all of it ---- */

static int load_flag(settings *s, const out *o, uint64_t given, const char *flag,
    const char *section, const char *key, const char *value) {
    char why[400] = "", origin[32];
    if ((given >> row_index(common_rows, flag) & 1) == 0) return 0;
    snprintf(origin, sizeof origin, "--%s", flag);
    if (put_setting(s, section, "", key, value, origin, why, sizeof why)) return 0;
    return fault(o, E_VALUE, origin, "%s", why);
}

int settings_load(
    settings **ret, const out *o, const common_flags *common, uint64_t given) {
    settings *s = calloc(1, sizeof *s);
    if (s == NULL) return fault(o, E_MEMORY, "settings", NULL);
    int code = load_files(s, o, common);
    if (code == 0) code = load_environment(s, o);
    if (code == 0) code = load_flag(s, o, given, "store", "store", "url", common->store);
    if (code == 0) code = load_flag(s, o, given, "key", "key", "file", common->key);
    if (code == 0) {
        *ret = s;
    } else {
        settings_free(&s);
    }
    return code;
}

bool store_url(const settings *s, const out *o, char ret[KITH_URL_MAX + 1]) {
    store_section store;
    char path[PATH_TEXT_MAX + 1];
    settings_read(s, "store", "", &store);
    if (store.url[0] == '\0') {
        if (!data_path("store.db", path, sizeof path)) {
            (void) fault(o, E_STORE, "in your home", "HOME is not set");
            return false;
        }
        snprintf(ret, KITH_URL_MAX + 1, "sqlite:%.1000s", path);
    } else {
        bool url =
            strncmp(store.url, "sqlite:", 7) == 0 || strncmp(store.url, "memory:", 7) == 0;
        snprintf(ret, KITH_URL_MAX + 1, "%s%.1000s", url ? "" : "sqlite:", store.url);
    }
    return true;
}

bool key_file(const settings *s, const out *o, char ret[PATH_TEXT_MAX + 1]) {
    key_section key;
    settings_read(s, "key", "", &key);
    if (key.file[0] != '\0') {
        snprintf(ret, PATH_TEXT_MAX + 1, "%s", key.file);
        return true;
    }
    if (data_path("key", ret, PATH_TEXT_MAX + 1)) return true;
    (void) fault(o, E_NO_KEY, "your home", "HOME is not set");
    return false;
}
