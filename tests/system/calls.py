# SPDX-License-Identifier: Apache-2.0
"""A plan for libfailing.so: what fails under a program, and how much was counted."""
import os
import struct

from kit import KITH

SHIM = os.path.join(os.path.dirname(os.path.dirname(KITH)), "tests", "system", "libfailing.so")


class Plan:
    def __init__(self, where, under, how, at, ever):
        self.path = os.path.join(where, "book")
        with open(self.path, "wb") as book:
            book.write(bytes(24))
        self.env = {"LD_PRELOAD": SHIM, "FAIL_UNDER": under, "FAIL_BOOK": self.path,
                    "FAIL_HOW": how, "FAIL_AT": str(at), "FAIL_EVER": str(ever)}
        # The program's sanitizer wants to be first in the list; here it need not.
        self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"

    def counted(self):
        with open(self.path, "rb") as book:
            return struct.unpack("qq", book.read(16))

    def arm(self, on):
        """From now on every call fails, or none."""
        with open(self.path, "r+b") as book:
            book.seek(16)
            book.write(struct.pack("q", on))
