/* SPDX-License-Identifier: Apache-2.0 */
/* Disks fail at any call: said, never acknowledged, nothing lost. KITH_SOAK=1: more posts. */
#include "store/shim.h"

#include "store/kit.h"

#include <sys/mman.h>
#include <sys/wait.h>

static long flips(void) {
    const char *soak = getenv("KITH_SOAK");
    return soak != NULL && soak[0] == '1' ? 10000 : 1000;
}

/* ---- the disk fails at the k-th call ---- */

typedef struct tally {
    atomic_int acked, reached;
    uint8_t ids[64][KITH_ID_SIZE];
} tally;

static tally *counted;

static int fail_posts(void) {
    return flips() > 1000 ? 14 : 5;
}

static void fail_life(long at, bool sync, int sys, bool for_ever) {
    kith_key *key = kit_key(1);
    kith_store *s = kit_open(NULL);
    shim.changes = shim.syncs = 0;
    shim.for_ever = for_ever;
    shim.fail_errno = sys;
    *(sync ? &shim.fail_sync : &shim.fail_at) = at;
    if (s == NULL) _exit(1);
    for (int i = 0; i < fail_posts(); i++) {
        kith_post p;
        int r = kit_post(s, key, "a.b", i, &p);
        int n = atomic_load(&counted->acked);
        if (r == 0) {
            memcpy(counted->ids[n], p.id, KITH_ID_SIZE);
            atomic_store(&counted->acked, n + 1);
        }
    }
    bool reached = (sync ? shim.syncs : shim.changes) >= at;
    atomic_store(&counted->reached, reached);
    /* The disk is well again: without a restart, posts succeed again. */
    shim.fail_at = shim.fail_sync = 0;
    if (kit_post(s, key, "a.b", 99, NULL) != 0) _exit(5);
    if (sync) { /* what no sync made safe is lost now */
        shim.cut_how = 0;
        shim_cut();
    }
    kith_store_close(&s);
    _exit(42);
}

/* Returns whether the k-th call was reached. */
static void fail_at(long k, bool sync, int sys, bool for_ever, bool *ret_more) {
    kit_clean();
    kith_store *first = kit_open(NULL);
    EXPECT(first != NULL);
    kith_store_close(&first);
    memset(counted, 0, sizeof *counted);
    pid_t child = fork();
    if (child == 0) {
        shim.on = true;
        shim.folder = kit_folder;
        fail_life(k, sync, sys, for_ever);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status));
    EXPECT_INT(WEXITSTATUS(status), 42);
    *ret_more = atomic_load(&counted->reached);
    (void) unlink(kit_path("s.db-shm"));
    kith_store_stat stat = { 0 };
    kith_store *s = kit_open_settled(&stat);
    EXPECT(s != NULL);
    for (int i = 0; i < counted->acked; i++) {
        kith_query q = { .id = counted->ids[i], .id_length = KITH_ID_SIZE };
        EXPECT_INT(kit_find(s, &q).count, 1);
    }
    kith_store_close(&s);
    EXPECT_INT(kith_store_check(kit_url(), NULL), 0);
}

static void every_k(bool sync, int sys, const char *what) {
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        bool more = true;
        long k = 1;
        for (; more && k < 400; k++) {
            fail_at(k, sync, sys, for_ever, &more);
            if (test_bad) {
                printf("# %s at call %ld, %s\n", what, k, for_ever ? "for ever" : "once");
                return;
            }
        }
        printf(
            "# %s at each of %ld calls, %s\n", what, k - 1, for_ever ? "for ever" : "once");
        EXPECT(k > 5);
    }
}

static void map_tally(void) {
    counted = mmap(
        NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shim.no_disk = true;
}

static void d3_no_space_at_any_call_is_no_ack_and_no_loss(void) {
    map_tally();
    every_k(false, ENOSPC, "ENOSPC");
}

static void d3_io_error_at_any_call_is_no_ack_and_no_loss(void) {
    map_tally();
    every_k(false, EIO, "EIO");
}

static void d3_short_write_at_any_call_is_no_ack_and_no_loss(void) {
    map_tally();
    every_k(false, -1, "a short write");
}

static void d4_no_ack_after_a_failed_sync(void) {
    map_tally();
    every_k(true, EIO, "a failed sync");
}

static void d8_read_only_is_said_and_passes(void) {
    kith_key *key = kit_key(1);
    kith_store_stat stat;
    kit_clean();
    kith_store *s = kit_open(NULL);
    EXPECT(s != NULL);
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    shim.folder = kit_folder;
    shim.on = shim.for_ever = true;
    shim.fail_at = 1;
    shim.changes = 0;
    shim.fail_errno = EROFS;
    EXPECT(kit_post(s, key, "a.b", 2, NULL) < 0);
    EXPECT(kit_post(s, key, "a.b", 2, NULL) < 0);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(stat.degraded && stat.why[0] != '\0');
    shim.on = false;
    shim.fail_at = 0;
    EXPECT_INT(kit_post(s, key, "a.b", 3, NULL), 0);
    EXPECT_INT(kith_store_stats(s, &stat, NULL), 0);
    EXPECT(!stat.degraded);
    EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, 2);
    kith_key_free(&key);
    kith_store_close(&s);
}

static void d8_a_folder_that_goes_and_comes_back(void) {
    kith_key *key = kit_key(1);
    kith_post p;
    kit_clean();
    char away[96];
    (void) snprintf(away, sizeof away, "%s-away", kit_folder);
    kith_store *s = kit_open(NULL);
    EXPECT(s != NULL);
    EXPECT_INT(kit_post(s, key, "a.b", 1, NULL), 0);
    EXPECT(rename(kit_folder, away) == 0);
    EXPECT(kit_post(s, key, "a.b", 2, NULL) < 0);
    EXPECT(rename(away, kit_folder) == 0);
    EXPECT_INT(kit_post(s, key, "a.b", 3, &p), 0);
    EXPECT_INT(kit_find(s, &(kith_query){ 0 }).count, 2);
    kith_key_free(&key);
    kith_store_close(&s);
}

static const test_case cases[] = {
    { "d3_no_space_at_any_call_is_no_ack_and_no_loss",
        d3_no_space_at_any_call_is_no_ack_and_no_loss },
    { "d3_io_error_at_any_call_is_no_ack_and_no_loss",
        d3_io_error_at_any_call_is_no_ack_and_no_loss },
    { "d3_short_write_at_any_call_is_no_ack_and_no_loss",
        d3_short_write_at_any_call_is_no_ack_and_no_loss },
    { "d4_no_ack_after_a_failed_sync", d4_no_ack_after_a_failed_sync },
    { "d8_read_only_is_said_and_passes", d8_read_only_is_said_and_passes },
    { "d8_a_folder_that_goes_and_comes_back", d8_a_folder_that_goes_and_comes_back },
};

TEST_MAIN(cases)
