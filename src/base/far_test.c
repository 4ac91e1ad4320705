/* SPDX-License-Identifier: Apache-2.0 */
/* Which file systems lie on another machine. The real thing is mounted by
 * tests/system/far_test.py. */
#include "base/far.h"

#include "test.h"

#define LOCAL "42 27 0:39 / /mnt rw,relatime - "
#define SSHFS LOCAL "fuse.sshfs me@there: rw,user_id=0"

static bool is(const char *line, const char *want) {
    const char *got = ki_far_mount(line, 0, 39);
    return want == NULL ? got == NULL : got != NULL && strcmp(got, want) == 0;
}

static void a_line_of_mounts_names_what_is_far(void) {
    EXPECT(is(SSHFS, "sshfs"));
    EXPECT(
        is("42 27 0:39 / /m\\040n rw shared:7 master:1 - fuse.rclone x: rw\n", "rclone"));
    EXPECT(is(LOCAL "fuse.sshfs", "sshfs")); /* cut off behind the type */
    EXPECT(is(LOCAL "fuse.bindfs /a rw", NULL));
    EXPECT(is(LOCAL "fuse.sshfs2 /a rw", NULL));
    EXPECT(is(LOCAL "fuse.ssh /a rw", NULL));
    EXPECT(is(LOCAL "fuseblk /dev/sdb1 rw", NULL));
    EXPECT(is(LOCAL "fuse /dev/fuse rw", NULL));
    EXPECT(is(LOCAL "ext4 fuse.sshfs rw", NULL)); /* a device of that name */
}

static void another_device_is_another_mount(void) {
    EXPECT(ki_far_mount(SSHFS, 0, 38) == NULL);
    EXPECT(ki_far_mount(SSHFS, 1, 39) == NULL);
    EXPECT(ki_far_mount("42 27 8:1 / /mnt rw - fuse.sshfs x rw", 8, 1) != NULL);
}

static void a_line_that_is_none_says_nothing(void) {
    static const char *const odd[] = { "", " - ", "\n", "42", "42 27 0:39", "- fuse.sshfs",
        "x y 0:39 / - fuse.sshfs ", "42 27 0-39 / / rw - fuse.sshfs x", " - fuse.sshfs",
        "42 27 :39 / / rw - fuse.sshfs x" };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        EXPECT(is(odd[i], NULL));
    }
    /* every truncation: the whole name or nothing */
    for (size_t n = 0; n < sizeof SSHFS; n++) {
        char line[sizeof SSHFS + 1];
        (void) snprintf(line, n + 1, "%s", SSHFS);
        EXPECT(is(line, n >= sizeof LOCAL - 1 + strlen("fuse.sshfs") ? "sshfs" : NULL));
    }
}

static void what_lies_here_is_not_far(void) {
    EXPECT(ki_far("/proc") == NULL);
    EXPECT(ki_far("/no/such/place") == NULL);
}

static const test_case cases[] = {
    { "a_line_of_mounts_names_what_is_far", a_line_of_mounts_names_what_is_far },
    { "another_device_is_another_mount", another_device_is_another_mount },
    { "a_line_that_is_none_says_nothing", a_line_that_is_none_says_nothing },
    { "what_lies_here_is_not_far", what_lies_here_is_not_far },
};
TEST_MAIN(cases)
