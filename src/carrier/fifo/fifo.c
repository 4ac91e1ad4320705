/* SPDX-License-Identifier: Apache-2.0 */
/* fifo: a folder of named pipes. Each link reads one pipe of its own and writes into
 * those of all others (docs/formats/fifo.md). A record goes into a pipe whole or not
 * at all, so many may write; what a pipe's reader has not taken yet lies in the
 * kernel, and is gone with the last of the two.
 *
 *   post ─► pipes ─► NAME.fifo ... of each other link
 *           own   ─► records ─► pull */
#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"
#include "carrier/bare.h"
#include "carrier/carrier.h"
#include "carrier/fifo/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ME_MAX = 60,
    LOOKS_MAX = 64, /* records that one pull may pass over */
};

typedef struct fifo {
    char me[ME_MAX + 1]; /* options */
    int64_t room, patience_ns;
    char path[KITH_URL_MAX + 1];
    int folder, wakes, more; /* more: readable while records wait in our buffer */
    ki_own own;
    ki_pipes pipes;
    ki_records records;
    bool deaf, nudged;
    uint64_t lost, told, rubbish, filtered, failures;
    kith_error why; /* code < 0: the folder is not there, or our pipe is not */
} fifo;

/* ---- opening ---- */

/* What others may write to, others may put pipes into. */
static int open_folder(fifo *f, const char *place, kith_error *err) {
    struct stat st;
    size_t length = strlen(place);
    if (length == 0 || length >= sizeof f->path) {
        return ki_fail(err, KITH_E_ARG, "a folder must be named");
    }
    memcpy(f->path, place, length + 1);
    f->folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->folder < 0 || fstat(f->folder, &st) < 0) {
        return ki_fail_sys(err, "folder %s", place);
    }
    if ((st.st_mode & 022) != 0 || (st.st_uid != geteuid() && st.st_uid != 0)) {
        return ki_fail(err, KITH_E_DENIED,
            "%s belongs to somebody else, or others may write to it: chmod go-w", place);
    }
    return 0;
}

static int name_own(fifo *f, kith_error *err) {
    char chance[17] = "";
    if (f->me[0] == '\0') {
        uint8_t bytes[8];
        ki_dice_system(bytes, sizeof bytes);
        ki_hex(bytes, sizeof bytes, chance);
    }
    (void) snprintf(
        f->own.name, sizeof f->own.name, "%.60s.fifo", f->me[0] != '\0' ? f->me : chance);
    if (!ki_pipe_named(f->own.name)) {
        return ki_fail(err, KITH_E_CONFIG, "me=%s: use a-z 0-9 _ - only", f->me);
    }
    return 0;
}

static int add(fifo *f, int fd) {
    struct epoll_event event = { .events = EPOLLIN };
    return epoll_ctl(f->wakes, EPOLL_CTL_ADD, fd, &event);
}

static int open_wakes(fifo *f, kith_error *err) {
    f->more = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    f->wakes = epoll_create1(EPOLL_CLOEXEC);
    if (f->more < 0 || f->wakes < 0 || add(f, f->more) < 0 || add(f, f->own.fd) < 0) {
        return ki_fail_sys(err, "wake descriptor");
    }
    return 0;
}

static void fifo_close(void *self) {
    fifo *f = self;
    ki_own_close(&f->own);
    ki_pipes_close(&f->pipes);
    int fds[] = { f->wakes, f->more, f->folder };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

static int fifo_open(
    void *self, const char *place, const kith_host *host, kith_error *err) {
    fifo *f = self;
    (void) host;
    f->folder = f->wakes = f->more = f->own.fd = f->pipes.watch = -1;
    for (size_t i = 0; i < PIPES_MAX; i++) f->pipes.pipes[i].fd = -1;
    f->deaf = true;
    int r = open_folder(f, place, err);
    r = r < 0 ? r : name_own(f, err);
    if (r == 0) {
        f->own.folder = f->folder;
        f->own.room = f->room;
        r = ki_own_open(&f->own, err);
    }
    r = r < 0 ? r : open_wakes(f, err);
    if (r < 0) {
        fifo_close(f);
        return r;
    }
    f->pipes.patience_ns = (uint64_t) f->patience_ns;
    ki_pipes_open(&f->pipes, f->folder, place, f->own.name);
    return 0;
}

/* ---- posting and pulling ---- */

static int fifo_post(void *self, const kith_posting *what) {
    fifo *f = self;
    if (ki_bare_kind(what->bytes, what->length) != what->kind) {
        return KITH_E_ARG; /* it would be taken for the other kind */
    }
    return f->why.code < 0 ? KITH_FULL : ki_pipes_write(&f->pipes, what);
}

static int fifo_follow(void *self, const char *const *patterns, size_t count) {
    fifo *f = self;
    (void) patterns; /* the subject is inside the packet: the node looks */
    f->deaf = count == 0;
    return 0;
}

/* The descriptor tells the truth: readable while records wait. */
static void nudge(fifo *f) {
    uint64_t one = 1;
    bool waits = f->records.till > f->records.from;
    if (waits && !f->nudged) {
        f->nudged = write(f->more, &one, sizeof one) == sizeof one;
    } else if (!waits && f->nudged) {
        f->nudged = read(f->more, &one, sizeof one) != sizeof one;
    }
}

/* Whoever wrote what is no record, nothing says where the next one begins: what lies in
 * the pipe is given up, and the others find a new one under the same name. */
static void begin_anew(fifo *f) {
    f->rubbish++;
    f->lost++; /* one at least */
    f->records.from = f->records.till = 0;
    ki_own_close(&f->own);
    int r = ki_own_open(&f->own, &f->why);
    if (r == 0 && add(f, f->own.fd) < 0) {
        r = ki_fail_sys(&f->why, "wake descriptor");
    }
    f->failures += r < 0;
}

/* 0: there is more in the buffer. */
static int refill(fifo *f) {
    size_t room;
    if (f->own.fd < 0) {
        return KITH_EMPTY;
    }
    bool half = f->records.till > f->records.from;
    uint8_t *to = ki_records_room(&f->records, &room);
    ssize_t n = read(f->own.fd, to, room);
    if (n > 0) {
        f->records.till += (size_t) n;
        return 0;
    }
    f->failures += n < 0 && errno != EAGAIN && errno != EINTR;
    if (half && n < 0 && errno == EAGAIN) {
        begin_anew(f); /* a record is written at once: this one never will be whole */
    }
    return KITH_EMPTY;
}

/* 0: handed out; KITH_GAP; KITH_EMPTY: passed over. */
static int take(fifo *f, const ki_record *record, kith_item *ret) {
    if (record->lost > 0) {
        f->lost += record->lost;
        f->told = f->lost;
        return KITH_GAP;
    }
    uint8_t kind = ki_bare_kind(record->bytes, record->length);
    if (f->deaf && kind == KITH_ITEM_PACKET) {
        f->filtered++;
        return KITH_EMPTY;
    }
    ret->kind = kind;
    ret->length = record->length;
    ret->token = 0;
    ret->from.subject[0] = '\0';
    memcpy(ret->bytes, record->bytes, record->length);
    return 0;
}

static int look(fifo *f, kith_item *ret_item) {
    for (int i = 0; i < LOOKS_MAX; i++) {
        ki_record record;
        int r = ki_record_next(&f->records, &record);
        if (r == 0) {
            r = take(f, &record, ret_item);
            if (r != KITH_EMPTY) {
                return r;
            }
            continue;
        }
        if (r < 0) {
            begin_anew(f);
        } else if (refill(f) == 0) {
            continue;
        }
        if (f->told < f->lost) {
            f->told = f->lost;
            return KITH_GAP;
        }
        return KITH_EMPTY;
    }
    return KITH_EMPTY;
}

static int fifo_pull(void *self, kith_item *ret_item) {
    fifo *f = self;
    int r = look(f, ret_item);
    nudge(f);
    return r;
}

/* ---- the folder may go, and another come in its place ---- */

static int look_at_folder(fifo *f) {
    struct stat here, there;
    f->why = (kith_error){ 0 };
    if (stat(f->path, &there) < 0) {
        return ki_fail_sys(&f->why, "folder %s", f->path);
    }
    if (fstat(f->folder, &here) < 0 || here.st_dev != there.st_dev ||
        here.st_ino != there.st_ino) {
        return ki_fail(&f->why, KITH_E_REPLACED, "another folder stands at %s", f->path);
    }
    return 0;
}

static void fifo_tick(void *self, kith_time now) {
    fifo *f = self;
    if (look_at_folder(f) < 0) {
        return;
    }
    if (f->own.fd >= 0 && ki_own_lost(&f->own)) { /* somebody removed it */
        ki_own_close(&f->own);
    }
    if (f->own.fd < 0 && ki_own_open(&f->own, &f->why) == 0 && add(f, f->own.fd) < 0) {
        ki_own_close(&f->own);
        (void) ki_fail_sys(&f->why, "wake descriptor");
    }
    ki_pipes_tick(&f->pipes, now.mono_ns);
}

static int fifo_wake_fd(void *self) {
    fifo *f = self;
    return f->wakes;
}

static void fifo_counters(void *self, kith_counters *ret) {
    fifo *f = self;
    ret->lost = f->lost;
    ret->rubbish = f->rubbish + f->pipes.rubbish;
    ret->filtered = f->filtered;
    ret->failures = f->failures + f->pipes.failures;
}

static int fifo_health(void *self, kith_error *err) {
    fifo *f = self;
    if (f->why.code < 0 && err != NULL) {
        *err = f->why;
    }
    return f->why.code;
}

static const kith_option options[] = {
    { "me", KITH_OPTION_TEXT, offsetof(fifo, me), 0, ME_MAX, "", NULL,
        "name of the pipe that this link reads; one by chance if not given" },
    { "pipe", KITH_OPTION_BYTES, offsetof(fifo, room), 4096, 1 << 30, "1M", NULL,
        "kept by the kernel for a reader that is slow" },
    { "patience", KITH_OPTION_TIME, offsetof(fifo, patience_ns), 0, INT64_C(3600000000000),
        "1s", NULL, "how long a full pipe holds up the others; then it is passed over" },
    { .name = NULL },
};

const kith_carrier ki_fifo_carrier = {
    .abi = KITH_CARRIER_ABI,
    .can = KITH_CAN_SYNC | KITH_CAN_ORDER,
    .state_size = sizeof(fifo),
    .scheme = "fifo",
    .summary = "named pipes of one machine",
    .place = "/path/folder",
    .options = options,
    .open = fifo_open,
    .close = fifo_close,
    .post = fifo_post,
    .follow = fifo_follow,
    .pull = fifo_pull,
    .wake_fd = fifo_wake_fd,
    .tick = fifo_tick,
    .counters = fifo_counters,
    .health = fifo_health,
};
