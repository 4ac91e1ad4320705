# SPDX-License-Identifier: Apache-2.0
"""Two packets under one number of one source: who, which, and that one alone counts."""
import json, os, shutil
from harness import *


def twins():
    """A home that holds what two nodes with one key said under the same number."""
    a, b, reader = Home(), Home(init=False), Home()
    os.makedirs(os.path.dirname(b.key), 0o700)
    shutil.copy2(a.key, b.key)
    same(b("init").code, 0)
    said = [h("post", "a.b", "--effect", effect, "--se", "0.1", "-n", "9", "--json").json()[0]
            for h, effect in ((a, "0.1"), (b, "0.9"))]
    same([(p["epoch"], p["seq"]) for p in said], [(said[0]["epoch"], said[0]["seq"])] * 2, "one number")
    for h in (a, b):
        d = reader("store", "import", "-", "--json", stdin=h("store", "export").out)
        expect(d.code in (0, 65), d.code, d.err)
    keyid = json.loads(a("get", "id:" + said[0]["id"], "--json").out)["from"]
    a.remove()
    b.remove()
    return reader, said, keyid


def a_source_that_equivocates_is_shown_with_both_packets():
    h, said, keyid = twins()
    d = h("store", "proofs", "--json")
    same(d.code, 0, d.err)
    one = d.json()[0]
    same(len(d.json()), 1)
    same((one["kind"], one["from"], one["subject"]), ("proof", keyid, "a.b"))
    same((one["first"], one["second"]), (said[0]["id"], said[1]["id"]))
    same((one["epoch"], one["seq"]), (said[0]["epoch"], said[0]["seq"]))
    for packet, want in ((one["first_packet"], said[0]), (one["second_packet"], said[1])):
        d = h("pkt", "decode", packet, "--json")  # anybody can verify them
        same((d.code, d.json()[0]["id"]), (0, want["id"]), d.err)
    d = h("store", "proofs")
    same(d.out.split("\t")[:2], [keyid, "a.b"])
    same(h("store", "check").code, 0, "a liar is no damage")
    same(len(h("get", "a.b", "--json").json()), 1, "one of them alone is stored and counts")
    h.remove()


def why_names_what_a_source_said_twice():
    h, said, keyid = twins()
    d = h("why", "a.b", "--json")
    rows = [r for r in d.json() if r["kind"] == "equivocation"]
    same(len(rows), 1, d.out)
    same((rows[0]["id"], rows[0]["first"], rows[0]["from"], rows[0]["weight"]), (said[1]["id"], said[0]["id"], keyid, 0))
    expect(said[0]["id"][:16] in rows[0]["fate"], rows[0]["fate"])
    columns = {line.count("\t") for line in h("why", "a.b").out.splitlines()}
    same(len(columns), 1, "one number of columns in a pipe")
    h.remove()


def without_a_liar_there_is_nothing_to_show():
    h = Home()
    h("post", "a.b", "--text", "x")
    d = h("store", "proofs")
    same((d.code, d.out), (1, ""))
    expect("no source" in d.err and "[E050]" in d.err, d.err)
    expect("equivocation" not in h("why", "a.b", "--json").out, "why says nothing of it")
    h.remove()


main([a_source_that_equivocates_is_shown_with_both_packets, why_names_what_a_source_said_twice,
      without_a_liar_there_is_nothing_to_show])
