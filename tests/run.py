#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that must be green: run.py [LEG...], all legs without a name.

A leg is one way to build the tree and run its tests. Building goes on in one
lane and testing in another, for half of the tests wait for the disk. What is
counted is one promise: a line `ok` or `not ok` of a test's TAP output, or the
test itself where it prints none. KITH_SOAK=1 asks for the long versions."""
import json
import os
import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent
SOAK = os.environ.get("KITH_SOAK") == "1"
SANE = ["-Db_lundef=false"]
# What a case needs must stand in its own code, not in the caller's habits.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("KITH_") or k == "KITH_SOAK"}


class Leg:
    def __init__(self, name, folder, cc, options=(), suites=(), patience=1, targets=()):
        self.name, self.folder, self.cc = name, ROOT / folder, cc
        self.options, self.suites, self.patience = list(options), list(suites), patience
        self.targets = list(targets)  # none: everything
        self.built = self.tested = 0.0
        self.results = []  # (test, case, verdict, words), verdict in "pass fail skip"
        self.slow = []     # (seconds, test)

    def count(self, verdict):
        return sum(r[2] == verdict for r in self.results)


# The laws of form are read once: from the tree and the first leg's objects.
LEGS = [
    Leg("gcc", "build", "gcc"),
    Leg("asan", "build-asan", "gcc", SANE + ["-Db_sanitize=address,undefined"],
        ["--no-suite", "tidy"], 4),
    Leg("clang", "build-clang", "clang", [], ["--no-suite", "tidy"]),
    Leg("tsan", "build-tsan", "gcc", SANE + ["-Db_sanitize=thread"], ["--suite", "threaded"], 6),
    Leg("fuzz", "build-fuzz", "clang", SANE + ["-Db_sanitize=address,undefined", "-Dfuzz=true"],
        ["--suite", "fuzz"], 2, ["fuzzers"]),
]

say_lock = threading.Lock()


def say(text):
    with say_lock:
        print(text, flush=True)


def command(leg, argv):
    """Runs in the leg's name; its words are shown only when it fails."""
    done = subprocess.run(argv, cwd=ROOT, env=dict(CLEAN, CC=leg.cc), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace")
    if done.returncode != 0:
        words = [line for line in done.stdout.splitlines() if not line.startswith("[")]
        say(f"{leg.name}: {' '.join(argv[:3])} failed\n" + "\n".join(words[-60:]))
    return done.returncode == 0


def build(leg):
    start = time.monotonic()
    good = (leg.folder / "build.ninja").exists() \
        or command(leg, ["meson", "setup", *leg.options, str(leg.folder)])
    good = good and command(leg, ["ninja", "-C", str(leg.folder), *leg.targets])
    leg.built = time.monotonic() - start
    if not good:
        leg.results.append(("build", "compiles", "fail", []))
    return good


TAP = re.compile(r"(not ok|ok)\b\s*\d*\s*(?:- )?(.*)")


def cases(record):
    """The promises in one line of meson's log."""
    test = record["name"].split(" / ")[-1]
    found, words = [], []
    for line in (record.get("stdout") or "").splitlines():
        tap = TAP.match(line)
        if not tap:
            words = (words + [line])[-12:]
            continue
        name, _, directive = tap[2].partition(" # ")
        skip = directive.upper().startswith("SKIP")
        verdict = "skip" if skip else "pass" if tap[1] == "ok" else "fail"
        found.append((test, name.strip(), verdict, [directive[4:].strip()] if skip else words))
        words = []
    words += (record.get("stderr") or "").splitlines()[-40:]
    result = record["result"]
    if result in ("OK", "EXPECTEDFAIL"):
        return found or [(test, test, "pass", [])]
    if result == "SKIP":
        return found or [(test, test, "skip", words[-1:])]
    if any(f[2] == "fail" for f in found):
        return found[:-1] + [found[-1][:3] + (found[-1][3] + words,)]
    return found + [(test, f"{result.lower()}, exit {record.get('returncode')}", "fail", words)]


def test(leg):
    start = time.monotonic()
    argv = ["meson", "test", "-C", str(leg.folder), "--no-rebuild", *leg.suites,
            "--timeout-multiplier", "0" if SOAK else str(leg.patience)]
    log = leg.folder / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    subprocess.run(argv, cwd=ROOT, env=CLEAN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for line in log.read_text().splitlines() if log.exists() else []:
        record = json.loads(line)
        leg.slow.append((record["duration"], record["name"].split(" / ")[-1]))
        leg.results += cases(record)
    if not leg.results:
        leg.results.append((leg.name, "runs any test at all", "fail", []))
    leg.tested = time.monotonic() - start
    report(leg)


def report(leg):
    for name, case, verdict, words in leg.results:
        if verdict == "fail":
            say("\n".join([f"not ok  {leg.name}: {name}: {case}"] + ["    " + w for w in words]))
    say(f"{leg.name:<6} built {leg.built:4.0f} s   tested {leg.tested:4.0f} s   "
        f"{leg.count('pass')} passed, {leg.count('fail')} failed, {leg.count('skip')} skipped")


def documents(legs):
    """What is written must be so: the fault map speaks of tests that really ran,
    and the pages of what is there."""
    sys.path.insert(0, str(ROOT / "tools"))
    import faults
    leg = Leg("docs", ".", "")
    leg.results = faults.judge([r for other in legs for r in other.results])
    argv = [sys.executable, ROOT / "tests/docs_test.py", ROOT, ROOT / "build/cli/kith"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    leg.results += cases({"name": "docs", "stdout": done.stdout, "returncode": done.returncode,
                          "result": "FAIL" if done.returncode else "OK"})
    report(leg)
    return leg


def main(names):
    start = time.monotonic()
    unknown = set(names) - {leg.name for leg in LEGS}
    if unknown:
        sys.exit(f"no leg {' '.join(unknown)}; there are {' '.join(leg.name for leg in LEGS)}")
    legs = [leg for leg in LEGS if not names or leg.name in names]
    ready = queue.Queue()

    def lane():
        for leg in iter(ready.get, None):
            test(leg)

    worker = threading.Thread(target=lane, daemon=True)
    worker.start()
    for leg in legs:
        say(f"{leg.name:<6} builds")
        if build(leg):
            ready.put(leg)
        else:
            report(leg)
    ready.put(None)
    worker.join()
    if not names:
        legs.append(documents(legs))

    slow = sorted(((s, f"{leg.name}: {t}") for leg in legs for s, t in leg.slow), reverse=True)
    say("\nslowest: " + ", ".join(f"{t} {s:.0f} s" for s, t in slow[:8] if s >= 1))
    skips = {}
    for leg in legs:
        for name, case, verdict, words in leg.results:
            if verdict == "skip":
                why = f"{name}: {case}: {' '.join(words) or 'no reason given'}"
                skips.setdefault(why, []).append(leg.name)
    for why, where in skips.items():
        say(f"skipped  {why}  ({', '.join(where)})")
    passed, failed, skipped = (sum(leg.count(v) for leg in legs) for v in ("pass", "fail", "skip"))
    say(f"after {(time.monotonic() - start) / 60:.1f} minutes")
    say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
