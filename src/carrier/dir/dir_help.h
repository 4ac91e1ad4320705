/* SPDX-License-Identifier: Apache-2.0 */
/* carrier/dir/dir_help.h - what the tests of the folder share: files put there by hand. */
#ifndef CARRIER_DIR_HELP_H
#define CARRIER_DIR_HELP_H

#include "carrier/dir/name.h"
#include "carrier/suite_help.h"

#include <fcntl.h>
#include <sys/stat.h>

static UNUSED kith_link *follow(const realm *r, const char *pattern) {
    kith_link *l = realm_open(r);
    if (kith_link_follow(l, pattern) != 0) abort();
    return l;
}

static UNUSED uint64_t rubbish(const kith_link *l) {
    kith_counters c;
    kith_link_counters(l, &c);
    return c.rubbish;
}

static UNUSED const char *path_in(const realm *r, const char *rest) {
    static char path[512];
    (void) snprintf(path, sizeof path, "%s/%s", r->folder, rest);
    return path;
}

static UNUSED void write_file(const char *path, const void *bytes, size_t n) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t) n || close(fd) != 0) abort();
}

/* The right place for a numbered packet in subject "a.b". */
static UNUSED const char *home_of(const realm *r, size_t number, uint8_t bytes[8]) {
    uint8_t id[DIR_ID_SIZE];
    char rest[DIR_PATH_SIZE + 64], folder[DIR_PATH_SIZE], name[DIR_NAME_SIZE];
    ki_dir_id(bytes, fill_number(number, bytes), id);
    ki_dir_path("a.b", id[0], folder);
    ki_dir_name(id, name);
    (void) snprintf(rest, sizeof rest, "kith-1/%s", folder);
    (void) mkdir(path_in(r, "kith-1/a="), 0755);
    (void) mkdir(path_in(r, "kith-1/a=/b="), 0755);
    (void) mkdir(path_in(r, rest), 0755);
    (void) snprintf(rest, sizeof rest, "kith-1/%s/%s", folder, name);
    return path_in(r, rest);
}

static UNUSED size_t memory_kib(void) {
    size_t pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%zu %zu", &pages, &resident) != 2) abort();
    (void) fclose(f);
    return resident * (size_t) sysconf(_SC_PAGESIZE) / 1024;
}

#endif
