# SPDX-License-Identifier: Apache-2.0
"""Wall clocks that lie, by faketime: years off, ahead, behind, set while a node runs."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Clock, Node, Run, equal, expect, main, wait_until, whole


def post(node, env=None):
    out = node.good("post", "x.y", "--effect", "1", "--se", "1", "-n", "3", env=env)
    return out.split("\t")[0]


def sync(node, url, env=None):
    return node.good("sync", url, env=env)


def c1_a_sender_years_off_harms_nobody_and_is_right_again(where):
    url = "dir://" + where + "/stick"
    os.mkdir(where + "/stick")
    a, b = Node(where, "a"), Node(where, "b")
    good = {post(b)}
    sync(b, url)
    for offset in ("+3650d", "-3650d", "+1h", "+600", "-700d"):
        clock = Clock(where, "clock", offset)
        post(a, clock.env)
        sync(a, url, clock.env)
        sync(b, url)
        equal(whole(b, good), good, offset + ": something of it was taken")
    for offset in ("+0", "+50", "-1h", "-6d"):  # within 60 s, or not yet expired
        clock = Clock(where, "clock", offset)
        good.add(post(a, clock.env))
        sync(a, url)
        sync(b, url)
        equal(whole(b, good), good, offset)
    sync(a, url)
    rows = a.stored(">", "--expired")
    equal(len({(row["epoch"], row["seq"], row["source"]) for row in rows}), len(rows))
    expect(good <= {row["id"] for row in rows}, "the sender's own")


def c1_a_receiver_years_off_gets_all_when_it_is_right_again(where):
    url = "dir://" + where + "/stick"
    os.mkdir(where + "/stick")
    a, b = Node(where, "a"), Node(where, "b")
    told = {post(a) for _ in range(3)}
    sync(a, url)
    for offset in ("-3650d", "+3650d", "-600", "-1d"):
        clock = Clock(where, "clock", offset)
        sync(b, url, clock.env)
        equal(b.run("get", ">")[0], 1, offset + ": taken")
    clock = Clock(where, "clock", "-1d")
    run = Run(b, "--carrier", url, env=clock.env)
    run.log.wait("ready")
    told.add(post(a))  # what was refused before is not read again by the same wrong clock
    sync(a, url)
    run.log.wait("refused")
    clock.set("+0")
    wait_until(lambda: len(b.stored()) == 4, "the clock is right, and they come")
    run.stop()
    equal(whole(b, told), told)


def c1_a_clock_that_jumps_under_run_loses_nothing(where):
    url = "dir://" + where + "/stick"
    os.mkdir(where + "/stick")
    a, b = Node(where, "a"), Node(where, "b")
    clock = Clock(where, "clock")
    run, other = Run(a, "--carrier", url, env=clock.env), Run(b, "--carrier", url)
    fed = 0
    for offset in ("+0", "-1h", "+1h", "-3650d", "+0", "+3650d", "-1d", "+0"):
        clock.set(offset)
        fed += 1
        run.feed([fed]).log.wait("posted", fed)
    # By the date that each packet bears: a turn that had begun still had the clock of before.
    age = {row["id"][:16]: time.time() - int(row["t_end_us"]) / 1e6
           for row in a.stored(">", "--expired")}
    right = {one for one, seconds in age.items() if -60 < seconds < 6 * 86400}
    expect(len(right) >= 3 and len(age) == fed, age)
    wait_until(lambda: right <= {row["id"][:16] for row in b.stored()}, "b has the right ones")
    told = run.stop()
    other.stop()
    have = {row["id"][:16] for row in a.stored(">", "--expired")}
    equal([one for one in told if one not in have], [], "lost")
    taken = {row["id"][:16] for row in b.stored(">", "--expired")}
    expect(not taken & (set(told) - right), "b took what lies in the future or expired")
    whole(b, right)


main([
    c1_a_sender_years_off_harms_nobody_and_is_right_again,
    c1_a_receiver_years_off_gets_all_when_it_is_right_again,
    c1_a_clock_that_jumps_under_run_loses_nothing,
])
