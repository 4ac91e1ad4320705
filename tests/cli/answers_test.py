# SPDX-License-Identifier: Apache-2.0
"""What ask and why say beyond one number: several components, age, the fields of an older
program, and a file from which anybody computes the same answer."""
import json, os, shutil

from harness import *

SUBJECT = "hvac.bearing"


class Swarm:
    """Nodes that each post once, and one that has it all."""

    def __init__(self, posts, own=None):
        self.me = Home()
        for n, words in enumerate(posts):
            other = Home()
            same(other("post", SUBJECT, *words).code, 0)
            packets = other("store", "export").out
            with open(self.me.file("packets%d.jsonl" % n), "w") as f:
                f.write(packets)
            same(self.me("store", "import", "packets%d.jsonl" % n).code, 0)
            other.remove()
        if own:
            same(self.me("post", SUBJECT, *own).code, 0)

    def __enter__(self):
        return self.me

    def __exit__(self, *_):
        self.me.remove()


def scalar(effect, se="0.1", *more):
    return ["--effect", str(effect), "--se", str(se), "-n", "9", *more]


def pair(a, b):
    return ["--effects", "%s,%s" % (a, b), "--covariance", "0.01,0.004,0.04", "-n", "9"]


def of_kind(d, kind):
    return [one for one in d.json() if one["kind"] == kind]


def each_component_has_its_answer():
    with Swarm([pair(0.1, 1), pair(0.2, 1.5), pair(0.6, 1.1), pair(0.3, 1.2)], pair(0.5, 1)) as me:
        d = me("ask", SUBJECT, "--json")
        same(d.code, 0)
        got = of_kind(d, "answer")
        same([(a["component"], a["components"], a["k"]) for a in got], [(1, 2, 4), (2, 2, 4)])
        # Equal covariances: the joint mean is the plain one, whatever the correlation.
        for a, want in zip(got, (0.3, 1.2)):
            expect(abs(a["estimate"] - want) < 1e-12, a["estimate"], want)
            expect(a["has_own"] and a["act_on"] == "shrunk" and a["shrunk_sd"] < a["own_se"], a)
        rows = of_kind(me("why", SUBJECT, "--json"), "evidence")
        same(len(rows), 5)
        same(sorted(r["effects"] for r in rows if r["pooled"])[0], [0.1, 1])
        same([r["ses"] for r in rows], [[0.1, 0.2]] * 5)
        expect(abs(sum(r["weight"] for r in rows) - 1) < 1e-12, "weights")
        text = me.terminal("ask", SUBJECT, "--ascii").out
        expect("component 1 of 2" in text and "component 2 of 2" in text and "act on this" in text, text)
        got = me("post", SUBJECT, "--effects", "1,2", "--covariance", "1,2,1")
        same(got.code, 65)
        line = '{"effects":[1,2],"covariance":[0.5,0.1,0.5],"n":3}'
        same(me("post", SUBJECT, "-", stdin=line).code, 0)


def effects_and_covariances_that_are_none_are_refused():
    home = Home()
    for words in (["--effects", "1"], ["--effects", "1,2"], ["--effects", "1,2", "--covariance", "1,0"],
                  ["--effects", "1,2,3,4,5", "--covariance", "1"], ["--effects", "1,x", "--covariance", "1,0,1"],
                  ["--effects", "1,2,", "--covariance", "1,0,1"], ["--covariance", "1,0,1"],
                  ["--effects", "1,2", "--covariance", "1,0,0"], ["--effects", "inf,2", "--covariance", "1,0,1"],
                  ["--effects", "1,2", "--covariance", "1,0,1", "--se", "1", "--effect", "1"]):
        d = home("post", SUBJECT, *words)
        expect(d.code in (64, 65) and "[E0" in d.err, words, d.code, d.err)
    same(home("get", ">").code, 1)
    home.remove()


def the_older_half_counts_half():
    posts = [scalar(e, 0.1, "--at", at) for e, at in
             ((0.0, "48h"), (0.1, "48h"), (0.9, "0s"), (1.0, "0s"), (0.5, "24h"))]
    with Swarm(posts) as me:
        plain = of_kind(me("ask", SUBJECT, "--json"), "answer")[0]
        aged = of_kind(me("ask", SUBJECT, "--json", "--half-life", "24h"), "answer")[0]
        expect(abs(plain["estimate"] - 0.5) < 1e-9, plain["estimate"])
        # Weights 1/4, 1/4, 1, 1, 1/2, but for the seconds that the test takes.
        expect(abs(aged["estimate"] - (0.025 + 1.9 + 0.25) / 3) < 1e-2, aged["estimate"])
        same(aged["k"], 5)
        rows = of_kind(me("why", SUBJECT, "--json", "--half-life", "24h"), "evidence")
        for r in rows:
            expect(abs(r["relevance"] - 2 ** (-r["age_s"] / 86400)) < 1e-9, r)
        d = me("ask", SUBJECT, "--half-life", "1h", "--method", "reml")
        same(d.code, 64)
        expect("E005" in d.err, d.err)


def consensus(me, *flags):
    d = me("ask", SUBJECT, "--legacy", "seed1", "--json", *flags)
    return d.code, of_kind(d, "consensus")[0]


KEYS = {"agent_id", "synthesis_pairs", "n_agents", "consensus_problem", "consensus_strength",
        "weighted_confidence", "recommendation", "synthesized_at"}


def the_older_programs_fields_mean_what_they_say():
    # k = 0, 1, 2, 3 others beside the own result, which is nobody's second voice.
    for k, code, word in ((0, 1, "insufficient"), (1, 1, "insufficient"), (2, 1, "insufficient"),
                          (3, 0, "strong positive")):
        with Swarm([scalar(0.5 + n / 100, 0.05) for n in range(k)], scalar(9, 0.05)) as me:
            got, one = consensus(me)
            same((got, one["recommendation"], one["n_agents"]), (code, word, k))
            same(one["synthesis_pairs"], str(k * (k - 1) // 2))
            expect(KEYS <= set(one), KEYS - set(one))
            same(one["alert"], k == 3)
            same(one["consensus_strength"], None if code else 1)
    for effects, word, alert in (([0.5] * 4 + [-0.5], "strong positive", False),
                                 ([-0.5, -0.6, -0.4, -0.5], "strong negative", True),
                                 ([0.5, 0.5, 0.5, -0.5, -0.5], "lean positive", False),
                                 ([-0.5, -0.5, -0.5, 0.5, 0.5], "lean negative", False),
                                 ([0.5, 0.5, -0.5, -0.5], "mixed", False)):
        with Swarm([scalar(e, 0.2) for e in effects]) as me:
            code, one = consensus(me, "--plain")
            same((code, one["recommendation"], one["alert"]), (0, word, alert), effects)
    with Swarm([scalar(e, 0.05) for e in (0.1, 0.11, 0.12, 0.1, 0.09)] + [scalar(-9, 0.001)]) as me:
        code, one = consensus(me)
        same((code, one["recommendation"], one["flagged"], one["consensus_strength"]), (0, "strong positive", 1, 1))


def written(me, *flags):
    """The file, and what both prints of it say."""
    path = me.file("why.jsonl")
    for form in (["--json"], []):
        said = me("why", SUBJECT, "--write", path, *flags, *form)
        same(said.code, 0, said.err)
        stranger = Home(init=False)  # no key, no store, another folder
        again = stranger("why", "--from", path, *form)
        same((again.code, again.raw), (0, said.raw), again.err)
        stranger.remove()
    with open(path) as f:
        return f.read()


def a_file_gives_the_same_bytes_on_another_machine():
    posts = [scalar(e, 0.1) for e in (0.1, 0.2, 0.15, 0.12, 0.3, 0.22)] + [scalar(7, 0.001)]
    with Swarm(posts, scalar(0.4, 0.2)) as me:
        for flags in ([], ["--method", "dl", "--ci", "hk"], ["--half-life", "2h", "--quorum", "4"], ["--plain"]):
            text = written(me, *flags)
            kinds = [json.loads(line)["kind"] for line in text.splitlines()]
            same(kinds, ["why"] + ["packet"] * 8 + ["end"])
    with Swarm([pair(0.1, 1), pair(0.2, 1.5), pair(0.6, 1.1)], pair(0.5, 1)) as me:
        written(me)
    with Swarm([["--hits", "3", "--tries", "9"], ["--hits", "5", "--tries", "9"], ["--hits", "9", "--tries", "9"],
                ["--effect", "1", "--confidence", "0.9"]]) as me:
        written(me)


def a_source_that_lied_twice_is_in_the_file_too():
    with Swarm([scalar(0.1), scalar(0.2), scalar(0.3)]) as me:
        liar, twin = Home(), Home(init=False)
        os.makedirs(os.path.dirname(twin.key), 0o700)
        shutil.copy2(liar.key, twin.key)
        same(twin("init").code, 0)
        for home, effect in ((liar, 0.5), (twin, 0.6)):
            same(home("post", SUBJECT, *scalar(effect)).code, 0)
            me("store", "import", "-", stdin=home("store", "export").out)
        same(len(of_kind(me("why", SUBJECT, "--json"), "equivocation")), 1)
        written(me)
        liar.remove()
        twin.remove()


def a_file_that_was_changed_or_cut_is_refused():
    with Swarm([scalar(e) for e in (0.1, 0.2, 0.3)]) as me:
        text = written(me)
        lines = text.splitlines(True)
        stranger = Home(init=False)

        def refused(changed, what):
            d = stranger("why", "--from", "-", "--json", stdin=changed)
            same((d.code, d.out), (65, ""), what)
            expect('"E029"' in d.err, what, d.err)

        for n in range(len(lines)):
            refused("".join(lines[:n]), "cut behind line %d" % n)
            refused("".join(lines[:n] + lines[n + 1:]), "without line %d" % (n + 1))
        packet = json.loads(lines[1])
        for at in range(0, len(packet["packet"]), 26):
            digit = packet["packet"][at]
            bent = dict(packet, packet=packet["packet"][:at] + ("1" if digit == "0" else "0") + packet["packet"][at + 1:])
            refused("".join([lines[0], json.dumps(bent) + "\n"] + lines[2:]), "a digit at %d" % at)
        for key in ("subject", "now_us", "method", "ci", "quorum", "plain", "half_life_us"):
            asked = json.loads(lines[0])
            del asked[key]
            refused("".join([json.dumps(asked) + "\n"] + lines[1:]), "no " + key)
        for junk in ("{}\n", "[1]\n", "x\n", '{"kind":"end"}\n', "\n"):
            refused("".join(lines[:2] + [junk] + lines[2:]), junk)
            refused(text + junk, "behind the end: " + junk)
        same(stranger("why", "--from", "/nope").code, 74)
        same(stranger("why").code, 64)
        same(stranger("why", SUBJECT, "--from", "x").code, 64)
        stranger.remove()


main([each_component_has_its_answer, effects_and_covariances_that_are_none_are_refused, the_older_half_counts_half,
      the_older_programs_fields_mean_what_they_say, a_file_gives_the_same_bytes_on_another_machine,
      a_source_that_lied_twice_is_in_the_file_too, a_file_that_was_changed_or_cut_is_refused])
