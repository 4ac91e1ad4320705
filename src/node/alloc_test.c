/* SPDX-License-Identifier: Apache-2.0 */
/* No memory: at each allocation of a node that opens, follows, compares and exchanges. */
#include "node/kit.h"

#include "alloc.h"

enum {
    EACH = 5, /* packets of each side, before and while one of them starves */
};

/* Where one allocation fails, of this node or of its peer: opening, and the time in
 * which they find each other and compare what they have. */
static int open_and_step(member *me, const char *link) {
    static const char *const follow = "a.>";
    kith_error err = { 0 };
    kith_node_config c = { .store = me->store,
        .key = me->key,
        .links = &link,
        .link_count = 1,
        .follows = &follow,
        .follow_count = 1,
        .event = note,
        .ctx = me };
    int r = kith_node_open(&me->node, &c, now, &err);
    if (r < 0) {
        return me->node == NULL && err.text[0] != '\0' ? r : KITH_E_ARG;
    }
    int one = kith_node_follow(me->node, "b.*", NULL);
    r = one < 0 ? one : r;
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 0; k < count; k++) {
            one = kith_node_step(m[k].node, now);
            r = r == 0 && one < 0 ? one : r;
        }
        now.mono_ns += 10 * MS;
        now.wall_us += 10000;
    }
    return r;
}

/* As somebody who was stopped would begin again. */
static void go_on(member *me, const char *link) {
    if (me->node == NULL) open_node(me, &link, 1, "a.>", false);
    int r = kith_node_follow(me->node, "b.*", NULL);
    if (r < 0 && r != KITH_E_ARG) abort();
    for (int i = 0; i < EACH; i++) {
        post(&m[0], "a.b", 10 + i);
        post(me, "a.c", 10 + i);
    }
    run(60000);
}

static void p7_each_allocation_of_a_node_fails_in_turn(void) {
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        char link[32];
        (void) snprintf(link, sizeof link, "mem://starve%zu", n);
        member *other = join(link);
        run(100);
        for (int i = 0; i < EACH; i++) post(other, "a.b", i);
        run(100);
        member *me = join(link);
        kith_node_close(&me->node);
        for (int i = 0; i < EACH; i++) post(me, "a.c", i);
        run(5000);
        alloc_fail_at(n);
        int r = open_and_step(me, link);
        failed = alloc_failed();
        alloc_fail_at(0);
        EXPECT(r == 0 || (failed && (r == KITH_E_MEMORY || r == KITH_E_SPACE)));
        go_on(me, link);
        EXPECT_INT(packets(me), 4 * EACH);
        EXPECT_INT(packets(other), 4 * EACH);
        EXPECT_INT(other->accepted, 2 * EACH);
        EXPECT(one_digest());
        leave_all();
    }
    printf("# %zu allocations\n", n - 2);
    EXPECT(n > 10);
}

static const test_case cases[] = {
    { "p7_each_allocation_of_a_node_fails_in_turn",
        p7_each_allocation_of_a_node_fails_in_turn },
};
TEST_MAIN(cases)
