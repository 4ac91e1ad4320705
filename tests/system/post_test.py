# SPDX-License-Identifier: Apache-2.0
"""kith post as scripts use it: an acknowledged line is on disk, once, whatever happens."""
import json
import os
import random
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, PATIENCE, equal, expect, main


def line(i):
    return json.dumps({"effect": i % 100 / 100, "se": 0.1, "n": i + 1}) + "\n"


def acknowledged(out):
    """Ids of whole lines; the last may have been cut by a kill."""
    return [json.loads(one)["id"] for one in out.split("\n")[:-1]]


def lines_are_acknowledged_in_order_and_stored_once(where):
    node = Node(where, "a")
    out = node.good("post", "x.y", "-", "--json", text="".join(line(i) for i in range(5000)))
    rows = [json.loads(one) for one in out.splitlines()]
    equal([row["line"] for row in rows], [str(i + 1) for i in range(5000)])
    equal({(row["v"], row["kind"], row["safe"]) for row in rows}, {(1, "posted", "disk")})
    stored = node.stored("x.y")
    equal([row["id"] for row in reversed(stored)], [row["id"] for row in rows])
    equal([row["n"] for row in reversed(stored)], [i + 1 for i in range(5000)])
    equal(node.run("store", "check")[0], 0)


def each_line_is_answered_before_the_next_is_written(where):
    node = Node(where, "a")
    child = node.start("post", "x.y", "-", "--json", stdin=subprocess.PIPE)
    guard = threading.Timer(PATIENCE, child.kill)
    guard.start()
    for i in range(50):
        child.stdin.write(line(i).encode())
        child.stdin.flush()
        row = json.loads(child.stdout.readline())
        equal(node.run("get", "id:" + row["id"])[0], 0)
    child.stdin.close()
    equal(child.wait(PATIENCE), 0)
    guard.cancel()


ODD = [
    (b"", 0, 0), (b"\n\r\n\n", 0, 0), (b'{"effect":1,"se":1,"n":2}', 0, 1),
    (b'{"effect":1,"se":1,"n":2}\r\n', 0, 1),
    (b'{"effect":NaN,"se":1,"n":2}\n', 65, 0), (b'{"effect":1e999,"se":1,"n":2}\n', 65, 0),
    (b'{"effect":-1e999,"se":1,"n":2}\n', 65, 0),
    (b'{"effect":1,"effect":2,"se":1,"n":2}\n', 65, 0),
    (b"[" * 100000 + b"\n", 65, 0), (b'{"near":' + b"[" * 3000 + b"]" * 3000 + b"}\n", 65, 0),
    (b'{"text":"' + b"a" * 1000000 + b'"}\n{"effect":1,"se":1,"n":2}\n', 65, 1),
    (b'{"effect":1\0,"se":1,"n":2}\n', 65, 0), (b'{"effect":1,"se":1,"n":2}\0\n', 65, 0),
    (b'{"text":"a\\u0000b"}\n', 65, 0), (b'{"text":"\xff\xfe"}\n', 65, 0),
    (b'{"text":"\\ud800"}\n', 65, 0), (b'{"text":"a\\nb"}\n', 65, 0),
    (b'{"efect":1,"se":1,"n":2}\n', 65, 0), (b'{"samples":"/etc/passwd"}\n', 65, 0),
    (b"[1,2]\n", 65, 0), (b"1\n", 65, 0), (b"{}\n", 65, 0),
    (b'{"effect":1,"se":1,"n":2} x\n', 65, 0), (b'{"effect":1,"se":1,"n":0}\n', 65, 0),
    (b'{"effect":1,"se":1,"n":1.5}\n', 65, 0), (b'{"effect":1,"se":0,"n":2}\n', 65, 0),
    (b'{"effect":true,"se":1,"n":2}\n', 65, 0), (b'{"effect":{},"se":1,"n":2}\n', 65, 0),
    (b'{"hits":5,"tries":2}\n', 65, 0), (b'{"hits":5,"tries":9,"effect":1}\n', 65, 0),
    (b'{"effect":1,"se":1,"n":2,"near":[0.1,0.5],"ttl":60,"span":5}\n', 0, 1),
    (b'{"effect":1,"se":1,"n":2,"ttl":"90s","text":null}\n', 0, 1),
    (b'{"effect":1,"se":1,"n":2}\nrubbish\n{"effect":2,"se":1,"n":2}\n', 65, 2),
]


def odd_lines_are_refused_alone_and_named(where):
    node = Node(where, "a")
    for text, want, posted in ODD:
        code, out, err = node.run("post", "x.y", "-", "--json", text=text)
        equal((code, len(out.splitlines())), (want, posted), text[:60])
        for told in err.splitlines():
            equal(json.loads(told)["kind"], "error", text[:60])
        equal(err == "", want == 0, text[:60])
    equal(len(node.stored()), sum(posted for _, _, posted in ODD))


def d2_a_killed_poster_loses_nothing_it_acknowledged(where):
    node = Node(where, "a")
    dice = random.Random(1)
    want = set()
    text = "".join(line(i) for i in range(20000)).encode()
    kills = 0
    for _ in range(25):
        with open(os.path.join(where, "out"), "w+b") as out:
            child = node.start("post", "x.y", "-", "--json", stdin=subprocess.PIPE, stdout=out)
            feeder = threading.Thread(target=feed, args=(child, text))
            feeder.start()
            least = dice.randrange(1, 200000)
            while child.poll() is None and os.fstat(out.fileno()).st_size < least:
                pass
            child.send_signal(signal.SIGKILL)
            kills += child.wait(PATIENCE) == -signal.SIGKILL
            feeder.join(PATIENCE)
            child.stderr.close()
            out.seek(0)
            want.update(acknowledged(out.read().decode()))
    expect(kills > 10, "only", kills, "kills hit")
    ids = [row["id"] for row in node.stored("x.y")]
    equal(len(ids), len(set(ids)), "twice")
    equal(len(want - set(ids)), 0, "lost")
    places = {(row["epoch"], row["seq"]) for row in node.stored("x.y")}
    equal(len(places), len(ids), "places used twice")
    equal(node.run("store", "check")[0], 0)


def feed(child, text):
    try:
        child.stdin.write(text)
        child.stdin.close()
    except BrokenPipeError:
        pass


def four_posters_and_readers_share_a_store(where):
    node = Node(where, "a")
    text = "".join(line(i) for i in range(1500)).encode()
    files = [open(os.path.join(where, f"out{i}"), "w+b") for i in range(4)]
    posters = [node.start("post", f"x.p{i}", "-", "--json", stdin=subprocess.PIPE, stdout=files[i])
               for i in range(4)]
    feeders = [threading.Thread(target=feed, args=(child, text)) for child in posters]
    for feeder in feeders:
        feeder.start()
    rounds = 0
    while any(child.poll() is None for child in posters) or rounds < 2:
        code, out, err = node.run("store", "check")
        equal(code, 0, out + err)
        code, out, err = node.run("get", "x.>", "--last", "0")
        expect(code in (0, 1), out[:500], err)
        copy = os.path.join(where, f"copy{rounds}.db")
        node.good("store", "backup", copy)
        equal(node.run("store", "check", "--store", copy)[0], 0, "the copy")
        rounds += 1
    for feeder in feeders:
        feeder.join(PATIENCE)
    want = set()
    for child, out in zip(posters, files):
        equal(child.wait(PATIENCE), 0, child.stderr.read())
        child.stderr.close()
        out.seek(0)
        want.update(acknowledged(out.read().decode()))
        out.close()
    ids = [row["id"] for row in node.stored("x.>")]
    equal((len(ids), set(ids) == want), (6000, True))


def a_reader_that_goes_ends_the_poster_and_nothing_is_doubled(where):
    node = Node(where, "a")
    child = node.start("post", "x.y", "-", "--json", stdin=subprocess.PIPE)
    first = json.loads(feed_and_read(child))
    child.stdout.close()
    feed(child, "".join(line(i) for i in range(3000)).encode())
    expect(child.wait(PATIENCE) != 0, "it went on without a reader")
    ids = [row["id"] for row in node.stored("x.y")]
    expect(first["id"] in ids and len(ids) == len(set(ids)))
    full = open("/dev/full", "wb")
    child = node.start("post", "x.y", "--effect", "1", "--se", "1", stdout=full)
    told = child.communicate(timeout=PATIENCE)[1].decode()
    full.close()
    equal((child.returncode, "[E" in told), (74, True), told)


def feed_and_read(child):
    child.stdin.write(line(0).encode())
    child.stdin.flush()
    return child.stdout.readline()


main([
    lines_are_acknowledged_in_order_and_stored_once,
    each_line_is_answered_before_the_next_is_written,
    odd_lines_are_refused_alone_and_named,
    d2_a_killed_poster_loses_nothing_it_acknowledged,
    four_posters_and_readers_share_a_store,
    a_reader_that_goes_ends_the_poster_and_nothing_is_doubled,
])
