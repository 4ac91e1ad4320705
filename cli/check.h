/* SPDX-License-Identifier: Apache-2.0 */
/* cli/check.h - the program's own invariants. Never for what came from outside. */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "kith: CHECK failed: %s at %s:%d\n", #condition, __FILE__,     \
                __LINE__);                                                                 \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

#endif
