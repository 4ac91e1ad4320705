/* SPDX-License-Identifier: Apache-2.0 */
/* What a key and its file promise. */
#include "security/key.h"

#include "base/dice.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96], other[96];

static void fresh(void) {
    if (!test_folder(test_place(), "kith-key", folder, sizeof folder)) exit(1);
    (void) snprintf(path, sizeof path, "%s/node.key", folder);
    (void) snprintf(other, sizeof other, "%s/other", folder);
}

static void clear(void) {
    (void) chmod(folder, 0700);
    (void) unlink(path);
    (void) unlink(other);
    (void) rmdir(folder);
}

static int load(kith_error *err) {
    kith_key *key = NULL;
    memset(err, 0, sizeof *err);
    int r = kith_key_load(&key, path, err);
    if ((r == 0) != (key != NULL) || r != err->code) exit(1);
    kith_key_free(&key);
    return r;
}

static bool create(void) {
    kith_key *key = NULL;
    int r = kith_key_create(&key, path, NULL);
    kith_key_free(&key);
    return r == 0;
}

static bool spill(const char *to, const void *bytes, size_t size, mode_t mode) {
    (void) unlink(to);
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (fd < 0) return false;
    bool fine = write(fd, bytes, size) == (ssize_t) size;
    return close(fd) == 0 && fine;
}

static ssize_t slurp(char *ret, size_t size) {
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, size);
    if (fd >= 0) (void) close(fd);
    return n;
}

static void comes_back_from_its_file(void) {
    kith_key *a = NULL, *b = NULL;
    uint8_t pa[KITH_KEY_SIZE], pb[KITH_KEY_SIZE];
    struct stat st;
    fresh();
    EXPECT_INT(kith_key_create(&a, path, NULL), 0);
    EXPECT(stat(path, &st) == 0);
    EXPECT_INT(st.st_mode & 07777, 0600);
    EXPECT_INT(st.st_size, KEY_FILE_SIZE);
    EXPECT_INT(kith_key_load(&b, path, NULL), 0);
    kith_key_public(a, pa);
    kith_key_public(b, pb);
    EXPECT(memcmp(pa, pb, sizeof pa) == 0);
    kith_key_free(&a);
    kith_key_free(&b);
    EXPECT(b == NULL);
    kith_key_free(&b);
    kith_key_free(NULL);
    clear();
}

static void a_relative_path_works_too(void) {
    char back[1024];
    fresh();
    EXPECT(getcwd(back, sizeof back) != NULL && chdir(folder) == 0);
    kith_key *a = NULL, *b = NULL;
    int r = kith_key_create(&a, "node.key", NULL);
    int s = kith_key_load(&b, "./node.key", NULL);
    EXPECT(chdir(back) == 0);
    EXPECT_INT(r, 0);
    EXPECT_INT(s, 0);
    kith_key_free(&a);
    kith_key_free(&b);
    clear();
}

static void never_takes_the_place_of_another_file(void) {
    char was[256], is[256];
    kith_error err = { 0 };
    kith_key *key = NULL;
    fresh();
    EXPECT(create());
    ssize_t n = slurp(was, sizeof was);
    EXPECT_INT(kith_key_create(&key, path, &err), KITH_E_DENIED);
    EXPECT(key == NULL && strstr(err.text, path) != NULL);
    EXPECT(slurp(is, sizeof is) == n && memcmp(was, is, (size_t) n) == 0);
    EXPECT(unlink(path) == 0 && symlink("nowhere", path) == 0);
    EXPECT_INT(kith_key_create(&key, path, &err), KITH_E_DENIED);
    clear();
}

static void a9_a_missing_key_is_refused_and_never_made(void) {
    kith_error err;
    struct stat st;
    fresh();
    EXPECT_INT(load(&err), KITH_E_MISSING);
    EXPECT(strstr(err.text, path) != NULL);
    EXPECT(stat(path, &st) < 0 && errno == ENOENT);
    EXPECT(rmdir(folder) == 0);
    EXPECT_INT(load(&err), KITH_E_MISSING);
    clear();
}

static void a9_a_key_that_others_may_touch_is_refused(void) {
    kith_error err;
    fresh();
    EXPECT(create());
    for (mode_t mode = 0; mode < 01000; mode++) {
        EXPECT(chmod(path, mode | 0400) == 0);
        int want = (mode & 077) == 0 ? 0 : KITH_E_DENIED;
        EXPECT_INT(load(&err), want);
        EXPECT(want == 0 || strstr(err.text, "chmod 600") != NULL);
    }
    clear();
}

static void a9_links_are_refused(void) {
    kith_error err;
    fresh();
    EXPECT(create());
    EXPECT(link(path, other) == 0);
    EXPECT_INT(load(&err), KITH_E_DENIED);
    EXPECT(strstr(err.text, "hard link") != NULL);
    EXPECT(unlink(path) == 0 && symlink(other, path) == 0);
    EXPECT_INT(load(&err), KITH_E_DENIED);
    EXPECT(strstr(err.text, "symbolic") != NULL);
    clear();
}

static void a9_what_is_no_file_is_refused(void) {
    kith_error err;
    fresh();
    EXPECT(mkfifo(path, 0600) == 0);
    EXPECT_INT(load(&err), KITH_E_DENIED); /* and does not wait for a writer */
    EXPECT(unlink(path) == 0 && mkdir(path, 0700) == 0);
    EXPECT_INT(load(&err), KITH_E_DENIED);
    EXPECT(rmdir(path) == 0);
    clear();
}

static void a9_a_folder_that_others_may_write_is_refused(void) {
    kith_error err;
    kith_key *key = NULL;
    fresh();
    EXPECT(create());
    static const mode_t open_to[] = { 0720, 0702, 0777, 0770 };
    for (size_t i = 0; i < sizeof open_to / sizeof *open_to; i++) {
        EXPECT(chmod(folder, open_to[i]) == 0);
        EXPECT_INT(load(&err), KITH_E_DENIED);
        EXPECT(strstr(err.text, "chmod go-w") != NULL);
        char below[128];
        EXPECT(mkdir(other, 0700) == 0);
        (void) snprintf(below, sizeof below, "%s/node.key", other);
        EXPECT_INT(kith_key_create(&key, below, &err), KITH_E_DENIED);
        EXPECT(rmdir(other) == 0);
    }
    EXPECT(chmod(folder, 0755) == 0);
    EXPECT_INT(load(&err), 0);
    EXPECT(chmod(folder, 01777) == 0); /* as /tmp, if it is root's */
    EXPECT_INT(load(&err), geteuid() == 0 ? 0 : KITH_E_DENIED);
    clear();
}

static void a9_a_foreign_owner_is_refused(void) {
    kith_error err;
    fresh();
    EXPECT(create());
    if (geteuid() != 0) {
        printf("# only root can give files away: not tried\n");
    } else {
        EXPECT(chown(path, 12345, 12345) == 0);
        EXPECT_INT(load(&err), KITH_E_DENIED);
        EXPECT(strstr(err.text, "somebody else") != NULL);
        EXPECT(chown(path, 0, 0) == 0 && chown(folder, 12345, 12345) == 0);
        EXPECT_INT(load(&err), KITH_E_DENIED);
        EXPECT(chown(folder, 0, 0) == 0);
        EXPECT_INT(load(&err), 0);
    }
    clear();
}

/* Who owns a sticky folder may still rename what is in it. */
static void a9_a_sticky_folder_of_somebody_else_is_refused(void) {
    char below[128];
    kith_error err = { 0 };
    kith_key *key = NULL;
    fresh();
    EXPECT(mkdir(other, 0700) == 0);
    (void) snprintf(below, sizeof below, "%s/node.key", other);
    EXPECT(chmod(folder, 01777) == 0);
    if (geteuid() == 0) EXPECT(chown(folder, 12345, 12345) == 0);
    EXPECT_INT(kith_key_create(&key, below, &err), KITH_E_DENIED);
    if (geteuid() == 0) {
        EXPECT(chown(folder, 0, 0) == 0);
        EXPECT_INT(kith_key_create(&key, below, &err), 0);
        kith_key_free(&key);
    }
    (void) unlink(below);
    (void) rmdir(other);
    clear();
}

static bool touch(const char *name) {
    FILE *f = fopen(name, "w");
    return f != NULL && fclose(f) == 0;
}

/* With `git commit -a` it would be published. */
static void a9_a_key_in_a_git_work_tree_is_refused(void) {
    char git[128], head[160], below[128];
    kith_error err = { 0 };
    kith_key *key = NULL;
    fresh();
    EXPECT(create());
    (void) snprintf(git, sizeof git, "%s/.git", folder);
    (void) snprintf(head, sizeof head, "%s/HEAD", git);
    (void) snprintf(below, sizeof below, "%s/node.key", other);
    EXPECT(mkdir(other, 0700) == 0 && mkdir(git, 0700) == 0);
    EXPECT_INT(load(&err), 0); /* an empty .git is no repository */
    EXPECT(touch(head));
    EXPECT_INT(load(&err), KITH_E_DENIED);
    EXPECT(strstr(err.text, folder) != NULL);
    EXPECT(strstr(err.text, "git work tree") != NULL && strstr(err.text, "; do: ") != NULL);
    EXPECT_INT(kith_key_create(&key, below, &err), KITH_E_DENIED); /* deeper in it too */
    EXPECT(access(below, F_OK) != 0);
    EXPECT(unlink(head) == 0 && rmdir(git) == 0 && touch(git)); /* a linked work tree */
    EXPECT_INT(load(&err), KITH_E_DENIED);
    EXPECT(unlink(git) == 0);
    EXPECT_INT(load(&err), 0);
    EXPECT(rmdir(other) == 0);
    clear();
}

/* Whatever the umask: the file is ours alone from the call that makes it. */
static void seedbug_45_the_mode_does_not_hang_on_the_umask(void) {
    struct stat st;
    fresh();
    mode_t was = umask(0);
    bool made = create();
    (void) umask(was);
    EXPECT(made && stat(path, &st) == 0);
    EXPECT_INT(st.st_mode & 07777, 0600);
    clear();
}

static void d5_a_flipped_bit_of_the_file_is_found(void) {
    char text[KEY_FILE_SIZE];
    kith_error err;
    fresh();
    EXPECT(create());
    EXPECT_INT(slurp(text, sizeof text), KEY_FILE_SIZE);
    int found = 0;
    for (int bit = 0; bit < 8 * KEY_FILE_SIZE; bit++) {
        text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
        EXPECT(spill(path, text, sizeof text, 0600));
        found += load(&err) == KITH_E_CORRUPT && strstr(err.text, path) != NULL;
        text[bit / 8] = (char) (text[bit / 8] ^ 1 << bit % 8);
    }
    printf("# %d of %d\n", found, 8 * KEY_FILE_SIZE);
    EXPECT_INT(found, 8 * KEY_FILE_SIZE);
    EXPECT(spill(path, text, sizeof text, 0600));
    EXPECT_INT(load(&err), 0);
    clear();
}

static void d5_a_short_or_long_file_is_found(void) {
    char text[KEY_FILE_SIZE + 1];
    kith_error err;
    fresh();
    EXPECT(create());
    EXPECT_INT(slurp(text, sizeof text), KEY_FILE_SIZE);
    text[KEY_FILE_SIZE] = '\n';
    for (size_t n = 0; n <= sizeof text; n++) {
        EXPECT(spill(path, text, n, 0600));
        EXPECT_INT(load(&err), n == KEY_FILE_SIZE ? 0 : KITH_E_CORRUPT);
    }
    clear();
}

static void the_text_never_shows_in_an_error(void) {
    char text[KEY_FILE_SIZE];
    kith_error err;
    fresh();
    EXPECT(create());
    EXPECT_INT(slurp(text, sizeof text), KEY_FILE_SIZE);
    text[KEY_FILE_SIZE - 2] ^= 1;
    EXPECT(spill(path, text, sizeof text, 0600));
    EXPECT_INT(load(&err), KITH_E_CORRUPT);
    text[28] = '\0';
    EXPECT(strstr(err.text, text + 16) == NULL);
    clear();
}

static int compare(const void *a, const void *b) {
    return memcmp(a, b, KITH_KEYID_SIZE);
}

static void seedbug_16_a_thousand_keys_have_a_thousand_ids(void) {
    static uint8_t ids[1000][KITH_KEYID_SIZE];
    for (int i = 0; i < 1000; i++) {
        uint8_t public[KITH_KEY_SIZE];
        kith_key *key = NULL;
        EXPECT_INT(kith_key_generate(&key, NULL), 0);
        kith_key_public(key, public);
        kith_keyid(public, ids[i]);
        kith_key_free(&key);
    }
    qsort(ids, 1000, sizeof *ids, compare);
    for (int i = 1; i < 1000; i++) EXPECT(memcmp(ids[i - 1], ids[i], sizeof *ids) != 0);
}

static void a_seed_gives_the_key_of_the_standard(void) {
    /* RFC 8032, section 7.1, test 1. */
    static const uint8_t seed[32] = { 0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba,
        0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69,
        0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60 };
    static const uint8_t want[] = { 0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7 };
    uint8_t public[KITH_KEY_SIZE];
    kith_key *key = NULL;
    EXPECT_INT(kith_key_from_seed(&key, seed, NULL), 0);
    kith_key_public(key, public);
    EXPECT(memcmp(public, want, sizeof want) == 0);
    kith_key_free(&key);
}

static void random_lines_are_no_keys(void) {
    uint64_t dice = 61;
    char text[KEY_FILE_SIZE], spoilt[KEY_FILE_SIZE];
    kith_key *key = NULL;
    EXPECT_INT(kith_key_from_seed(&key, (const uint8_t[32]){ 9 }, NULL), 0);
    ki_key_format(key, text);
    kith_key_free(&key);
    for (int i = 0; i < 3000; i++) {
        kith_error err = { 0 };
        memcpy(spoilt, text, sizeof text);
        for (uint64_t n = 1 + dice_below(&dice, 3); n > 0; n--) {
            spoilt[dice_below(&dice, sizeof spoilt)] = text[dice_below(&dice, sizeof text)];
        }
        key = ki_key_parse(spoilt, sizeof spoilt, &err);
        EXPECT((key != NULL) == (memcmp(spoilt, text, sizeof text) == 0));
        EXPECT(key != NULL || err.code == KITH_E_CORRUPT);
        kith_key_free(&key);
    }
}

/* Not even the root folder can be opened: nothing else may be taken for it. */
static void a_process_without_descriptors_loads_no_key_and_loses_none(void) {
    struct rlimit before, few;
    kith_key *key = NULL;
    kith_error err = { 0 };
    EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    bool open_before = fcntl(0, F_GETFD) >= 0;
    few = before;
    few.rlim_cur = 0;
    EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
    int loaded = kith_key_load(&key, "/tmp/no-such-key", &err);
    int made = kith_key_create(&key, "/tmp/no-such-key", NULL);
    EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
    EXPECT_INT(loaded, KITH_E_SYSTEM);
    EXPECT_INT(made, KITH_E_SYSTEM);
    EXPECT(strstr(err.text, "open /") != NULL);
    EXPECT(key == NULL);
    EXPECT((fcntl(0, F_GETFD) >= 0) == open_before);
}

static void what_was_sealed_is_what_will_be_read(void) {
    uint8_t seed[32] = { 7 };
    kith_key *key = NULL;
    kith_content content = { .type = KITH_LEAF, .has = KITH_HAS_COUNTS, .hits = 1 }, read;
    kith_packet packet;
    content.tries = 2;
    content.epoch = 2;
    content.ttl_s = 2;
    content.t_end_us = INT64_C(1763640000000000);
    memcpy(content.address.subject, "iot.a", 6);
    EXPECT_INT(kith_key_from_seed(&key, seed, NULL), 0);
    EXPECT_INT(kith_packet_seal(&content, key, &packet), 0);
    EXPECT_INT(kith_packet_verify(&packet), 0);
    EXPECT_INT(kith_packet_decode(packet.bytes, packet.length, &read), 0);
    EXPECT(memcmp(&content, &read, sizeof read) == 0);
    kith_key_free(&key);
}

static void what_cannot_be_sealed_stays_as_it_was(void) {
    uint8_t seed[32] = { 7 };
    kith_key *key = NULL;
    kith_content content = { .type = KITH_LEAF, .source = { 1, 2, 3 } }, before = content;
    kith_packet packet = { .length = 5, .bytes = "abcde" }, same = packet;
    EXPECT_INT(kith_key_from_seed(&key, seed, NULL), 0);
    EXPECT(kith_packet_seal(&content, key, &packet) < 0);
    EXPECT(memcmp(&content, &before, sizeof content) == 0);
    EXPECT(memcmp(&packet, &same, sizeof packet) == 0);
    kith_key_free(&key);
}

static void what_is_signed_for_one_use_is_nothing_for_another(void) {
    uint8_t seed[32] = { 3 }, public[KITH_KEY_SIZE], signature[KITH_SIGNATURE_SIZE];
    uint8_t bytes[100] = { 1, 2, 3 };
    kith_key *key = NULL;
    EXPECT_INT(kith_key_from_seed(&key, seed, NULL), 0);
    kith_key_public(key, public);
    ki_key_sign(key, "one use", bytes, sizeof bytes, signature);
    EXPECT(ki_key_verify(public, "one use", bytes, sizeof bytes, signature));
    EXPECT(!ki_key_verify(public, "another", bytes, sizeof bytes, signature));
    EXPECT(!ki_key_verify(public, "one use", bytes, sizeof bytes - 1, signature));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        EXPECT(!ki_key_verify(public, "one use", bytes, sizeof bytes, signature));
        bytes[i] ^= 1;
    }
    kith_key_free(&key);
}

static const test_case cases[] = {
    { "what_is_signed_for_one_use_is_nothing_for_another",
        what_is_signed_for_one_use_is_nothing_for_another },
    { "comes_back_from_its_file", comes_back_from_its_file },
    { "a_relative_path_works_too", a_relative_path_works_too },
    { "never_takes_the_place_of_another_file", never_takes_the_place_of_another_file },
    { "a9_a_missing_key_is_refused_and_never_made",
        a9_a_missing_key_is_refused_and_never_made },
    { "a9_a_key_that_others_may_touch_is_refused",
        a9_a_key_that_others_may_touch_is_refused },
    { "a9_links_are_refused", a9_links_are_refused },
    { "a9_what_is_no_file_is_refused", a9_what_is_no_file_is_refused },
    { "a9_a_folder_that_others_may_write_is_refused",
        a9_a_folder_that_others_may_write_is_refused },
    { "a9_a_foreign_owner_is_refused", a9_a_foreign_owner_is_refused },
    { "a9_a_sticky_folder_of_somebody_else_is_refused",
        a9_a_sticky_folder_of_somebody_else_is_refused },
    { "a9_a_key_in_a_git_work_tree_is_refused", a9_a_key_in_a_git_work_tree_is_refused },
    { "seedbug_45_the_mode_does_not_hang_on_the_umask",
        seedbug_45_the_mode_does_not_hang_on_the_umask },
    { "d5_a_flipped_bit_of_the_file_is_found", d5_a_flipped_bit_of_the_file_is_found },
    { "d5_a_short_or_long_file_is_found", d5_a_short_or_long_file_is_found },
    { "the_text_never_shows_in_an_error", the_text_never_shows_in_an_error },
    { "seedbug_16_a_thousand_keys_have_a_thousand_ids",
        seedbug_16_a_thousand_keys_have_a_thousand_ids },
    { "a_seed_gives_the_key_of_the_standard", a_seed_gives_the_key_of_the_standard },
    { "random_lines_are_no_keys", random_lines_are_no_keys },
    { "a_process_without_descriptors_loads_no_key_and_loses_none",
        a_process_without_descriptors_loads_no_key_and_loses_none },
    { "what_was_sealed_is_what_will_be_read", what_was_sealed_is_what_will_be_read },
    { "what_cannot_be_sealed_stays_as_it_was", what_cannot_be_sealed_stays_as_it_was },
};
TEST_MAIN(cases)
