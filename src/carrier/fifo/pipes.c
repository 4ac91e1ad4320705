/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/fifo/pipes.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".fifo"

bool ki_pipe_named(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return length >= 1 && strcmp(name + length, SUFFIX) == 0 &&
           length + sizeof SUFFIX <= PIPE_NAME_MAX;
}

bool ki_pipe_ours(int folder, const char *name, uint64_t *ret_device, uint64_t *ret_inode) {
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISFIFO(st.st_mode) ||
        st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        return false;
    }
    *ret_device = st.st_dev;
    *ret_inode = st.st_ino;
    return true;
}

void ki_pipes_open(ki_pipes *p, int folder, const char *path, const char *own) {
    p->folder = folder;
    p->own = own;
    p->look = true;
    for (size_t i = 0; i < PIPES_MAX; i++) p->pipes[i].fd = -1;
    p->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    uint32_t news = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;
    if (p->watch >= 0 && inotify_add_watch(p->watch, path, news) < 0) {
        close(p->watch); /* then each tick looks */
        p->watch = -1;
    }
}

static void drop(ki_pipes *p, size_t i) {
    close(p->pipes[i].fd);
    p->pipes[i] = (ki_pipe){ .fd = -1 };
}

void ki_pipes_close(ki_pipes *p) {
    for (size_t i = 0; i < PIPES_MAX; i++) {
        if (p->pipes[i].fd >= 0) {
            drop(p, i);
        }
    }
    if (p->watch >= 0) {
        close(p->watch);
        p->watch = -1;
    }
}

/* ---- who is there ---- */

/* Left behind by a reader that was killed: one that is there holds the lock, since before
 * its pipe had a name. */
static void remove_stale(ki_pipes *p, const char *name) {
    int fd = openat(p->folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        (void) unlinkat(p->folder, name, 0);
    } else {
        p->look = true; /* it has just come */
    }
    close(fd);
}

static void meet(ki_pipes *p, const char *name, uint64_t device, uint64_t inode) {
    size_t room = PIPES_MAX;
    for (size_t i = 0; i < PIPES_MAX; i++) {
        ki_pipe *e = &p->pipes[i];
        if (e->fd >= 0 && e->device == device && e->inode == inode) {
            e->seen = true;
            return;
        }
        room = e->fd < 0 && room == PIPES_MAX ? i : room;
    }
    if (room == PIPES_MAX) {
        p->failures++;
        return;
    }
    int fd = openat(p->folder, name, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        p->failures += errno != ENXIO && errno != ENOENT;
        if (errno == ENXIO) {
            remove_stale(p, name);
        }
        return;
    }
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) || st.st_ino != inode) {
        close(fd); /* changed under our hands: the folder will tell again */
        return;
    }
    p->pipes[room] = (ki_pipe){ fd, device, inode, true, false, 0, 0 };
    p->partial[0].got[room] = p->partial[1].got[room] = false;
}

static void scan(ki_pipes *p) {
    int again = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    if (d == NULL) {
        p->failures++;
        if (again >= 0) {
            close(again);
        }
        return;
    }
    p->look = false;
    uint32_t odd = 0;
    for (size_t i = 0; i < PIPES_MAX; i++) p->pipes[i].seen = false;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        uint64_t device, inode;
        if (e->d_name[0] == '.' || strcmp(e->d_name, p->own) == 0) {
            continue;
        }
        if (ki_pipe_named(e->d_name) &&
            ki_pipe_ours(p->folder, e->d_name, &device, &inode)) {
            meet(p, e->d_name, device, inode);
        } else {
            odd++;
        }
    }
    closedir(d);
    for (size_t i = 0; i < PIPES_MAX; i++) {
        if (p->pipes[i].fd >= 0 && !p->pipes[i].seen) {
            drop(p, i);
        }
    }
    p->rubbish += odd > p->odd ? odd - p->odd : 0;
    p->odd = odd;
}

/* Whoever opened before this post is written to. */
static void look(ki_pipes *p) {
    char news[4096];
    while (p->watch >= 0 && read(p->watch, news, sizeof news) > 0) {
        p->look = true;
    }
    if (p->look) {
        scan(p);
    }
}

/* ---- writing ---- */

/* A pipe whose reader has gone raises SIGPIPE, which would end a process that knows
 * nothing of pipes. It is held back around our writes, and taken away if it is ours. */
typedef struct hush {
    sigset_t before, pipe;
    bool pending, raised;
} hush;

static void hush_begin(hush *h) {
    sigset_t waiting;
    sigemptyset(&h->pipe);
    sigaddset(&h->pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &h->pipe, &h->before);
    h->raised = false;
    h->pending = sigismember(&h->before, SIGPIPE) == 1 && sigpending(&waiting) == 0 &&
                 sigismember(&waiting, SIGPIPE) == 1;
}

static void hush_end(hush *h) {
    static const struct timespec at_once;
    if (h->raised && !h->pending) {
        (void) sigtimedwait(&h->pipe, NULL, &at_once);
    }
    pthread_sigmask(SIG_SETMASK, &h->before, NULL);
}

/* 0; KITH_FULL; KITH_STOP: nobody reads there any more. */
static int write_whole(
    ki_pipes *p, size_t i, const uint8_t *bytes, size_t length, hush *h) {
    CHECK(length <= RECORD_MAX + RECORD_GAP_SIZE);
    ssize_t n;
    do {
        n = write(p->pipes[i].fd, bytes, length);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t) length) {
        return 0;
    }
    if (n < 0 && errno == EAGAIN) {
        return KITH_FULL;
    }
    h->raised = h->raised || (n < 0 && errno == EPIPE);
    p->failures += n >= 0 || errno != EPIPE;
    drop(p, i);
    p->look = true; /* its name may stand for a new one */
    return KITH_STOP;
}

/* 0: it has it, or is passed over. KITH_FULL: it may still take it. */
static int write_one(ki_pipes *p, size_t i, const uint8_t *bytes, size_t length, hush *h) {
    ki_pipe *e = &p->pipes[i];
    uint8_t both[RECORD_GAP_SIZE + RECORD_MAX];
    size_t head = e->missed > 0 ? ki_record_put_gap(both, e->missed) : 0;
    memcpy(both + head, bytes, length);
    int r = write_whole(p, i, both, head + length, h);
    if (r == 0) {
        e->full = false;
        e->missed = 0;
    }
    if (r != KITH_FULL) {
        return 0;
    }
    if (!e->full) {
        e->full = true;
        e->full_ns = p->now_ns;
    }
    if (e->missed == 0 && p->now_ns - e->full_ns < p->patience_ns) {
        return KITH_FULL;
    }
    e->missed += e->missed < UINT32_MAX;
    p->passed_over++;
    return 0;
}

/* The rest of what was answered with FULL, or something new: then none has it. */
static ki_partial *partial_of(ki_pipes *p, const kith_posting *what) {
    ki_partial *it = &p->partial[what->kind == KITH_ITEM_SYNC];
    bool same = it->open && it->length == what->length &&
                memcmp(it->bytes, what->bytes, what->length) == 0;
    if (!same) {
        it->open = false;
        memset(it->got, 0, sizeof it->got);
    }
    return it;
}

int ki_pipes_write(ki_pipes *p, const kith_posting *what) {
    uint8_t record[RECORD_MAX];
    hush h;
    look(p);
    ki_partial *it = partial_of(p, what);
    size_t length = ki_record_put(record, what->bytes, what->length);
    bool waiting = false;
    hush_begin(&h);
    for (size_t i = 0; i < PIPES_MAX; i++) {
        if (p->pipes[i].fd >= 0 && !it->got[i]) {
            it->got[i] = write_one(p, i, record, length, &h) == 0;
            waiting = waiting || !it->got[i];
        }
    }
    hush_end(&h);
    it->open = waiting;
    if (waiting) {
        it->length = what->length;
        memcpy(it->bytes, what->bytes, what->length);
    }
    return waiting ? KITH_FULL : 0;
}

void ki_pipes_tick(ki_pipes *p, uint64_t now_ns) {
    hush h;
    p->now_ns = now_ns;
    p->look = p->look || p->watch < 0;
    hush_begin(&h);
    for (size_t i = 0; i < PIPES_MAX; i++) {
        uint8_t note[RECORD_GAP_SIZE];
        ki_pipe *e = &p->pipes[i];
        if (e->fd >= 0 && e->missed > 0 &&
            write_whole(p, i, note, ki_record_put_gap(note, e->missed), &h) == 0) {
            e->full = false;
            e->missed = 0;
        }
    }
    hush_end(&h);
}
