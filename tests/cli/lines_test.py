# SPDX-License-Identifier: Apache-2.0
"""post SUBJECT -: a line that is wrong is named and costs only itself."""
import json, os, random, signal, subprocess
from harness import *

GOOD = b'{"effect":0.1,"se":0.1,"n":9}'
DEEP = b'{"near":' + b"[" * 30000 + b"]" * 30000 + b"}"

# name: (the line, the code or None, what the reason says)
LINES = {
    "cut short": (b'{"effect":', "E021", "end of line"),
    "trailing text": (GOOD + b" x", "E021", "column"),
    "an unknown key": (b'{"efect":1,"se":1,"n":2}', "E021", "did you mean effect?"),
    "a key that is far from any": (b'{"subject":"x.y","text":"x"}', "E021", "no such key: subject"),
    "an empty key": (b'{"":1}', "E021", "no such key"),
    "a key twice": (b'{"effect":1,"effect":2,"se":1,"n":2}', "E021", "duplicate"),
    "words for a number": (b'{"effect":"abc","se":1,"n":3}', "E021", "effect=abc"),
    "truth for a number": (b'{"effect":true,"se":1,"n":3}', "E021", "effect takes a number"),
    "a list for a number": (b'{"effect":[1],"se":1,"n":3}', "E021", "effect takes a number"),
    "an object for a number": (b'{"effect":{},"se":1,"n":3}', "E021", "effect takes a number"),
    "a number for a text": (b'{"text":5}', "E021", "text takes a text"),
    "words in near": (b'{"text":"x","near":["a"]}', "E021", "near"),
    "a number as text": (b'{"effect":"0.5","se":1,"n":3}', None, ""),
    "NaN": (b'{"effect":NaN,"se":1,"n":2}', "E021", "NaN"),
    "infinity": (b'{"effect":1e999,"se":1,"n":2}', "E021", "overflow"),
    "a huge number": (b'{"effect":1e300,"se":1,"n":2}', "E021", "effect="),
    "a huge whole number": (b'{"effect":1,"se":1,"n":99999999999999999999}', "E021", "too big"),
    "half an observation": (b'{"effect":1,"se":1,"n":2.5}', "E021", "n=2.5"),
    "no observation": (b'{"effect":1,"se":1,"n":0}', "E021", "n=0"),
    "no error": (b'{"effect":1,"se":0,"n":2}', "E022", "se is 0"),
    "an error below zero": (b'{"effect":1,"se":-1,"n":2}', "E021", "se=-1"),
    "an error too small": (b'{"effect":1,"se":1e-9,"n":2}', "E023", "million times"),
    "more hits than tries": (b'{"hits":5,"tries":2}', "E022", "hits"),
    "no evidence": (b"{}", "E021", "no evidence"),
    "a control character": (b'{"text":"a\\u001b[31m"}', "E022", "control"),
    "a zero byte": (b'{"text":"a\0b"}', "E021", "zero byte"),
    "a zero byte at the end": (GOOD + b"\0", "E021", "zero byte"),
    "an escaped zero": (b'{"text":"a\\u0000b"}', "E021", "0000"),
    "no UTF-8": (b'{"text":"\xff"}', "E021", "0xff"),
    "half a surrogate": (b'{"text":"\\ud800"}', "E021", "Unicode"),
    "a long text": (json.dumps({"text": "x" * 161}).encode(), "E021", "161 bytes"),
    "a megabyte": (b'{"text":"' + b"x" * 1000000 + b'"}', "E021", "65536"),
    "depth": (DEEP, "E021", "depth"),
    "a list": (b"[1]", "E021", "no JSON object"), "a number": (b"5", "E021", "no JSON object"),
    "null": (b"null", "E021", "no JSON object"),
    "a time without meaning": (b'{"text":"x","at":"yesterday"}', "E022", "at=yesterday"),
    "a time to come": (b'{"text":"x","at":"2099-01-01T00:00:00Z"}', "E022", "ahead"),
    "carriage return": (GOOD + b"\r", None, ""), "blanks behind": (GOOD + b" \t", None, ""),
    "nothing": (b"", "", ""), "blanks": (b" \t ", "", ""), "only a carriage return": (b"\r", "", ""),
    "a byte order mark in the middle": (b"\xef\xbb\xbf" + GOOD, "E021", "column 1"),
}


def a_bad_line_is_named_and_costs_only_itself():
    h = Home()
    sent = 0
    for what, (line, code, says) in LINES.items():
        d = h("post", "a.b", "-", "--json", stdin=GOOD + b"\n" + line + b"\n" + GOOD)
        told = [json.loads(e) for e in d.err.splitlines()]
        same([p["line"] for p in d.json()], ["1", "2", "3"] if code is None else ["1", "3"], what)
        sent += len(d.json())
        if code:
            same((d.code, len(told)), (65, 1), f"{what}: {d.err[:300]}")
            same(told[0]["code"], code, f"{what}: {d.err[:300]}")
            expect("line 2" in told[0]["what"], what, told[0]["what"])
            expect(says in told[0]["why"], what, ":", told[0]["why"])
        else:
            same((d.code, told), (0, []), what)
    same(len(h("get", "a.b", "--last", "0", "--json").json()), sent, "each printed line is stored, none twice")
    h.remove()


def the_first_line_may_begin_with_a_mark_and_the_last_end_without_newline():
    h = Home()
    d = h("post", "a.b", "-", "--json", stdin=b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n" + GOOD)
    same((d.code, [p["line"] for p in d.json()]), (0, ["1", "3"]), d.err)
    for text in (b"", b"\n", b"\n\n\n", b"\xef\xbb\xbf"):
        same((h("post", "a.b", "-", stdin=text).code, h("post", "a.b", "-", stdin=text).out), (0, ""))
    h.remove()


def a_line_is_answered_before_the_next_is_sent():
    h = Home()
    p = h.start("post", "a.b", "-", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for n in range(1, 6):
        p.stdin.write(GOOD + b"\n")
        p.stdin.flush()
        one = json.loads(p.stdout.readline())
        same(one["line"], str(n))
        have = h("get", "id:" + one["id"], "--json").json()
        same(len(have), 1, "it is in the store already")
    p.stdin.close()
    p.stdout.close()
    same(p.wait(), 0)
    h.remove()


def d2_what_was_printed_survives_a_kill():
    h = Home()
    dice = random.Random(5)
    printed = []
    for trial in range(12):
        p = h.start("post", "a.b", "-", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL)
        stop = dice.randrange(1, 3000)
        if os.fork() == 0:  # feeds it until it is gone
            try:
                for _ in range(100):
                    os.write(p.stdin.fileno(), (GOOD + b"\n") * 50)
            finally:
                os._exit(0)
        p.stdin.close()
        mine = []
        for line in p.stdout:
            if line.endswith(b"}\n"):
                mine.append(json.loads(line)["id"])
            if len(mine) == stop:
                p.send_signal(signal.SIGKILL)
        p.stdout.close()
        p.wait()
        os.wait()
        printed += mine
    have = [one["id"] for one in h("get", "a.b", "--last", "4294967295", "--json").json()]
    expect(len(have) == len(set(have)), "an id twice")
    expect(len(printed) == len(set(printed)) and not set(printed) - set(have), "lost", len(set(printed) - set(have)))
    print(f"# {len(printed)} printed, 0 lost; {len(have)} stored, 0 twice")
    same(h("store", "check").code, 0)
    h.remove()


def last_takes_whole_numbers_and_nothing_else():
    h = Home()
    h("post", "a.b", "-", stdin=(GOOD + b"\n") * 60)
    for text, count in (("0", 60), ("1", 1), ("59", 59), ("60", 60), ("61", 60), ("4294967295", 60)):
        same(len(h("get", "a.b", "--last", text, "--json").json()), count, text)
    same(len(h("get", "a.b", "--json").json()), 50, "the preset")
    for text in ("-1", "1e30", "x", "", "1.5", " 5", "+5", "0x10", "4294967296", "99999999999999999999", "NaN"):
        d = h("get", "a.b", "--last", text, "--json")
        same((d.code, d.out, json.loads(d.err)["code"]), (64, "", "E003"), text)
    h.remove()


main([a_bad_line_is_named_and_costs_only_itself,
      the_first_line_may_begin_with_a_mark_and_the_last_end_without_newline,
      a_line_is_answered_before_the_next_is_sent, d2_what_was_printed_survives_a_kill,
      last_takes_whole_numbers_and_nothing_else])
