#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A suite that passes what is broken is worthless: carriers that break their word in
one way each, and the check that must say so. One that keeps it passes them all."""
import json
import os
import subprocess
import sys
import tempfile

kith, plugins = sys.argv[1:3]
count = 0
bad = False

# How it breaks its word, the check that names it.
CASES = [
    ("drop", "two_readers_get_everything"),
    ("lose", "packets_of_every_size_arrive_whole"),
    ("corrupt", "a_link_brings_what_was_posted_and_nothing_else"),
    ("shorten", "a_link_carries_1_to_512_bytes_untouched"),
    ("foreign", "a_link_brings_what_was_posted_and_nothing_else"),
    ("misname", "a_link_brings_what_was_posted_and_nothing_else"),
    ("swap", "posts_of_one_come_in_order_where_promised"),
    ("forget", "both_sides_come_and_go_and_nothing_is_lost"),
    ("unsettled", "late_joiner_sees_the_past"),
    ("twice", "what_promises_to_keep_once_keeps_once"),
    ("full", "counts_of_trials_arrive_whole"),
    ("crash", "packets_of_every_size_arrive_whole"),
    ("crash", "text_of_any_script_arrives_whole"),
]
if os.environ.get("KITH_SOAK"):
    CASES.append(("hang", "packets_of_every_size_arrive_whole"))


def check(name, good, why=""):
    global count, bad
    count += 1
    bad = bad or not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        print(f"# {why}")


def start(how, only, place):
    return subprocess.Popen(
        [kith, "conform", "--json", "--plugins", plugins, "--only", only,
         f"broken://{how}{{n}}?how={how}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, TMPDIR=place))


def end(run):
    return [json.loads(x) for x in run.communicate()[0].decode().splitlines()], run.returncode


with tempfile.TemporaryDirectory() as place:
    whole = start("good", "", place)
    runs = [(how, only, start(how, only, place)) for how, only in CASES]
    for how, only, run in runs:
        rows, code = end(run)
        named = {r["name"]: r for r in rows if r["kind"] == "check"}
        check(f"{how}_is_found_by_{only}",
              code == 1 and named[only]["result"] == "failed" and named[only]["why"],
              (code, rows))
        if how == "crash":
            check("a_crash_is_told_and_the_rest_is_summed_up",
                  "bort" in named[only]["why"] and rows[-1]["failed"] >= 1, rows)
    rows, code = end(whole)
    wrong = [r for r in rows if r.get("result") == "failed"]
    check("one_that_keeps_its_word_passes", code == 0 and not wrong, (code, wrong))
    check("and_ends_in_a_digest", len(rows[-1]["digest"]) == 64, rows[-1])
    left = os.listdir(place)
    check("nothing_is_left_on_the_disk", left == [], left)
print(f"1..{count}")
sys.exit(bad)
