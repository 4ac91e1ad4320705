/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/work.h"

#include "base/check.h"
#include "base/fail.h"
#include "base/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    STEPS = 2048,    /* of a walk in one turn, so that posts need not wait */
    SLOW_POLLS = 30, /* with inotify a walk every so many polls, for certainty */
};

#define SWEEP_NS UINT64_C(3600000000000) /* between two looks for what expired */

static void end_walk(worker *w) {
    CHECK(!w->walk.going && w->reader.count == 0);
    if (w->renewing) {
        seen old = w->seen;
        w->seen = w->next; /* forgets what is no longer there */
        w->next = old;
        ki_seen_clear(&w->next);
    }
    w->walked_ns = w->now.mono_ns;
    if (w->sweeping) {
        ki_tree_tidy(&w->tree, w->now.wall_us, w->grace_ns / 1000);
    }
    w->sweeping = w->marking = w->renewing = w->timed = false;
    ki_reader_rest(&w->reader);
}

static int start_walk(worker *w) {
    CHECK(w->reader.count == 0);
    w->due = w->over_max = w->on.overflow = false;
    w->renewing = w->seen.count > 0;
    ki_seen_clear(&w->next);
    return ki_walk_start(&w->walk, &w->tree, &w->on);
}

/* Everything that is there now counts as read. */
static int mark_all(worker *w) {
    found f;
    int r = start_walk(w);
    w->marking = true;
    while (r == 0 && w->walk.going) {
        if (ki_walk_step(&w->walk, &w->on, &f) && f.kind >= 0) {
            ki_dir_take(w, NULL, &f);
        }
    }
    if (r == 0) {
        end_walk(w);
    }
    w->marking = false;
    return r;
}

static int too_many(worker *w, kith_error *err) {
    return ki_fail(err, KITH_E_SPACE, "%.150s holds more than max_files=%zu", w->tree.place,
        w->seen.max);
}

static int begin(void *self, kith_error *err) {
    worker *w = self;
    int r = ki_tree_open(&w->tree, true, err);
    if (r < 0) {
        return r;
    }
    bool local = !ki_tree_is_remote(w->tree.root);
    ki_watches_init(&w->on, w->watch == WATCH_INOTIFY || (w->watch == WATCH_AUTO && local));
    if (mark_all(w) < 0) {
        return ki_tree_fail(err, "read folder", w->tree.place);
    }
    memcpy(w->medium, w->tree.medium, sizeof w->medium);
    return w->over_max ? too_many(w, err) : 0;
}

static void end(void *self) {
    worker *w = self;
    ki_reader_fini(&w->reader);
    ki_walk_stop(&w->walk);
    ki_watches_fini(&w->on);
    ki_tree_close(&w->tree);
    ki_seen_fini(&w->seen);
    ki_seen_fini(&w->next);
    free(w);
}

/* Where we were in the folder means nothing any more. */
static void drop_walk(worker *w) {
    CHECK(w->reader.count == 0); /* each turn reads what it found */
    ki_walk_stop(&w->walk);
    w->sweeping = w->marking = w->renewing = w->timed = false;
    ki_reader_rest(&w->reader);
}

static int reopen(worker *w, kith_error *err) {
    drop_walk(w);
    ki_tree_close(&w->tree);
    int r = ki_tree_open(&w->tree, false, err);
    if (r == 0 && memcmp(w->tree.medium, w->medium, sizeof w->medium) != 0) {
        ki_tree_close(&w->tree);
        w->replaced = true;
        r = ki_fail(err, KITH_E_REPLACED, "%.150s is another medium now", w->tree.place);
    }
    return r;
}

/* At each tick: is the folder still there, or back? */
static void look_after(worker *w, ki_service *s) {
    kith_error why = { 0 };
    char words[200];
    if (w->replaced) {
        return;
    }
    if (!ki_tree_is_there(&w->tree)) {
        if (reopen(w, &why) < 0) {
            ki_service_sick(s, &why);
            return;
        }
        w->due = true;
    } else if (!ki_service_rested(s)) {
        return;
    }
    (void) snprintf(words, sizeof words, "%.150s is back", w->tree.place);
    ki_service_well(s, words);
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
                ki_dir_mark_own(w, batch[i]);
            }
            ki_service_settled(s, n);
            waiting -= n;
        }
    }
    if (r < 0) {
        ki_service_sick(s, &why);
        ki_service_failed(s, &why);
    }
}

/* Room for what may be found before the next flush. False: none now. */
static bool make_room(worker *w, ki_service *s) {
    ki_dir_flush(w, s);
    w->room = ki_service_room(s);
    w->room = w->room < READER_FILES ? w->room : READER_FILES;
    return w->room > 0;
}

/* The folder is opened anew for each: between two events it may be another. */
static void take_event(worker *w, ki_service *s, const char *path, const char *name) {
    char subject[KITH_SUBJECT_MAX + 1];
    if (name[0] == '.' || !ki_dir_unpath(path, subject)) {
        return;
    }
    found f = {
        .name = name, .subject = subject, .news = true, .folder_number = ++w->walk.folders
    };
    f.kind = ki_dir_kind(name, f.id);
    if (f.kind == DIR_TOKEN || f.kind == DIR_SHARD) {
        f.kind = DIR_OTHER;
    }
    f.folder = ki_tree_at(&w->tree, path, O_RDONLY | O_DIRECTORY);
    if (f.folder >= 0) {
        ki_dir_take(w, s, &f);
        close(f.folder);
    }
}

/* False: no room for more items now. */
static bool read_events(worker *w, ki_service *s) {
    const char *path, *name;
    for (;;) {
        if (w->room == 0 && !make_room(w, s)) {
            return false;
        }
        if (!ki_watches_next(&w->on, &w->events, &path, &name)) {
            ki_dir_flush(w, s);
            w->due |= w->on.overflow;
            return true;
        }
        take_event(w, s, path, name);
    }
}

static void plan(worker *w) {
    w->walked_ns = w->walked_ns == 0 ? w->now.mono_ns : w->walked_ns; /* by begin */
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
        if (w->room == 0 && !make_room(w, s)) {
            return false;
        }
        if (ki_walk_step(&w->walk, &w->on, &f) && f.kind >= 0) {
            ki_dir_take(w, s, &f);
        }
    }
    if (w->room == 0) {
        (void) make_room(w, s); /* or the thread would not wait for news */
    }
    ki_dir_flush(w, s);
    if (!w->walk.going) {
        end_walk(w);
        if (w->over_max) {
            kith_error why;
            (void) too_many(w, &why);
            ki_service_sick(s, &why);
        }
    }
    return w->walk.going || w->due;
}

static void sum_up(const worker *w, uint8_t ret[DIR_SUM_SIZE]) {
    wire_put64(ret, w->seen.count);
    wire_put64(ret + 8, w->seen.sum.high + w->wishes.high);
    wire_put64(ret + 16, w->seen.sum.low + w->wishes.low);
}

/* All that is there was handed over, or is not wanted: once it is acked, the cursor
 * stands behind it. */
static void tell_cursor(worker *w, ki_service *s) {
    ki_note note = { .token = w->handed, .length = DIR_CURSOR_SIZE };
    CHECK(!w->walk.going && w->reader.count == 0);
    memcpy(note.bytes, w->tree.medium, DIR_ID_SIZE);
    sum_up(w, note.bytes + DIR_ID_SIZE);
    if (memcmp(w->told, note.bytes, sizeof w->told) != 0) {
        memcpy(w->told, note.bytes, sizeof w->told);
        ki_service_note(s, &note);
    }
}

static bool work(void *self, ki_service *s) {
    worker *w = self;
    kith_time now = ki_service_now(s);
    bool ticked = now.mono_ns != w->now.mono_ns;
    w->now = now;
    if (ticked) {
        look_after(w, s);
    }
    if (ki_service_patterns(s, &w->patterns)) {
        ki_dir_new_patterns(w);
    }
    post_all(w, s);
    if (w->tree.root < 0 || w->patterns.count == 0) {
        return false;
    }
    plan(w);
    w->room = 0; /* as far as we know; what was read since made some */
    if (!read_events(w, s) || walk_on(w, s)) {
        return w->room > 0;
    }
    if (w->room > 0 && !w->walk.going && !w->due && !w->over_max) {
        tell_cursor(w, s);
    }
    return false;
}

/* Was everything that is marked now read before this cursor was given out? What comes
 * after it was marked is news all the same. */
static bool is_as_it_was(const worker *w, const kith_position *to) {
    uint8_t sum[DIR_SUM_SIZE];
    sum_up(w, sum);
    return to->length == DIR_CURSOR_SIZE && !w->walk.going && !w->due &&
           memcmp(to->cursor + DIR_ID_SIZE, sum, sizeof sum) == 0;
}

static int rewind_now(void *self, const kith_position *to) {
    worker *w = self;
    if (w->tree.root < 0) {
        return KITH_E_MISSING;
    }
    memset(w->told, 0, sizeof w->told);
    if (to->kind == KITH_FROM_CURSOR) {
        if ((to->length != DIR_ID_SIZE && to->length != DIR_CURSOR_SIZE) ||
            memcmp(to->cursor, w->tree.medium, DIR_ID_SIZE) != 0) {
            return KITH_E_MISSING;
        }
        if (is_as_it_was(w, to)) {
            return 0;
        }
    }
    if (to->kind == KITH_FROM_NOW) {
        return mark_all(w);
    }
    if (to->kind < KITH_FROM_START || to->kind > KITH_FROM_TIME) {
        return KITH_E_ARG;
    }
    drop_walk(w);
    ki_seen_clear(&w->seen);
    w->timed = to->kind == KITH_FROM_TIME;
    w->since_us = to->time_us;
    w->due = true;
    return 0;
}

static int watch_fd(void *self) {
    worker *w = self;
    /* while nothing is followed, or there is no room, news wait in the kernel */
    return w->patterns.count > 0 && w->room > 0 && w->tree.root >= 0 ? w->on.fd : -1;
}

const ki_worker ki_dir_worker = { .scheme = "dir",
    .begin = begin,
    .work = work,
    .rewind = rewind_now,
    .watch_fd = watch_fd,
    .end = end };
