# SPDX-License-Identifier: Apache-2.0
"""Foreign bytes, closed doors and full disks: no crash, no lie, no exit 0."""
import os, random, signal, subprocess
from harness import *

LEGAL = {0, 1, 64, 65, 69, 74, 75, 76, 77, 78, 124}


def random_lines_never_crash_it():
    h = Home()
    dice = random.Random(7)
    good = ['{"effect":0.1,"se":0.1,"n":9}', '{"hits":1,"tries":2}', '{"text":"x","near":[0.1,0.2]}']
    for trial in range(60):
        lines, fine = [], 0
        for _ in range(20):
            line = bytearray(dice.choice(good).encode())
            bent = dice.random() < 0.7
            for _ in range(dice.randrange(1, 6) if bent else 0):
                line[dice.randrange(len(line))] = dice.choice([0, 10, 34, 44, 91, 123, 127, 128, 255, dice.randrange(256)])
            fine += not bent
            lines.append(bytes(line))
        d = h("post", "a.b", "-", "--json", stdin=b"\n".join(lines))
        expect(d.code in (0, 65), d.code, d.err)
        expect(len(d.json()) >= fine, "a good line was refused")
    for args in (("store", "import", "-"), ("pkt", "decode", "-"), ("pkt", "lint", "-"), ("pkt", "size", "a.b", "-"),
                 ("pkt", "encode", "a.b", "-"), ("post", "a.b", "--samples", "-")):
        for trial in range(4):
            d = h(*args, stdin=dice.randbytes(dice.choice([1, 100, 70000, 200000])))
            expect(d.code == 65, args, d.code, d.err[:300])
    h.remove()


def random_arguments_never_crash_it():
    h = Home()
    dice = random.Random(11)
    words = ["post", "get", "ask", "why", "follow", "sync", "store", "pkt", "addr", "config", "help", "carriers", "retract",
             "stat", "show", "a.b", ">", "-", "--", "--json", "--format", "{", "{id}", "{id:99999}", "{effect:+.3f}", "-n",
             "5", "-5", "--se", "nan", "inf", "1e999", "--effect", "0x1p3", "--last", "--near", ",", "--for", "1ms", "-W",
             "\x1b[31m", "é", "\udcff", "", "--color", "always", "id:", "x" * 5000, "--store", "memory:", "-z", "--help"]
    for trial in range(400):
        args = [dice.choice(words) for _ in range(dice.randrange(1, 7))]
        if args[0] == "follow":
            args += ["--for", "1ms"]
        if "help" in args or "--help" in args:
            continue
        d = h(*[os.fsencode(a) for a in args])
        expect(d.code in LEGAL, args, d.code, d.err)
        expect("\x1b[31m" not in d.err or "always" in args, "a control character came through", args)
        if d.code not in (0, 1):
            expect("[E0" in d.err or '"code":"E0' in d.err, args, d.code, d.err)
    h.remove()


def a_closed_stdout_is_a_failure_and_never_the_store():
    h = Home()
    h("post", "a.b", "--text", "x")
    for args in (("get", "a.b"), ("post", "a.b", "--text", "y"), ("help",), ("--version",), ("version",), ("store", "stat")):
        d = h.shell("kith %s >&-" % " ".join(args))
        same(d.code, 74, args)
        d = h.shell("kith %s > /dev/full" % " ".join(args))
        same(d.code, 74, args)
    d = h.shell("kith post a.b - <&-")
    same(d.code, 74)
    same(h("get", "a.b").code, 0, "the store is whole")
    h.remove()


def a_reader_that_goes_away_ends_it_quietly():
    h = Home()
    h("post", "a.b", "-", stdin='{"text":"%s"}\n' % ("x" * 150) * 2000)
    p = h.start("get", "a.b", "--last", "0", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.readline()
    p.stdout.close()
    err = p.stderr.read()
    p.stderr.close()
    same((p.wait(), err), (-signal.SIGPIPE, b""))
    h.remove()


def d3_a_full_disk_loses_nothing_that_was_answered():
    h = Home()
    place = h.file("small")
    os.mkdir(place)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", place],
                                           capture_output=True).returncode != 0:
        print("# not root, or no mounts here: full disk not tried")
        h.remove()
        return
    try:
        store = place + "/store.db"
        same(h("init", "--store", store, "--key", place + "/key").code, 0)
        flags = ("--store", store, "--key", place + "/key")
        d = h("post", "a.b", "-", "--json", *flags, stdin='{"text":"%s"}\n' % ("x" * 150) * 20000)
        expect(d.code == 74 and '"E030"' in d.err, d.code, d.err[-400:])
        answered = [p["id"] for p in d.json()]
        have = {p["id"] for p in h("get", "a.b", "--last", "0", "--json", *flags).json()}
        expect(answered and not set(answered) - have, "lost", len(set(answered) - have), "of", len(answered))
    finally:
        subprocess.run(["umount", "-l", place], check=False)
        h.remove()


def a_home_that_cannot_be_written_is_told():
    h = Home(init=False)
    for env in ({"HOME": "/proc/self"}, {"HOME": "/dev/null"}, {"XDG_DATA_HOME": "/proc/nope"}):
        d = h("init", env=env)
        expect(d.code == 74 and "[E016]" in d.err, env, d.code, d.err)
    d = h("init", env={"HOME": ""})
    expect(d.code in (74, 78) and "HOME" in d.err, d.err)
    h.remove()


def init_twice_changes_nothing():
    h = Home()
    with open(h.key, "rb") as f:
        before = f.read()
    same(h("init").code, 78)
    with open(h.key, "rb") as f:
        same(f.read(), before)
    same(os.stat(h.key).st_mode & 0o777, 0o600)
    same(os.stat(os.path.dirname(h.key)).st_mode & 0o777, 0o700)
    os.unlink(h.store)
    same(h("init").code, 0, "a lost store is made again under the kept key")
    with open(h.key, "rb") as f:
        same(f.read(), before)
    h.remove()


def many_posters_share_one_store():
    h = Home()
    lines = b'{"effect":0.1,"se":0.1,"n":9}\n' * 200
    many = [h.start("post", "a.b", "-", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for p in many:
        p.stdin.write(lines)
        p.stdin.close()
    ids = []
    for p in many:
        ids += p.stdout.read().splitlines()
        p.stdout.close()
        same(p.wait(), 0)
    same(len(ids), 800)
    have = h("get", "a.b", "--last", "0", "--format", "{epoch} {seq}").out.split("\n")[:-1]
    same((len(have), len(set(have))), (800, 800))
    h.remove()


main([random_lines_never_crash_it, random_arguments_never_crash_it, a_closed_stdout_is_a_failure_and_never_the_store,
      a_reader_that_goes_away_ends_it_quietly, d3_a_full_disk_loses_nothing_that_was_answered,
      a_home_that_cannot_be_written_is_told, init_twice_changes_nothing, many_posters_share_one_store])
