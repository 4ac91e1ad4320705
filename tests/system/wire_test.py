# SPDX-License-Identifier: Apache-2.0
"""Running nodes with a bad wire between them: cut, deaf one way, stalled, ended after byte
n, lossy. When it is well again all have the same, nothing lost, nothing twice."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, Skip, equal, expect, fresh_dice, main, wait_until
from netfault import Netfault
from pair import Pair, counted_once_by_both_ways, groups, streams


def through(where, make, faults):
    dice = fresh_dice(29)
    pair = Pair(where, make, dice)
    pair.post(5)
    pair.agree("before")
    for name, fault in faults:
        before = pair.wire.count()
        fault(pair)
        pair.agree(name)
        passed = {way: pair.wire.count()[way]["bytes"] - before[way]["bytes"] for way in ("out", "back")}
        print(f"# {name}: {passed['out']} bytes out, {passed['back']} back")
    pair.end()


def bitten(pair, ways, before):
    """Something that was posted has come to the wire, and stays there or is gone."""
    def so():
        now = pair.wire.count()
        return all(now[way]["dropped"] + now[way]["waiting"] > before[way]["dropped"]
                   for way in ways)
    wait_until(so, "what is posted comes to the wire")


def while_it_is(command, ways=("out", "back")):
    """Shut for what is posted now; one way alone: only who speaks that way is lost."""
    def fault(pair):
        before = pair.wire.count()
        pair.wire.do(command)
        pair.post(10)
        bitten(pair, ways, before)
        pair.wire.do("heal")
    return fault


def bad_but_open(*commands):
    def fault(pair):
        pair.wire.do(*commands)
        pair.post(10)
        pair.agree(commands)
        pair.wire.do("heal")
    return fault


def cut_after_some(pair):
    """Each connection ends in the middle of something; the next one goes on."""
    for _ in range(6):
        pair.wire.do("out cut 1B..3k", "back cut 1B..3k reset")
        pair.post(10)
    pair.wire.do("heal")


def reset(pair):
    for _ in range(3):
        pair.wire.do("reset")
        pair.post(5)


def o6_tcp_through_a_wire_that_is_cut_deaf_stalled_and_ended(where):
    through(where, streams, [
        ("partition", while_it_is("partition")),
        ("deaf one way", while_it_is("out partition", ["out"])),
        ("deaf the other way", while_it_is("back partition", ["back"])),
        ("stall", while_it_is("stall")), ("slow", bad_but_open("delay 50ms 20ms", "rate 20k")),
        ("cut after byte n", cut_after_some), ("reset", reset),
        ("flapping ten times a second", bad_but_open("flap 100ms"))])


class Wires:
    """A live and a sync socket of each node, and a wire before each: all do the same."""

    def __init__(self, dice, *pairs):
        self.wires = [Netfault(to, "--listen", at, "--seed", str(dice.randrange(1 << 30)))
                      for to, at in pairs]

    def do(self, *commands):
        for one in self.wires:
            one.do(*commands)

    def count(self):
        counts = [one.count() for one in self.wires]
        return {way: {what: sum(one[way][what] for one in counts) for what in counts[0][way]}
                for way in ("out", "back")}

    def stop(self):
        return max(one.stop() for one in self.wires)


def meshes(dice):
    """Both say that they are where their wires listen. All of 127/8 is this machine: an
    address that follows from our pid is nobody else's."""
    def make():
        pid = os.getpid()
        near, far = (f"127.{192 + (pid >> 16) % 32}.{pid >> 8 & 255}.{pid & 254 | i}" for i in (0, 1))
        urls = (f"zmq://{near}:24552?backoff=1s&say={near}:24562",
                f"zmq://{far}:24552?backoff=1s&say={far}:24562&peers={near}:24562")
        return *urls, lambda: Wires(dice, *((f"{host}:{port}", f"{host}:{port + 10}")
                                            for host in (near, far) for port in (24552, 24553)))
    return make


def o6_zmq_through_a_wire_that_is_cut_stalled_and_ended(where):
    dice = fresh_dice(29)
    probe = Node(where, "probe")
    if probe.run("carriers", "zmq")[0] != 0:
        raise Skip("no zmq here")
    through(where, meshes(dice), [
        ("partition", while_it_is("partition")),
        ("deaf one way", while_it_is("out partition", ["out"])),
        ("deaf the other way", while_it_is("back partition", ["back"])),
        ("stall", while_it_is("stall")), ("slow", bad_but_open("delay 50ms 20ms")),
        ("cut after byte n", cut_after_some), ("reset", reset)])


def o6_udp_through_a_wire_that_is_cut_deaf_and_stalled(where):
    through(where, groups, [
        ("partition", while_it_is("partition")),
        ("deaf one way", while_it_is("out partition", ["out"])),
        ("deaf the other way", while_it_is("back partition", ["back"])),
        ("stall", while_it_is("stall")), ("flapping", bad_but_open("flap 100ms"))])


def o7_udp_through_loss_doubles_delay_and_another_order(where):
    through(where, groups, [
        ("while it is bad", bad_but_open("loss 30%", "dup 20%", "reorder 30%", "delay 20ms 10ms")),
        ("well again", lambda pair: pair.post(10))])


def catch_up(where, make):
    """A node that was away for all of it: by one `sync`, and a second finds nothing."""
    dice = fresh_dice(31)
    pair = Pair(where, make, dice)
    pair.post(20)
    pair.agree("before")
    away = Node(where, "away")
    own = away.json("post", "x.y", "--effect", "1", "--se", "1", "-n", "2")[1][0]["id"]
    want = pair.all()
    for new in (len(want), 0):
        rows, code = [], 69
        while code == 69:  # a machine too busy to answer in 20 s
            code, rows = away.json("sync", pair.urls[1], "-W", "220s")
        equal((code, rows[-1]["new"], rows[-1]["lost"], rows[-1]["counted_twice"]),
              (0, str(new), "0", "0"))
        expect(int(rows[-1]["peers"]) >= 1)
    rows = {row["id"][:16]: row for row in away.stored()}
    equal(set(rows), want | {own[:16]})
    equal({rows[one]["way"] for one in want}, {"sync+" + pair.urls[1]}, "how they came")
    equal(own[:16] in {row["id"][:16] for row in pair.nodes[1].stored()}, True, "and gave")
    pair.over()


def a_post_waits(where, make):
    """Until a peer was shown to have it: and then one has it, at that moment."""
    pair = Pair(where, make, fresh_dice(37))
    pair.post(3)
    other = Node(where, "other")
    code, out, err = other.run("post", "x.y", "--effect", "1", "--se", "1", "-n", "2",
                               "--wait", "disk", "--carrier", pair.urls[1], "-W", "200s")
    expect(code == 0 and "disk has it" in err, code, err)
    held = pair.held()
    expect(out.split()[0][:16] in held[0] | held[1], out, "is called safe and nobody has it")
    pair.over()


def a_post_over_tcp_is_safe_when_a_peer_has_it(where):
    a_post_waits(where, streams)


def a_post_over_udp_is_safe_when_a_peer_has_it(where):
    a_post_waits(where, groups)


def b5_two_wires_at_once_count_once_and_both_are_named(where):
    counted_once_by_both_ways(where, [streams()[0], groups()[0]])


def who_was_away_catches_up_by_one_sync_over_tcp(where):
    catch_up(where, streams)


def who_was_away_catches_up_by_one_sync_over_udp(where):
    catch_up(where, groups)


main([o6_tcp_through_a_wire_that_is_cut_deaf_stalled_and_ended,
      o6_zmq_through_a_wire_that_is_cut_stalled_and_ended,
      o6_udp_through_a_wire_that_is_cut_deaf_and_stalled,
      o7_udp_through_loss_doubles_delay_and_another_order,
      who_was_away_catches_up_by_one_sync_over_tcp,
      who_was_away_catches_up_by_one_sync_over_udp,
      a_post_over_tcp_is_safe_when_a_peer_has_it, a_post_over_udp_is_safe_when_a_peer_has_it,
      b5_two_wires_at_once_count_once_and_both_are_named])
