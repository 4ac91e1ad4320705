#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the library with every published number in this folder: check.py PROBE.

The questions go to the probe on its standard input, the answers come back one per
line. README.md says where the numbers are from and how near is near enough."""
import csv
import glob
import json
import math
import os
import shlex
import subprocess
import sys
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
WRAPPER = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))  # a foreign machine
METHOD = {"PM": 0, "FE": 1, "DL": 2, "REML": 3}
CI = {"mHK": 0, "HK": 1, "Wald": 2}


def g(x):
    return repr(float(x))


def value(text):
    """128 bits stay as they are, all else is a double."""
    return text[2:] if text.startswith("0x") else float(text)


def ask(questions):
    out = subprocess.run([*WRAPPER, sys.argv[1]], input="\n".join(questions) + "\n", text=True,
                         capture_output=True, check=True).stdout.splitlines()
    assert len(out) == len(questions), "the probe gave %d of %d answers" % (len(out), len(questions))
    return [dict((k, value(v)) for k, v in (w.split("=") for w in line.split())) for line in out]


class Case:
    def __init__(self, name):
        self.name, self.bad, self.checked, self.worst = name, [], 0, 0.0

    def near(self, what, got, want, tol=1e-9, s=1e-6, absolute=1e-15):
        self.checked += 1
        if want is None:
            if not math.isnan(got):
                self.bad.append("%s is %r, but there is none" % (what, got))
            return
        gap = abs(got - want)
        if not gap <= tol * max(abs(want), s) + absolute:
            self.bad.append("%s is %r, expected %r" % (what, got, want))
        if tol:
            self.worst = max(self.worst, gap / max(abs(want), s))

    def same(self, what, got, want):
        self.checked += 1
        if got != want:
            self.bad.append("%s is %r, expected %r" % (what, got, want))


def triples(y, v, omega=None):
    omega = omega or [1.0] * len(y)
    return "%d %s" % (len(y), " ".join("%s %s %s" % (g(a), g(b), g(c)) for a, b, c in zip(y, v, omega)))


def twos(y, v):
    return "%d %s" % (len(y), " ".join("%s %s" % (g(a), g(b)) for a, b in zip(y, v)))


def load(name):
    with open(os.path.join(HERE, name)) as f:
        return json.load(f)


def compare(case, label, got, want, names, **how):
    for theirs, ours in names.items():
        if theirs in want:
            w = want[theirs]
            if ours == "tau2" and w == 0:
                case.same(label + " tau2 of 0", got["tau2"], 0.0)
            elif theirs == "Q_p":
                # A tail cannot agree better than the Q it is taken at: its slope is below 1/2.
                slack = abs(got["q"] - want["Q"]) / 2
                case.near(label + " Q_p", got[ours], w, tol=0, absolute=1e-12 + slack)
            elif theirs == "se_tau2":
                case.near(label + " se_tau2", got[ours], w, tol=1e-8)
            else:
                case.near(label + " " + theirs, got[ours], w, **how)


PLAIN = {"tau2": "tau2", "b": "mu", "se": "se", "ci_lo": "ci_low", "ci_hi": "ci_high", "Q": "q",
         "Q_p": "q_p", "I2": "i2", "H2": "h2", "se_tau2": "tau2_se", "loglik": "loglik"}
KNAPP = {"q": "hk_q", "se": "se", "ci_lo": "ci_low", "ci_hi": "ci_high", "pi_lo": "pi_low", "pi_hi": "pi_high"}


def exact_q(y, v):
    """Cochran's Q without any rounding before the last."""
    w = [1 / Fraction(b) for b in v]
    mu = sum(a * Fraction(b) for a, b in zip(w, y)) / sum(w)
    return float(sum(a * (Fraction(b) - mu) ** 2 for a, b in zip(w, y)))


def meta(path):
    j = load(path)
    case = Case("meta_" + j["name"])
    rows = triples(j["yi"], j["vi"])
    asked = [(m, c) for m in METHOD for c in CI]
    got = dict(zip(asked, ask(["fit %d %d %s" % (METHOD[m], CI[c], rows) for m, c in asked])))
    for m in METHOD:
        compare(case, m, got[m, "Wald"], j[m], PLAIN)
    case.near("Q against fractions", got["FE", "Wald"]["q"], exact_q(j["yi"], j["vi"]), tol=1e-13, s=1e-300)
    for c in ("HK", "mHK"):
        for m in j[c]:
            compare(case, c + "." + m, got[m, c], j[c][m], KNAPP)
    for m in j["PI_hts"]:
        compare(case, "PI_hts." + m, got[m, "Wald"], j["PI_hts"][m], {"lo": "pi_low", "hi": "pi_high"})
    compare(case, "Qprofile", got["PM", "mHK"], j["Qprofile"], {"lo": "tau2_low", "hi": "tau2_high"})
    for m, studies in j.get("shrink", {}).items():
        for s in studies:
            i = s["i"] - 1
            rest = triples(j["yi"][:i] + j["yi"][i + 1:], j["vi"][:i] + j["vi"][i + 1:])
            (one,) = ask(["plugin %d %s %s %s" % (METHOD[m], g(j["yi"][i]), g(j["vi"][i]), rest)])
            compare(case, "shrink %s %d" % (m, s["i"]), one, s, {
                "mu": "mu", "se": "se", "tau2": "tau2", "theta": "theta", "theta_se": "theta_se"})
    return case


def quantiles():
    case = Case("quantiles")
    with open(os.path.join(HERE, "quantiles.csv")) as f:
        rows = list(csv.DictReader(f))
    got = ask(["quantile %s %s %s" % (r["function"], r["p"], r["df"] or "0") for r in rows])
    for r, one in zip(rows, got):
        case.near("%(function)s(%(p)s, %(df)s)" % r, one["x"], float(r["value"]), tol=1e-11)
    return case


def weighted():
    case = Case("weighted")
    names = {"tau2": "tau2", "mu": "mu", "k_eff": "k_eff", "se": "se", "ci_lo": "ci_low",
             "ci_hi": "ci_high", "pi_lo": "pi_low", "pi_hi": "pi_high"}
    for name, w in load("weighted.json").items():
        j = load("meta/%s.json" % name)
        rows = triples(j["yi"], j["vi"], [2.0 ** (-a / 8) for a in w["age_in_eighths_of_the_half_life"]])
        mhk, hk, wald, dl = ask(["fit 0 0 " + rows, "fit 0 1 " + rows, "fit 0 2 " + rows, "fit 2 2 " + rows])
        compare(case, name, mhk, w, names)
        compare(case, name, hk, w, {"q": "hk_q"})
        compare(case, name, wald, w, {"se_wald": "se"})
        compare(case, name, dl, {"tau2": w["tau2_dl"]}, {"tau2": "tau2"})
    return case


def shrink():
    case = Case("shrink_averaged_over_tau")
    for name, rows in load("shrink.json").items():
        j = load("meta/%s.json" % name)
        for r in rows:
            i = r["i"] - 1
            y, v = j["yi"][:i] + j["yi"][i + 1:], j["vi"][:i] + j["vi"][i + 1:]
            (got,) = ask(["shrink 0 %s %s %s" % (triples(y, v), g(j["yi"][i]), g(j["vi"][i]))])
            for what in ("mean", "sd", "lo", "hi"):
                case.near("%s %d %s" % (name, r["i"], what), got[what], r[what])
    return case


def by_the_rule(y0, v0, y, v, o):
    """The own result averaged over 256 values of tau, for others with relevances o."""
    ys, vs = [y0] + y, [v0] + v
    low, high = math.sqrt(min(vs)) / 1024, 128 * math.sqrt(max(vs) + (max(ys) - min(ys)) ** 2)
    nodes = []
    for j in range(256):
        tau = low * (high / low) ** ((j + 0.5) / 256)
        w = [a / (b + tau * tau) for a, b in zip(o, v)]
        W = math.fsum(w)
        mu = math.fsum(a * b for a, b in zip(w, y)) / W
        Q = math.fsum(a * (b - mu) ** 2 for a, b in zip(w, y))
        P = tau * tau + math.fsum(a * b for a, b in zip(o, w)) / W ** 2
        logs = math.fsum(a * math.log(b + tau * tau) for a, b in zip(o, v))
        p = math.log(tau) - (logs + math.log(W) + Q + math.log(v0 + P) + (y0 - mu) ** 2 / (v0 + P)) / 2
        nodes.append((p, y0 + v0 / (v0 + P) * (mu - y0), 1 / (1 / v0 + 1 / P)))
    top = max(p for p, _, _ in nodes)
    nodes = [(math.exp(p - top), m, s) for p, m, s in nodes]
    total = math.fsum(p for p, _, _ in nodes)
    mean = math.fsum(p * m for p, m, _ in nodes) / total
    return mean, math.sqrt(math.fsum(p * (s + (m - mean) ** 2) for p, m, s in nodes) / total)


def shrink_weighted():
    case = Case("shrink_with_unequal_relevances")
    for name, w in load("weighted.json").items():
        j = load("meta/%s.json" % name)
        o = [2.0 ** (-a / 8) for a in w["age_in_eighths_of_the_half_life"]]
        y, v, o = j["yi"][1:], j["vi"][1:], o[1:]
        (got,) = ask(["shrink 0 %s %s %s" % (triples(y, v, o), g(j["yi"][0]), g(j["vi"][0]))])
        # Equal relevances count as 1, whatever they are.
        mean, sd = by_the_rule(j["yi"][0], j["vi"][0], y, v, [1.0] * len(o) if len(set(o)) == 1 else o)
        case.near(name + " mean", got["mean"], mean)
        case.near(name + " sd", got["sd"], sd)
    return case


def robust():
    case = Case("robust_step_by_step")
    for name, r in load("robust.json").items():
        if not isinstance(r, dict):
            continue
        steps, got = ask(["robust " + twos(r["y"], r["v"]), "answer 0 " + twos(r["y"], r["v"])])
        case.same(name + " qn_raw", steps["qn_raw"], r["qn_raw"])
        case.near(name + " qn", steps["qn"], r["qn"], tol=1e-12)
        if "m" not in r:
            continue
        case.near(name + " tau2_from_qn", steps["tau2"], r["tau2_from_qn"])
        case.same(name + " start", steps["start"], r["start"])
        case.near(name + " m", got["m"], r["m"], s=1e-3)
        case.near(name + " m_se", got["m_se"], r["m_se"])
        case.near(name + " tukey_unit", steps["tukey_unit"], r["tukey_unit"], s=1e-3)
        for i, x in enumerate(r["r"]):
            case.near("%s r %d" % (name, i + 1), got["r%d" % i], x, s=1e-3)
        for i, x in enumerate(r["v_capped"]):
            case.same("%s v %d" % (name, i + 1), steps["v%d" % i], x)
        case.same(name + " flagged", [i + 1 for i in range(len(r["y"])) if got["fate%d" % i] == 2], r["flagged"])
        compare(case, name, got, {k[5:]: x for k, x in r.items() if k.startswith("kept_")}, PLAIN)
    return case


def sums():
    case, gold = Case("sums_bit_for_bit"), load("sums.json")
    for f, got in zip(gold["fixed"], ask(["fixed " + g(f["x"]) for f in gold["fixed"]])):
        case.same("fixed(%r)" % f["x"], got["bits0"], f["hex"])
    for name, w in gold["sets"].items():
        j = load("meta/%s.json" % name)
        got, plain = ask(["sums " + twos(j["yi"], j["vi"]), "fit 2 2 " + triples(j["yi"], j["vi"])])
        case.same(name + " S0", got["count"], w["S0"])
        for i in range(1, 5):
            case.same("%s S%d" % (name, i), got["bits%d" % i], w["S%d" % i])
        for ours, theirs in (("mu", "mu"), ("q", "Q"), ("tau2", "tau2_dl")):
            case.near("%s %s" % (name, theirs), got[ours], w[theirs], tol=1e-12)
        case.near(name + " tau2 of leaves", plain["tau2"], w["tau2_dl"])
        pairs = pair_by_pair(j["yi"], j["vi"])
        case.near(name + " tau2 pair by pair", got["tau2"], pairs, tol=1e-12)
        for what in j["sums"]:
            if what != "S0":
                bits = int(got["bits" + what[1]], 16)
                bits -= (bits >> 127) << 128
                case.near("%s %s as a double" % (name, what), bits / 2.0 ** 64, j["sums"][what])
    return case


def pair_by_pair(y, v):
    """tau2 of DerSimonian and Laird as a mean over all pairs, in fractions."""
    y, v = [Fraction(x) for x in y], [Fraction(x) for x in v]
    top = bottom = 0
    for i in range(len(y)):
        for j in range(i):
            w = 1 / (v[i] * v[j])
            top += w * ((y[i] - y[j]) ** 2 - v[i] - v[j])
            bottom += 2 * w
    return max(0.0, float(top / bottom))


def evidence():
    case = Case("evidence")
    with open(os.path.join(HERE, "effects.csv")) as f:
        rows = [r for r in csv.DictReader(f) if r["measure"] == "PLO"]
    for r in rows:
        (got,) = ask(["logit %s %d" % (r["a"], int(r["a"]) + int(r["b"]))])
        case.near("logit of %(a)s and %(b)s" % r, got["y"], float(r["yi"]), tol=1e-12)
        case.near("its variance", got["v"], float(r["vi"]), tol=1e-12)
    # 0.87 as a 32-bit float is 0.870000004768...; its z is 1.1263911516.
    (got,) = ask(["confidence 1.1263911516 0.87"])
    case.near("variance of confidence 0.87", got["v"], 1, tol=2e-10)
    return case


def main():
    cases = [meta("meta/" + os.path.basename(p)) for p in sorted(glob.glob(os.path.join(HERE, "meta", "*.json")))]
    cases += [quantiles(), weighted(), shrink(), shrink_weighted(), robust(), sums(), evidence()]
    for n, case in enumerate(cases, 1):
        for line in case.bad[:10]:
            print("# " + line)
        print("%s %d - %s" % ("not ok" if case.bad or not case.checked else "ok", n, case.name))
        print("# %d numbers, worst relative deviation %.2g" % (case.checked, case.worst))
    print("1..%d" % len(cases))
    return any(case.bad for case in cases)


sys.exit(main())
