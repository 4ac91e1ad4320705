# SPDX-License-Identifier: Apache-2.0
"""The key: made once, by init alone, for us alone; refused with the remedy otherwise."""
import os, random, re, shutil, signal, subprocess
from harness import *


def refused(h, *says, args=("post", "a.b", "--text", "x"), **more):
    d = h(*args, **more)
    same(d.code, 78, d.err)
    for part in says:
        expect(part in d.err, part, "is not in", d.err)
    return d


def a9_a_key_that_is_not_ours_alone_is_refused_with_the_remedy():
    h = Home()
    folder = os.path.dirname(h.key)
    for mode in (0o640, 0o604, 0o644, 0o660, 0o666):
        os.chmod(h.key, mode)
        refused(h, "[E013]", "do:  chmod 600 " + h.key)
    os.chmod(h.key, 0o600)
    os.chmod(folder, 0o770)
    refused(h, "[E013]", "do:  chmod go-w " + folder)
    os.chmod(folder, 0o700)
    deep = h.file(*["d" * 150] * 2)
    os.makedirs(deep)
    os.chmod(deep, 0o770)
    d = refused(h, "[E013]", "others may write in",
                args=("init", "--key", os.path.join(deep, "key"), "--store", h.file("s.db")))
    expect("chmod go-w" not in d.err, "a command that is cut is not told", d.err)
    os.link(h.key, h.file("second"))
    refused(h, "[E013]", "hard link", "do:  remove the other one")
    os.unlink(h.file("second"))
    os.rename(h.key, h.file("real"))
    os.symlink(h.file("real"), h.key)
    refused(h, "[E013]", "symbolic link", "do:  name the file itself")
    os.unlink(h.key)
    os.mkdir(h.key)
    refused(h, "[E013]", "no regular file")
    os.rmdir(h.key)
    os.rename(h.file("real"), h.key)
    same(h("post", "a.b", "--text", "x").code, 0)
    h.remove()


def a9_a_key_in_a_git_work_tree_is_refused():
    h = Home()
    tree = h.file("project")
    os.makedirs(os.path.join(tree, ".git"))
    with open(os.path.join(tree, ".git", "HEAD"), "w") as f:
        f.write("ref: refs/heads/main\n")
    place = ("--key", os.path.join(tree, "deep", "key"), "--store", h.file("s.db"))
    refused(h, "[E013]", tree + " is a git work tree", "--key", args=("init",) + place)
    expect(not os.path.exists(place[1]), "no key was made")
    os.makedirs(os.path.dirname(place[1]), 0o700, exist_ok=True)
    shutil.copy2(h.key, place[1])
    refused(h, "[E013]", "git work tree", args=("post", "a.b", "--text", "x", "--key", place[1]))
    refused(h, "[E013]", "git work tree", args=("run", "--for", "1ms", "--key", place[1]))
    same(h("post", "a.b", "--text", "x").code, 0, "from inside a work tree the key elsewhere serves")
    h.remove()


def a_missing_key_is_never_made_in_silence():
    h = Home()
    os.unlink(h.key)
    for args in (("post", "a.b", "--text", "x"), ("run", "--for", "1ms"), ("retract", "00000000"), ("sync", "dir:///tmp/x")):
        refused(h, "[E012]", "do:  kith init", args=args)
        expect(not os.path.exists(h.key), args, "made a key")
    h.remove()


def init_twice_refuses_and_changes_nothing():
    h = Home()
    def all_of_it():
        found = {}
        for root, _, names in os.walk(h.path):
            for name in names:
                path = os.path.join(root, name)
                if not name.endswith(("-shm", "-wal", "-lock")):
                    with open(path, "rb") as f:
                        found[path] = (f.read(), os.stat(path).st_mode)
        return found
    before = all_of_it()
    refused(h, "[E015]", args=("init",))
    same(all_of_it(), before, "init twice")
    h.remove()


def an_odd_umask_and_home_make_no_other_modes():
    for umask in (0, 0o777, 0o022, 0o077):
        h = Home(init=False)
        d = h.shell("umask %o; kith init" % umask)
        same(d.code, 0, f"umask {umask:o}: {d.err}")
        same(os.stat(h.key).st_mode & 0o7777, 0o600, f"umask {umask:o}")
        same(os.stat(os.path.dirname(h.key)).st_mode & 0o7777, 0o700, f"umask {umask:o}")
        same(h("post", "a.b", "--text", "x").code, 0)
        h.remove()
    h = Home(init=False)
    for home in ("", "relative/path", "."):
        d = h("init", env={"HOME": home})
        expect(d.code in (74, 78) and "HOME" in d.err, repr(home), d.code, d.err)
    same(os.listdir(h.path), [], "nothing was made")
    d = h("init", env={"HOME": "/" + "x" * 5000})
    expect(d.code in (74, 78) and "[E0" in d.err, d.err)
    d = h("init", env={"XDG_DATA_HOME": h.file("d with \u00fcml\u00e4ut"), "XDG_CONFIG_HOME": h.file("c")})
    same(d.code, 0, d.err)
    h.remove()


def d2_init_killed_anywhere_leaves_no_key_or_a_whole_one():
    dice = random.Random(3)
    made = 0
    for trial in range(25):
        h = Home(init=False)
        p = h.start("init", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(dice.randrange(0, 4000)):
            if os.path.exists(h.key) and dice.random() < 0.5:
                break
        p.send_signal(signal.SIGKILL)
        p.wait()
        if os.path.exists(h.key):
            made += 1
            same(os.stat(h.key).st_mode & 0o7777, 0o600)
        d = h("init")
        expect(d.code in (0, 78), d.code, d.err)
        if d.code == 78 and "E014" in d.err:  # cut off in its first write: told, never replaced
            expect("move it" in d.err, d.err)
            os.unlink(h.key)
            d = h("init")
        expect(d.code == 0 or "E015" in d.err, d.err)
        same(h("post", "a.b", "--text", "x").code, 0)
        h.remove()
    print(f"# {made} of 25 had their key already")


def the_key_is_synced_before_its_name_is_told():
    import shutil as tools
    if tools.which("strace") is None:
        print("# no strace here: not tried")
        return
    h = Home(init=False)
    p = subprocess.run(["strace", "-f", "-o", h.file("trace"), "-e", "trace=openat,fsync,write,chmod,fchmod", KITH, "init"],
                       env=h.env, capture_output=True)
    if p.returncode != 0:
        print("# no tracing here: not tried")
        h.remove()
        return
    with open(h.file("trace")) as f:
        lines = f.read().splitlines()
    at = next(i for i, line in enumerate(lines) if '"key"' in line and "O_CREAT" in line)
    expect("O_EXCL" in lines[at] and "0600" in lines[at], lines[at])
    fd = lines[at].rsplit("= ", 1)[1]
    rest = [re.sub(r"^\d+ +", "", line).split(" =")[0].strip() for line in lines[at + 1:]]
    syncs = [line for line in rest[:6] if line.startswith("fsync")]
    expect(len(syncs) >= 2 and syncs[0] == f"fsync({fd})", rest[:6])
    expect(not any("chmod" in line for line in lines), "the mode is right from the first moment")
    h.remove()


main([a9_a_key_that_is_not_ours_alone_is_refused_with_the_remedy, a9_a_key_in_a_git_work_tree_is_refused,
      a_missing_key_is_never_made_in_silence, init_twice_refuses_and_changes_nothing,
      an_odd_umask_and_home_make_no_other_modes, d2_init_killed_anywhere_leaves_no_key_or_a_whole_one,
      the_key_is_synced_before_its_name_is_told])
