# SPDX-License-Identifier: Apache-2.0
"""A drill: liars beside a copy of what is stored, and nothing but the copy sees them."""
import hashlib, os

from harness import *

SUBJECT = "hvac.bearing"
EFFECTS = (0.11, 0.14, 0.09, 0.12, 0.16, 0.10, 0.13, 0.08)


def heard(effects, subject=SUBJECT, me=None):
    """A node that heard so many others."""
    me = me or Home()
    for n, effect in enumerate(effects):
        other = Home()
        same(other("post", subject, "--effect", str(effect), "--se", "0.03", "-n", "240").code, 0)
        with open(me.file("packets.jsonl"), "w") as f:
            f.write(other("store", "export").out)
        same(me("store", "import", "packets.jsonl").code, 0)
        other.remove()
    os.remove(me.file("packets.jsonl"))
    return me


def of_kind(d, kind):
    return [one for one in d.json() if one["kind"] == kind]


def bytes_of(me):
    """Every file that says something; the index of a log that is open is not one."""
    found = {}
    for folder, _, names in os.walk(me.path):
        for name in names:
            if not name.endswith("-shm"):
                path = os.path.join(folder, name)
                with open(path, "rb") as f:
                    found[path] = hashlib.sha256(f.read()).hexdigest()
    return found


def a_fifth_of_gross_liars_is_named_and_stays_within_the_bound():
    me = heard(EFFECTS)
    d = me("drill", SUBJECT, "--liars", "20%", "--lie", "gross", "--json")
    same((d.code, d.err), (0, ""))
    [it] = of_kind(d, "drill")
    same((it["k"], it["liars"], it["named"], it["accused"], it["state"]), (8, 2, 2, 0, "inside"))
    expect(0 <= it["shift"] <= it["bound"], it)
    expect(it["plain_shift"] > 2 * it["bound"], "the plain average would have been carried away", it)
    same([(x["who"], x["named"], x["result"]) for x in of_kind(d, "drill_liar")],
         [("planted-1", True, "named"), ("planted-2", True, "named")])
    rows = [line.split("\t") for line in me("drill", SUBJECT, "--lie", "gross").out.splitlines()]
    same([(r[0], r[2], r[-1]) for r in rows],
         [(SUBJECT, "8 sources, 2 liars", "inside; 2 of 2 named"), (SUBJECT, "planted-1", "named"),
          (SUBJECT, "planted-2", "named")])
    me.remove()


def stealthy_liars_move_it_and_the_bound_says_so():
    me = heard(EFFECTS)
    d = me("drill", SUBJECT, "--lie", "stealth", "--json")
    same(d.code, 0)
    [it] = of_kind(d, "drill")
    same((it["liars"], it["named"], it["state"]), (2, 0, "inside"))
    expect(0 < it["shift"] <= it["bound"], it)
    expect(abs(it["says"] - it["before"]) == it["shift"], it)
    same([x["named"] for x in of_kind(d, "drill_liar")], [False, False])
    me.remove()


def what_it_starts_from_is_the_answer_of_ask():
    me = heard(EFFECTS)
    same(me("post", SUBJECT, "--effect", "0.5", "--se", "0.03", "-n", "9").code, 0)
    [asked] = me("ask", SUBJECT, "--json").json()
    for it in of_kind(me("drill", SUBJECT, "--json"), "drill"):
        same((it["before"], it["before_se"], it["k"]), (asked["estimate"], asked["se"], asked["k"]))
    me.remove()


def the_store_is_the_same_to_the_last_byte():
    me = heard(EFFECTS)
    me("drill")  # the first reader may tidy a log that another left
    before, packets = bytes_of(me), me("get", ">", "--last", "0", "--json").out
    expect(any(path == me.store for path in before), before)
    for words in ((), ("--liars", "30%"), (SUBJECT, "--json"), ("--seed", "9")):
        expect(me("drill", *words).out, words)
    same(bytes_of(me), before)
    same(me("get", ">", "--last", "0", "--json").out, packets)
    me.remove()


def the_same_seed_prints_the_same_bytes():
    me = heard(EFFECTS)
    one = me("drill", SUBJECT, "--seed", "7", "--json")
    same(me("drill", SUBJECT, "--seed", "7", "--json").raw, one.raw)
    expect(me("drill", SUBJECT, "--seed", "8", "--json").raw != one.raw, "another seed, the same liars")
    me.remove()


def too_few_sources_are_told_what_is_missing():
    me = heard(EFFECTS[:6])
    d = me("drill", SUBJECT, "--json")
    same(d.code, 1)
    [it] = d.json()
    same((it["state"], it["k"], it["missing"], it["shift"]), ("insufficient", 6, 2, None))
    same(me("drill").out.rstrip("\n").split("\t")[-1], "insufficient: 2 more needed")
    same(me("drill", "no.such.subject").code, 1)
    me.remove()


def every_subject_has_its_drill():
    me = heard(EFFECTS)
    heard(EFFECTS[:3], "hvac.draw", me)
    d = me("drill", "--json")
    same(d.code, 0)
    same([(it["subject"], it["lie"], it["state"]) for it in of_kind(d, "drill")],
         [(SUBJECT, "gross", "inside"), (SUBJECT, "stealth", "inside"), ("hvac.draw", "gross", "insufficient")])
    same(me("drill", "hvac.d*").code, 64)
    same(me("drill", "hvac.*", "--json").out, d.out)
    me.remove()


def shares_that_are_none_are_refused():
    me = Home()
    for bad in ("0%", "31%", "20 %", "x", "-5", "", "20%%", "1e1"):
        d = me("drill", "--liars", bad)
        same((d.code, d.out), (64, ""), bad)
    me.remove()


main([a_fifth_of_gross_liars_is_named_and_stays_within_the_bound, stealthy_liars_move_it_and_the_bound_says_so,
      what_it_starts_from_is_the_answer_of_ask, the_store_is_the_same_to_the_last_byte,
      the_same_seed_prints_the_same_bytes, too_few_sources_are_told_what_is_missing, every_subject_has_its_drill,
      shares_that_are_none_are_refused])
