# SPDX-License-Identifier: Apache-2.0
"""A second reader of docs/formats/link.md, written from its tables alone."""
import re
import struct

SUBJECT = re.compile(rb"[a-z0-9_-]+(\.[a-z0-9_-]+){0,7}")


class Refused(Exception):
    pass


def need(good):
    if not good:
        raise Refused


def is_pattern(text):
    tokens = text.split(b".")
    need(1 <= len(text) <= 128 and 1 <= len(tokens) <= 8)
    for i, token in enumerate(tokens):
        last = i == len(tokens) - 1
        need(token == b"*" or (token == b">" and last) or re.fullmatch(rb"[a-z0-9_-]+", token))


def hello(body):
    need(len(body) == 64 and body[:4] == b"kith" and body[7] == 0 and body[12:16] == bytes(4))
    window = struct.unpack(">I", body[8:12])[0]
    need(body[5] in (1, 2) and window >= 65536)
    return {"version": body[4], "role": body[5], "method": body[6], "window": window,
            "id": body[16:32].hex(), "challenge": body[32:64].hex()}


def want(body, count):
    need(len(body) >= 5 and count <= 64 and body[4] <= 1 and not (body[4] and count))
    number, at, patterns = struct.unpack(">I", body[:4])[0], 5, []
    for _ in range(count):
        need(at < len(body))
        size = body[at]
        text = body[at + 1:at + 1 + size]
        need(len(text) == size)
        is_pattern(text)
        if text.decode() not in patterns:
            patterns.append(text.decode())
        at += 1 + size
    need(at == len(body))
    return {"number": number, "all": body[4] == 1, "patterns": patterns}


def batch(body, count):
    need(len(body) >= 4)
    lost, at, items = struct.unpack(">I", body[:4])[0], 4, []
    for _ in range(count):
        need(at + 4 <= len(body))
        length, kind, name = struct.unpack(">HBB", body[at:at + 4])
        need((kind == 1 and 1 <= name <= 128) or (kind == 2 and name == 0))
        need(1 <= length <= 512 and at + 4 + name + length <= len(body))
        at += 4
        items.append([kind, body[at:at + name].hex(), body[at + name:at + name + length].hex()])
        at += name + length
    need(at == len(body))
    return {"lost": lost, "items": items}


def decode(raw):
    need(len(raw) >= 8)
    kind, zero, count, length = struct.unpack(">BBHI", raw[:8])
    body = raw[8:]
    need(zero == 0 and len(body) == length and length <= 65528)
    need(count == 0 or kind in (3, 5))
    shown = {"type": kind}
    if kind == 1:
        shown |= hello(body)
    elif kind == 2:
        need(1 <= length <= 504)
    elif kind == 3:
        shown |= want(body, count)
    elif kind == 4:
        need(length == 4)
        shown["number"] = struct.unpack(">I", body)[0]
    elif kind == 5:
        shown |= batch(body, count)
    elif kind == 6:
        need(length == 8)
        shown["through"] = struct.unpack(">Q", body)[0]
    else:
        need(kind == 7 and length == 1)
        shown["why"] = body[0]
    return shown
