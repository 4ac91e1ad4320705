#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/carriers.md is made here, from what `kith conform --json` prints.

carriers.py KITH                     run all, print the page
carriers.py KITH --one NAME PAGE     run one, in TAP; its column of PAGE must be equal
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

HARM = "repeat=10&reorder=10&seed=7"
URLS = {
    "mem": "mem://conform",
    "dir": "dir://{}/swarm",
    "sqlite": "sqlite://{}/shared.db",
    "tcp": "tcp://127.0.0.1:24550",
    "unix": "unix://{}/bus",
    "fifo": "fifo://{}/pipes",
    "udp": "udp://239.255.77.7:24550",
    "fault+mem": "fault+mem://conform?drop=10&" + HARM,
    "fault+dir": "fault+dir://{}/swarm?sync=os&drop=5&" + HARM,
    "fault+sqlite": "fault+sqlite://{}/shared.db?drop=5&" + HARM,
    "zmq tcp": "zmq://127.0.0.1:24550",
    "zmq ipc": "zmq://{}/bus",
    "fault+zmq": "fault+zmq://127.0.0.1:24550?drop=10&" + HARM,
    "fault+tcp": "fault+tcp://127.0.0.1:24550?drop=10&" + HARM,
    "fault+unix": "fault+unix://{}/bus?drop=10&" + HARM,
    "fault+fifo": "fault+fifo://{}/pipes?drop=10&" + HARM,
    "fault+udp": "fault+udp://239.255.77.7:24550?drop=10&" + HARM,
}
# Over a socket it is a matter of moments whether the wire or sync was first.
TIMED = ("tcp", "unix", "fifo", "udp")
HEAD = """# Carriers: one meaning, checked

Made by `make docs` from the output of `kith conform`; `make test` fails when this page is not what
is measured. Each row is a check of `kith conform URL`. **N**: the carrier did it natively. **E**: the
node did it for the carrier, seen from its counters in that run. *ok*: passed, and nothing was asked of
the carrier, or the wire harms on purpose or forgets at once what it has carried, so that who did
it is left to the dice. A small number: the
check does not apply, and the note says why.
"""


def run(kith, name):
    """The checks in order, and the summary."""
    with tempfile.TemporaryDirectory(prefix="kith-carriers-") as place:
        url = URLS[name].format(place)
        words = ["--long"] if os.environ.get("KITH_SOAK") else []
        done = subprocess.run([kith, "conform", "--json", url] + words, stdout=subprocess.PIPE,
                              env=dict(os.environ, TMPDIR=place))
        rows = [json.loads(x) for x in done.stdout.decode().splitlines()]
        left = os.listdir(place)
    return [r for r in rows if r["kind"] == "check"], rows[-1], done.returncode, left


def cell(name, check):
    """(text, note)"""
    if check["result"] == "failed":
        return "**failed**", None
    if check["result"] == "skipped":
        return "–", check["why"]
    if name.startswith(("fault+", "zmq")) or name in TIMED or check["by"] is None:
        return "ok", None
    return ("N" if check["by"] == "native" else "E"), None


def page(kith):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:  # they wait more than they work
        results = dict(zip(URLS, pool.map(lambda name: run(kith, name), URLS)))
    out = [HEAD]
    out.append("| | " + " | ".join(URLS) + " |")
    out.append("|---|" + "---|" * len(URLS))
    for title, pick in (("level", lambda s: s["level"]),
                        ("can", lambda s: " ".join(s["can"])),
                        ("checks passed", lambda s: str(s["passed"])),
                        ("not applicable", lambda s: str(s["skipped"]))):
        out.append(f"| *{title}* | " + " | ".join(pick(results[n][1]) for n in URLS) + " |")
    notes = []
    for i, first in enumerate(results["mem"][0]):
        cells = []
        for name in URLS:
            text, note = cell(name, results[name][0][i])
            if note is not None:
                if note not in notes:
                    notes.append(note)
                text = f"– {notes.index(note) + 1}"
            cells.append(text)
        out.append(f"| `{first['name']}` | " + " | ".join(cells) + " |")
    out.append("\nNotes\n")
    out += [f"{i + 1}. {n}" for i, n in enumerate(notes)]
    out.append("\nDigest of the state after one scripted history, on each of them:\n")
    digests = sorted({str(results[n][1]["digest"]) for n in URLS})
    out += [f"`{d}`" for d in digests]
    return "\n".join(out) + "\n"


def column(path, name):
    """What the page says of one carrier: {check: cell}, digests."""
    at, cells, notes, digests = None, {}, {}, []
    for line in open(path, encoding="utf-8"):
        parts = [p.strip() for p in line.strip().strip("|").split("|")]
        if line.startswith("| |"):
            at = parts.index(name) if name in parts else None
        elif line.startswith("| `") and at is not None:
            cells[parts[0].strip("`")] = parts[at]
        elif line[:1].isdigit():
            number, _, words = line.strip().partition(". ")
            notes[number] = words
        elif line.startswith("`") and len(line.strip()) == 66:
            digests.append(line.strip().strip("`"))
    return {k: (v.split()[0], notes.get(v.split()[-1]) if v.startswith("–") else None)
            for k, v in cells.items()}, digests


def one(kith, name, path):
    checks, end, code, left = run(kith, name)
    known, digests = column(path, name)
    number, bad = 0, False

    def tell(good, what, why=""):
        nonlocal number, bad
        number += 1
        bad = bad or not good
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if not good:
            print(f"# {why}")

    for c in checks:
        if c["result"] == "skipped":
            number += 1
            print(f"ok {number} - {c['name']} # SKIP {c['why']}")
        else:
            tell(c["result"] == "passed", c["name"], c["why"])
    measured = {c["name"]: cell(name, c) for c in checks}
    wrong = [f"{k}: {measured.get(k)} here, {known.get(k)} there"
             for k in sorted(set(measured) | set(known)) if measured.get(k) != known.get(k)]
    if known:
        tell(not wrong, "the page says what is measured", wrong)
    else:
        number += 1
        print(f"ok {number} - the page says what is measured # SKIP {name} is not on it yet")
    tell([end["digest"]] == digests, "the state is the one of all carriers",
         (end["digest"], digests))
    tell(code == (1 if any(c["result"] == "failed" for c in checks) else 0),
         "the exit code says the same", code)
    tell(len(checks) >= 60, "there are at least sixty checks", len(checks))
    tell(left == [], "nothing is left behind", left)
    print(f"1..{number}")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[2] == "--one":
        sys.exit(one(sys.argv[1], sys.argv[3], sys.argv[4]))
    sys.stdout.write(page(sys.argv[1]))
