#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""template_check.py TEMPLATE_VECTORS [COUNT]: does the library read templates, contexts and
cells as the second reader does? Golden rows that were made once, then COUNT random documents
in random clothes. After a wanted change: KITH_RENEW=1 writes template.json anew."""
import json
import os
import pathlib
import random
import subprocess
import sys
import traceback

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
from kith_template import MEASURES, Template

VECTORS, COUNT = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1500
GOLDEN = HERE / "template.json"
DICE = random.Random(20261121)


def ask(cases):
    """What the library says of (document, values), one row each."""
    text = b"".join(b"%d %s\n%s" % (len(d.encode()), v.encode(), d.encode()) for d, v in cases)
    done = subprocess.run([VECTORS], input=text, stdout=subprocess.PIPE, check=True, timeout=280)
    return [row.split(" ") for row in done.stdout.decode().splitlines()]


def say(document, values):
    """The same by the second reader."""
    t = Template(document)
    row = [t.id.hex(), t.canonical.encode().hex()]
    try:
        context = t.context(values)
    except (ValueError, ZeroDivisionError):
        return row + ["outside"]
    posted, followed = t.cells(context)
    return row + [str(u) for u in context] + posted + followed


def number(low, high):
    x = DICE.uniform(low, high)
    return DICE.choice([f"{x:.3f}", f"{x:.17g}", f"{x:.2e}", f"{x:+.6f}", str(int(x))])


def transform():
    kind = DICE.choice(["linear", "log", "cyclic", "category", "table"])
    if kind == "linear":
        return "linear -10 50", number(-12, 52)
    if kind == "log":
        return "log 0.01 1e4", number(0.02, 9e3)
    if kind == "cyclic":
        return f"cyclic {DICE.choice(['24', '7', '365.25'])}", number(-40, 400)
    if kind == "category":
        return "category red green blue", DICE.choice(["red", "green", "blue"])
    return "table 0 1 4 9 16.5 100", number(0, 100)


def document():
    """Any legal one, its keys in any order, with comments and blanks."""
    count, values, parts, numbers = DICE.randrange(0, 13), [], [], 0
    for i in range(count):
        form, value = transform()
        numbers += 2 if form.startswith("cyclic") else 1
        if numbers > 16:
            break
        values.append(value)
        parts.append(f"[dimension d{i}]\n" + DICE.choice(["", "# why\n"]) + "transform" +
                     DICE.choice([" = ", "=", "\t=  "]) + form.replace(" ", DICE.choice([" ", "   "])))
    keys = [f"name = t{DICE.randrange(99)}", f"version = {DICE.randrange(1, 99)}",
            "measure = " + DICE.choice(MEASURES)]
    more = ["about = some words", "unit = 0.010", "unit=1e-3", "n-min = 7", "half-life = 48h", "ttl = 604800s",
            "ttl = 90d", "private = yes", "post-base = no", "prior-scale = .50", "effect-low = -2.0",
            "components = 1", "window = 60m"]
    chosen = {}
    for line in DICE.sample(more, DICE.randrange(0, 7)):
        chosen[line.split("=")[0].strip()] = line
    most = 8.0 * (8192 // ((numbers + 1) | 1)) / 65536 if numbers <= 9 else 0.5
    if numbers and DICE.random() < 0.9:
        chosen["radius"] = f"radius = {DICE.uniform(0.001, 0.9 * most):.5f}"
        if numbers <= 9 and DICE.random() < 0.5:
            chosen["levels"] = "levels = 0," + DICE.choice(["1", "2 , 5", "3,13"])
    keys += chosen.values()
    DICE.shuffle(keys)
    parts.insert(DICE.randrange(len(parts) + 1), "[template]\n" + "\n".join(keys))
    return DICE.choice(["", "; a comment\n\n"]) + "\n".join(parts) + DICE.choice(["", "\n"]), ", ".join(values)


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}\ngot  {got!r:.900}\nwant {want!r:.900}")


def golden_rows_come_out_again():
    rows = json.loads(GOLDEN.read_text())
    got = ask([(r["document"], r["values"]) for r in rows])
    for r, one in zip(rows, got):
        same(one, r["row"], r["document"])
        same(say(r["document"], r["values"]), r["row"], r["document"])


def random_documents_are_read_alike():
    cases = [document() for _ in range(COUNT)]
    cells = outside = 0
    for (text, values), got in zip(cases, ask(cases), strict=True):
        same(got, say(text, values), f"{text}\n{values}")
        cells += any(word.startswith("a.b.") for word in got)
        outside += got[-1] == "outside"
    print(f"# {COUNT} documents, {cells} with cells, {outside} with a value outside")
    same((cells > COUNT / 3, outside > 0), (True, True), "too few of a kind")


if os.environ.get("KITH_RENEW") == "1":
    cases = [document() for _ in range(40)]
    GOLDEN.write_text(json.dumps([{"document": d, "values": v, "row": say(d, v)} for d, v in cases], indent=1) + "\n")
bad = 0
for number_, case in enumerate([golden_rows_come_out_again, random_documents_are_read_alike], 1):
    try:
        case()
        good = True
    except Exception:
        good = False
        print("".join("# " + line for line in traceback.format_exc().splitlines(True)))
    bad += not good
    print(f"{'ok' if good else 'not ok'} {number_} - {case.__name__}", flush=True)
print("1..2")
sys.exit(bad != 0)
