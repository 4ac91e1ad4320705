#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check.py VECTORS [COUNT]: is the C of the same mind as kith_packet.py?

The golden files must be what VECTORS makes of its source today, and what the
second reader makes of their bytes. Then COUNT random packets and 4 times as many
pairs of pattern and subject, from a seed that is printed: KITH_SEED chooses it.
KITH_SOAK=1: more of them, and a new seed each time.
After a wanted change of the format:
    build/tests/vectors packets > tests/vectors/packets.json
    build/tests/vectors addresses > tests/vectors/addresses.json
"""
import json
import os
import shlex
import subprocess
import sys

import kith_packet as kith

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = [*shlex.split(os.environ.get("MESON_EXE_WRAPPER", "")), sys.argv[1]]
SOAK = os.environ.get("KITH_SOAK") == "1"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 300000 if SOAK else 5000
SEED = os.environ.get("KITH_SEED", str(int.from_bytes(os.urandom(4), "big")) if SOAK else "20261121")


def made(*args):
    return subprocess.run([*PROGRAM, *args], check=True, capture_output=True, text=True).stdout


def file(name):
    with open(os.path.join(HERE, name), encoding="ascii") as f:
        return f.read()


def same(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: {str(got)[:300]}, expected {str(want)[:300]}")


def second_opinion(packet):
    """The same JSON that the C writes, without looking at more than its bytes."""
    raw = bytes.fromhex(packet["hex"])
    out = {"hex": packet["hex"]}
    try:
        fields = kith.decode(raw)
    except kith.Refused as why:
        return out | {"refused": str(why)}
    if "signed" in packet:
        out |= {"signed": kith.verify(raw), "id": kith.packet_id(raw), "keyid": kith.keyid(raw[20:52])}
    return out | {"fields": fields}


def golden_packets_are_made_again():
    same(made("packets"), file("packets.json"), "packets.json")


def golden_addresses_are_made_again():
    same(made("addresses"), file("addresses.json"), "addresses.json")


def golden_packets_are_read_alike():
    golden = json.loads(file("packets.json"))
    for row in golden["accepted"] + golden["refused"] + golden["badly signed"]:
        same(second_opinion(row["packet"]), row["packet"], row["name"])
    for row in golden["accepted"]:
        same(row["packet"].get("signed"), True, row["name"])
    for row in golden["badly signed"]:
        same(row["packet"].get("signed"), False, row["name"])


def every_reason_of_decode_has_a_vector():
    golden = json.loads(file("packets.json"))
    seen = {row["packet"]["refused"] for row in golden["refused"]}
    with open(os.path.join(HERE, "..", "..", "docs", "formats", "packet.md"), encoding="utf-8") as f:
        named = {w for w in f.read().split("`") if w.startswith("bad_")}
    same(sorted(seen), sorted(named - {"bad_sig", "bad_unit"}), "reasons")


def golden_addresses_are_read_alike():
    golden = json.loads(file("addresses.json"))
    for row in golden["words"]:
        raw = bytes.fromhex(row["text"])
        same([kith.is_subject(raw), kith.is_pattern(raw)], [row["subject"], row["pattern"]], raw)
    for row in golden["pairs"]:
        pattern, subject = row["pattern"].encode(), row["subject"].encode()
        same(kith.matches(pattern, subject), row["matches"], (pattern, subject))
    for row in golden["fingerprints"]:
        got = kith.fingerprint(bytes.fromhex(row["template"]), row["subject"].encode())
        same(got, row["fingerprint"], row["subject"])


def stream(*args):
    with subprocess.Popen([*PROGRAM, *args], stdout=subprocess.PIPE, text=True) as c:
        yield from map(json.loads, c.stdout)
        same(c.wait(), 0, "exit code")


def random_packets_are_judged_alike():
    tally = {}
    for packet in stream("packet-stream", SEED, str(COUNT)):
        same(second_opinion(packet), packet, packet["hex"])
        verdict = packet.get("refused", "accepted")
        tally[verdict] = tally.get(verdict, 0) + 1
    print("# seed", SEED, dict(sorted(tally.items(), key=lambda x: -x[1])))
    same(sum(tally.values()), COUNT, "packets")
    # A stream that is all of one kind would prove nothing.
    same(tally.get("accepted", 0) > COUNT / 5 and len(tally) > 12, True, "a mixed stream")


def random_addresses_mean_the_same():
    hits = total = 0
    for p, s, p_pattern, p_subject, s_subject, match in stream("address-stream", SEED, str(4 * COUNT)):
        pattern, subject = bytes.fromhex(p), bytes.fromhex(s)
        got = [kith.is_pattern(pattern), kith.is_subject(pattern), kith.is_subject(subject), kith.matches(pattern, subject)]
        same(got, [bool(x) for x in (p_pattern, p_subject, s_subject, match)], (pattern, subject))
        hits, total = hits + match, total + 1
    same(total, 4 * COUNT, "pairs")
    same(total / 10 < hits < total / 2, True, "a mixed stream")


CASES = [
    golden_packets_are_made_again,
    golden_addresses_are_made_again,
    golden_packets_are_read_alike,
    every_reason_of_decode_has_a_vector,
    golden_addresses_are_read_alike,
    random_packets_are_judged_alike,
    random_addresses_mean_the_same,
]

if __name__ == "__main__":
    bad = 0
    for i, case in enumerate(CASES, 1):
        try:
            case()
            print(f"ok {i} - {case.__name__}")
        except (AssertionError, KeyError, ValueError) as e:
            bad += 1
            print(f"# {e!r}\nnot ok {i} - {case.__name__}")
    print(f"1..{len(CASES)}")
    sys.exit(bad != 0)
