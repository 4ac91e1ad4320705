# SPDX-License-Identifier: Apache-2.0
"""Datagrams through a wire: lost, doubled, moved, flipped, each by its number."""
import select
import socket
import time

from wire import READ_MAX, SESSIONS_MAX, Wire, family, is_group

QUEUE_MAX = 8 << 20  # bytes waiting in a direction: beyond, they are dropped
BEHIND = 0.1         # one that is held back waits for a later one, or so long
IP_MULTICAST_ALL = 49  # linux/in.h: only groups that this socket joined


class Datagrams(Wire):
    """Callers of one address, each with a socket of its own to the other side; or, where
    either is a group, everything that is said in one is said in the other."""

    def __init__(self, listen, to, seed):
        super().__init__(seed)
        self.to, self.sessions, self.readers = to, {}, {}
        self.pairs, self.streams = [], False
        self.door = self.bound(listen)
        self.name = self.door.getsockname() if not is_group(listen) else listen
        if not is_group(listen) and not is_group(to):
            self.readers[self.door] = self.from_caller
            return
        far, sides = self.bound(to), {}
        for reader, where in ((self.door, listen), (far, to)):
            sides[reader] = (self.speaker(where), where)
        mine = {one.getsockname()[1] for one, _ in sides.values()}
        for reader, other, way in ((self.door, far, "out"), (far, self.door, "back")):
            self.readers[reader] = self.bridge(way, mine, *sides[other])

    @staticmethod
    def bound(where):
        one = socket.socket(family(where), socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        one.setblocking(False)
        if is_group(where):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            one.bind(where)
            group = socket.inet_aton(where[0]) + socket.inet_aton("127.0.0.1")
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        else:
            one.bind(where)
        return one

    @staticmethod
    def speaker(where):
        one = socket.socket(family(where), socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind(("127.0.0.1", 0))
        if is_group(where):
            one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                           socket.inet_aton("127.0.0.1"))
        return one

    def bridge(self, way, mine, speaker, where):
        def heard(reader):
            data, sender = reader.recvfrom(READ_MAX)
            if sender[1] not in mine:
                self.take(self.ways[way], data, lambda some: speaker.sendto(some, where))
        return heard

    def from_caller(self, reader):
        data, caller = reader.recvfrom(READ_MAX)
        far = self.sessions.get(caller)
        if far is None and (len(self.sessions) == SESSIONS_MAX or self.refusing):
            self.ways["out"].count["dropped"] += 1
            return
        if far is None:
            far = socket.socket(family(self.to), socket.SOCK_DGRAM)
            far.setblocking(False)
            far.connect(self.to)
            self.sessions[caller] = far
            self.readers[far] = lambda one: self.take(
                self.ways["back"], one.recv(READ_MAX), lambda some: self.door.sendto(some, caller))
        self.take(self.ways["out"], data, far.send)

    def take(self, way, data, send):
        number, way.number = way.number, way.number + 1

        def falls(what, chance):
            return chance > 0 and self.dice.roll(way.name, what, number) < chance

        if way.partition or falls("loss", way.loss):
            way.count["dropped"] += 1
            return
        if data and falls("flip", way.flip):
            bit = int(8 * len(data) * self.dice.roll(way.name, "bit", number))
            data = bytearray(data)
            data[bit // 8] ^= 1 << bit % 8
            data = bytes(data)
            way.count["flipped"] += 1
        for copy in range(1 + falls("dup", way.dup)):
            way.count["doubled"] += copy
            self.hold(way, data, send, number + copy / 2, copy == 0 and falls("reorder", way.reorder))

    def hold(self, way, data, send, number, moved):
        """Until it is due; what was held back goes after it."""
        if way.waiting + len(data) > QUEUE_MAX:
            way.count["dropped"] += 1
            return
        way.waiting += len(data)
        if way.stall:
            way.later.append((data, send))
            return
        now = time.monotonic()
        due, way.free_at = way.wait(len(data), way.free_at,
                                    self.dice.roll(way.name, "jitter", number), now)
        before, way.behind = way.behind, []
        if moved:
            way.count["moved"] += 1
            way.behind = before + [(data, send)]
            self.at(now + BEHIND, lambda: self.catch_up(way))
            return
        for one in [(data, send)] + before:
            self.at(due, lambda one=one: self.emit(way, *one))

    def catch_up(self, way):
        before, way.behind = way.behind, []
        for one in before:
            self.emit(way, *one)

    def emit(self, way, data, send):
        if way.stall:
            way.later.append((data, send))
            return
        way.waiting -= len(data)
        try:
            send(data)
            way.count["bytes"] += len(data)
            way.count["datagrams"] += 1
        except OSError:  # nobody is there, or there is no room: as on a wire
            way.count["dropped"] += 1

    def released(self):
        for way in self.ways.values():
            later, way.later = ([], way.later) if way.stall else (way.later, [])
            for one in later:
                self.emit(way, *one)

    def hang_up_all(self, how):
        for far in self.sessions.values():
            self.readers.pop(far)
            far.close()
        self.sessions.clear()

    def begin_cut(self, way):
        raise ValueError("there is no stream to cut")

    def wanted(self, now):
        return ({one.fileno(): select.POLLIN for one in self.readers},
                self.due[0][0] if self.due else None)

    def move(self, ready, now):
        for reader, heard in list(self.readers.items()):
            for _ in range(64 if ready.get(reader.fileno()) else 0):
                try:
                    heard(reader)
                except OSError:  # no more, or nobody is there
                    break
