/* SPDX-License-Identifier: Apache-2.0 */
/* Media that go away, come back, or are others when they do. Links with threads: real
 * time, until it is so or ten seconds are over. */
#include "node/kit.h"

#include <ftw.h>
#include <poll.h>
#include <sys/stat.h>

static char place[64];

static void make_place(void) {
    if (!test_folder(test_place(), "kith-node", place, sizeof place)) abort();
}

static int forget_file(
    const char *path, const struct stat *st, int type, struct FTW *where) {
    (void) st, (void) type, (void) where;
    return remove(path);
}

static void wipe(const char *path) {
    (void) nftw(path, forget_file, 16, FTW_DEPTH | FTW_PHYS);
}

static bool live_until(bool (*so)(void)) {
    kith_time real = kith_time_now();
    uint64_t end = real.mono_ns + 10000 * MS;
    while (!so() && real.mono_ns < end) {
        int fds[8];
        struct pollfd polls[8];
        size_t n = 0;
        for (size_t i = 0; i < count; i++) {
            if (m[i].node == NULL) continue;
            if (kith_node_step(m[i].node, real) < 0) abort();
            n += kith_node_wake_fds(m[i].node, fds + n, 8 - n);
        }
        for (size_t i = 0; i < n; i++) polls[i] = (struct pollfd){ fds[i], POLLIN, 0 };
        (void) poll(polls, (nfds_t) n, 10);
        real = kith_time_now();
    }
    return so();
}

static bool first_is_idle(void) {
    return kith_node_idle(m[0].node);
}

static bool second_has_ten(void) {
    return m[1].accepted == 10;
}

/* A node that only posts; its medium is taken away between two lives. */
static void empties(const char *url, const char *what) {
    kith_time scripted = now;
    now = kith_time_now();
    join(url);
    for (int i = 0; i < 10; i++) post(&m[0], "a.b", i);
    EXPECT(live_until(first_is_idle));
    kith_node_close(&m[0].node);
    wipe(what);
    open_node(&m[0], &url, 1, NULL, false);
    join(url);
    EXPECT(live_until(second_has_ten));
    EXPECT(one_digest());
    leave_all();
    now = scripted;
}

static void an_emptied_folder_is_filled_again(void) {
    char url[128], root[96];
    make_place();
    (void) snprintf(url, sizeof url, "dir://%s", place);
    (void) snprintf(root, sizeof root, "%s/kith-1", place);
    empties(url, root);
    wipe(place);
}

static void a_new_file_is_filled_again(void) {
    char url[128];
    make_place();
    (void) snprintf(url, sizeof url, "sqlite://%s/shared/s.db", place);
    char folder[96];
    (void) snprintf(folder, sizeof folder, "%s/shared", place);
    EXPECT_INT(mkdir(folder, 0700), 0);
    char other[112];
    (void) snprintf(other, sizeof other, "%s/s.db", folder);
    empties(url, other);
    wipe(place);
}

static bool first_is_down(void) {
    return m[0].downs > 0;
}

static bool both_have_all(void) {
    return m[0].accepted == 1 && m[1].accepted == 2;
}

static void a_stick_pulled_and_put_back_loses_nothing(void) {
    char url[128], aside[96];
    make_place();
    (void) snprintf(url, sizeof url, "dir://%s/stick?poll=100ms", place);
    (void) snprintf(aside, sizeof aside, "%s/pocket", place);
    kith_time scripted = now;
    now = kith_time_now();
    char stick[96];
    (void) snprintf(stick, sizeof stick, "%s/stick", place);
    EXPECT_INT(mkdir(stick, 0700), 0);
    join(url);
    join(url);
    post(&m[0], "a.b", 1);
    EXPECT(live_until(first_is_idle));
    EXPECT_INT(rename(stick, aside), 0);
    EXPECT(live_until(first_is_down));
    post(&m[0], "a.b", 2);
    post(&m[1], "a.b", 3);
    EXPECT_INT(rename(aside, stick), 0);
    EXPECT(live_until(both_have_all));
    EXPECT(one_digest());
    leave_all();
    wipe(place);
    now = scripted;
}

static bool second_has_two(void) {
    return m[1].accepted == 2;
}

/* So fast that no look at the medium sees it gone. */
static void swaps(const char *scheme, const char *name) {
    char url[160], path[96], aside[112], other[112];
    make_place();
    (void) snprintf(path, sizeof path, "%s/%s", place, name);
    (void) snprintf(aside, sizeof aside, "%s.aside", path);
    (void) snprintf(other, sizeof other, "%s.other", path);
    (void) snprintf(url, sizeof url, "%s://%s", scheme, other);
    kith_time scripted = now;
    now = kith_time_now();
    kith_link *begun = NULL;
    EXPECT_INT(kith_link_open(&begun, url, NULL, NULL), 0);
    kith_link_close(&begun);
    (void) snprintf(url, sizeof url, "%s://%s", scheme, path);
    join(url);
    post(&m[0], "a.b", 1);
    post(&m[0], "a.b", 2);
    EXPECT(live_until(first_is_idle));
    EXPECT_INT(rename(path, aside), 0);
    EXPECT_INT(rename(other, path), 0);
    join(url);
    EXPECT(live_until(second_has_two));
    EXPECT(one_digest());
    leave_all();
    wipe(place);
    now = scripted;
}

static void d7_a_stick_swapped_unseen_gets_all_that_the_other_had(void) {
    swaps("dir", "stick");
}

static void d7_a_file_swapped_unseen_gets_all_that_the_other_had(void) {
    swaps("sqlite", "s.db");
}

static const test_case cases[] = {
    { "an_emptied_folder_is_filled_again", an_emptied_folder_is_filled_again },
    { "a_new_file_is_filled_again", a_new_file_is_filled_again },
    { "a_stick_pulled_and_put_back_loses_nothing",
        a_stick_pulled_and_put_back_loses_nothing },
    { "d7_a_stick_swapped_unseen_gets_all_that_the_other_had",
        d7_a_stick_swapped_unseen_gets_all_that_the_other_had },
    { "d7_a_file_swapped_unseen_gets_all_that_the_other_had",
        d7_a_file_swapped_unseen_gets_all_that_the_other_had },
};
TEST_MAIN(cases)
