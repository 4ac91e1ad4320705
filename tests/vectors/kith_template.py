# SPDX-License-Identifier: Apache-2.0
"""A second reader of templates and cells, from docs/formats/template.md and cells.md alone."""
import fractions
import hashlib
import math
import struct

F = fractions.Fraction
MEASURES = "any mean mean-difference log-risk-ratio log-odds-ratio risk-difference fisher-z logit log-mean-ratio " \
           "score-gain".split()
SECONDS = {"": None, "ns": F(1, 10**9), "us": F(1, 10**6), "ms": F(1, 1000), "s": 1, "m": 60, "h": 3600, "d": 86400}
# name, kind, preset; in the order of the canonical text
KEYS = [("name", "text", None), ("version", "int", None), ("about", "text", ""), ("measure", "word", None),
        ("components", "int", "1"), ("unit", "number", "1"), ("effect-low", "number", ""),
        ("effect-high", "number", ""), ("n-min", "int", "1"), ("prior-scale", "number", "0"),
        ("half-life", "time", "0s"), ("window", "time", "0s"), ("ttl", "time", "7d"), ("private", "word", "no"),
        ("post-base", "word", "yes"), ("radius", "number", "0"), ("metric", "word", "auto"), ("route", "word", "auto"),
        ("levels", "list", ""), ("lsh", "list", "")]


def decimal(text):
    """(canonical text, the double): 15 digits, half up."""
    x = F(text)
    if x == 0:
        return "0", 0.0
    size, power = abs(x), 0
    digits = text.lstrip("+-").lower().split("e")[0].replace(".", "").lstrip("0")
    scale = int((text.lower().split("e") + ["0"])[1]) - len(text.lower().split("e")[0].partition(".")[2])
    mantissa, power = int(digits), scale
    if len(digits) > 15:
        cut = len(digits) - 15
        mantissa = int(digits[:15]) + (digits[15] >= "5")
        power += cut
    while mantissa % 10 == 0:
        mantissa, power = mantissa // 10, power + 1
    value = F(mantissa) * F(10) ** power
    text = str(mantissa) + "0" * power if power >= 0 else str(mantissa).rjust(1 - power, "0")
    if power < 0:
        text = text[:power] + "." + text[power:]
    sign = "-" if x < 0 else ""
    return sign + text, float(-value if x < 0 else value)


def duration(text):
    """Seconds, and the canonical text: the largest unit that divides."""
    n = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    s = int(n) * SECONDS[text[len(n):]]
    for unit in ("d", "h", "m", "s"):
        if s and s % SECONDS[unit] == 0:
            return s, f"{s // SECONDS[unit]}{unit}"
    return s, "0"


class Template:
    def __init__(self, text):
        keys, self.dimensions, section = {}, [], None
        for line in text.split("\n"):
            line = " ".join(line.split())
            if not line or line[0] in "#;":
                continue
            if line[0] == "[":
                section = line[1:-1]
                if section != "template":
                    self.dimensions.append([section.split(" ")[1], None])
                continue
            key, _, value = line.partition("=")
            key, value = key.strip(), value.strip()
            if section == "template":
                keys[key] = value
            else:
                self.dimensions[-1][1] = self.transform(value)
        self.keys = {name: keys.get(name, preset) for name, _, preset in KEYS}
        self.canonical = self.write()
        self.id = hashlib.sha256(b"kith-template-1" + self.canonical.encode()).digest()[:16]
        self.numbers = sum(2 if d[1][0] == "cyclic" else 1 for d in self.dimensions)
        self.radius = math.floor(decimal(self.keys["radius"])[1] * 65536)

    @staticmethod
    def transform(value):
        kind, *rest = value.split()
        return [kind] + (rest if kind == "category" else [decimal(x)[0] for x in rest])

    def shown(self, kind, value):
        if kind == "number":
            return decimal(value)[0] if value else ""
        if kind == "time":
            return duration(value)[1]
        if kind == "int":
            return str(int(value))
        return ",".join(value.replace(",", " ").split()) if kind == "list" else value

    def write(self):
        lines = ["[template]"]
        for name, kind, preset in KEYS:
            is_now = self.shown(kind, self.keys[name])
            if preset is None or is_now != self.shown(kind, preset):
                lines.append(f"{name} = {is_now}")
        for name, transform in self.dimensions:
            lines += ["", f"[dimension {name}]", "transform = " + " ".join(transform)]
        return "\n".join(lines) + "\n"

    # ---- contexts ----

    @staticmethod
    def part(x):
        return min(65535, math.floor(x * 65536))

    @staticmethod
    def log2(x):
        fraction, power = math.frexp(x)
        m, ret = int(fraction * 2**32), power - 1
        for _ in range(31):
            m = m * m >> 31
            bit = m >> 32
            ret, m = 2 * ret + bit, m >> bit
        return ret

    def number(self, transform, text):
        kind, points = transform[0], transform[1:]
        if kind == "category":
            return [(2 * points.index(text) + 1) * 32768 // len(points)]
        at, x = [decimal(p)[1] for p in points], decimal(text)[1]
        if kind == "cyclic":
            phase = x / at[0]
            tent = [p - math.floor(p) for p in (phase, phase + 0.25)]
            return [self.part(2 * p if p < 0.5 else 2 - 2 * p) for p in tent]
        if not at[0] <= x <= at[-1]:
            raise ValueError(text)
        if kind == "linear":
            return [self.part((x - at[0]) / (at[1] - at[0]))]
        if kind == "log":
            low, high = self.log2(at[0]), self.log2(at[1])
            return [min(65535, (self.log2(x) - low) * 65536 // (high - low))]
        i = max(k for k in range(len(at) - 1) if k == 0 or x >= at[k])
        return [self.part((float(i) + (x - at[i]) / (at[i + 1] - at[i])) / (len(at) - 1))]

    def context(self, values):
        values = [v.strip() for v in values.split(",")] if values.strip() else []
        if len(values) != len(self.dimensions):
            raise ValueError(values)
        return [u for d, v in zip(self.dimensions, values) for u in self.number(d[1], v)]

    # ---- cells ----

    def route(self):
        route = self.keys["route"]
        if self.numbers == 0 or self.radius == 0 or route == "none":
            return "none"
        return route if route != "auto" else "grids" if self.numbers <= 9 else "lsh"

    def levels(self):
        """Published, and the one at which twins surely meet."""
        n, apart = (self.numbers + 1) | 1, self.radius // 8 + 1
        sure = max(l for l in range(14) if (1 << (13 - l)) // n >= apart)
        given = [int(x) for x in self.keys["levels"].replace(",", " ").split()] or [sure]
        return given, max(l for l in given if l <= sure)

    def grid(self, context, j, levels):
        n = (self.numbers + 1) | 1
        key = 0
        for i, u in enumerate(context):
            x = (u >> 3) + (j << 13) // n
            for b in range(14):
                key |= (x >> b & 1) << (9 * b + i)
        tokens, done = [f"s{j}"], -1
        for level in levels:
            tokens.append("".join("%03x" % (key >> 9 * (13 - g) & 0x1FF) for g in range(done + 1, level + 1)))
            done = level
        return ".".join(tokens)

    def table(self, context, t, hashes, width):
        values = []
        for m in range(hashes):
            words = []
            for b in range(self.numbers // 4 + 1):
                mark = b"kith-lsh-1" + self.id + struct.pack(">BBH", t, m, b)
                words += struct.unpack(">4Q", hashlib.sha256(mark).digest())
            dot = sum((bin(w).count("1") - 32) * c for w, c in zip(words, context))
            values.append((dot + (words[self.numbers] * width >> 64)) // width)
        return f"h{t}-{hashlib.sha256(struct.pack(f'>{hashes}i', *values)).hexdigest()[:16]}"

    def cells(self, context):
        """Subjects that a packet of a.b stands under, and what a reader follows."""
        if self.route() == "none":
            return [], []
        if self.route() == "lsh":
            given = [int(x) for x in self.keys["lsh"].replace(",", " ").split()]
            tables, hashes, width = given + [32, 10, 24 * self.radius][len(given):]
            posted = ["a.b." + self.table(context, t, hashes, width) for t in range(tables)]
            return posted, posted
        levels, meeting = self.levels()
        n = (self.numbers + 1) | 1
        upper = [l for l in levels if l <= meeting]
        tail = "" if upper == levels else ".>"
        return (["a.b." + self.grid(context, j, levels) for j in range(n)],
                ["a.b." + self.grid(context, j, upper) + tail for j in range(n)])
