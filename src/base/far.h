/* SPDX-License-Identifier: Apache-2.0 */
/* base/far.h - does a file lie on another machine? Locks and shared memory of such file
 * systems lie, and SQLite's log needs both. */
#ifndef KITH_BASE_FAR_H
#define KITH_BASE_FAR_H

/* What the file system beneath `path` is called, "NFS" or "sshfs", where it lies on
 * another machine. NULL: it does not, or nobody can say. */
const char *ki_far(const char *path);

/* The same of one line of /proc/self/mountinfo, where it is about that device. FUSE is
 * one type of file system to the kernel's number, and any to the name in that line. */
const char *ki_far_mount(const char *line, unsigned major, unsigned minor);

#endif
