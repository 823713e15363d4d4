"""A mean over all judged prompts, from a judge's score of each and people's labels of a few.

Prediction-powered inference (Angelopoulos et al. 2023, Science 382:669; with the power tuning of
PPI++, Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453): the labels' mean, plus a slope times
how much the judge's mean over all prompts differs from its mean over the labelled ones. Labelled
prompts are some of the judged ones, so the best slope is that of least squares of labels on scores,
and the estimate is the regression estimator of double sampling (Cochran 1977, Sampling Techniques,
section 12.7). A judge that knows nothing has a slope near zero: what is left are the labels alone.

It holds where the labelled prompts are a random sample of the judged ones. It does not measure how
much other people would have said otherwise: the unit is the prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from statsmodels.regression.linear_model import OLS

from stagelift.evals.stats.difference import CONFIDENCE, Difference
from stagelift.evals.stats.estimates import is_constant

# fewer labels show too little of how a judge errs
FEWEST = 20
# the third moment over the error cubed, what t leaves out: up to here it keeps its coverage
# (`python -m benchmarks.votes`)
_SKEWED = 0.3
# of a share squared: less is what rounding leaves
_NOTHING = 1e-12


@dataclass(frozen=True)
class Corrected:
    """A mean lead over one half, corrected by labels.

    `slope` is what a judge's score counts for. The variance has two parts: `of_labels`, which more
    labels make smaller, and `of_judged`, which only more judged prompts do.
    """

    lead: Difference
    labels: int
    judged: int
    slope: float
    of_labels: float
    of_judged: float

    @property
    def half_width(self) -> float:
        """Half the width of the 95% interval, before it is cut off at the ends."""
        return self.half_width_with(self.labels)

    def half_width_with(self, labels: int) -> float:
        """Half the width with so many labels of the same judged prompts, all else as it is."""
        variance = self.of_labels * self.labels / labels + self.of_judged
        return float(stats.t.ppf(0.5 + CONFIDENCE / 2, _degrees(labels))) * sqrt(variance)

    def more_to_halve(self) -> int | None:
        """Return how many more labels would halve the interval; None where no number of them on
        these judged prompts would, and where prompts come in clusters: more of them says nothing.
        """
        goal = self.half_width / 2
        if self.lead.clusters is not None or self.half_width_with(self.judged) > goal:
            return None
        few, many = self.labels, self.judged
        while many - few > 1:
            middle = (few + many) // 2
            if self.half_width_with(middle) > goal:
                few = middle
            else:
                many = middle
        return many - self.labels


def corrected(
    scores: Sequence[float],
    labels: Sequence[float | None],
    clusters: Sequence[str] | None = None,
) -> Corrected:
    """Estimate the mean label of all prompts as its lead over one half.

    `scores` are a judge's, in [0, 1], one per prompt, and `labels` are people's, in [0, 1], None
    where nobody was asked. Where prompts come in `clusters` (one name per prompt), these vary
    independently; k counts those with a label. Residuals are divided by 1 - leverage (HC3), and t
    has k - 2 degrees of freedom, without clusters n - 2.

    Where the estimate is skewed, or no residual is left, two labels are added that contradict the
    judge, one each way (Bonett and Price's idea, see `difference`): a few labels in which it never
    errs do not prove that it does not. Raises ValueError below two labels.
    """
    judge = np.asarray(scores, dtype=float)
    known = np.array([label is not None for label in labels])
    if known.sum() < 2:
        raise ValueError(f"A correction needs two labels or more, there are {known.sum()}.")
    said = np.array([label for label in labels if label is not None], dtype=float)
    groups = np.arange(judge.size)
    if clusters is not None:
        groups = np.unique(list(clusters), return_inverse=True)[1]
    sample = _Sample(judge, known, said, groups)
    found = _estimate(sample, np.empty(0), np.empty(0))
    if not found.holds():
        found = _estimate(sample, np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    units = len({*groups[known]})
    lead = _lead(found, said.size, units)
    if clusters is not None:
        lead = replace(lead, clusters=units)
    return Corrected(lead, said.size, judge.size, found.slope, found.of_labels, found.of_judged)


class _Sample(NamedTuple):
    """All scores of a judge, which of these prompts have a label, the labels, and every prompt's
    group.
    """

    judge: np.ndarray
    known: np.ndarray
    said: np.ndarray
    groups: np.ndarray


class _Estimate(NamedTuple):
    """An estimate, the centre of its interval, the parts of its variance, and its third moment."""

    value: float
    centre: float
    slope: float
    of_labels: float
    of_judged: float
    third: float

    def holds(self) -> bool:
        """Say whether t can be relied on: labels vary, and what t leaves out is small."""
        if not self.of_labels > _NOTHING:
            return False
        error = sqrt(self.of_labels + self.of_judged)
        return abs(self.third) <= _SKEWED * error**3


def _estimate(sample: _Sample, scores: np.ndarray, labels: np.ndarray) -> _Estimate:
    """Fit a sample with some labels added, on scores of their own."""
    judge, known, said, groups = sample
    fit = _fit(np.append(said, labels), np.append(judge[known], scores))
    at = np.array([1.0, judge.mean()])[: fit.params.size]
    slope = float(fit.params[1]) if at.size > 1 else 0.0
    # added labels stand alone
    alone = groups.max() + 1 + np.arange(labels.size)
    of_labels = np.bincount(
        np.append(groups[known], alone), _influence(fit, at), minlength=groups.max() + 1
    )
    of_judged = np.bincount(groups, slope * (judge - judge.mean()) / judge.size)
    voted = len({*groups[known]}) if of_judged.size < judge.size else None
    variances = _variances(of_labels, of_judged, voted)
    return _Estimate(
        float(said.mean() + slope * (judge.mean() - judge[known].mean())),
        float(fit.params @ at),
        slope,
        *variances,
        float(np.sum(of_labels**3) + np.sum(of_judged**3)),
    )


def _fit(labels: np.ndarray, scores: np.ndarray) -> Any:
    """Fit labels on scores by least squares.

    A judge that says the same of all, or the opposite of people, has no say.
    """
    constant = np.ones((labels.size, 1))
    if is_constant(scores):
        return OLS(labels, constant).fit()
    fit = OLS(labels, np.column_stack([constant, scores])).fit()
    return fit if fit.params[1] > 0 else OLS(labels, constant).fit()


def _influence(fit: Any, at: np.ndarray) -> np.ndarray:
    """Return what each label adds to the mean fitted `at` a row of the design, as if it had not
    been in the fit; nan where the fit goes through one label alone.
    """
    design = fit.model.exog
    weights = design @ fit.normalized_cov_params @ at
    leverage = np.einsum("ij,jk,ik->i", design, fit.normalized_cov_params, design)
    free = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)
    return np.asarray(weights * fit.resid / free)


def _variances(
    of_labels: np.ndarray, of_judged: np.ndarray, voted: int | None
) -> tuple[float, float]:
    """Return the two parts of the variance, from sums by unit; `voted` is how many of these have a
    label where they are clusters.

    Residuals do not go with scores, but where units are clusters their sums may.
    """
    of_judged = of_judged * _freed(of_judged.size)
    judged = float(of_judged @ of_judged)
    if voted is None:
        return float(of_labels @ of_labels), judged
    of_labels = of_labels * _freed(voted)
    both = 2 * float(of_labels[: of_judged.size] @ of_judged)
    return float(of_labels @ of_labels), max(0.0, judged + both)


def _freed(units: int) -> float:
    """Return what makes up in a standard error for the mean that so many units are taken from."""
    return sqrt(units / max(1, units - 1))


def _lead(found: _Estimate, labels: int, units: int) -> Difference:
    error, degrees = sqrt(found.of_labels + found.of_judged), _degrees(units)
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, degrees)) * error
    centre = found.centre - 0.5
    low, high = max(-0.5, centre - half), min(0.5, centre + half)
    return Difference(
        delta=min(max(found.value - 0.5, low), high),
        low=low,
        high=high,
        n=labels,
        p=float(2 * stats.t.sf(abs(centre) / error, degrees)),
        sd=error * sqrt(units),
        units=units,
    )


def _degrees(units: int) -> int:
    """Two of the units are used up by the fit."""
    return max(1, units - 2)
