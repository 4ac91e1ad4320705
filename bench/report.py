#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md from bench/results.json, which `make bench` writes.

report.py          write the page
report.py --check  fail when the page is not what the results say
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results.json"
PAGE = ROOT / "docs" / "performance.md"

HEAD = """# Performance

Made by `make bench`; no other document states a figure. Each row runs ours and a peer in
turns in one run (A B A B ..., {rounds} rounds after a warm-up) and the **ratio** ours / peer is
the result: the median of the rounds, with the smallest and the largest. Absolute figures are
leads, for this machine alone. *Idle* is the share of the machine that nobody else used
meanwhile; below 80 % a row is marked noisy. Peers are used as their manuals say for speed, do
the same work and give the same durability; how, stands below.

{cpu}, {cores} cores, Linux {kernel}; {compiler}, `{flags}`; {date}.
"""


def figure(value, unit):
    """Three significant digits; nanoseconds as a person would say them."""
    names = ["ns", "µs", "ms", "s"] if unit == "ns" else [p + unit for p in ("", "k", "M", "G")]
    limit = 1e3 if unit == "ns" else 1e4
    step = 0
    while step < 3 and abs(value) >= limit:
        value /= 1e3
        step += 1
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {names[step]}"


def row(line):
    ratio = f"{line['ratio']:.3g} ({line['low']:.3g}–{line['high']:.3g})"
    if line.get("unpinned_ratio"):
        ratio += f", unpinned {line['unpinned_ratio']:.3g}"
    target = f"{'≥' if line['at_least'] else '≤'} {line['target']:g}"
    idle = f"{100 * line['idle']:.0f} %" if line["idle"] >= 0 else "?"
    cells = [f"`{line['name']}`", line["what"], figure(line["ours"], line["unit"]),
             figure(line["peer"], line["unit"]), ratio, target,
             "yes" if line["met"] else "**no**", idle + (" *noisy*" if line["noisy"] else "")]
    return "| " + " | ".join(cells) + " |"


def latency(line, side):
    h = line[side + "_latency_ns"]
    cells = [f"`{line['name']}`", line[side + "_is"]]
    cells += [figure(h[q], "ns") for q in ("p50", "p99", "p999", "max")] + [str(h["count"])]
    return "| " + " | ".join(cells) + " |"


def page(results):
    machine, lines = results[0], results[1:]
    rounds = max((line["rounds"] for line in lines), default=0)
    out = [HEAD.format(rounds=rounds, **machine)]
    if not machine["full"]:
        out.append("**A quick run, for developing; not for the record.**\n")
    out.append("| row | what | ours | peer | ratio | target | met | idle |\n"
               "|---|---|--:|--:|--:|--:|---|--:|")
    out += [row(line) for line in lines]
    timed = [(line, side) for line in lines for side in ("ours", "peer")
             if side + "_latency_ns" in line]
    if timed:
        out.append("\nLatency from the moment an operation was due:\n\n"
                   "| row | side | p50 | p99 | p99.9 | max | operations |\n"
                   "|---|---|--:|--:|--:|--:|--:|")
        out += [latency(line, side) for line, side in timed]
    out.append("\nThe peers:\n")
    seen = {}
    for line in lines:
        seen.setdefault(line["peer_setup"], []).append(f"`{line['name']}`")
    out += [f"- {', '.join(names)}: {setup}" for setup, names in seen.items()]
    return "\n".join(out) + "\n"


def main():
    if not RESULTS.exists():
        print("no bench/results.json: `make bench` writes it", file=sys.stderr)
        return 1 if "--check" in sys.argv and PAGE.exists() else 0
    text = page(json.loads(RESULTS.read_text()))
    if "--check" not in sys.argv:
        PAGE.write_text(text)
        return 0
    if not PAGE.exists() or PAGE.read_text() != text:
        print("docs/performance.md is not what bench/results.json says: bench/report.py",
              file=sys.stderr)
        return 1
    return 0


sys.exit(main())
