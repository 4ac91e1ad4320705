# SPDX-License-Identifier: Apache-2.0
"""A second reader of docs/formats/fifo.md, written from its tables alone."""


class Refused(Exception):
    pass


def decode(raw):
    """What a pipe of these bytes holds: items in hex, notes as numbers, and how many
    bytes of a record that is not whole yet are left."""
    at, records = 0, []
    while len(raw) - at >= 2:
        length = int.from_bytes(raw[at:at + 2], "big")
        if length == 0xFFFF:
            if len(raw) - at < 6:
                break
            lost = int.from_bytes(raw[at + 2:at + 6], "big")
            if lost == 0:
                raise Refused
            records.append(lost)
            at += 6
        elif 1 <= length <= 512:
            if len(raw) - at < 2 + length:
                break
            records.append(raw[at + 2:at + 2 + length].hex())
            at += 2 + length
        else:
            raise Refused
    noted = any(isinstance(record, int) for record in records)
    return {"records": records, "left": len(raw) - at, "type": 2 if noted else 1}
