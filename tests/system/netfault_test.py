# SPDX-License-Identifier: Apache-2.0
"""The wire that misbehaves on command does what it was told, and nothing else: plain
sockets at both ends. No silence is waited for: what must not pass is counted."""
import os
import random
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import PATIENCE, Skip, equal, expect, main, wait_until
from netfault import TOOL, Netfault

HOST = "127.0.0.1"


def door(kind=socket.SOCK_STREAM):
    one = socket.socket(socket.AF_INET, kind)
    one.bind((HOST, 0))
    one.settimeout(PATIENCE)
    if kind == socket.SOCK_STREAM:
        one.listen()
    return one


def name(one):
    return f"{HOST}:{one.getsockname()[1]}"


class Line:
    """Two plain sockets with a bad wire between."""

    def __init__(self, *flags, **more):
        self.door = door()
        self.wire = Netfault(name(self.door), *flags, **more)

    def call(self):
        near = socket.create_connection((HOST, self.wire.port), PATIENCE)
        far, _ = self.door.accept()
        far.settimeout(PATIENCE)
        return near, far

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.door.close()
        equal(self.wire.stop(), 0, "how it ended")


def read(one, size):
    got = b""
    while len(got) < size:
        piece = one.recv(size - len(got))
        if not piece:
            break
        got += piece
    return got


def to_the_end(one):
    got = b""
    while True:
        piece = one.recv(65536)
        if not piece:
            return got
        got += piece


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def every_byte_passes_both_ways_and_each_way_ends_alone(where):
    with Line() as line:
        near, far = line.call()
        data = noise(300000)
        near.sendall(data)
        near.shutdown(socket.SHUT_WR)
        equal(to_the_end(far) == data, True, "out")
        far.sendall(data[::-1])
        far.close()
        equal(to_the_end(near) == data[::-1], True, "back, after the other way ended")
        count = line.wire.count()
        equal((count["out"]["bytes"], count["back"]["bytes"]), (300000, 300000))


def a_path_is_a_place_too(where):
    path = os.path.join(where, "door")
    there = socket.socket(socket.AF_UNIX)
    there.bind(path)
    there.listen()
    with Netfault("unix:" + path, "--listen", "unix:" + os.path.join(where, "bad")) as wire:
        near = socket.socket(socket.AF_UNIX)
        near.connect(wire.at)
        far, _ = there.accept()
        wire.do("cut 5B")
        near.sendall(b"seven..")
        equal(to_the_end(far), b"seven")


def a_cut_passes_exactly_so_many_bytes_and_spares_the_next(where):
    with Line("--seed", "7") as line:
        for way in ("out", "back"):
            near, far = line.call()
            here, there = (near, far) if way == "out" else (far, near)
            data = noise(5000)
            here.sendall(data[:10])
            equal(read(there, 10), data[:10])
            line.wire.do(f"{way} cut 137B")
            here.sendall(data[10:])
            equal(to_the_end(there) == data[10:147], True, way)
            near, far = line.call()
            near.sendall(data)
            equal(read(far, 5000) == data, True, "the next one")
        first = line.wire.do("cut 1B..1M")["after"]
    with Line("--seed", "7") as line:
        line.wire.do("out cut 3B", "back cut 3B")
        equal(line.wire.do("cut 1B..1M")["after"], first, "the same dice")
    with Line("--seed", "8") as line:
        expect(line.wire.do("cut 1B..1M")["after"] != first)


def a_reset_is_one_and_not_an_end(where):
    with Line() as line:
        for command in ("reset", "cut 3B reset"):
            near, far = line.call()
            line.wire.do(command)
            try:
                near.sendall(b"four")
                equal(read(near, 1), "nothing", command)
            except ConnectionResetError:
                continue
            except BrokenPipeError:
                continue


def a_partition_passes_nothing_and_loses_nothing(where):
    with Line() as line:
        near, far = line.call()
        near.sendall(b"before")
        equal(read(far, 6), b"before")
        line.wire.do("partition")
        near.sendall(b"while")
        far.sendall(b"as well")
        for _ in range(5):  # each is a turn in which it would have passed
            count = line.wire.count()
        equal((count["out"]["bytes"], count["back"]["bytes"]), (6, 0))
        wait_until(lambda: [line.wire.count()[way]["waiting"] for way in ("out", "back")]
                   == [5, 7], "it is told what waits")
        late = socket.create_connection((HOST, line.wire.port), PATIENCE)
        equal(line.wire.count()["connections"], 1, "nobody new while it lasts")
        line.wire.do("heal")
        equal((read(far, 5), read(near, 7)), (b"while", b"as well"))
        late.sendall(b"me too")
        other, _ = line.door.accept()
        other.settimeout(PATIENCE)
        equal(read(other, 6), b"me too")


def one_way_is_shut_and_the_other_open(where):
    with Line() as line:
        near, far = line.call()
        line.wire.do("back partition")
        near.sendall(b"question")
        equal(read(far, 8), b"question")
        far.sendall(b"answer")
        for _ in range(5):
            count = line.wire.count()
        equal(count["back"]["bytes"], 0)
        line.wire.do("heal")
        equal(read(near, 6), b"answer")


def a_stall_fills_the_sender_and_then_goes_on(where):
    with Line() as line:
        near, far = line.call()
        line.wire.do("stall")
        near.setblocking(False)
        data, sent = noise(1 << 20), 0
        try:
            while True:
                sent += near.send(data[sent % len(data):])
        except BlockingIOError:
            pass
        expect(sent > 0)
        equal(line.wire.count()["out"]["bytes"], 0)
        line.wire.do("heal")
        got = read(far, sent)
        equal(len(got), sent)
        equal(got == (data * (sent // len(data) + 1))[:sent], True)


def time_and_rate_are_at_least_what_was_said(where):
    with Line() as line:
        near, far = line.call()
        line.wire.do("delay 60ms 10ms")
        begin = time.monotonic()
        near.sendall(b"x")
        read(far, 1)
        expect(time.monotonic() - begin >= 0.049, "it came before its time")
        line.wire.do("heal", "rate 20k")
        begin = time.monotonic()
        near.sendall(noise(4000))
        equal(read(far, 4000) == noise(4000), True)
        expect(time.monotonic() - begin >= 0.15, "faster than the line")


def one_bit_of_the_byte_that_was_named_is_flipped(where):
    with Line() as line:
        near, far = line.call()
        line.wire.do("out flip 137B")
        data = noise(1000)
        near.sendall(data)
        got = read(far, 1000)
        wrong = [i for i in range(1000) if got[i] != data[i]]
        equal(wrong, [137])
        equal(bin(got[137] ^ data[137]).count("1"), 1)


def whoever_calls_is_hung_up_on(where):
    with Line() as line:
        line.wire.do("refuse")
        try:
            near = socket.create_connection((HOST, line.wire.port), PATIENCE)
            equal(near.recv(1), b"")
        except ConnectionResetError:
            pass
        line.wire.do("heal")
        near, far = line.call()
        near.sendall(b"x")
        equal(read(far, 1), b"x")


def a_wire_that_flaps_loses_nothing_of_a_stream(where):
    with Line() as line:
        near, far = line.call()
        line.wire.do("flap 2ms")
        data, got = noise(200000), b""
        for at in range(0, len(data), 2000):
            near.sendall(data[at:at + 2000])
            got += read(far, 2000)
        equal(got == data, True)


class Flock:
    """Numbered datagrams through a bad wire, and what came of them."""

    def __init__(self, seed, *commands):
        self.far, self.near = door(socket.SOCK_DGRAM), door(socket.SOCK_DGRAM)
        self.wire = Netfault(name(self.far), "--udp", "--seed", str(seed))
        self.near.connect((HOST, self.wire.port))
        self.wire.do(*commands)
        self.got = []

    def fly(self, many):
        """In lots that every buffer holds; each is over when it is all accounted for."""
        for begin in range(0, many, 50):
            for i in range(begin, min(begin + 50, many)):
                self.near.send(i.to_bytes(4, "big") * 8)
            sent = min(begin + 50, many)
            wait_until(lambda: self.over(sent), "all accounted for")
            while len(self.got) < self.count["datagrams"]:
                self.got.append(self.far.recv(100))
        return [int.from_bytes(one[:4], "big") for one in self.got]

    def over(self, sent):
        self.count = self.wire.count()["out"]
        c = self.count
        return c["datagrams"] + c["dropped"] == sent + c["doubled"] and c["waiting"] == 0

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.wire.stop()
        self.far.close()
        self.near.close()


def the_same_datagrams_are_lost_with_the_same_seed(where):
    def lost(seed):
        with Flock(seed, "out loss 30%") as f:
            got = f.fly(500)
            equal(got, sorted(set(got)), "in order, once")
            return sorted(set(range(500)) - set(got))
    first = lost(7)
    expect(100 < len(first) < 200, len(first), "of 500 at 30 %")
    equal(lost(7), first)
    expect(lost(8) != first)


def datagrams_are_doubled_and_moved_as_told(where):
    with Flock(7, "dup 20%") as f:
        got = f.fly(300)
        equal(sorted(set(got)), list(range(300)), "none lost")
        equal(len(got), 300 + f.count["doubled"])
        expect(30 < f.count["doubled"] < 90)
    with Flock(7, "reorder 30%", "delay 1ms") as f:
        got = f.fly(300)
        equal(sorted(got), list(range(300)), "each once")
        expect(got != sorted(got) and 50 < f.count["moved"] < 130)


def one_bit_of_some_datagrams_is_flipped(where):
    with Flock(7, "flip 50%") as f:
        f.fly(100)
        wrong = sum(len(set(one[i:i + 4] for i in range(0, 32, 4))) > 1 for one in f.got)
        equal((len(f.got), wrong), (100, f.count["flipped"]))
        expect(30 < wrong < 70)


def datagrams_of_a_partition_are_gone_and_those_of_a_stall_wait(where):
    with Flock(7, "partition") as f:
        equal(f.fly(20), [])
        equal(f.count["dropped"], 20)
        f.wire.do("heal", "stall")
        f.near.send(b"held")
        wait_until(lambda: f.wire.count()["out"]["waiting"] == 4, "it waits")
        f.wire.do("heal")
        equal(f.far.recv(100), b"held")


def answers_find_the_one_who_asked(where):
    with Flock(7) as f:
        other = door(socket.SOCK_DGRAM)
        other.sendto(b"b", (HOST, f.wire.port))
        f.near.send(b"a")
        for _ in range(2):
            what, who = f.far.recvfrom(10)
            f.far.sendto(b"re " + what, who)
        equal((f.near.recv(10), other.recv(10)), (b"re a", b"re b"))


def member(group, port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.settimeout(PATIENCE)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((group, port))
    try:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                       socket.inet_aton(group) + socket.inet_aton(HOST))
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HOST))
        one.sendto(b"me", (group, port))
    except OSError as why:
        raise Skip(f"no multicast on loopback: {why}")
    equal(one.recv(10), b"me")
    return one


def what_is_said_in_one_group_is_said_in_the_other_once(where):
    spare = door(socket.SOCK_DGRAM)
    port = spare.getsockname()[1]
    left, right = "239.255.77.1", "239.255.77.2"
    a, b = member(left, port), member(right, port)
    with Netfault(f"{right}:{port}", "--udp", "--listen", f"{left}:{port}") as wire:
        a.sendto(b"one", (left, port))
        equal((a.recv(10), b.recv(10)), (b"one", b"one"))
        b.sendto(b"two", (right, port))
        equal((b.recv(10), a.recv(10)), (b"two", b"two"))
        a.sendto(b"three", (left, port))
        equal((a.recv(10), b.recv(10)), (b"three", b"three"))
        count = wire.count()
        equal((count["out"]["datagrams"], count["back"]["datagrams"]), (2, 1), "no echo")


def later_comes_and_a_plan_begins_at_once(where):
    with Flock(7, "at 1ms loss 100%") as f:
        def dropped():
            f.near.send(b"x")
            return f.wire.count()["out"]["dropped"] > 0
        wait_until(dropped, "the loss that was planned")
    there = door()
    with Netfault(name(there), "--plan", "delay 1ms; out cut 2B") as wire:
        near = socket.create_connection((HOST, wire.port), PATIENCE)
        far, _ = there.accept()
        near.sendall(b"xyz")
        equal(to_the_end(far), b"xy")


def nonsense_is_answered_and_changes_nothing(where):
    with Line() as line:
        for text in ("delay", "delay soon", "loss 30", "cut 0B", "cut 9B..3B", "cut 5B gently",
                     "sideways delay 1s", "at 1s nothing", "at noon heal", "out", "loss 1% 2%"):
            answer = line.wire.tell(text)
            equal((answer["event"], bool(answer["why"])), ("error", True), text)
        near, far = line.call()
        near.sendall(b"fine")
        equal(read(far, 4), b"fine")
    with Flock(7) as f:
        equal(f.wire.tell("cut 3B")["event"], "error")
        equal(f.wire.tell("at 1ms cut 3B")["event"], "error")
    done = subprocess.run([sys.executable, TOOL, "--to", "127.0.0.1:1", "--plan", "loss much"],
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
    expect(done.returncode != 0 and b"loss much" in done.stderr)


main([every_byte_passes_both_ways_and_each_way_ends_alone, a_path_is_a_place_too,
      a_cut_passes_exactly_so_many_bytes_and_spares_the_next, a_reset_is_one_and_not_an_end,
      a_partition_passes_nothing_and_loses_nothing, one_way_is_shut_and_the_other_open,
      a_stall_fills_the_sender_and_then_goes_on, time_and_rate_are_at_least_what_was_said,
      one_bit_of_the_byte_that_was_named_is_flipped, whoever_calls_is_hung_up_on,
      a_wire_that_flaps_loses_nothing_of_a_stream, the_same_datagrams_are_lost_with_the_same_seed,
      datagrams_are_doubled_and_moved_as_told, one_bit_of_some_datagrams_is_flipped,
      datagrams_of_a_partition_are_gone_and_those_of_a_stall_wait,
      answers_find_the_one_who_asked, what_is_said_in_one_group_is_said_in_the_other_once,
      later_comes_and_a_plan_begins_at_once, nonsense_is_answered_and_changes_nothing])
