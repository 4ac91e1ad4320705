# SPDX-License-Identifier: Apache-2.0
"""kith run where everything around it goes wrong: it says so, goes on, and TERM ends it with 0."""
import json, os, shutil, signal, subprocess, threading, time
from harness import *

DRAIN = 5.0  # seconds: the promise of TERM. The tests wait longer, and then say how long it was.


class Node:
    """A node in the foreground, its log read as it comes."""

    def __init__(self, home, *args, **more):
        more.setdefault("stdin", subprocess.PIPE)
        self.p = home.start("run", *args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **more)
        self.lines, self.news = [], threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.until("ready")

    def read(self):
        for line in self.p.stderr:
            with self.news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.news.notify_all()
        with self.news:
            self.lines.append(None)
            self.news.notify_all()

    def event(self, line):
        try:
            one = json.loads(line)
            return one.get("event") or one.get("kind"), one.get("text") or one.get("why", "")
        except (ValueError, TypeError, AttributeError):
            return None, line

    def until(self, event, says="", after=0):
        """Waits for a line of the log; its place."""
        at, end = after, time.monotonic() + PATIENCE
        with self.news:
            while True:
                while at < len(self.lines):
                    line = self.lines[at]
                    at += 1
                    if line is None:
                        raise Wrong(f"it ended before {event} {says}: {self.lines[-8:]}")
                    kind, text = self.event(line)
                    if kind == event and says in text:
                        return at
                if not self.news.wait(end - time.monotonic()):
                    raise Wrong(f"no {event} {says}: {self.lines[-8:]}")

    def send(self, text):
        self.p.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.p.stdin.flush()

    def stop(self, what, times=1):
        begin = time.monotonic()
        for _ in range(times):
            self.p.send_signal(signal.SIGTERM)
        code = self.p.wait(PATIENCE)
        took = time.monotonic() - begin
        same(code, 0, f"{what}: {self.lines[-8:]}")
        print(f"# {what}: {took:.2f} s" + (" (the machine is busy)" if took > DRAIN else ""))
        with self.news:
            while None not in self.lines:
                self.news.wait(10)
        try:
            self.p.stdin.close() if self.p.stdin else None
        except OSError:
            pass  # what it did not read any more
        self.p.stderr.close()
        return [self.event(line) for line in self.lines if line]


def nothing_to_do_is_fine():
    h = Home()
    n = Node(h)
    n.stop("no carrier, no signal")
    n = Node(h, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(0))
    n.stop("stdin closed")
    h.remove()


def two_nodes_share_one_store():
    h = Home()
    h("post", "a.b", "--text", "x")
    first, second = Node(h, "--subject", "c.d", "--kind", "outcome"), Node(h, "--subject", "c.d", "--kind", "outcome")
    first.send('{"text":"one"}\n' * 5)
    second.send('{"text":"two"}\n' * 5)
    first.until("posted")
    second.until("posted")
    first.stop("the first of two")
    second.stop("the second of two")
    rows = h("get", "c.d", "--last", "0", "--format", "{epoch} {seq}").out.splitlines()
    same((len(rows), len(set(rows))), (10, 10), "every line once, no number twice")
    h.remove()


def a_store_that_goes_away_is_told_and_so_is_what_it_did_not_take():
    h = Home()
    n = Node(h, "--subject", "a.b", "--count", "2")
    os.rename(h.file(".local"), h.file("gone"))  # at once, whatever the node writes just now
    shutil.rmtree(h.file("gone"), ignore_errors=True)
    n.send("1\n2\n3\n4\n")
    n.until("store")
    told = n.stop("the store's folder removed")
    expect(any(e == "unposted" for e, _ in told), told)
    h.remove()


def a_carrier_that_goes_away_comes_back_with_what_waited():
    h = Home()
    place, away = h.file("stick"), h.file("away")
    os.mkdir(place)
    n = Node(h, "--carrier", "dir://" + place)
    at = n.until("up")
    os.rename(place, away)
    at = n.until("down", after=at)
    same(h("post", "a.b", "--text", "x").code, 0, "posts go on")
    shutil.rmtree(place, ignore_errors=True)
    os.rename(away, place)
    n.until("up", after=at)
    end = time.monotonic() + PATIENCE
    while not any(name.endswith(".kp") for _, _, names in os.walk(place) for name in names):
        expect(time.monotonic() < end, "what waited never came")
        os.sched_yield()
    n.stop("the carrier's folder taken and put back")
    n = Node(h, "--carrier", "dir:///proc/no/such/place")
    n.until("down")
    n.stop("a carrier that cannot be")
    h.remove()


def rubbish_on_stdin_is_named_and_passed_over():
    h = Home()
    n = Node(h, "--subject", "a.b", "--count", "3")
    n.send(os.urandom(100000).replace(b"\n", b" ") + b"\n" + b"1\nnull\n2\n[]\n\"x\"\n" + b"[" * 100000 + b"\n\n3\n")
    n.until("posted")
    told = n.stop("rubbish")
    expect(sum(e == "line" for e, _ in told) >= 2, told)
    same(len(h("get", "a.b", "--json").json()), 1)
    h.remove()


def signals_and_actions_that_fail_stop_nobody():
    h = Home()
    for what, command, event, says in (
            ("is missing", "/no/such/program", "action", "cannot run"),
            ("fails", "false", "action", "ended with 1"),
            ("reads nothing and prints a lot", "sh -c \"yes noise | head -c 3000000; exit 3\"", "action", "ended with 3"),
            ("hangs and ignores TERM", "sh -c \"trap : TERM INT; echo began; while :; do sleep 1; done\"", None, "began")):
        n = Node(h, "--action", "run", "--command", command)
        same(h("post", "a.b", "--effect", "1", "--se", "0.1", "-n", "5").code, 0)
        n.until(event, says)
        n.stop("an action that " + what)
    for what, command, event, says in (("is missing", "/no/such", "signal", "cannot run"),
                                       ("prints rubbish for ever", "yes rubbish", "line", "no line of JSON"),
                                       ("fails", "false", "signal", "ended with 1")):
        h.configure("[signal s]\nsubject = c.d\nevery = 100ms\ncommand = %s\n" % command)
        n = Node(h)
        n.until(event, says)
        n.stop("a signal that " + what)
    h.remove()


def a_broken_reload_keeps_the_old_configuration_and_says_why():
    h = Home()
    h.configure("[log]\nlevel = info\n")
    n = Node(h)
    at = 0
    for text, says in (("[log]\nlevle = x\n", "did you mean level?"), ("[carrier x]\nurl = pigeon://x\n", "no carrier pigeon"),
                       ("[signal x]\nsubject = a.b\ncount = 0\n", "nothing would end a window"),
                       (b"\x00\x01", "control character")):
        h.configure(text)
        n.p.send_signal(signal.SIGHUP)
        at = n.until("error", says, after=at)
        at = n.until("config", "kept the old", after=at)
    h.configure("[log]\nlevel = debug\n")
    n.p.send_signal(signal.SIGHUP)
    at = n.until("config", "log.level = debug", after=at)
    n.stop("reloaded five times")
    h.remove()


def term_twice_ends_it_too():
    h = Home()
    n = Node(h)
    for _ in range(2):
        n.p.send_signal(signal.SIGTERM)
    expect(n.p.wait(PATIENCE) in (0, 143), n.p.returncode)
    same(h("store", "check").code, 0)
    h.remove()


def d3_a_full_disk_is_told_and_ends_well():
    h = Home()
    place = h.file("small")
    os.mkdir(place)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", place],
                                           capture_output=True).returncode != 0:
        print("# not root, or no mounts here: full disk not tried")
        h.remove()
        return
    try:
        flags = ("--store", place + "/s.db", "--key", place + "/key")
        same(h("init", *flags).code, 0)
        n = Node(h, "--subject", "a.b", "--kind", "outcome", *flags)
        feeder = threading.Thread(target=feed, args=(n,), daemon=True)
        feeder.start()
        n.until("store")
        told = n.stop("the disk full")
        posted = sum(e == "posted" for e, _ in told)
        have = len(h("get", "a.b", "--last", "0", "--json", *flags).json())
        expect(have >= posted > 0, have, "stored of", posted, "that it told")
    finally:
        subprocess.run(["umount", "-l", place], check=False)
        h.remove()


def feed(node):
    try:
        for _ in range(20000):
            node.send('{"text":"%s"}\n' % ("y" * 150))
    except (OSError, ValueError):
        pass


main([nothing_to_do_is_fine, two_nodes_share_one_store, a_store_that_goes_away_is_told_and_so_is_what_it_did_not_take,
      a_carrier_that_goes_away_comes_back_with_what_waited, rubbish_on_stdin_is_named_and_passed_over,
      signals_and_actions_that_fail_stop_nobody, a_broken_reload_keeps_the_old_configuration_and_says_why,
      term_twice_ends_it_too, d3_a_full_disk_is_told_and_ends_well])
