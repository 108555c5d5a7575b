"""How often paired tests cry wolf: 2,000 null pairs each; asymptotic tests should reject 4-6 % at 5 %.

    python benchmarks/paired_null.py [--pairs 2000] [--people 200]

Exact McNemar and the corrected t are conservative by construction (at most 6 %); bootstrap intervals should cover
the true difference (zero) in 93-97 %. Exit code 1 when a line is outside its band.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from scipy.special import expit

from training import metrics
from training.audit import paired
from training.metrics import Array


def pair(rng: np.random.Generator, n: int) -> tuple[Array, ...]:
    """Two exchangeable models with correlated errors on the same people."""
    y = rng.normal(size=n)
    shared = rng.normal(size=n)
    return y, *(y + 0.6 * shared + 0.8 * rng.normal(size=n) for _ in range(2))


def bootstrap_covers(rng: np.random.Generator, n: int) -> list[bool]:
    y, first, second = pair(rng, n)
    weights = metrics.resamples(np.arange(n).astype(object), seed=int(rng.integers(1 << 31)), draws=400)
    return [
        (found.lower <= 0 <= found.upper)
        for found in (
            paired.bootstrap(m(y, first, weights), m(y, second, weights))
            for m in (metrics.mae, metrics.rmse, metrics.r2)
        )
    ]


def delong_rejects(rng: np.random.Generator, n: int) -> bool:
    y, first, second = pair(rng, n)
    hit = (rng.random(n) < expit(y)).astype(float)
    return paired.delong(hit, first, second, np.arange(n)).p < 0.05


def mcnemar_rejects(rng: np.random.Generator, n: int, easy: float) -> tuple[bool, str]:
    truth = rng.random(n) < 0.5
    right = [np.where(rng.random(n) < 0.5, rng.random(n) < easy, truth) for _ in range(2)]
    found = paired.mcnemar(right[0], right[1], np.arange(n))
    return found.p < 0.05, found.test


def corrected_t_rejects(rng: np.random.Generator, n: int) -> bool:
    """Repeated 5-fold estimates share their people: the fold means of 3 repeats are correlated."""
    y, first, second = pair(rng, n)
    gap = np.abs(y - second) - np.abs(y - first)
    folds = [rng.permutation(n) % 5 for _ in range(3)]
    means = np.array([gap[fold == k].mean() for fold in folds for k in range(5)])
    return paired.corrected_t(means, test_share=0.25).p < 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--people", type=int, default=200)
    options = parser.parse_args()
    rng, n, pairs = np.random.default_rng(20), options.people, range(options.pairs)
    covered = np.mean([bootstrap_covers(rng, n) for _ in pairs], axis=0)
    asymptotic = [mcnemar_rejects(rng, 4 * n, 0.5) for _ in pairs]
    exact = [mcnemar_rejects(rng, 30, 0.9) for _ in pairs]
    lines = [
        (f"bootstrap of {m} covers", rate, 0.93, 0.97) for m, rate in zip(("mae", "rmse", "r2"), covered, strict=True)
    ]
    lines += [
        ("DeLong rejects", np.mean([delong_rejects(rng, n) for _ in pairs]), 0.04, 0.06),
        ("McNemar rejects", np.mean([p for p, test in asymptotic if test == "McNemar"]), 0.04, 0.06),
        ("McNemar, exact, rejects", np.mean([p for p, test in exact if test == "McNemar, exact"]), 0.0, 0.06),
        ("corrected t rejects", np.mean([corrected_t_rejects(rng, n) for _ in pairs]), 0.0, 0.06),
    ]
    outside = 0
    for name, rate, low, high in lines:
        inside = low <= rate <= high
        outside += not inside
        print(f"{name:<26} {rate:6.2%}   band {low:.0%} to {high:.0%}   {'ok' if inside else 'OUTSIDE'}")
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
