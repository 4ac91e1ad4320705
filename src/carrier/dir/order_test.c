/* SPDX-License-Identifier: Apache-2.0 */
/* The level that dir claims: in what order files are written, synced and renamed.
 * The program links its fsync and renameat through here; settle is only heard
 * after both, so what is settled is on the disk with its name. */
#include <kith/carrier.h>

#include "carrier/suite_help.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[4096]; /* f: a file synced, d: a folder, r: renamed */
static int failing;      /* 'f' or 'd': the next sync of such a thing fails */

static bool note(char c) {
    pthread_mutex_lock(&lock);
    size_t n = strlen(calls);
    if (n + 1 < sizeof calls) calls[n] = c;
    bool fail = failing == c;
    failing = fail ? 0 : failing;
    pthread_mutex_unlock(&lock);
    return fail;
}

int __wrap_fsync(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) abort();
    if (note(S_ISDIR(st.st_mode) ? 'd' : 'f')) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *new) {
    (void) note('r');
    return __real_renameat(from, old, to, new);
}

static void forget(int fail) {
    pthread_mutex_lock(&lock);
    memset(calls, 0, sizeof calls);
    failing = fail;
    pthread_mutex_unlock(&lock);
}

static size_t count(char c) {
    size_t n = 0;
    pthread_mutex_lock(&lock);
    for (const char *p = calls; *p != '\0'; p++) n += *p == c;
    pthread_mutex_unlock(&lock);
    return n;
}

static void a_settled_post_was_synced_before_and_after_its_rename(void) {
    realm r = realm_of("dir://@");
    kith_link *l = realm_open(&r);
    for (size_t n = 1; n <= 30; n++) {
        forget(0);
        batch b = { .subject = "a.b", .first = n, .count = 1, .fill = fill_number };
        EXPECT(batch_send(l, &b));
        const char *file = strchr(calls, 'f'), *name = strchr(calls, 'r');
        EXPECT(file != NULL && name != NULL && file < name);
        EXPECT(strchr(name, 'd') != NULL);
        EXPECT_INT(count('f'), 1);
        EXPECT_INT(count('r'), 1);
    }
    forget(0);
    batch b = { .subject = "a.b", .first = 100, .count = 200, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    EXPECT_INT(count('f'), 200); /* every one of a batch */
    EXPECT_INT(count('r'), 200);
    EXPECT(count('d') >= 200);
    kith_link_close(&l);
    realm_free(&r);
}

/* A sync that failed once may say yes the next time, with nothing on the disk. */
static void d4_after_a_failed_sync_all_is_written_anew(void) {
    for (int i = 0; i < 2; i++) {
        realm r = realm_of("dir://@");
        kith_link *l = realm_open(&r);
        forget(i == 0 ? 'f' : 'd');
        batch b = { .subject = "a.b", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(l, &b));
        EXPECT_INT(b.failures, 1);
        forget(0);
        b = (batch){ .subject = "a.b", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(l, &b));
        EXPECT_INT(count('r'), 0); /* it is there: synced once more, not written */
        EXPECT(count('f') == 1 && count('d') == 1);
        forget('d');
        b = (batch){ .subject = "a.b", .first = 1, .count = 1, .fill = fill_number };
        EXPECT(batch_send(l, &b));
        EXPECT_INT(b.failures, 1);
        EXPECT_INT(count('r'), 1); /* it is there, but who knows */
        kith_link_close(&l);
        realm_free(&r);
    }
}

static void without_disk_nothing_is_synced_nor_claimed(void) {
    realm r = realm_of("dir://@?sync=os");
    kith_link *l = realm_open(&r);
    EXPECT_INT(kith_link_level(l), KITH_LEVEL_OS);
    forget(0);
    batch b = { .subject = "a.b", .first = 1, .count = 20, .fill = fill_number };
    EXPECT(batch_send(l, &b));
    EXPECT_INT(count('f') + count('d'), 0);
    EXPECT_INT(count('r'), 20);
    kith_link_close(&l);
    realm_free(&r);
}

static const test_case cases[] = {
    { "a_settled_post_was_synced_before_and_after_its_rename",
        a_settled_post_was_synced_before_and_after_its_rename },
    { "d4_after_a_failed_sync_all_is_written_anew",
        d4_after_a_failed_sync_all_is_written_anew },
    { "without_disk_nothing_is_synced_nor_claimed",
        without_disk_nothing_is_synced_nor_claimed },
};
TEST_MAIN(cases)
