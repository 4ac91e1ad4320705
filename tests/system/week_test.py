# SPDX-License-Identifier: Apache-2.0
"""Three nodes on each wire; one is off for a week of the wall clock, and has all that still counts
when it is back."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import SOAK, Clock, Node, Skip, equal, expect, main, wait_until
from member import Member, fresh_group, fresh_host


def valid_ids(m, clock):
    code, out, err = m.node.run("get", ">", "--last", "0", "--json", env=clock.env)
    expect(code in (0, 1), err)
    return {json.loads(line)["id"][:16] for line in out.splitlines()}


def agree(members, clock):
    """By the clock of the nodes: they end with what has not expired, the same in all."""
    def sets():
        return [valid_ids(m, clock) for m in members]
    newest = {m.run.posted()[-1] for m in members if m.run and m.run.posted()}
    wait_until(lambda: all(s == sets()[0] and newest <= s for s in sets()), "a week")


def end(members, clock):
    for m in members:
        m.down()
    first = valid_ids(members[0], clock)
    expect(len(first) >= 14, "two a day for a week", len(first))
    for m in members:
        equal(valid_ids(m, clock), first, "after a week")


def off_for_a_week(where, url):
    clock = Clock(where, "clock", "-7d")
    members = [Member(where, f"n{i}", url) for i in range(3)]
    for m in members:
        m.up(clock.env)
        m.post(1)
    agree(members, clock)
    away = members[2]
    away.down()
    for day in range(6, -1, -1):
        clock.set(f"-{day}d")
        for m in members[:2]:
            m.post(2 if not SOAK else 40)
    away.up(clock.env)
    agree(members, clock)
    end(members, clock)


def a_node_off_for_a_week_catches_up_over_a_folder(where):
    os.mkdir(os.path.join(where, "bus"))
    off_for_a_week(where, f"dir://{where}/bus")


def a_node_off_for_a_week_catches_up_over_a_shared_file(where):
    off_for_a_week(where, f"sqlite://{where}/bus.db")


def a_node_off_for_a_week_catches_up_over_zmq(where):
    if "\nzmq\t" not in Node(where, "asks").good("carriers"):
        raise Skip("no libzmq here")
    off_for_a_week(where, f"zmq://{fresh_host()}:24550?backoff=1s")


def a_node_off_for_a_week_catches_up_over_tcp(where):
    off_for_a_week(where, f"tcp://{fresh_host()}:24551")


def a_node_off_for_a_week_catches_up_over_a_socket(where):
    off_for_a_week(where, f"unix://{where}/bus")


def a_node_off_for_a_week_catches_up_over_pipes(where):
    os.mkdir(os.path.join(where, "bus"), 0o700)
    off_for_a_week(where, f"fifo://{where}/bus")


def a_node_off_for_a_week_catches_up_over_multicast(where):
    off_for_a_week(where, "udp://" + fresh_group())


main([
    a_node_off_for_a_week_catches_up_over_a_folder,
    a_node_off_for_a_week_catches_up_over_a_shared_file,
    a_node_off_for_a_week_catches_up_over_zmq,
    a_node_off_for_a_week_catches_up_over_tcp,
    a_node_off_for_a_week_catches_up_over_a_socket,
    a_node_off_for_a_week_catches_up_over_pipes,
    a_node_off_for_a_week_catches_up_over_multicast,
])
