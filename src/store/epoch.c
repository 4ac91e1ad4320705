/* SPDX-License-Identifier: Apache-2.0 */
#include "store/epoch.h"

#include "base/check.h"
#include "base/dice.h"
#include "base/fail.h"
#include "base/hash.h"
#include "base/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    RECORD = 64,
    SECOND = 512, /* another sector: one torn write does not take both */
    AT_CRC = 60,
    PATH_ROOM = 1024,
};

static const char magic[16] = "kith-epoch-1";

void ki_epoch_format(const ki_epoch *epoch, uint8_t ret[EPOCH_FILE_SIZE]) {
    memset(ret, 0, EPOCH_FILE_SIZE);
    memcpy(ret, magic, sizeof magic);
    wire_put64(ret + 16, epoch->epoch);
    wire_put64(ret + 24, epoch->generation);
    wire_put64(ret + 32, epoch->device);
    wire_put64(ret + 40, epoch->inode);
    wire_put32(ret + AT_CRC, ki_crc32c(0, ret, AT_CRC));
    memcpy(ret + SECOND, ret, RECORD);
}

static bool parse_one(const uint8_t *p, ki_epoch *ret) {
    if (memcmp(p, magic, sizeof magic) != 0 ||
        wire_get32(p + AT_CRC) != ki_crc32c(0, p, AT_CRC)) {
        return false;
    }
    *ret = (ki_epoch){
        .epoch = wire_get64(p + 16),
        .generation = wire_get64(p + 24),
        .device = wire_get64(p + 32),
        .inode = wire_get64(p + 40),
    };
    return ret->epoch <= INT64_MAX && ret->generation < UINT64_C(1) << 22;
}

int ki_epoch_parse(const uint8_t *bytes, size_t length, ki_epoch *ret) {
    ki_epoch first = { 0 }, second = { 0 };
    bool one = length >= RECORD && parse_one(bytes, &first);
    bool two = length >= SECOND + RECORD && parse_one(bytes + SECOND, &second);
    if (!one && !two) {
        return KITH_E_CORRUPT;
    }
    ki_epoch found = one && (!two || first.epoch >= second.epoch) ? first : second;
    uint8_t good[EPOCH_FILE_SIZE], other[EPOCH_FILE_SIZE];
    ki_epoch_format(&found, good);
    if (one && two && first.epoch != second.epoch) {
        /* The power went while it rose: each copy as it should be with its epoch? */
        ki_epoch rest = found;
        rest.epoch = first.epoch;
        ki_epoch_format(&rest, good);
        rest.epoch = second.epoch;
        ki_epoch_format(&rest, other);
        memcpy(good + SECOND, other + SECOND, RECORD);
        found.partial = 2;
    }
    if (length != sizeof good || memcmp(bytes, good, sizeof good) != 0) found.partial = 1;
    CHECK(found.epoch >= first.epoch || !one);
    CHECK(found.epoch >= second.epoch || !two);
    *ret = found;
    return 0;
}

int ki_epoch_read(const char *path, ki_epoch *ret, kith_error *err) {
    uint8_t bytes[EPOCH_FILE_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) {
        return ki_fail(err, KITH_E_MISSING, "%s: not there", path);
    }
    if (fd < 0) {
        return ki_fail_sys(err, "%s", path);
    }
    size_t length = 0;
    ssize_t n = 1;
    while (n != 0 && length < sizeof bytes) {
        n = read(fd, bytes + length, sizeof bytes - length);
        if (n < 0 && errno != EINTR) {
            break;
        }
        length += n > 0 ? (size_t) n : 0;
    }
    int r = n < 0 ? ki_fail_sys(err, "read %s", path) : 0;
    (void) close(fd);
    if (r == 0 && ki_epoch_parse(bytes, length, ret) < 0) {
        r = ki_fail(err, KITH_E_CORRUPT, "%s: both copies are damaged", path);
    }
    return r;
}

int ki_sync_folder(const char *path, kith_error *err) {
    char folder[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t) (slash - path);
    if (n >= sizeof folder) {
        return ki_fail(err, KITH_E_ARG, "the path is too long");
    }
    memcpy(folder, path, n);
    folder[n] = '\0';
    const char *name = slash == NULL ? "." : n == 0 ? "/" : folder;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", name);
    }
    int r = fsync(fd) < 0 ? ki_fail_sys(err, "fsync %s", name) : 0;
    (void) close(fd);
    return r;
}

static int write_all(int fd, const uint8_t *p, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        p += n > 0 ? n : 0;
        size -= n > 0 ? (size_t) n : 0;
    }
    return 0;
}

int ki_epoch_write(const char *path, const ki_epoch *epoch, kith_error *err) {
    CHECK(epoch->epoch >= 1);
    char beside[PATH_ROOM];
    uint8_t bytes[EPOCH_FILE_SIZE];
    int n = snprintf(beside, sizeof beside, "%s.new", path);
    if (n < 0 || (size_t) n >= sizeof beside) {
        return ki_fail(err, KITH_E_ARG, "the path is too long");
    }
    ki_epoch_format(epoch, bytes);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", beside);
    }
    bool wrote = write_all(fd, bytes, sizeof bytes) == 0 && fsync(fd) == 0;
    int r = wrote ? 0 : ki_fail_sys(err, "write %s", beside);
    if (close(fd) < 0 && r == 0) {
        r = ki_fail_sys(err, "close %s", beside);
    }
    if (r == 0 && rename(beside, path) < 0) {
        r = ki_fail_sys(err, "rename %s", path);
    }
    if (r < 0) {
        (void) unlink(beside);
        return r;
    }
    return ki_sync_folder(path, err);
}

int ki_epoch_raise(const char *path, const ki_epoch *epoch, kith_error *err) {
    CHECK(epoch->epoch >= 1);
    CHECK(epoch->partial == 0);
    uint8_t bytes[EPOCH_FILE_SIZE];
    ki_epoch_format(epoch, bytes);
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return ki_fail_sys(err, "%s", path);
    }
    /* fdatasync: the length and the blocks are on disk since the file was made. */
    bool wrote = write_all(fd, bytes, sizeof bytes) == 0 && fdatasync(fd) == 0;
    int r = wrote ? 0 : ki_fail_sys(err, "write %s", path);
    if (close(fd) < 0 && r == 0) {
        r = ki_fail_sys(err, "close %s", path);
    }
    return r;
}

uint64_t ki_epoch_leap(uint64_t from) {
    uint32_t chance = 0;
    ki_dice_system(&chance, sizeof chance);
    uint64_t step = (UINT64_C(1) << 32) + chance;
    CHECK(step <= (uint64_t) INT64_MAX);
    return from > (uint64_t) INT64_MAX - step ? (uint64_t) INT64_MAX : from + step;
}
