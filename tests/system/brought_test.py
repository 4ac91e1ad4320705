# SPDX-License-Identifier: Apache-2.0
"""What a wire may bring to a node that runs: bent packets, a file held by another, files
whose dates lie. Bent packets are rows of a shared file, put there past every check."""
import contextlib
import os
import random
import signal
import sqlite3
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import SOAK, Node, Run, equal, expect, evidence, main, wait_until, whole

NUMBERS = [b"\x7f\xf8" + bytes(6), b"\x7f\xf0" + bytes(6), b"\xff\xf0" + bytes(6),
           b"\x80" + bytes(7), bytes(7) + b"\x01"]  # NaN, both infinities, -0, a denormal


class Wire:
    """A node that runs on a shared file, and the file."""

    def __init__(self, where):
        self.path = os.path.join(where, "shared.db")
        self.url = "sqlite://" + self.path
        self.other, self.node = Node(where, "other"), Node(where, "node")
        self.other.good("sync", self.url)  # makes the file
        self.run = Run(self.node, "--carrier", self.url)
        self.run.log.wait("up")

    def put(self, subject, bodies):
        rows = [(subject, (1 << 62), int(time.time() * 1e6), os.urandom(16), body) for body in bodies]
        with contextlib.closing(sqlite3.connect(self.path, timeout=120)) as file, file:
            file.executemany("INSERT INTO kith_1 (subj, exp, came, hash, body) VALUES (?,?,?,?,?)", rows)

    def largest(self):
        """The largest leaf that the program makes; nobody has it yet."""
        subject = "w." + "x" * 126
        packet = bytes.fromhex(self.other.good(
            "pkt", "encode", subject, "--text", "t" * 160, "--near", ",".join(["0.5"] * 16),
            "--effect", "1", "--se", "0.5", "-n", "9", "--conclusion", "3").strip())
        expect(len(packet) >= 490, len(packet))
        return subject, packet

    def state(self):
        """What the node counts, asked by a signal. Its log is read meanwhile."""
        log, old = self.run.log, len(self.run.log.events)
        self.run.child.send_signal(signal.SIGUSR1)
        counted = lambda: [e["text"] for e in log.events[old:] if e["event"] == "state" and "refused " in e["text"]]
        expect(log.until(counted), "it ended", log.rest)
        return {word: int(count) for word, count in (part.split() for part in counted()[-1].split(", "))}

    def judged(self, subject, bodies, refused):
        """All are refused, and the node goes on: the good packet behind them is read."""
        self.put(subject, bodies)
        good = self.other.good("post", "good.one", "--effect", "1", "--se", "1").split("\t")[0]
        self.other.good("sync", self.url)
        wait_until(lambda: self.state()["accepted"] == 1, "the next packet is read")
        counted = self.state()["refused"]
        self.run.stop()
        equal(counted, refused, "refused, each once")
        equal({row["id"] for row in self.node.stored(">", "--expired", "--retracted")}, {good}, "the state")
        whole(self.node, [])


def w1_every_truncation_is_refused_by_a_running_node(where):
    wire = Wire(where)
    subject, packet = wire.largest()
    wire.judged(subject, [packet[:n] for n in range(1, len(packet))], len(packet) - 1)


def w2_every_flipped_bit_is_refused_by_a_running_node(where):
    wire = Wire(where)
    subject, packet = wire.largest()
    size, number = len(packet), int.from_bytes(packet, "big")
    bent = [(number ^ 1 << bit).to_bytes(size, "big") for bit in range(8 * size)]
    wire.judged(subject, bent, len(bent))


def w3_numbers_that_are_none_are_refused_by_a_running_node(where):
    wire = Wire(where)
    subject, packet = wire.largest()
    at = packet.index(struct.pack(">d", 1.0))  # its effect
    bent = [packet[:at] + number + packet[at + 8:] for number in NUMBERS]
    wire.judged(subject, bent, len(bent))


def d6_a_shared_file_that_another_holds_stops_no_post(where):
    wire = Wire(where)
    with contextlib.closing(sqlite3.connect(wire.path, timeout=120, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        held, fed = time.monotonic(), 0
        while fed < 3 or (SOAK and time.monotonic() - held < 30):
            fed += 1
            wire.run.feed([fed]).log.wait("posted", fed)  # safe in the store, whoever holds the file
        file.execute("ROLLBACK")
    wait_until(lambda: wire.other.good("sync", wire.url) and len(wire.other.stored()) == fed, "they come")
    told = wire.run.stop()
    equal(len(whole(wire.node, told)), fed)


def d7_files_whose_dates_lie_are_read_like_others(where):
    total, dice = 100000 if SOAK else 300, random.Random(7)
    a, b, stick = Node(where, "a"), Node(where, "b"), os.path.join(where, "stick")
    os.mkdir(stick)
    a.env["KITH_DIR_SYNC"] = "os"
    out = a.good("post", "x.y", "-", text="".join(evidence(i) for i in range(total)))
    told = {row.split("\t")[0] for row in out.splitlines()}
    a.good("sync", "dir://" + stick, "-W", "600s")
    now, year = time.time(), 365 * 86400
    for folder, _, names in os.walk(stick):
        for name in names + ["."]:
            then = now + dice.choice([-10 * year, -3600, 0, 3600, 10 * year, -now])
            os.utime(os.path.join(folder, name), (then, then))
    rest = a.good("post", "x.y", "--effect", "1", "--se", "1").split("\t")[0]
    row = b.json("sync", "dir://" + stick, "-W", "600s")[1][-1]
    equal((row["lost"], row["refused"], row["new"]), ("0", "0", str(total)))
    a.good("sync", "dir://" + stick)
    equal(b.json("sync", "dir://" + stick)[1][-1]["new"], "1", "what came after the dates were bent")
    equal(whole(b, told | {rest}), told | {rest})


main([
    w1_every_truncation_is_refused_by_a_running_node,
    w2_every_flipped_bit_is_refused_by_a_running_node,
    w3_numbers_that_are_none_are_refused_by_a_running_node,
    d6_a_shared_file_that_another_holds_stops_no_post,
    d7_files_whose_dates_lie_are_read_like_others,
])
