# SPDX-License-Identifier: Apache-2.0
"""What the tests of whole systems share: nodes of their own, and TAP."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

PATIENCE = 120  # seconds; a hang guard, far beyond what anything takes
KITH = os.path.abspath(sys.argv[1])


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
                                cwd=self.home, **options)

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
