#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is what the documents say there? docs_test.py ROOT KITH. TAP on stdout."""
import json
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT, KITH = pathlib.Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(ROOT / "tools"))
import faults  # noqa: E402

PAGES = ["README.md", "ARCHITECTURE.md", "HACKING.md", "SECURITY.md", "CHANGELOG.md",
         "docs/README.md"]
PATH = re.compile(r"^\.{0,2}/?[a-z0-9_.][a-z0-9_./-]*(/|\.(md|c|h|py|sh|tsv|txt|build))$")
COMMANDS_IN = re.compile(r"(?:build/cli/)?\bkith ([a-z]+)")


def quoted(page):
    """What stands in backticks or in a code block."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"```\n(.*?)```", text, re.S) + re.findall(r"(?:\n    .*)+", text)
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S)) + lines


def every_path_named_is_there():
    missing = []
    for page in PAGES:
        for word in quoted(page):
            if PATH.match(word) and not word.startswith(("build", "/")):
                bases = [ROOT, (ROOT / page).parent, ROOT / "src", ROOT / "include/kith"]
                if not any((base / word).exists() for base in bases):
                    missing.append(f"{page}: {word}")
    return missing


def every_make_target_named_is_there():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    return [f"{page}: make {word}" for page in PAGES for text in quoted(page)
            for word in re.findall(r"\bmake ([a-z]+)", text) if word not in targets]


def every_command_named_is_in_the_table():
    said = subprocess.run([KITH, "help", "--json"], capture_output=True, text=True).stdout
    known = {command["name"] for command in json.loads(said)["commands"]}
    return [f"{page}: kith {word}" for page in PAGES for text in quoted(page)
            for word in COMMANDS_IN.findall(text) if word not in known]


def the_fault_page_is_what_the_map_says():
    path = ROOT / "docs/faults.md"
    return [] if path.exists() and path.read_text() == faults.page() \
        else ["docs/faults.md is older than tests/faults.tsv: run `make docs`"]


promises = [every_path_named_is_there, every_make_target_named_is_there,
            every_command_named_is_in_the_table, the_fault_page_is_what_the_map_says]
bad = 0
print(f"1..{len(promises)}")
for number, promise in enumerate(promises, 1):
    found = promise()
    for line in found:
        print(f"# {line}")
    bad += bool(found)
    print(f"{'not ok' if found else 'ok'} {number} - {promise.__name__}")
sys.exit(bad > 0)
