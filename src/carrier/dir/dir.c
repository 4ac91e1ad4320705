/* SPDX-License-Identifier: Apache-2.0 */
/* dir: a shared folder, a USB stick, whatever a file sync brings. Each packet is a
 * file with the name of its content, written aside and renamed, so that only whole
 * ones are seen; docs/formats/dir.md. All of it happens on a service thread. A link
 * does not hear what it posted itself, until it rewinds. */
#include "base/check.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/wire.h"
#include "carrier/carrier.h"
#include "carrier/dir/scan.h"
#include "carrier/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    WATCH_AUTO = 0,
    WATCH_INOTIFY = 1,
    WATCH_POLL = 2,
    STEPS = 2048,    /* of a walk in one turn, so that posts need not wait */
    SLOW_POLLS = 30, /* with inotify a walk every so many polls, for certainty */
    RETRY_MS = 1000, /* after a failed write */
};

#define SWEEP_NS UINT64_C(3600000000000) /* between two looks for what expired */

typedef struct dir {
    int sync, watch; /* options */
    int64_t poll_ns, max_files, grace_ns;
    ki_service *service;
    uint8_t medium[DIR_ID_SIZE];
} dir;

typedef struct worker {
    tree tree;
    const kith_host *host;
    int64_t poll_ns, grace_ns;
    seen seen, next; /* next: what the walk that is under way has met */
    walk walk;
    bool due;      /* a walk */
    bool sweeping; /* this walk also removes what expired */
    watches on;
    events events;
    ki_patterns patterns;
    kith_time now;
    uint64_t walked_ns, swept_ns, sick_ns; /* when last; by tick */
    bool sick, over_max;
    bool roomy;     /* for items, when last looked at */
    int watch;      /* as configured */
    kith_item item; /* scratch */
} worker;

static seen_key key_of(const void *bytes, size_t size) {
    uint8_t hash[16];
    ki_blake2b(bytes, size, hash, sizeof hash);
    return (seen_key){ wire_get64(hash) | 1, wire_get64(hash + 8) };
}

/* A packet is known by its name and its subject. */
static seen_key packet_key(const char *subject, const uint8_t id[DIR_ID_SIZE]) {
    seen_key s = key_of(subject, strlen(subject));
    return (seen_key){ (s.high ^ wire_get64(id)) | 1, s.low ^ wire_get64(id + 8) };
}

/* Anything else by its name and what tells whether it changed. */
static seen_key other_key(const found *f, const struct stat *st) {
    struct {
        int64_t seconds, nanoseconds, size;
        uint64_t inode;
        char subject[KITH_SUBJECT_MAX + 1], name[256];
    } all;
    memset(&all, 0, sizeof all);
    all.seconds = st->st_mtim.tv_sec;
    all.nanoseconds = st->st_mtim.tv_nsec;
    all.size = st->st_size;
    all.inode = st->st_ino;
    memcpy(all.subject, f->subject, strlen(f->subject));
    memcpy(all.name, f->name, strnlen(f->name, sizeof all.name - 1));
    return key_of(&all, sizeof all);
}

/* True: it is new. Marks it, in the walk's set as well. */
static bool mark(worker *w, seen_key key) {
    bool fresh = !ki_seen_has(&w->seen, key);
    int r = fresh ? ki_seen_add(&w->seen, key) : 0;
    if (r == 0 && w->walk.going) {
        r = ki_seen_add(&w->next, key);
    }
    w->over_max |= r < 0;
    return fresh && r == 0; /* what cannot be remembered would come for ever */
}

static int sys_refusal(int sys) {
    return sys == ENOENT ? KITH_EMPTY : KITH_E_FORMAT;
}

/* The bytes of a file into w->item. E_FORMAT: rubbish, or only half there yet. */
static int read_packet(worker *w, const found *f) {
    uint8_t bytes[KITH_PACKET_MAX + 1], id[DIR_ID_SIZE];
    ssize_t n = ki_tree_read(f->folder, f->name, bytes);
    if (n < 0) {
        return sys_refusal(errno);
    }
    if (n < 1 || n > KITH_PACKET_MAX) {
        return KITH_E_FORMAT;
    }
    ki_dir_id(bytes, (size_t) n, id);
    if (f->kind == DIR_PACKET && memcmp(id, f->id, sizeof id) != 0) {
        return KITH_E_FORMAT;
    }
    w->item.kind = KITH_ITEM_PACKET;
    w->item.length = (uint16_t) n;
    w->item.token = 0;
    memcpy(w->item.from.subject, f->subject, strlen(f->subject) + 1);
    memcpy(w->item.bytes, bytes, (size_t) n);
    return 0;
}

/* Whoever calls has seen that there is room, and only pull takes away from it. */
static void hand_over(worker *w, ki_service *s) {
    bool taken = ki_service_offer(s, &w->item);
    CHECK(taken);
}

/* By the time inside: names and times of files are anybody's. */
static bool sweep_away(worker *w, const found *f) {
    kith_content content;
    if (read_packet(w, f) != 0 ||
        kith_packet_decode(w->item.bytes, w->item.length, &content) != 0) {
        return false;
    }
    int64_t expires = kith_packet_expires_us(&content), grace_us = w->grace_ns / 1000;
    return expires < w->now.wall_us && w->now.wall_us - expires > grace_us &&
           unlinkat(f->folder, f->name, 0) == 0;
}

/* Rubbish, a conflict copy, or a packet that is damaged now: each is looked at
 * once, and again when it changes. */
static void take_other(worker *w, ki_service *s, const found *f, bool deliver) {
    struct stat st;
    if (fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !mark(w, other_key(f, &st)) || !deliver) {
        return;
    }
    bool readable = f->kind != DIR_OTHER && S_ISREG(st.st_mode);
    int r = readable ? read_packet(w, f) : KITH_E_FORMAT;
    if (r == 0) {
        hand_over(w, s);
    } else if (r < 0) {
        ki_service_count(s, 1, 0);
    }
}

/* deliver: false while "now" is being marked. */
static void take(worker *w, ki_service *s, const found *f, bool deliver) {
    if (f->kind != DIR_PACKET) {
        if (f->kind == DIR_OTHER || ki_patterns_want(&w->patterns, f->subject)) {
            take_other(w, s, f, deliver);
        }
        return;
    }
    if (w->sweeping && sweep_away(w, f)) {
        return;
    }
    seen_key key = packet_key(f->subject, f->id);
    if (ki_seen_has(&w->seen, key)) {
        (void) mark(w, key);
        return;
    }
    if (!deliver || !ki_patterns_want(&w->patterns, f->subject)) {
        (void) mark(w, key);
        return;
    }
    int r = read_packet(w, f);
    if (r < 0) {
        take_other(w, s, f, deliver); /* not as itself: it may yet become whole */
    } else if (r == 0 && mark(w, key)) {
        hand_over(w, s);
    }
}

static void end_walk(worker *w) {
    seen old = w->seen;
    w->seen = w->next; /* forgets what is no longer there */
    w->next = old;
    ki_seen_clear(&w->next);
    w->walked_ns = w->now.mono_ns;
    if (w->sweeping) {
        ki_tree_tidy(&w->tree, w->now.wall_us, w->grace_ns / 1000);
    }
    w->sweeping = false;
}

static int start_walk(worker *w) {
    w->due = w->over_max = w->on.overflow = false;
    ki_seen_clear(&w->next);
    return ki_walk_start(&w->walk, &w->tree, &w->on);
}

/* Everything that is there now counts as read. */
static int mark_all(worker *w) {
    found f;
    int r = start_walk(w);
    while (r == 0 && w->walk.going) {
        if (ki_walk_step(&w->walk, &w->tree, &w->on, &f) && f.kind >= 0) {
            take(w, NULL, &f, false);
        }
    }
    end_walk(w);
    return r;
}

static bool is_remote(int fd) {
    static const unsigned long local[] = { 0xEF53, 0x01021994, 0x58465342, 0x9123683E,
        0x794C7630, 0x4D44, 0x2011BAB0, 0xF2F52010, 0x2FC12FC1, 0x858458F6 };
    struct statfs st;
    if (fstatfs(fd, &st) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        if ((unsigned long) st.f_type == local[i]) {
            return false;
        }
    }
    return true;
}

static int dir_begin(void *self, kith_error *err) {
    worker *w = self;
    int r = ki_tree_open(&w->tree, true, err);
    if (r < 0) {
        return r;
    }
    ki_watches_init(&w->on,
        w->watch == WATCH_INOTIFY || (w->watch == WATCH_AUTO && !is_remote(w->tree.root)));
    if (mark_all(w) < 0) {
        return ki_tree_fail(err, "read folder", w->tree.place);
    }
    return w->over_max ? ki_fail(err, KITH_E_SPACE, "%.150s holds more than max_files=%zu",
                             w->tree.place, w->seen.max)
                       : 0;
}

static void dir_end(void *self) {
    worker *w = self;
    ki_walk_stop(&w->walk);
    ki_watches_fini(&w->on);
    ki_tree_close(&w->tree);
    ki_seen_fini(&w->seen);
    ki_seen_fini(&w->next);
    free(w);
}

static void get_sick(worker *w, ki_service *s, const kith_error *why) {
    if (!w->sick && !ki_service_stopping(s)) { /* then the host may be gone */
        ki_say(w->host, "dir", "%s", why->text);
    }
    w->sick = true;
    w->sick_ns = w->now.mono_ns;
    ki_service_report(s, why);
}

static void get_well(worker *w, ki_service *s) {
    if (w->sick && !ki_service_stopping(s)) {
        ki_say(w->host, "dir", "%.150s is back", w->tree.place);
    }
    w->sick = false;
    ki_service_report(s, NULL);
}

/* At each tick: is the folder still there, or back? */
static void look_after(worker *w, ki_service *s) {
    kith_error why = { 0 };
    if (!ki_tree_is_there(&w->tree)) {
        ki_walk_stop(&w->walk);
        ki_tree_close(&w->tree);
        if (ki_tree_open(&w->tree, false, &why) < 0) {
            get_sick(w, s, &why);
            return;
        }
        w->due = true;
        get_well(w, s);
    } else if (w->sick && w->now.mono_ns - w->sick_ns >= RETRY_MS * UINT64_C(1000000)) {
        get_well(w, s); /* posts may try again */
    }
}

static void post_all(worker *w, ki_service *s) {
    kith_error why = { 0 };
    size_t waiting = ki_service_waiting(s);
    int r = 0;
    while (waiting > 0 && r == 0 && !ki_service_stopping(s)) {
        const ki_posted *batch[TREE_BATCH];
        size_t n = waiting < TREE_BATCH ? waiting : TREE_BATCH;
        for (size_t i = 0; i < n; i++) {
            batch[i] = ki_service_posted(s, i);
        }
        r = ki_tree_is_there(&w->tree)
                ? ki_tree_write(&w->tree, batch, n, &why)
                : ki_fail(&why, KITH_E_MISSING, "folder %.150s is gone", w->tree.place);
        if (r == 0) {
            for (size_t i = 0; i < n; i++) {
                uint8_t id[DIR_ID_SIZE];
                ki_dir_id(batch[i]->bytes, batch[i]->length, id);
                (void) mark(w, packet_key(batch[i]->to.subject, id));
            }
            ki_service_settled(s, n);
            waiting -= n;
        }
    }
    if (r < 0) {
        get_sick(w, s, &why);
        ki_service_failed(s, &why);
    }
}

static void take_event(worker *w, ki_service *s, const char *path, const char *name) {
    char subject[KITH_SUBJECT_MAX + 1];
    if (name[0] == '.' || !ki_dir_unpath(path, subject)) {
        return;
    }
    found f = { .name = name, .subject = subject };
    f.kind = ki_dir_kind(name, f.id);
    if (f.kind == DIR_TOKEN || f.kind == DIR_SHARD) {
        f.kind = DIR_OTHER;
    }
    f.folder = ki_tree_at(&w->tree, path, O_RDONLY | O_DIRECTORY);
    if (f.folder >= 0) {
        take(w, s, &f, true);
        close(f.folder);
    }
}

/* False: no room for more items now. */
static bool read_events(worker *w, ki_service *s) {
    const char *path, *name;
    for (;;) {
        w->roomy = ki_service_has_room(s);
        if (!w->roomy) {
            return false;
        }
        if (!ki_watches_next(&w->on, &w->events, &path, &name)) {
            w->due |= w->on.overflow;
            return true;
        }
        take_event(w, s, path, name);
    }
}

static void plan(worker *w) {
    uint64_t since = w->now.mono_ns - w->walked_ns;
    uint64_t poll_ns = (uint64_t) w->poll_ns * (w->on.fd >= 0 ? SLOW_POLLS : 1);
    w->due |= since >= poll_ns;
    w->swept_ns = w->swept_ns == 0 ? w->now.mono_ns : w->swept_ns; /* the first tick */
    if (!w->walk.going && w->now.mono_ns - w->swept_ns >= SWEEP_NS) {
        w->swept_ns = w->now.mono_ns;
        w->due = w->sweeping = true;
    }
}

/* True: there is more to walk at once. */
static bool walk_on(worker *w, ki_service *s) {
    found f;
    if (!w->walk.going && (!w->due || start_walk(w) < 0)) {
        return false;
    }
    for (int i = 0; i < STEPS && w->walk.going; i++) {
        w->roomy = ki_service_has_room(s);
        if (!w->roomy) {
            return false;
        }
        if (ki_walk_step(&w->walk, &w->tree, &w->on, &f) && f.kind >= 0) {
            take(w, s, &f, true);
        }
    }
    if (!w->walk.going) {
        end_walk(w);
        if (w->over_max) {
            kith_error why;
            (void) ki_fail(&why, KITH_E_SPACE, "%.150s holds more than max_files=%zu",
                w->tree.place, w->seen.max);
            get_sick(w, s, &why);
        }
    }
    return w->walk.going || w->due;
}

static bool dir_work(void *self, ki_service *s) {
    worker *w = self;
    kith_time now = ki_service_now(s);
    bool ticked = now.mono_ns != w->now.mono_ns;
    w->now = now;
    if (ticked) {
        look_after(w, s);
    }
    (void) ki_service_patterns(s, &w->patterns);
    post_all(w, s);
    if (w->tree.root < 0 || w->patterns.count == 0) {
        return false;
    }
    plan(w);
    return read_events(w, s) && walk_on(w, s);
}

static int dir_rewind_now(void *self, const kith_position *to) {
    worker *w = self;
    if (w->tree.root < 0) {
        return KITH_E_MISSING;
    }
    if (to->kind == KITH_FROM_CURSOR &&
        (to->length != DIR_ID_SIZE ||
            memcmp(to->cursor, w->tree.medium, DIR_ID_SIZE) != 0)) {
        return KITH_E_MISSING;
    }
    if (to->kind == KITH_FROM_NOW) {
        return mark_all(w);
    }
    if (to->kind != KITH_FROM_START && to->kind != KITH_FROM_CURSOR) {
        return KITH_E_NOTSUP;
    }
    ki_walk_stop(&w->walk);
    ki_seen_clear(&w->seen);
    w->due = true;
    return 0;
}

static int dir_watch_fd(void *self) {
    worker *w = self;
    /* while nothing is followed, or there is no room, news wait in the kernel */
    return w->patterns.count > 0 && w->roomy && w->tree.root >= 0 ? w->on.fd : -1;
}

static const ki_worker dir_worker = { .begin = dir_begin,
    .work = dir_work,
    .rewind = dir_rewind_now,
    .watch_fd = dir_watch_fd,
    .end = dir_end };

static int dir_open(void *self, const char *place, const kith_host *host, kith_error *err) {
    dir *d = self;
    size_t n = strlen(place);
    if (n == 0) {
        return ki_fail(
            err, KITH_E_ARG, "dir:// needs a folder, as in dir:///mnt/stick/kith");
    }
    worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "state");
    }
    w->tree.root = w->tree.tmp = -1;
    w->tree.sync = d->sync;
    memcpy(w->tree.place, place, n + 1);
    w->host = host;
    w->poll_ns = d->poll_ns;
    w->grace_ns = d->grace_ns;
    w->watch = d->watch;
    w->on.fd = -1;
    if (ki_seen_init(&w->seen, (size_t) d->max_files) < 0 ||
        ki_seen_init(&w->next, (size_t) d->max_files) < 0) {
        dir_end(w);
        return ki_fail(err, KITH_E_MEMORY, "table of files");
    }
    int r = ki_service_start(&d->service, &dir_worker, w, err);
    if (r == 0) {
        memcpy(
            d->medium, w->tree.medium, sizeof d->medium); /* written before begin ended */
    }
    return r;
}

static void dir_close(void *self) {
    dir *d = self;
    ki_service_stop(&d->service);
}

/* While the folder is away, or has just refused, nothing is taken. */
static int dir_post(void *self, const kith_posting *what) {
    dir *d = self;
    return ki_service_health(d->service, NULL) < 0 ? KITH_FULL
                                                   : ki_service_post(d->service, what);
}

static int dir_follow(void *self, const char *const *patterns, size_t count) {
    dir *d = self;
    ki_service_follow(d->service, patterns, count);
    return 0;
}

static int dir_pull(void *self, kith_item *ret_item) {
    dir *d = self;
    return ki_service_pull(d->service, ret_item);
}

static int dir_settle(void *self, uint64_t *ret_through, kith_error *err) {
    dir *d = self;
    return ki_service_settle(d->service, ret_through, err);
}

static int dir_rewind(void *self, const kith_position *to) {
    dir *d = self;
    return ki_service_rewind(d->service, to);
}

/* Only which folder it was: what is there is read whole after each open. */
static void dir_cursor(void *self, kith_position *ret_position) {
    dir *d = self;
    ret_position->kind = KITH_FROM_CURSOR;
    ret_position->length = sizeof d->medium;
    memcpy(ret_position->cursor, d->medium, sizeof d->medium);
}

static int dir_wake_fd(void *self) {
    dir *d = self;
    return ki_service_wake_fd(d->service);
}

static void dir_tick(void *self, kith_time now) {
    dir *d = self;
    ki_service_tick(d->service, now);
}

static kith_level dir_level(void *self) {
    static const kith_level levels[] = { KITH_LEVEL_DISK, KITH_LEVEL_OS, KITH_LEVEL_NONE };
    dir *d = self;
    return levels[d->sync];
}

static void dir_counters(void *self, kith_counters *ret) {
    dir *d = self;
    ki_service_counters(d->service, ret);
}

static int dir_health(void *self, kith_error *err) {
    dir *d = self;
    return ki_service_health(d->service, err);
}

#define MOST_NS INT64_C(86400000000000) /* a day */

static const kith_option options[] = {
    { "sync", KITH_OPTION_ONE, offsetof(dir, sync), 0, 0, "disk", "disk|os|none",
        "when a post counts as settled" },
    { "watch", KITH_OPTION_ONE, offsetof(dir, watch), 0, 0, "auto", "auto|inotify|poll",
        "how news are noticed" },
    { "poll", KITH_OPTION_TIME, offsetof(dir, poll_ns), 1000000, MOST_NS, "2s", NULL,
        "between two looks at everything, without inotify" },
    { "max_files", KITH_OPTION_INT, offsetof(dir, max_files), 1, 100000000, "1000000", NULL,
        "looked at; a folder with more is refused" },
    { "grace", KITH_OPTION_TIME, offsetof(dir, grace_ns), 0, 365 * MOST_NS, "1h", NULL,
        "an expired packet's file stays this much longer" },
    { .name = NULL },
};

const kith_carrier ki_dir_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_REMOTE | KITH_CAN_REPLAY | KITH_CAN_PREFIX | KITH_CAN_DEDUPE,
    .state_size = sizeof(dir),
    .scheme = "dir",
    .summary = "a shared folder, a USB stick, any file sync",
    .place = "/path/to/folder",
    .options = options,
    .open = dir_open,
    .close = dir_close,
    .post = dir_post,
    .follow = dir_follow,
    .pull = dir_pull,
    .settle = dir_settle,
    .rewind = dir_rewind,
    .cursor = dir_cursor,
    .wake_fd = dir_wake_fd,
    .tick = dir_tick,
    .level = dir_level,
    .counters = dir_counters,
    .health = dir_health,
};
