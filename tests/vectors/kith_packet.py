# SPDX-License-Identifier: Apache-2.0
"""A second reader of packets, subjects and patterns, written from
docs/formats/packet.md and not from the C. Python's standard library only.

    kith_packet.py HEX      prints the fields of a packet, or why it is refused
"""
import hashlib
import json
import re
import struct
import sys

LEAF, DIGEST, EVAL, RETRACT = 1, 2, 3, 4
YEAR_9999 = 253402300799999999
SIGNED = b"kith-packet-1"


class Refused(Exception):
    """str() is the name of the counter."""


# --- section 5: subjects and patterns -------------------------------------------------

TOKEN = re.compile(rb"[a-z0-9_-]+\Z")


def is_subject(text):
    tokens = text.split(b".")
    return len(text) <= 128 and len(tokens) <= 8 and all(TOKEN.match(t) for t in tokens)


def is_pattern(text):
    tokens = text.split(b".")
    if tokens[-1] == b">":
        tokens[-1] = b"*"
    tokens = [b"x" if t == b"*" else t for t in tokens]
    return len(text) <= 128 and len(tokens) <= 8 and all(TOKEN.match(t) for t in tokens)


def matches(pattern, subject):
    if not is_pattern(pattern) or not is_subject(subject):
        return False
    if subject.startswith(b"_") and not pattern.startswith(b"_"):
        return False
    p, s = pattern.split(b"."), subject.split(b".")
    if p[-1] == b">":
        if len(s) < len(p):
            return False
        p, s = p[:-1], s[: len(p) - 1]
    return len(p) == len(s) and all(a in (b"*", b) for a, b in zip(p, s))


def fingerprint(template, subject):
    tokens = subject.split(b".")
    h = hashlib.sha256(b"kith-address-1" + bytes([16]) + template + struct.pack(">I", 1))
    h.update(bytes([len(tokens)]))
    for token in tokens:
        h.update(bytes([len(token)]) + token)
    return h.hexdigest()


# --- sections 6 to 8: numbers, pivots, text -------------------------------------------


def number(raw, reason="bad_number"):
    """An f64 (8 bytes) or f32 (4 bytes) in its one form."""
    bits = int.from_bytes(raw, "big")
    wide = len(raw) == 8
    exponent = bits >> (52 if wide else 23) & (0x7FF if wide else 0xFF)
    if bits != 0 and exponent in (0, 0x7FF if wide else 0xFF):
        raise Refused(reason)
    return struct.unpack(">d" if wide else ">f", raw)[0]


def pivots_fit(a, p):
    matrix = [[0.0] * p for _ in range(p)]
    rest = iter(a)
    for i in range(p):
        for j in range(i + 1):
            matrix[i][j] = next(rest)
    low = [[0.0] * p for _ in range(p)]
    d = [0.0] * p
    for i in range(p):
        pivot = matrix[i][i]
        for j in range(i):
            u = matrix[i][j]
            for k in range(j):
                u = u - (low[i][k] * d[k]) * low[j][k]
            low[i][j] = u / d[j]
            pivot = pivot - u * low[i][j]
        if not pivot >= 2.0**-20 * matrix[i][i]:
            return False
        d[i] = pivot
    return True


def text_fits(raw):
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    bad = lambda c: (
        c <= 0x1F
        or 0x7F <= c <= 0x9F
        or c in (0x2028, 0x2029, 0x061C, 0x200E, 0x200F)
        or 0x202A <= c <= 0x202E
        or 0x2066 <= c <= 0x2069
    )
    return not any(bad(ord(c)) for c in text)


# --- sections 1 to 3: the packet ------------------------------------------------------


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def bytes(self, n):
        if len(self.raw) - self.at < n:
            raise Refused("bad_len")
        self.at += n
        return self.raw[self.at - n : self.at]

    def uint(self, n):
        return int.from_bytes(self.bytes(n), "big")


def need(good, reason):
    if not good:
        raise Refused(reason)


def parts_fit(kind, bits):
    bits = set(bits)
    if {4, 5} <= bits:
        return False
    if kind == EVAL:
        return bits == {0, 1}
    if kind == DIGEST:
        return bits in ({9}, {9, 10})
    free = bits & {4, 5, 7, 8}
    evidence = bits - free
    if kind == RETRACT:
        return not evidence
    if evidence in ({0, 1}, {0, 1, 6}, {0, 3}, {2}):
        return True
    return evidence in (set(), {3}) and bool(bits & {7, 8})


def effect(r, out, kind, flags):
    head = r.bytes(6)
    measure, p, n = head[0], head[1], int.from_bytes(head[2:], "big")
    if kind == EVAL:
        need(measure == 9 and p == 1, "bad_measure")
    else:
        need(1 <= measure <= 8, "bad_measure")
        need(1 <= p <= (1 if flags >> 3 & 1 else 4), "bad_measure")
    raw = r.bytes(8 * p)
    need(1 <= n <= 2**31 - 1, "bad_count")
    y = []
    for i in range(p):
        y.append(number(raw[8 * i : 8 * i + 8]))
        need(abs(y[-1]) <= 1024, "bad_number")
    out["effect"] = {"measure": measure, "n": n, "y": y}


def covariance(r, out, kind, flags):
    p = len(out["effect"]["y"])
    raw = r.bytes(4 * p * (p + 1))
    a = [number(raw[i : i + 8]) for i in range(0, len(raw), 8)]
    for i in range(p):
        need(2.0**-20 <= a[i * (i + 1) // 2 + i] <= 2.0**20, "bad_variance")
    need(pivots_fit(a, p), "bad_variance")
    out["covariance"] = a


def counts(r, out, kind, flags):
    raw = r.bytes(8)
    hits, tries = struct.unpack(">II", raw)
    need(1 <= tries <= 2**31 - 1 and hits <= tries, "bad_count")
    out["counts"] = [hits, tries]


def confidence(r, out, kind, flags):
    x = number(r.bytes(4))
    need(0 <= x <= 1, "bad_confidence")
    out["confidence"] = x


def context16(r, out, kind, flags):
    c = r.uint(1)
    need(1 <= c <= 16, "bad_context")
    out["context16"] = list(struct.unpack(">%dH" % c, r.bytes(2 * c)))


def context8(r, out, kind, flags):
    c = r.uint(1)
    need(1 <= c <= 64, "bad_context")
    out["context8"] = list(struct.unpack(">%db" % c, r.bytes(c)))


def privacy(r, out, kind, flags):
    raw = r.bytes(9)
    need(raw[0] in (1, 2), "bad_privacy")
    rho = number(raw[1:5])
    need(2.0**-30 <= rho <= 2.0**6, "bad_privacy")
    v_dp = number(raw[5:9])
    need(2.0**-40 <= v_dp <= 2.0**20, "bad_privacy")
    out["privacy"] = [raw[0], rho, v_dp]


def conclusion(r, out, kind, flags):
    out["conclusion"] = r.uint(2)
    need(out["conclusion"] >= 1, "bad_conclusion")


def text(r, out, kind, flags):
    t = r.uint(1)
    need(1 <= t <= 160, "bad_text")
    raw = r.bytes(t)
    need(text_fits(raw), "bad_text")
    out["text"] = raw.hex()


def digest(r, out, kind, flags):
    head = Reader(r.bytes(27))
    measure, p, level = head.uint(1), head.uint(1), head.uint(1)
    prefix, count = head.bytes(16), head.uint(8)
    need(1 <= measure <= 9 and 1 <= p <= 4, "bad_digest")
    raw = r.bytes(64 * p)
    need(level <= 13 or level == 255, "bad_digest")
    need(level not in (0, 255) or prefix == bytes(16), "bad_digest")
    need(1 <= count <= 2**22, "bad_digest")
    sums = []
    for i in range(p):
        s = [int.from_bytes(raw[j : j + 16], "big", signed=True) for j in range(64 * i, 64 * i + 64, 16)]
        need(s[0] > 0 and s[1] > 0 and s[3] >= 0, "bad_digest")
        sums.append([str(x) for x in s])
    out["digest"] = {"measure": measure, "level": level, "prefix": prefix.hex(), "count": count, "sums": sums}


def sketch(r, out, kind, flags):
    raw = r.bytes(192)
    bits = int.from_bytes(raw, "big")
    registers = [bits >> (256 - 1 - i) * 6 & 63 for i in range(256)]
    need(max(registers) <= 57, "bad_sketch")
    out["sketch"] = registers


PARTS = [effect, covariance, counts, confidence, context16, context8, privacy, conclusion, text, digest, sketch]


def decode(raw):
    """The fields of a packet. Refused says why not."""
    need(len(raw) > 0, "bad_len")
    need(raw[0] == 1, "bad_version")
    need(150 <= len(raw) <= 512, "bad_len")
    r = Reader(raw[:-64])
    r.bytes(1)
    kind = r.uint(1)
    need(LEAF <= kind <= RETRACT, "bad_type")
    flags = r.uint(2)
    need(flags < 1 << 11, "bad_flags")
    bits = [b for b in range(11) if flags >> b & 1]
    need(parts_fit(kind, bits), "bad_parts")
    out = {"type": kind, "flags": flags, "template": r.bytes(16).hex(), "source": r.bytes(32).hex()}
    out["epoch"], out["seq"] = r.uint(8), r.uint(8)
    need(1 <= out["epoch"] < 2**63 and out["seq"] < 2**63, "bad_order")
    out["t_end"], out["span"], out["ttl"] = r.uint(8), r.uint(4), r.uint(4)
    need(1 <= out["t_end"] <= YEAR_9999, "bad_time")
    need(out["span"] * 1000000 <= out["t_end"] and 1 <= out["ttl"] <= 315576000, "bad_time")
    length = r.uint(1)
    need(1 <= length <= 128, "bad_subject")
    subject = r.bytes(length)
    need(is_subject(subject) and subject.split(b".")[0] != b"_sys", "bad_subject")
    out["subject"] = subject.decode("ascii")
    for b in bits:
        PARTS[b](r, out, kind, flags)
    need(r.at == len(r.raw), "bad_len")
    out["signature"] = raw[-64:].hex()
    return out


# --- section 9: Ed25519, slow and short -----------------------------------------------

Q = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, Q - 2, Q) % Q
ROOT = pow(2, (Q - 1) // 4, Q)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m, n = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q


def times(n, point):
    total = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = add(total, point)
        point = add(point, point)
        n >>= 1
    return total


def point(raw):
    """The point of a canonical encoding, or None."""
    bits = int.from_bytes(raw, "little")
    sign, y = bits >> 255, bits & (1 << 255) - 1
    if y >= Q:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, Q - 2, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if x * x % Q != square:
        x = x * ROOT % Q
    if x * x % Q != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = Q - x
    return x, y, 1, x * y % Q


def encoding(p):
    x, y, z, _ = p
    inverse = pow(z, Q - 2, Q)
    x, y = x * inverse % Q, y * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = point((4 * pow(5, Q - 2, Q) % Q).to_bytes(32, "little"))


def small(p):
    return encoding(times(8, p)) == encoding((0, 1, 1, 0))


def verify(raw):
    """Is the signature of a decoded packet its source's?"""
    source, r, s = raw[20:52], raw[-64:-32], int.from_bytes(raw[-32:], "little")
    a, commitment = point(source), point(r)
    if s >= ORDER or a is None or commitment is None or small(a) or small(commitment):
        return False
    h = hashlib.sha512(r + source + SIGNED + raw[:-64]).digest()
    k = int.from_bytes(h, "little") % ORDER
    minus_a = (Q - a[0], a[1], a[2], Q - a[3])
    return encoding(add(times(s, BASE), times(k, minus_a))) == r


def packet_id(raw):
    return hashlib.sha256(raw).hexdigest()


def keyid(source):
    return hashlib.blake2b(source, digest_size=32).hexdigest()[:32]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1])
    try:
        packet = bytes.fromhex(sys.argv[1])
        print(json.dumps(decode(packet), indent=1))
        print("signature", "good" if verify(packet) else "bad", file=sys.stderr)
    except Refused as why:
        sys.exit(str(why))
