/* SPDX-License-Identifier: Apache-2.0 */
/* Names that every file system bears, and the table of those that were seen. */
#include "carrier/dir/name.h"
#include "carrier/dir/seen.h"
#include "carrier/suite_help.h"
#include "test.h"

#include <kith/address.h>

static void a_subject_maps_to_folders_and_back(void) {
    static const char *const nasty[] = { "con", "aux.nul", "com1", "x-partition-3", "a-b",
        "a_b", "-", "_", "1.2.3.4.5.6.7.8", "3f", "tmp.kp0" };
    char path[DIR_PATH_SIZE], back[KITH_SUBJECT_MAX + 1], longest[KITH_SUBJECT_MAX + 1];
    for (size_t i = 0; i < sizeof nasty / sizeof *nasty; i++) {
        ki_dir_path(nasty[i], (uint8_t) i, path);
        EXPECT(ki_dir_unpath(path, back));
        EXPECT(strcmp(back, nasty[i]) == 0);
    }
    uint64_t dice = 1;
    for (int i = 0; i < 200000; i++) {
        size_t n = 0, tokens = 1 + roll(&dice) % KITH_TOKENS_MAX;
        for (size_t t = 0; t < tokens; t++) {
            size_t length = 1 + roll(&dice) % (KITH_SUBJECT_MAX / tokens - 1);
            if (t > 0) longest[n++] = '.';
            for (size_t k = 0; k < length; k++) {
                longest[n++] = "abcdefghijklmnopqrstuvwxyz0123456789_-"[roll(&dice) % 38];
            }
        }
        longest[n] = '\0';
        EXPECT(kith_subject_valid(longest));
        ki_dir_path(longest, (uint8_t) roll(&dice), path);
        EXPECT(strpbrk(path, ":<>|?*\\\" ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
        EXPECT(ki_dir_unpath(path, back));
        EXPECT(strcmp(back, longest) == 0);
    }
    ki_dir_path("iot.hvac.energy-anomaly", 0x3f, path);
    EXPECT(strcmp(path, "iot=/hvac=/energy-anomaly=/3f") == 0);
}

static void knows_a_name_when_it_sees_one(void) {
    static const struct {
        const char *name;
        int kind;
    } rows[] = {
        { "00112233445566778899aabbccddeeff.kp", DIR_PACKET },
        { "00112233445566778899AABBCCDDEEFF.kp", DIR_COPY },
        { "00112233445566778899aabbccddeeff (conflict).kp", DIR_COPY },
        { "00112233445566778899aabbccddeef.kp", DIR_COPY },
        { "x.kp", DIR_COPY },
        { ".kp", DIR_OTHER },
        { "00112233445566778899aabbccddeeff.KP", DIR_OTHER },
        { "00112233445566778899aabbccddeeff.kp.tmp", DIR_OTHER },
        { "3f", DIR_SHARD },
        { "3F", DIR_OTHER },
        { "3f0", DIR_OTHER },
        { "iot=", DIR_TOKEN },
        { "IOT=", DIR_OTHER },
        { "=", DIR_OTHER },
        { "a.b=", DIR_OTHER },
        { "..", DIR_OTHER },
        { "", DIR_OTHER },
    };
    uint8_t id[DIR_ID_SIZE];
    char subject[KITH_SUBJECT_MAX + 1];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("# %s\n", rows[i].name);
        EXPECT_INT(ki_dir_kind(rows[i].name, id), rows[i].kind);
    }
    static const char *const bad[] = { "", "3f", "a=/", "a=/b", "a/3f", "A=/3f", "a=/3f/",
        "=/3f", "../3f", "a=/../3f", "a=//3f", "a.b=/3f", "1=/2=/3=/4=/5=/6=/7=/8=/9=/3f" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(!ki_dir_unpath(bad[i], subject));
    }
}

static void the_table_of_files_finds_what_was_put_in(void) {
    seen s;
    uint64_t dice = 3;
    EXPECT_INT(ki_seen_init(&s, 5000), 0);
    for (uint64_t i = 1; i <= 5000; i++) {
        seen_key key = { i, roll(&dice) % 97 }; /* many start at the same place */
        EXPECT(!ki_seen_has(&s, key));
        EXPECT_INT(ki_seen_add(&s, key), 0);
        EXPECT_INT(ki_seen_add(&s, key), KITH_EMPTY);
        EXPECT(ki_seen_has(&s, key));
    }
    EXPECT_INT(s.count, 5000);
    EXPECT_INT(ki_seen_add(&s, (seen_key){ 9999, 1 }), KITH_E_SPACE);
    ki_seen_clear(&s);
    EXPECT(!ki_seen_has(&s, (seen_key){ 1, 1 }));
    ki_seen_fini(&s);
}

#define CASE(name)                                                                         \
    { #name, name }

static const test_case cases[] = {
    CASE(a_subject_maps_to_folders_and_back),
    CASE(knows_a_name_when_it_sees_one),
    CASE(the_table_of_files_finds_what_was_put_in),
};
TEST_MAIN(cases)
