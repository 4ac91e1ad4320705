#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sync_check.py SYNC_VECTORS [COUNT]: is the C of the same mind as kith_sync.py?

The golden file is what the program makes today, and what the second reader makes
of its bytes; then COUNT random frames, many spoilt, are judged alike.
After a wanted change of the format:
    build/tests/sync_vectors golden > tests/vectors/sync.json
"""
import json
import os
import subprocess
import sys

import kith_sync as sync

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = sys.argv[1]
SOAK = os.environ.get("KITH_SOAK") == "1"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 200000 if SOAK else 8000
SEED = os.environ.get("KITH_SEED", str(int.from_bytes(os.urandom(4), "big")) if SOAK else "20261121")


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:400]}, expected {str(want)[:400]}")


def golden():
    with open(os.path.join(HERE, "sync.json"), encoding="ascii") as f:
        return f.read()


def second_opinion(raw):
    try:
        return {"hex": raw} | sync.decode(bytes.fromhex(raw))
    except sync.Refused:
        return {"hex": raw, "refused": True}


def golden_frames_are_made_again():
    made = subprocess.run([PROGRAM, "golden"], check=True, capture_output=True, text=True).stdout
    same(made, golden(), "sync.json")


def golden_frames_are_read_alike():
    rows = json.loads(golden())["frames"]
    read = {row["type"] for row in rows if "refused" not in row}  # rolled frames may be bad
    same(sorted(read), [1, 2, 3, 4], "types")
    for row in rows:
        same(second_opinion(row["hex"]), row, row["hex"])


def what_follows_from_a_nonce_is_the_same():
    for row in json.loads(golden())["derived"]:
        sum_key, tag_key, check_key = sync.salt(bytes.fromhex(row["nonce"]))
        ids = [bytes.fromhex(i) for i, _ in row["ids"]]
        # numbers on the wire are big endian, SipHash's own output is bytes
        tags = [sync.siphash(tag_key, i) for i in ids]
        same([t.hex() for t in tags], [t for _, t in row["ids"]], "tags")
        same(sync.root(sum_key, ids), row["root"], "root")
        pairs = [(int.from_bytes(t, "big"), int.from_bytes(sync.siphash(check_key, t)[:4], "big")) for t in tags]
        same(sync.cells(pairs, 24), row["cells"], "cells")


def a_scope_has_one_name_on_both_sides():
    got = json.loads(golden())["scopes"]
    low, high, lists = bytes([1]) + bytes(31), bytes([2]) + bytes(31), ([b">"], [b"b.>", b"a.x"])
    same(got["same"], sync.scope((low, lists[1])), "same")
    same(got["other"], sync.scope((low, lists[0]), (high, lists[1])), "other")
    same(got["turned"], got["other"], "turned")


def random_frames_are_judged_alike():
    tally = {}
    with subprocess.Popen([PROGRAM, "stream", SEED, str(COUNT)], stdout=subprocess.PIPE, text=True) as c:
        for row in map(json.loads, c.stdout):
            same(second_opinion(row["hex"]), row, row["hex"])
            kind = "refused" if "refused" in row else row["type"]
            tally[kind] = tally.get(kind, 0) + 1
        same(c.wait(), 0, "exit code")
    print("# seed", SEED, tally)
    same(sum(tally.values()), COUNT, "frames")
    same(len(tally) == 5 and min(tally.values()) > COUNT / 20, True, "a mixed stream")


CASES = [
    golden_frames_are_made_again,
    golden_frames_are_read_alike,
    what_follows_from_a_nonce_is_the_same,
    a_scope_has_one_name_on_both_sides,
    random_frames_are_judged_alike,
]

if __name__ == "__main__":
    bad = 0
    for number, case in enumerate(CASES, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}")
        except (AssertionError, KeyError, ValueError) as e:
            bad += 1
            print(f"# {e}\nnot ok {number} - {case.__name__}")
    print(f"1..{len(CASES)}")
    sys.exit(bad != 0)
