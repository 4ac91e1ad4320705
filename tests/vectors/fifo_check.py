#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fifo_check.py FIFO_VECTORS [COUNT]: is the C of the same mind as kith_fifo.py?

The golden file is what the program makes today, and what the second reader makes
of its bytes; then COUNT random pipes, many spoilt, are judged alike.
After a wanted change of the format:
    build/tests/fifo_vectors golden > tests/vectors/fifo.json
"""
import frames
import kith_fifo as fifo
from frames import COUNT, same

FORMAT = frames.Format("fifo.json", fifo)


def golden_pipes_are_made_again():
    FORMAT.made_again()


def golden_pipes_are_read_alike():
    FORMAT.read_alike([1, 2])


def spoilt_pipes_are_judged_alike():
    refused = FORMAT.stream_judged_alike().get("refused", 0)
    same(COUNT / 20 < refused < COUNT * 9 / 10, True, f"{refused} of {COUNT} refused")


frames.main([golden_pipes_are_made_again, golden_pipes_are_read_alike, spoilt_pipes_are_judged_alike])
