# SPDX-License-Identifier: Apache-2.0
"""What the tests of whole systems share: nodes of their own, and TAP."""
import ctypes
import glob
import json
import os
import random
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = 120  # seconds; a hang guard, far beyond what anything takes
KITH = os.path.abspath(sys.argv[1])
SOAK = os.environ.get("KITH_SOAK") == "1"
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it


def fresh_dice(fixed):
    """The same dice each time; in a soak others, whose seed is printed. SEED repeats it."""
    seed = int(os.environ.get("SEED") or (random.SystemRandom().randrange(1 << 32) if SOAK else fixed))
    print(f"# SEED={seed}", flush=True)
    return random.Random(seed)


LIBC = ctypes.CDLL(None)
FAKE = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


def die_with_us():
    """In a child: who tests may be killed, and what is tested must not live on."""
    LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Skip(Exception):
    """This machine cannot show it; say why."""


class Node:
    """A home of its own, with a key, a store and nothing inherited."""

    def __init__(self, where, name, init=True):
        self.home = os.path.join(where, name)
        self.data = os.path.join(self.home, ".local", "share", "kith")
        self.store = os.path.join(self.data, "store.db")
        self.key = os.path.join(self.data, "key")
        self.config = os.path.join(self.home, ".config", "kith", "kith.conf")
        os.makedirs(self.home)
        self.env = {"HOME": self.home, "PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
        for name, value in os.environ.items():  # what sanitizers are told
            if name.endswith("SAN_OPTIONS"):
                self.env[name] = value
        if init:
            self.good("init")

    def start(self, *args, env=None, **more):
        pipe = subprocess.PIPE
        options = {"stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe}
        options.update(more)
        return subprocess.Popen([KITH, *args], env={**self.env, **(env or {})},
                                cwd=self.home, preexec_fn=die_with_us, **options)

    def remove(self):
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *args, text=b"", env=None):
        """(exit code, stdout, stderr); both as text."""
        text = text.encode() if isinstance(text, str) else text
        child = self.start(*args, env=env, stdin=subprocess.PIPE)
        try:
            out, err = child.communicate(text, PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            raise
        return child.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def good(self, *args, text=b"", env=None):
        code, out, err = self.run(*args, text=text, env=env)
        if code != 0:
            raise AssertionError(f"kith {' '.join(args)}: exit {code}\n{out[-2000:]}{err[-2000:]}")
        return out

    def json(self, *args, text=b""):
        """The objects that a command writes, whatever its exit code."""
        code, out, err = self.run(*args, "--json", text=text)
        return code, [json.loads(line) for line in out.splitlines()]

    def stored(self, pattern=">", *flags):
        """Objects of every stored packet."""
        code, rows = self.json("get", pattern, "--last", "0", *flags)
        assert code in (0, 1), code
        return rows


class Clock:
    """A wall clock that a running program sees change; the monotonic one is left alone."""

    def __init__(self, where, name, offset="+0"):
        if not FAKE:
            raise Skip("no faketime here")
        self.path = os.path.join(where, name)
        self.set(offset)
        self.env = {"LD_PRELOAD": FAKE[0], "FAKETIME_TIMESTAMP_FILE": self.path,
                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                    "DONT_FAKE_MONOTONIC": "1",
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set(self, offset):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(offset + "\n")
        os.rename(self.path + ".new", self.path)


class Log:
    """What a running `run --json` says on stderr, object by object."""

    def __init__(self, child):
        self.child, self.events, self.rest, self.kept = child, [], "", b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(child.stderr, selectors.EVENT_READ)

    def next(self, end):
        """The next object; None when the program is gone."""
        while b"\n" not in self.kept:
            if not self.selector.select(max(0, end - time.monotonic())):
                raise AssertionError(f"it says nothing more; last {self.events[-3:]} {self.rest}")
            piece = os.read(self.child.stderr.fileno(), 65536)
            if not piece:
                return None
            self.kept += piece
        line, self.kept = self.kept.split(b"\n", 1)
        try:
            event = json.loads(line)
        except ValueError:
            self.rest += line.decode(errors="replace") + "\n"
            return self.next(end)
        if event["kind"] == "error":
            event["event"] = "error"
        self.events.append(event)
        return event

    def until(self, so, patience=PATIENCE):
        """Until so(), or until the program is gone."""
        end = time.monotonic() + patience
        while not so() and self.next(end) is not None:
            pass
        return so()

    def wait(self, name, times=1):
        """Until an event of that name was seen so many times; the last of them."""
        if not self.until(lambda: self.count(name) >= times):
            raise AssertionError(f"ended before {name}: {self.events[-3:]} {self.rest}")
        return next(e for e in reversed(self.events) if e["event"] == name)

    def count(self, name):
        return sum(e["event"] == name for e in self.events)

    def end(self):
        """Reads on to the end; the exit code."""
        while self.next(time.monotonic() + PATIENCE) is not None:
            pass
        self.selector.close()
        for pipe in (self.child.stderr, self.child.stdout, self.child.stdin):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass
        return self.child.wait(PATIENCE)


class Run:
    """A `run --json` that posts what it is fed."""

    def __init__(self, node, *flags, env=None):
        self.child = node.start("run", "--subject", "x.y", "--kind", "outcome", "--json", *flags,
                                stdin=subprocess.PIPE, env=env)
        self.log = Log(self.child)

    def feed(self, numbers):
        try:
            self.child.stdin.write("".join(evidence(i) for i in numbers).encode())
            self.child.stdin.flush()
        except BrokenPipeError:
            pass
        return self

    def posted(self):
        """How each packet's id begins that was told to be safe."""
        return [e["text"].split()[0] for e in self.log.events if e["event"] == "posted"]

    def kill(self):
        self.child.kill()
        self.log.end()
        return self.posted()

    def stop(self):
        self.child.terminate()
        equal(self.log.end(), 0, f"after TERM {self.log.events[-5:]} {self.log.rest}")
        return self.posted()


def evidence(i):
    return json.dumps({"effect": i % 1000 / 100, "se": 0.1, "n": i + 1}) + "\n"


def whole(node, told, say=""):
    """Everything told is stored, once, under places of its own, and the store is whole."""
    rows = node.stored(">", "--retracted")
    ids = {row["id"] for row in rows}
    short = {one[:16] for one in ids}
    equal([one for one in told if one not in (ids if len(one) > 16 else short)], [], f"{say} lost")
    equal(len(ids), len(rows), f"{say} twice")
    equal(len({(row["source"], row["epoch"], row["seq"]) for row in rows}), len(rows),
          f"{say} places used twice")
    code, out, err = node.run("store", "check")
    equal(code, 0, f"{say} check {err}")
    return ids


def wait_until(so, say):
    """Asks again and again; a hang guard, not a measurement."""
    end = time.monotonic() + PATIENCE
    while not so():
        expect(time.monotonic() < end, "never:", say)


def spin(dice, most):
    """Some instants, so that a kill hits anywhere."""
    for _ in range(dice.randrange(most)):
        pass


def expect(condition, *say):
    if not condition:
        raise AssertionError(" ".join(str(one) for one in say) or "expected otherwise")


def equal(got, want, say=""):
    if got != want:
        raise AssertionError(f"{say}: got {got!r:.300}, want {want!r:.300}")


def main(cases):
    """Each case gets an empty folder. Names on the command line choose."""
    chosen = sys.argv[2:]
    bad = number = 0
    for case in cases:
        if chosen and case.__name__ not in chosen:
            continue
        number += 1
        where = tempfile.mkdtemp(prefix="kith-")
        skip = ""
        good = True
        try:
            case(where)
        except Skip as why:
            skip = f" # SKIP {why}"
        except Exception:
            good = False
            for line in traceback.format_exc().splitlines():
                print("#", line)
        shutil.rmtree(where, ignore_errors=True)
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {case.__name__}{skip}", flush=True)
    print(f"1..{number}")
    sys.exit(bad != 0 or number == 0)
