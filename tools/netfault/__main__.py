#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wire that misbehaves on command, between two programs that talk over TCP or UDP.

    python3 tools/netfault --to 127.0.0.1:21002                  # tcp; says where it listens
    python3 tools/netfault --udp --listen 127.0.0.1:21001 --to 127.0.0.1:21002 --seed 7 \\
        --plan 'delay 20ms 5ms; loss 30%; at 5s back partition 10s; at 20s cut 137B'
    python3 tools/netfault --udp --listen 239.1.1.1:21001 --to 239.1.1.2:21002   # two groups

Commands come on stdin, a line each, and are answered on stdout, a JSON object each; it
ends with its stdin (--stay: not). `out` is from who calls to who is called, `back` the
other way; a command without either means both.

    [out|back] delay TIME [JITTER]    rate SIZE (a second)    partition|stall [TIME]
    [out|back] loss|dup|reorder|flip PERCENT   (datagrams)    flip SIZE  (that byte, once)
    [out|back] cut SIZE[..SIZE] [reset]   after that many bytes from now, once
    reset | close                     all connections, now
    refuse                            whoever calls is hung up on
    flap TIME                         a partition comes and goes
    heal                              all of the above ends; what waited goes on
    count                             what went through, and what became of it
    at TIME COMMAND                   later

Chance does not depend on time: the n-th datagram of a direction falls the same way with
the same seed. A partition drops datagrams; of a connection no byte passes and none is
lost, as the ends of a real one would send them again, and new ones find nobody. Stall:
nothing is read here, and datagrams wait too. Names: HOST:PORT or unix:PATH (a stream).
"""
import argparse
import json
import os
import select
import sys
import time

sys.dont_write_bytecode = True
from datagrams import Datagrams  # noqa: E402
from orders import Orders  # noqa: E402
from streams import Streams  # noqa: E402
from wire import address  # noqa: E402


def say(**what):
    print(json.dumps(what), flush=True)


def answer(orders, line):
    try:
        say(event="done", command=line, **orders.obey(line))
    except (ValueError, TypeError, IndexError) as why:
        say(event="error", command=line, why=str(why))


def serve(wire, orders, stay):
    rest = b""
    while True:
        now = time.monotonic()
        masks, soonest = wire.wanted(now)
        poll = select.poll()
        for fd, mask in masks.items():
            poll.register(fd, mask)
        if not stay:
            poll.register(0, select.POLLIN)
        ready = dict(poll.poll(None if soonest is None else max(0, soonest - now) * 1000 + 1))
        if ready.pop(0, 0):
            piece = os.read(0, 4096)
            if not piece:
                return
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                answer(orders, line.decode(errors="replace").strip())
        now = time.monotonic()
        wire.turn(now)
        wire.move(ready, now)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0", type=address)
    parser.add_argument("--to", required=True, type=address)
    parser.add_argument("--udp", action="store_true")
    parser.add_argument("--seed", default=1, type=int)
    parser.add_argument("--plan", default="")
    parser.add_argument("--stay", action="store_true", help="does not end with its stdin")
    a = parser.parse_args()
    wire = (Datagrams if a.udp else Streams)(a.listen, a.to, a.seed)
    orders = Orders(wire)
    for one in a.plan.split(";"):
        try:
            orders.obey(one)
        except (ValueError, TypeError, IndexError) as why:
            sys.exit(f"netfault: {one.strip()}: {why}")
    name = wire.name if isinstance(wire.name, str) else f"{wire.name[0]}:{wire.name[1]}"
    say(event="listening", at=name, seed=a.seed)
    try:
        serve(wire, orders, a.stay)
    except KeyboardInterrupt:
        pass
    finally:
        if isinstance(wire.name, str):
            os.unlink(wire.name)


if __name__ == "__main__":
    main()
