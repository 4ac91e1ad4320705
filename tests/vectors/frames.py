# SPDX-License-Identifier: Apache-2.0
"""What the checkers of frame formats share: a golden file that the C program makes
today, a second reader of its bytes, and random frames, many spoilt, judged alike."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = sys.argv[1]
SOAK = os.environ.get("KITH_SOAK") == "1"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 200000 if SOAK else 8000
SEED = os.environ.get("KITH_SEED", str(int.from_bytes(os.urandom(4), "big")) if SOAK else "20261121")


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:400]}, expected {str(want)[:400]}")


class Format:
    """One format: its golden file, and the module that reads it a second time."""

    def __init__(self, name, reader):
        self.name, self.reader = name, reader

    def text(self):
        with open(os.path.join(HERE, self.name), encoding="ascii") as f:
            return f.read()

    def golden(self):
        return json.loads(self.text())

    def made_again(self):
        made = subprocess.run([PROGRAM, "golden"], check=True, capture_output=True, text=True).stdout
        same(made, self.text(), self.name)

    def second_opinion(self, raw):
        try:
            return {"hex": raw} | self.reader.decode(bytes.fromhex(raw))
        except self.reader.Refused:
            return {"hex": raw, "refused": True}

    def read_alike(self, types):
        """Rolled frames may be refused; of the others each type is there."""
        rows = self.golden()["frames"]
        same(sorted({row["type"] for row in rows if "refused" not in row}), types, "types")
        for row in rows:
            row = {"hex": row["hex"], "refused": True} if "refused" in row else row
            same(self.second_opinion(row["hex"]), row, row["hex"])

    def stream_judged_alike(self):
        """How many of each type, and how many were refused by both."""
        tally = {}
        with subprocess.Popen([PROGRAM, "stream", SEED, str(COUNT)], stdout=subprocess.PIPE, text=True) as c:
            for row in map(json.loads, c.stdout):
                kind = "refused" if "refused" in row else row["type"]
                row = {"hex": row["hex"], "refused": True} if kind == "refused" else row
                same(self.second_opinion(row["hex"]), row, f"seed {SEED}, {row['hex']}")
                tally[kind] = tally.get(kind, 0) + 1
            same(c.wait(), 0, "exit code")
        print("# seed", SEED, tally)
        same(sum(tally.values()), COUNT, "frames")
        return tally


def main(cases):
    bad = 0
    for number, case in enumerate(cases, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}")
        except (AssertionError, KeyError, ValueError) as e:
            bad += 1
            print(f"# {e}\nnot ok {number} - {case.__name__}")
    print(f"1..{len(cases)}")
    sys.exit(bad != 0)
