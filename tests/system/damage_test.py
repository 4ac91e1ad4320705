# SPDX-License-Identifier: Apache-2.0
"""A flipped bit, a lost or foreign file: found, told, and the rest is there again."""
import json
import os
import random
import shutil
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kit import Node, PATIENCE, equal, expect, main
import subprocess


def line(i):
    return json.dumps({"effect": i / 100, "se": 0.1, "n": i + 1}) + "\n"


def filled(where):
    """A node killed while its log is live. Returns it, what it acknowledged, and the files."""
    node = Node(where, "a")
    text = "".join(line(i) for i in range(60))
    ids = set()
    for subject in ("x.y", "z.w"):
        rows = node.good("post", subject, "-", "--json", text=text).splitlines()
        ids.update(json.loads(row)["id"] for row in rows)
    child = node.start("post", "k.k", "-", "--json", stdin=subprocess.PIPE)
    child.stdin.write(text.encode())
    child.stdin.flush()
    ids.update(json.loads(child.stdout.readline())["id"] for _ in range(60))
    child.kill()
    child.communicate(timeout=PATIENCE)
    master = os.path.join(where, "master")
    shutil.copytree(node.data, master)
    return node, ids, master


def restore(node, master):
    shutil.rmtree(node.data)
    shutil.copytree(master, node.data)


def flip(path, dice):
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        bit = dice.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        file.seek(0)
        file.write(data)
    return bit


def d5_a_flipped_bit_is_found_told_and_costs_a_page_at_most(where):
    node, ids, master = filled(where)
    places = {(row["epoch"], row["seq"]): row["id"] for row in node.stored()}
    equal(len(places), 180)
    dice = random.Random(5)
    for turn in range(36):
        name = ("store.db", "store.db-wal", "store.db-epoch")[turn % 3]
        restore(node, master)
        bit = flip(os.path.join(node.data, name), dice)
        say = f"bit {bit} of {name}"
        code, out, err = node.run("store", "check")
        equal((code, "[E032]" in err), (74, True), say)
        code, out, err = node.run("get", ">", "--last", "0")
        equal(code, 0, say)
        told = "damaged" in err
        expect(told or name != "store.db-wal", say, "was not told:", err)
        code, rows = node.json("post", "x.y", "--effect", "0.5", "--se", "0.1", "-n", "3")
        equal(code, 0, say)
        new = rows[0]["id"]
        rows = node.stored()
        for row in rows:
            place = (row["epoch"], row["seq"])
            expect(row["id"] in ids or row["id"] == new, say, "a wrong packet", row["id"])
            expect(places.get(place, row["id"]) == row["id"], say, "a place used again", place)
        lost = len(ids) + 1 - len(rows)
        # A page that stands in the log too is put right from there, as after a power cut.
        expect(lost <= (20 if told and name != "store.db-epoch" else 0), say, "lost", lost)
        equal(node.run("store", "check")[0], 0, say)


def d5_a_flipped_bit_of_the_key_refuses_to_sign_and_no_more(where):
    node, ids, master = filled(where)
    dice = random.Random(6)
    for _ in range(12):
        restore(node, master)
        bit = flip(node.key, dice)
        code, out, err = node.run("post", "x.y", "--effect", "0.5", "--se", "0.1", "-n", "3")
        equal((code, out), (78, ""), f"bit {bit}")
        expect(err.startswith("error:") and "[E0" in err and "\n  do: " in err, err)
        equal(len(node.stored()), 180)


def a_key_that_others_may_read_or_replace_is_refused(where):
    node, ids, master = filled(where)

    def refused(what, want="[E013]"):
        code, out, err = node.run("post", "x.y", "--effect", "1", "--se", "1", "-n", "3")
        equal((code, out, want in err), (78, "", True), what + ": " + err)
        restore(node, master)

    for mode in (0o644, 0o640, 0o602, 0o660):
        os.chmod(node.key, mode)
        refused(oct(mode))
    os.rename(node.key, node.key + "-real")
    os.symlink(node.key + "-real", node.key)
    refused("a symbolic link")
    os.rename(node.key, node.key + "-away")
    refused("missing", "[E012]")
    os.link(node.key, node.key + "-twin")
    refused("two links")
    os.chmod(node.data, 0o777)
    refused("a folder that all may write")
    for length in (0, 1, 50, 93):
        os.truncate(node.key, length)
        refused(f"cut to {length}", "[E014]")
    equal(node.run("post", "x.y", "--effect", "1", "--se", "1", "-n", "3")[0], 0)
    equal(stat.S_IMODE(os.stat(node.key).st_mode), 0o600)
    equal(node.run("init")[0], 78, "init over a key")


def a_store_replaced_by_something_else_is_refused_or_set_aside(where):
    node, ids, master = filled(where)

    places = {(row["epoch"], row["seq"]) for row in node.stored()}

    def post(what):
        code, out, err = node.run("post", "x.y", "--effect", "1", "--se", "1", "--json")
        rows = [json.loads(row) for row in out.splitlines()]
        expect(err != "", what, "was not told")
        if code == 0:
            equal(node.run("store", "check")[0], 0, what)
            stored = {row["id"]: (row["epoch"], row["seq"]) for row in node.stored()}
            expect(rows[0]["id"] in stored, what)
            expect((rows[0]["epoch"], rows[0]["seq"]) not in places, what + ": a place again")
            equal(len(set(stored.values())), len(stored), what + ": places")
        restore(node, master)
        return code

    def write(data):
        with open(node.store, "wb") as file:
            file.write(data)

    write(b"")
    expect(post("emptied") in (0, 74))
    os.truncate(node.store, 0)
    equal(node.run("store", "check")[0], 74, "emptied")
    node.run("get", ">")
    expect(len(node.stored("k.k")) > 0, "the log of an emptied store is lost")
    restore(node, master)
    write(b"\0" * 8192)
    expect(post("zeros") in (0, 74))
    write(b"SQLite format 3\0" + b"rubbish" * 1000)
    expect(post("rubbish") in (0, 74))
    os.unlink(node.store)
    os.mkdir(node.store)
    equal(post("a folder"), 74)
    os.unlink(node.store)
    os.mkfifo(node.store)
    expect(post("a fifo") in (74, 78))
    os.unlink(node.store)
    os.symlink("/etc/passwd", node.store)
    expect(post("a link") in (74, 78))
    with open("/etc/passwd", encoding="utf-8") as file:
        expect("root" in file.read())


main([
    d5_a_flipped_bit_is_found_told_and_costs_a_page_at_most,
    d5_a_flipped_bit_of_the_key_refuses_to_sign_and_no_more,
    a_key_that_others_may_read_or_replace_is_refused,
    a_store_replaced_by_something_else_is_refused_or_set_aside,
])
