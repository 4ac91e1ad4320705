# SPDX-License-Identifier: Apache-2.0
"""Real multicast: `kith run` processes on one group of the loopback. Whatever is lost, whoever
is late or was killed: in the end all have the same set. KITH_SOAK=1: 20 processes."""
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import SOAK, equal, fresh_dice, main, wait_until, whole
from member import Member, fresh_group

NODES = 20 if SOAK else 5
EACH = 25 if SOAK else 4
DICE = fresh_dice(24777)


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


main([
    all_end_with_the_same_set_the_late_and_the_killed_too,
    r425_three_in_ten_lost_each_way_and_all_arrive,
    a_stranger_in_the_group_changes_nothing,
])
