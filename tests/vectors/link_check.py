#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""link_check.py LINK_VECTORS [COUNT]: is the C of the same mind as kith_link.py?

The golden file is what the program makes today, and what the second reader makes
of its bytes; then COUNT random frames, many spoilt, are judged alike.
After a wanted change of the format:
    build/tests/link_vectors golden > tests/vectors/link.json
"""
import json
import os
import subprocess
import sys

import kith_link as link

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = sys.argv[1]
SOAK = os.environ.get("KITH_SOAK") == "1"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 200000 if SOAK else 8000
SEED = os.environ.get("KITH_SEED", str(int.from_bytes(os.urandom(4), "big")) if SOAK else "20261121")


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:400]}, expected {str(want)[:400]}")


def golden():
    with open(os.path.join(HERE, "link.json"), encoding="ascii") as f:
        return f.read()


def second_opinion(raw):
    try:
        return {"hex": raw} | link.decode(bytes.fromhex(raw))
    except link.Refused:
        return {"hex": raw, "refused": True}


def golden_frames_are_made_again():
    made = subprocess.run([PROGRAM, "golden"], check=True, capture_output=True, text=True).stdout
    same(made, golden(), "link.json")


def golden_frames_are_read_alike():
    rows = json.loads(golden())["frames"]
    same(sorted({row["type"] for row in rows}), [1, 2, 3, 4, 5, 6, 7], "types")
    for row in rows:
        same(second_opinion(row["hex"]), row, row["hex"])


def spoilt_frames_are_judged_alike():
    out = subprocess.run([PROGRAM, "stream", SEED, str(COUNT)], check=True, capture_output=True, text=True).stdout
    refused = 0
    for line in out.splitlines():
        row = json.loads(line)
        mine = second_opinion(row["hex"])
        refused += "refused" in row
        if "refused" in row:
            row = {"hex": row["hex"], "refused": True}
        same(mine, row, f"seed {SEED}")
    if not COUNT / 10 < refused < COUNT * 9 / 10:
        raise AssertionError(f"{refused} of {COUNT} refused")


CASES = [golden_frames_are_made_again, golden_frames_are_read_alike, spoilt_frames_are_judged_alike]
BAD = 0
print(f"1..{len(CASES)}")
for i, case in enumerate(CASES):
    try:
        case()
        print(f"ok {i + 1} - {case.__name__}")
    except AssertionError as e:
        BAD = 1
        print(f"not ok {i + 1} - {case.__name__}\n# {e}")
sys.exit(BAD)
