# SPDX-License-Identifier: Apache-2.0
"""Real multicast: `kith run` processes on one group of the loopback. Whatever is lost, whoever
is late, was killed or away for a week: in the end all have the same set. KITH_SOAK=1: 20 processes."""
import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import SOAK, Clock, Node, Run, equal, expect, fresh_dice, main, wait_until, whole

NODES = 20 if SOAK else 5
EACH = 25 if SOAK else 4
DICE = fresh_dice(24777)


def fresh_group():
    """A group of our own number and a port that nobody is bound to."""
    pid = os.getpid()
    group = f"239.{192 | pid >> 16 & 63}.{pid >> 8 & 255}.{pid & 255}"
    for port in range(20000 + DICE.randrange(6000), 32000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind((group, port))
                return f"{group}:{port}"
            except OSError:
                continue
    raise AssertionError("no free port")


class Member:
    """A node that runs in the group, and what it was told is safe."""

    def __init__(self, where, name, url):
        self.node, self.url = Node(where, name), url
        self.run, self.fed, self.told = None, 0, []

    def up(self, env=None):
        self.run = Run(self.node, "--count", "1", "--carrier", self.url, env=env)
        self.run.log.wait("up")
        return self

    def post(self, count):
        before = self.run.log.count("posted")
        self.run.feed(range(self.fed, self.fed + count))
        self.fed += count
        self.run.log.wait("posted", before + count)

    def down(self):
        self.told += self.run.stop()
        self.run = None

    def kill(self):
        self.told += self.run.kill()
        self.run = None

    def ids(self):
        return {row["id"][:16] for row in self.node.stored()}


def all_told(members):
    return {one for m in members for one in m.told + (m.run.posted() if m.run else [])}


def agree(members, say):
    """All have all, and nothing else. Who has got there needs no second look."""
    want, left = all_told(members), list(members)

    def done():
        while left and left[0].ids() == want:
            left.pop(0)
        return not left
    wait_until(done, f"{say}: {[len(m.ids()) for m in left]} of {len(want)}")
    return want


def end(members):
    want = all_told(members)
    for m in members:
        if m.run:
            m.down()
    for m in members:
        equal({one[:16] for one in whole(m.node, m.told)}, want, "in the end")


def all_end_with_the_same_set_the_late_and_the_killed_too(where):
    url = "udp://" + fresh_group()
    members = [Member(where, f"n{i}", url) for i in range(NODES)]
    late = Member(where, "late", url)
    for m in members:
        m.up()
    for m in members:
        m.post(EACH)
    agree(members, "those who were there")
    victim = members[DICE.randrange(NODES)]
    victim.run.feed(range(victim.fed, victim.fed + EACH))
    victim.fed += EACH
    for _ in range(DICE.randrange(3)):
        victim.run.log.wait("posted", EACH + 1)
    victim.kill()
    for m in members:
        if m.run:
            m.post(EACH)
    victim.up()
    members.append(late.up())
    for m in members:  # what the victim stored and could not tell any more counts too
        m.told += sorted(victim.ids() - all_told(members)) if m is victim else []
    agree(members, "with a late one and one that was killed")
    end(members)


def r425_three_in_ten_lost_each_way_and_all_arrive(where):
    group = fresh_group()
    members = [Member(where, f"n{i}",
                      f"fault+udp://{group}?drop=30&repeat=5&reorder=10&seed={i + 1}").up()
               for i in range(4)]
    for m in members:
        m.post(EACH)
    agree(members, "30 % lost")
    end(members)


def a_stranger_in_the_group_changes_nothing(where):
    group = fresh_group()
    members = [Member(where, f"n{i}", "udp://" + group).up() for i in range(2)]
    address, port = group.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        lo = socket.if_nametoindex("lo")
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                     struct.pack("4s4si", bytes(4), bytes(4), lo))
        for i in range(300):
            noise = DICE.randbytes(DICE.randrange(700))
            s.sendto((b"KS" if i % 3 == 0 else b"") + noise, (address, int(port)))
    for m in members:
        m.post(EACH)
    agree(members, "beside a stranger")
    end(members)


def a_node_that_was_off_for_a_week_catches_up(where):
    clock = Clock(where, "clock", "-7d")
    url = "udp://" + fresh_group()
    members = [Member(where, f"n{i}", url) for i in range(3)]
    for m in members:
        m.up(clock.env)
        m.post(1)
    agree_at(members, clock)
    away = members[2]
    away.down()
    for day in range(6, -1, -1):
        clock.set(f"-{day}d")
        for m in members[:2]:
            m.post(2 if not SOAK else 40)
    away.up(clock.env)
    agree_at(members, clock)
    end_at(members, clock)


def valid_ids(m, clock):
    code, out, err = m.node.run("get", ">", "--last", "0", "--json", env=clock.env)
    expect(code in (0, 1), err)
    return {json.loads(line)["id"][:16] for line in out.splitlines()}


def agree_at(members, clock):
    """By the clock of the nodes: they end with what has not expired, the same in all."""
    def sets():
        return [valid_ids(m, clock) for m in members]
    newest = {m.run.posted()[-1] for m in members if m.run and m.run.posted()}
    wait_until(lambda: all(s == sets()[0] and newest <= s for s in sets()), "a week")


def end_at(members, clock):
    for m in members:
        m.down()
    first = valid_ids(members[0], clock)
    expect(len(first) >= 14, "two a day for a week", len(first))
    for m in members:
        equal(valid_ids(m, clock), first, "after a week")


main([
    all_end_with_the_same_set_the_late_and_the_killed_too,
    r425_three_in_ten_lost_each_way_and_all_arrive,
    a_stranger_in_the_group_changes_nothing,
    a_node_that_was_off_for_a_week_catches_up,
])
