# SPDX-License-Identifier: Apache-2.0
"""Sync frames, read a second time: written from docs/formats/sync.md alone."""
import hashlib
import math
import struct

import kith_packet

HEAD, MOST = 52, 512
INFINITY = (1 << 128) - 1


class Refused(Exception):
    pass


def need(good):
    if not good:
        raise Refused


class Reader:
    def __init__(self, raw):
        self.raw, self.at, self.last = raw, HEAD, 0

    def bytes(self, n):
        need(len(self.raw) - self.at >= n)
        self.at += n
        return self.raw[self.at - n : self.at]

    def byte(self):
        return self.bytes(1)[0]

    def hex(self, n):
        return self.bytes(n).hex()

    def varint(self, most=(1 << 64) - 1):
        value = shift = 0
        while True:
            b = self.byte()
            value |= (b & 0x7F) << shift
            if b < 0x80:
                need(b != 0 or shift == 0)
                break
            shift += 7
            need(shift < 64)
        need(value < 1 << 64 and value <= most)
        return value

    def bound(self):
        first = self.byte()
        if first == 0xFF:
            self.last = INFINITY
            return self.last
        shared, follow = first >> 4, first & 15
        if follow == 15:
            follow = 16 - shared
        need(shared + follow <= 16)
        head = self.last.to_bytes(16, "big")[:shared] + self.bytes(follow)
        self.last = int.from_bytes(head.ljust(16, b"\0"), "big")
        return self.last


def b16(value):
    return f"{value:032x}"


def tags(r, most):
    return [r.hex(8) for _ in range(r.varint(most))]


def ask(r):
    kind = r.byte()
    need(kind <= 4)
    p = {"kind": kind}
    if kind != 4:
        p["rid"] = r.varint(0xFFFFFFFF)
    if kind != 0:
        lo, hi = r.bound(), r.bound()
        need(lo < hi)
        p |= {"lo": b16(lo), "hi": b16(hi)}
    if kind == 2:
        p["start"] = 8 * r.varint(0xFFFFFFFF // 8 - 32)
        p["count"] = 8 * r.varint(32)
        need(p["count"] > 0)
    elif kind == 3:
        p["credit"] = r.varint()
        need(p["credit"] > 0)
    elif kind == 4:
        p["tags"] = tags(r, 50)
        need(p["tags"])
    return p


def tell(r):
    kind = r.byte()
    p = {"kind": kind}
    if kind == 4:
        return p | {"seconds": r.varint(), "reason": r.byte()}
    if kind == 5:
        return p | {"floor": r.varint(0xFFFFFFFF)}
    need(kind <= 6)
    p["rid"] = r.varint(0xFFFFFFFF)
    if kind == 0:
        p |= {"count": r.varint(), "root": r.hex(16)}
    elif kind == 1:
        n, before, parts = r.varint(30), -1, []
        need(n >= 1)
        for i in range(n):
            hi = r.bound() if i + 1 < n else INFINITY
            parts.append([b16(hi) if i + 1 < n else None, r.varint(), r.hex(8)])
            need(hi > before)
            before = hi
        p["parts"] = parts
    elif kind == 2:
        p["tags"] = tags(r, 56)
    elif kind == 3:
        p["start"] = 8 * r.varint(0xFFFFFFFF // 8 - 32)
        n = 8 * r.varint(4)
        need(n > 0)
        p["cells"] = []
        for _ in range(n):
            total, check, zigzag = r.hex(8), r.hex(4), r.varint(0xFFFFFFFF)
            p["cells"].append([total, check, zigzag >> 1 if zigzag & 1 == 0 else -(zigzag >> 1) - 1])
    else:
        p |= {"reached": b16(r.bound()), "sent": r.varint()}
    return p


def hello(r):
    flags = r.byte()
    need(flags <= 1)
    out = {"answer": flags == 1, "key": r.hex(32), "ephemeral": r.hex(32), "boundary": struct.unpack(">I", r.bytes(4))[0]}
    out |= {"stored": r.varint(), "count": r.varint(), "root": r.hex(16), "trust": r.hex(8), "patterns": []}
    n, size = r.byte(), 0
    need(1 <= n <= 8)
    for _ in range(n):
        text = r.bytes(r.byte())
        size += 1 + len(text)
        need(size <= 270 and kith_packet.is_pattern(text))
        out["patterns"].append(text.decode())
    need(len(r.raw) - r.at == 64)
    return out | {"signature": r.hex(64)}


def keys(r):
    out = {"source": r.hex(8), "epoch": r.varint(), "runs": []}
    n, at = r.varint(64), 0
    need(n >= 1)
    for _ in range(n):
        gap, length = r.varint(), r.varint()
        need(gap < 1 << 62 and 1 <= length < 1 << 32 and at < 1 << 62)
        out["runs"].append([at + gap, length])
        at += gap + length
    need(r.at == len(r.raw))
    return out


def decode(raw):
    need(HEAD <= len(raw) <= MOST and raw[:3] == b"KS\1" and 1 <= raw[3] <= 4)
    out = {"type": raw[3], "to": raw[4:12].hex(), "from": raw[12:20].hex(), "nonce": raw[20:28].hex()}
    out |= {"scope": raw[28:32].hex(), "floor": struct.unpack(">I", raw[32:36])[0]}
    need(any(raw[12:20]))
    r = Reader(raw)
    if raw[3] == 1:
        return out | hello(r)
    if raw[3] == 4:
        return out | keys(r)
    pieces = []
    while r.at < len(raw):
        need(len(pieces) < 16)
        pieces.append(ask(r) if raw[3] == 2 else tell(r))
    need(pieces)
    return out | {"pieces": pieces}


# ---- what follows from a nonce ----


def siphash(key, data):
    """SipHash-2-4."""
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turn(x, b):
        return ((x << b) | (x >> (64 - b))) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = data + b"\0" * (7 - len(data) % 8) + bytes([len(data) & 255])
    for (m,) in struct.iter_unpack("<Q", padded):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 255
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def salt(nonce):
    whole = hashlib.blake2b(b"kith-sync-salt-1" + nonce, digest_size=64).digest()
    return whole[:32], whole[32:48], whole[48:]


def element(item):
    out = b"".join(hashlib.blake2b(item + bytes([i]), digest_size=64).digest() for i in range(4))
    return struct.unpack(">32Q", out)


def root(sum_key, items):
    words = [sum(column) % (1 << 64) for column in zip(*map(element, items))]
    return hashlib.blake2b(struct.pack(">33Q", len(items), *words), digest_size=16, key=sum_key).hexdigest()


def cells(tags_and_checks, count):
    out = [[0, 0, 0] for _ in range(count)]
    for tag, check in tags_and_checks:
        state, at = tag | 1, 0
        while at < count:
            cell = out[at]
            out[at] = [cell[0] ^ tag, cell[1] ^ check, cell[2] + 1]
            state = state * 0xDA942042E4DD58B5 % (1 << 64)
            gap = (at + 1.5) * (65536.0 / math.sqrt((state >> 32) + 1) - 1.0)
            at += 1 if gap < 1 else math.ceil(gap)
    return [[f"{a:016x}", f"{b:08x}", n] for a, b, n in out]


def scope(*sides):
    """Each side: (key, patterns). One side alone: both follow the same."""
    data = b"kith-sync-scope-1"
    for key, patterns in sorted(sides):
        data += key if len(sides) > 1 else b""
        data += bytes([len(patterns)]) + b"".join(bytes([len(p)]) + p for p in sorted(patterns))
    return hashlib.blake2b(data, digest_size=32).hexdigest()[:8]
