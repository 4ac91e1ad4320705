# SPDX-License-Identifier: Apache-2.0
"""Nodes with stores of their own that meet over folders, copies of folders and a file."""
import math
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, equal, expect, main

DATA = [(0.10, 0.05, 20), (0.12, 0.04, 30), (0.15, 0.06, 22), (0.08, 0.05, 25), (0.11, 0.045, 28)]
T_975 = {4: 2.7764451051977987}  # Student's t, from a printed table


def post(node, subject, effect, se, n, *flags):
    return node.json("post", subject, "--effect", str(effect), "--se", str(se), "-n", str(n),
                     *flags)[1][0]["id"]


def sync(node, url):
    code, rows = node.json("sync", url)
    equal((code, rows[-1]["lost"], rows[-1]["counted_twice"], rows[-1]["refused"]),
          (0, "0", "0", "0"), url)
    return int(rows[-1]["new"]), int(rows[-1]["given"])


def near(got, want, say):
    expect(got is not None and math.isclose(got, want, rel_tol=1e-9), say, got, "not", want)


def swarm(where):
    nodes = [Node(where, f"n{i}") for i in range(6)]
    ids = [post(node, "a.b", *data) for node, data in zip(nodes, DATA)]
    ids.append(post(nodes[5], "a.b", 9.9, 0.001, 1000000))
    return nodes, ids


def a_folder_carries_everything_once_and_a_copy_of_it_too(where):
    nodes, ids = swarm(where)
    stick = os.path.join(where, "stick")
    os.mkdir(stick)
    for i, node in enumerate(nodes):
        equal(sync(node, "dir://" + stick), (i, 1))
    for i, node in enumerate(nodes):
        equal(sync(node, "dir://" + stick), (5 - i, 0))
    equal(sync(nodes[0], "dir://" + stick), (0, 0), "again")
    shutil.copytree(stick, os.path.join(where, "copy"))
    far = Node(where, "far")
    both = os.path.join(where, "shared.db")
    equal(sync(far, "dir://" + os.path.join(where, "copy"))[0], 6)
    sync(nodes[0], "sqlite://" + both)
    equal(sync(far, "sqlite://" + both)[0], 0, "the same by another way")
    ways = {row["id"]: row["ways"] for row in far.json("why", "a.b")[1][1:]}
    equal(ways[ids[0]], f"dir://{where}/copy,sqlite://{both}", "both are named")
    late = Node(where, "late")
    expect(sync(late, "sqlite://" + both)[0] >= 1)
    for node in nodes + [far]:
        equal(sorted(row["id"] for row in node.stored()), sorted(ids))


def the_answer_is_that_of_an_independent_calculation(where):
    nodes, ids = swarm(where)
    stick = os.path.join(where, "stick")
    os.mkdir(stick)
    far = Node(where, "far")
    for node in nodes + [far] + nodes[:1]:
        sync(node, "dir://" + stick)
    weights = [1 / se ** 2 for _, se, _ in DATA]
    mean = sum(w * y for w, (y, _, _) in zip(weights, DATA)) / sum(weights)
    spread = sum(w * (y - mean) ** 2 for w, (y, _, _) in zip(weights, DATA))
    expect(spread < 4, "the calculation below holds for tau = 0 only")
    error = 1 / math.sqrt(sum(weights))
    code, rows = far.json("why", "a.b")
    equal(code, 0)
    answer, votes = rows[0], {row["id"]: row for row in rows[1:]}
    near(answer["estimate"], mean, "estimate")
    near(answer["se"], error, "se")
    near(answer["q"], spread, "Q")
    near(answer["ci_low"], mean - T_975[4] * error, "low")
    near(answer["ci_high"], mean + T_975[4] * error, "high")
    equal((answer["tau2"], answer["flagged"], answer["k"]), (0, 1, 6))
    for vote, weight in zip(ids, weights):
        near(votes[vote]["weight"], weight / sum(weights), "weight")
    equal((votes[ids[5]]["weight"], votes[ids[5]]["pooled"]), (0, False), "the liar")
    # A node's own packet came back to it, and is not its own twin.
    code, rows = nodes[0].json("why", "a.b")
    equal((rows[0]["k"], rows[0]["own"], rows[0]["has_own"]), (5, 0.1, True))
    own = next(row for row in rows[1:] if row["id"] == ids[0])
    equal((own["weight"], own["pooled"]), (0, False), "the own echo")


def a_retraction_travels_and_too_few_sources_are_no_answer(where):
    nodes, ids = swarm(where)
    stick = os.path.join(where, "stick")
    os.mkdir(stick)
    for node in nodes[:4]:
        sync(node, "dir://" + stick)
    equal(sync(nodes[0], "dir://" + stick)[0], 3)
    code, rows = nodes[0].json("ask", "a.b")
    equal((code, rows[0]["k"], rows[0]["insufficient"]), (0, 3, False))
    code, out, err = nodes[0].run("retract", ids[1])
    equal((code, out), (77, ""), "another's packet: " + err)
    nodes[1].good("retract", ids[1])
    equal(sync(nodes[1], "dir://" + stick)[1], 1)
    sync(nodes[0], "dir://" + stick)
    code, rows = nodes[0].json("ask", "a.b")
    equal((code, rows[0]["k"], rows[0]["missing"], rows[0]["insufficient"]), (1, 2, 1, True))
    expect(ids[1] not in {row["id"] for row in nodes[0].stored("a.b")})
    expect(ids[1] in {row["id"] for row in nodes[0].stored("a.b", "--retracted")})


def units_are_multiplied_back(where):
    nodes = [Node(where, f"n{i}") for i in range(4)]
    stick = os.path.join(where, "stick")
    os.mkdir(stick)
    for node, (effect, se, n) in zip(nodes, DATA):
        packet = post(node, "load.watt", effect * 1e6, se * 1e6, n, "--unit", "6")
        row = node.stored()[0]
        near(row["effect"], effect * 1e6, "effect")
        near(row["se"], se * 1e6, "se")
        equal((row["id"], row["unit"], row["n"]), (packet, 6, n))
    for node in nodes + nodes[:1]:
        sync(node, "dir://" + stick)
    weights = [1 / se ** 2 for _, se, _ in DATA[1:4]]
    mean = sum(w * y for w, (y, _, _) in zip(weights, DATA[1:4])) / sum(weights)
    code, rows = nodes[0].json("ask", "load.watt")
    near(rows[0]["estimate"], mean * 1e6, "estimate")
    near(rows[0]["own"], DATA[0][0] * 1e6, "own")


def what_expired_is_not_given_and_not_counted(where):
    a, b = Node(where, "a"), Node(where, "b")
    stick = os.path.join(where, "stick")
    os.mkdir(stick)
    short = post(a, "a.b", 1, 1, 2, "--ttl", "1s")
    long = post(a, "a.b", 2, 1, 2, "--ttl", "10d")
    while short in {row["id"] for row in a.stored()}:  # its second must pass
        pass
    equal(sync(a, "dir://" + stick), (0, 1))
    equal(sync(b, "dir://" + stick)[0], 1)
    equal([row["id"] for row in b.stored(">", "--expired")], [long])


def a_carrier_that_is_not_there_is_told_and_loses_nothing(where):
    node = Node(where, "a")
    packet = post(node, "a.b", 1, 1, 2)
    for url, want in (("dir://" + where + "/none/x", 69), ("sqlite://" + where + "/none/x", 69),
                      ("dir://" + node.config, 69),
                      ("dirr:///x", 64), ("dir:///x?pol=1s", 64), ("/tmp", 64)):
        code, out, err = node.run("sync", url)
        equal((code, out), (want, ""), url + " " + err)
        expect(err.startswith("error: ") and "\n  why: " in err and "\n  do:  " in err, err)
    equal(sync(node, "dir://" + where), (0, 1))
    equal([row["id"] for row in node.stored()], [packet])


main([
    a_folder_carries_everything_once_and_a_copy_of_it_too,
    the_answer_is_that_of_an_independent_calculation,
    a_retraction_travels_and_too_few_sources_are_no_answer,
    units_are_multiplied_back,
    what_expired_is_not_given_and_not_counted,
    a_carrier_that_is_not_there_is_told_and_loses_nothing,
])
