/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dice.h"

#include "base/check.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

void ki_dice_system(void *ret, size_t size) {
    CHECK(ret != NULL);
    uint8_t *p = ret;
    while (size > 0) {
        ssize_t n = getrandom(p, size, 0);
        CHECK(n > 0 || errno == EINTR);
        if (n > 0) {
            p += n;
            size -= (size_t) n;
        }
    }
}
