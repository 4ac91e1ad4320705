#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that must be green: run.py [LEG...] [TEST...], all without a name.

A leg is one way to build the tree and run its tests. Building goes on in one
lane and testing in another, for half of the tests wait for the disk. What is
counted is one promise: a line `ok` or `not ok` of a test's TAP output, or the
test itself where it prints none. Each leg has folders of its own for what is temporary,
and adopts the processes that its tests leave behind: neither may be left over.

KITH_SOAK=1 asks for the long versions: the legs of SOAKED, one test at a time by
name if need be: `KITH_SOAK=1 tests/run.py gcc store/power`. A soak that was cut off
goes on where it was (soak.py)."""
import ctypes
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import soak  # noqa: E402

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
        self.only = []                # tests by name; none: all of the suites
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
    # What whole programs do to each other does not hang on the compiler: gcc and ASan show it.
    Leg("clang", "build-clang", "clang", [],
        [word for suite in ("tidy", "conform", "system", "demo") for word in ("--no-suite", suite)]),
    Leg("tsan", "build-tsan", "gcc", SANE + ["-Db_sanitize=thread"], ["--suite", "threaded"], 6),
    Leg("fuzz", "build-fuzz", "clang", SANE + ["-Db_sanitize=address,undefined", "-Dfuzz=true"],
        ["--suite", "fuzz"], 2, ["fuzzers"]),
]

# What is long in one build is long enough; inputs never seen go into two more.
SOAKED = {"gcc": [], "asan": ["node/walk", "store/walk", "vectors"], "fuzz": ["--suite", "fuzz"]}
JOBS = (os.cpu_count() or 1) + 1  # at once: many of them wait for a disk or for a moment
ORPHAN_SECONDS = 60  # nothing that outlives its test needs longer to end by itself

say_lock = threading.Lock()


def say(text):
    with say_lock:
        print(text, flush=True)


OURS = set()  # pids of those that we started ourselves


def spawn(argv, env, **more):
    child = subprocess.Popen(argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, **more)
    OURS.add(child.pid)
    return child


def command(leg, argv):
    """Runs in the leg's name; its words are shown only when it fails."""
    child = spawn(argv, dict(CLEAN, CC=leg.cc), text=True, stdout=subprocess.PIPE,
                  stderr=subprocess.STDOUT, errors="replace")
    said, _ = child.communicate()
    if child.returncode != 0:
        words = [line for line in said.splitlines() if not line.startswith("[")]
        say(f"{leg.name}: {' '.join(argv[:3])} failed\n" + "\n".join(words[-60:]))
    return child.returncode == 0


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


def processes():
    """{pid: (parent, state, words)} of everybody."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        found[int(entry.name)] = (int(fields[1]), fields[0], words.strip())
    return found


class Orphanage:
    """Processes whose parents ended become ours. They may take a while to end; who does
    not is ended, and named. Nobody waits for ever on a pipe that one of them holds."""

    def __init__(self, ours):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
        self.ours, self.seen, self.named = ours, {}, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def look(self, patience):
        """Ends those that were seen for longer than that."""
        now = time.monotonic()
        for pid, (parent, state, words) in processes().items():
            if parent != os.getpid() or pid in self.ours:
                continue
            age = now - self.seen.setdefault(pid, now)
            if state == "Z" and age >= 2:  # by then we know which are our own
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
            elif state != "Z" and age >= patience:
                self.named.append(words or str(pid))
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def watch(self):
        while not self.over.wait(1):
            self.look(ORPHAN_SECONDS)

    def close(self):
        """The words of each that was left over."""
        self.over.set()
        self.thread.join()
        end = time.monotonic() + 5
        while time.monotonic() < end and any(
                p[0] == os.getpid() and p[1] != "Z" and pid not in self.ours
                for pid, p in processes().items()):
            time.sleep(0.1)
        self.look(0)
        return self.named


def scratch(leg):
    """Folders for what is temporary, on disk and in memory. Anybody may pass through:
    some tests give up being root."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folders = {"TMPDIR": tempfile.mkdtemp(prefix=f"kith-{leg.name}-"),
               "TEST_SHM": tempfile.mkdtemp(prefix=f"kith-{leg.name}-", dir=memory)}
    for folder in folders.values():
        os.chmod(folder, 0o711)
    return folders


def meson_tests(leg, folders, names, log):
    """Runs them, all of the leg's suites without a name; (seconds, test, results) of each."""
    argv = ["meson", "test", "-C", str(leg.folder), "--no-rebuild", "--logbase", log,
            "--timeout-multiplier", str(leg.patience * (20 if SOAK else 1)),
            "--num-processes", str(JOBS),
            *(names or leg.suites)]
    log = leg.folder / f"meson-logs/{log}.json"
    log.unlink(missing_ok=True)
    spawn(argv, dict(CLEAN, **folders), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
    for line in log.read_text().splitlines() if log.exists() else []:
        record = json.loads(line)
        yield record["duration"], record["name"].split(" / ")[-1], cases(record)


def names_of(leg):
    """The tests of a leg's suites, or those it was asked for."""
    argv = ["meson", "test", "-C", str(leg.folder), "--no-rebuild", "--list", *(leg.only or leg.suites)]
    listed = subprocess.run(argv, text=True, capture_output=True, env=CLEAN, check=False).stdout
    return [line.split(" / ", 1)[1] for line in listed.splitlines() if " / " in line]


def soak_tests(leg, folders):
    """Each test by itself, but for those that were green in this tree before."""
    tests, jobs = names_of(leg), os.cpu_count() or 1
    book = soak.Book(leg.folder / "soak.jsonl", soak.tree_of(ROOT))
    say(f"{leg.name:<6} {soak.words(book, tests, jobs)}")

    def one(name):
        found = list(meson_tests(leg, folders, [name], "soak-" + name.replace("/", "-").replace(" ", "-")))
        results = found[0][2] if found else [(name, "runs at all", "fail", [])]
        bad = [r[1] for r in results if r[2] == "fail"]
        say(f"{leg.name:<6} {'not ok' if bad else 'ok':<6} {name} {' '.join(bad)}".rstrip())
        return results

    soak.each(book, tests, jobs, one)
    for name in tests:
        rows = book.green.get(name) or book.last[name]
        yield book.took[name], name, [tuple(row) for row in rows]


def test(leg):
    start = time.monotonic()
    folders = scratch(leg)
    ran = soak_tests(leg, folders) if SOAK else meson_tests(leg, folders, leg.only, "testlog")
    for seconds, name, results in ran:
        leg.slow.append((seconds, name))
        leg.results += results
    for folder in folders.values():
        left = sorted(os.listdir(folder))
        leg.results.append(("leftovers", f"nothing is left in the {leg.name} leg's folder",
                            "fail" if left else "pass", left[:12]))
        shutil.rmtree(folder, ignore_errors=True)
    if all(r[0] == "leftovers" for r in leg.results):
        leg.results.append((leg.name, "runs any test at all", "fail", []))
    leg.tested = time.monotonic() - start
    report(leg)


def report(leg):
    for name, case, verdict, words in leg.results:
        if verdict == "fail":
            say("\n".join([f"not ok  {leg.name}: {name}: {case}"] + ["    " + w for w in words]))
    say(f"{leg.name:<6} built {leg.built:4.0f} s   tested {leg.tested:4.0f} s   "
        f"{leg.count('pass')} passed, {leg.count('fail')} failed, {leg.count('skip')} skipped")


def orphans(left):
    leg = Leg("after", ".", "")
    leg.results.append(("leftovers", "no process is left", "fail" if left else "pass", left))
    report(leg)
    return leg


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
    known = [leg.name for leg in LEGS]
    only = [name for name in names if name not in known]
    chosen = [name for name in names if name in known] or (list(SOAKED) if SOAK else known)
    legs = [leg for leg in LEGS if leg.name in chosen]
    for leg in legs:
        leg.only = only
        leg.suites = SOAKED.get(leg.name, leg.suites) if SOAK else leg.suites
    orphanage = Orphanage(OURS)
    ready = queue.Queue()

    def lane():
        for leg in iter(ready.get, None):
            try:
                test(leg)
            except Exception as fault:  # ours, and no reason to look green
                leg.results.append((leg.name, "is tested to the end", "fail", [repr(fault)]))
                report(leg)

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
    legs.append(orphans(orphanage.close()))
    if not names and not SOAK:
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
