#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""legacy_check.py LEGACY_VECTORS: is the C of the same mind as kith_legacy.py?

The golden bytes of docs/formats/legacy.md, then random packets and damaged ones, from
a seed that is printed: KITH_SEED chooses it. KITH_SOAK=1: more, and a new seed."""
import json
import math
import os
import random
import shlex
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import kith_legacy as kith  # noqa: E402

PROGRAM = [*shlex.split(os.environ.get("MESON_EXE_WRAPPER", "")), sys.argv[1]]
SOAK = os.environ.get("KITH_SOAK") == "1"
COUNT = 200000 if SOAK else 4000
SEED = os.environ.get("KITH_SEED", str(int.from_bytes(os.urandom(4), "big")) if SOAK else "20261121")
DICE = random.Random(int(SEED))
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "formats", "legacy.md")

GOLDEN0 = {"domain": "clinical.radiology.ct", "node_id": "0123456789abcdef",
           "context_hash": "fedcba9876543210", "outcome_delta": 0.125, "confidence": 0.875,
           "n_observations": 100, "timestamp": 1750000000.0}
GOLDEN0_TOPIC = "qis.clinical.radiology.ct.d+0.1"
GOLDEN0_HEX = ("3e0000003f6000000000006441da13b8600000000000000000000000636c696e6963616c2e726164"
               "696f6c6f67792e63747c303132333435363738396162636465667c66656463626139383736353433"
               "323130")
GOLDEN1 = (b'{"agent_id": "hvac-building-a", "domain": "hvac", "problem_class": "energy-anomaly", '
           b'"conclusion": "Compressor draw 18% above baseline at 14:32. Possible refrigerant '
           b'loss.", "confidence": 0.87, "context_vector": [0.18, 0.92, 0.03, 0.71], '
           b'"timestamp": 1750000000.25, "source_node": "building-a-floor-3"}')


def ask(lines):
    done = subprocess.run(PROGRAM, input="".join(line + "\n" for line in lines), check=True,
                          capture_output=True, text=True)
    answers = done.stdout.splitlines()
    same(len(answers), len(lines), "answers")
    return answers


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:300]}, expected {str(want)[:300]}")


def hexed(raw):
    raw = raw.encode() if isinstance(raw, str) else raw
    return raw.hex() or "-"


def fields(p):
    return " ".join([hexed(p["domain"]), hexed(p["node_id"]), hexed(p["context_hash"]),
                     p["outcome_delta"].hex(), p["confidence"].hex(), str(p["n_observations"]),
                     p["timestamp"].hex()])


def token(most=12):
    return "".join(DICE.choice("abcdefgh0123456789_-") for _ in range(DICE.randint(1, most)))


def words(most):
    letters = "abc XYZ.,:%é温😀\"\\/"
    return "".join(DICE.choice(letters) for _ in range(DICE.randint(0, most)))


def packet0():
    n = DICE.choice([1, 100, 2**31 - 1, DICE.randint(1, 10**6)])
    # Deltas with few decimals are where a bucket ends.
    delta = DICE.choice([DICE.uniform(-1, 1), DICE.randint(-100, 100) / 100, DICE.randint(-10, 10) / 10])
    return {"domain": ".".join(token() for _ in range(DICE.randint(1, 8)))[:128].strip("."),
            "node_id": token(32), "context_hash": token(32), "outcome_delta": delta,
            "confidence": DICE.choice([0.0, 1.0, DICE.random()]), "n_observations": n,
            "timestamp": DICE.choice([1.75e9, DICE.uniform(1, 4e9)])}


def packet1():
    return {"agent_id": words(20), "domain": ".".join(token() for _ in range(DICE.randint(1, 3))),
            "problem_class": ".".join(token() for _ in range(DICE.randint(1, 3))),
            "conclusion": words(60), "confidence": DICE.random(),
            "context_vector": [DICE.choice([DICE.random(), round(DICE.random(), 2), DICE.gauss(0, 1e9)])
                               for _ in range(DICE.randint(0, 8))],
            "timestamp": DICE.uniform(1, 4e9), "source_node": words(20)}


def damaged(raw):
    raw = bytearray(raw)
    for _ in range(DICE.randint(1, 3)):
        at = DICE.randrange(len(raw)) if raw else 0
        kind = DICE.randrange(4)
        if kind == 0:
            raw[at:at + 1] = bytes([DICE.randrange(256)])
        elif kind == 1:
            del raw[at:at + DICE.randint(1, 4)]
        elif kind == 2:
            raw[at:at] = DICE.choice([b"|", b"\xff", b"\0", b"1", b'"', b",", b"NaN", b"\\n", b"\xc3"])
        elif len(raw) >= 28:
            raw[DICE.choice([0, 4]):][:4] = b""
            raw[0:4] = struct.pack("!f", DICE.choice([float("nan"), 2.0, -1.0, float("inf")]))
    return bytes(raw)


def verdict(make):
    try:
        return make()
    except kith.Refused as why:
        return f"refused {why}"


def seed_0_golden_bytes_are_those_of_the_page():
    with open(PAGE, encoding="utf-8") as f:
        page = "".join(f.read().split())
    for text in (GOLDEN0_TOPIC, GOLDEN0_HEX, GOLDEN1.decode()):
        same("".join(text.split()) in page, True, text)
    same(kith.encode0(GOLDEN0), (GOLDEN0_TOPIC.encode(), bytes.fromhex(GOLDEN0_HEX)), "Python")
    id0 = kith.legacy_id(0, GOLDEN0_TOPIC.encode(), bytes.fromhex(GOLDEN0_HEX))
    same(ask([f"w {fields(GOLDEN0)}"]), [f"{hexed(GOLDEN0_TOPIC)} {GOLDEN0_HEX} {id0}"], "C")


def seed_0_is_written_alike():
    packets = [packet0() for _ in range(COUNT)]
    answers = ask([f"w {fields(p)}" for p in packets])
    for p, answer in zip(packets, answers):
        name, raw = kith.encode0(p)
        same(answer, f"{hexed(name)} {hexed(raw)} {kith.legacy_id(0, name, raw)}", p)


def seed_0_is_read_alike():
    pairs = []
    for _ in range(COUNT):
        name, raw = kith.encode0(packet0())
        lot = DICE.randrange(4)
        pairs.append((damaged(name) if lot == 1 else name, damaged(raw) if lot >= 2 else raw))
    answers = ask([f"0 {hexed(name)} {hexed(raw)}" for name, raw in pairs])
    refused = set()
    for (name, raw), answer in zip(pairs, answers):
        want = verdict(lambda: kith.decode0(name or None, raw))
        if isinstance(want, str):
            refused.add(want)
            same(answer, want, (name, raw))
        else:
            got = answer.split()
            same([float.fromhex(got[3]), float.fromhex(got[4]), int(got[5]), float.fromhex(got[6])],
                 [want[k] for k in ("outcome_delta", "confidence", "n_observations", "timestamp")], raw)
            same(got[:3], [hexed(want[k]) for k in ("domain", "node_id", "context_hash")], raw)
    same(len(refused) >= 7, True, f"only {sorted(refused)}")


def seed_0_replies_are_what_json_dumps_writes():
    packets = [packet0() for _ in range(COUNT // 4)]
    for extended in (0, 1):
        answers = ask([f"q {extended} {fields(p)}" for p in packets])
        for p, answer in zip(packets, answers):
            same(answer, kith.reply([p], bool(extended)), p)


def numbers_are_what_repr_writes():
    numbers = [2.0**e for e in range(-1074, 1024)] + [10.0**e for e in range(-30, 30)]
    numbers += [math.nextafter(2.0**e, 0.0) for e in range(-1000, 1000, 7)]
    numbers += [kith.float32(DICE.random()) for _ in range(COUNT)]
    while len(numbers) < 4 * COUNT:
        x = struct.unpack("!d", DICE.randbytes(8))[0]
        if math.isfinite(x):
            numbers.append(x)
    for x, answer in zip(numbers, ask([f"r {x.hex()}" for x in numbers])):
        same(answer, repr(x), x.hex())


def seed_1_golden_bytes_come_back():
    same(len(GOLDEN1), 302, "length")
    same(kith.encode1(kith.decode1(GOLDEN1)), GOLDEN1, "Python")
    same(ask([f"1 {hexed(GOLDEN1)}"]), [GOLDEN1.decode()], "C")


def seed_1_is_written_and_read_alike():
    texts = []
    for _ in range(COUNT):
        p = packet1()
        compact = DICE.random() < 0.2
        raw = json.dumps(p, ensure_ascii=not compact, separators=(",", ":") if compact else None).encode()
        texts.append(damaged(raw) if DICE.random() < 0.5 else raw)
    answers = ask([f"1 {hexed(raw)}" for raw in texts])
    refused, taken = set(), 0
    for raw, answer in zip(texts, answers):
        want = verdict(lambda: kith.encode1(kith.decode1(raw)).decode())
        refused.add(want if want.startswith("refused") else "")
        taken += not want.startswith("refused")
        same(answer, want, raw)
    same(len(refused) >= 6 and taken > COUNT // 4, True, f"only {sorted(refused)}, {taken} taken")


def every_counter_is_on_the_page():
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    with open(os.path.join(os.path.dirname(PAGE), "../../src/legacy/reason.c"), encoding="utf-8") as f:
        counters = [line.split('"')[1] for line in f.read().split("ROW(KITH_L_")[1:]]
    same([c for c in counters if f"`{c}`" not in page], [], "not on the page")


CASES = [seed_0_golden_bytes_are_those_of_the_page, seed_0_is_written_alike, seed_0_is_read_alike,
         seed_0_replies_are_what_json_dumps_writes, numbers_are_what_repr_writes,
         seed_1_golden_bytes_come_back, seed_1_is_written_and_read_alike, every_counter_is_on_the_page]


def main():
    bad = 0
    print(f"# SEED {SEED}\n1..{len(CASES)}")
    for n, case in enumerate(CASES, 1):
        try:
            case()
            print(f"ok {n} - {case.__name__}", flush=True)
        except (AssertionError, subprocess.CalledProcessError) as why:
            bad += 1
            print("# " + str(why).replace("\n", "\n# "))
            print(f"not ok {n} - {case.__name__}", flush=True)
    return bad != 0


sys.exit(main())
