# SPDX-License-Identifier: Apache-2.0
"""SIGKILL at any instant of post, run and sync: what was told is there, once, under
numbers never used before. KITH_SOAK=1: 1,000 kills and 100,000 packets."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, Run, SOAK, equal, evidence, expect, fresh_dice, main, spin, whole


def d2_a_killed_post_loses_nothing_it_told(where):
    kills, dice, told, hits = 400 if SOAK else 20, fresh_dice(21), set(), 0
    node = Node(where, "a")
    text = "".join(evidence(i) for i in range(400)).encode()
    for turn in range(kills):
        child = node.start("post", "x.y", "-", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        child.stdin.write(text)  # less than a pipe holds
        child.stdin.flush()
        out = b""
        for _ in range(dice.randrange(3)):
            out += os.read(child.stdout.fileno(), 1 << dice.randrange(8, 16))
        spin(dice, 200000)
        hits += child.poll() is None
        child.kill()
        out += child.stdout.read()
        child.stdin.close()
        child.stdout.close()
        child.wait()
        told.update(row.split("\t")[0] for row in out.decode().split("\n")[:-1])
        if turn % 20 == 19:
            whole(node, told)
    whole(node, told)
    expect(hits >= kills // 2 and told, hits, "kills hit")
    print(f"# {kills} kills, {len(told)} told, 0 lost, 0 doubled", flush=True)


def d2_a_killed_run_loses_nothing_it_told(where):
    kills, dice, told = 300 if SOAK else 15, fresh_dice(22), []
    node = Node(where, "a")
    for turn in range(kills):
        run = Run(node)
        if turn % 4:  # else: while it starts
            run.log.wait("ready")
        run.feed(range(dice.randrange(1, 80)))
        if turn % 3 == 1:
            run.log.wait("posted")
        spin(dice, 200000)
        told += run.kill()
        if turn % 20 == 19:
            whole(node, told)
    run = Run(node).feed(range(3))
    run.log.wait("posted", 3)
    told += run.stop()
    whole(node, told)
    expect(len(set(told)) == len(told) > 3, "ids told twice")
    print(f"# {kills} kills, {len(told)} told, 0 lost, 0 doubled", flush=True)


def d2_a_killed_sync_loses_and_doubles_nothing(where):
    kills, dice = 300 if SOAK else 15, fresh_dice(23)
    nodes = [Node(where, "a"), Node(where, "b")]
    urls = ["dir://" + where + "/stick", "sqlite://" + where + "/shared.db"]
    os.mkdir(where + "/stick")
    hits = 0
    for turn in range(kills):
        node, url = nodes[turn % 2], urls[turn // 2 % 2]
        node.good("post", "x.y", "-", text="".join(evidence(i) for i in range(10)))
        child = node.start("sync", url, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        spin(dice, 1500000)
        hits += child.poll() is None
        child.kill()
        child.wait()
    for node in nodes + nodes[:1]:
        for url in urls:
            row = node.json("sync", url)[1][-1]
            equal((row["lost"], row["counted_twice"], row["refused"]), ("0", "0", "0"))
    ids = [whole(node, []) for node in nodes]
    equal(len(ids[0]), 10 * kills)
    expect(ids[0] == ids[1], "the stores differ")
    expect(hits > 0, "no kill hit")
    print(f"# {kills} kills, {hits} hit, {10 * kills} packets, 0 lost, 0 doubled", flush=True)


def w9_many_packets_between_killed_nodes_end_in_one_state(where):
    total, lot, dice = (100000, 2000, fresh_dice(24)) if SOAK else (2000, 200, fresh_dice(24))
    a, b = Node(where, "a"), Node(where, "b")
    url = "dir://" + where + "/stick"
    os.mkdir(where + "/stick")
    env = {"KITH_DIR_SYNC": "os"}  # kills cut no power
    runs, told, kills = {}, set(), 0
    while len(told) < total:
        for node in (a, b):
            if node not in runs:
                runs[node] = Run(node, "--carrier", url, env=env)
        text = "".join(evidence(dice.randrange(1000)) for _ in range(lot))
        out = a.good("post", "many.x%d" % dice.randrange(50), "-", text=text)
        told.update(row.split("\t")[0] for row in out.splitlines())
        victim = (a, b)[dice.randrange(2)]
        spin(dice, 1000000)
        runs.pop(victim).kill()
        kills += 1
    for run in runs.values():
        run.stop()
    for node in (a, b, a):
        row = node.json("sync", url, "-W", "600s")[1][-1]
        equal((row["lost"], row["counted_twice"], row["refused"]), ("0", "0", "0"))
    here, there = whole(a, told), whole(b, told)
    expect(here == there == told, len(here), len(there), len(told))
    print(f"# {len(told)} packets, {kills} kills, both stores equal", flush=True)


def d2_two_runs_share_a_store_and_every_line_of_a_burst_is_posted(where):
    node = Node(where, "a")
    runs = [Run(node), Run(node)]
    for run in runs:
        run.log.wait("ready")
    for _ in range(5):
        for run in runs:
            run.feed(range(20))
    for run in runs:
        run.log.wait("posted", 100)
    told = runs[0].kill() + runs[1].stop()
    equal(len(whole(node, told)), 200)
    last = Run(node).feed(range(200))
    last.child.stdin.close()  # and the end of stdin with them
    last.log.wait("posted", 200)
    equal(len(whole(node, last.stop())), 400)


main([
    d2_a_killed_post_loses_nothing_it_told,
    d2_a_killed_run_loses_nothing_it_told,
    d2_a_killed_sync_loses_and_doubles_nothing,
    w9_many_packets_between_killed_nodes_end_in_one_state,
    d2_two_runs_share_a_store_and_every_line_of_a_burst_is_posted,
])
