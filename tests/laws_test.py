#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A check that cannot fail is decoration: every law is broken here once, in a
copy of a small tree, and must be noticed by name. TAP on stdout."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
CC = os.environ.get("CC", "cc").split()
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"

# law, file to plant, its text, what the police must say
BROKEN = [
    ("layers", "src/packet/a.c", '#include "store/b.h"', "packet/ may not include store/"),
    ("layers", "src/base/a.c", '#include "packet/b.h"', "base/ may not include packet/"),
    ("layers", "src/synthesis/a.c", '#include "carrier/b.h"', "synthesis/ may not include carrier/"),
    ("layers", "src/carrier/mem/a.c", '#include "carrier/dir/b.h"', "may not include another"),
    ("layers", "cli/a.c", '#include "base/fail.h"', "cli/ may not include base/"),
    ("layers", "src/store/a.c", '#include "b.h"', 'write "folder/file.h"'),
    ("layers", "src/store/a.c", ' # include "node/b.h"', "write #include at column 0"),
    ("layers", "src/sync/a.c", "#include <sqlite3.h>", "<sqlite3.h> belongs in"),
    ("layers", "src/node/a.c", "#include <sodium.h>", "<sodium.h> belongs in"),
    ("layers", "src/cellar/a.c", "", "folder not in tools/layers.txt"),
    ("symbols", "src/base/a.c", "char *strcpy(char *, const char *);\n"
     "void ki_a(char *d, const char *s); void ki_a(char *d, const char *s) { strcpy(d, s); }",
     "takes strcpy"),
    ("symbols", "src/store/a.c", "char *getenv(const char *);\n"
     "char *ki_a(void); char *ki_a(void) { return getenv(\"A\"); }", "takes getenv"),
    ("symbols", "src/store/a.c", "long time(long *);\nlong ki_a(void); long ki_a(void) "
     "{ return time(0); }", "takes time, allowed in: clock"),
    ("symbols", "src/node/a.c", "unsigned sleep(unsigned);\nvoid ki_a(void); void ki_a(void) "
     "{ sleep(1); }", "takes sleep"),
    ("symbols", "src/node/a.c", "int helper(void); int helper(void) { return 1; }",
     "not ours: helper"),
    ("symbols", "src/node/a.c", '__attribute__((visibility("default"))) int ki_a(void); '
     "int ki_a(void) { return 1; }", "visible to users: ki_a"),
    ("headers", "include/kith/a.h", "int class;", "expected"),
    ("headers", "include/kith/a.h", "static inline int kith_a(void) { return _Generic(1, int: 1); }",
     "_Generic"),
    ("headers", "include/kith/a.h", "uint8_t kith_a(void);", "uint8_t"),
    ("form", "src/base/a.c", "\nint a;", "not the licence"),
    ("form", "src/base/a.c", "/* TO" + "DO: some day */", "needs the number of its issue"),
]


def symbols(tree):
    """A library of the planted file alone, named as meson names objects."""
    source = next(tree.glob("src/*/*.c"))
    name = "_".join(source.relative_to(tree).parts) + ".o"
    flags = ["-O1", "-fno-builtin", "-fvisibility=hidden", "-fPIC"]
    subprocess.run([*CC, *flags, "-c", str(source), "-o", str(tree / name)], check=True)
    subprocess.run(["ar", "rc", "libkith-core.a", name], cwd=tree, check=True)
    subprocess.run([*CC, "-shared", "-o", "libkith.so", name], cwd=tree, check=True)
    return [str(tree / "libkith-core.a"), str(tree / "libkith.so")]


def police(law, tree):
    argv = {"layers": lambda: [tree], "headers": lambda: [tree / "include"], "form": lambda: [tree],
            "symbols": lambda: symbols(tree)}[law]()
    done = subprocess.run([ROOT / f"tools/{law}.sh", *map(str, argv)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


def sound(law, tree, path, text):
    """The same place with nothing wrong in it, or the finding proves nothing."""
    good = "int kith_a(void);\nint kith_a(void) {\n    return 1;\n}\n" if path.endswith(".c") else "extern int kith_a;\n"
    (tree / path).write_text(SPDX + good)
    return law == "layers" and "cellar" in path or police(law, tree)[0] == 0


print(f"1..{len(BROKEN)}")
bad = 0
for number, (law, path, text, words) in enumerate(BROKEN, 1):
    with tempfile.TemporaryDirectory() as scratch:
        tree = pathlib.Path(scratch)
        for folder in ("include/kith", "src", "cli", "tests", "fuzz", "bench", "tools"):
            (tree / folder).mkdir(parents=True)
        for name in ("Makefile", "meson.build"):
            (tree / name).write_text("# SPDX-License-Identifier: Apache-2.0\n")
        shutil.copy(ROOT / "tools/layers.txt", tree / "tools")
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        before = sound(law, tree, path, text)
        (tree / path).write_text(text + "\n" if words == "not the licence" else SPDX + text + "\n")
        code, said = police(law, tree)
    good = before and code != 0 and words in said
    bad += not good
    if not good:
        print(f"# clean: {before}, exit {code}, said: {said.strip()[:300]!r}")
    print(f"{'ok' if good else 'not ok'} {number} - {law} finds '{words}'")
sys.exit(bad > 0)
