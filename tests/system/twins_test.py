# SPDX-License-Identifier: Apache-2.0
"""Who has my kind of problem: templates and contexts, by the program alone, over a plain folder."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, Run, equal, expect, main

BEARING = """[template]
name = bearing
version = 1
about = hours a bearing lasts after the first alarm
measure = mean-difference
unit = 0.01
radius = 0.05
ttl = 730d
half-life = 365d
%s
[dimension load]
transform = linear 0 1
[dimension heat]
transform = linear 0 1
[dimension dirt]
transform = linear 0 1
"""
WINTER = ["0.18,0.92,0.03", "0.20,0.90,0.05", "0.17,0.93,0.02", "0.80,0.10,0.50"]
HERE = "0.18,0.91,0.04"


def months_ago(days):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86400 * days))


def document(where, text):
    path = os.path.join(where, "bearing.txt")
    with open(path, "w") as f:
        f.write(text)
    return path


def of_winter(where, text, url):
    """Four nodes of last winter, the last of them with another kind of problem."""
    path = document(where, text)
    for i, context in enumerate(WINTER):
        node = Node(where, f"winter{i}")
        node.good("template", "new", path)
        node.good("post", "hvac.bearing", "--template", "bearing", "--near", context, "--effect",
                  "9" if i == 3 else str(0.1 + 0.01 * i), "--se", "0.03", "-n", "240", "--at", months_ago(270))
        node.good("sync", url)
    me = Node(where, "me")
    me.good("template", "new", path)
    return me


def last_winters_twins_are_found_on_a_plain_folder(where):
    url = "dir://" + os.path.join(where, "stick")
    me = of_winter(where, BEARING % "", url)
    me.good("sync", url)
    equal(len(me.good("get", "hvac.bearing").splitlines()), 4)
    answer = json.loads(me.good("ask", "hvac.bearing", "--near", HERE, "--json"))
    equal((answer["k"], answer["known"], answer["twins"], answer["recall"]), (3, 4, 3, 1))
    expect(0.1 <= answer["estimate"] <= 0.12, answer["estimate"])
    expect(answer["farthest"] <= 0.05, answer["farthest"])
    rows = [json.loads(line) for line in
            me.good("why", "hvac.bearing", "--near", HERE, "--json", "-k", "3").splitlines()]
    equal(sum(r.get("pooled", False) for r in rows), 3)


def a_reader_of_cells_fetches_twins_alone(where):
    url = "dir://" + os.path.join(where, "stick")
    me = of_winter(where, BEARING % "post-base = no\n", url)
    me.good("sync", url, "--only", "hvac.bearing", "--template", "bearing", "--near", HERE)
    equal(len(me.good("get", "hvac.bearing").splitlines()), 3)
    cells = [json.loads(line) for line in
             me.good("addr", "hvac.bearing", "--template", "bearing", "--near", HERE, "--json").splitlines()]
    equal(len(cells), 5)
    for c in cells:
        expect("*" not in c["followed"] and ">" not in c["followed"], c)
        equal(c["posted"], c["followed"])
    seen = set()
    for c in cells:
        seen |= set(me.run("get", "cell:" + c["posted"], "--format", "{id}")[1].split())
    equal(len(seen), 3)
    answer = json.loads(me.good("ask", "hvac.bearing", "--near", HERE, "--json"))
    equal((answer["k"], answer["twins"]), (3, 3))


def configure(node, text):
    os.makedirs(os.path.dirname(node.config), exist_ok=True)
    with open(node.config, "w") as f:
        f.write(text)


def a_running_node_posts_and_follows_by_its_template(where):
    url = "dir://" + os.path.join(where, "stick")
    os.makedirs(os.path.join(where, "stick"))
    path = document(where, BEARING % "")
    a, b = Node(where, "a"), Node(where, "b")
    for node in (a, b):
        node.good("template", "new", path)
    cells = a.good("addr", "hvac.bearing", "--template", "bearing", "--near", HERE, "--format", "{followed}").split()
    outcomes = os.path.join(where, "outcomes")
    with open(outcomes, "w") as f:
        f.write('{"effect": 0.12, "se": 0.03, "n": 9}\n')
    configure(a, f"[signal s]\nsubject = hvac.bearing\ncommand = /bin/cat {outcomes}\nkind = outcome\n"
                f"every = 1d\ntemplate = bearing\nnear = {HERE}\n")
    configure(b, "[log]\nlevel = debug\n[node]\nfollow = %s\n" % " ".join(cells))
    run = Run(a, "--carrier", url)
    run.log.wait("ready")
    other = Run(b, "--carrier", url)
    other.log.wait("accepted")
    run.stop()
    other.stop()
    got = json.loads(b.good("get", "hvac.bearing", "--json"))
    expect(abs(got["effect"] - 0.12) < 1e-12 and abs(got["se"] - 0.03) < 1e-9, got)
    equal(got["ttl_s"], 730 * 86400)


main([last_winters_twins_are_found_on_a_plain_folder, a_reader_of_cells_fetches_twins_alone,
      a_running_node_posts_and_follows_by_its_template])
