"""Win rate at equal lengths: what a judge would say if the candidate wrote neither more nor less
than the other.

The estimator of length-controlled AlpacaEval (Dubois et al. 2024, arXiv:2404.04475) without its
regularisation: a binomial GLM of the score on tanh(length difference / sd), read off at a
difference of zero. It takes out whatever goes with length, a judge's taste and real merit alike,
and it cannot say what an unseen length would have got: see `extrapolates`.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats
from statsmodels.discrete.discrete_model import Logit
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning, SingularMatrixWarning

from stagelift.evals.stats.power import Difference, mde, prompts_needed

# scores and length differences, one of each per prompt
Scored = tuple[Sequence[float], Sequence[float]]

RESAMPLES = 1000
# log-odds no real fit reaches (3 in 10 million): an infinite maximum that IRLS has given up on
_SEPARATED = 15.0


@dataclass(frozen=True)
class LengthControlled:
    """Win rate at equal lengths with its 95% interval, over n prompts.

    `longer` is the share of pairs in which the candidate is longer. Below 0.10 or above 0.90 the
    value `extrapolates`: mark it, and do not gate on it. `p` is of the test against one half, `mde`
    and `needed` are as in `Difference`; all three are None where every pair is a tie.
    """

    value: float
    low: float
    high: float
    n: int
    longer: float
    extrapolates: bool
    p: float | None
    mde: float | None
    needed: int | None


def length_controlled(
    scores: Sequence[float],
    length_differences: Sequence[float],
    difficulty: Sequence[float] | None = None,
) -> LengthControlled | None:
    """Fit scores in [0, 1] on length differences (candidate minus other, any unit), paired by
    prompt.

    `difficulty` is one log-odds per prompt; the value is then the mean over prompts. The interval
    is by the delta method on the logit scale, so it stays in [0, 1]. Where all lengths are equal
    the value is the plain win rate. None where the fit has no finite or no unique maximum: scores
    that are all the same (ties excepted) or separated by length, one length difference throughout,
    too few prompts.
    """
    y, lengths = np.asarray(scores, dtype=float), np.asarray(length_differences, dtype=float)
    if y.size == 0:
        return None
    longer = float(np.mean(lengths > 0))
    # equal lengths are where the value is read off
    extrapolates = bool(lengths.any()) and not 0.10 <= longer <= 0.90
    if not (y - 0.5).any():
        return LengthControlled(0.5, 0.5, 0.5, y.size, longer, extrapolates, None, None, None)
    controls = np.ones((y.size, 1))
    if difficulty is not None:
        controls = np.column_stack([controls, difficulty])
    fit = _fit(y, _design(controls, lengths))
    if fit is None:
        return None
    value, error = _at_equal_lengths(fit, controls.shape[1])
    # extrapolated out of all bounds
    if abs(special.logit(value)) > _SEPARATED:
        return None
    low, high, p = _on_the_logit_scale(value, error, fit.df_resid)
    sd = error * float(np.sqrt(y.size))
    needed = prompts_needed(value - 0.5, sd)
    return LengthControlled(
        value, low, high, y.size, longer, extrapolates, p, mde(sd, y.size), needed
    )


def length_controlled_difference(first: Scored, second: Scored) -> Difference | None:
    """Compare two candidates against one other model: first minus second at equal lengths, in
    shares.

    Both are aligned by prompt. The standard error is of a bootstrap over prompts that refits both
    every time, sd included; interval and p are t on it, so that they agree and p is fine enough for
    Holm. None where either cannot be fitted; where either extrapolates (see `length_controlled`),
    so does the difference. Raises ValueError where the candidates have different numbers of
    prompts.
    """
    sides = [
        (np.asarray(scores, dtype=float), np.asarray(lengths, dtype=float))
        for scores, lengths in (first, second)
    ]
    n = sides[0][0].size
    if sides[1][0].size != n:
        raise ValueError(
            f"Two candidates are compared on the same prompts, got {n} and {sides[1][0].size} "
            "scores."
        )
    mine, theirs = length_controlled(*first), length_controlled(*second)
    if mine is None or theirs is None:
        return None
    are_all_ties = mine.p is None and theirs.p is None
    are_equal = all(np.array_equal(a, b) for a, b in zip(*sides, strict=True))
    if are_all_ties or are_equal:
        return Difference(0.0, 0.0, 0.0, n, None, None, None)
    return _compared(mine.value - theirs.value, _bootstrap_error(sides), n)


def _design(controls: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Put tanh(length difference / sd) after the controls; where no length differs there is no such
    column.
    """
    if not lengths.any():
        return controls
    sd = lengths.std() or 1.0
    return np.column_stack([controls, np.tanh(lengths / sd)])


def _fit(y: np.ndarray, design: np.ndarray) -> Any | None:
    """Fit with standard errors that allow for fractional scores; None where there is nothing to
    find (see above).
    """
    columns = design.shape[1]
    if np.ptp(y) == 0 or y.size <= columns or np.linalg.matrix_rank(design) < columns:
        return None
    with _expected_warnings():
        try:
            fit = GLM(y, design, Binomial()).fit(cov_type="HC1", use_t=True)
        except np.linalg.LinAlgError:
            # so separated that no weight is left to take an error from
            return None
        separated = np.abs(fit.predict(which="linear")).max() > _SEPARATED
        # nothing left over to take an error from
        exact = np.abs(fit.resid_response).max() < 1e-6
    return None if separated or exact else fit


@contextmanager
def _expected_warnings() -> Iterator[None]:
    """Drop what statsmodels says of separated or singular fits: `_fit` looks for them, and a
    resample may be one.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        for expected in (PerfectSeparationWarning, SingularMatrixWarning):
            warnings.simplefilter("ignore", expected)
        yield


def _at_equal_lengths(fit: Any, controls: int) -> tuple[float, float]:
    """Mean prediction over prompts at a length difference of zero, and its standard error.

    The error of the coefficients (delta method) and of having seen these prompts only: the sem of
    the fitted values alone, which leaves the first part out, is the known mistake.
    """
    equal = fit.model.exog.copy()
    equal[:, controls:] = 0
    mean = fit.get_prediction(equal, which="mean", average=True)
    # zero without difficulty
    over_prompts = float(fit.predict(equal).var(ddof=1)) / len(equal)
    error = np.sqrt(np.squeeze(mean.se) ** 2 + over_prompts)
    return float(np.squeeze(mean.predicted)), float(error)


def _on_the_logit_scale(value: float, error: float, degrees: float) -> tuple[float, float, float]:
    """Return the ends of the 95% interval and the p against one half, both t."""
    centre = float(special.logit(value))
    logit_error = error / (value * (1 - value))
    half = float(stats.t.ppf(0.975, degrees)) * logit_error
    p = float(2 * stats.t.sf(abs(centre) / logit_error, degrees))
    return float(special.expit(centre - half)), float(special.expit(centre + half)), p


def _bootstrap_error(sides: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Standard error of the difference, the same resampled prompts for both candidates."""

    def resampled(prompts: np.ndarray) -> float:
        mine, theirs = (_refit(scores[prompts], lengths[prompts]) for scores, lengths in sides)
        return mine - theirs

    prompts = np.arange(sides[0][0].size)
    rng = np.random.default_rng(0)
    with _expected_warnings():
        result = stats.bootstrap(
            (prompts,),
            resampled,
            n_resamples=RESAMPLES,
            vectorized=False,
            method="percentile",
            rng=rng,
        )
    return float(result.standard_error)


def _refit(y: np.ndarray, lengths: np.ndarray) -> float:
    """Fit the value alone.

    Logit has the score equations of the GLM and solves them four times as fast.
    """
    design = _design(np.ones((y.size, 1)), lengths)
    try:
        fit = Logit(y, design, check_rank=False).fit(
            disp=False, skip_hessian=True, warn_convergence=False
        )
    # a singular resample, which the GLM's pseudo-inverse gets through
    except np.linalg.LinAlgError:
        fit = GLM(y, design, Binomial()).fit()
    return float(special.expit(fit.params[0]))


def _compared(delta: float, error: float, n: int) -> Difference:
    half = float(stats.t.ppf(0.975, n - 1)) * error
    p = float(2 * stats.t.sf(abs(delta) / error, n - 1))
    sd = error * float(np.sqrt(n))
    return Difference(
        delta,
        max(-1.0, delta - half),
        min(1.0, delta + half),
        n,
        p,
        mde(sd, n),
        prompts_needed(delta, sd),
    )
