# SPDX-License-Identifier: Apache-2.0
"""Every error code is provoked, has its three lines and its exit code."""
import ctypes, hashlib, json, os, shutil, sqlite3
from harness import *

SEEN = {}
# What no command line can bring about: E024, because one component, a full
# subject, text and context still fit 512 bytes; E070 and E071 are for faults of
# our own and for a machine without memory.
NOT_BY_HAND = {"E024", "E070", "E071"}


def provoke(code, home, *args, **more):
    d = home(*args, **more)
    lines = d.err.splitlines()
    at = [i for i, line in enumerate(lines) if line.endswith("[%s]" % code)]
    expect(at, f"{args}: no {code} in {d.err!r} (exit {d.code})")
    expect(lines[at[0]].startswith("error: "), lines)
    expect(lines[at[0] + 1].startswith("  why: ") and len(lines[at[0] + 1]) > 8, lines)
    expect(lines[at[0] + 2].startswith("  do:  ") and len(lines[at[0] + 2]) > 8, lines)
    expect("{}" not in d.err, "an unfilled place in", d.err)
    want = {e["code"]: e["exit"] for e in json.loads(home("help", "--json").out)["errors"]}[code]
    same(d.code, want, f"exit code of {args}")
    SEEN[code] = SEEN.get(code, 0) + 1
    return d


def usage():
    h = Home()
    provoke("E001", h, "psot")
    provoke("E001", h, "store", "stats")
    provoke("E002", h, "post", "a.b", "--efect", "1")
    provoke("E002", h, "--loud")
    provoke("E003", h, "get", "a.b", "--last", "x")
    provoke("E003", h, "get", "a.b", "--last")
    provoke("E003", h, "get", "a.b", "--since", "yesterday")
    provoke("E003", h, "post", "a.b", "--json=maybe", "--text", "x")
    provoke("E004", h, "post")
    provoke("E004", h, "store")
    provoke("E004", h, "get", "a", "b")
    provoke("E005", h, "post", "a.b", "--effect", "1")
    provoke("E005", h, "post", "a.b")
    provoke("E005", h, "post", "a.b", "--effect", "1", "--se", "1", "--hits", "1", "--tries", "2")
    for subject in ("A.b", "a..b", "", ".", "a b", "a.*", ">", "a.b.c.d.e.f.g.h.i", "x" * 129, "../../etc"):
        provoke("E006", h, "post", subject, "--text", "x")
    for pattern in ("a.>.b", "a*", "", "a.**"):
        provoke("E006", h, "get", pattern)
    provoke("E007", h, "status")
    provoke("E008", h, "version", "--format", "{nope}")
    provoke("E008", h, "version", "--format", "{version")
    provoke("E009", h, "help", "nonsense")
    provoke("E009", h, "help", "E999")
    provoke("E018", h, "config", "explain", "no.such")
    h.remove()


def configuration():
    h = Home(init=False)
    provoke("E012", h, "post", "a.b", "--text", "x")
    provoke("E035", h, "get", "a.b")
    same(h("init").code, 0)
    provoke("E015", h, "init")
    h.configure("[store]\nulr = x\n")
    d = provoke("E010", h, "get", "a.b")
    expect("kith.conf:2" in d.err and "url" in d.err, d.err)
    h.configure("")
    provoke("E011", h, "get", "a.b", "--config", "/nope/kith.conf")
    provoke("E011", h, "get", "a.b", "--project")
    provoke("E017", h, "get", "a.b", env={"KITH_LOG_LEVEL": "loud"})
    provoke("E016", h, "init", "--store", "/dev/null/x/store.db", "--key", h.file("k2"))
    os.chmod(h.key, 0o644)
    provoke("E013", h, "post", "a.b", "--text", "x")
    os.chmod(h.key, 0o600)
    os.rename(h.key, h.file("real"))
    os.symlink(h.file("real"), h.key)
    provoke("E013", h, "post", "a.b", "--text", "x")
    os.unlink(h.key)
    with open(h.file("real"), "rb") as f:
        good = f.read()
    fd = os.open(h.key, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, good[:-9] + b"00000000\n")
    os.close(fd)
    provoke("E014", h, "post", "a.b", "--text", "x")
    h.remove()


def data():
    h = Home()
    provoke("E020", h, "pkt", "decode", "0102")
    provoke("E020", h, "store", "import", "-", stdin="zz\n")
    for line in ("xx", "[]", "1", '{"efect":1}', '{"effect":"x","se":1}', '{"effect":{}}', '{"effect":1,"effect":2}',
                 '{"effect":1e999,"se":1}', '{"effect":NaN,"se":1}', '{"n":4294967296,"text":"x"}', '{"text":5}',
                 '{"text":"a\\u0000b"}', '{"text":"\\ud800"}', '{"near":[[1]],"text":"x"}', '{"effect":1}',
                 "{" * 3000, '"' + "x" * 70000 + '"'):
        d = provoke("E021", h, "post", "a.b", "-", stdin=line + "\n")
        expect("line 1" in d.err, d.err)
    provoke("E022", h, "post", "a.b", "--hits", "3", "--tries", "2")
    provoke("E022", h, "post", "a.b", "--effect", "1", "--se", "1", "--near", "0.5,2")
    provoke("E022", h, "post", "a.b", "--text", "x", "--at", "soon")
    provoke("E022", h, "post", "a.b", "--text", "bell \a")
    d = provoke("E023", h, "post", "a.b", "--effect", "5000", "--se", "1")
    expect("--unit" in d.err, d.err)
    provoke("E025", h, "post", "a.b", "--samples", "-", stdin="1\nx\n")
    provoke("E025", h, "post", "a.b", "--samples", "-", stdin="1\n")
    provoke("E025", h, "post", "a.b", "--samples", "-", stdin="nan\n1\n")
    provoke("E026", h, "post", "a.b", "--samples", "/nope")
    provoke("E052", h, "post", "a.b", "--text", "at 14:05")
    provoke("E051", h, "post", "--private", "a.b", "--samples", "-", "--lower", "0", "--upper", "9", "--rho", "1",
            stdin="1\n" * 20)
    provoke("E029", h, "pool", stdin="effect,variance\n1,0\n")
    provoke("E027", h, "get", "id:zz")
    provoke("E027", h, "retract", "12")
    one = "[template]\nname = one\nversion = 1\nmeasure = mean\n[dimension x]\ntransform = linear 0 1\n"
    provoke("E053", h, "template", "show", "nobody")
    provoke("E053", h, "post", "a.b", "--text", "x", "--template", "nobody")
    for text, where in ((one + "colour = red\n", "line 7"), ("", "name"), (one + "[dimension x]\n", "line 7")):
        d = provoke("E054", h, "template", "new", "-", stdin=text)
        expect(where in d.err, d.err)
    same(h("template", "new", "-", stdin=one).code, 0)
    same(h("template", "new", "-", stdin=one.replace(" = ", "=")).code, 0, "the same again")
    provoke("E055", h, "template", "new", "-", stdin=one + "[dimension y]\ntransform = linear 0 1\n")
    provoke("E022", h, "post", "a.b", "--effect", "1", "--se", "1", "--template", "one", "--near", "2")
    provoke("E022", h, "post", "a.b", "--effect", "1", "--se", "1", "--template", "one")
    provoke("E005", h, "post", "a.b", "--effect", "1", "--se", "1", "--template", "one", "--near", "1", "--unit", "2")
    provoke("E003", h, "ask", "a.b", "--template", "one", "--near", "2", "--store", "memory:")
    provoke("E005", h, "addr", "a.b", "--near", "1")
    provoke("E050", h, "get", "no.such")
    provoke("E050", h, "ask", "no.such")
    provoke("E050", h, "carriers", "pigeon")
    h.remove()


def someone_elses():
    a, b = Home(), Home()
    stick = "dir://" + a.file("stick")
    os.mkdir(a.file("stick"))
    posted = a("post", "a.b", "--text", "mine", "--json").json()[0]["id"]
    same(a("sync", stick).code, 0)
    same(b("sync", stick).code, 0)
    provoke("E028", b, "retract", posted)
    a.remove()
    b.remove()


def the_store():
    h = Home()
    lines = "".join('{"hits":1,"tries":2,"text":"%s"}\n' % ("x" * 150) for _ in range(6000))
    provoke("E030", h, "post", "a.b", "-", "--store", "sqlite:" + h.store + "?max_bytes=1M", stdin=lines)
    h.remove()
    h = Home()
    same(h("post", "a.b", "--text", "x").code, 0)
    full = h.start("get", "a.b", stdout=open("/dev/full", "w"), stderr=-1)
    err = full.communicate()[1].decode()
    expect("[E034]" in err and full.returncode == 74, err)
    SEEN["E034"] = 1
    h.remove()
    h = Home()
    with open(h.store, "r+b") as f:
        size = os.path.getsize(h.store)
        f.seek(0)
        f.write(b"\xff" * 100)
    os.chmod(os.path.dirname(h.store), 0o700)
    d = h("store", "check")
    expect(d.code == 74 and "[E032]" in d.err, d.err)
    SEEN["E032"] = 1
    h.remove()


def a_store_that_is_busy():
    h = Home()
    lock = sqlite3.connect(h.store, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    provoke("E031", h, "post", "a.b", "--text", "x")
    lock.execute("ROLLBACK")
    same(h("post", "a.b", "--text", "x").code, 0)
    h.remove()


def without_rights():
    """Root obeys the bits of a folder like anybody else: no DAC_OVERRIDE after exec."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def a_store_that_may_only_be_read():
    h = Home()
    same(h("post", "a.b", "--effect", "1", "--se", "0.2", "-n", "20").code, 0)
    asked = h("ask", "a.b").code
    folder = os.path.dirname(h.store)

    def shot():
        return [(n, hashlib.sha256(open(os.path.join(folder, n), "rb").read()).hexdigest())
                for n in sorted(os.listdir(folder))]

    before = shot()
    os.chmod(folder, 0o555)
    for args in (("post", "a.b", "--text", "x"), ("store", "prune"), ("post", "a.b", "-")):
        provoke("E036", h, *args, stdin='{"text":"x"}\n', before=without_rights)
    for args in (("get", "a.b"), ("why", "a.b"), ("store", "stat"), ("store", "check"),
                 ("store", "backup", h.file("copy.db"))):
        d = h(*args, before=without_rights)
        expect(d.code == 0 and d.err == "", args, d.code, d.err)
    same(h("ask", "a.b", before=without_rights).code, asked)
    os.chmod(folder, 0o700)
    same(shot(), before, "the folder's files")
    h.remove()


def a_store_of_a_newer_kith():
    h = Home(init=False)
    db = sqlite3.connect(h.file("new.db"), isolation_level=None)
    db.executescript("PRAGMA page_size = 8192; CREATE TABLE a(x); PRAGMA application_id = 0x6b697468;"
                     "PRAGMA user_version = 9")
    db.close()
    for args in (("get", "a.b"), ("store", "stat"), ("store", "check")):
        d = provoke("E033", h, *args, "--store", "sqlite:" + h.file("new.db"))
        expect("made by a newer kith: its schema is 9" in d.err, d.err)
    h.remove()


def carriers():
    h = Home()
    provoke("E040", h, "sync", "zmqq://x")
    provoke("E040", h, "sync", "nothing")
    provoke("E041", h, "sync", "dir:///proc/nope", "-W", "300ms")
    os.mkdir(h.file("stick"))
    provoke("E042", h, "sync", "dir://" + h.file("stick"), "-W", "100ms")
    provoke("E043", h, "post", "a.b", "--text", "x", "--wait", "disk")
    provoke("E044", h, "post", "a.b", "--text", "x", "--wait", "replicated", "-W", "300ms", "--carrier",
            "dir://" + h.file("stick"))
    h.remove()


def programs():
    h = Home(init=False)
    mine = h.file("kith")
    shutil.copy(KITH, mine)
    provoke("E080", h, "bench", program=mine)
    with open(h.file("kith-bench"), "w") as f:
        f.write("\0 no program")
    os.chmod(h.file("kith-bench"), 0o755)
    provoke("E060", h, "bench", program=mine)
    h.remove()


def json_errors_say_the_same():
    h = Home(init=False)
    for args, code in ((("psot", "--json"), "E001"), (("post", "a.b", "--text", "x", "--json"), "E012")):
        d = h(*args)
        e = json.loads(d.err)
        same((e["v"], e["kind"], e["code"], e["exit"]), (1, "error", code, d.code))
        expect(e["what"] and e["why"] and e["do"] and e["retriable"] in (True, False), e)
        same(d.out, "", "stdout of a failure")
    h.remove()


def every_code_was_provoked():
    h = Home(init=False)
    codes = {e["code"] for e in json.loads(h("help", "--json").out)["errors"]}
    same(sorted(codes - set(SEEN) - NOT_BY_HAND), [], "never provoked")
    same(sorted(NOT_BY_HAND & set(SEEN)), [], "provoked after all")
    h.remove()


main([usage, configuration, data, someone_elses, the_store, a_store_that_is_busy,
      a_store_that_may_only_be_read, a_store_of_a_newer_kith, carriers, programs,
      json_errors_say_the_same, every_code_was_provoked])
