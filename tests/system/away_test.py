# SPDX-License-Identifier: Apache-2.0
"""A medium that goes away under a running program, turns read-only or full: posts are
refused loudly, and go on without a restart when it is well again."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from calls import Plan
from kit import Node, Run, Skip, equal, expect, main, wait_until, whole


def ailing(run, numbers):
    """Fed while the disk is ill: told, and not acknowledged."""
    before, told = run.log.count("posted"), run.log.count("store")
    run.feed(numbers)
    run.log.wait("store", told + 1)
    equal(run.log.count("posted"), before, "posted while it could not be")


def d8_a_store_folder_that_goes_and_comes_back_under_run(where):
    node = Node(where, "a")
    run = Run(node).feed([1])
    run.log.wait("posted")
    os.rename(node.data, node.data + "-away")
    ailing(run, [2, 3])
    os.rename(node.data + "-away", node.data)
    run.log.wait("posted", 3)
    run.feed([4])
    run.log.wait("posted", 4)
    told = run.stop()
    equal(len(whole(node, told)), 4)


def d8_a_store_folder_that_is_gone_for_good_ends_run_when_told(where):
    node = Node(where, "a")
    run = Run(node).feed([1])
    run.log.wait("posted")
    shutil.rmtree(node.data)
    ailing(run, [2])
    run.child.terminate()
    run.log.end()
    expect(not os.path.exists(node.data), "it was made anew in silence")


def under_a_plan(where, how):
    """A disk that is ill for a while under `run`: the same process goes on after it."""
    node = Node(where, "a")
    plan = Plan(where, node.data, how, 0, 1)
    run = Run(node, env=plan.env).feed([1])
    run.log.wait("posted")
    plan.arm(True)
    ailing(run, [2])
    code, out, err = node.run("post", "x.y", "--effect", "1", "--se", "1", env=plan.env)
    expect(code == 74 and "\n  why: " in err and out == "", code, err)
    plan.arm(False)
    run.log.wait("posted", 2)
    run.feed([3])
    run.log.wait("posted", 3)
    told = run.stop()
    # What was written before a sync failed may be there although nobody was told so.
    more = len(whole(node, told)) - 3
    expect(more == 0 or (how == "sync" and more > 0), more, "more than were told")


def d8_a_disk_that_turns_read_only_under_run(where):
    under_a_plan(where, "readonly")


def d3_a_disk_that_is_full_for_a_while_under_run(where):
    under_a_plan(where, "space")


def d3_a_disk_that_fails_for_a_while_under_run(where):
    under_a_plan(where, "io")


def d4_a_disk_whose_syncs_fail_for_a_while_under_run(where):
    under_a_plan(where, "sync")


def d3_a_small_disk_fills_under_run_and_is_freed(where):
    small = os.path.join(where, "small")
    os.mkdir(small)
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", small]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        raise Skip("no right to mount a small file system")
    try:
        node = Node(small, "a")
        with open(os.path.join(small, "ballast"), "wb") as ballast:
            ballast.write(bytes(1 << 20))
        run = Run(node)
        i = 0
        while run.log.count("store") == 0 and i < 40:
            run.feed(range(200 * i, 200 * i + 200))
            run.log.until(lambda: run.log.count("store") or run.log.count("posted") == 200 * (i + 1))
            i += 1
        expect(run.log.count("store"), "3 MiB were not filled")
        os.unlink(os.path.join(small, "ballast"))
        run.log.wait("posted", 200 * i)
        told = run.stop()
        equal(len(whole(node, told)), 200 * i)
    finally:
        subprocess.run(["umount", "-l", small], check=False)


def d7_a_stick_pulled_from_a_running_node(where):
    """Put back as it was, put back empty, and another one with old content."""
    a, b = Node(where, "a"), Node(where, "b")
    stick, away = os.path.join(where, "stick"), os.path.join(where, "away")
    url = "dir://" + stick
    os.mkdir(stick)
    runs = [Run(node, "--carrier", url, env={"KITH_DIR_POLL": "100ms"}) for node in (a, b)]
    told = []

    runs[0].feed([1, 2]).log.wait("posted", 2)
    wait_until(lambda: len(b.stored()) == 2, "the first two arrive")
    for turn in range(3):
        downs = [run.log.count("down") for run in runs]
        os.rename(stick, away)
        for run, before in zip(runs, downs):
            run.log.wait("down", before + 1)
        runs[0].feed([10 + turn]).log.wait("posted", 3 + turn)  # the post does not care
        if turn == 1:  # an empty folder may be the place of a stick that is not there: it
            os.mkdir(stick)  # is not filled by those who run, but once somebody began it
            Node(where, "new").good("sync", url)
            shutil.rmtree(os.path.join(where, "old"), ignore_errors=True)
            os.rename(away, os.path.join(where, "old"))
        elif turn == 2:  # the one of then comes back
            shutil.rmtree(away)
            os.rename(os.path.join(where, "old"), stick)
        else:
            os.rename(away, stick)
        wait_until(lambda: len(b.stored()) == 3 + turn, f"turn {turn}")
    for run in runs:
        told += run.stop()
    expect(whole(a, told) == whole(b, told), "they differ")
    far = Node(where, "far")
    far.good("sync", url)
    equal(whole(far, told), whole(a, told), "the stick at the end")


main([
    d8_a_store_folder_that_goes_and_comes_back_under_run,
    d8_a_store_folder_that_is_gone_for_good_ends_run_when_told,
    d8_a_disk_that_turns_read_only_under_run,
    d3_a_disk_that_is_full_for_a_while_under_run,
    d3_a_disk_that_fails_for_a_while_under_run,
    d4_a_disk_whose_syncs_fail_for_a_while_under_run,
    d3_a_small_disk_fills_under_run_and_is_freed,
    d7_a_stick_pulled_from_a_running_node,
])
