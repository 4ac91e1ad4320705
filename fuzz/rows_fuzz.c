/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the table of `kith pool` or, by the first of them, of `kith effect`. A bad
 * table prints nothing; a good one prints something, and the pool of it is finite where a
 * pool must be. */
#include "base/check.h"
#include "cli/rows.h"
#include "cli/verbs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static FILE *nowhere;

static void run(
    int (*verb)(const call *c), const char *path, const void *flags, bool json) {
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    CHECK(to != NULL);
    out o = { .to = to, .err = nowhere, .json = json };
    const char *args[1] = { path };
    call c = { .flags = flags, .args = args, .arg_count = 1, .out = &o };
    int code = verb(&c);
    (void) out_end(&o);
    out_fini(&o);
    fclose(to);
    CHECK((code == 0) == (length > 0));
    CHECK(code == 0 || code == EXIT_DATA);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static pool_flags pooling;
    static effect_flags effects;
    kith_error err;
    char path[40];
    if (size < 1) return 0;
    if (nowhere == NULL) nowhere = fopen("/dev/null", "w");
    CHECK(kith_option_presets(pool_rows, &pooling, &err) == 0);
    CHECK(kith_option_presets(effect_rows, &effects, &err) == 0);
    int fd = memfd_create("rows", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(write(fd, data + 1, size - 1) == (ssize_t) size - 1);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pooling.robust = (data[0] & 2) != 0;
    effects.measure = data[0] >> 2 & 7;
    run((data[0] & 1) != 0 ? verb_effect : verb_pool, path,
        (data[0] & 1) != 0 ? (const void *) &effects : &pooling, (data[0] & 32) != 0);
    close(fd);
    return 0;
}
