"""How often the checkpoints that cannot be told from the best have a truly best one among them.

    python -m tests.calibration_of_trajectories

Checkpoints of one training answer the same problems alike: each problem has a difficulty that all
share, and each checkpoint a part of its own. The one with most right answers is selected, all
others are compared with it (Bonett and Price, two-sided, Holm). It prints in percent how often a
truly best checkpoint is selected or cannot be told from the selected one, and the same of a given
one of the best; then how many there are of these, and by how many points the value of the selected
one is too high.
"""

import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

from stagelift.evals.stats.difference import of_counts

TRIALS = 4000
SIZES = (50, 128, 500)
# true accuracies, step by step
CURVES = {
    "all equal, of 3": (0.5,) * 3,
    "all equal, of 10": (0.5,) * 10,
    "all equal, of 40": (0.5,) * 40,
    "all equal at 5%, of 10": (0.05,) * 10,
    "a plateau of 5 of 10": (0.1, 0.2, 0.3, 0.4, 0.45) + (0.5,) * 5,
    "a peak of 2 points, of 10": (0.5,) * 7 + (0.52,) + (0.5,) * 2,
    "a peak of 5 points, of 10": (0.5,) * 7 + (0.55,) + (0.5,) * 2,
    "2 best of 10, others far": (0.1,) * 8 + (0.6,) * 2,
    "rising, of 10": tuple(0.30 + 0.02 * step for step in range(10)),
}
ALIKE = (0.3, 0.8)


@dataclass(frozen=True)
class Found:
    """The share of trials that keep a best checkpoint, how many are kept, and by how much the value
    of the selected one is too high.
    """

    kept: float
    size: float
    too_high: float


def selected(curve: tuple[float, ...], n: int, alike: float, trials: int = TRIALS) -> Found:
    """Draw trials of a curve of true accuracies; they are the same every time."""
    rng = np.random.default_rng(20241)
    true = np.array(curve)
    right = _answers(rng, true, n, alike, trials)
    counts = right.sum(axis=2)
    best = counts.argmax(axis=1)
    rows = np.arange(trials)
    of_best = right[rows, best][:, None, :]
    up, down = (right & ~of_best).sum(axis=2), (~right & of_best).sum(axis=2)
    _, _, p = of_counts(up, down, n)
    p[rows, best] = np.inf
    apart = _rejected(p)
    is_best = true == true.max()
    return Found(
        kept=float((~apart & is_best).any(axis=1).mean()),
        size=float((~apart).sum(axis=1).mean()),
        too_high=float((counts[rows, best] / n - true[best]).mean()),
    )


def each_best_kept(curve: tuple[float, ...], n: int, alike: float, trials: int = TRIALS) -> float:
    """Return the lowest share of trials that keep one given checkpoint of the best."""
    rng = np.random.default_rng(20241)
    true = np.array(curve)
    right = _answers(rng, true, n, alike, trials)
    rows, best = np.arange(trials), right.sum(axis=2).argmax(axis=1)
    of_best = right[rows, best][:, None, :]
    up, down = (right & ~of_best).sum(axis=2), (~right & of_best).sum(axis=2)
    _, _, p = of_counts(up, down, n)
    p[rows, best] = np.inf
    kept = ~_rejected(p)
    return float(kept[:, true == true.max()].mean(axis=0).min())


def _answers(
    rng: np.random.Generator, true: np.ndarray, n: int, alike: float, trials: int
) -> np.ndarray:
    """Draw which of n problems each checkpoint has right: (trials, checkpoints, n)."""
    shared = rng.standard_normal((trials, 1, n), dtype=np.float32)
    own = rng.standard_normal((trials, true.size, n), dtype=np.float32)
    latent = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
    return latent < stats.norm.ppf(true)[None, :, None]


def _rejected(p: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Say what Holm rejects, row by row; an infinite p is no test."""
    order = p.argsort(axis=1)
    tests = p.shape[1] - 1
    levels = alpha / np.maximum(1, tests - np.arange(p.shape[1]))
    passed = np.take_along_axis(p, order, axis=1) < levels
    passed = np.logical_and.accumulate(passed, axis=1)
    rejected = np.zeros_like(passed)
    np.put_along_axis(rejected, order, passed, axis=1)
    return rejected


def main() -> None:
    """Print the table."""
    titles = " | ".join(f"n = {n}" for n in SIZES)
    sys.stdout.write(f"| checkpoints | {titles} |\n| :--- |{' ---: |' * len(SIZES)}\n")
    for name, curve in CURVES.items():
        for alike in ALIKE:
            cells = []
            for n in SIZES:
                found = selected(curve, n, alike)
                each = each_best_kept(curve, n, alike)
                cells.append(
                    f"{100 * found.kept:.1f} {100 * each:.1f} {found.size:.1f} "
                    f"{100 * found.too_high:+.1f}"
                )
            sys.stdout.write(f"| {name}, alike {alike} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
