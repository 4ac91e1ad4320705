# SPDX-License-Identifier: Apache-2.0
"""The disk fails under the whole program, at the k-th call, for every k: what was
told as safe is there afterwards, the failure is told in three lines, and the next
start heals. KITH_SOAK=1: each way to fail at each call; else they take turns."""
import json
import os
import selectors
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from calls import Plan
from kit import Log, Node, PATIENCE, SOAK, equal, expect, main

WAYS = [(how, ever) for how in ("io", "space", "quota", "short") for ever in (0, 1)] + [("intr", 0)]
TOLD = (69, 70, 74, 75, 78)


def line(i):
    return json.dumps({"effect": i / 100, "se": 0.1, "n": i + 1}) + "\n"


def told_well(err, code, say):
    """An error as users see it: what, why, do."""
    expect(code in TOLD, say, "exit", code, err)
    lines = err.splitlines()
    expect(len(lines) >= 3 and lines[0].startswith("error: ") and "[E" in lines[0]
           and lines[1].startswith("  why: ") and lines[2].startswith("  do:  "), say, err)


def post_lines(node, env, count):
    """Line by line, each after the answer to the one before. (ids, exit code, stderr)"""
    child = node.start("post", "x.y", "-", stdin=subprocess.PIPE, env=env)
    answers = selectors.DefaultSelector()
    for pipe in (child.stdout, child.stderr):
        answers.register(pipe, selectors.EVENT_READ)
    out, err = b"", b""
    for i in range(count):
        try:
            child.stdin.write(line(i).encode())
            child.stdin.flush()
        except BrokenPipeError:
            break
        seen = len(out) + len(err)
        while len(out) + len(err) == seen or not (out + err).endswith(b"\n"):
            ready = answers.select(PATIENCE)
            expect(ready, "no answer to a line", out, err)
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                out += piece if key.fileobj is child.stdout else b""
                err += piece if key.fileobj is child.stderr else b""
            if not piece:
                break
    more = finish(child)
    answers.close()
    ids = [row.split("\t")[0] for row in (out + more[0]).decode().split("\n")[:-1]]
    return ids, child.returncode, (err + more[1]).decode()


def finish(child):
    """Ends its stdin and waits for its end; what it still says."""
    try:
        child.stdin.close()
    except BrokenPipeError:
        pass
    child.stdin = None
    return child.communicate(timeout=PATIENCE)


def healed(node, ids, say):
    """Everything told is stored once, under places of its own; posts go on."""
    code, out, err = node.run("post", "z.z", "--effect", "1", "--se", "1", "-n", "3")
    equal(code, 0, say + ": the next start: " + err)
    rows = node.stored()
    stored = [row["id"] for row in rows]
    lost = [one for one in ids if not any(have.startswith(one) for have in stored)]
    equal(lost, [], say + ": lost")
    equal(len(set(stored)), len(stored), say + ": twice")
    equal(len({(row["epoch"], row["seq"]) for row in rows}), len(rows), say + ": places")
    code, out, err = node.run("store", "check")
    equal(code, 0, say + ": check: " + err)


def each_call(where, under, ways, life, name):
    """life(node, env, say) -> ids that were told, for every k until none is reached."""
    total = failures = 0
    for turn in range(len(ways) if SOAK else 1):
        k = 0
        while True:
            k += 1
            how, ever = ways[(turn if SOAK else k) % len(ways)]
            say = f"{name}: {how} at call {k}{' and all later' if ever else ''}"
            node = Node(where, f"n{turn}-{k}")
            node.good("post", "z.z", "--effect", "1", "--se", "1")  # the store is there
            plan = Plan(where, under(node), how, k, ever)
            ids = life(node, plan.env, say)
            calls, failed = plan.counted()
            expect(calls > 0, say, "nothing was counted")
            healed(node, ids, say)
            node.remove()
            total += 1
            failures += failed
            if calls < k and (how != "intr" or SOAK):
                break
            expect(k < 400, say, "without end")
    expect(total > 5, name, "only", total)
    print(f"# {name}: {total} lives, {failures} calls failed, 0 lost", flush=True)


def post_life(node, env, say):
    ids, code, err = post_lines(node, env, 4)
    if code != 0:
        told_well(err, code, say)
    else:
        equal(len(ids), 4, say + ": 0, and not all told: " + err)
    return ids


def data_of(node):
    return node.data


def d3_post_survives_a_failure_at_every_call(where):
    each_call(where, data_of, WAYS, post_life, "post")


def d4_post_acknowledges_nothing_after_a_failed_sync(where):
    each_call(where, data_of, [("sync", 0), ("sync", 1)], post_life, "post")


def run_life(node, env, say):
    """`run` waits for a disk that comes back; where it does not, TERM ends it."""
    child = node.start("run", "--subject", "x.y", "--kind", "outcome", "--json",
                       stdin=subprocess.PIPE, env=env)
    log = Log(child)
    try:
        child.stdin.write("".join(line(i) for i in range(3)).encode())
        child.stdin.flush()
    except BrokenPipeError:
        pass
    log.until(lambda: log.count("posted") == 3 or log.count("store") + log.count("post"))
    if env["FAIL_EVER"] == "0" and log.count("ready"):
        log.until(lambda: log.count("posted") == 3)
        equal(log.count("posted"), 3, say + ": after the failure")
    child.send_signal(signal.SIGTERM)
    code = log.end()
    expect(code in (0,) + TOLD, say, "exit", code, log.rest)
    if not log.count("ready"):
        expect(code in TOLD and log.count("error") == 1, say, "refused to start, exit", code, log.rest)
    return [e["text"].split()[0] for e in log.events if e["event"] == "posted"]


def d3_run_survives_a_failure_at_every_call(where):
    each_call(where, data_of, WAYS, run_life, "run")


def d4_run_acknowledges_nothing_after_a_failed_sync(where):
    each_call(where, data_of, [("sync", 0), ("sync", 1)], run_life, "run")


def d3_a_folder_that_fails_at_every_call_loses_nothing(where):
    stick = os.path.join(where, "stick")

    def sync_life(node, env, say):
        os.makedirs(stick)
        ids = [row["id"] for row in node.json("post", "x.y", "-", text=line(1) + line(2))[1]]
        code, out, err = node.run("sync", "dir://" + stick, "-W", "2s", env=env)
        if code == 0:
            expect("[E" not in err, say, err)
        else:
            expect(code in TOLD + (124,) and "\n  why: " in err, say, code, err)
        node.good("sync", "dir://" + stick)
        far = Node(where, "far")
        far.good("sync", "dir://" + stick)
        here, there = node.stored(), far.stored()
        equal(sorted(row["id"] for row in there), sorted(row["id"] for row in here), say)
        far.remove()
        subprocess.run(["rm", "-rf", stick], check=True)
        return ids

    ways = WAYS[:8] + [("sync", 0), ("sync", 1)]
    each_call(where, lambda node: stick, ways, sync_life, "sync")


if __name__ == "__main__":
    main([
        d3_post_survives_a_failure_at_every_call,
        d4_post_acknowledges_nothing_after_a_failed_sync,
        d3_run_survives_a_failure_at_every_call,
        d4_run_acknowledges_nothing_after_a_failed_sync,
        d3_a_folder_that_fails_at_every_call_loses_nothing,
    ])
