# SPDX-License-Identifier: Apache-2.0
"""A folder of another machine: shared files and stores are refused there, a dir:// is not.
bindfs stands for sshfs: the same mount, by the name that the kernel shows."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, Skip, equal, expect, main


def mounted(where, kind):
    """A folder over another one, as a FUSE file system of that name."""
    under, over = os.path.join(where, "under-" + kind), os.path.join(where, kind)
    os.mkdir(under, 0o700)
    os.mkdir(over, 0o700)
    if os.geteuid() != 0 or not shutil.which("bindfs"):
        raise Skip("not root, or no bindfs here")
    if subprocess.run(["bindfs", "-o", "subtype=" + kind, under, over], capture_output=True,
                      check=False).returncode:
        raise Skip("no right to mount a FUSE file system")
    return over


def unmount(folder):
    subprocess.run(["umount", "-l", folder], check=False)


def sshfs_is_refused_by_stores_and_shared_files_and_carries_folders(where):
    node, far = Node(where, "a"), mounted(where, "sshfs")
    try:
        packet = node.good("post", "x.y", "--effect", "1", "--se", "1").split("\t")[0]
        code, out, err = node.run("init", "--store", far + "/store.db", "--key", where + "/key")
        equal((code, out), (76, ""), err)
        expect("[E033]" in err and "sshfs" in err, err)
        code, out, err = node.run("sync", "sqlite://" + far + "/shared.db")
        expect(code != 0 and "sshfs" in err and "\n  do:  " in err, code, err)
        equal(os.listdir(far), [], "something was made there")
        node.good("sync", "dir://" + far)
        other = Node(where, "b")
        other.good("sync", "dir://" + far)
        equal([row["id"] for row in other.stored()], [packet])
    finally:
        unmount(far)


def a_fuse_of_this_machine_is_not_refused(where):
    node, near = Node(where, "a"), mounted(where, "turnedover")
    try:
        place = ("--store", near + "/store.db", "--key", where + "/key")
        node.good("init", *place)
        node.good("post", "x.y", "--effect", "1", "--se", "1", *place)
        node.good("sync", "sqlite://" + near + "/shared.db")
    finally:
        unmount(near)


main([
    sshfs_is_refused_by_stores_and_shared_files_and_carries_folders,
    a_fuse_of_this_machine_is_not_refused,
])
