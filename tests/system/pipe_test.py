# SPDX-License-Identifier: Apache-2.0
"""Running nodes over pipes and a multicast group in bad company: a folder that goes, a reader
that is stopped, loss, a stranger who forges packets by the thousand. All end with the same."""
import fcntl
import os
import select
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import expect, fresh_dice, main
from pair import HOST, Pair, counted_once_by_both_ways, groups

FORGED = 3000


def pipes(where, wrapper="", options=""):
    """A folder that both know."""
    place = os.path.join(where, "bus")
    os.makedirs(place, 0o700, exist_ok=True)
    url = f"{wrapper}fifo://{place}{options}"
    return lambda: (url, url, None), place


def o6_fifo_whose_folder_goes_and_whose_reader_is_stopped(where):
    make, place = pipes(where, options="?pipe=4K")
    pair = Pair(where, make, fresh_dice(41))
    pair.post(5)
    pair.agree("before")

    os.rename(place, place + ".away")  # nobody hears anybody
    pair.post(10)
    os.rename(place + ".away", place)
    pair.agree("partition")

    pair.runs[1].child.send_signal(signal.SIGSTOP)  # one hears nothing, and says nothing
    pair.post(100, [0])  # more than a pipe holds
    pair.runs[1].child.send_signal(signal.SIGCONT)
    pair.agree("a reader that was stopped")

    for _ in range(10):
        os.rename(place, place + ".away")
        pair.post(1)
        os.rename(place + ".away", place)
        pair.post(1)
    pair.agree("flapping")
    pair.end()


def o7_fifo_through_loss_doubles_delay_and_another_order(where):
    dice = fresh_dice(43)
    # Each end loses 16 %: that is 30 % on the way.
    bad = f"?drop=16&repeat=20&reorder=30&delay=50ms&seed={dice.randrange(1 << 30)}"
    make, _ = pipes(where, "fault+", bad)
    pair = Pair(where, make, dice)
    for _ in range(4):
        pair.post(25)
    pair.agree("while it is bad")
    pair.end()


def b5_a_pipe_and_a_group_at_once_count_once_and_both_are_named(where):
    counted_once_by_both_ways(where, [pipes(where)[0]()[0], groups()[0]])


class GroupSpy:
    """Joined to the group; speaks to it too."""

    def __init__(self, url):
        address, port = url[len("udp://"):].split(":")
        self.to = (address, int(port))
        self.ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.ear.bind(self.to)
        self.ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            socket.inet_aton(address) + socket.inet_aton(HOST))
        self.mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HOST))

    def hear(self):
        select.select([self.ear], [], [])
        return self.ear.recv(600)

    def say(self, one):
        self.mouth.sendto(one, self.to)

    def close(self):
        self.ear.close()
        self.mouth.close()


class PipeSpy:
    """A reader of the same user that keeps to the format, and writes what it likes."""

    def __init__(self, place):
        self.place, self.kept = place, b""
        os.mkfifo(os.path.join(place, ".new-spy"), 0o600)
        self.ear = os.open(os.path.join(place, ".new-spy"), os.O_RDWR | os.O_NONBLOCK)
        fcntl.flock(self.ear, fcntl.LOCK_EX)
        os.rename(os.path.join(place, ".new-spy"), os.path.join(place, "spy.fifo"))
        self.mouths = [os.open(os.path.join(place, name), os.O_WRONLY) for name in
                       os.listdir(place) if name.endswith(".fifo") and name != "spy.fifo"]

    def hear(self):
        while True:
            size = struct.unpack(">H", self.kept[:2])[0] if len(self.kept) > 1 else 512
            if len(self.kept) >= 2 + size:
                one, self.kept = self.kept[2:2 + size], self.kept[2 + size:]
                return one
            select.select([self.ear], [], [])
            self.kept += os.read(self.ear, 65536)

    def say(self, one):
        """Waits for room: so it is never slower than they read."""
        for mouth in self.mouths:
            os.write(mouth, struct.pack(">H", len(one)) + one)

    def close(self):
        os.unlink(os.path.join(self.place, "spy.fifo"))
        for one in [self.ear, *self.mouths]:
            os.close(one)


def flooded(where, make, spy_at):
    """A hundred times as much as is posted, each with a signature that has to be checked."""
    pair = Pair(where, make, fresh_dice(47))
    pair.post(5)
    pair.agree("before")
    spy = spy_at(pair.urls[0])
    pair.post(1)
    packet = spy.hear()
    while packet[:2] == b"KS":
        pair.post(1)
        packet = spy.hear()
    for i in range(FORGED):
        forged = bytearray(packet)
        forged[-1 - i % 60] ^= 1 + i % 255
        spy.say(bytes(forged))
        if i % 300 == 0:
            pair.post(1)
    spy.close()
    pair.agree("flooded")
    shed = 0
    for run in pair.runs:
        seen = run.log.count("state")
        run.child.send_signal(signal.SIGUSR1)
        told = run.log.wait("state", seen + 2)["text"]
        counts = dict(part.split() for part in told.split(", "))
        shed += int(counts["refused"]) + int(counts["lost"])
    expect(shed > 0, "nobody noticed")
    print(f"# {shed} of {2 * FORGED} refused or lost")
    pair.end()


def o5_udp_a_flood_of_forged_packets_is_shed_and_all_agree(where):
    flooded(where, groups_without_a_wire, GroupSpy)


def groups_without_a_wire():
    near = groups()[0]
    return near, near, None


def o5_fifo_a_flood_of_forged_packets_is_refused_and_all_agree(where):
    make, place = pipes(where)
    flooded(where, make, lambda url: PipeSpy(place))


main([o5_udp_a_flood_of_forged_packets_is_shed_and_all_agree,
      o5_fifo_a_flood_of_forged_packets_is_refused_and_all_agree,
      o6_fifo_whose_folder_goes_and_whose_reader_is_stopped,
      o7_fifo_through_loss_doubles_delay_and_another_order,
      b5_a_pipe_and_a_group_at_once_count_once_and_both_are_named])
