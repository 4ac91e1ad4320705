#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which test proves which fault case. tests/faults.tsv is the map; a line is
    CASE <tab> meson test <tab> test case <tab> figure in words
`faults.py check` holds it against the cases owed, `faults.py page` prints
docs/faults.md, and tests/run.py asks judge() whether each test really ran."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What must be survived so far. A case that stands here and has no line fails.
OWED = {
    "W1": "a packet cut short anywhere is refused",
    "W2": "a signed packet with any one bit flipped is refused",
    "W3": "numbers outside their range never reach the pool",
    "W4": "odd characters, lengths and wildcards in a subject are refused",
    "W5": "a prefix of bytes is not a prefix of tokens: `clinical` never gets `clinicalx`",
    "W6": "a frame larger than a packet costs a peer its turn and us no memory",
    "W7": "an unknown version or trailing bytes are skipped and counted",
    "W9": "a packet that comes a thousand times, in any order, counts once",
    "W10": "a message of the wrong number of frames is dropped whole, the next is read",
    "D1": "a power cut after any write loses nothing acknowledged",
    "D2": "a kill at any moment loses nothing acknowledged",
    "D3": "no space, input/output error or short write at any call: an error, never a false ok",
    "D4": "after a failed fsync nothing is acknowledged through that handle",
    "D5": "a flipped bit in store, log or key is found, and the store quarantined",
    "D6": "a locked database costs a bounded wait",
    "D7": "a shared folder with half files, links and odd clocks gives whole packets only",
    "D8": "a folder that vanishes or turns read-only refuses loudly and recovers",
    "D9": "a reader that hangs cannot grow the log past its bound",
    "P7": "every allocation that fails gives an error, no leak and no crash",
    "A9": "a key that others may read or replace, or that a commit would publish, is refused",
    "B5": "the same packet over two carriers counts once, and both are named",
    "O5": "a sender of a hundred times its share is shed, and harms no other",
    "O6": "a wire that is cut, goes one way or flaps loses nothing that was acknowledged",
    "O7": "loss, delay, doubles and another order: every packet arrives, once",
    "C1": "a clock ten years off is refused and spoils no other",
    "C3": "an hour asleep: what expired is gone, links are back, no storm",
    "C4": "the edges of time counters do not turn time round",
}


def order(case):
    return case[0], int(case[1:])


def rows():
    found = []
    for number, line in enumerate((ROOT / "tests/faults.tsv").read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4 or not re.fullmatch(r"[A-Z][0-9]+", cells[0]) or not all(cells):
            sys.exit(f"tests/faults.tsv:{number}: want CASE, test, case and figure, with tabs between")
        found.append(cells)
    return found


def missing():
    return sorted(set(OWED) - {row[0] for row in rows()}, key=order)


def judge(results):
    """Verdicts on the map, from (test, case, verdict, words) of everything that ran."""
    ran = {}
    for test, case, verdict, _ in results:
        ran.setdefault((test, case), set()).add(verdict)
    verdicts = [("faults", f"{case} has a test", "fail", []) for case in missing()]
    for fault, test, case, _ in rows():
        seen = ran.get((test, case), set())
        why = [] if "pass" in seen and "fail" not in seen else \
            ["it failed" if "fail" in seen else "it was skipped" if seen else "it did not run"]
        verdicts.append(("faults", f"{fault} is proved by {test}: {case}",
                         "fail" if why else "pass", why))
    return verdicts


def page():
    lines = ["# What must be survived, and the test that shows it", "",
             "Made by `make docs` from `tests/faults.tsv`. `make test` fails when a test named here is",
             "missing, skipped or red. One of them alone: `meson test -C build TEST`, or its program in",
             "`build/` with the name of the case as argument.", "",
             "| case | what | test | shown by | figure |", "|---|---|---|---|---|"]
    last = None
    for fault, test, case, figure in sorted(rows(), key=lambda r: (order(r[0]), r[1], r[2])):
        what = OWED.get(fault, "") if fault != last else ""
        lines.append(f"| {fault} | {what} | {test} | {case} | {figure} |")
        last = fault
    return "\n".join(lines) + "\n"


def check():
    bad = 0
    for case in missing():
        print(f"tests/faults.tsv: no line for {case}: {OWED[case]}")
        bad = 1
    path = ROOT / "docs/faults.md"
    if not path.exists() or path.read_text() != page():
        print("docs/faults.md is not what tests/faults.tsv says: run `make docs`")
        bad = 1
    return bad


if __name__ == "__main__":
    if sys.argv[1:] == ["page"]:
        sys.stdout.write(page())
    elif sys.argv[1:] == ["check"]:
        sys.exit(check())
    else:
        sys.exit("usage: faults.py check|page")
