# SPDX-License-Identifier: Apache-2.0
"""Private posts and their budget, as a person meets them."""
import os, shutil, threading
from harness import *

PRIVATE = ["--samples", "-", "--lower", "0", "--upper", "100", "--grid", "1", "--records", "ward"]
TEN = "".join(f"{n}\n" for n in range(1, 41))


def budget(h, *args):
    return h("budget", *args, "--json").json()


def whole(h):
    return [b for b in budget(h) if b["subject"] == "*"][0]


def count(h):
    return int(h("store", "stat", "--json").json()[0]["packets"])


def private(h, *more, stdin=TEN, subject="ward.load"):
    return h("post", "--private", subject, *PRIVATE, *more, stdin=stdin)


def three_lines(d, code, number):
    lines = d.err.splitlines()
    same((d.code, len(lines), d.out), (code, 3, ""), d.err)
    expect(lines[0].startswith("error: ") and lines[0].endswith(f"[{number}]"), d.err)
    expect(lines[1].startswith("  why: ") and lines[2].startswith("  do:  kith budget"), d.err)
    return lines


def over_budget_is_refused_with_77_and_changes_nothing():
    h = Home()
    three_lines(private(h, "--rho", "1"), 77, "E051")  # nothing was granted
    same((h("budget").code, count(h)), (1, 0))
    same(h("budget", "grant", "ward", "--rho", "1").code, 0)
    same(private(h, "--rho", "0.75").code, 0)
    before, packets = budget(h), count(h)
    expect(0.74 < whole(h)["spent"] <= 0.75 and whole(h)["state"] == "open", before)
    for _ in range(3):
        lines = three_lines(private(h, "--rho", "0.5"), 77, "E051")
        expect("left of 1" in lines[1] and "costs" in lines[1], lines)
    e = json.loads(private(h, "--rho", "0.5", "--json").err)
    same((e["code"], e["exit"], e["retriable"]), ("E051", 77, False))
    same((budget(h), count(h)), (before, packets), "a refused post changed something")
    same(private(h, "--rho", "0.25", subject="ward.other").code, 0)  # one account, two subjects
    rows = budget(h)
    same([r["subject"] for r in rows], ["*", "ward.load", "ward.other"])
    expect(abs(rows[0]["spent"] - rows[1]["spent"] - rows[2]["spent"]) < 1e-9, rows)
    same([r["subject"] for r in budget(h, "ward.other")], ["ward.other"])
    same(h("budget", "nobody").code, 1)
    h.remove()


def what_is_posted_says_its_noise():
    h = Home()
    h("budget", "grant", "ward", "--epsilon", "4")
    for noise in ("gauss", "laplace"):
        same(private(h, "--epsilon", "1", "--noise", noise).code, 0)
    for one in h("get", "ward.load", "--json").json():
        d = h("pkt", "decode", one["packet"], "--json").json()[0]
        same((d["n"], d["measure"]), (40, "mean"))
        expect(one["se"] > 0 and -500 < one["effect"] < 600, one)
    d = private(h, "--epsilon", "0.5", "--dry-run", "--json").json()[0]
    same((d["kind"], d["n"]), ("private_dry_run", 40))
    expect(d["rho"] > 0 and 0 < d["epsilon"] <= 0.5 and 0 < d["noise_se"] < d["se"], d)
    h.remove()


def a_dry_run_costs_nothing_and_tells_nothing_of_the_records():
    h = Home()
    a = private(h, "--rho", "1", "--dry-run", "--json", stdin="5\n" * 40)
    b = private(h, "--rho", "1", "--dry-run", "--json", stdin="95\n" * 40)
    same((a.code, a.out), (0, b.out))
    same((h("budget").code, count(h)), (1, 0))
    h.remove()


def so_few_records_are_refused():
    h = Home()
    h("budget", "grant", "ward", "--rho", "1")
    d = private(h, "--rho", "0.1", stdin="1\n" * 19)
    same(d.code, 65, d.err)
    expect("19 records are fewer than 20" in d.err and "E025" in d.err, d.err)
    same(private(h, "--rho", "0.1", "--at-least", "50").code, 65)
    same(private(h, "--rho", "0.1", "--at-least", "19").code, 64)
    d = private(h, "--rho", "0.1", stdin="1\n" * 30 + "secret-17\n")
    expect(d.code == 65 and "secret" not in d.err, d.err)
    same((whole(h)["spent"], count(h)), (0, 0))
    h.remove()


def what_does_not_go_together_is_told():
    h = Home()
    for more in (["--text", "x"], ["--conclusion", "3"], ["--effect", "1"], ["-n", "9"]):
        same(private(h, "--rho", "1", *more).code, 64, more)
    same(private(h).code, 64)
    same(private(h, "--rho", "1", "--epsilon", "1").code, 64)
    same(h("post", "--private", "a.b", "--rho", "1", "--samples", "-", stdin=TEN).code, 64)
    same(h("post", "--private", "a.b", "-").code, 64)
    same(private(h, "--rho", "1", "--grid", "0.3").code, 65)
    d = private(h, "--rho", "0.001")  # noise that no packet holds in this unit
    expect(d.code == 65 and "[E023]" in d.err and "--unit" in d.err, d.err)
    same(h("budget", "grant", "ward").code, 64)
    same(h("budget", "grant", "Not A Name", "--rho", "1").code, 64)
    same(private(h, "--rho", "1", "--store", "memory:").code, 76)
    same(count(h), 0)
    h.remove()


def the_same_packet_is_sent_again_for_nothing():
    a, b = Home(), Home()
    stick = "dir://" + a.file("stick")
    os.mkdir(a.file("stick"))
    a("budget", "grant", "ward", "--rho", "1")
    same(private(a, "--rho", "0.5").code, 0)
    paid = budget(a)
    for _ in range(2):
        same((a("sync", stick).code, b("sync", stick).code), (0, 0))
    with open(a.file("out.jsonl"), "w") as f:
        f.write(b("store", "export").out)
    same(a("store", "import", a.file("out.jsonl")).code, 0)
    same((count(a), count(b)), (1, 1))
    same(budget(a), paid)
    same(b("budget").code, 1)  # it was not b who paid
    a.remove()
    b.remove()


def processes_never_overspend_together():
    h = Home()
    h("budget", "grant", "ward", "--rho", "1")
    codes = []

    def post():
        for _ in range(3):
            codes.append(private(h, "--rho", "0.13").code)

    threads = [threading.Thread(target=post) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    same((codes.count(0), codes.count(77)), (7, 5))
    expect(whole(h)["spent"] <= 1, whole(h))
    same(count(h), 7)
    h.remove()


def a_restored_backup_is_locked_until_it_is_granted_again():
    h = Home()
    h("budget", "grant", "ward", "--rho", "1")
    same(h("store", "backup", h.file("copy.db")).code, 0)
    same(private(h, "--rho", "0.9").code, 0)
    for tail in ("-wal", "-shm"):
        if os.path.exists(h.store + tail):
            os.remove(h.store + tail)
    os.replace(h.file("copy.db"), h.store)
    same(whole(h)["state"], "locked")
    d = private(h, "--rho", "0.9")
    same(d.code, 77, d.err)
    expect("another life" in d.err, d.err)
    same(h("budget", "grant", "ward", "--rho", "0.1").code, 0)
    same(whole(h)["state"], "open")
    same(private(h, "--rho", "0.9").code, 77)
    same(private(h, "--rho", "0.1").code, 0)
    h.remove()


def raw_data_never_leave():
    """Records that would be known anywhere, looked for in all bytes of store and carrier."""
    h = Home()
    canaries = [f"{7 + n}.73190{n:02d}846" for n in range(40)]
    os.mkdir(h.file("stick"))
    h("budget", "grant", "ward", "--rho", "1")
    same(private(h, "--rho", "0.5", stdin="\n".join(canaries) + "\n").code, 0)
    same(h("sync", "dir://" + h.file("stick")).code, 0)
    import struct
    wanted = [c.encode() for c in canaries]
    wanted += [struct.pack(end + "d", float(c)) for c in canaries for end in "<>"]
    looked = 0
    for folder, _, names in os.walk(h.path):
        for name in names:
            with open(os.path.join(folder, name), "rb") as f:
                bytes_there = f.read()
            looked += len(bytes_there)
            for w in wanted:
                expect(w not in bytes_there, name, "has", w)
    expect(looked > 10000, looked)
    h.remove()


def a_text_that_looks_private_is_refused():
    h = Home()
    table = {"ask bob@example.org": "a mail address", "see https://x.org": "a link", "host 10.0.0.7": "an IP address",
             "nic 00:1b:44:11:3a:b7": "a MAC address", "in /var/log/syslog": "a file's path",
             "since 2026-11-21": "a date or a time", "saw 1 2 3 4": "raw data", "patient 48213377": "an identifier"}
    for text, reason in table.items():
        d = h("post", "a.b", "--text", text)
        same(d.code, 65, text)
        expect("[E052]" in d.err and reason in d.err, d.err)
    d = h("post", "a.b", "-", stdin='{"text":"at 14:05"}\n{"text":"in the afternoon"}\n')
    same(d.code, 65)
    expect("line 1" in d.err and "[E052]" in d.err and "line 2" not in d.err, d.err)
    same(count(h), 1)
    same(h("post", "a.b", "--text", "host 10.0.0.7", "--unlinted").code, 0)
    same(h("post", "a.b", "--text", "bearing worn after 3 weeks").code, 0)
    same(count(h), 3)
    h.remove()


main([over_budget_is_refused_with_77_and_changes_nothing, what_is_posted_says_its_noise,
      a_dry_run_costs_nothing_and_tells_nothing_of_the_records, so_few_records_are_refused,
      what_does_not_go_together_is_told, the_same_packet_is_sent_again_for_nothing,
      processes_never_overspend_together, a_restored_backup_is_locked_until_it_is_granted_again,
      raw_data_never_leave, a_text_that_looks_private_is_refused])
