# SPDX-License-Identifier: Apache-2.0
"""What happens to bytes in each direction, by whose dice, and when."""
import hashlib
import heapq
import itertools
import socket
import time

READ_MAX = 1 << 16
SESSIONS_MAX = 1024  # callers at once


class Dice:
    def __init__(self, seed):
        self.seed = seed

    def roll(self, *what):
        """0 to 1; the same for the same words, whatever else was asked."""
        words = repr((self.seed, *what)).encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=8).digest(), "big") / 2 ** 64


class Way:
    """What happens to everything that goes in one direction."""

    def __init__(self, name):
        self.name = name
        self.number = 0      # datagrams so far
        self.waiting = 0     # bytes of datagrams
        self.free_at = 0.0   # for the rate, of datagrams
        self.later = []      # datagrams that a stall holds: (bytes, how to send)
        self.behind = []     # and those that let another go first
        self.count = dict.fromkeys(("bytes", "datagrams", "dropped", "doubled", "moved",
                                    "flipped", "cut"), 0)
        self.heal()

    def heal(self):
        self.delay = self.jitter = self.rate = 0
        self.loss = self.dup = self.reorder = self.flip = 0
        self.flip_at = self.cut = None
        self.cut_reset = self.partition = self.stall = False

    def piece(self):
        """Read at once: a slow line has small ones."""
        return max(1, min(READ_MAX, self.rate // 50)) if self.rate else READ_MAX

    def shut(self):
        return self.partition or self.stall

    def wait(self, size, free_at, chance, now):
        """When so many bytes that came now go on; and when the line is free then."""
        free_at = max(now, free_at) + (size / self.rate if self.rate else 0)
        return free_at + self.delay + self.jitter * (2 * chance - 1), free_at


class Wire:
    """What both kinds share: two directions, commands, things that are due."""

    def __init__(self, seed):
        self.dice = Dice(seed)
        self.ways = {"out": Way("out"), "back": Way("back")}
        self.due, self.serial = [], itertools.count()
        self.refusing = False
        self.streams = True
        self.flaps = self.draws = 0

    def at(self, when, action):
        heapq.heappush(self.due, (when, next(self.serial), action))

    def turn(self, now):
        while self.due and self.due[0][0] <= now:
            heapq.heappop(self.due)[2]()

    def waiting(self, way):
        """Bytes that came and have not gone on."""
        return way.waiting

    def released(self):
        """Nothing is shut any more: what waited goes on."""

    def flap(self, every, number):
        if self.flaps != number:
            return
        for way in self.ways.values():
            way.partition = not way.partition
        self.released()
        self.at(time.monotonic() + every, lambda: self.flap(every, number))


class Idle(Wire):
    """Nobody is connected: orders are tried here before they are kept for later."""

    def __init__(self, streams):
        super().__init__(0)
        self.pairs, self.streams = [], streams

    def hang_up_all(self, how):
        pass

    def begin_cut(self, way):
        if not self.streams:
            raise ValueError("there is no stream to cut")


def address(text):
    if text.startswith("unix:"):
        return text[5:]
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def is_group(where):
    return isinstance(where, tuple) and where[0].count(".") == 3 and \
        224 <= int(where[0].split(".")[0]) < 240


def family(where):
    return socket.AF_UNIX if isinstance(where, str) else \
        socket.AF_INET6 if ":" in where[0] else socket.AF_INET
