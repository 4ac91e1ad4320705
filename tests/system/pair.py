# SPDX-License-Identifier: Apache-2.0
"""Two nodes that run and post, and what is between them: a place that both know, or a bad
wire. What tests of wires and of pipes share."""
import random
import socket
import time

from kit import Node, Run, Skip, equal, expect, wait_until, whole
from netfault import Netfault

PATIENCE = 240  # seconds; a hang guard: a HELLO may be 45 s away
HOST = "127.0.0.1"
PLACES = random.SystemRandom()  # others may run this at the same time


def free_port(kind):
    """Below those that the system gives out by itself; free a moment ago."""
    for _ in range(1000):
        with socket.socket(socket.AF_INET, kind) as one:
            port = PLACES.randrange(20000, 32000)
            try:
                one.bind((HOST, port))
                return port
            except OSError:
                pass
    raise Skip("no port is free")


def streams():
    """The first listens, the second dials; between them the wire."""
    near, far = (free_port(socket.SOCK_STREAM) for _ in range(2))
    return f"tcp://{HOST}:{near}", f"tcp://{HOST}:{far}", \
        (f"{HOST}:{near}", "--listen", f"{HOST}:{far}")


def groups():
    """Two groups; what is said in one the wire says in the other."""
    port = free_port(socket.SOCK_DGRAM)
    near, far = (f"239.255.{PLACES.randrange(256)}.{i}:{port}" for i in (1, 2))
    return f"udp://{near}", f"udp://{far}", (far, "--udp", "--listen", near)


class Pair:
    """Two nodes that run and post, and the wire between."""

    def __init__(self, where, make, dice):
        *self.urls, flags = make()
        self.nodes = [Node(where, name) for name in "ab"]
        self.runs = [Run(self.nodes[0], "--carrier", self.urls[0])]
        self.runs[0].log.wait("up")
        if callable(flags):  # wires of its own
            self.wire = flags()
        else:
            self.wire = flags and Netfault(*flags, "--seed", str(dice.randrange(1 << 30)))
        self.runs.append(Run(self.nodes[1], "--carrier", self.urls[1]))
        self.fed = [0, 0]

    def post(self, many, who=(0, 1)):
        """Told to be safe by those who posted."""
        for i in who:
            self.runs[i].feed(range(self.fed[i], self.fed[i] + many))
            self.fed[i] += many
            self.runs[i].log.wait("posted", self.fed[i])

    def all(self):
        return {one for run in self.runs for one in run.posted()}

    def held(self):
        return [{row["id"][:16] for row in node.stored()} for node in self.nodes]

    def agree(self, say):
        """News make them compare; then both have everything."""
        self.post(1)
        want, end = self.all(), time.monotonic() + PATIENCE
        while any(one != want for one in self.held()):
            expect(time.monotonic() < end, say, "never agreed:", [
                (len(one), "of", len(want)) for one in self.held()],
                self.wire and self.wire.count())

    def over(self):
        for run in self.runs:
            run.stop()
        self.close()

    def end(self):
        told = [run.stop() for run in self.runs]
        want = {one for some in told for one in some}
        for node in self.nodes:
            ids = whole(node, want)
            equal(len(ids), len(want), "what nobody posted")
        self.close()

    def close(self):
        if self.wire is not None:
            equal(self.wire.stop(), 0)


def counted_once_by_both_ways(where, urls):
    """Two nodes with two wires between them: each packet counts once, `why` names both."""
    nodes = [Node(where, name) for name in "ab"]
    runs = []
    for node in nodes:
        with open(node.config, "a", encoding="ascii") as config:
            for i, url in enumerate(urls):
                config.write(f"\n[carrier w{i}]\nurl = {url}\n")
        runs.append(Run(node))
        runs[-1].log.wait("up", 2)
    fed = 0

    def named():
        """One more each time: the first may come before both are there."""
        nonlocal fed
        runs[0].feed([fed])
        fed += 1
        runs[0].log.wait("posted", fed)
        rows = nodes[1].json("why", "x.y")[1][1:]
        return any(set(row["ways"].split(",")) == set(urls) for row in rows)
    wait_until(named, "both are named")
    want = set(runs[0].posted())
    wait_until(lambda: {row["id"][:16] for row in nodes[1].stored()} == want, "all are there")
    for run in runs:
        run.stop()
    equal(len(whole(nodes[1], want)), fed)
