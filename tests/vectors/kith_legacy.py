# SPDX-License-Identifier: Apache-2.0
"""The packets of seed 0 and seed 1, read and written after docs/formats/legacy.md by
somebody who has not seen the C."""
import hashlib
import json
import math
import re
import struct
import unicodedata

HEAD = struct.Struct("!ffidd")
TOKEN = r"[a-z0-9_-]+"
SUBJECT = re.compile(rf"{TOKEN}(\.{TOKEN}){{0,7}}\Z")
BUCKET = re.compile(r"\.d[+-](0\.[0-9]|1\.0)\Z")
KEYS1 = ["agent_id", "domain", "problem_class", "conclusion", "confidence",
         "context_vector", "timestamp", "source_node"]
KEYS0 = ["domain", "outcome_delta", "confidence", "n_observations"]


class Refused(Exception):
    pass


def need(fact, counter):
    if not fact:
        raise Refused(counter)


def is_subject(text):
    return bool(SUBJECT.match(text)) and len(text) <= 128 and text.split(".")[0] != "_sys"


def is_clean(text):
    for c in text:
        if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp"):
            return False
        if c in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
            return False
    return True


def clean(raw, most):
    need(len(raw) <= most, "bad_text")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("bad_text") from None
    need(is_clean(text), "bad_text")
    return text


def is_time(t):
    return 1e-6 <= t <= 253402300799.0


def topic(domain, delta):
    return f"qis.{domain}.d{math.trunc(delta * 10) / 10:+.1f}"


def encode0(p):
    tail = "|".join([p["domain"], p["node_id"], p["context_hash"]]).encode()
    head = HEAD.pack(p["outcome_delta"], p["confidence"], p["n_observations"], p["timestamp"], 0.0)
    return topic(p["domain"], p["outcome_delta"]).encode(), head + tail


def decode0(name, raw):
    need(30 <= len(raw) <= 222, "bad_len")
    need(raw[28:].count(b"|") == 2, "bad_bars")
    parts = raw[28:].split(b"|")
    domain, node, context = [clean(part, most) for part, most in zip(parts, (128, 32, 32))]
    need(is_subject(domain), "bad_subject")
    if name is not None:
        need(8 <= len(name) <= 138 and name.startswith(b"qis."), "bad_topic")
        text = name.decode("latin-1")
        bucket = BUCKET.search(text)
        need(bucket and bucket.start() > 4, "bad_topic")
        need(text[4:bucket.start()] == domain, "bad_domain")
    delta, confidence, n, timestamp, _ = HEAD.unpack(raw[:28])
    need(-1 <= delta <= 1, "bad_delta")
    need(0 <= confidence <= 1, "bad_confidence")
    need(n >= 1, "bad_count")
    need(is_time(timestamp), "bad_time")
    return {"domain": domain, "node_id": node, "context_hash": context, "outcome_delta": delta,
            "confidence": confidence, "n_observations": n, "timestamp": timestamp}


def float32(x):
    return struct.unpack("!f", struct.pack("!f", x))[0]


def reply(rows, extended=False):
    keys = KEYS0 + (["timestamp", "node_id", "context_hash"] if extended else [])
    return json.dumps([{k: float32(r[k]) if k in ("outcome_delta", "confidence") else r[k]
                        for k in keys} for r in rows])


def encode1(p):
    raw = json.dumps({k: p[k] for k in KEYS1}).encode()
    need(len(raw) <= 512, "no_room")
    return raw


def pairs(found):
    need(len({k for k, _ in found}) == len(found), "bad_json")
    return dict(found)


def nothing(word):
    raise Refused("bad_json")


def number(x, counter):
    need(isinstance(x, (int, float)) and not isinstance(x, bool), "bad_type")
    need(not isinstance(x, int) or abs(x) <= 2**53, counter)
    return float(x)


def string(x, most):
    need(isinstance(x, str), "bad_type")
    need(len(x.encode()) <= most, "bad_text")
    return x


def whole(text):
    need(-2**63 <= int(text) < 2**63, "bad_json")
    return int(text)


def real(text):
    need(math.isfinite(float(text)), "bad_json")
    return float(text)


def strings(x):
    """Every string inside, the keys too."""
    if isinstance(x, str):
        yield x
    elif isinstance(x, dict):
        for k, v in x.items():
            yield k
            yield from strings(v)
    elif isinstance(x, list):
        for v in x:
            yield from strings(v)


def loaded(raw):
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=pairs, parse_constant=nothing,
                           parse_int=whole, parse_float=real)
    except (ValueError, RecursionError):
        raise Refused("bad_json") from None
    for text in strings(found):
        need("\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text), "bad_json")
    return found


def decode1(raw):
    need(1 <= len(raw) <= 512, "bad_len")
    p = loaded(raw)
    need(isinstance(p, dict), "bad_json")
    need(set(p) == set(KEYS1), "bad_keys")
    out = {k: string(p[k], most) for k, most in
           [("agent_id", 511), ("domain", 128), ("problem_class", 128), ("conclusion", 511)]}
    out["confidence"] = number(p["confidence"], "bad_confidence")
    need(isinstance(p["context_vector"], list), "bad_type")
    need(len(p["context_vector"]) <= 192, "bad_vector")
    out["context_vector"] = [number(x, "bad_vector") for x in p["context_vector"]]
    out["timestamp"] = number(p["timestamp"], "bad_time")
    out["source_node"] = string(p["source_node"], 511)
    for key in ("agent_id", "domain", "problem_class", "conclusion", "source_node"):
        need(is_clean(out[key]), "bad_text")
    need(is_subject(f"iot.{out['domain']}.{out['problem_class']}"), "bad_subject")
    need(0 <= out["confidence"] <= 1, "bad_confidence")
    need(is_time(out["timestamp"]), "bad_time")
    return out


def legacy_id(seed, name, payload):
    return hashlib.sha256(b"kith-legacy-%d" % seed + struct.pack("!H", len(name)) + name +
                          payload).hexdigest()
