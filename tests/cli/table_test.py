# SPDX-License-Identifier: Apache-2.0
"""The command table and everything that is made from it say the same."""
import json, os, re
from harness import *

TABLE = None


def table():
    global TABLE
    if TABLE is None:
        home = Home(init=False)
        TABLE = json.loads(home("help", "--json").out)
        home.remove()
    return TABLE


def title(c):
    return c["name"] + (" " + c["noun"] if c["noun"] else "")


def built():
    return [c for c in table()["commands"] if c["exists"]]


def every_command_is_complete():
    for c in table()["commands"]:
        expect(c["summary"] and len(c["summary"]) <= 80, title(c), "has no short summary")
        expect(c["class"] in ("RO", "RW", "DANGER"), title(c))
    for c in built():
        expect(0 in c["exits"] and 64 in c["exits"], title(c), "lacks the exit codes 0 and 64")
        expect(c["examples"] or c["name"] in ("demo", "conform", "bench"), title(c), "has no example")


def every_exit_code_has_words():
    home = Home(init=False)
    words = {int(line.split()[0]) for line in home("help", "exits").out.splitlines()}
    for c in table()["commands"]:
        expect(set(c["exits"]) <= words, title(c), "has an exit code without words")
    for e in table()["errors"]:
        expect(e["exit"] in words and e["exit"] != 0, e["code"])
    home.remove()


def help_is_one_screen():
    home = Home(init=False)
    for d in (home("help"), home("--help"), home()):
        same(d.code, 0)
        lines = d.out.splitlines()
        expect(len(lines) <= 24, "help has", len(lines), "lines")
        expect(all(len(line) <= 80 for line in lines), "a line is wider than 80:",
               [line for line in lines if len(line) > 80])
        for c in built():
            expect(re.search(r"\b%s\b" % c["name"], d.out), c["name"], "is not in help")
    home.remove()


def every_flag_is_in_every_form():
    home = Home(init=False)
    reference = home("help", "--markdown").out
    for c in built():
        pages = [home("help", *title(c).split()).out, home(*title(c).split(), "--help").out]
        same(pages[0], pages[1], title(c) + " --help")
        for flag in c["flags"] + table()["flags"]:
            for text in pages:
                expect(re.search(re.escape(flag["flag"]) + r"\b", text), flag["flag"], "is not in", title(c))
            expect("`" + flag["flag"] in reference, flag["flag"], "is not in the reference")
        for e in c["examples"]:
            expect(e["line"] in pages[0], e["line"])
        for code in c["exits"]:
            expect(re.search(r"^ +%d " % code, pages[0], re.M), title(c), "does not show exit", code)
    home.remove()


def flags_are_named_well():
    for c in built():
        names = [f["name"] for f in c["flags"]]
        same(len(names), len(set(names)), title(c) + " names a flag twice")
        for name in names:
            expect(re.fullmatch(r"[a-zW]|[a-z][a-z-]+", name), name)
            expect(name not in [f["name"] for f in table()["flags"]], title(c), "hides", name)


def the_committed_reference_is_the_generated_one():
    home = Home(init=False)
    with open(os.path.join(SOURCE, "docs", "cli.md")) as f:
        expect(f.read() == home("help", "--markdown").out, "docs/cli.md is old; make it with: kith help --markdown")
    home.remove()


def every_example_runs():
    home = Home()
    for c in built():
        for e in c["examples"]:
            if e["exit"] < 0:
                continue
            d = home.shell(e["line"])
            expect(d.code == e["exit"], f"{e['line']}: exit {d.code}, expected {e['exit']}\n{d.out}{d.err}")
            expect(d.code in c["exits"], e["line"], "ends with a code that its row lacks")
    home.remove()


def every_error_has_help():
    home = Home(init=False)
    for e in table()["errors"]:
        d = home("help", e["code"])
        same(d.code, 0)
        for part in ("what", "why", "do"):
            expect(e[part] and e[part] in d.out, e["code"], part)
    home.remove()


def wrong_words_are_answered_with_the_right_ones():
    home = Home(init=False)
    for wrong, right in (("pub", "post"), ("sub", "follow"), ("query", "ask"), ("transport", "carriers"),
                         ("hz", "rate"), ("bw", "rate"), ("explain", "why"), ("psot", "post"),
                         ("folow", "follow"), ("carier", "carriers")):
        d = home(wrong)
        same(d.code, 64)
        expect(f"kith {right}?" in d.err, wrong, d.err)
    d = home("store", "stats")
    expect("kith store stat?" in d.err, d.err)
    d = home("post", "a.b", "--efect", "1")
    expect("--effect?" in d.err, d.err)
    d = home("config", "explain", "store.ulr")
    expect("store.url?" in d.err, d.err)
    home.remove()


def golden_screens_are_as_committed():
    home = Home(init=False)
    renew = os.environ.get("KITH_RENEW_GOLDEN")
    cases = {
        "help.txt": home("help").out,
        "help_80.txt": home.terminal("help").out,
        "help_40.txt": home.terminal("help", columns=40).out,
        "post_80.txt": home.terminal("help", "post").out,
        "post_200.txt": home.terminal("help", "post", columns=200).out,
        "error.txt": home("psot").err,
        "error_json.txt": home("psot", "--json").err,
        "error_color.txt": home.terminal("psot").out,
        "addr.txt": home("addr", "iot.hvac.energy-anomaly").out,
        "addr_json.txt": home("addr", "iot.hvac.energy-anomaly", "--json").out,
        "addr_80.txt": home.terminal("addr", "iot.hvac").out,
        "size.txt": home("pkt", "size", "a.b", "--effect", "1", "--se", "0.1", "-n", "5").out,
        "explain.txt": home("config", "explain", "signal.window").out,
    }
    for name, got in cases.items():
        path = os.path.join(SOURCE, "tests", "cli", "golden", name)
        if renew:
            with open(path, "w") as f:
                f.write(got)
        with open(path) as f:
            same(got, f.read(), name + " (if it is meant so: KITH_RENEW_GOLDEN=1)")
    home.remove()


def colour_obeys_its_rules():
    home = Home(init=False)
    red = "\x1b["
    expect(red in home.terminal("psot").out, "a terminal")
    expect(red not in home.terminal("psot", env={"NO_COLOR": "1"}).out, "NO_COLOR")
    expect(red in home.terminal("psot", env={"NO_COLOR": ""}).out, "an empty NO_COLOR says nothing")
    expect(red not in home.terminal("psot", env={"TERM": "dumb"}).out, "TERM=dumb")
    expect(red not in home("psot").err, "a pipe")
    expect(red in home("psot", env={"FORCE_COLOR": "1"}).err, "FORCE_COLOR")
    expect(red not in home("psot", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).err, "NO_COLOR wins")
    expect(red in home("psot", "--color=always", env={"NO_COLOR": "1"}).err, "--color wins")
    expect(red not in home.terminal("psot", "--color", "never").out, "never")
    home.remove()


def version_is_told():
    home = Home(init=False)
    same(home("--version").out, "kith %s\n" % table()["version"])
    same(home("version", "--json").json()[0]["version"], table()["version"])
    home.remove()


def a_program_on_path_is_a_command():
    home = Home(init=False)
    with open(home.file("kith-hello"), "w") as f:
        f.write("#!/bin/sh\necho hello \"$@\"\n")
    os.chmod(home.file("kith-hello"), 0o755)
    path = {"PATH": home.path + ":" + home.env["PATH"]}
    same(home("hello", "you", env=path).out, "hello you\n")
    os.rename(home.file("kith-hello"), home.file("kith-version"))
    expect("hello" not in home("version", env=path).out, "built-in commands win")
    home.remove()


def bench_hands_its_words_on():
    import shutil
    home = Home(init=False)
    shutil.copy(KITH, home.file("kith"))
    with open(home.file("kith-bench"), "w") as f:
        f.write("#!/bin/sh\necho \"$@\"\nexit 7\n")
    os.chmod(home.file("kith-bench"), 0o755)
    d = home("bench", "--quick", "-x", "mem", "--out", "f", "--json", program=home.file("kith"))
    same((d.code, d.out), (7, "--quick -x mem --out f --json\n"))
    home.remove()


main([every_command_is_complete, every_exit_code_has_words, help_is_one_screen, every_flag_is_in_every_form,
      flags_are_named_well, the_committed_reference_is_the_generated_one, every_example_runs,
      every_error_has_help, wrong_words_are_answered_with_the_right_ones, golden_screens_are_as_committed,
      colour_obeys_its_rules, version_is_told, a_program_on_path_is_a_command,
      bench_hands_its_words_on])
