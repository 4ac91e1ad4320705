#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What counts the tests is tested too: a failure it does not see would be worse
than none. TAP on stdout."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]
import faults  # noqa: E402
import run  # noqa: E402
import soak  # noqa: E402


def verdicts(stdout, result, **more):
    record = dict(name="kith:room / room/thing", stdout=stdout, result=result, returncode=1, **more)
    return [(case, verdict) for _, case, verdict, _ in run.cases(record)]


def every_line_of_tap_is_one_promise():
    return verdicts("ok 1 - a\nok 2 - b\n1..2\n", "OK") == [("a", "pass"), ("b", "pass")]


def a_test_without_tap_is_one_promise():
    return verdicts("some words\n", "OK") == [("room/thing", "pass")]


def a_failed_line_fails():
    return verdicts("ok 1 - a\n# why\nnot ok 2 - b\n1..2\n", "FAIL") == [("a", "pass"), ("b", "fail")]


def a_crash_after_good_lines_fails():
    got = verdicts("ok 1 - a\n", "ERROR")
    return got[0] == ("a", "pass") and got[-1][1] == "fail"


def a_hang_fails():
    return verdicts("", "TIMEOUT")[-1][1] == "fail"


def a_skip_is_no_pass_and_keeps_its_reason():
    record = dict(name="x / t", stdout="ok 1 - a # SKIP no tun\n1..1\n", result="SKIP", returncode=0)
    return run.cases(record) == [("t", "a", "skip", ["no tun"])]


def judged(ran):
    rows = [["W1", "room/thing", "w1_case", "1 of 1"]]
    old, faults.rows = faults.rows, lambda: rows
    owed, faults.OWED = faults.OWED, {"W1": "what"}
    try:
        return [v[2] for v in faults.judge(ran)]
    finally:
        faults.rows, faults.OWED = old, owed


def a_mapped_case_that_ran_passes():
    return judged([("room/thing", "w1_case", "pass", [])]) == ["pass"]


def a_mapped_case_that_did_not_run_fails():
    return judged([("room/thing", "w1_other", "pass", [])]) == ["fail"]


def a_mapped_case_that_was_skipped_fails():
    return judged([("room/thing", "w1_case", "skip", [])]) == ["fail"]


def a_mapped_case_red_in_one_leg_fails():
    return judged([("room/thing", "w1_case", "pass", []), ("room/thing", "w1_case", "fail", [])]) \
        == ["fail"]


def an_owed_case_without_a_line_fails():
    old, faults.rows = faults.rows, list
    try:
        return {v[2] for v in faults.judge([])} == {"fail"} \
            and len(faults.judge([])) == len(faults.OWED)
    finally:
        faults.rows = old


def soaked(folder, tree, verdict, tests):
    """Which of them a soak of that tree runs; each ends so."""
    book, ran = soak.Book(pathlib.Path(folder) / "soak.jsonl", tree), []

    def one(test):
        ran.append(test)
        return [(test, "case", verdict, [])]
    soak.each(book, tests, 2, one)
    return sorted(ran)


def a_soak_goes_on_behind_what_was_green_in_this_tree():
    with tempfile.TemporaryDirectory() as folder:
        return soaked(folder, "one", "pass", ["a", "b"]) == ["a", "b"] \
            and soaked(folder, "one", "pass", ["a", "b", "c"]) == ["c"] \
            and soaked(folder, "two", "pass", ["a", "b"]) == ["a", "b"]


def a_soak_runs_again_what_was_red_or_of_an_unknown_tree():
    with tempfile.TemporaryDirectory() as folder:
        return soaked(folder, "one", "fail", ["a"]) == soaked(folder, "one", "pass", ["a"]) == ["a"] \
            and soaked(folder, "", "pass", ["b"]) == soaked(folder, "", "pass", ["b"]) == ["b"]


def a_line_that_a_cut_left_half_spoils_no_other():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "soak.jsonl"
        soaked(folder, "one", "pass", ["a", "b"])
        path.write_text(path.read_text()[:-20])
        return len(soaked(folder, "one", "pass", ["a", "b"])) == 1 \
            and soaked(folder, "one", "pass", ["a", "b"]) == []


def a_soak_says_what_is_to_come():
    with tempfile.TemporaryDirectory() as folder:
        book = soak.Book(pathlib.Path(folder) / "soak.jsonl", "one")
        book.write("a", 600, [("a", "case", "pass", [])])
        book.write("b", 1200, [("b", "case", "fail", [])])
        return soak.words(book, ["a", "b", "c"], 2) == \
            "2 tests: about 10 minutes by the last time and 1 never measured, 1 were green in this tree"


def fuzz(target, seeds):
    with tempfile.TemporaryDirectory() as folder:
        for n in range(seeds):
            (pathlib.Path(folder) / str(n)).write_text("x")
        done = subprocess.run([ROOT / "fuzz/run.sh", target, folder], text=True, capture_output=True,
                              env=dict(os.environ, FUZZ_SECONDS="1"))
        return [line.split(" - ")[0] for line in done.stdout.splitlines() if " - " in line]


def a_fuzz_target_that_falls_is_red():
    return fuzz("/bin/false", 1) == ["not ok 1", "not ok 2"] and fuzz("/bin/true", 1)[0] == "ok 1"


def a_fuzz_target_without_a_corpus_is_red():
    return fuzz("/bin/true", 0)[0] == "not ok 1"


def setup(folder, uid, installed):
    """setup.sh on a machine of which we say what is there; apt notes its calls."""
    tools = {"dpkg-query": "shift 3; for p in $*; do " + ("echo installed $p; " if installed else ":; ")
             + "done", "id": f"echo {uid}", "apt-get": f'echo "$@" >> {folder}/apt'}
    for name, text in tools.items():
        path = pathlib.Path(folder) / name
        path.write_text("#!/bin/sh\n" + text + "\n")
        path.chmod(0o755)
    done = subprocess.run([ROOT / "tools/setup.sh", "build"], text=True, capture_output=True,
                          env=dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}"))
    log = pathlib.Path(folder) / "apt"
    return done, log.read_text() if log.exists() else ""


def without_root_setup_prints_one_command_and_fails():
    with tempfile.TemporaryDirectory() as folder:
        done, apt = setup(folder, 1000, False)
        commands = [line for line in done.stderr.splitlines() if "apt-get install" in line]
        return done.returncode != 0 and len(commands) == 1 and "meson" in commands[0] and apt == ""


def setup_says_what_it_installs_and_installs_it():
    with tempfile.TemporaryDirectory() as folder:
        done, apt = setup(folder, 0, False)
        return done.returncode == 0 and "libsodium-dev" in done.stdout and "libsodium-dev" in apt


def setup_leaves_a_ready_machine_alone():
    with tempfile.TemporaryDirectory() as folder:
        done, apt = setup(folder, 0, True)
        return done.returncode == 0 and done.stdout == "" and apt == ""


promises = [f for name, f in list(globals().items())
            if callable(f) and getattr(f, "__code__", None) and f.__code__.co_argcount == 0]
if not shutil.which("dpkg-query"):
    promises = [f for f in promises if "setup" not in f.__name__]
bad = 0
print(f"1..{len(promises)}")
for number, promise in enumerate(promises, 1):
    good = promise()
    bad += not good
    print(f"{'ok' if good else 'not ok'} {number} - {promise.__name__}")
sys.exit(bad > 0)
