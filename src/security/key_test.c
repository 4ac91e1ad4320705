/* SPDX-License-Identifier: Apache-2.0 */
/* What a key file promises. */
#include <kith/key.h>

#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static bool fresh(void) {
    (void) snprintf(folder, sizeof folder, "/tmp/kith-key-XXXXXX");
    (void) snprintf(path, sizeof path, "%s", "");
    if (mkdtemp(folder) == NULL) return false;
    (void) snprintf(path, sizeof path, "%s/node.key", folder);
    return true;
}

static void clear(void) {
    (void) unlink(path);
    (void) rmdir(folder);
}

static void comes_back_from_its_file(void) {
    kith_key *a = NULL, *b = NULL;
    kith_error err = { 0 };
    uint8_t pa[KITH_KEY_SIZE], pb[KITH_KEY_SIZE];
    struct stat st;
    EXPECT(fresh());
    EXPECT_INT(kith_key_load(&b, path, &err), KITH_E_MISSING);
    EXPECT_INT(kith_key_create(&a, path, &err), 0);
    EXPECT(stat(path, &st) == 0);
    EXPECT_INT(st.st_mode & 07777, 0600);
    EXPECT_INT(kith_key_load(&b, path, &err), 0);
    kith_key_public(a, pa);
    kith_key_public(b, pb);
    EXPECT(memcmp(pa, pb, sizeof pa) == 0);
    kith_key_free(&b);
    EXPECT_INT(kith_key_create(&b, path, &err), KITH_E_DENIED);
    EXPECT(b == NULL);
    kith_key_free(&a);
    clear();
}

static const test_case cases[] = {
    { "comes_back_from_its_file", comes_back_from_its_file },
};
TEST_MAIN(cases)
