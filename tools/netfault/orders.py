# SPDX-License-Identifier: Apache-2.0
"""Commands, word by word."""
import re
import time

from wire import Idle


def number_of(text, units, what):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z%]*)", text)
    if not found or found[2] not in units:
        raise ValueError(f"{text} is no {what}")
    return float(found[1]) * units[found[2]]


def seconds(text):
    return number_of(text, {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60}, "time")


def size(text):
    return int(number_of(text, {"": 1, "B": 1, "k": 1 << 10, "M": 1 << 20}, "size"))


def percent(text):
    return number_of(text, {"%": 0.01}, "percentage")


class Orders:
    """Commands: words to what happens."""

    def __init__(self, wire):
        self.wire = wire

    def obey(self, text):
        words = text.split()
        if not words:
            return {}
        if words[0] == "at":
            later = " ".join(words[2:])
            self.check(later)
            self.wire.at(time.monotonic() + seconds(words[1]), lambda: self.obey(later))
            return {}
        ways = list(self.wire.ways.values())
        if words[0] in self.wire.ways:
            ways = [self.wire.ways[words.pop(0)]]
        done = getattr(self, "do_" + words[0], None) if words else None
        if done is None:
            raise ValueError(f"'{text}' is no command")
        return done(ways, *words[1:]) or {}

    def check(self, text):
        """What is said for later must make sense now: tried on a wire without ends."""
        Orders(Idle(self.wire.streams)).obey(text)

    def do_delay(self, ways, time_, jitter="0s"):
        for way in ways:
            way.delay, way.jitter = seconds(time_), min(seconds(jitter), seconds(time_))

    def do_rate(self, ways, speed):
        for way in ways:
            way.rate = size(speed)

    def do_loss(self, ways, share):
        for way in ways:
            way.loss = percent(share)

    def do_dup(self, ways, share):
        for way in ways:
            way.dup = percent(share)

    def do_reorder(self, ways, share):
        for way in ways:
            way.reorder = percent(share)

    def do_flip(self, ways, what):
        for way in ways:
            if what.endswith("%"):
                way.flip = percent(what)
            else:
                way.flip_at = size(what)

    def do_partition(self, ways, length=None):
        for way in ways:
            way.partition = True
        if length is not None:
            self.wire.at(time.monotonic() + seconds(length), lambda: self.lift(ways, "partition"))

    def do_stall(self, ways, length=None):
        for way in ways:
            way.stall = True
        if length is not None:
            self.wire.at(time.monotonic() + seconds(length), lambda: self.lift(ways, "stall"))

    def lift(self, ways, what):
        for way in ways:
            setattr(way, what, False)
        self.wire.released()

    def do_cut(self, ways, after, how="close"):
        least, _, most = after.partition("..")
        least, most = size(least), size(most or least)
        if how not in ("close", "reset") or not 1 <= least <= most:
            raise ValueError(f"cut {after} {how}: a size from 1 on, and perhaps reset")
        for way in ways:
            self.wire.begin_cut(way)
            self.wire.draws += 1
            chance = self.wire.dice.roll(way.name, "cut", self.wire.draws)
            way.cut = least + int((most - least + 1) * chance)
            way.cut_reset = how == "reset"
        return {"after": [way.cut for way in ways]}

    def do_reset(self, ways):
        self.wire.hang_up_all("reset")

    def do_close(self, ways):
        self.wire.hang_up_all("close")

    def do_refuse(self, ways):
        self.wire.refusing = True

    def do_flap(self, ways, every):
        self.wire.flaps += 1
        self.wire.flap(seconds(every), self.wire.flaps)

    def do_heal(self, ways):
        self.wire.refusing = False
        self.wire.flaps += 1
        for way in self.wire.ways.values():
            way.heal()
        self.wire.released()

    def do_count(self, ways):
        found = {way.name: {**way.count, "waiting": self.wire.waiting(way)} for way in ways}
        return {**found, "connections": len(self.wire.pairs)}
