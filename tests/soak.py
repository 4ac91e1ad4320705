# SPDX-License-Identifier: Apache-2.0
"""The long versions, test by test, so that a soak that was cut off goes on where it was.

Each test that came to its end is a line of soak.jsonl in its leg's build folder. A soak of
the same tree takes those that were green from there; of another tree, only how long they
took, to say what is to come. `make clean` forgets all."""
import hashlib
import json
import subprocess
import threading
import time


def tree_of(root):
    """The name of what is tested: the commit, and what was changed since. "": nobody knows."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else None
    head, changes = git("rev-parse", "HEAD"), git("diff", "HEAD")
    if head is None or changes is None:
        return ""
    return head.decode().strip() + ("+" + hashlib.sha256(changes).hexdigest()[:12] if changes else "")


class Book:
    """What is known of a leg's tests."""

    def __init__(self, path, tree):
        self.path, self.tree, self.took, self.last, self.green = path, tree, {}, {}, {}
        self.lock = threading.Lock()
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:  # the end of a line that was cut off
                continue
            self.note(row)

    def note(self, row):
        self.took[row["test"]], self.last[row["test"]] = row["seconds"], row["results"]
        self.green.pop(row["test"], None)
        if self.tree and row["tree"] == self.tree and all(r[2] != "fail" for r in row["results"]):
            self.green[row["test"]] = row["results"]

    def write(self, test, seconds, results):
        row = {"tree": self.tree, "test": test, "seconds": round(seconds, 1), "results": results}
        with self.lock:
            self.note(row)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(row) if self.torn() else json.dumps(row))
                file.write("\n")

    def torn(self):
        """Does the file end in the middle of a line?"""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return False
        with open(self.path, "rb") as file:
            file.seek(-1, 2)
            return file.read(1) != b"\n"

    def cost(self, tests):
        """(seconds they took when they were last run, how many were never)."""
        return (sum(self.took.get(test, 0) for test in tests),
                sum(test not in self.took for test in tests))


def words(book, tests, jobs):
    """What is to come, in one line."""
    left = [test for test in tests if test not in book.green]
    seconds, unknown = book.cost(left)
    done = f", {len(tests) - len(left)} were green in this tree" if len(left) < len(tests) else ""
    more = f" and {unknown} never measured" if unknown else ""
    return f"{len(left)} tests: about {seconds / jobs / 60:.0f} minutes by the last time{more}{done}"


def each(book, tests, jobs, run):
    """run(test) -> results, for those that are not green yet, so many side by side."""
    left = [test for test in tests if test not in book.green]
    lock = threading.Lock()

    def lane():
        while True:
            with lock:
                test = left.pop(0) if left else None
            if test is None:
                return
            start = time.monotonic()
            results = run(test)
            book.write(test, time.monotonic() - start, results)

    lanes = [threading.Thread(target=lane, daemon=True) for _ in range(jobs)]
    for one in lanes:
        one.start()
    for one in lanes:
        one.join()
