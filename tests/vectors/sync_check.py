#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sync_check.py SYNC_VECTORS [COUNT]: is the C of the same mind as kith_sync.py?

The golden file is what the program makes today, and what the second reader makes
of its bytes; then COUNT random frames, many spoilt, are judged alike.
After a wanted change of the format:
    build/tests/sync_vectors golden > tests/vectors/sync.json
"""
import frames
import kith_sync as sync
from frames import COUNT, same

FORMAT = frames.Format("sync.json", sync)


def golden_frames_are_made_again():
    FORMAT.made_again()


def golden_frames_are_read_alike():
    FORMAT.read_alike([1, 2, 3, 4])


def what_follows_from_a_nonce_is_the_same():
    for row in FORMAT.golden()["derived"]:
        sum_key, tag_key, check_key = sync.salt(bytes.fromhex(row["nonce"]))
        ids = [bytes.fromhex(i) for i, _ in row["ids"]]
        # numbers on the wire are big endian, SipHash's own output is bytes
        tags = [sync.siphash(tag_key, i) for i in ids]
        same([t.hex() for t in tags], [t for _, t in row["ids"]], "tags")
        same(sync.root(sum_key, ids), row["root"], "root")
        pairs = [(int.from_bytes(t, "big"), int.from_bytes(sync.siphash(check_key, t)[:4], "big")) for t in tags]
        same(sync.cells(pairs, 24), row["cells"], "cells")


def a_scope_has_one_name_on_both_sides():
    got = FORMAT.golden()["scopes"]
    low, high, lists = bytes([1]) + bytes(31), bytes([2]) + bytes(31), ([b">"], [b"b.>", b"a.x"])
    same(got["same"], sync.scope((low, lists[1])), "same")
    same(got["other"], sync.scope((low, lists[0]), (high, lists[1])), "other")
    same(got["turned"], got["other"], "turned")


def random_frames_are_judged_alike():
    tally = FORMAT.stream_judged_alike()
    same(len(tally) == 5 and min(tally.values()) > COUNT / 20, True, "a mixed stream")


frames.main([
    golden_frames_are_made_again,
    golden_frames_are_read_alike,
    what_follows_from_a_nonce_is_the_same,
    a_scope_has_one_name_on_both_sides,
    random_frames_are_judged_alike,
])
