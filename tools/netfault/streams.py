# SPDX-License-Identifier: Apache-2.0
"""Connections through a wire: each direction keeps its order, and every byte."""
import fcntl
import select
import socket
import struct
import sys
import termios

from wire import SESSIONS_MAX, Wire, family

HELD_MAX = 1 << 18  # bytes waiting in one direction of one connection


class Pipe:
    """One direction of one connection: bytes wait here, in order."""

    def __init__(self, wire, way, number, source, sink):
        self.wire, self.way, self.number = wire, way, number
        self.source, self.sink = source, sink
        self.held, self.size = [], 0
        self.taken = self.base = 0     # bytes read; and that when `cut` was said
        self.free_at = self.last_due = 0.0
        self.pieces = 0
        self.ended = self.done = False
        self.fate = None               # "close" or "reset", once all is written

    def wants_bytes(self):
        return not (self.ended or self.way.shut() or self.size >= HELD_MAX)

    def ripe(self, now):
        return bool(self.held) and self.held[0][0] <= now and not self.way.shut()

    def take(self, now):
        try:
            data = self.source.recv(self.way.piece())
        except BlockingIOError:
            return
        except OSError:
            self.wire.hang_up(self, "reset")
            return
        if not data:
            self.ended = True
            return
        data = self.bend(data)
        chance = self.wire.dice.roll(self.way.name, "piece", self.number, self.pieces)
        due, self.free_at = self.way.wait(len(data), self.free_at, chance, now)
        self.last_due = max(due, self.last_due)  # a stream keeps its order
        self.pieces += 1
        self.held.append((self.last_due, data))
        self.size += len(data)

    def bend(self, data):
        """Flips the byte that is due, and ends where the stream is to be cut."""
        way, begin = self.way, self.taken
        if way.flip_at is not None and begin <= way.flip_at < begin + len(data):
            at = way.flip_at - begin
            bit = 1 << int(8 * self.wire.dice.roll(way.name, "bit", self.number))
            data = data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]
            way.flip_at = None
            way.count["flipped"] += 1
        if way.cut is not None and begin + len(data) - self.base >= way.cut:
            data = data[:way.cut - (begin - self.base)]
            self.fate = "reset" if way.cut_reset else "close"
            self.ended, way.cut = True, None
            way.count["cut"] += 1
        self.taken += len(data)
        return data

    def give(self, now):
        while self.ripe(now):
            due, data = self.held[0]
            try:
                sent = self.sink.send(data)
            except BlockingIOError:
                return
            except OSError:
                self.wire.hang_up(self, "reset")
                return
            self.size -= sent
            self.way.count["bytes"] += sent
            if sent == len(data):
                self.held.pop(0)
            else:
                self.held[0] = (due, data[sent:])

    def finish(self):
        """The end of a stream goes on when all before it did."""
        if not self.ended or self.held or self.done or self.way.shut():
            return
        self.done = True
        if self.fate is not None:
            self.wire.hang_up(self, self.fate)
            return
        try:
            self.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Streams(Wire):
    def __init__(self, listen, to, seed):
        super().__init__(seed)
        self.to, self.pairs, self.calls = to, [], 0
        self.door = socket.socket(family(listen), socket.SOCK_STREAM)
        if family(listen) != socket.AF_UNIX:
            self.door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.door.bind(listen)
        self.door.listen(128)
        self.door.setblocking(False)
        self.name = self.door.getsockname()

    def open(self):
        try:
            near, _ = self.door.accept()
        except OSError:
            return
        far = socket.socket(family(self.to), socket.SOCK_STREAM)
        far.settimeout(5)
        try:
            if self.refusing:
                raise ConnectionRefusedError
            far.connect(self.to)
        except OSError:
            self.end([near, far], "reset")
            return
        for one in (near, far):
            one.setblocking(False)
            if one.family != socket.AF_UNIX:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.calls += 1
        self.pairs.append((Pipe(self, self.ways["out"], self.calls, near, far),
                           Pipe(self, self.ways["back"], self.calls, far, near)))

    @staticmethod
    def end(sockets, how):
        for one in sockets:
            if how == "reset" and one.family != socket.AF_UNIX:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()

    def hang_up(self, pipe, how):
        for pair in [pair for pair in self.pairs if pipe in pair]:
            self.pairs.remove(pair)
            self.end([pair[0].source, pair[1].source], how)

    def hang_up_all(self, how):
        for pair in list(self.pairs):
            self.hang_up(pair[0], how)

    def waiting(self, way):
        pipes = [pipe for pair in self.pairs for pipe in pair if pipe.way is way]
        unread = bytearray(4)
        total = 0
        for pipe in pipes:
            fcntl.ioctl(pipe.source, termios.FIONREAD, unread)
            total += pipe.size + int.from_bytes(unread, sys.byteorder)
        return total

    def begin_cut(self, way):
        for pair in self.pairs:
            for pipe in pair:
                if pipe.way is way:
                    pipe.base = pipe.taken

    def wanted(self, now):
        """What to wait for, and until when."""
        masks, soonest = {}, self.due[0][0] if self.due else None
        if not any(way.shut() for way in self.ways.values()) and len(self.pairs) < SESSIONS_MAX:
            masks[self.door.fileno()] = select.POLLIN
        for pair in self.pairs:
            for pipe in pair:
                if pipe.wants_bytes():
                    masks[pipe.source.fileno()] = \
                        masks.get(pipe.source.fileno(), 0) | select.POLLIN
                if pipe.ripe(now):
                    masks[pipe.sink.fileno()] = \
                        masks.get(pipe.sink.fileno(), 0) | select.POLLOUT
                elif pipe.held and not pipe.way.shut():
                    when = pipe.held[0][0]
                    soonest = when if soonest is None else min(when, soonest)
        return masks, soonest

    def move(self, ready, now):
        for pair in list(self.pairs):
            for pipe in pair:
                if pair in self.pairs and ready.get(pipe.source.fileno()) and pipe.wants_bytes():
                    pipe.take(now)
            for pipe in pair:
                if pair in self.pairs:
                    pipe.give(now)
                if pair in self.pairs:
                    pipe.finish()
            if pair in self.pairs and pair[0].done and pair[1].done:
                self.hang_up(pair[0], "close")
        if ready.get(self.door.fileno()):
            self.open()
