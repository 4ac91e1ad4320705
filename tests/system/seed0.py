# SPDX-License-Identifier: Apache-2.0
"""A publisher, a subscriber and a client of the older program, with pyzmq, written after
docs/formats/legacy.md and nothing else.

    seed0.py pub ENDPOINT        a line of JSON each: what to send; {"frames": [HEX...]} as it is
    seed0.py sub ENDPOINT PREFIX [COUNT]     each packet as a line of JSON
    seed0.py req ENDPOINT PREFIX...          each reply as it came, a line each
    seed0.py store ENDPOINT      answers with the lines of stdin, one a question; "" with silence
    seed0.py hang ENDPOINT       a REQ that asks and never reads, until it is killed
    seed0.py odd ENDPOINT        a DEALER that says what no REQ says, then asks as one does
"""
import hashlib
import json
import math
import struct
import sys

import zmq

HEAD = struct.Struct("!ffidd")


def pack(p):
    topic = f"qis.{p['domain']}.d{math.trunc(p['delta'] * 10) / 10:+.1f}"
    head = HEAD.pack(p["delta"], p["confidence"], p["n"], p["timestamp"], 0.0)
    tail = "|".join([p["domain"], p["node"], p["context"]])
    return [topic.encode("utf-8"), head + tail.encode("utf-8")]


def unpack(frames):
    topic, payload = frames  # any other count ends the program, as it did the seed's
    delta, confidence, n, timestamp, reserved = HEAD.unpack(payload[:28])
    domain, node, context = payload[28:].decode("utf-8", errors="replace").split("|")[:3]
    return {"topic": topic.decode(), "delta": delta, "confidence": confidence, "n": n,
            "timestamp": timestamp, "reserved": reserved, "domain": domain, "node": node,
            "context": context, "weight": confidence * math.log1p(n), "hex": payload.hex()}


def pub(context, endpoint):
    """The same lines again and again until told to stop by the end of stdin: who comes
    late to PUB has missed what was."""
    socket = context.socket(zmq.PUB)
    socket.bind(endpoint)
    node = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
    packets = [json.loads(line) for line in iter(sys.stdin.readline, "\n")]
    poller = zmq.Poller()
    poller.register(sys.stdin, zmq.POLLIN)
    cycle = 0
    while not poller.poll(20):
        cycle += 1
        for p in packets:
            if "frames" in p:
                socket.send_multipart([bytes.fromhex(f) for f in p["frames"]])
                continue
            nonce = hashlib.sha256(f"{p['domain']}{cycle}".encode()).hexdigest()[:16]
            frames = pack({"node": node, "context": nonce, **p})
            for _ in range(p.get("times", 1)):
                socket.send_multipart(frames)
    socket.close(linger=0)


def sub(context, endpoint, prefix, count="1"):
    socket = context.socket(zmq.SUB)
    socket.connect(endpoint)
    socket.setsockopt(zmq.SUBSCRIBE, prefix.encode("utf-8"))
    for _ in range(int(count)):
        print(json.dumps(unpack(socket.recv_multipart())), flush=True)
    socket.close(linger=0)


def req(context, endpoint, *prefixes):
    socket = context.socket(zmq.REQ)
    socket.connect(endpoint)
    for prefix in prefixes:
        socket.send(prefix.encode("utf-8"))
        print(socket.recv().decode("utf-8"), flush=True)
    socket.close(linger=0)


def hang(context, endpoint):
    socket = context.socket(zmq.REQ)
    socket.connect(endpoint)
    socket.send(b"")
    print("asked", flush=True)
    sys.stdin.read()


def store(context, endpoint):
    """A store of theirs. Where it is to be silent it goes, and comes back without memory."""
    answers = [line.rstrip("\n") for line in iter(sys.stdin.readline, "end\n")]
    for answer in answers:
        socket = context.socket(zmq.REP)
        while True:
            try:
                socket.bind(endpoint)
                break
            except zmq.ZMQError:  # the one before it is not gone yet
                continue
        print(socket.recv().decode("utf-8"), flush=True)
        if answer:
            socket.send(answer.encode("utf-8"))
        socket.close(linger=1000)


def odd(context, endpoint):
    gone = context.socket(zmq.REQ)  # asks and leaves
    gone.connect(endpoint)
    gone.send(b"")
    gone.close(linger=200)
    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    socket.send_multipart([b"no delimiter"])
    socket.send_multipart([b"", b"two", b"questions"])
    socket.send_multipart([b"x", b"y"])
    socket.send_multipart([b""] * 1000)
    socket.send_multipart([b"", b"\xff\xfe"])
    print(socket.recv_multipart()[1].decode(), flush=True)  # the one that was a question
    socket.send_multipart([b"", b"q" * 3000])
    print(socket.recv_multipart()[1].decode(), flush=True)
    big = context.socket(zmq.DEALER)
    big.connect(endpoint)
    big.send_multipart([b"", b"q" * 1000000])  # ends that connection, not the service
    socket.send_multipart([b"", b""])
    print(socket.recv_multipart()[1].decode(), flush=True)
    for one in (socket, big):
        one.close(linger=0)


context = zmq.Context()
{"pub": pub, "sub": sub, "req": req, "odd": odd, "store": store, "hang": hang}[sys.argv[1]](context, *sys.argv[2:])
context.term()  # what was sent is on its way; an exit alone would lose it
