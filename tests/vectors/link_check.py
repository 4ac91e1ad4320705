#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""link_check.py LINK_VECTORS [COUNT]: is the C of the same mind as kith_link.py?

The golden file is what the program makes today, and what the second reader makes
of its bytes; then COUNT random frames, many spoilt, are judged alike.
After a wanted change of the format:
    build/tests/link_vectors golden > tests/vectors/link.json
"""
import frames
import kith_link as link
from frames import COUNT, same

FORMAT = frames.Format("link.json", link)


def golden_frames_are_made_again():
    FORMAT.made_again()


def golden_frames_are_read_alike():
    FORMAT.read_alike([1, 2, 3, 4, 5, 6, 7])


def spoilt_frames_are_judged_alike():
    refused = FORMAT.stream_judged_alike().get("refused", 0)
    same(COUNT / 10 < refused < COUNT * 9 / 10, True, f"{refused} of {COUNT} refused")


frames.main([golden_frames_are_made_again, golden_frames_are_read_alike, spoilt_frames_are_judged_alike])
