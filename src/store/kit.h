/* SPDX-License-Identifier: Apache-2.0 */
/* store/kit.h - what the tests of this room share: folders, keys, packets. */
#ifndef STORE_KIT_H
#define STORE_KIT_H

#include <kith/store.h>

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIT_NOW INT64_C(1800000000000000) /* some day in 2027 */

static char kit_folder[64];

static pid_t kit_owner;

static inline void kit_empty(void) {
    DIR *dir = opendir(kit_folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL;
         e = readdir(dir)) {
        char path[400];
        (void) snprintf(path, sizeof path, "%s/%s", kit_folder, e->d_name);
        (void) unlink(path);
    }
    if (dir != NULL) (void) closedir(dir);
}

/* At the end; a child that ends leaves it alone. */
static inline void kit_done(void) {
    if (getpid() == kit_owner) {
        kit_empty();
        (void) rmdir(kit_folder);
    }
}

/* A fresh folder for each case; the old one is emptied. */
static inline void kit_clean(void) {
    if (kit_folder[0] == '\0') {
        if (!test_folder(test_place(), "kith-store", kit_folder, sizeof kit_folder))
            exit(99);
        kit_owner = getpid();
        (void) atexit(kit_done);
    }
    kit_empty();
}

static inline const char *kit_path(const char *name) {
    static char path[128];
    (void) snprintf(path, sizeof path, "%s/%s", kit_folder, name);
    return path;
}

static inline const char *kit_url(void) {
    static char url[160];
    (void) snprintf(url, sizeof url, "sqlite:%s", kit_path("s.db"));
    return url;
}

static inline kith_store *kit_open(kith_error *err) {
    kith_store *s = NULL;
    return kith_store_open(&s, kit_url(), err) < 0 ? NULL : s;
}

/* Until the background has brought back what it can. */
static inline kith_store *kit_open_settled(kith_store_stat *stat) {
    kith_store *s = kit_open(NULL);
    stat->salvaging = true;
    while (s != NULL && stat->salvaging && kith_store_stats(s, stat, NULL) == 0) {
        (void) usleep(50);
    }
    return s;
}

/* One number, asked of the database itself; -1: no answer. */
static inline int64_t kit_number(const char *sql) {
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int64_t n = -1;
    if (sqlite3_open_v2(kit_path("s.db"), &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        n = sqlite3_column_int64(st, 0);
    }
    (void) sqlite3_finalize(st);
    (void) sqlite3_close(db);
    return n;
}

/* What lies in the folder, to see afterwards that nothing was changed. */
typedef struct kit_shot {
    size_t files;
    uint64_t sum, bytes;
} kit_shot;

static inline void kit_add_file(kit_shot *all, int folder, const char *name) {
    uint64_t sum = 14695981039346656037u;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    uint8_t bytes[4096];
    ssize_t n = 0;
    for (const char *p = name; *p != '\0'; p++) {
        sum = (sum ^ (uint8_t) *p) * 1099511628211u;
    }
    while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++) sum = (sum ^ bytes[i]) * 1099511628211u;
        all->bytes += (uint64_t) n;
    }
    if (fd >= 0) (void) close(fd);
    all->sum += sum;
    all->files++;
}

/* but: a name that does not count, or NULL. */
static inline kit_shot kit_take_shot(const char *but) {
    kit_shot all = { 0 };
    DIR *dir = opendir(kit_folder);
    for (struct dirent *e = dir == NULL ? NULL : readdir(dir); e != NULL;
         e = readdir(dir)) {
        if (e->d_name[0] != '.' && (but == NULL || strcmp(e->d_name, but) != 0)) {
            kit_add_file(&all, dirfd(dir), e->d_name);
        }
    }
    if (dir != NULL) (void) closedir(dir);
    return all;
}

static inline bool kit_same(kit_shot a, kit_shot b) {
    return a.files == b.files && a.sum == b.sum && a.bytes == b.bytes;
}

static inline kith_key *kit_key(uint8_t n) {
    kith_key *key = NULL;
    uint8_t seed[32] = { 7, n };
    return kith_key_from_seed(&key, seed, NULL) == 0 ? key : NULL;
}

static inline kith_time kit_at(int64_t us) {
    return (kith_time){ .mono_ns = (uint64_t) us * 1000, .wall_us = us };
}

static inline kith_content kit_leaf(const char *subject, double effect) {
    kith_content c = {
        .type = KITH_LEAF,
        .has = KITH_HAS_EFFECT | KITH_HAS_COVARIANCE,
        .epoch = 1,
        .t_end_us = KIT_NOW,
        .ttl_s = 3600,
        .measure = KITH_MEAN_DIFFERENCE,
        .components = 1,
        .n = 12,
        .effect = { effect },
        .covariance = { 0.25 },
    };
    (void) snprintf(c.address.subject, sizeof c.address.subject, "%s", subject);
    return c;
}

/* One packet of a key at a place of its own, as a carrier would bring it. */
static inline kith_packet kit_packet(
    const kith_key *key, const char *subject, uint64_t epoch, uint64_t seq, double effect) {
    kith_packet p = { 0 };
    kith_content c = kit_leaf(subject, effect);
    c.epoch = epoch;
    c.seq = seq;
    if (kith_packet_seal(&c, key, &p) != 0) p.length = 0;
    return p;
}

static inline int kit_admit(kith_store *s, const kith_packet *p, const char *way) {
    kith_arrival a = { .packet = *p, .way = way };
    int r = kith_store_admit(s, &a, 1, kit_at(KIT_NOW), NULL);
    return r < 0 ? r : a.result;
}

static inline int kit_post(kith_store *s, const kith_key *key, const char *subject,
    double effect, kith_post *ret) {
    kith_post p = { .content = kit_leaf(subject, effect) };
    int r = kith_store_post(s, key, &p, 1, kit_at(KIT_NOW), NULL);
    if (ret != NULL) *ret = p;
    return r < 0 ? r : p.result;
}

/* A life that ends without closing: the log stays full. */
static inline void kit_leave_log(int posts) {
    pid_t child = fork();
    if (child == 0) {
        kith_key *key = kit_key(1), *other = kit_key(2);
        kith_store *s = kit_open(NULL);
        for (int i = 0; i < posts && s != NULL; i++) {
            if (kit_post(s, key, i % 2 == 0 ? "a.b" : "a.c", i, NULL) != 0) _exit(1);
        }
        kith_packet p = kit_packet(other, "f.g", 1, 1, 5);
        if (s == NULL || kit_admit(s, &p, "dir") != 0) _exit(1);
        if (kith_store_save(s, "cursor", "here", 4, true, NULL) != 0) _exit(1);
        _exit(0);
    }
    int status = 0;
    (void) waitpid(child, &status, 0);
}

typedef struct kit_list {
    size_t count;
    uint64_t arrivals[256];
    double effects[256];
    char subjects[256][32];
    kith_record last;
} kit_list;

static inline int kit_collect(void *ctx, const kith_record *record) {
    kit_list *l = ctx;
    kith_content c;
    if (kith_packet_decode(record->packet.bytes, record->packet.length, &c) != 0) {
        return KITH_STOP;
    }
    size_t i = l->count < 255 ? l->count : 255;
    l->arrivals[i] = record->arrival;
    l->effects[i] = c.effect[0];
    (void) snprintf(l->subjects[i], sizeof l->subjects[i], "%.31s", c.address.subject);
    l->last = *record;
    l->count++;
    return 0;
}

static inline kit_list kit_find(kith_store *s, const kith_query *q) {
    kit_list l = { 0 };
    kith_query query = *q;
    query.now_us = query.now_us == 0 ? KIT_NOW : query.now_us;
    if (kith_store_find(s, &query, kit_collect, &l, NULL) != 0) l.count = SIZE_MAX;
    return l;
}

#endif
