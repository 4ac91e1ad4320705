/* SPDX-License-Identifier: Apache-2.0 */
/* What an error says: the first reason, the way up, and never too much. */
#include "base/fail.h"

#include "test.h"

#include <errno.h>

static void says_reason_and_way(void) {
    kith_error err = { .code = 1, .sys = 2, .text = "from before" };
    EXPECT_INT(ki_fail(&err, KITH_E_ARG, "queue=%d", 0), KITH_E_ARG);
    EXPECT_INT(ki_fail_in(&err, KITH_E_ARG, "open %s", "mem"), KITH_E_ARG);
    EXPECT_INT(err.code, KITH_E_ARG);
    EXPECT_INT(err.sys, 0);
    EXPECT(strcmp(err.text, "open mem: queue=0") == 0);
}

static void keeps_errno(void) {
    kith_error err = { 0 };
    errno = ENOENT;
    EXPECT_INT(ki_fail_sys(&err, "read %s", "x"), KITH_E_SYSTEM);
    EXPECT_INT(err.sys, ENOENT);
    EXPECT(strcmp(err.text, "read x: No such file or directory") == 0);
}

static void speaks_to_nobody(void) {
    EXPECT_INT(ki_fail(NULL, KITH_E_ARG, "x"), KITH_E_ARG);
    EXPECT_INT(ki_fail_sys(NULL, "x"), KITH_E_SYSTEM);
    EXPECT_INT(ki_fail_in(NULL, KITH_E_ARG, "x"), KITH_E_ARG);
}

static void cuts_what_is_too_long(void) {
    kith_error err = { 0 };
    EXPECT_INT(ki_fail(&err, KITH_E_ARG, "%600d", 7), KITH_E_ARG);
    EXPECT_INT(strlen(err.text), sizeof err.text - 1);
    EXPECT_INT(ki_fail_in(&err, KITH_E_ARG, "open"), KITH_E_ARG);
    EXPECT_INT(strlen(err.text), sizeof err.text - 1);
    EXPECT(strncmp(err.text, "open:  ", 7) == 0);
}

static void every_code_has_its_own_name(void) {
    for (int a = KITH_E_SPENT; a <= KITH_STOP; a++) {
        EXPECT(strcmp(kith_error_name(a), "unknown") != 0);
        for (int b = a + 1; b <= KITH_STOP; b++) {
            EXPECT(strcmp(kith_error_name(a), kith_error_name(b)) != 0);
        }
    }
    EXPECT(strcmp(kith_error_name(KITH_STOP + 1), "unknown") == 0);
    EXPECT(strcmp(kith_error_name(KITH_E_SPENT - 1), "unknown") == 0);
}

/* What may go well the next time, as it is. */
static void only_what_passes_by_itself_is_tried_again(void) {
    static const int again[] = { KITH_FULL, KITH_OPEN, KITH_E_SYSTEM, KITH_E_TIMEOUT,
        KITH_E_SPACE, KITH_E_BUSY };
    for (int code = KITH_E_REFUSED; code <= KITH_STOP; code++) {
        bool wanted = false;
        for (size_t i = 0; i < sizeof again / sizeof *again; i++) {
            wanted = wanted || code == again[i];
        }
        EXPECT(kith_error_retriable(code) == wanted);
    }
}

static const test_case cases[] = {
    { "says_reason_and_way", says_reason_and_way },
    { "keeps_errno", keeps_errno },
    { "speaks_to_nobody", speaks_to_nobody },
    { "cuts_what_is_too_long", cuts_what_is_too_long },
    { "only_what_passes_by_itself_is_tried_again",
        only_what_passes_by_itself_is_tried_again },
    { "every_code_has_its_own_name", every_code_has_its_own_name },
};
TEST_MAIN(cases)
