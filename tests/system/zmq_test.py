# SPDX-License-Identifier: Apache-2.0
"""Running nodes over zmq://: who comes late, who was killed, who was stopped for a while and
who loses the first of all ends with the same packets, each once."""
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import KITH, PATIENCE, Node, Run, equal, expect, main, wait_until, whole

hosts = 0


def tcp():
    """A port of this machine under a name that nobody else uses."""
    global hosts
    hosts += 1
    own = os.getpid() * 16 + hosts % 16
    return f"zmq://127.{1 + (own >> 16) % 254}.{own >> 8 & 255}.{1 + own % 254}:24550?backoff=1s"


def run(node, url):
    return Run(node, "--carrier", url)


def agree(nodes, count):
    """All hold so many, and the same."""
    def so():
        ids = [sorted(row["id"] for row in node.stored()) for node in nodes]
        return all(one == ids[0] for one in ids) and len(ids[0]) == count
    wait_until(so, f"{count} on each")


def end(nodes, runs):
    told = [one for r in runs for one in r.stop()]
    sets = [whole(node, []) for node in nodes]
    expect(all(one == sets[0] for one in sets), "they differ")
    short = {one[:16] for one in sets[0]}
    equal([one for one in told if one not in short], [], "told and lost")


def late_and_killed(where, url):
    a, b, late = (Node(where, name) for name in ("a", "b", "late"))
    runs = [run(a, url), run(b, url)]
    runs[0].feed(range(5)).log.wait("posted", 5)
    runs[1].feed(range(100, 105)).log.wait("posted", 5)
    agree([a, b], 10)
    runs.append(run(late, url))
    agree([a, b, late], 10)
    told = runs[1].kill()
    equal(len(told), 5)
    runs[0].feed(range(5, 65)).log.wait("posted", 65)
    agree([a, late], 70)
    runs[1] = run(b, url).feed(range(105, 110))
    runs[1].log.wait("posted", 5)
    agree([a, b, late], 75)
    end([a, b, late], runs)


def late_joiners_and_the_killed_catch_up_over_tcp(where):
    late_and_killed(where, tcp())


def late_joiners_and_the_killed_catch_up_in_a_folder(where):
    late_and_killed(where, f"zmq://{where}/bus?backoff=1s")


def the_first_of_all_is_killed_and_nobody_is_alone(where):
    url = tcp()
    first, b, c, late = (Node(where, name) for name in ("first", "b", "c", "late"))
    runs = {node: run(node, url) for node in (first, b, c)}
    runs[first].feed([1]).log.wait("posted", 1)
    agree([first, b, c], 1)
    runs.pop(first).kill()
    runs[b].feed(range(10, 30)).log.wait("posted", 20)
    agree([b, c], 21)
    runs[late] = run(late, url).feed([40])
    runs[late].log.wait("posted", 1)
    agree([b, c, late], 22)
    runs[first] = run(first, url)
    agree([first, b, c, late], 22)
    end([first, b, c, late], runs.values())


def one_that_was_stopped_for_a_while_gets_what_it_missed(where):
    url = tcp()
    a, b = Node(where, "a"), Node(where, "b")
    runs = [run(a, url), run(b, url)]
    runs[0].feed([1]).log.wait("posted", 1)
    agree([a, b], 1)
    runs[1].child.send_signal(signal.SIGSTOP)
    runs[0].feed(range(2, 202)).log.wait("posted", 201)
    runs[1].child.send_signal(signal.SIGCONT)
    agree([a, b], 201)
    end([a, b], runs)


def other_machines_are_refused_in_words(where):
    node = Node(where, "a")
    code, out, err = node.run("sync", "zmq://0.0.0.0:24550")
    expect(code == 64 and "keys" in err and "127.0.0.1" in err, code, err)
    equal(out, "")


def where_libzmq_is_missing_the_package_is_named(where):
    """The program alone, away from its build folder and from any plugin."""
    node = Node(where, "a")
    alone = os.path.join(where, "bin", "kith")
    os.mkdir(os.path.dirname(alone))
    shutil.copy(KITH, alone)
    done = subprocess.run([alone, "sync", "zmq://127.0.0.1:24550"], env=node.env, text=True,
                          capture_output=True, timeout=PATIENCE, check=False)
    expect(done.returncode != 0 and "install libzmq3-dev" in done.stderr, done)


main([
    late_joiners_and_the_killed_catch_up_over_tcp,
    late_joiners_and_the_killed_catch_up_in_a_folder,
    the_first_of_all_is_killed_and_nobody_is_alone,
    one_that_was_stopped_for_a_while_gets_what_it_missed,
    other_machines_are_refused_in_words,
    where_libzmq_is_missing_the_package_is_named,
])
