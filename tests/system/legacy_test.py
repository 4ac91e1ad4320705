# SPDX-License-Identifier: Apache-2.0
"""kith and the programs of seed 0, with real pyzmq on their side, both directions."""
import hashlib
import json
import math
import os
import shutil
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "vectors")]
import kith_legacy as legacy
from kit import Log, Node, PATIENCE, die_with_us, equal, expect, main, wait_until

SUBJECT = "clinical.radiology.ct"
THEIRS = {"domain": SUBJECT, "delta": 0.125, "confidence": 0.875, "n": 100}


def a_python_with_zmq():
    """The one on PATH may not be Debian's."""
    for one in ("/usr/bin/python3", sys.executable, shutil.which("python3")):
        if one and subprocess.run([one, "-c", "import zmq"], capture_output=True).returncode == 0:
            return one
    raise AssertionError("no python3 here can import zmq: apt-get install python3-zmq")


def a_host():
    """All of 127 is this machine: nobody else has these ports there."""
    mine = os.getpid()
    a_host.count = getattr(a_host, "count", 0) + 1
    return f"127.{1 + (mine >> 12) % 200}.{1 + (mine >> 4) % 250}.{1 + (mine % 16) * 15 + a_host.count % 15}"


class Seed:
    """One of their programs."""
    PYTHON = None

    def __init__(self, *args, text=b""):
        Seed.PYTHON = Seed.PYTHON or a_python_with_zmq()
        pipe = subprocess.PIPE
        self.child = subprocess.Popen([Seed.PYTHON, "-B", os.path.join(HERE, "seed0.py"), *args],
                                      stdin=pipe, stdout=pipe, stderr=pipe, preexec_fn=die_with_us)
        if text:
            self.child.stdin.write(text)
            self.child.stdin.flush()

    def out(self):
        """What it wrote until it ended."""
        try:
            out, err = self.child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise
        equal(self.child.returncode, 0, err.decode()[-300:])
        return out.decode().splitlines()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()


def publisher(host, port, packets):
    lines = "".join(json.dumps(p) + "\n" for p in packets) + "\n"
    return Seed("pub", f"tcp://{host}:{port}", text=lines.encode())


def asked(host, *prefixes, port=5557):
    with Seed("req", f"tcp://{host}:{port}", *prefixes) as seed:
        return seed.out()


def now():
    return time.time()


def running(node, url):
    """A node that carries by that URL, once it is up."""
    log = Log(node.start("run", "--carrier", url, "--json"))
    log.wait("ready")
    return log


def stop(log):
    log.child.terminate()
    equal(log.end(), 0, str(log.events[-3:]))


def effect(node, delta, *more, subject=SUBJECT):
    return json.loads(node.good("post", subject, "--effect", str(delta), "--se", "0.5", "-n", "240",
                                "--json", *more))


def rows(node, subject=SUBJECT):
    return list(reversed(node.stored(subject)))


def their_subscriber_gets_what_a_node_posts(where):
    host, node = a_host(), Node(where, "a")
    # A publisher waits for nobody; patient is for this test, which must lose nothing.
    log = running(node, f"zmq://{host}:5555?interop=seed0&patient=yes")
    deltas = [0.125, -0.05, 0.7, -0.95, 1, -1]
    with Seed("sub", f"tcp://{host}:5555", "qis.clinical.radiology", str(len(deltas))) as seed:
        for delta in deltas:
            effect(node, delta)
        got = [json.loads(line) for line in seed.out()]
    stop(log)
    equal([p["topic"] for p in got], ["qis.clinical.radiology.ct.d" + end for end in
                                      ("+0.1", "+0.0", "+0.7", "-0.9", "+1.0", "-1.0")])
    prints = json.loads(node.good("addr", SUBJECT, "--json").splitlines()[0])["fingerprint"]
    for p, row, delta in zip(got, rows(node), deltas):
        equal(p["delta"], legacy.float32(delta))
        equal((p["domain"], p["n"], p["reserved"]), (SUBJECT, 240, 0.0))
        equal(p["node"], row["from"][:16])
        equal(p["context"], prints[:16])
        expect(abs(p["confidence"] - (1 + math.erf(abs(delta) / 0.5 / 2**0.5)) / 2) < 1e-7)
        expect(abs(p["timestamp"] - now()) < 3600)
        name, raw = legacy.encode0({"domain": SUBJECT, "node_id": p["node"], "context_hash": p["context"],
                                    "outcome_delta": p["delta"], "confidence": p["confidence"],
                                    "n_observations": p["n"], "timestamp": p["timestamp"]})
        equal(raw.hex(), p["hex"])


def their_client_asks_a_node(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    equal(asked(host, "", "qis."), ["[]", "[]"])
    text = "".join(json.dumps({"effect": i / 100, "se": 0.5, "n": i + 1}) + "\n" for i in range(60))
    node.good("post", SUBJECT, "-", text=text)
    effect(node, 0.5, subject="other.thing")
    wait_until(lambda: '"other.thing"' in asked(host, "")[0], "the last post is in the store's front")
    everything, some, bucket, other, none = asked(
        host, "", "qis.clinical.radiology", f"qis.{SUBJECT}.d+0.5", "qis.other", "clinical")
    stop(log)
    equal(none, "[]")
    for reply, count in ((everything, 50), (some, 50), (bucket, 10), (other, 1)):
        found = json.loads(reply)
        equal(len(found), count, reply)
        equal(reply, json.dumps(found))  # as Python writes it, to the byte
        for row in found:
            equal(list(row), ["domain", "outcome_delta", "confidence", "n_observations"])
    equal([row["n_observations"] for row in json.loads(some)], list(range(11, 61)))  # newest last
    equal(json.loads(everything)[-1]["domain"], "other.thing")
    equal(json.loads(bucket)[0]["outcome_delta"], legacy.float32(0.5))


def answers_outlive_the_node(where):
    host, node = a_host(), Node(where, "a")
    url = f"zmq://{host}:5555?interop=seed0"
    log = running(node, url)
    node.good("post", SUBJECT, "-", text="".join(
        json.dumps({"effect": i / 100, "se": 0.5, "n": i + 1}) + "\n" for i in range(30)))
    wait_until(lambda: len(json.loads(asked(host, "")[0])) == 30, "all in the front")
    before = asked(host, "")
    stop(log)
    log = running(node, url)
    equal(asked(host, ""), before)
    effect(node, 0.5, subject="other.thing")
    wait_until(lambda: '"other.thing"' in asked(host, "")[0], "the next one")
    equal(json.loads(asked(host, "")[0])[:30], json.loads(before[0]))
    stop(log)


def replies_have_more_where_it_is_wished_for(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0&extended=yes&query=7001")
    effect(node, 0.5)
    wait_until(lambda: asked(host, "", port=7001)[0] != "[]", "the front has it")
    row = json.loads(asked(host, "", port=7001)[0])[0]
    stop(log)
    equal(list(row)[4:], ["timestamp", "node_id", "context_hash"])
    equal(row["node_id"], rows(node)[0]["from"][:16])


def w10_questions_of_another_form_are_dropped_whole(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    effect(node, 0.5)
    wait_until(lambda: asked(host, "")[0] != "[]", "the front has it")
    with Seed("odd", f"tcp://{host}:5557") as seed:
        answers = seed.out()
    equal(answers[:2], ["[]", "[]"])
    equal(json.loads(answers[2])[0]["domain"], SUBJECT)
    equal(answers[2], asked(host, "")[0])
    stop(log)


def followed(node, host, port, pattern, limit, *flags):
    code, out, err = node.run("follow", "--legacy", "seed0", f"zmq://{host}:{port}", pattern, "--limit",
                              str(limit), "--json", *flags)
    equal(code, 0, err)
    found = [json.loads(line) for line in out.splitlines()]
    equal(found[-1]["kind"], "follow_end")
    return found[:-1], found[-1]


def follow_shows_what_their_publisher_says(where):
    host, node = a_host(), Node(where, "a")
    t = now()
    packets = [{**THEIRS, "timestamp": t, "times": 2}, {**THEIRS, "domain": "clinical.other", "timestamp": t},
               {**THEIRS, "domain": "clinical.radiology.ct2", "timestamp": t}]
    with publisher(host, 5556, packets):
        found, end = followed(node, host, 5556, SUBJECT, 5)
    equal(len(found), 5)
    expect(int(end["doubled"]) >= 4, end)
    equal(int(end["refused"]), 0)
    for row in found:
        equal((row["subject"], row["outcome_delta"], row["confidence"], row["n_observations"]),
              (SUBJECT, 0.125, 0.875, 100))
        equal((row["timestamp"], row["topic"], row["signed"]), (t, f"qis.{SUBJECT}.d+0.1", False))
        equal(row["node_id"], hashlib.sha256(f"tcp://{host}:5556".encode()).hexdigest()[:16])
        name, raw = legacy.encode0({**{k: row[k] for k in (
            "node_id", "context_hash", "outcome_delta", "confidence", "n_observations", "timestamp")},
            "domain": SUBJECT})
        equal(row["id"], legacy.legacy_id(0, name, raw))
    equal(len({row["id"] for row in found}), 5)
    equal(node.stored(), [])  # shown, never stored


def w10_what_is_not_a_packet_of_theirs_is_refused_by_reason(where):
    host, node = a_host(), Node(where, "a")
    name, raw = legacy.encode0({"domain": SUBJECT, "node_id": "n", "context_hash": "c",
                                "outcome_delta": 0.125, "confidence": 0.875, "n_observations": 1,
                                "timestamp": now()})
    late = raw[:12] + struct.pack("!d", now() + 3600) + raw[20:]
    bad = {"bad_frames": [[name], [name, raw, raw], [name] + [b""] * 999], "bad_len": [[name, raw[:29]]],
           "bad_bars": [[name, raw + b"|"]], "bad_text": [[name, raw[:-1] + b"\xff"]],
           "bad_domain": [[b"qis.clinical.radiology.d+0.1", raw]],
           "bad_delta": [[name, struct.pack("!f", float("nan")) + raw[4:]]],
           "bad_confidence": [[name, raw[:4] + struct.pack("!f", 1e30) + raw[8:]]],
           "bad_count": [[name, raw[:8] + struct.pack("!i", -5) + raw[12:]]],
           "bad_topic": [[f"qis.{SUBJECT}.x".encode(), raw]], "future": [[name, late]]}
    packets = [{"frames": [f.hex() for f in frames]} for lists in bad.values() for frames in lists]
    with publisher(host, 5555, packets + [{**THEIRS, "timestamp": now()}]):
        found, end = followed(node, host, 5555, "clinical.>", 3)
    equal(len(found), 3)
    for counter, lists in bad.items():
        expect(int(end.get(counter, 0)) >= len(lists), counter, end)
    equal(int(end["refused"]), sum(int(end[counter]) for counter in bad))


def their_store_is_asked_again_until_it_answers(where):
    host, node = a_host(), Node(where, "a")
    answer = [{"domain": SUBJECT, "outcome_delta": legacy.float32(i / 50), "confidence": 0.875,
               "n_observations": i + 1} for i in range(49)]
    answer.append({**answer[0], "domain": "clinical.radiology.door"})
    text = "\n" + json.dumps(answer) + "\nend\n"
    with Seed("store", f"tcp://{host}:5557", text=text.encode()) as seed:
        found, end = followed(node, host, 5555, SUBJECT, 49, "--since", "start")
        equal(seed.out(), [f"qis.{SUBJECT}.d"] * 2)  # the first was never answered
    equal([row["n_observations"] for row in found], list(range(1, 50)))
    equal([row["outcome_delta"] for row in found], [row["outcome_delta"] for row in answer[:49]])
    equal([name for row in found for name in ("id", "timestamp", "node_id") if name in row], [])
    equal(int(end["refused"]), 0)


def an_answer_of_their_store_that_is_wrong_anywhere_is_refused(where):
    host, node = a_host(), Node(where, "a")
    wrong = ('[{"domain": "a.b", "outcome_delta": 0.5, "confidence": 0.5, "n_observations": 1}, '
             '{"domain": "a.b", "outcome_delta": NaN, "confidence": 0.5, "n_observations": 1}]\nend\n')
    with Seed("store", f"tcp://{host}:5557", text=wrong.encode()) as seed:
        reader = node.start("follow", "--legacy", "seed0", f"zmq://{host}:5555", "a.b", "--since", "start",
                            "--limit", "3", "--json")
        equal(seed.out(), ["qis.a.b.d"])
    with publisher(host, 5555, [{**THEIRS, "domain": "a.b", "timestamp": now()}]):
        out = reader.communicate(timeout=PATIENCE)[0].decode().splitlines()
    end = json.loads(out[-1])
    equal((len(out), end["refused"], end["bad_json"]), (4, "1", "1"))
    equal({json.loads(line)["confidence"] for line in out[:3]}, {0.875})


def post_says_it_to_their_subscriber(where):
    host, node = a_host(), Node(where, "a")
    url = f"zmq://{host}:5556"
    with Seed("sub", f"tcp://{host}:5556", "qis.clinical.radiology") as seed:
        told = json.loads(node.good("post", "--legacy", "seed0", url, SUBJECT, "--effect", "-0.25",
                                    "--confidence", "0.875", "-n", "7", "--json"))
        p = json.loads(seed.out()[0])
    equal((p["delta"], p["confidence"], p["n"], p["domain"]), (-0.25, 0.875, 7, SUBJECT))
    equal((p["topic"], told["topic"]), (f"qis.{SUBJECT}.d-0.2",) * 2)
    equal(told["id"], legacy.legacy_id(0, p["topic"].encode(), bytes.fromhex(p["hex"])))
    with Seed("sub", f"tcp://{host}:5556", f"qis.{SUBJECT}", "40") as seed:
        text = "".join(json.dumps({"effect": i / 40, "se": 0.5, "n": i + 1}) + "\n" for i in range(40))
        node.good("post", "--legacy", "seed0", url, SUBJECT, "-", text=text)
        equal([json.loads(line)["n"] for line in seed.out()], list(range(1, 41)))
    equal(node.stored(), [])


def what_seed_0_cannot_say_is_refused(where):
    host, node = a_host(), Node(where, "a")
    url = f"zmq://{host}:5556"
    for flags in (["--effect", "1.5", "--se", "0.5"], ["--hits", "3", "--tries", "4"],
                  ["--effect", "0.5", "--se", "0.5", "--text", "loose"], ["--text", "loose"]):
        code, out, err = node.run("post", "--legacy", "seed0", url, SUBJECT, *flags)
        equal((code, out), (65, ""), err)
        expect("[E022]" in err and "seed 0" in err, err)
    code, out, err = node.run("post", "--legacy", "seed0", url, SUBJECT, "--effect", "0.5", "--se", "0.5",
                              "-W", "50ms")
    equal(code, 124, err)  # nobody is there
    expect("[E042]" in err, err)


def a_node_says_why_a_packet_was_not_said(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    effect(node, 0.5, "--text", "loose", subject="with.text")
    effect(node, 0.5)
    wait_until(lambda: asked(host, "")[0] != "[]", "the one that can be said")
    equal([row["domain"] for row in json.loads(asked(host, "")[0])], [SUBJECT])
    stop(log)


def one_kith_speaks_to_another_as_seed_0(where):
    host, a, b = a_host(), Node(where, "a"), Node(where, "b")
    reader = b.start("follow", "--legacy", "seed0", f"zmq://{host}:5555", "clinical.>", "--limit", "1", "--json")
    a.good("post", "--legacy", "seed0", f"zmq://{host}:5555", SUBJECT, "--effect", "0.25", "--se", "0.5")
    out = reader.communicate(timeout=PATIENCE)[0].decode().splitlines()
    equal(reader.returncode, 0)
    equal(json.loads(out[0])["outcome_delta"], 0.25)


def unsigned_rows(node, what=SUBJECT, *flags):
    return [row for row in node.stored(what, *flags) if row["kind"] == "unsigned"]


def hearing(node, host, port=5556, where=5555):
    """A node that carries for seed 0 and reads their publisher at that port."""
    return running(node, f"zmq://{host}:{where}?interop=seed0&peers={host}:{port}")


def frames_of(n, delta=0.125, confidence=0.875, name="n", subject=SUBJECT, at=None):
    topic, raw = legacy.encode0({"domain": subject, "node_id": name, "context_hash": "c",
                                 "outcome_delta": delta, "confidence": confidence,
                                 "n_observations": n, "timestamp": now() if at is None else at})
    return {"frames": [topic.hex(), raw.hex()]}


def what_a_node_hears_is_kept_beside_the_signed_byte_for_byte_and_once(where):
    host, node = a_host(), Node(where, "a")
    packets = [frames_of(1), frames_of(2), frames_of(3, subject="clinical.other")]
    with publisher(host, 5556, packets):  # says them again and again
        log = hearing(node, host)
        wait_until(lambda: len(unsigned_rows(node, ">")) == 3, "all three are kept")
        wait_until(lambda: json.loads(asked(host, "qis.clinical.other")[0]), "answered too")
    stop(log)
    kept = unsigned_rows(node, ">", "--reverse")
    equal([row["signed"] for row in kept], [False] * 3)
    said = {tuple(p["frames"]) for p in packets}
    equal({(row["topic"], row["payload"]) for row in kept}, said)
    for row in kept:
        topic, payload = bytes.fromhex(row["topic"]), bytes.fromhex(row["payload"])
        equal(row["id"], legacy.legacy_id(0, topic, payload))
        equal((row["claims"], row["seed"], row["way"]), ("n", 0, f"zmq://{host}:5555"))
    equal(len(node.stored(SUBJECT, "--own")), 0)
    one = node.json("get", "id:" + kept[0]["id"][:16])[1]
    equal([row["id"] for row in one], [kept[0]["id"]])
    text = node.good("get", SUBJECT)
    equal(text.count("unsigned:n"), 2, text)
    stat = node.json("store", "stat")[1][0]
    equal((stat["unsigned"], stat["packets"]), ("3", "0"))
    equal(node.good("store", "export", ">"), "")  # signed packets alone
    equal(node.run("store", "check")[0], 0)


def one_exchange_listens_to_them_too(where):
    host, node = a_host(), Node(where, "a")
    with publisher(host, 5556, [frames_of(1), frames_of(2)]):
        outs = []

        def exchange():  # it listens for five seconds, whether they have begun or not
            outs.append(json.loads(node.good("sync", f"zmq://{host}:5555?interop=seed0&peers={host}:5556",
                                             "--json")))
            return len(unsigned_rows(node)) == 2
        wait_until(exchange, "both are kept")
    equal(sum(int(out["unsigned"]) for out in outs), 2)
    equal({out["new"] for out in outs}, {"0"})


def follow_shows_what_enters_the_store_unsigned(where):
    host, node = a_host(), Node(where, "a")
    reader = node.start("follow", "clinical.>", "--limit", "3", "--since", "start", "--json")
    effect(node, 0.5)
    with publisher(host, 5556, [frames_of(1), frames_of(2)]):
        log = hearing(node, host)
        out = reader.communicate(timeout=PATIENCE)[0].decode().splitlines()
    stop(log)
    kinds = [json.loads(line)["kind"] for line in out]
    equal(sorted(kinds), ["follow_end", "packet", "unsigned", "unsigned"])


def they_count_only_on_request_and_all_of_a_gateway_once(where):
    host, node = a_host(), Node(where, "a")
    with publisher(host, 5556, [frames_of(9, 0.4, name=f"n{i}") for i in range(40)]):
        log = hearing(node, host)
        wait_until(lambda: len(unsigned_rows(node)) == 40, "all are kept")
    stop(log)
    code, out, err = node.run("ask", SUBJECT, "--json")
    answer = json.loads(out)
    equal((code, answer["k"], answer["unsigned"], answer["unsigned_left"]), (1, 0, "0", "40"))
    expect("40 unsigned packets not counted" in err and "--pool-unsigned" in err, err)
    code, out, err = node.run("ask", SUBJECT, "--pool-unsigned", "--json")
    answer = json.loads(out)
    equal((code, answer["k"], answer["unsigned"], answer["insufficient"]), (1, 1, "40", True))
    equal(err, "")
    by_file = node.run("ask", SUBJECT, "--json", env={"KITH_NODE_POOL_UNSIGNED": "yes"})[1]
    equal(json.loads(by_file)["unsigned"], "40")
    equal([json.loads(line)["k"] for line in node.run("ask", "clinical.>", "--json")[1].splitlines()], [0])
    rows_ = node.json("why", SUBJECT)[1]
    found = [row for row in rows_ if row["kind"] == "evidence"]
    equal(len(found), 40)
    for row in found:
        equal((row["signed"], row["pooled"], row["ways"]), (False, False, f"zmq://{host}:5555"))
        expect("pool_unsigned" in row["fate"] and row["from"].startswith("unsigned:n"), row)
    shown = node.json("config", "show", "node.pool_unsigned", "--origin")[1][0]
    equal(shown["value"], "no")


def w10_what_a_node_refuses_of_them_is_counted_by_reason(where):
    host, node = a_host(), Node(where, "a")
    old = frames_of(4, at=now() - 8 * 86400)
    late = frames_of(5, at=now() + 3600)
    good = frames_of(6)
    bars = {"frames": [good["frames"][0], good["frames"][1] + "7c"]}
    with publisher(host, 5556, [old, late, bars, {"frames": [good["frames"][0]]}, good]):
        log = hearing(node, host)
        wait_until(lambda: len(unsigned_rows(node)) == 1, "the good one")
        log.wait("refused", 3)
    stop(log)
    said = " ".join(e["text"] for e in log.events if e["event"] == "refused")
    for words in ("60 s ahead", "two bars", "time to live"):
        expect(words in said, words, said)
    equal(len(unsigned_rows(node)), 1)


def counts(reply):
    return [row["n_observations"] for row in json.loads(reply)]


def answers_outlive_a_kill_whoever_said_it(where):
    host, node = a_host(), Node(where, "a")
    with publisher(host, 5556, [frames_of(n) for n in range(1, 6)]):
        log = hearing(node, host)
        wait_until(lambda: len(unsigned_rows(node)) == 5, "all are heard")
        wait_until(lambda: len(counts(asked(host, "")[0])) == 5, "and answered")
    effect(node, 0.5)
    wait_until(lambda: counts(asked(host, "")[0])[-1] == 240, "what is posted is the newest")
    before = asked(host, "", f"qis.{SUBJECT}.d+0.1", "qis.clinical", "qis.other")
    log.child.kill()  # nothing was said to it
    log.end()
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    equal(asked(host, "", f"qis.{SUBJECT}.d+0.1", "qis.clinical", "qis.other"), before)
    equal([len(json.loads(reply)) for reply in before], [6, 5, 6, 0])
    stop(log)


def answers_reach_back_as_far_as_the_store(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    effect(node, 0.25, subject="rare.thing")
    text = "".join(json.dumps({"effect": i % 100 / 100, "se": 0.5, "n": i + 1}) + "\n" for i in range(2000))
    node.good("post", SUBJECT, "-", text=text)
    wait_until(lambda: counts(asked(host, "")[0])[-1:] == [2000], "the last one")
    equal(counts(asked(host, "qis.rare.thing.d+0.2")[0]), [240])
    equal(len(counts(asked(host, f"qis.{SUBJECT}.d+0.9")[0])), 50)
    stop(log)


def what_was_taken_back_is_no_longer_answered(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    effect(node, 0.5)
    told = effect(node, 0.25)
    wait_until(lambda: len(counts(asked(host, "")[0])) == 2, "both are answered")
    node.good("retract", told["id"])
    wait_until(lambda: len(counts(asked(host, "")[0])) == 1, "one is left")
    stop(log)


def w10_clients_that_are_killed_with_their_question_open_lock_nobody_out(where):
    host, node = a_host(), Node(where, "a")
    log = running(node, f"zmq://{host}:5555?interop=seed0")
    effect(node, 0.5)
    wait_until(lambda: asked(host, "")[0] != "[]", "the front has it")
    for _ in range(5):
        with Seed("hang", f"tcp://{host}:5557") as seed:
            equal(seed.child.stdout.readline(), b"asked\n")
        equal(len(json.loads(asked(host, "")[0])), 1)  # who comes back is answered
    stop(log)


def confidence_and_delta_are_floats_and_an_error_comes_of_them(where):
    host, node = a_host(), Node(where, "a")
    with publisher(host, 5556, [frames_of(100, 0.3, 0.87, name="x")]):
        log = hearing(node, host)
        wait_until(lambda: unsigned_rows(node), "it is kept")
    stop(log)
    row = unsigned_rows(node)[0]
    equal((row["effect"], row["confidence"]), (legacy.float32(0.3), legacy.float32(0.87)))
    told = [r for r in node.json("why", SUBJECT, "--pool-unsigned")[1] if r["kind"] == "evidence"]
    equal(len(told), 1)
    equal((told[0]["effect"], told[0]["n"]), (legacy.float32(0.3), 100))
    expect(abs(told[0]["effect"] / told[0]["se"] - 1.1263911516) < 1e-9, told)  # z of 0.87 as a float
    equal(told[0]["pooled"], True)


def subjects_are_the_same_both_ways(where):
    host, node = a_host(), Node(where, "a")
    subjects = ["a", "a.d", "a.d-0", "d.d-1.x", "a-b_c.0", ".".join("abcdefgh"), "x" * 128]
    log = running(node, f"zmq://{host}:5555?interop=seed0&patient=yes")
    with Seed("sub", f"tcp://{host}:5555", "", str(len(subjects))) as seed:
        for subject in subjects:
            effect(node, -0.05, subject=subject)
        got = [json.loads(line) for line in seed.out()]
    equal([p["domain"] for p in got], subjects)
    equal([p["topic"] for p in got], [f"qis.{s}.d+0.0" for s in subjects])
    for s in subjects:
        equal([row["domain"] for row in json.loads(asked(host, f"qis.{s}.d+")[0])], [s])
    stop(log)
    with publisher(host, 5556, [frames_of(1, -0.75, subject=s) for s in subjects]):
        log = hearing(node, host, where=5565)
        wait_until(lambda: len(unsigned_rows(node, ">")) == len(subjects), "all are kept")
        stop(log)
    equal(sorted(row["subject"] for row in unsigned_rows(node, ">")), sorted(subjects))


def what_was_said_before_anybody_subscribed_is_lost_and_nothing_after(where):
    host, node = a_host(), Node(where, "a")
    log = Log(node.start("run", "--carrier", f"zmq://{host}:5555?interop=seed0", "--json",
                         env={"KITH_LOG_LEVEL": "debug"}))
    log.wait("ready")
    effect(node, 0.1)
    log.wait("sent")  # to nobody
    with Seed("sub", f"tcp://{host}:5555", "qis.", "2") as seed:
        posted = 0
        while seed.child.poll() is None:  # until it has heard two
            posted += 1
            node.good("post", SUBJECT, "--effect", "0.5", "--se", "0.5", "-n", str(posted))
        got = [json.loads(line) for line in seed.out()]
    equal([p["delta"] for p in got], [0.5, 0.5])
    equal(got[1]["n"], got[0]["n"] + 1)  # none is left out between
    stop(log)


def places_that_make_no_sense_are_refused(where):
    host, node = a_host(), Node(where, "a")
    for url in ("zmq://*:5555", "zmq://0.0.0.0:5555"):
        code, _, err = node.run("run", "--carrier", url + "?interop=seed0", "--for", "1s")
        equal(code, 64, err)
        expect("reached by other machines" in err and "no keys" in err and "127.0.0.1" in err, err)
    for url in ("zmq://*:5555", "zmq://0.0.0.0:5555", "zmq:///tmp/folder", f"zmq://{host}:65535", f"zmq://{host}",
                "mem://bus"):
        code, _, err = node.run("post", "--legacy", "seed0", url, SUBJECT, "--effect", "0", "--se", "1")
        expect(code in (64, 69, 77, 78), url, code, err)
    code, _, err = node.run("follow", "--legacy", "seed0", SUBJECT)
    equal(code, 64, err)
    code, _, err = node.run("follow", f"zmq://{host}:5555", SUBJECT)
    equal(code, 64, err)


main([
    their_subscriber_gets_what_a_node_posts,
    their_client_asks_a_node,
    answers_outlive_the_node,
    replies_have_more_where_it_is_wished_for,
    w10_questions_of_another_form_are_dropped_whole,
    follow_shows_what_their_publisher_says,
    w10_what_is_not_a_packet_of_theirs_is_refused_by_reason,
    their_store_is_asked_again_until_it_answers,
    an_answer_of_their_store_that_is_wrong_anywhere_is_refused,
    post_says_it_to_their_subscriber,
    what_seed_0_cannot_say_is_refused,
    a_node_says_why_a_packet_was_not_said,
    one_kith_speaks_to_another_as_seed_0,
    what_a_node_hears_is_kept_beside_the_signed_byte_for_byte_and_once,
    one_exchange_listens_to_them_too,
    follow_shows_what_enters_the_store_unsigned,
    they_count_only_on_request_and_all_of_a_gateway_once,
    w10_what_a_node_refuses_of_them_is_counted_by_reason,
    answers_outlive_a_kill_whoever_said_it,
    answers_reach_back_as_far_as_the_store,
    what_was_taken_back_is_no_longer_answered,
    w10_clients_that_are_killed_with_their_question_open_lock_nobody_out,
    confidence_and_delta_are_floats_and_an_error_comes_of_them,
    subjects_are_the_same_both_ways,
    what_was_said_before_anybody_subscribed_is_lost_and_nothing_after,
    places_that_make_no_sense_are_refused,
])
