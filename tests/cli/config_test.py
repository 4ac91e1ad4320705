# SPDX-License-Identifier: Apache-2.0
"""Settings: what wins, where it came from, and what a file may not say."""
import os, re
from harness import *


def value(home, key, *args, **more):
    d = home("config", "show", key, "--json", *args, **more)
    expect(d.code == 0, d.err)
    one = d.json()[0]
    return one["value"], one["origin"]


def later_layers_win_and_say_so():
    h = Home()
    h.configure("[log]\nlevel = error\nform = json\n")
    with open(h.file("kith.conf"), "w") as f:
        f.write("[log]\nlevel = debug\n")
    user = h.file(".config", "kith", "kith.conf")
    same(value(h, "log.level"), ("error", user + ":2"), "the user's file")
    same(value(h, "log.form"), ("json", user + ":3"))
    same(value(h, "log.level", "--project"), ("debug", "kith.conf:2"), "--project")
    same(value(h, "log.level", "--project", env={"KITH_LOG_LEVEL": "info"}), ("info", "KITH_LOG_LEVEL"))
    same(value(h, "store.url", env={"KITH_STORE_URL": "/a"}), ("/a", "KITH_STORE_URL"))
    same(value(h, "store.url", "--store", "/b", env={"KITH_STORE_URL": "/a"}), ("/b", "--store"), "a flag")
    same(value(h, "node.relay"), ("no", "preset"))
    with open(h.file("only.conf"), "w") as f:
        f.write("[node]\nrelay = yes\n")
    same(value(h, "log.level", "--config", h.file("only.conf")), ("info", "preset"), "--config reads no other file")
    h.remove()


def the_working_directory_is_not_read_unasked():
    h = Home()
    with open(h.file("kith.conf"), "w") as f:
        f.write("[nonsense]\nx = y\n")
    same(h("config", "check").code, 0)
    same(h("config", "check", "--project").code, 78)
    h.remove()


def named_sections_come_from_files_and_environment():
    h = Home()
    h.configure("[carrier stick]\nurl = dir:///a\n[dir]\npoll = 3s\n")
    same(value(h, "carrier stick.url")[0], "dir:///a")
    same(value(h, "carrier stick.url", env={"KITH_CARRIER_STICK_URL": "dir:///b"}), ("dir:///b", "KITH_CARRIER_STICK_URL"))
    same(value(h, "carrier usb.url", env={"KITH_CARRIER_USB_URL": "dir:///c"})[0], "dir:///c")
    same(value(h, "dir.poll", env={"KITH_DIR_POLL": "4s"}), ("4s", "KITH_DIR_POLL"))
    same(value(h, "dir.poll")[0], "3s")
    h.remove()


BAD = {
    "over 190 bytes": ("[log]\n# " + "x" * 200 + "\n", 2),
    "first column": ("[log]\nlevel = info\n  form = json\n", 3),
    "first column ": ("[log]\nlevel = info\n more\n", 3),
    "control character": (b"[log]\nlevel = in\0fo\n", 2),
    "stands twice": ("[log]\nlevel = info\nlevel = debug\n", 3),
    "stands twice ": ("[log]\nlevel = info\n[log]\nlevel = debug\n", 4),
    "line of its own": ("[log]\nlevel = info ; quiet\n", 2),
    "[ without ]": ("[log\nlevel = info\n", 1),
    "behind ]": ("[log] x\n", 1),
    "neither": ("[log]\nlevel\n", 2),
    "name over 48": ("[log]\n" + "x" * 49 + " = 1\n", 2),
    "section's name": ("[" + "x" * 49 + "]\na = b\n", 1),
    "no section": ("[nonsense]\nx = 1\n", 2),
    "no section ": ("x = 1\n", 1),
    "did you mean level": ("[log]\nlevle = info\n", 2),
    "is not one of": ("[log]\nlevel = loud\n", 2),
    "is not a time": ("[signal a]\nsubject = a.b\nwindow = 5 parsecs\n", 3),
    "needs a name": ("[carrier]\nurl = dir:///x\n", 2),
    "takes no second": ("[log x]\nlevel = info\n", 2),
    "second name has": ("[carrier A!]\nurl = dir:///x\n", 2),
    "did you mean dir?": ("[carrier a]\nurl = dri:///x\n", 2),
    "this is no URL": ("[carrier a]\nurl = somewhere\n", 2),
    "no name before": ("[log]\n= info\n", 2),
}


def what_a_file_may_not_say_is_refused_with_its_line():
    h = Home()
    for words, (text, line) in BAD.items():
        h.configure(text)
        d = h("config", "check")
        same(d.code, 78, repr(text))
        expect(words.strip() in d.err and re.search(r"kith.conf:%d\b" % line, d.err), repr(text), d.err)
    h.remove()


def what_a_file_may_say_is_taken():
    h = Home()
    for text in (b"", b"\n\n", b"\xef\xbb\xbf[log]\nlevel = debug\n", b"[log]\r\nlevel=debug\r\n", b"[log]\nlevel: debug",
                 b"# c\n; c\n[log]\nlevel   =   debug   \n", b"[log]\nlevel = debug\n   \n\t\n"):
        h.configure(text)
        d = h("config", "check")
        expect(d.code == 0, repr(text), d.err)
        if b"debug" in text:
            same(value(h, "log.level")[0], "debug", repr(text))
    h.remove()


def long_values_are_whole_or_refused():
    h = Home()
    for n in range(150, 240):
        url = "dir:///" + "x" * n
        h.configure("[carrier a]\nurl = " + url + "\n")
        d = h("config", "show", "carrier a.url", "--json")
        if len("url = " + url) <= 190:
            same(d.json()[0]["value"], url)
        else:
            same(d.code, 78)
    h.remove()


def foreign_variables_are_no_ones_business():
    h = Home()
    same(h("config", "check", env={"KITH_": "x", "KITH_SOURCE": "/x", "KITH_LOG": "y", "KITHX": "z"}).code, 0)
    same(h("config", "check", env={"KITH_LOG_LEVLE": "info"}).code, 78)
    h.remove()


def configuration_is_bounded():
    h = Home()
    h.configure("".join(f"[carrier n{i}]\nurl = dir:///x\n" for i in range(17)))
    same(h("config", "check").code, 78, "17 carriers")
    h.configure("#\n" * (1 << 20))
    same(h("config", "check").code, 78, "2 MiB")
    os.unlink(h.file(".config", "kith", "kith.conf"))
    os.mkfifo(h.file(".config", "kith", "kith.conf"))
    same(h("config", "check").code, 78, "a pipe")
    h.remove()


def plugins_are_listed_found_or_missing():
    h = Home()
    os.mkdir(h.file("plugins"))
    with open(h.file("plugins", "kith-carrier-broken.so"), "w") as f:
        f.write("no library")
    d = h("carriers", "--json", env={"KITH_NODE_PLUGINS": h.file("plugins")})
    same(d.code, 0)
    rows = {r["name"]: r for r in d.json()}
    same(rows["broken"]["state"], "missing")
    expect(rows["broken"]["why"], "no reason")
    same(rows["mem"]["state"], "found")
    same(h("carriers", "broken", env={"KITH_NODE_PLUGINS": h.file("plugins")}).code, 1)
    d = h("carriers", "dir", "--json")
    expect(any(r.get("variable") == "KITH_DIR_POLL" and r["file_key"] == "[dir] poll" for r in d.json()), d.out)
    h.remove()


# What a whole section says; `config check` must find all that `run` refuses.
SECTIONS = {
    "[signal x]\nkind = mean\n": "without subject",
    "[signal x]\nsubject = A B\n": "kith.conf:2",
    "[signal x]\nsubject = a.b\ncount = 0\n": "kith.conf:3",
    "[signal x]\nsubject = a.b\ncount = 5\nleast = 6\n": "count is below least",
    "[signal x]\nsubject = a.b\ncommand = \"abc\n": "kith.conf:3",
    "[signal x]\nsubject = a.b\ncommand = " + "a " * 40 + "\n": "32 words",
    "[action x]\ndo = run\n": "do = run needs a command",
    "[action x]\nsubject = a*\n": "kith.conf:2",
    "[action x]\ndo = run\ncommand = \"\n": "kith.conf:3",
    "[carrier x]\nurl = pigeon://x\n": "no carrier pigeon",
    "[carrier x]\nurl = mmem://x\n": "did you mean mem?",
    "[carrier x]\nurl = fualt+mem://x\n": "did you mean fault?",
    "[carrier x]\nurl = /no/scheme\n": "SCHEME://PLACE",
    "[carrier x]\nurl = dir:///tmp/kith-none?nope=1\n": "no option nope",
    "[carrier x]\nurl = fault+mem://x?dorp=1\n": "did you mean drop?",
    "[carrier x]\nurl = fault+mem://x?drop=lots\n": "drop=lots",
    "[node]\nfollow = a.b A..b\n": "kith.conf:2",
}
# What a single line says, and where.
LINES = {
    b"url = x\n": "no section stands before it", b"[sotre]\nurl = x\n": "did you mean [store]?",
    b"[store]\nulr = x\n": "kith.conf:2: no option ulr; did you mean url?",
    b"[log]\nlevel = info\n[log]\nlevel = debug\n": "kith.conf:4: level stands twice, first at",
    b"[log]\n[carrier]\nurl = x\n": "[carrier NAME]", b"[log x]\nlevel = info\n": "no second name",
    bytes(range(1, 256)) * 20: "control character", b"\x7fELF" + bytes(5000): "control character",
    b"[log]\nlevel = in\0fo\n": "control character", b"[log]\n level = info\n": "first column",
}


def check_and_run_refuse_the_same_and_name_the_line():
    h = Home()
    for text, says in {**SECTIONS, **LINES}.items():
        h.configure(text)
        for args in (("config", "check"), ("run", "--for", "1ms")):
            d = h(*args)
            same((d.code, d.out), (78, ""), f"{text!r} {args}: {d.err}")
            expect(says in d.err, text, says, d.err)
    for text in (b"", b"[log]\r\nlevel = info\r\n", b"\xef\xbb\xbf[log]\nlevel = info\n", b"# x\n" * 262144,
                 b"[log]\nlevel = info\n[log]\nform = json\n"):
        h.configure(text)
        same(h("config", "check").code, 0, text[:40])
    h.remove()


def what_is_no_readable_file_is_told():
    h = Home()
    path = h.file(".config", "kith", "kith.conf")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    def big():
        with open(path, "wb") as f:
            f.write(b"# x\n" * 2500000)
    for what, make in (("a folder", lambda: os.mkdir(path)), ("a link to itself", lambda: os.symlink(path, path)),
                       ("a link to nothing", lambda: os.symlink("/nope", path)), ("a pipe", lambda: os.mkfifo(path)),
                       ("a device", lambda: os.symlink("/dev/zero", path)), ("10 MB", big)):
        if os.path.lexists(path):
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
        make()
        d = h("config", "check")
        expect(d.code == 78 and "[E011]" in d.err and path in d.err, what, d.code, d.err)
        same(h("get", "a.b").code, 78, what)
    os.unlink(path)
    d = h("config", "check")
    expect(d.code == 0 and d.out == "" and "no configuration file" in d.err, d.code, d.err)
    d = h("config", "show", "log.levle")
    expect(d.code == 64 and "did you mean log.level?" in d.err, d.err)
    h.remove()


main([check_and_run_refuse_the_same_and_name_the_line, what_is_no_readable_file_is_told, later_layers_win_and_say_so, the_working_directory_is_not_read_unasked,
      named_sections_come_from_files_and_environment, what_a_file_may_not_say_is_refused_with_its_line,
      what_a_file_may_say_is_taken, long_values_are_whole_or_refused, foreign_variables_are_no_ones_business,
      configuration_is_bounded, plugins_are_listed_found_or_missing])
