/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of 100,000 files; KITH_SOAK=1: of a million. */
#include "carrier/dir/dir_help.h"
#include "carrier/dir/work.h"
#include "test.h"

#include <sys/statvfs.h>

enum {
    FEW = 100000,
    MANY = 1000000,
    BLOCK = 4096, /* what a file of eight bytes takes on most disks */
};

static size_t total(void) {
    const char *soak = getenv("KITH_SOAK");
    return soak != NULL && soak[0] == '1' ? MANY : FEW;
}

/* On disk: so many would not fit into the memory of a small machine. */
static realm realm_on_disk(void) {
    realm r = { 0 };
    if (!test_folder(test_place(), "kith-many", r.folder, sizeof r.folder)) abort();
    /* The test's time flies, and so many are not looked at again in a blink of it. */
    (void) snprintf(
        r.url, sizeof r.url, "dir://%s?sync=none&max_files=2000000&poll=24h", r.folder);
    return r;
}

static bool room_for(const realm *r, size_t files) {
    struct statvfs v;
    return statvfs(r->folder, &v) == 0 && v.f_bavail * v.f_frsize / 2 > files * BLOCK &&
           (v.f_files == 0 || v.f_favail / 2 > files);
}

/* As another machine's copy would put them there: whole files, no renames. */
static void lay(const realm *r, size_t files) {
    uint8_t bytes[8], id[DIR_ID_SIZE];
    char folder[DIR_PATH_SIZE], name[DIR_NAME_SIZE], rest[DIR_PATH_SIZE + 64];
    for (size_t n = 1; n <= files; n++) {
        ki_dir_id(bytes, fill_number(n, bytes), id);
        ki_dir_path("a.b", id[0], folder);
        ki_dir_name(id, name);
        (void) snprintf(rest, sizeof rest, "kith-1/%s/%s", folder, name);
        if (n <= 4096) (void) home_of(r, n, bytes); /* makes its folder */
        write_file(path_in(r, rest), bytes, sizeof bytes);
    }
}

typedef struct count {
    size_t files, distinct, repeats, strange;
    uint8_t *seen; /* files + 2 */
} count;

/* Reads until `expect` are there, and then what may still come. */
static void read_all(kith_link *l, count *c, size_t expect) {
    kith_item item;
    while (await(l, &item, c->distinct >= expect)) {
        size_t n = number_of(&item);
        if (n == 0 || n > c->files + 1) {
            c->strange++;
        } else {
            c->distinct += c->seen[n] == 0;
            c->repeats += c->seen[n] != 0;
            c->seen[n] = 1;
        }
        kith_link_ack(l, item.token);
    }
}

static void d7_a_folder_of_many_files_is_read_once(void) {
    realm r = realm_on_disk();
    count c = { .files = total() };
    kith_position start = { .kind = KITH_FROM_START }, at;
    uint8_t bytes[8];
    if (!room_for(&r, c.files)) {
        realm_free(&r);
        SKIP("no room for so many files");
    }
    kith_link *l = follow(&r, ">"); /* makes the folder */
    kith_link_close(&l);
    lay(&r, c.files);
    c.seen = calloc(c.files + 2, 1);
    EXPECT(c.seen != NULL);
    l = follow(&r, ">");
    size_t before = memory_kib();
    EXPECT_INT(kith_link_rewind(l, &start), 0);
    read_all(l, &c, c.files);
    printf("# %zu of %zu files, %zu twice, %zu KiB\n", c.distinct, c.files, c.repeats,
        memory_kib() - before);
    EXPECT_INT(c.distinct, c.files);
    EXPECT_INT(c.repeats + c.strange, 0);
    UNTIL (kith_link_cursor(l, &at) && at.length == DIR_CURSOR_SIZE) {
        (void) readable(kith_link_wake_fd(l), 4);
    }
    EXPECT_INT(at.length, DIR_CURSOR_SIZE); /* all was read, and acked */
    kith_link_close(&l);
    l = follow(&r, ">"); /* nothing changed: nothing comes again, but what is new */
    EXPECT_INT(kith_link_rewind(l, &at), 0);
    read_all(l, &c, c.files);
    EXPECT_INT(c.repeats, 0);
    write_file(home_of(&r, c.files + 1, bytes), bytes, sizeof bytes);
    read_all(l, &c, c.files + 1);
    EXPECT_INT(c.distinct, c.files + 1);
    EXPECT_INT(c.repeats + c.strange, 0);
    kith_link_close(&l);
    free(c.seen);
    realm_free(&r);
}

static const test_case cases[] = {
    { "d7_a_folder_of_many_files_is_read_once", d7_a_folder_of_many_files_is_read_once },
};
TEST_MAIN(cases)
