# SPDX-License-Identifier: Apache-2.0
"""The rules of output, errors and exit codes, for each row of the command table.

A new command is tested the day its row is added: what it is called with stands in
GOOD, or it is called without arguments; one that cannot be called so fails here."""
import atexit, json, os, re, shutil, signal, subprocess, sys, tempfile

# A kith that stands alone: a kith-bench which somebody built beside it must not matter.
ALONE = tempfile.mkdtemp(prefix="kith-alone-")
atexit.register(shutil.rmtree, ALONE)
sys.argv[1] = shutil.copy(sys.argv[1], ALONE)

from harness import *

# Called so, a command prints something and ends with 0, or with the code given.
GOOD = {
    "init": ["--store", "other/store.db", "--key", "other/key"],
    "run": ["--for", "1ms", "--action", "none"],
    "post": ["a.b", "--effect", "1", "--se", "0.1", "-n", "5"],
    "retract": ["{id}"],
    "follow": [">", "--since", "start", "--limit", "1"],
    "get": [">"],
    "ask": ["a.b", 1],
    "why": ["a.b"],
    "sync": ["dir://{home}/stick"],
    "pool": ["rows.csv"],
    "effect": ["--measure", "RR", "counts.csv"],
    "conform": ["mem://rules", "--only", "nothing-begins-so", 1],
    "bench": ["--no-such", 69],
    "store proofs": [1],
    "drill": ["a.b", 1],
    "budget": [1],
    "budget grant": ["ward", "--rho", "1"],
    "store import": ["packets.jsonl"],
    "store backup": ["copy{n}.db"],
    "pkt decode": ["{packet}"],
    "pkt encode": ["a.b", "--text", "x"],
    "pkt size": ["a.b", "--text", "x"],
    "pkt lint": ["00", 65],
    "addr": ["a.b"],
    "sim": ["--nodes", "3", "--until", "2s"],
    "template new": ["one.txt"],
    "template show": ["unit-3"],
    "template lint": ["one.txt"],
    "template diff": ["one.txt", "one.txt"],
    "config check": ["--config", "some.conf"],
    "config explain": ["store.url"],
}
SILENT = {"run", "conform", "bench", "store proofs", "budget"}  # nothing on stdout when called as above
FOREIGN = {"bench"}                   # hands its words on to another program
SLOW = {"demo"}                       # shown by cli/demo, too slow for every rule


class Bench:
    """A node with a packet, and each built command as the table names it."""

    def __init__(self):
        self.home = Home()
        self.n = 0
        with open(self.home.file("some.conf"), "w") as f:
            f.write("[log]\nlevel = info\n")
        with open(self.home.file("one.txt"), "w") as f:
            f.write("[template]\nname = one\nversion = 1\nabout = a rule\nmeasure = mean\n")
        self.fresh()
        with open(self.home.file("rows.csv"), "w") as f:
            f.write("effect,variance\n0.1,0.02\n0.3,0.05\n")
        with open(self.home.file("counts.csv"), "w") as f:
            f.write("a,b,c,d\n4,119,11,128\n")
        with open(self.home.file("packets.jsonl"), "w") as f:
            f.write(self.home("store", "export").out)
        table = json.loads(self.home("help", "--json").out)
        self.flags = table["flags"]
        self.errors = {e["code"]: e for e in table["errors"]}
        self.commands = {(c["name"] + " " + (c["noun"] or "")).strip(): c
                         for c in table["commands"] if c["exists"] and c["name"] not in SLOW}
        same(set(GOOD) - set(self.commands), set(), "rows that are gone")

    def fresh(self):
        self.posted = self.home("post", "a.b", "--text", "x", "--json").json()[0]["id"]
        self.packet = self.home("get", "id:" + self.posted, "--json").json()[0]["packet"]

    def words(self, title):
        """(argv, the exit code it ends with), anew for each call."""
        self.n += 1
        if title == "retract":
            self.fresh()
        if title == "init":
            self.home.shell("rm -rf other")
        words = GOOD.get(title, [])
        code = words[-1] if words and isinstance(words[-1], int) else 0
        fill = {"home": self.home.path, "n": self.n, "id": self.posted, "packet": self.packet}
        return title.split() + [w.format(**fill) for w in words if isinstance(w, str)], code

    def raw(self, argv, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        p = self.home.start(*argv, stderr=subprocess.PIPE, **more)
        out, err = p.communicate(timeout=PATIENCE)
        return Done(p.returncode, out or b"", err)


def errors_of(d):
    """Codes of the three-line errors on stderr; anything else must be a note or a log."""
    codes, lines = [], d.err.splitlines()
    while lines:
        line = lines.pop(0)
        found = re.fullmatch(r"error: .+ \[(E\d{3})\]", line)
        if found:
            expect(len(lines) >= 2, "an error of less than three lines", d.err)
            expect(re.fullmatch(r"  why: .+", lines.pop(0)), d.err)
            expect(re.fullmatch(r"  do:  .+", lines.pop(0)), d.err)
            codes.append(found.group(1))
        else:
            expect(re.match(r"note: |\{\"v\":1,\"kind\":\"log\"", line), "a stray line on stderr:", line)
    return codes


def objects(text, what):
    for line in text.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            raise Wrong(f"{what}: no JSON: {line[:200]}")
        expect(one.get("v") == 1 and one.get("kind"), what, "lacks v or kind:", line[:200])
        yield one


def judge(b, title, d, what):
    c = b.commands[title]
    expect(d.code in c["exits"], f"{title}, {what}: exit {d.code} is not in its row {c['exits']}: {d.err[:300]}")
    expect("\x1b" not in d.err + d.out, title, what, "coloured in a pipe")
    d.raw.decode() if isinstance(d.raw, bytes) else None
    codes = errors_of(d)
    if d.code >= 64 and d.code != 124 and title != "pkt lint":
        expect(codes, f"{title}, {what}: exit {d.code} without an error: {d.err[:300]}")
        expect(d.code in [b.errors[e]["exit"] for e in codes], title, what, d.code, codes)
    return codes


def stdout_is_data_and_each_call_ends_as_its_row_says():
    b = Bench()
    for title in b.commands:
        argv, code = b.words(title)
        d = b.raw(argv)
        same(d.code, code, f"{argv}: {d.err}")
        judge(b, title, d, "as it should be called")
        expect(d.out or title in SILENT, title, "printed nothing")
        expect("error:" not in d.out and "note:" not in d.out, title, d.out[:200])
    b.home.remove()


def json_is_json_in_every_line_of_both_streams():
    b = Bench()
    for title in b.commands:
        argv, code = b.words(title)
        d = b.raw(argv + ["--json"])
        same(d.code, code, f"{argv}: {d.err}")
        got = list(objects(d.out, title)) + list(objects(d.err, title))
        expect(got or title in FOREIGN, title, "printed nothing")
        if title in FOREIGN:
            continue
        d = b.raw(title.split() + ["--json", "--no-such-flag"])
        one = list(objects(d.err, title + " with a wrong flag"))
        same((d.code, d.out, len(one)), (64, "", 1), title)
        same(set(one[0]), {"v", "kind", "code", "what", "why", "do", "exit", "retriable"})
        same((one[0]["code"], one[0]["exit"]), ("E002", 64))
    b.home.remove()


def an_output_that_takes_nothing_is_never_silent():
    b = Bench()
    for title in b.commands:
        argv, code = b.words(title)
        for where in ("/dev/full", "/dev/null", None):
            argv, code = b.words(title)
            if where is None:  # closed
                d = b.raw(argv, preexec_fn=lambda: os.close(1), stdout=None)
            else:
                with open(where, "w") as f:
                    d = b.raw(argv, stdout=f)
            if where == "/dev/null" or title in SILENT:
                same(d.code, code, f"{argv} > {where}: {d.err}")
            else:
                same(d.code, 74 if code <= 1 else code, f"{argv} > {where}: {d.err}")
                same(errors_of(d).count("E034"), 1, f"{argv} > {where}: {d.err}")
        argv, code = b.words(title)  # a reader that went away
        r, w = os.pipe()
        os.close(r)
        d = b.raw(argv, stdout=w)
        os.close(w)
        expect(title in SILENT or (d.code, d.err) == (-signal.SIGPIPE, ""), argv, d.code, d.err)
    b.home.remove()


def closed_standard_files_are_survived():
    b = Bench()
    for title in b.commands:
        argv, code = b.words(title)
        p = b.home.start(*argv, stdout=subprocess.PIPE, preexec_fn=lambda: (os.close(0), os.close(2)))
        out = p.communicate(timeout=PATIENCE)[0]
        same(p.returncode, code, argv)
    same(b.home("store", "check").code, 0, "nothing was written into the store")
    b.home.remove()


STRANGE = {
    "an unknown flag": ["--nonsense"], "an empty argument": [""], "no UTF-8": [b"\xff\xfe\x80"],
    "a very long argument": ["x" * 100000], "over 64 arguments": ["x"] * 70,
    "a flag without its value": ["--color"], "a value outside its words": ["--color", "pink"],
    "no truth value": ["--json=perhaps"], "a flag without a name": ["--=x"], "an empty flag": ["--store="],
    "half a format": ["--format", "{"], "an escape": ["\x1b[31mred"], "C1 as UTF-8": ["\u009b31m"],
    "a number where none stands": ["-5"], "only the end of flags": ["--"], "the end twice": ["--", "--"],
    "a flag behind the end": ["--", "--json"], "a flag twice": ["--json", "--json"],
}


def strange_words_are_told_in_three_lines():
    b = Bench()
    for title in b.commands:
        if title in FOREIGN:
            continue
        for what, extra in STRANGE.items():
            argv, code = b.words(title)
            d = b.raw([os.fsencode(a) if isinstance(a, str) else a for a in argv + extra])
            if what == "a flag twice":
                same(d.code, code, f"{title}, {what}: {d.err}")
                continue
            expect(d.code >= 0, title, what, "ended by signal", d.code)
            codes = judge(b, title, d, what)
            expect(len(codes) <= 1, title, what, "told it twice:", d.err[:300])
            expect(all(len(line) < 1400 for line in d.err.splitlines()), title, what, "a line too long")
            expect("\ufffd" not in d.err, title, what, "stderr is no UTF-8")
            if what in ("an unknown flag", "a flag without its value", "a value outside its words",
                        "no truth value", "a flag without a name", "over 64 arguments"):
                expect(d.code == 64 and d.out == "", title, what, d.code, d.out[:100])
    b.home.remove()


def each_flag_is_taken_in_both_spellings_and_with_a_hint():
    """--flag=value, --flag value, --no-flag; a value it does not take; a slip of the pen."""
    b = Bench()
    for title in b.commands:
        if title in FOREIGN:
            continue
        argv, _ = b.words(title)
        own = b.commands[title]["flags"]
        for f in own + b.flags:
            flag = f["flag"]
            name = flag.lstrip("-")
            if flag in ("--help", "-h"):
                continue
            if flag.startswith("--") and f["type"] != "text":
                d = b.raw(title.split() + [flag + "=\x01"])
                same((d.code, errors_of(d)), (64, ["E003"]), f"{title} {flag}: {d.err}")
            if f["type"] != "bool":
                d = b.raw(title.split() + [flag])
                same((d.code, errors_of(d)), (64, ["E003"]), f"{title} {flag} at the end: {d.err}")
            if len(name) > 4:
                wrong = name[:2] + name[3:]
                if wrong in [g["name"] for g in own + b.flags]:
                    continue
                d = b.raw(title.split() + ["--" + wrong])
                same(d.code, 64, f"{title} --{wrong}")
                expect("did you mean --" in d.err, title, "--" + wrong, d.err)
    b.home.remove()


def a_misspelt_command_is_answered_with_the_nearest():
    b = Bench()
    for title in b.commands:
        words = title.split()
        last = words[-1]
        if len(last) < 4 or " ".join(words[:-1]) in b.commands:  # which takes it for an argument
            continue
        for wrong in (last[:1] + last[2:], last[0] + last[2] + last[1] + last[3:], last + "s"):
            if " ".join(words[:-1] + [wrong]) in b.commands:
                continue
            d = b.raw(words[:-1] + [wrong])
            same((d.code, errors_of(d)), (64, ["E001"]), d.err)
            expect(f"did you mean: kith {title.split()[0] if len(words) == 1 else title}?" in d.err
                   or "did you mean: kith " in d.err, wrong, d.err)
    b.home.remove()


def interrupted_it_ends_as_its_row_says():
    """A command that waits for its input, or for packets, and gets a signal."""
    b = Bench()
    for argv, sig, codes in ((["post", "a.b", "-"], signal.SIGINT, {-2}), (["follow", ">"], signal.SIGINT, {0}),
                             (["follow", ">"], signal.SIGTERM, {0}), (["run"], signal.SIGTERM, {0}),
                             (["run"], signal.SIGINT, {0}), (["pkt", "decode", "-"], signal.SIGTERM, {-15})):
        p = b.home.start(*argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_asleep(p.pid)
        p.send_signal(sig)
        out, err = p.communicate(timeout=PATIENCE)
        expect(p.returncode in codes, argv, sig, p.returncode, err)
        expect(b"error" not in err, argv, err)
    same(b.home("store", "check").code, 0)
    b.home.remove()


if __name__ == "__main__":
    main([stdout_is_data_and_each_call_ends_as_its_row_says, json_is_json_in_every_line_of_both_streams,
          an_output_that_takes_nothing_is_never_silent, closed_standard_files_are_survived,
          strange_words_are_told_in_three_lines, each_flag_is_taken_in_both_spellings_and_with_a_hint,
          a_misspelt_command_is_answered_with_the_nearest, interrupted_it_ends_as_its_row_says])
