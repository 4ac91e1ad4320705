/* SPDX-License-Identifier: Apache-2.0 */
#include "carrier/dir/reader.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int ki_reader_init(reader *r) {
    *r = (reader){ .processors = processors() };
    r->files = calloc(READER_FILES, sizeof *r->files);
    if (r->files == NULL) {
        return KITH_E_MEMORY;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->go, NULL);
    pthread_cond_init(&r->done, NULL);
    return 0;
}

void ki_reader_fini(reader *r) {
    if (r->files == NULL) {
        return;
    }
    ki_reader_rest(r);
    ki_reader_clear(r);
    free(r->files);
    r->files = NULL;
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->go);
    pthread_cond_destroy(&r->done);
}

reading *ki_reader_add(reader *r) {
    CHECK(r->count < READER_FILES && r->folder_count > 0);
    return &r->files[r->count++];
}

int ki_reader_folder(reader *r, int fd) {
    if (fd >= 0) {
        CHECK(r->folder_count < READER_FILES); /* each is taken for a file that is added */
        r->folders[r->folder_count++] = fd;
    }
    return fd;
}

void ki_reader_clear(reader *r) {
    CHECK(!r->open && !r->busy);
    for (size_t i = 0; i < r->folder_count; i++) {
        close(r->folders[i]);
    }
    r->count = r->folder_count = 0;
}

/* Reading shall not write to the medium: no time of access, where that is ours to
 * say. O_NONBLOCK: somebody may have put a pipe there. */
static int open_file(reader *r, const reading *f) {
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    if (!atomic_load_explicit(&r->with_time, memory_order_relaxed)) {
        int fd = openat(f->folder, f->name, flags | O_NOATIME);
        if (fd >= 0 || errno != EPERM) {
            return fd;
        }
        atomic_store_explicit(&r->with_time, true, memory_order_relaxed);
    }
    return openat(f->folder, f->name, flags);
}

/* What an open pipe or device gives is not ours to take. */
static bool is_plain(const reading *f, int fd) {
    struct stat st;
    return f->plain || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
}

static int read_file(reader *r, reading *f) {
    uint8_t bytes[KITH_PACKET_MAX + 1], id[DIR_ID_SIZE];
    int fd = open_file(r, f);
    if (fd < 0) {
        return errno == ENOENT ? KITH_EMPTY : KITH_E_FORMAT;
    }
    ssize_t n = is_plain(f, fd) ? read(fd, bytes, sizeof bytes) : -1;
    close(fd);
    if (n < 1 || n > KITH_PACKET_MAX) {
        return KITH_E_FORMAT;
    }
    if (f->kind == DIR_PACKET) {
        ki_dir_id(bytes, (size_t) n, id);
        if (memcmp(id, f->id, sizeof id) != 0) {
            return KITH_E_FORMAT;
        }
    }
    f->item.kind = KITH_ITEM_PACKET;
    f->item.length = (uint16_t) n;
    memcpy(f->item.bytes, bytes, (size_t) n);
    return 0;
}

/* On either thread: shares, until none is left. */
static void read_shares(reader *r) {
    size_t i;
    while ((i = atomic_fetch_add(&r->next, READER_SHARE)) < r->count) {
        size_t end = i + READER_SHARE < r->count ? i + READER_SHARE : r->count;
        for (; i < end; i++) {
            r->files[i].result = read_file(r, &r->files[i]);
        }
    }
}

static void *help(void *arg) {
    reader *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->quit) {
        if (!r->open) {
            pthread_cond_wait(&r->go, &r->lock);
            continue;
        }
        r->busy = true;
        pthread_mutex_unlock(&r->lock);
        read_shares(r);
        pthread_mutex_lock(&r->lock);
        r->busy = r->open = false;
        pthread_cond_signal(&r->done);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Without it all is read by one, and the same. */
static void call_helper(reader *r) {
    if (!r->helped && r->processors > 1) {
        r->quit = false;
        r->helped = pthread_create(&r->helper, NULL, help, r) == 0;
    }
}

void ki_reader_read(reader *r) {
    atomic_store(&r->next, 0);
    if (r->count >= READER_HELP) {
        call_helper(r);
    }
    bool shared = r->helped && r->count >= READER_HELP;
    if (shared) {
        pthread_mutex_lock(&r->lock);
        r->open = true;
        pthread_cond_signal(&r->go);
        pthread_mutex_unlock(&r->lock);
    }
    read_shares(r);
    if (shared) {
        pthread_mutex_lock(&r->lock);
        r->open = false; /* a helper that comes only now finds nothing */
        while (r->busy) {
            pthread_cond_wait(&r->done, &r->lock);
        }
        pthread_mutex_unlock(&r->lock);
    }
    CHECK(atomic_load(&r->next) >= r->count);
}

void ki_reader_rest(reader *r) {
    if (!r->helped) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    CHECK(!r->open && !r->busy);
    r->quit = true;
    pthread_cond_signal(&r->go);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->helper, NULL);
    r->helped = false;
}
