# SPDX-License-Identifier: Apache-2.0
"""The loop by hand: post, get, sync, ask, why, follow, run."""
import json, os, signal, subprocess, time
from harness import *


def nodes(n):
    return [Home() for _ in range(n)]


def every_spelling_comes_back_as_posted():
    h = Home()
    h("post", "a.effect", "--effect", "0.12", "--se", "0.03", "-n", "240", "--text", "hä", "--near", "0.25,0.5",
      "--conclusion", "7", "--ttl", "1h", "--span", "60s")
    h("post", "a.counts", "--hits", "11", "--tries", "12")
    h("post", "a.sure", "--effect", "-0.5", "--confidence", "0.87", "-n", "9")
    h("post", "a.samples", "--samples", "-", stdin="".join(f"{i}\n" for i in range(1, 11)))
    h("post", "a.unit", "--effect", "12000", "--se", "300", "-n", "5", "--unit", "3")
    got = {p["subject"]: p for p in h("get", "a.>", "--json").json()}
    same(len(got), 5)
    e = got["a.effect"]
    expect(abs(e["effect"] - 0.12) < 1e-12 and abs(e["se"] - 0.03) < 1e-12 and e["n"] == 240, e)
    same((e["text"], e["near"], e["conclusion"], e["ttl_s"], e["span_s"]), ("hä", [0.25, 0.5], 7, 3600, 60))
    same((got["a.counts"]["hits"], got["a.counts"]["tries"]), (11, 12))
    expect(abs(got["a.sure"]["confidence"] - 0.87) < 1e-7, got["a.sure"])
    s = got["a.samples"]
    expect(abs(s["effect"] - 5.5) < 1e-12 and abs(s["se"] - (55 / 6) ** 0.5 / 10 ** 0.5) < 1e-9, s)
    same((s["n"], s["measure"]), (10, "mean"))
    expect(abs(got["a.unit"]["effect"] - 12000) < 1e-6 and abs(got["a.unit"]["se"] - 300) < 1e-6, got["a.unit"])
    h.remove()


def numbers_of_64_bits_are_strings_in_json():
    h = Home()
    h("post", "a.b", "--text", "x")
    p = h("get", "a.b", "--json").json()[0]
    for name in ("arrival", "epoch", "seq", "t_end_us", "arrived_us", "expires_us"):
        expect(isinstance(p[name], str) and int(p[name]) > 0 or p[name] == "0", name, p[name])
    expect(p["t_end"].endswith("Z") and len(p["id"]) == 64, p)
    same((p["v"], p["kind"]), (1, "packet"))
    h.remove()


def output_has_the_form_that_was_asked_for():
    h = Home()
    for i in range(3):
        h("post", "a.b", "--effect", f"{i}.5", "--se", "1", "-n", "9")
    row = h("get", "a.b", "--last", "1").out
    same((row.count("\t"), row.count("\n")), (5, 1), "TAB between columns in a pipe, no head")
    same(h("get", "a.b", "--format", "{effect:+.1f}|{subject:>0}").code, 64, "a spec that is none")
    same(h("get", "a.b", "--format", "{effect:+.1f}|{subject:5s}|{{{n:04}}}|{text}").out.splitlines()[0],
         "+2.5|  a.b|{   9}|-")
    same(h("get", "a.b", "--format", "{effect}", "-z").out, "2.5\x001.5\x000.5\x00")
    same(h("get", "a.b", "--format", "{effect}", "--reverse").out, "0.5\n1.5\n2.5\n")
    screen = h.terminal("get", "a.b").out.splitlines()
    expect("subject" in screen[0] and len(screen) == 4, screen)
    expect(len({line.index("a.b") for line in screen[1:]}) == 1, "columns are aligned", screen)
    same(len(h("get", "a.b", "--since", "1h", "--json").json()), 3)
    same(h("get", "a.b", "--since", "2030-01-01T00:00:00Z").code, 1)
    same(h("get", "a.b", "--foreign").code, 1)
    same(len(h("get", "a.b", "--own", "--json").json()), 3)
    h("post", "a.old", "--text", "x", "--at", "2020-01-01T00:00:00Z", "--ttl", "1h")
    same(h("get", "a.old").code, 1, "born expired")
    h.remove()


def a_dry_run_posts_nothing():
    h = Home()
    d = h("post", "a.b", "--effect", "1", "--se", "1", "-n", "5", "--dry-run", "--json").json()[0]
    expect(d["bytes"] > 160, d)
    same(h("get", "a.b").code, 1)
    h.remove()


def lines_are_answered_in_order_and_bad_ones_by_number():
    h = Home()
    lines = ['{"effect":0.1,"se":0.1,"n":%d}' % (i + 1) for i in range(700)]
    lines[400] = '{"effect":0.1,"se":-1}'
    lines[600] = ""
    d = h("post", "a.b", "-", "--json", stdin="\n".join(lines))
    same(d.code, 65)
    posted = d.json()
    same([int(p["line"]) for p in posted], [i + 1 for i in range(700) if i not in (400, 600)])
    expect("bad line: line 401" in d.err, d.err)
    got = h("get", "a.b", "--last", "0", "--json").json()
    same([p["id"] for p in reversed(got)], [p["id"] for p in posted])
    same(len(h("get", "a.b", "--json").json()), 50, "--last presets to 50")
    h.remove()


def a_line_is_answered_without_waiting_for_another():
    h = Home()
    p = h.start("post", "a.b", "-", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(5):
        p.stdin.write(b'{"hits":1,"tries":%d}\n' % (i + 1))
        p.stdin.flush()
        same(json.loads(p.stdout.readline())["line"], str(i + 1))
    p.stdin.close()
    same(p.wait(), 0)
    p.stdout.close()
    h.remove()


def d2_what_was_answered_survives_sigkill():
    h = Home()
    answered = []
    for trial in range(6):
        p = h.start("post", "a.b", "-", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
        for _ in range(3):
            p.stdin.write(b'{"effect":0.1,"se":0.1,"n":9}\n' * (40 * trial + 1))
            p.stdin.flush()
            answered.append(json.loads(p.stdout.readline())["id"])
        p.send_signal(signal.SIGKILL)
        # Whole lines only: a cut one was not acknowledged.
        rest = p.stdout.read()
        answered += [json.loads(line)["id"] for line in rest.split(b"\n")[:-1]]
        p.stdin.close()
        p.wait()
        p.stdout.close()
    have = [p["id"] for p in h("get", "a.b", "--last", "0", "--json").json()]
    same(sorted(set(answered) - set(have)), [], "acknowledged and lost")
    same(len(have), len(set(have)), "stored twice")
    h.remove()


def a_packet_is_taken_back_everywhere():
    a, b = nodes(2)
    stick = "dir://" + a.file("stick")
    os.mkdir(a.file("stick"))
    one = a("post", "a.b", "--hits", "1", "--tries", "2", "--json").json()[0]["id"]
    for h in (a, b):
        same(h("sync", stick).code, 0)
    same(len(b("get", "id:" + one[:16], "--json").json()), 1)
    same(a("retract", one[:16]).code, 0)
    for h in (a, b):
        same(h("sync", stick).code, 0)
    for h in (a, b):
        expect(one not in [p["id"] for p in h("get", "a.b", "--json").json()], "still there")
        expect(one in [p["id"] for p in h("get", "a.b", "--retracted", "--json").json()], "gone from history")
    a.remove()
    b.remove()


def machines_learn_from_each_other_over_a_folder():
    five = nodes(5)
    stick = "dir://" + five[0].file("stick")
    os.mkdir(five[0].file("stick"))
    for i, h in enumerate(five):
        h("post", "hvac.bearing", "--effect", str(0.1 + 0.01 * i), "--se", "0.02", "-n", "100")
        same(h("ask", "hvac.bearing").code, 1, "nobody has spoken yet")
        d = h("sync", stick)
        expect(d.code == 0 and "0 lost, 0 counted twice" in d.out, d.out, d.err)
    for h in five:
        h("sync", stick)
    answers = []
    for h in five:
        d = h("ask", "hvac.bearing", "--json")
        same(d.code, 0)
        a = d.json()[0]
        same((a["k"], a["insufficient"]), (4, False))
        expect(a["ci_low"] < a["estimate"] < a["ci_high"] and a["has_own"], a)
        why = h("why", "hvac.bearing", "--json").json()
        rows = [r for r in why if r["kind"] == "evidence"]
        same(len(rows), 5)
        pooled = [r for r in rows if r["pooled"]]
        same(len(pooled), 4)
        expect(abs(sum(r["weight"] for r in pooled) - 1) < 1e-9, pooled)
        expect(all("dir:" in r["ways"] for r in pooled), pooled)
        own = [r for r in rows if r not in pooled]
        expect("own" in own[0]["fate"], own)
        answers.append(a["estimate"])
    expect(len(set(answers)) == 5, "everybody leaves the own result out", answers)
    os.unlink(five[0].key)
    same(five[0]("ask", "hvac.bearing", "--json").json()[0]["estimate"], answers[0], "an own packet counts without the key")
    d = five[0]("ask", "hvac.>", "--format", "{subject} {k}")
    same(d.out, "hvac.bearing 4\n")
    d = five[0].terminal("ask", "hvac.bearing")
    expect("pooled" in d.out and "next: kith why hvac.bearing" in d.out, d.out)
    again = five[1]("sync", stick, "--json").json()[0]
    same((again["new"], again["counted_twice"]), ("0", "0"))
    for h in five:
        h.remove()


def export_and_import_count_once():
    a, b = nodes(2)
    a("post", "x.y", "-", stdin="".join('{"hits":1,"tries":%d}\n' % (i + 1) for i in range(300)))
    same(a("store", "export", "-o", "all.jsonl").code, 0)
    same(b("store", "import", a.file("all.jsonl"), "--json").json()[0]["new"], "300")
    d = b("store", "import", a.file("all.jsonl"), "--json").json()[0]
    same((d["new"], d["known"]), ("0", "300"))
    with open(a.file("all.jsonl")) as f:
        hexes = [json.loads(line)["packet"] for line in f]
    bent = hexes[0][:-2] + ("00" if hexes[0][-2:] != "00" else "01")
    d = b("store", "import", "-", stdin=bent + "\n" + hexes[1] + "\n")
    same(d.code, 65)
    expect("0\t1\t0\t1" in d.out, d.out)
    a.remove()
    b.remove()


def a_backup_is_a_store():
    h = Home()
    h("post", "a.b", "--text", "x")
    same(h("store", "backup", h.file("copy.db")).code, 0)
    same(len(h("get", "a.b", "--store", h.file("copy.db"), "--json").json()), 1)
    h.remove()


def follow_shows_what_comes():
    h = Home()
    h("post", "a.old", "--text", "x")
    p = h.start("follow", "a.>", "--limit", "3", "--json", stdout=subprocess.PIPE)
    first = h.start("follow", "a.>", "--limit", "1", "--since", "start", "--json", stdout=subprocess.PIPE)
    same(json.loads(first.stdout.readline())["subject"], "a.old")
    first.communicate()
    seen = []
    deadline = time.monotonic() + PATIENCE
    while p.poll() is None and time.monotonic() < deadline:
        h("post", "a.new", "--text", "x")
        h("post", "b.new", "--text", "x")
    seen = [json.loads(line) for line in p.communicate()[0].splitlines()]
    same([s["kind"] for s in seen], ["packet"] * 3 + ["follow_end"])
    same({s["subject"] for s in seen[:3]}, {"a.new"})
    same((seen[3]["lost"], seen[3]["refused"]), ("0", "0"))
    h.remove()


def log_lines(p):
    for line in p.stderr:
        if line.startswith(b"{"):
            yield json.loads(line)


def wait_log(p, event, words=""):
    for line in log_lines(p):
        if line.get("event") == event and words in line["text"]:
            return line
    raise Wrong(f"the log ended without {event} {words}")


def fed(h, posts, *args, stdin):
    """run, until all of that stdin is read and so many packets are posted; what it said."""
    p = h.start("run", *args, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    p.stdin.write(stdin.encode())
    p.stdin.close()
    said = []
    while sum(line.get("event") == "posted" for line in said) < posts:
        said.append(next(log_lines(p), None))
        expect(said[-1] is not None, "it ended before", posts, "were posted:", said[-5:])
    p.send_signal(signal.SIGTERM)
    said += log_lines(p)
    same(p.wait(PATIENCE), 0)
    p.stderr.close()
    return said


def run_turns_signals_into_packets():
    h = Home()
    said = fed(h, 3, "--subject", "line.speed", "--count", "20",
               stdin="".join(f"{i}\n" for i in range(1, 46)) + "bad\n\n[1]\n")
    got = h("get", "line.speed", "--reverse", "--json").json()
    same([g["n"] for g in got], [20, 20, 5])
    same([g["effect"] for g in got], [10.5, 30.5, 43])
    expect(any("no line of JSON" in line.get("text", "") for line in said), said)
    fed(h, 1, "--subject", "tests.t", "--kind", "trials", "--count", "4",
        stdin='true\nfalse\n{"hits":1,"tries":2}\n{"hits":3,"tries":2}\n')
    got = h("get", "tests.t", "--json").json()
    same([(g["hits"], g["tries"]) for g in got], [(2, 4)])
    fed(h, 1, "--subject", "b.b", "--kind", "baseline", "--count", "4",
        stdin="".join('{"x":%d,"baseline":true}\n' % i for i in (9, 10, 11)) + "12\n13\n14\n15\n")
    got = h("get", "b.b", "--json").json()
    expect(len(got) == 1 and abs(got[0]["effect"] - 3.5) < 1e-9 and got[0]["measure"] == "mean-difference", got)
    fed(h, 1, "--subject", "o.o", "--kind", "outcome", stdin='{"effect":1,"se":0.5,"n":4}\n')
    same(len(h("get", "o.o", "--json").json()), 1)
    h.remove()


def run_reads_programs_and_acts_on_answers():
    a, b = nodes(2)
    os.mkdir(a.file("stick"))
    a("post", "s.t", "--effect", "1", "--se", "0.1", "-n", "9")
    a("sync", "dir://" + a.file("stick"))
    b.configure(f"""[carrier stick]
url = dir://{a.file('stick')}
[signal made]
subject = s.u
kind = trials
command = /bin/echo "{{\\"hits\\":1,\\"tries\\":2}}"
count = 2
every = 100s
[action tell]
subject = s.>
do = run
command = /bin/sh -c "cat >> acted"
[action say]
subject = s.t
do = json
""")
    p = b.start("run", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_log(p, "posted", "s.u")
    said = json.loads(p.stdout.readline())
    same((said["kind"], said["subject"], said["k"]), ("answer", "s.t", 1))
    deadline = time.monotonic() + PATIENCE
    want = {"s.t", "s.u"}
    have = set()
    while have != want and time.monotonic() < deadline:
        if os.path.exists(b.file("acted")):
            with open(b.file("acted")) as f:
                have = {json.loads(line)["subject"] for line in f if line.endswith("\n")}
    same(have, want)
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=PATIENCE)
    same(p.returncode, 0, "TERM drains and ends with 0")
    expect("s.u" in a("sync", "dir://" + a.file("stick")).out or len(a("get", "s.u", "--json").json()) == 1, "not sent")
    a.remove()
    b.remove()


def run_reloads_and_keeps_the_old_on_error():
    h = Home()
    h.configure("[log]\nlevel = debug\n")
    p = h.start("run", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_log(p, "ready")
    h.configure("[log]\nlevle = info\n")
    p.send_signal(signal.SIGHUP)
    wait_log(p, "config", "kept")
    h.configure("[log]\nlevel = debug\n[node]\nrelay = yes\n")
    p.send_signal(signal.SIGHUP)
    wait_log(p, "config", "node.relay = yes")
    p.send_signal(signal.SIGUSR1)
    wait_log(p, "state", "store:")
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=PATIENCE)
    same(p.returncode, 0)
    h.remove()


def a_post_waits_for_a_carrier_when_asked():
    h = Home()
    os.mkdir(h.file("stick"))
    d = h("post", "a.b", "--text", "x", "--wait", "disk", "--carrier", "dir://" + h.file("stick"))
    same(d.code, 0)
    expect("disk has it" in d.err, d.err)
    expect(any(f for _, _, files in os.walk(h.file("stick")) for f in files), "nothing on the stick")
    h.remove()


def packets_are_read_and_written_without_a_store():
    h = Home()
    hexes = h("pkt", "encode", "a.b", "--effect", "1", "--se", "0.1", "-n", "5").out.strip()
    d = h("pkt", "decode", hexes, "--json").json()[0]
    same((d["subject"], d["effect"], d["signature"]), ("a.b", 1, "good"))
    with open(h.file("one.bin"), "wb") as f:
        f.write(bytes.fromhex(hexes))
    same(h("pkt", "decode", "--raw", "one.bin", "--json").json()[0]["id"], d["id"])
    same(h("pkt", "lint", hexes).code, 0)
    for i in range(0, len(hexes) // 2, 7):
        bent = bytearray.fromhex(hexes)
        bent[i] ^= 1
        same(h("pkt", "lint", bent.hex()).code, 65, f"byte {i}")
    same(h("pkt", "lint", hexes[:-2]).code, 65)
    h.remove()


main([every_spelling_comes_back_as_posted, numbers_of_64_bits_are_strings_in_json,
      output_has_the_form_that_was_asked_for, a_dry_run_posts_nothing,
      lines_are_answered_in_order_and_bad_ones_by_number, a_line_is_answered_without_waiting_for_another,
      d2_what_was_answered_survives_sigkill, a_packet_is_taken_back_everywhere,
      machines_learn_from_each_other_over_a_folder, export_and_import_count_once, a_backup_is_a_store,
      follow_shows_what_comes, run_turns_signals_into_packets, run_reads_programs_and_acts_on_answers,
      run_reloads_and_keeps_the_old_on_error, a_post_waits_for_a_carrier_when_asked,
      packets_are_read_and_written_without_a_store])
