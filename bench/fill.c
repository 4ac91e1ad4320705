/* SPDX-License-Identifier: Apache-2.0 */
#include "fill.h"

#include "bare.h"
#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 25000

uint64_t fill_rows(const bench *b) {
    return BENCH_BY(b, 2000u, 100000u, 1000000u);
}

uint64_t fill_subjects(const bench *b, bool many) {
    return many ? fill_rows(b) : BENCH_BY(b, 200u, SAMPLE_GROUPS, SAMPLE_GROUPS);
}

void fill_url(char *ret, size_t size, const char *path) {
    snprintf(ret, size, "sqlite:%s?max_bytes=8G&cache=%dM", path, BENCH_CACHE_MB);
}

/* Packets as they come from elsewhere. Verifying is the caller's part, and is left out
 * here: nothing that is measured looks at these signatures. */
static int fill(kith_store *store, uint64_t rows, uint64_t subjects) {
    kith_arrival *batch = calloc(BATCH, sizeof *batch);
    if (batch == NULL) {
        return bench_failed("no memory");
    }
    int r = 0;
    for (uint64_t done = 0; r == 0 && done < rows;) {
        kith_time now = kith_time_now();
        kith_error err = { 0 };
        size_t count = 0;
        for (; count < BATCH && done < rows; count++, done++) {
            kith_content content;
            sample_content(done, subjects, SAMPLE_ASCII, &content);
            content.epoch =
                1; /* as they come: each source counts on, the latest expire last */
            content.t_end_us = now.wall_us;
            memset(content.signature, (int) (done % 251), sizeof content.signature);
            batch[count] = (kith_arrival){ .way = "mem://bench" };
            r = kith_packet_encode(&content, &batch[count].packet);
        }
        if (r == 0) r = kith_store_admit(store, batch, count, now, &err);
        for (size_t i = 0; r == 0 && i < count; i++) r = batch[i].result;
        if (r != 0) bench_failed("fill: %d %s", r, err.text);
    }
    free(batch);
    return r == 0 ? 0 : -1;
}

/* Written under another name first, so that what has its name is whole. */
static int make_disk(bench *b, bool many, const char *path) {
    char half[620], url[700], old[630];
    kith_store *store = NULL;
    kith_error err = { 0 };
    snprintf(half, sizeof half, "%s.half", path);
    unlink(half);
    snprintf(url, sizeof url, "sqlite:%s?max_bytes=8G&cache=1G", half);
    if (kith_store_open(&store, url, &err) != 0) {
        return bench_failed("%s", err.text);
    }
    int r = fill(store, fill_rows(b), fill_subjects(b, many));
    kith_store_close(&store);
    const char *const beside[] = { "-wal", "-shm", "-lock", "-epoch" };
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        snprintf(old, sizeof old, "%s%s", half, beside[i]);
        unlink(old);
    }
    return r == 0 && rename(half, path) == 0 ? 0 : -1;
}

const char *fill_disk(bench *b, bool many) {
    static char path[2][600];
    snprintf(path[many], sizeof path[many], "%s/%s-%u.db", b->data, many ? "many" : "few",
        (unsigned) fill_rows(b));
    if (access(path[many], F_OK) != 0 && make_disk(b, many, path[many]) < 0) {
        return NULL;
    }
    return path[many];
}

int fill_memory(bench *b, bool many, kith_store **ret) {
    kith_error err = { 0 };
    if (kith_store_open(ret, "memory:?max_bytes=8G", &err) != 0) {
        return bench_failed("%s", err.text);
    }
    return fill(*ret, fill_rows(b), fill_subjects(b, many));
}

int fill_copy(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat st;
    bool fine = in >= 0 && out >= 0 && fstat(in, &st) == 0;
    for (off_t at = 0; fine && at < st.st_size;) {
        fine = sendfile(out, in, &at, (size_t) (st.st_size - at)) > 0;
    }
    fine = fine && fsync(out) == 0;
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return fine ? 0 : bench_failed("copy %s: %s", from, strerror(errno));
}
