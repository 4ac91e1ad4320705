/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite: one file that several processes of a machine share. Whatever posts wait
 * go into one transaction; readers follow the row ids, which are given out in the
 * order of commits. A link hears its own posts too. All of it happens on a service
 * thread. */
#include "base/check.h"
#include "base/fail.h"
#include "base/wire.h"
#include "carrier/carrier.h"
#include "carrier/sqlite/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    CURSOR_SIZE = DB_MEDIUM_SIZE + 8,
    RETRY_MS_MAX = 64, /* after a write to the WAL, for the commit to show */
};

#define EXPIRE_NS UINT64_C(60000000000) /* between two looks for what expired */
#define GRACE_US  INT64_C(3600000000)   /* expired rows stay an hour */

typedef struct sqlite {
    ki_served served; /* first, for KI_SERVED */
    int sync;         /* options */
    int64_t busy_ns;
    uint8_t medium[DB_MEDIUM_SIZE];
    uint64_t acked;
    bool from_start;
} sqlite;

_Static_assert(offsetof(sqlite, served) == 0, "KI_SERVED finds it there");

static void watch_wal(worker *w) {
    char path[KITH_URL_MAX + 8];
    if (w->wake >= 0) {
        close(w->wake);
    }
    w->wake = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    (void) snprintf(path, sizeof path, "%s-wal", w->db.path);
    if (w->wake >= 0 && inotify_add_watch(w->wake, path, IN_MODIFY) < 0) {
        close(w->wake); /* then tick alone must do */
        w->wake = -1;
    }
}

static int sqlite_begin(void *self, kith_error *err) {
    worker *w = self;
    int r = ki_db_open(&w->db, true, err);
    r = r < 0 ? r : ki_db_number(&w->db, DB_LAST, 0, &w->last, err);
    r = r < 0 ? r : ki_db_number(&w->db, DB_VERSION, 0, &w->version, err);
    if (r == 0) {
        memcpy(w->medium, w->db.medium, sizeof w->medium);
        watch_wal(w);
    }
    return r;
}

static void sqlite_end(void *self) {
    worker *w = self;
    ki_db_close(&w->db);
    if (w->wake >= 0) {
        close(w->wake);
    }
    free(w);
}

/* The file has gone, or another stands in its place. It is never made anew: where
 * it was may be the disk below a pulled stick. */
static void reopen(worker *w, ki_service *s) {
    kith_error why = { 0 };
    int64_t last = 0;
    ki_db_close(&w->db);
    int r = ki_db_open(&w->db, false, &why);
    r = r < 0 ? r : ki_db_number(&w->db, DB_VERSION, 0, &w->version, &why);
    r = r < 0 ? r : ki_db_number(&w->db, DB_LAST, 0, &last, &why);
    if (r == 0 &&
        (memcmp(w->medium, w->db.medium, sizeof w->medium) != 0 || last < w->last)) {
        w->replaced = true; /* or an earlier copy of it: our posts may be missing there */
        r = ki_fail(&why, KITH_E_REPLACED, "%.150s is another file now", w->db.path);
    }
    if (r < 0) {
        ki_db_close(&w->db);
        ki_service_sick(s, &why);
        return;
    }
    w->ids_count = w->ids_at = 0;
    w->news = true;
    watch_wal(w);
    ki_service_well(s, NULL);
}

static void look_after(worker *w, ki_service *s) {
    int64_t version = w->version;
    kith_error why = { 0 };
    if (w->replaced) {
        return;
    }
    if (!ki_db_is_there(&w->db)) {
        reopen(w, s);
        return;
    }
    if (ki_service_rested(s)) {
        ki_service_well(s, NULL); /* posts may try again */
    }
    if (ki_db_number(&w->db, DB_VERSION, 0, &version, &why) < 0) {
        ki_service_sick(s, &why);
    }
    w->news |= version != w->version;
    w->version = version;
}

static void post_all(worker *w, ki_service *s) {
    kith_error why = { 0 };
    size_t count = ki_service_waiting(s);
    if (count == 0) {
        return;
    }
    int r = ki_db_is_there(&w->db)
                ? ki_db_post(&w->db, s, count, w->now.wall_us, &why)
                : ki_fail(&why, KITH_E_MISSING, "%.150s is gone", w->db.path);
    if (r == 0) {
        ki_service_settled(s, count);
        w->news = true;
    } else {
        ki_service_sick(s, &why);
        ki_service_failed(s, &why);
    }
}

/* A thousand at a time, with posts in between: one big one holds the file for
 * seconds and fills the WAL. True: there may be more. */
static bool expire(worker *w, ki_service *s) {
    int64_t none;
    kith_error why = { 0 };
    w->expired_ns = w->expired_ns == 0 ? w->now.mono_ns : w->expired_ns;
    if (w->now.mono_ns - w->expired_ns < EXPIRE_NS) {
        return false;
    }
    int before = sqlite3_total_changes(w->db.handle);
    if (ki_db_number(&w->db, DB_EXPIRE, w->now.wall_us - GRACE_US, &none, &why) < 0) {
        ki_service_count(s, 0, 1);
    }
    bool more = sqlite3_total_changes(w->db.handle) - before == 1000;
    if (!more) {
        w->expired_ns = w->now.mono_ns;
    }
    return more;
}

/* Somebody wrote into the WAL; the commit shows only after his fsync. */
static void hear_wal(worker *w) {
    char buffer[4096];
    bool heard = false;
    while (w->wake >= 0 && read(w->wake, buffer, sizeof buffer) > 0) {
        heard = true;
    }
    if (heard) {
        w->news = true;
        w->retry_ms = 1;
    } else if (w->retry_ms > 0) {
        w->news = true;
        w->retry_ms = w->retry_ms < RETRY_MS_MAX ? 2 * w->retry_ms : 0;
    }
}

static bool sqlite_work(void *self, ki_service *s) {
    worker *w = self;
    kith_time now = ki_service_now(s);
    bool ticked = now.mono_ns != w->now.mono_ns;
    w->now = now;
    if (ticked) {
        look_after(w, s);
    }
    if (ki_service_patterns(s, &w->patterns)) {
        w->ids_count = w->ids_at = 0;
        w->news = true;
    }
    post_all(w, s);
    hear_wal(w);
    if (w->db.handle == NULL) {
        return false;
    }
    bool more = expire(w, s);
    if (w->news && w->patterns.count > 0) {
        more |= ki_sqlite_read(w, s);
    }
    return more;
}

static int sqlite_rewind_now(void *self, const kith_position *to) {
    worker *w = self;
    int64_t last = 0, at = 0;
    if (w->db.handle == NULL) {
        return KITH_E_MISSING;
    }
    int r = ki_db_number(&w->db, DB_LAST, 0, &last, NULL);
    if (to->kind == KITH_FROM_CURSOR) {
        if (to->length != CURSOR_SIZE ||
            memcmp(to->cursor, w->db.medium, DB_MEDIUM_SIZE) != 0) {
            return KITH_E_MISSING;
        }
        uint64_t id = wire_get64(to->cursor + DB_MEDIUM_SIZE);
        if (id > (uint64_t) last) {
            return r < 0 ? r : KITH_E_MISSING;
        }
        at = (int64_t) id;
    } else if (to->kind == KITH_FROM_TIME) {
        at = last + 1;
        r = r < 0 ? r : ki_db_number(&w->db, DB_SINCE, to->time_us, &at, NULL);
        at--;
    } else if (to->kind == KITH_FROM_NOW) {
        at = last;
    } else if (to->kind != KITH_FROM_START) {
        return KITH_E_ARG;
    }
    if (r == 0) {
        w->last = at;
        w->ids_count = w->ids_at = 0;
        w->news = true;
    }
    return r;
}

static int sqlite_watch_fd(void *self) {
    worker *w = self;
    return w->db.handle == NULL ? -1 : w->wake;
}

static int sqlite_wait_ms(void *self) {
    worker *w = self;
    return w->retry_ms > 0 && w->patterns.count > 0 ? w->retry_ms : -1;
}

static const ki_worker sqlite_worker = { .scheme = "sqlite",
    .begin = sqlite_begin,
    .work = sqlite_work,
    .rewind = sqlite_rewind_now,
    .watch_fd = sqlite_watch_fd,
    .wait_ms = sqlite_wait_ms,
    .end = sqlite_end };

/* The folder's links are followed, the file's own is not. */
static int full_path(const char *place, char *ret, size_t size, kith_error *err) {
    char folder[KITH_URL_MAX + 1];
    const char *slash = strrchr(place, '/'), *name = slash == NULL ? place : slash + 1;
    if (*name == '\0') {
        return ki_fail(
            err, KITH_E_ARG, "sqlite:// needs a file, as in sqlite:///srv/kith.db");
    }
    (void) snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 1 : (int) (name - place),
        slash == NULL ? "." : place);
    char *real = realpath(folder, NULL);
    if (real == NULL) {
        (void) ki_fail_sys(err, "folder %.150s", folder);
        return KITH_E_MISSING;
    }
    int n = snprintf(ret, size, "%s/%s", real, name);
    free(real);
    return n > 0 && (size_t) n < size
               ? 0
               : ki_fail(err, KITH_E_ARG, "path longer than %d", KITH_URL_MAX);
}

static int sqlite_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    sqlite *q = self;
    worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ki_fail(err, KITH_E_MEMORY, "state");
    }
    int r = full_path(place, w->db.path, sizeof w->db.path, err);
    if (r < 0) {
        if (err != NULL) {
            err->code = r;
        }
        free(w);
        return r;
    }
    w->wake = -1;
    w->db.normal = q->sync == 1;
    w->db.busy_ms = (int) (q->busy_ns / 1000000);
    r = ki_service_start(&q->served.service, &sqlite_worker, w, host, err);
    if (r == 0) {
        memcpy(q->medium, w->db.medium, sizeof q->medium); /* written before begin ended */
    }
    return r;
}

static void sqlite_ack(void *self, uint64_t token) {
    sqlite *q = self;
    q->acked = token > q->acked ? token : q->acked;
}

static int sqlite_rewind(void *self, const kith_position *to) {
    sqlite *q = self;
    int r = ki_served_rewind(self, to);
    if (r == 0) {
        q->acked =
            to->kind == KITH_FROM_CURSOR ? wire_get64(to->cursor + DB_MEDIUM_SIZE) : 0;
        q->from_start = to->kind == KITH_FROM_START;
    }
    return r;
}

/* Behind row 0, after a rewind to the start: it names the medium all the same. */
static void sqlite_cursor(void *self, kith_position *ret_position) {
    sqlite *q = self;
    if (q->acked == 0 && !q->from_start) {
        return;
    }
    ret_position->kind = KITH_FROM_CURSOR;
    ret_position->length = CURSOR_SIZE;
    memcpy(ret_position->cursor, q->medium, DB_MEDIUM_SIZE);
    wire_put64(ret_position->cursor + DB_MEDIUM_SIZE, q->acked);
}

static kith_level sqlite_level(void *self) {
    sqlite *q = self;
    return q->sync == 0 ? KITH_LEVEL_DISK : KITH_LEVEL_OS;
}

static const kith_option options[] = {
    { "sync", KITH_OPTION_ONE, offsetof(sqlite, sync), 0, 0, "full", "full|normal",
        "full: settled is on the disk; normal: a power cut may take it" },
    { "busy", KITH_OPTION_TIME, offsetof(sqlite, busy_ns), 1000000, INT64_C(60000000000),
        "5s", NULL, "how long another process may hold the file" },
    { .name = NULL },
};

const kith_carrier ki_sqlite_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_REPLAY | KITH_CAN_DURABLE | KITH_CAN_ORDER | KITH_CAN_PREFIX |
           KITH_CAN_DEDUPE,
    .state_size = sizeof(sqlite),
    .scheme = "sqlite",
    .summary = "one file shared by the processes of a machine",
    .place = "/path/file.db",
    .options = options,
    .open = sqlite_open,
    KI_SERVED,
    .ack = sqlite_ack,
    .rewind = sqlite_rewind,
    .cursor = sqlite_cursor,
    .level = sqlite_level,
};
