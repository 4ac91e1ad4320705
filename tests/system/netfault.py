# SPDX-License-Identifier: Apache-2.0
"""A wire that misbehaves (tools/netfault) as a child of a test."""
import json
import os
import select
import subprocess
import sys
import time

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "netfault")


class Netfault:
    def __init__(self, to, *flags):
        self.child = subprocess.Popen(
            [sys.executable, TOOL, "--to", to, *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""
        self.at = self.answer()["at"]

    @property
    def port(self):
        return int(self.at.rpartition(":")[2])

    def answer(self, patience=120):
        end = time.monotonic() + patience  # a hang guard
        while b"\n" not in self.rest:
            left = max(0, end - time.monotonic())
            if not select.select([self.child.stdout], [], [], left)[0]:
                raise AssertionError("netfault says nothing")
            piece = os.read(self.child.stdout.fileno(), 65536)
            if not piece:
                raise AssertionError(f"netfault ended: {self.child.wait(patience)}")
            self.rest += piece
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def tell(self, command):
        """Its answer; only then has the command begun to work."""
        self.child.stdin.write(command.encode() + b"\n")
        self.child.stdin.flush()
        return self.answer()

    def do(self, *commands):
        answer = None
        for command in commands:
            answer = self.tell(command)
            if answer["event"] != "done":
                raise AssertionError(answer)
        return answer

    def count(self):
        return self.do("count")

    def stop(self):
        self.child.stdin.close()
        code = self.child.wait(120)
        self.child.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.stop()
