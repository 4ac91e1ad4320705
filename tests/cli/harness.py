# SPDX-License-Identifier: Apache-2.0
"""A scratch home for the kith program, and TAP. Standard library only."""
import json, os, pty, shutil, signal, subprocess, sys, tempfile, traceback

PATIENCE = 180  # seconds; a hang guard, far beyond what anything takes
KITH = os.path.abspath(sys.argv[1])
SOURCE = os.path.abspath(sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it


class Done:
    def __init__(self, code, out, err):
        self.code, self.raw, self.err = code, out, err.decode("utf-8", "replace")
        self.out = out.decode("utf-8", "replace")

    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Home:
    """One node: its own HOME, nothing of the caller's environment."""

    def __init__(self, init=True):
        self.path = tempfile.mkdtemp(prefix="kith-cli-")
        self.env = {"HOME": self.path, "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        if init:
            expect(self("init").code == 0, "init")

    def file(self, *parts):
        return os.path.join(self.path, *parts)

    @property
    def key(self):
        return self.file(".local", "share", "kith", "key")

    @property
    def store(self):
        return self.file(".local", "share", "kith", "store.db")

    def configure(self, text):
        os.makedirs(self.file(".config", "kith"), exist_ok=True)
        with open(self.file(".config", "kith", "kith.conf"), "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def start(self, *args, env=None, **more):
        return subprocess.Popen([KITH, *args], cwd=self.path, env={**self.env, **(env or {})}, **more)

    def __call__(self, *args, stdin=b"", env=None, program=KITH, before=None):
        p = subprocess.run([program, *args], cwd=self.path, env={**self.env, **(env or {})},
                           input=stdin.encode() if isinstance(stdin, str) else stdin,
                           capture_output=True, timeout=PATIENCE, preexec_fn=before)
        return Done(p.returncode, p.stdout, p.stderr)

    def shell(self, line):
        env = {**self.env, "PATH": os.path.dirname(KITH) + ":" + self.env["PATH"]}
        p = subprocess.run(["sh", "-c", line], cwd=self.path, env=env, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=PATIENCE)
        return Done(p.returncode, p.stdout, p.stderr)

    def terminal(self, *args, columns=80, env=None):
        """stdout and stderr are a terminal."""
        import fcntl, struct, termios
        mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        p = self.start(*args, env={"TERM": "xterm", **(env or {})}, stdin=subprocess.DEVNULL,
                       stdout=theirs, stderr=theirs)
        os.close(theirs)
        out = b""
        while True:
            try:
                piece = os.read(mine, 65536)
            except OSError:
                break
            if not piece:
                break
            out += piece
        os.close(mine)
        return Done(p.wait(), out.replace(b"\r\n", b"\n"), b"")

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Wrong(Exception):
    pass


def expect(truth, *what):
    if not truth:
        raise Wrong(" ".join(str(w) for w in what))


def same(got, want, what=""):
    expect(got == want, f"{what}: got {got!r}, expected {want!r}")


def wait_asleep(pid):
    """Until the program waits in a poll or a read of its own, with its handlers set."""
    import time
    end = time.monotonic() + PATIENCE
    calls = {"0", "7", "271"}  # read, poll, ppoll
    while time.monotonic() < end:
        with open(f"/proc/{pid}/syscall") as f:
            if f.read().split()[0] in calls:
                with open(f"/proc/{pid}/stat") as g:
                    if g.read().rsplit(")", 1)[1].split()[0] == "S":
                        return
        os.sched_yield()
    raise Wrong("it never waited")


def main(cases):
    only = sys.argv[3:]
    bad = count = 0
    for case in cases:
        if only and case.__name__ not in only:
            continue
        count += 1
        try:
            case()
            print(f"ok {count} - {case.__name__}", flush=True)
        except Exception as why:
            bad += 1
            for line in ("".join(traceback.format_exception_only(type(why), why))).splitlines():
                print("# " + line)
            print("# " + traceback.format_exc().splitlines()[-3].strip())
            print(f"not ok {count} - {case.__name__}", flush=True)
    print(f"1..{count}")
    sys.exit(1 if bad or not count else 0)
