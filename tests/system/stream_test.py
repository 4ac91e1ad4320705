# SPDX-License-Identifier: Apache-2.0
"""Programs that meet over tcp:// and unix://: whoever comes late, was killed or takes the
hub's place ends with the same packets as the others."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, Run, equal, expect, main, wait_until, whole
from member import fresh_host


def wires(where):
    yield f"tcp://{fresh_host()}:24550"
    yield f"unix://{where}/bus"


def ids(node):
    return sorted(row["id"] for row in node.stored())


def until_equal(nodes, count):
    def so():
        sets = [ids(node) for node in nodes]
        return len(sets[0]) == count and all(one == sets[0] for one in sets)
    wait_until(so, f"{[len(ids(node)) for node in nodes]} of {count}")


def each(where, act):
    for number, url in enumerate(wires(where)):
        place = os.path.join(where, str(number))
        os.mkdir(place)
        act(place, url)


def late_one(where, url):
    a, b = Node(where, "a"), Node(where, "b")
    first = Run(a, "--carrier", url).feed(range(30))
    first.log.wait("posted", 30)
    second = Run(b, "--carrier", url)
    until_equal([a, b], 30)
    second.feed(range(30, 40))
    until_equal([a, b], 40)
    for node, run in ((a, first), (b, second)):
        whole(node, run.stop())


def who_comes_late_ends_with_the_same_set(where):
    each(where, late_one)


def killed_one(where, url):
    nodes = [Node(where, name) for name in "abc"]
    runs = [Run(node, "--carrier", url) for node in nodes]
    for run in runs:
        run.log.wait("up")
    told = [run.feed(range(10)) and [] for run in runs]
    until_equal(nodes, 30)
    for victim in (0, 1):  # the hub first, then one of those left
        told[victim] += runs[victim].kill()
        for i, run in enumerate(runs):
            if i != victim:
                run.feed(range(10))
        alive = [node for i, node in enumerate(nodes) if i != victim]
        until_equal(alive, 50 + 20 * victim)
        runs[victim] = Run(nodes[victim], "--carrier", url)
        until_equal(nodes, 50 + 20 * victim)
    for node, run, before in zip(nodes, runs, told):
        whole(node, before + run.stop())


def d2_who_was_killed_and_comes_back_ends_with_the_same_set(where):
    each(where, killed_one)


def o6_a_hub_that_is_stopped_is_told_and_waited_for(where):
    """It keeps its place, so nobody can take it: its leaves say so, keep what is posted,
    and go on with it, or with another when it is gone for good."""
    url = next(wires(where))
    nodes = [Node(where, name) for name in "abc"]
    runs = [Run(nodes[0], "--carrier", url)]
    runs[0].log.wait("up")
    runs += [Run(node, "--carrier", url) for node in nodes[1:]]
    for run in runs[1:]:
        run.log.wait("up")
    for run in runs:
        run.feed(range(5))
    until_equal(nodes, 15)
    for times, end in enumerate((signal.SIGCONT, signal.SIGKILL), 1):
        seen = [run.log.count("down") for run in runs]
        runs[0].child.send_signal(signal.SIGSTOP)
        for i in (1, 2):
            down = runs[i].log.wait("down", seen[i] + 1)
            expect("stopped" in json.dumps(down), down)
            runs[i].feed(range(10)).log.wait("posted", 5 + 10 * times)
        ups = [run.log.count("up") for run in runs]
        runs[0].child.send_signal(end)
        for i in (1, 2):
            runs[i].log.wait("up", ups[i] + 1)
        until_equal(nodes if times == 1 else nodes[1:], 15 + 20 * times)
    told = runs[0].kill()
    expect(set(told) <= {one[:16] for one in ids(nodes[1])}, "what the hub had called safe")
    for node, run in list(zip(nodes, runs))[1:]:
        whole(node, run.stop())


def a_place_beyond_this_machine_is_refused_in_words(where):
    node = Node(where, "a")
    code, out, err = node.run("sync", "tcp://0.0.0.0:24550")
    equal("keys" in out + err, True, err)
    equal(code, 64, err)


main([who_comes_late_ends_with_the_same_set, o6_a_hub_that_is_stopped_is_told_and_waited_for,
      d2_who_was_killed_and_comes_back_ends_with_the_same_set,
      a_place_beyond_this_machine_is_refused_in_words])
