#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A short demo, as a program sees it: its last line, its exit code, its traces."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

kith = sys.argv[1]
count = 0
bad = False


def check(name, good, why=""):
    global count, bad
    count += 1
    bad = bad or not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}")
    if not good:
        print(f"# {why}")


with tempfile.TemporaryDirectory() as tmp:
    env = dict(os.environ, TMPDIR=tmp)
    seconds = 40 if os.environ.get("KITH_SOAK") else 12
    run = subprocess.run([kith, "demo", "--for", f"{seconds}s", "--json"], env=env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
    lines = [json.loads(x) for x in run.stdout.decode().splitlines()]
    left = os.listdir(tmp)
    end = lines[-1]
    ticks = [x for x in lines if x["kind"] == "demo"]
    check("the_demo_ends_with_0", run.returncode == 0, (run.returncode, run.stderr, end))
    # A machine that is too busy misses seconds; none is told twice.
    whole = [int(x["seconds"]) for x in ticks]
    check("each_second_is_told_once", len(whole) >= 2 and whole == sorted(set(whole))
          and whole[-1] <= seconds, whole)
    check("numbers_are_seen_while_it_plays",
          any(n["with_pool"] is not None for x in ticks for n in x["nodes"]))
    check("the_truth_is_covered_and_no_node_is_told_it",
          end["covers"] is True and all("truth" not in x for x in ticks))
    check("nothing_is_lost_and_nothing_counts_twice",
          (end["lost"], end["doubled"]) == ("0", "0"), end)
    check("all_nodes_and_carriers_have_one_digest", end["equal"] is True and
          end["digest_dir"] == end["digest_sqlite"] and len(end["digest_dir"]) == 64, end)
    # Multicast on the loopback is no matter of course; what is missing has its reason.
    check("it_says_which_wires_were_talked_over",
          end["carriers"].startswith("dir sqlite") and
          ("udp" in end["carriers"].split()) == ("udp_left_out" not in end), end)
    check("the_liar_is_left_out", end["liar_left_out"] is True, end)
    check("most_nodes_cover_their_own_truth", end["nodes_covered"] >= 9, end)
    check("the_interval_is_narrower_than_alone_but_not_than_the_ideal",
          1 < end["narrower"] <= end["ideal"] * 1.2, end)
    check("more_stays_at_home_than_is_sent",
          int(end["raw_bytes_kept"]) > 10 * int(end["bytes_sent"]), end)
    said = " ".join(x["event"] or "" for x in ticks)
    check("a_liar_a_kill_and_a_pulled_carrier_were_played",
          all(w in said for w in ["joins", "killed", "back", "pulled", "put back"]), said)
    check("nothing_is_left_on_the_disk", left == [], left)

    # A machine without a loopback, where such a one can be made.
    apart = ["unshare", "--map-root-user", "--net"]
    able = shutil.which("unshare") is not None and subprocess.run(
        apart + ["true"], stderr=subprocess.DEVNULL, timeout=60).returncode == 0
    if able:
        run = subprocess.run(apart + [kith, "demo", "--for", "6s", "--json"], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
        end = json.loads(run.stdout.decode().splitlines()[-1])
        check("without_multicast_it_says_so_and_goes_on",
              "udp" not in end["carriers"].split() and end["udp_left_out"] != "" and
              (end["lost"], end["doubled"], end["equal"]) == ("0", "0", True), end)
    else:
        print("# no network of its own can be made here")

    stop = subprocess.Popen([kith, "demo", "--for", "30s", "--json"], env=env,
                            stdout=subprocess.PIPE)
    stop.stdout.readline()
    stop.stdout.readline()
    stop.terminate()
    stop.communicate(timeout=240)
    check("a_demo_that_is_ended_early_leaves_nothing",
          stop.returncode == 143 and os.listdir(tmp) == [], (stop.returncode, os.listdir(tmp)))
print(f"1..{count}")
sys.exit(bad)
