/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/hash.h"
#include "base/wire.h"
#include "carrier/dir/work.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ROUNDED_S = 3, /* FAT keeps even seconds; and one for our own rounding */
};

static seen_key key_of(const void *bytes, size_t size) {
    uint8_t hash[16];
    ki_blake2b(bytes, size, hash, sizeof hash);
    return (seen_key){ wire_get64(hash) | 1, wire_get64(hash + 8) };
}

/* A packet is known by its name and its subject. */
static seen_key packet_key(seen_key subject, const uint8_t id[DIR_ID_SIZE]) {
    return (
        seen_key){ (subject.high ^ wire_get64(id)) | 1, subject.low ^ wire_get64(id + 8) };
}

/* Anything else by its name and what tells whether it changed. */
static seen_key other_key(const char *subject, const char *name, const struct stat *st) {
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
    memcpy(all.subject, subject, strlen(subject));
    memcpy(all.name, name, strnlen(name, sizeof all.name - 1));
    return key_of(&all, sizeof all);
}

/* Their order counts: another order costs a look at everything, no more. */
void ki_dir_new_patterns(worker *w) {
    w->topic.subject[0] = '\0';
    w->wishes = (seen_key){ 0, 0 };
    for (size_t i = 0; i < w->patterns.count; i++) {
        seen_key one = key_of(w->patterns.text[i], strlen(w->patterns.text[i]));
        w->wishes.high = 3 * w->wishes.high + one.high;
        w->wishes.low = 5 * w->wishes.low + one.low;
    }
}

static const topic *topic_of(worker *w, const char *subject) {
    topic *t = &w->topic;
    CHECK(subject[0] != '\0');
    if (strcmp(t->subject, subject) != 0) {
        size_t n = strlen(subject);
        CHECK(n <= KITH_SUBJECT_MAX);
        memcpy(t->subject, subject, n + 1);
        t->key = key_of(subject, n);
        t->wanted = ki_patterns_want(&w->patterns, subject);
    }
    return t;
}

/* True: it is new. Marks it, in the walk's set as well. */
static bool mark(worker *w, seen_key key) {
    int r = ki_seen_add(&w->seen, key), also = 0;
    if (w->renewing) {
        also = ki_seen_add(&w->next, key);
    }
    w->over_max |= r < 0 || also < 0;
    return r == 0; /* what cannot be remembered would come for ever */
}

void ki_dir_mark_own(worker *w, const ki_posted *p) {
    uint8_t id[DIR_ID_SIZE];
    ki_dir_id(p->bytes, p->length, id);
    (void) mark(w, packet_key(topic_of(w, p->to.subject)->key, id));
}

/* By the time inside: names and times of files are anybody's. */
static bool sweep_away(worker *w, const found *f) {
    uint8_t bytes[KITH_PACKET_MAX + 1], id[DIR_ID_SIZE];
    kith_content content;
    ssize_t n = ki_tree_read(f->folder, f->name, bytes);
    if (n < 1 || n > KITH_PACKET_MAX) {
        return false;
    }
    ki_dir_id(bytes, (size_t) n, id);
    if (memcmp(id, f->id, sizeof id) != 0 ||
        kith_packet_decode(bytes, (size_t) n, &content) != 0) {
        return false;
    }
    int64_t expires = kith_packet_expires_us(&content), grace_us = w->grace_ns / 1000;
    return expires < w->now.wall_us && w->now.wall_us - expires > grace_us &&
           unlinkat(f->folder, f->name, 0) == 0;
}

bool ki_dir_came_since(const struct stat *st, int64_t since_us) {
    const struct timespec *m = &st->st_mtim, *c = &st->st_ctim;
    int64_t seconds = m->tv_sec > c->tv_sec ? m->tv_sec : c->tv_sec;
    return seconds >= since_us / 1000000 - ROUNDED_S;
}

/* Nobody asked for it: it came before the time where reading begins. */
static bool is_too_old(const worker *w, const found *f) {
    struct stat st;
    return w->timed && !f->news &&
           fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           !ki_dir_came_since(&st, w->since_us);
}

/* The folder of what was found, as the reader keeps it. -1: gone. */
static int source_of(worker *w, const found *f) {
    if (w->source < 0 || w->source_number != f->folder_number) {
        w->source = ki_reader_folder(&w->reader, fcntl(f->folder, F_DUPFD_CLOEXEC, 0));
        w->source_number = f->folder_number;
    }
    return w->source;
}

static void read_later(worker *w, const found *f) {
    int folder = source_of(w, f);
    if (folder < 0) {
        return; /* no descriptor to be had: at the next look */
    }
    reading *next = ki_reader_add(&w->reader);
    next->folder = folder;
    next->kind = f->kind;
    next->plain = f->plain;
    memcpy(next->id, f->id, sizeof next->id);
    memcpy(next->name, f->name, strlen(f->name) + 1);
    memcpy(next->item.from.subject, f->subject, strlen(f->subject) + 1);
    CHECK(w->room > 0);
    w->room--;
}

/* Rubbish, a conflict copy, or a packet that is damaged now: each is looked at once,
 * and again when it changes. True: it is new. */
static bool is_news(worker *w, int folder, const char *name, const char *subject) {
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           mark(w, other_key(subject, name, &st));
}

static void take_other(worker *w, ki_service *s, const found *f) {
    if (!is_news(w, f->folder, f->name, f->subject) || w->marking || is_too_old(w, f)) {
        return;
    }
    if (f->kind == DIR_COPY) {
        read_later(w, f);
    } else {
        ki_service_count(s, 1, 0);
    }
}

void ki_dir_take(worker *w, ki_service *s, const found *f) {
    CHECK(w->room > 0 || w->marking);
    if (f->kind == DIR_OTHER) {
        take_other(w, s, f);
        return;
    }
    const topic *t = topic_of(w, f->subject);
    if (f->kind == DIR_COPY) {
        if (t->wanted) {
            take_other(w, s, f);
        }
        return;
    }
    CHECK(f->kind == DIR_PACKET);
    if (w->sweeping && sweep_away(w, f)) {
        return;
    }
    seen_key key = packet_key(t->key, f->id);
    if (w->marking || !t->wanted || ki_seen_has(&w->seen, key) || is_too_old(w, f)) {
        (void) mark(w, key);
    } else {
        read_later(w, f);
    }
}

/* True: whole, and new. A damaged one is not marked as itself: it may become whole. */
static bool is_good(worker *w, ki_service *s, const reading *f) {
    const char *subject = f->item.from.subject;
    if (f->result == 0) {
        return f->kind == DIR_COPY || mark(w, packet_key(topic_of(w, subject)->key, f->id));
    }
    if (f->result < 0 && (f->kind == DIR_COPY || is_news(w, f->folder, f->name, subject))) {
        ki_service_count(s, 1, 0);
    }
    return false;
}

void ki_dir_flush(worker *w, ki_service *s) {
    const kith_item *good[READER_FILES];
    size_t count = 0;
    if (w->reader.count == 0) {
        CHECK(w->source < 0);
        return;
    }
    ki_reader_read(&w->reader);
    for (size_t i = 0; i < w->reader.count; i++) {
        reading *f = &w->reader.files[i];
        if (is_good(w, s, f)) {
            f->item.token = ++w->handed;
            good[count++] = &f->item;
        }
    }
    ki_service_offer(s, good, count);
    ki_reader_clear(&w->reader);
    w->source = -1;
}
