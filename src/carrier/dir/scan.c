/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/scan.h"

#include "base/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    WATCHES_MAX = 1 << 16, /* folders; more are found by walking */
};

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define EVENTS (IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_ONLYDIR)

void ki_watches_init(watches *on, bool wanted) {
    *on = (watches){ .fd = wanted ? inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1 };
}

void ki_watches_fini(watches *on) {
    for (size_t i = 0; i < on->size; i++) {
        free(on->paths[i]);
    }
    free(on->paths);
    if (on->fd >= 0) {
        close(on->fd);
    }
    *on = (watches){ .fd = -1 };
}

/* No watch to be had: from now on only walks find files. */
static void give_up(watches *on) {
    ki_watches_fini(on);
}

static bool grow(watches *on, size_t wd) {
    size_t size = on->size == 0 ? 64 : on->size;
    while (size <= wd) size *= 2;
    if (size == on->size) {
        return true;
    }
    char **paths = realloc(on->paths, size * sizeof *paths);
    if (paths == NULL) {
        return false;
    }
    memset(paths + on->size, 0, (size - on->size) * sizeof *paths);
    on->paths = paths;
    on->size = size;
    return true;
}

/* path: "" for a folder of tokens, whose news is always a new folder. */
static void watch(watches *on, int folder, const char *path) {
    char self[64];
    if (on->fd < 0) {
        return;
    }
    (void) snprintf(self, sizeof self, "/proc/self/fd/%d", folder);
    int wd = inotify_add_watch(on->fd, self, EVENTS);
    if (wd < 0 || wd >= WATCHES_MAX || !grow(on, (size_t) wd)) {
        give_up(on);
        return;
    }
    char **at = &on->paths[wd];
    if (*at == NULL || strcmp(*at, path) != 0) {
        free(*at);
        *at = strdup(path);
        if (*at == NULL) {
            give_up(on);
        }
    }
}

bool ki_watches_next(watches *on, events *e, const char **ret_path, const char **ret_name) {
    while (on->fd >= 0) {
        if (e->at == e->length) {
            ssize_t n = read(on->fd, e->buffer, sizeof e->buffer);
            e->at = 0;
            e->length = n < 0 ? 0 : (size_t) n;
            if (n <= 0) {
                return false;
            }
        }
        const struct inotify_event *event = (const void *) (e->buffer + e->at);
        e->at += sizeof *event + event->len;
        if (event->mask & IN_Q_OVERFLOW) {
            on->overflow = true;
            continue;
        }
        const char *path =
            event->wd >= 0 && (size_t) event->wd < on->size ? on->paths[event->wd] : NULL;
        if (event->mask & IN_IGNORED) {
            if (path != NULL) {
                free(on->paths[event->wd]);
                on->paths[event->wd] = NULL;
            }
            continue;
        }
        if (path == NULL || event->len == 0) {
            continue;
        }
        if (event->mask & IN_ISDIR) {
            on->overflow |= event->name[0] != '.';
        } else if ((event->mask & (IN_MOVED_TO | IN_CLOSE_WRITE)) && path[0] != '\0') {
            *ret_path = path;
            *ret_name = event->name;
            return true;
        }
    }
    return false;
}

void ki_walk_stop(walk *w) {
    while (w->depth > 0) {
        close(w->levels[--w->depth].fd);
    }
    w->going = w->shard = false;
}

static level *innermost(walk *w) {
    CHECK(w->depth > 0 && w->depth <= WALK_DEPTH);
    return &w->levels[w->depth - 1];
}

/* Takes fd. */
static int enter(walk *w, int fd) {
    if (fd < 0) {
        return KITH_E_SYSTEM;
    }
    CHECK(w->depth < WALK_DEPTH);
    level *l = &w->levels[w->depth++];
    l->fd = fd;
    l->number = ++w->folders;
    l->length = strlen(w->subject);
    l->at = l->end = 0;
    return 0;
}

int ki_walk_start(walk *w, const tree *t, watches *on) {
    ki_walk_stop(w);
    w->subject[0] = '\0';
    int r = enter(w, openat(t->root, ".", FOLDER));
    if (r == 0) {
        watch(on, w->levels[0].fd, "");
        w->going = true;
    }
    return r;
}

static void leave(walk *w) {
    close(innermost(w)->fd);
    w->depth--;
    w->shard = false;
    if (w->depth > 0) {
        w->subject[innermost(w)->length] = '\0';
    }
}

/* Into a folder of ours below the innermost. False: it is none, or too deep. */
static bool descend(walk *w, watches *on, int kind, const char *name) {
    size_t at = strlen(w->subject), n = strlen(name) - 1;
    bool token = kind == DIR_TOKEN;
    if (w->shard || (!token && at == 0) || w->depth == WALK_DEPTH ||
        (token && (w->depth > KITH_TOKENS_MAX || at + (at > 0) + n > KITH_SUBJECT_MAX))) {
        return false;
    }
    if (enter(w, openat(innermost(w)->fd, name, FOLDER)) < 0) {
        return false;
    }
    level *l = innermost(w);
    if (token) {
        (void) snprintf(w->subject + at, sizeof w->subject - at, "%s%.*s",
            at == 0 ? "" : ".", (int) n, name);
        l->length = strlen(w->subject);
        watch(on, l->fd, "");
    } else {
        char path[DIR_PATH_SIZE];
        ki_dir_path(w->subject, 0, path);
        memcpy(path + strlen(path) - 2, name, 2);
        w->shard = true;
        watch(on, l->fd, path);
    }
    return true;
}

/* The next name in the innermost folder, or NULL. Not readdir: it takes memory for
 * each folder and asks the kernel three questions more. */
static const struct dirent64 *next_name(level *l) {
    if (l->at == l->end) {
        ssize_t n = getdents64(l->fd, l->names, sizeof l->names);
        l->at = 0;
        l->end = n > 0 ? (size_t) n : 0;
        if (n <= 0) {
            return NULL;
        }
    }
    const struct dirent64 *entry = (const void *) (l->names + l->at);
    CHECK_HOT(entry->d_reclen > 0);
    l->at += entry->d_reclen;
    CHECK(l->at <= l->end); /* the kernel's word */
    return entry;
}

bool ki_walk_step(walk *w, watches *on, found *ret) {
    CHECK(w->going);
    level *l = innermost(w);
    const struct dirent64 *entry = next_name(l);
    if (entry == NULL) {
        leave(w);
        w->going = w->depth > 0;
        *ret = (found){ .kind = -1 };
        return !w->going;
    }
    if (entry->d_name[0] == '.') { /* ., .., .tmp, .medium, a sync tool's own */
        return false;
    }
    ret->folder = l->fd;
    ret->folder_number = l->number;
    ret->plain = entry->d_type == DT_REG;
    ret->news = false;
    ret->name = entry->d_name;
    ret->subject = w->subject;
    ret->kind = ki_dir_kind(entry->d_name, ret->id);
    bool folder = entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
    if (folder && (ret->kind == DIR_TOKEN || ret->kind == DIR_SHARD) &&
        descend(w, on, ret->kind, entry->d_name)) {
        return false;
    }
    bool file = ret->plain || entry->d_type == DT_UNKNOWN;
    if (!w->shard || !file || ret->kind == DIR_TOKEN || ret->kind == DIR_SHARD) {
        ret->kind = DIR_OTHER;
    }
    return true;
}
