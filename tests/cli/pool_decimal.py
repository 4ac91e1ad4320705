# SPDX-License-Identifier: Apache-2.0
"""Meta-analysis in 60 decimal digits, from the textbook's formulas: what `kith pool` prints is
held against it. It shares nothing with the library, not even the way equations are solved."""
from decimal import Decimal as D, getcontext, localcontext

getcontext().prec = 60
getcontext().Emax, getcontext().Emin = 999999, -999999
PI = D("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def look(y, v, tau2):
    w = [1 / (b + tau2) for b in v]
    W = sum(w)
    mu = sum(a * b for a, b in zip(w, y)) / W
    return w, W, mu, sum(a * (b - mu) ** 2 for a, b in zip(w, y))


def where_q(y, v, target):
    """The tau2 at which Q falls to target, by halving its logarithm."""
    if look(y, v, D(0))[3] <= target:
        return D(0)
    low, high = min(v) * D("1e-80"), (max(y) - min(y)) ** 2 / target * 4 + max(v)
    while look(y, v, high)[3] > target:
        high *= 16
    for _ in range(4000):
        middle = (low * high).sqrt()
        if high / low < 1 + D("1e-45"):
            break
        low, high = (middle, high) if look(y, v, middle)[3] > target else (low, middle)
    return high


def score(y, v, tau2):
    w, W, mu, _ = look(y, v, tau2)
    return sum(a * a * (b - mu) ** 2 for a, b in zip(w, y)) - (W - sum(a * a for a in w) / W)


def loglik(y, v, tau2):
    w, W, _, q = look(y, v, tau2)
    return -(sum((b + tau2).ln() for b in v) + W.ln() + q) / 2


def dl(y, v):
    w, W, _, q = look(y, v, D(0))
    pairs = sum(w[i] * w[j] for i in range(len(w)) for j in range(i))
    return max(D(0), (q - (len(y) - 1)) * W / (2 * pairs))


def half_gamma(twice):
    """gamma(twice / 2)"""
    g, at = (PI.sqrt(), 1) if twice % 2 else (D(1), 2)
    while at < twice:
        g, at = g * at / 2, at + 2
    return g


def chi2_upper(x, df):
    """1 - the series of the lower incomplete gamma, with digits to lose."""
    with localcontext() as c:
        c.prec = 120 + int(x)
        a, h = D(df) / 2, x / 2
        if h == 0:
            return D(1)
        term = h ** a * (-h).exp() / half_gamma(df + 2)
        total, n = D(0), 0
        while term > D(10) ** -(110 + int(x)) or n < h:
            total, n = total + term, n + 1
            term = term * h / (a + n)
        return 1 - total


def t_upper(t, df):
    """Half of the incomplete beta at df / (df + t^2), by its hypergeometric series."""
    with localcontext() as c:
        c.prec = 80
        a, b, x = D(df) / 2, D(1) / 2, D(df) / (df + t * t)
        front = x ** a * (1 - x) ** b / a * half_gamma(df + 1) / (half_gamma(df) * PI.sqrt())
        total, term, n = D(0), D(1), 0
        while term > D("1e-60"):
            total += term
            term *= (a + b + n) / (a + 1 + n) * x
            n += 1
        return front * total / 2
