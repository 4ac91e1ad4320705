# SPDX-License-Identifier: Apache-2.0
"""A node that runs on a wire and posts what it is fed; and places that nobody else uses."""
import os
import socket

from kit import Node, Run, fresh_dice

DICE = fresh_dice(24777)


def fresh_group():
    """A group of our own number and a port that nobody is bound to."""
    pid = os.getpid()
    group = f"239.{192 | pid >> 16 & 63}.{pid >> 8 & 255}.{pid & 255}"
    for port in range(20000 + DICE.randrange(6000), 32000):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind((group, port))
                return f"{group}:{port}"
            except OSError:
                continue
    raise AssertionError("no free port")


def fresh_host():
    """All of 127/8 is this machine: an address that follows from our pid is nobody else's."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 16) % 128}.{pid >> 8 & 255}.{1 + pid % 254}"


class Member:
    """A node that runs in the group, and what it was told is safe."""

    def __init__(self, where, name, url):
        self.node, self.url = Node(where, name), url
        self.run, self.fed, self.told = None, 0, []

    def up(self, env=None):
        self.run = Run(self.node, "--count", "1", "--carrier", self.url, env=env)
        self.run.log.wait("up")
        return self

    def post(self, count):
        before = self.run.log.count("posted")
        self.run.feed(range(self.fed, self.fed + count))
        self.fed += count
        self.run.log.wait("posted", before + count)

    def down(self):
        self.told += self.run.stop()
        self.run = None

    def kill(self):
        self.told += self.run.kill()
        self.run = None

    def ids(self):
        return {row["id"][:16] for row in self.node.stored()}
