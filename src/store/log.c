/* SPDX-License-Identifier: Apache-2.0 */
#include "store/log.h"

#include "base/fail.h"
#include "base/wire.h"
#include "store/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_VERSION = 3007000,
    INDEX_HEADER = 48, /* twice at the beginning of the index, of the machine's order */
    INDEX_SUMMED = 40,
};

static bool header_whole(const uint8_t *p) {
    uint32_t sum[2] = { 0, 0 };
    ki_wal_sum((p[3] & 1) != 0, p, 24, sum);
    return (wire_get32(p) & ~1u) == 0x377f0682 && wire_get32(p + 4) == LOG_VERSION &&
           wire_get32(p + 8) == PAGE_SIZE && sum[0] == wire_get32(p + 24) &&
           sum[1] == wire_get32(p + 28);
}

/* One frame: PAGE NUMBER, SIZE OF THE DATABASE (a commit) OR 0, SALTS (8), SUM (8), page. */
typedef struct frame {
    uint32_t number;
    bool commit, ours; /* ours: of this log, by its salts */
    bool sound;        /* its sum goes on from the one stored before it */
    uint32_t off[2];   /* by how much the sum is wrong */
    bool one_salt;     /* one of its two salts is ours */
} frame;

/* sum_before: the 8 bytes stored in front, in the header or the frame before. */
static frame look(
    bool big, const uint8_t *salts, const uint8_t *sum_before, const uint8_t *f) {
    uint32_t sum[2] = { wire_get32(sum_before), wire_get32(sum_before + 4) };
    ki_wal_frame_sum(big, f, f + 24, sum);
    bool first = memcmp(f + 8, salts, 4) == 0, second = memcmp(f + 12, salts + 4, 4) == 0;
    frame ret = {
        .number = wire_get32(f),
        .commit = wire_get32(f + 4) != 0,
        .ours = first && second,
        .one_salt = first != second,
        .off = { sum[0] - wire_get32(f + 16), sum[1] - wire_get32(f + 20) },
    };
    ret.sound = ret.off[0] == 0 && ret.off[1] == 0;
    return ret;
}

/* Would this frame go on from the one before it, were one of its words another? The sum
 * is linear: a difference d in a word is (d*x, d*y) at the end, where x and y depend on
 * the word's place alone, and are never both even. */
static bool but_for_a_word(const frame *f) {
    if (f->sound) {
        return f->one_salt; /* the salts are not in the sum */
    }
    if (!f->ours) {
        return false;
    }
    bool found = f->off[1] == 0;               /* the first half of the stored sum alone */
    uint32_t x[2] = { 1, 1 }, y[2] = { 0, 1 }; /* of the last two words */
    for (size_t i = 0; !found && i < (8 + PAGE_SIZE) / 8; i++) {
        found =
            f->off[0] * x[1] == f->off[1] * x[0] || f->off[0] * y[1] == f->off[1] * y[0];
        x[0] += x[1];
        x[1] += x[0];
        y[0] += y[1];
        y[1] += y[0];
    }
    return found;
}

/* SQLite syncs the header before the first frame, so a header of zeros was never
 * followed by anything that counts. Any other broken header is damage. */
int ki_log_parse(const uint8_t *bytes, size_t size, ki_log *ret, ki_frame each, void *ctx) {
    static const uint8_t zeros[WAL_HEADER];
    *ret = (ki_log){ 0 };
    if (size < WAL_HEADER || memcmp(bytes, zeros, sizeof zeros) == 0) {
        return 0;
    }
    bool whole = header_whole(bytes), chain = whole;
    const uint8_t *sum_before = bytes + 24;
    frame before = { 0 };
    uint32_t last_ours = 0;
    memcpy(ret->salts, bytes + 16, sizeof ret->salts);
    ret->frames = (uint32_t) ((size - WAL_HEADER) / WAL_FRAME);
    ret->damaged = !whole;
    int r = 0;
    for (uint32_t i = 0; r >= 0 && i < ret->frames; i++) {
        const uint8_t *at = bytes + WAL_HEADER + (size_t) i * WAL_FRAME;
        frame f = look((bytes[3] & 1) != 0, ret->salts, sum_before, at);
        bool good = f.ours && f.sound && f.number != 0;
        if (chain && !good) {
            ret->damaged = ret->damaged || but_for_a_word(&f);
        } else if (!chain && good && before.ours && before.commit) {
            ret->damaged = true; /* somebody went on behind this commit: it was synced */
        }
        chain = chain && good;
        ret->valid += chain;
        if (chain && f.commit) {
            ret->committed = i + 1;
        }
        last_ours = f.ours ? i + 1 : last_ours;
        r = each == NULL ? 0 : each(ctx, f.number, at + 24, chain);
        before = f;
        sum_before = at + 16;
    }
    ret->cut_off = !ret->damaged && last_ours > ret->committed;
    return r < 0 ? r : 0;
}

/* All of it, or what is left when another process makes it shorter meanwhile: a map
 * would end us there. */
static uint8_t *read_log(int fd, size_t *size) {
    uint8_t *bytes = malloc(*size);
    size_t have = 0;
    ssize_t n = 1;
    while (bytes != NULL && have < *size && n != 0) {
        n = pread(fd, bytes + have, *size - have, (off_t) have);
        if (n < 0 && errno != EINTR) {
            free(bytes);
            return NULL;
        }
        have += n > 0 ? (size_t) n : 0;
    }
    *size = have;
    return bytes;
}

int ki_log_scan(const char *path, ki_log *ret, ki_frame each, void *ctx, kith_error *err) {
    struct stat st;
    *ret = (ki_log){ 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : ki_fail_sys(err, "%s", path);
    }
    if (fstat(fd, &st) < 0) {
        int r = ki_fail_sys(err, "%s", path);
        (void) close(fd);
        return r;
    }
    size_t size = (size_t) st.st_size;
    int r = 0;
    if (size >= WAL_HEADER) {
        uint8_t *bytes = read_log(fd, &size);
        r = bytes == NULL ? ki_fail_sys(err, "read %s", path)
                          : ki_log_parse(bytes, size, ret, each, ctx);
        free(bytes);
    }
    (void) close(fd);
    return r;
}

/* ---- SQLite's index of the log: https://www.sqlite.org/walformat.html, 2.1 ---- */

static uint32_t native32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Written after the sync of a commit and before anybody is told of it. */
void ki_log_compare_parsed(const uint8_t *index, size_t size, ki_log *log) {
    static const uint16_t one = 1;
    bool big = *(const uint8_t *) &one == 0;
    uint32_t sum[2] = { 0, 0 };
    if (size < 2 * INDEX_HEADER || memcmp(index, index + INDEX_HEADER, INDEX_HEADER) != 0) {
        return;
    }
    ki_wal_sum(big, index, INDEX_SUMMED, sum);
    bool known = native32(index) == LOG_VERSION && index[12] == 1 &&
                 sum[0] == native32(index + 40) && sum[1] == native32(index + 44) &&
                 memcmp(index + 32, log->salts, sizeof log->salts) == 0;
    uint32_t published = known ? native32(index + 16) : log->committed;
    log->damaged = log->damaged || published > log->committed;
    /* The last commit may be whole and not synced: nobody was told, and nobody knows. */
    log->cut_off = !log->damaged && (log->cut_off || published < log->committed);
}

void ki_log_compare(const char *index_path, ki_log *log) {
    uint8_t index[2 * INDEX_HEADER];
    int fd = open(index_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return;
    }
    ssize_t n = pread(fd, index, sizeof index, 0);
    (void) close(fd);
    ki_log_compare_parsed(index, n < 0 ? 0 : (size_t) n, log);
}
