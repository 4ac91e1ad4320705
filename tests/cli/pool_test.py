# SPDX-License-Identifier: Apache-2.0
"""`kith pool` and `kith effect`, against published numbers, against 60 decimal digits, and
against what must hold whatever the numbers are."""
import csv, glob, io, json, math, random
from decimal import Decimal as D

from harness import *
from pool_decimal import *

GOLDEN = os.path.join(SOURCE, "tests", "golden")
HOME = Home(init=False)
NOT_STATISTICS = ("name", "measure", "about", "made_with", "yi", "vi")
METHODS = ("DL", "PM", "REML")


def table(y, v, source=None):
    names = source or [""] * len(y)
    return "effect,variance,source\n" + "".join("%.17g,%.17g,%s\n" % r for r in zip(y, v, names))


def pool(text, *flags):
    d = HOME("pool", "--json", *flags, stdin=text)
    expect(d.code == 0 and d.err == "", d.code, d.err[:500])
    one = d.json()
    same(len(one), 1)
    return one[0]


def near(got, want, what, tol=1e-9, least=1e-6):
    if want is None or got is None:
        return same(got, want, what)
    want = float(want)
    expect(abs(got - want) <= tol * max(abs(want), least) + (1e-15 if least else 0), what,
           "is", got, "and should be", want)


def exact_q(y, v):
    return look([D(a) for a in y], [D(a) for a in v], D(0))[3]


def walk(got, want, what, slack):
    if isinstance(want, dict):
        for key in want:
            walk(got[key], want[key], what + "." + key, slack)
    elif isinstance(want, list):
        for g, w in zip(got, want):
            walk(g, w, what + "[]", slack)
    elif what.endswith(".tau2") and want == 0:
        same(got, 0, what)
    elif what.endswith(".Q_p"):
        expect(abs(got - want) <= 1e-12 + slack, what, got, want)
    else:
        near(got, want, what, 1e-8 if what.endswith("se_tau2") else 1e-9)


def every_published_statistic_comes_out_under_its_name():
    for path in sorted(glob.glob(os.path.join(GOLDEN, "meta", "*.json"))):
        with open(path) as f:
            want = json.load(f)
        got = pool(table(want["yi"], want["vi"]))
        # A stored Q that is off moves its Q_p by less than half of that: tests/golden/README.md.
        slack = abs(float(exact_q(want["yi"], want["vi"])) - want["FE"]["Q"]) / 2
        for key in set(want) - set(NOT_STATISTICS):
            walk(got[key], want[key], want["name"] + "." + key, slack)
        for n, (key, ci) in enumerate((("wald", None), ("hk", "HK"), ("mhk", "mHK"))):
            for m in METHODS[n:n + 1]:
                answer = pool(table(want["yi"], want["vi"]), "--method", m.lower(), "--ci", key)["answer"]
                for name in ("b", "tau2", "I2", "H2"):
                    same(answer[name], got[m][name], name)
                for name in ("se", "ci_lo", "ci_hi"):
                    same(answer[name], (got[m] if ci is None else got[ci][m])[name], name)


def the_effects_of_the_reference_come_out():
    with open(os.path.join(GOLDEN, "effects.csv")) as f:
        text = f.read()
    rows = list(csv.DictReader(io.StringIO(text)))
    for m in ("RR", "OR", "RD", "PLO", "ZCOR"):
        more = ["--columns", "a,b"] if m == "ZCOR" else []
        got = HOME("effect", "--measure", m, "--json", *more, stdin=text).json()
        want = [r for r in rows if r["measure"] == m]
        same(len(got), len(want), m)
        for g, w in zip(got, want):
            near(g["effect"], w["yi"], m, 1e-12)
            near(g["variance"], w["vi"], m, 1e-12)
    with open(os.path.join(GOLDEN, "effects_means.csv")) as f:
        text = f.read()
    want = list(csv.DictReader(io.StringIO(text)))
    got = HOME("effect", "--json", stdin=text).json()
    same([g["measure"] for g in got], [w["measure"] for w in want])
    for g, w in zip(got, want):
        near(g["effect"], w["yi"], w["measure"], 1e-12)
        near(g["variance"], w["vi"], w["measure"], 1e-12)


def hedges_g_is_that_of_its_formula():
    got = HOME("effect", "--measure", "SMD", "--json", stdin="m1,sd1,n1,m2,sd2,n2\n12,3,10,10,4,14\n").json()[0]
    m = 22
    factor = half_gamma(m) / ((D(m) / 2).sqrt() * half_gamma(m - 1))
    g = factor * 2 / ((D(9) * 9 + D(13) * 16) / m).sqrt()
    near(got["effect"], g, "g", 1e-13)
    near(got["variance"], D(1) / 10 + D(1) / 14 + g * g / 48, "its variance", 1e-13)


def the_vaccine_trials_go_from_counts_to_the_published_answer():
    with open(os.path.join(GOLDEN, "meta", "bcg_RR.json")) as f:
        want = json.load(f)
    with open(os.path.join(GOLDEN, "bcg_counts.csv")) as f:
        text = f.read()
    for flags in ([], ["--json"]):
        effects = HOME("effect", "--measure", "RR", *flags, stdin=text)
        same(effects.code, 0)
        got = pool(effects.out)
        for key in set(want) - set(NOT_STATISTICS):
            walk(got[key], want[key], key, 0)


def sets():
    """(name, effects, variances), from one seed."""
    r = random.Random(5)
    for k in (1, 2, 3, 13, 40):
        for name, tau, offset, spread in (("plain", 0.3, 0, 1), ("calm", 0, 0, 1), ("far", 0.3, 1e8, 1),
                                          ("wide", 0.3, 0, 8), ("wild", 1, 0, 300)):
            v = [r.lognormvariate(-2, 1) * 10.0 ** r.uniform(-spread, spread) if spread > 1
                 else r.lognormvariate(-2, 1) for _ in range(k)]
            y = [offset + r.gauss(0, math.sqrt(tau * tau + b)) if b < 1e100 else r.gauss(0, math.sqrt(b)) for b in v]
            yield "%s %d" % (name, k), y, v
    yield "equal variances", [0.1, 0.5, -0.2, 0.9], [0.04] * 4
    yield "ties", [0.2, 0.2, 0.2, 0.7, 0.7], [0.1, 0.1, 0.2, 0.01, 0.01]
    yield "all the same", [3.25] * 6, [0.5] * 6
    yield "at the boundary", [-1.0, 1.0], [1.0, 1.0]  # Q is exactly k - 1
    yield "just above it", [-1.0, 1.0000001], [1.0, 1.0]
    yield "one rules", [0.0, 1.0, -1.0], [1e-300, 1.0, 1.0]
    yield "ends of the range", [1e-300, 2e-300, -5e-300, 4e-300], [1e-300, 1e300, 3e-300, 2e300]
    yield "tiny", [1e-150, 3e-150, -2e-150], [1e-300, 2e-300, 4e-300]
    yield "huge", [1e150, 3e150, -2e150], [1e300, 2e300, 4e300]


def check_tails(one, k, name):
    """The quantiles inside the intervals, by their own distributions."""
    if k < 2:
        return
    se = D(one["mHK"]["PM"]["se"])
    t = (D(one["mHK"]["PM"]["ci_hi"]) - D(one["mHK"]["PM"]["ci_lo"])) / 2 / se
    if D(one["mHK"]["PM"]["ci_hi"]) - D(one["PM"]["b"]) > abs(D(one["PM"]["b"])) * D("1e-5"):
        near(float(t_upper(t, k - 1)), 0.025, name + " t", 1e-9)


def sixty_decimal_digits_agree():
    for name, y, v in sets():
        one, k = pool(table(y, v)), len(y)
        a, b = [D(x) for x in y], [D(x) for x in v]
        w, W, mu, q = look(a, b, D(0))
        least = 1e-3 * float(1 / W.sqrt())
        near(one["FE"]["b"], mu, name + " FE", 1e-12, least)
        near(one["FE"]["se"], 1 / W.sqrt(), name + " se", 1e-13, 0)
        near(one["FE"]["Q"], q, name + " Q", 1e-12, 1e-12)
        same(one["k"], k)
        if k == 1:
            for m in METHODS:
                same((one[m]["tau2"], one[m]["b"]), (0, y[0]), name)
            same((one["FE"]["Q"], one["FE"]["Q_p"], one["FE"]["I2"], one["FE"]["H2"]), (0, 1, 0, 1), name)
            same((one["HK"]["PM"]["ci_lo"], one["Qprofile"]["lo"]), (None, None), name)
            continue
        near(one["FE"]["Q_p"], chi2_upper(q, k - 1) if q < 400 else 0, name + " Q_p", 0, 1)
        tau2 = {"DL": dl(a, b), "PM": where_q(a, b, D(k - 1)), "REML": D(one["REML"]["tau2"])}
        typical = (k - 1) * W / (2 * sum(w[i] * w[j] for i in range(k) for j in range(i)))
        small = 1e-6 * float(typical)
        for m in METHODS:
            near(one[m]["tau2"], tau2[m], name + " tau2 " + m, 1e-11, small)
            _, Wm, mum, qm = look(a, b, D(one[m]["tau2"]))
            near(one[m]["b"], mum, name + " b " + m, 1e-12, 1e-3 * float(1 / Wm.sqrt()))
            near(one[m]["se"], 1 / Wm.sqrt(), name + " se " + m, 1e-13, 0)
            near(one["HK"][m]["q"], qm / (k - 1), name + " q " + m, 1e-10, 1e-6)
            near(one["mHK"][m]["q"], max(D(1), qm / (k - 1)), name + " q " + m, 1e-10, 1e-6)
        check_reml(a, b, tau2["REML"], typical, name)
        for end, p in (("lo", D("0.025")), ("hi", D("0.975"))):
            edge = D(one["Qprofile"][end])
            at = look(a, b, edge)[3]
            if edge > 0 and at < 400:
                near(float(chi2_upper(at, k - 1)), float(p), name + " Q-profile " + end, 1e-9, 1)
        check_tails(one, k, name)


def check_reml(y, v, tau2, typical, name):
    """It is a summit, and none of many places beside it is higher."""
    if tau2 > 0:
        step = D("1e-9") * (tau2 + D("1e-6") * typical)
        expect(score(y, v, max(D(0), tau2 - step)) > 0 > score(y, v, tau2 + step), name, "REML is no summit")
    else:
        expect(score(y, v, D(0)) <= 0 or score(y, v, D("1e-9") * typical) <= 0, name, "0 is no summit")
    top = loglik(y, v, tau2)
    for power in range(-12, 13):
        expect(loglik(y, v, typical * D(10) ** power) <= top + D("1e-12"), name, "a higher place")
    expect(loglik(y, v, D(0)) <= top + D("1e-12"), name, "0 is higher")


def numbers(one, leave=("shrink", "v", "kind")):
    """All statistics by their path."""
    found = {}

    def into(x, path):
        if isinstance(x, dict):
            for key in x:
                into(x[key], path + (key,))
        elif isinstance(x, list):
            found[path] = len(x)
        else:
            found[path] = x
    into({key: x for key, x in one.items() if key not in leave}, ())
    return found


def rows_in_any_order_give_the_same_bits():
    r = random.Random(6)
    for name, y, v in sets():
        want = numbers(pool(table(y, v), "--robust"))
        for _ in range(2):
            order = list(range(len(y)))
            r.shuffle(order)
            got = numbers(pool(table([y[i] for i in order], [v[i] for i in order]), "--robust"))
            for path in want:
                same(got[path], want[path], name + " " + ".".join(path))


# What a statistic is multiplied with when effects are multiplied with c.
POWER = {"S1": -2, "S2": -4, "S3": -1, "Q": 0, "Q_p": 0, "I2": 0, "H2": 0, "q": 0, "tau2": 2, "lo": 2, "hi": 2,
         "se_tau2": 2, "tau2_lo": 2, "tau2_hi": 2, "S4": 0}


def a_change_of_unit_changes_nothing_else():
    for name, y, v in sets():
        if max(v) > 1e100 or min(v) < 1e-100:
            continue
        one = numbers(pool(table(y, v), "--robust"))
        for power in (-41, 300):
            c = 2.0 ** power
            other = numbers(pool(table([x * c for x in y], [x * c * c for x in v]), "--robust"))
            for path, x in one.items():
                if x is None or isinstance(x, (bool, str)) or path[-1] in ("loglik", "k", "rows", "S0"):
                    continue
                if path[-1] in ("lo", "hi") and path[0] == "PI_hts":
                    n = 1
                else:
                    n = POWER.get(path[-1], 0 if isinstance(x, int) and path[-1] != "b" else 1)
                if isinstance(x, float) and x != 0 and abs(math.log2(abs(x)) + n * power) < 1000:
                    want = math.ldexp(x, n * power)
                    expect(abs(other[path] - want) <= 4e-15 * abs(want) or abs(x) < 1e-12,
                           name, power, path, other[path], want)


def a_shift_moves_the_mean_and_nothing_else():
    for name, y, v in sets():
        y = [round(x * 64) / 64 for x in y if abs(x) < 1e6]  # so that the shift rounds nothing
        v = v[:len(y)]
        if len(y) < 2:
            continue
        one, other = pool(table(y, v)), pool(table([x + 1024 for x in y], v))
        for m in METHODS:
            for key in ("tau2", "se", "I2", "H2"):
                same(other[m][key], one[m][key], name + " " + key)
            near(other[m]["b"] - 1024, one[m]["b"], name, 1e-12, 1024)


def many_rows_are_pooled_as_exactly_as_few():
    r = random.Random(7)
    y, v = [], []
    for _ in range(20000):
        v.append(r.lognormvariate(0, 1))
        y.append(50 + r.gauss(0, math.sqrt(0.2 + v[-1])))
    one = pool(table(y, v))
    a, b = [D(x) for x in y], [D(x) for x in v]
    w, W, mu, q = look(a, b, D(0))
    near(one["FE"]["b"], mu, "FE", 1e-14, 1)
    near(one["FE"]["Q"], q, "Q", 1e-13)
    dl_ = (q - (len(y) - 1)) / (W - sum(x * x for x in w) / W)
    near(one["DL"]["tau2"], dl_, "DL", 1e-11)
    near(float(look(a, b, D(one["PM"]["tau2"]))[3] / (len(y) - 1)), 1, "PM", 1e-11)
    expect("shrink" not in one, "twenty thousand fits for the own results")


def one_liar_among_ten_is_named_and_both_answers_are_shown():
    y, v = [0.1, 0.2, 0.0, 0.15, 0.05, 0.12, 0.3, -0.1, 0.18, 9.0], [0.02] * 9 + [1e-6]
    names = ["s%d" % i for i in range(9)] + ["sly"]
    for c in (1.0, 2.0 ** 500, 2.0 ** -400):
        answer = pool(table([x * c for x in y], [x * c * c for x in v], names), "--robust")["answer"]
        same([f["source"] for f in answer["flagged"]], ["sly"])
        same((answer["k"], answer["alarm"], answer["robust"]), (9, True, True))
        expect(abs(answer["b"] / c) < 0.25 and answer["plain"] / c > 0.5, answer)
        near(answer["hodges_lehmann"] / c, 0.125, "Hodges-Lehmann", 1)
    near(answer["m"] / c, answer["b"] / c, "the robust centre", 0.2)


def hodges_lehmann_is_the_median_of_all_pairs():
    with open(os.path.join(GOLDEN, "robust.json")) as f:
        cases = [c for c in json.load(f).values() if isinstance(c, dict)]
    found = 0
    for c in cases:
        if "walsh_median" in c:
            found += 1
            near(pool(table(c["y"], c["v"]), "--robust")["answer"]["hodges_lehmann"], c["walsh_median"], "", 1e-14)
    r = random.Random(8)
    for k in (1, 2, 3, 4, 9, 30):
        y = [round(r.gauss(0, 3)) / 2 for _ in range(k)]
        means = sorted((y[i] + y[j]) / 2 for i in range(k) for j in range(i + 1))
        n = len(means)
        want = means[n // 2] if n % 2 else (means[n // 2 - 1] + means[n // 2]) / 2
        same(pool(table(y, [1.0] * k), "--robust")["answer"]["hodges_lehmann"], want)
    expect(found > 0, "no walsh_median in robust.json")


def one_source_is_one_vote():
    alone = pool("effect,variance\n0.1,0.02\n0.4,0.05\n0.3,0.01\n")
    copies = pool("effect,variance,source\n0.1,0.02,a\n0.4,0.05,b\n0.1,0.02,a\n0.3,0.01,c\n0.1,0.02,a\n")
    same((copies["k"], copies["rows"], copies["copies"]), (3, 5, 2))
    same(numbers(copies, ("shrink", "rows", "copies")), numbers(alone, ("shrink", "rows", "copies")))
    parts = pool("effect,variance,source\n0.0,0.04,a\n0.4,0.05,b\n0.2,0.04,a\n0.3,0.01,c\n")
    same((parts["k"], parts["combined"]), (3, 2))
    near(parts["PM"]["b"], alone["PM"]["b"], "two windows of one source", 1e-14)


def csv_and_json_lines_say_the_same():
    want = numbers(pool("effect,variance,source\n0.1,0.02,x\n0.3,0.05,y\n1e-1,2E-2,\n"))
    for text in ('{"effect":0.1,"variance":0.02,"source":"x"}\n\n{"variance":"0.05","effect":0.3,"source":"y"}\n'
                 '{"yi":0.1,"vi":0.02,"v":1,"kind":"effect","source":null}\n',
                 '\ufeff"source", variance ,other,"effect"\r\n"x",0.02,"a ""b"", c",0.1\r\ny,0.05,,.3\r\n,0.02,,0.1',
                 "yi,vi,source\n0.1,0.02,x\n+0.3,5e-2,y\n0.10,0.020,\n"):
        same(numbers(pool(text)), want, text)


BAD = [("", 0), ("\n\n", 0), ("effect,variance\n", 0), ("0.1,0.2\n0.3,0.1\n", 1), ("effect\n1\n", 1),
       ("effect,variance\n1,0\n", 2), ("effect,variance\n1,-1\n", 2), ("effect,variance\n1,nan\n", 2),
       ("effect,variance\ninf,1\n", 2), ("effect,variance\n1e999,1\n", 2), ("effect,variance\n1,1e-999\n", 2),
       ("effect,variance\n1\n", 2), ("effect,variance\n1,\n", 2), ("effect,variance\n0x10,1\n", 2),
       ("effect,variance\n1,2\n1,2 3\n", 3), ('effect,variance\n"1,2\n', 2), ('effect,variance\n"1"x,2\n', 2),
       ("effect,yi,variance\n1,1,2\n", 1), ('{"effect":1}\n', 1), ('{"effect":1,"variance":1\n', 1), ("{}\n", 1),
       ('{"effect":1,"variance":1}\n[]\n', 2), ('{"effect":1,"variance":[1]}\n', 1),
       ('{"effect":1,"yi":2,"variance":1}\n', 1), ('{"effect":1,"variance":1e999}\n', 1),
       ('{"effect":1,"effect":1,"variance":1}\n', 1), ("effect,variance\n1,2\x00\n", 2),
       ("effect,variance\n1," + "2" * 70000 + "\n", 2)]


def a_bad_row_is_told_with_its_line_and_nothing_is_computed():
    for text, line in BAD:
        for flags in ([], ["--json"]):
            d = HOME("pool", *flags, stdin=text)
            same((d.code, d.out), (65, ""), repr(text[:60]))
            expect("line %d" % line in d.err if line else "no row" in d.err, text[:60], d.err)
            expect(("E029" in d.err) and ("do" in d.err) and ("why" in d.err), d.err)
    for text, flags in (("a,b,c,d\n1,2,3,4\n-1,2,3,4\n", ["--measure", "RR"]), ("r,n\n1,9\n", ["--measure", "ZCOR"]),
                        ("r,n\n0.5,3\n", ["--measure", "ZCOR"]), ("x,n\n5,4\n", ["--measure", "PLO"]),
                        ("a,b,c,d\n0,0,3,4\n", ["--measure", "OR"]), ("a,b\n1,2\n", ["--measure", "OR"]),
                        ("m1,sd1,n1,m2,sd2,n2\n1,1,5,-1,1,5\n", ["--measure", "ROM"]), ("a,b,c,d\n1,2,3,4\n", [])):
        d = HOME("effect", *flags, stdin=text)
        same((d.code, d.out), (65, ""), text)
    d = HOME("effect", "--measure", "RR", "--columns", "x,y", stdin="x,y\n1,2\n")
    same((d.code, d.out), (64, ""), d.err)


def a_table_without_json_names_the_row_that_is_the_answer():
    d = HOME("pool", "--method", "dl", "--ci", "hk", "--format", "{method} {ci} {answer}",
             stdin="effect,variance\n0.1,0.02\n0.3,0.05\n")
    same([line for line in d.out.splitlines() if "yes" in line], ["DL HK yes"])


try:
    main([every_published_statistic_comes_out_under_its_name, the_effects_of_the_reference_come_out,
          hedges_g_is_that_of_its_formula, the_vaccine_trials_go_from_counts_to_the_published_answer,
          sixty_decimal_digits_agree, rows_in_any_order_give_the_same_bits, a_change_of_unit_changes_nothing_else,
          a_shift_moves_the_mean_and_nothing_else, many_rows_are_pooled_as_exactly_as_few,
          one_liar_among_ten_is_named_and_both_answers_are_shown, hodges_lehmann_is_the_median_of_all_pairs,
          one_source_is_one_vote, csv_and_json_lines_say_the_same,
          a_bad_row_is_told_with_its_line_and_nothing_is_computed,
          a_table_without_json_names_the_row_that_is_the_answer])
finally:
    HOME.remove()
