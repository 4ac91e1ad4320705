/* SPDX-License-Identifier: Apache-2.0 */
#include "base/far.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum {
    FUSE = 0x65735546
};

static const struct {
    uint32_t type;
    const char *name;
} kinds[] = { { 0x6969, "NFS" }, { 0x517b, "SMB" }, { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" }, { 0x5346414f, "AFS" }, { 0x00c36400, "Ceph" },
    { 0x73757245, "Coda" }, { 0x564c, "NCP" }, { 0x01021997, "9P" },
    { 0x7461636f, "OCFS2" } };

/* FUSE's, by the names under which Debian's packages mount. fuseblk and those that
 * only turn a local folder over (bindfs, gocryptfs, mergerfs) are not far. */
static const char *const fuses[] = { "sshfs", "rclone", "s3fs", "s3ql", "curlftpfs",
    "davfs", "glusterfs", "ceph-fuse", "gcsfuse", "goofys", "smbnetfs", "nfs", "cvmfs2",
    "httpfs2", "juicefs", "JuiceFS", "gvfsd-fuse", "google-drive-ocamlfuse", "onedriver",
    "vmhgfs-fuse" };

const char *ki_far_mount(const char *line, unsigned major, unsigned minor) {
    unsigned a = 0, b = 0;
    /* blanks in names are written as \040: " - " stands once, before the type */
    const char *type = strstr(line, " - ");
    if (type == NULL || sscanf(line, "%*u %*u %u:%u ", &a, &b) != 2 || a != major ||
        b != minor) {
        return NULL;
    }
    type += 3;
    if (strncmp(type, "fuse.", 5) != 0) {
        return NULL;
    }
    size_t length = strcspn(type + 5, " ");
    for (size_t i = 0; i < sizeof fuses / sizeof *fuses; i++) {
        if (strlen(fuses[i]) == length && memcmp(fuses[i], type + 5, length) == 0) {
            return fuses[i];
        }
    }
    return NULL;
}

static const char *far_fuse(const char *path) {
    struct stat st;
    FILE *mounts = stat(path, &st) == 0 ? fopen("/proc/self/mountinfo", "re") : NULL;
    char *line = NULL;
    size_t room = 0;
    const char *found = NULL;
    while (mounts != NULL && found == NULL && getline(&line, &room, mounts) > 0) {
        found = ki_far_mount(line, major(st.st_dev), minor(st.st_dev));
    }
    free(line);
    if (mounts != NULL) {
        (void) fclose(mounts);
    }
    return found;
}

const char *ki_far(const char *path) {
    struct statfs fs;
    if (statfs(path, &fs) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if ((uint32_t) fs.f_type == kinds[i].type) {
            return kinds[i].name;
        }
    }
    return (uint32_t) fs.f_type == FUSE ? far_fuse(path) : NULL;
}
