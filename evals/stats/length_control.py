"""Win rate at equal lengths: what a judge would say if the candidate wrote neither more nor less
than the other.

The estimator of length-controlled AlpacaEval (Dubois et al. 2024, arXiv:2404.04475) without its
regularisation: a binomial GLM of the score on tanh(length difference / sd), read off at a
difference of zero. It is no causal claim: it takes out whatever goes with length, a judge's taste
and real merit alike, and does not say what a model asked to write less would have got. Nor can it
say what an unseen length would have got: see `extrapolates`.
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

from stagelift.evals.stats import planning
from stagelift.evals.stats.difference import CONFIDENCE, Difference, difference

# scores and length differences, one of each per prompt
Scored = tuple[Sequence[float], Sequence[float]]

RESAMPLES = 1000
# log-odds no real fit reaches (3 in 10 million): an infinite maximum that IRLS has given up on
_SEPARATED = 15.0


@dataclass(frozen=True)
class LengthControlled:
    """Win rate at equal lengths as its `difference` to one half, over n prompts.

    `longer` is the share of pairs of unequal length in which the candidate is longer (one half
    where there are none). Below 0.10 or above 0.90, where a tenth of the pairs or more are of
    unequal length, and where the mean length difference is over one standard deviation, equal
    lengths are beyond most of what was seen and the value `extrapolates`: mark it, and do not gate
    on it.
    """

    difference: Difference
    longer: float
    extrapolates: bool

    @property
    def value(self) -> float:
        """The win rate at equal lengths."""
        return 0.5 + self.difference.delta

    @property
    def low(self) -> float:
        """The lower end of its 95% interval."""
        return 0.5 + self.difference.low

    @property
    def high(self) -> float:
        """The upper end of its 95% interval."""
        return 0.5 + self.difference.high

    @property
    def n(self) -> int:
        """The number of prompts."""
        return self.difference.n

    @property
    def p(self) -> float:
        """The p of the test against one half."""
        return self.difference.p

    @property
    def mde(self) -> float | None:
        """The smallest lead that a test by itself would show."""
        return planning.detectable(self.difference)

    @property
    def needed(self) -> int | None:
        """The prompts that would show this lead in a test by itself."""
        return planning.needed(self.difference)


def length_controlled(
    scores: Sequence[float],
    length_differences: Sequence[float],
    difficulty: Sequence[float] | None = None,
    clusters: Sequence[str] | None = None,
) -> LengthControlled | None:
    """Fit scores in [0, 1] on length differences (candidate minus other, any unit), paired by
    prompt.

    `difficulty` is one log-odds per prompt; the value is then the mean over prompts. Where prompts
    come in `clusters` (one name per prompt), errors are by cluster, with t of k - 1 degrees of
    freedom. The interval is by the delta method on the logit scale, so it stays in [0, 1]. Where
    all lengths are equal the value is the plain win rate; where all pairs are ties it is that of
    pairs none of which differ. None where the fit has no finite or no unique maximum: scores that
    are all the same (ties excepted) or separated by length, one length difference throughout, too
    few prompts or clusters. So it is where nothing varies at a difference of zero.
    """
    y, lengths = np.asarray(scores, dtype=float), np.asarray(length_differences, dtype=float)
    if y.size == 0:
        return None
    unequal = lengths[lengths != 0]
    longer = float(np.mean(unequal > 0)) if unequal.size else 0.5
    extrapolates = _extrapolates(lengths, longer)
    if not (y - 0.5).any():
        ties = difference([0.0] * y.size, bound=0.5, clusters=clusters)
        return LengthControlled(ties, longer, extrapolates)
    controls = np.ones((y.size, 1))
    if difficulty is not None:
        controls = np.column_stack([controls, difficulty])
    fit = _fit(y, _design(controls, lengths), clusters)
    if fit is None:
        return None
    value, error = _at_equal_lengths(fit, controls.shape[1])
    # all pairs of equal length are the same responses: they show no spread to go by
    if not error > 0:
        return None
    # extrapolated out of all bounds
    if abs(special.logit(value)) > _SEPARATED:
        return None
    k = None if clusters is None else len(set(clusters))
    low, high, p = _on_the_logit_scale(value, error, fit.df_resid if k is None else k - 1)
    units = k or y.size
    sd = error * float(np.sqrt(units))
    lead = Difference(value - 0.5, low - 0.5, high - 0.5, y.size, p, sd, units, k)
    return LengthControlled(lead, longer, extrapolates)


def difference_at_equal_lengths(
    first: Scored, second: Scored, confidence: float = CONFIDENCE
) -> Difference | None:
    """Compare two candidates against one other model: first minus second at equal lengths, in
    shares.

    Both are aligned by prompt. The standard error is of a bootstrap over prompts that refits both
    every time, sd included; interval and p are t on it, so that they agree and p is fine enough for
    Holm. Where both have the same scores and lengths, or nothing but ties, it is that of pairs none
    of which differ. None where either cannot be fitted; where either extrapolates (see
    `length_controlled`), so does the difference. Raises ValueError where the candidates have
    different numbers of prompts.
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
    if _nothing_differs(sides):
        return difference([0.0] * n, bound=1.0, confidence=confidence)
    return _compared(mine.value - theirs.value, _bootstrap_error(sides), n, confidence)


def _extrapolates(lengths: np.ndarray, longer: float) -> bool:
    # equal lengths are where the value is read off
    differ = 10 * np.count_nonzero(lengths) >= lengths.size and lengths.any()
    is_one_sided = bool(differ) and not 0.10 <= longer <= 0.90
    return is_one_sided or bool(abs(lengths.mean()) > lengths.std())


def _nothing_differs(sides: Sequence[tuple[np.ndarray, ...]]) -> bool:
    are_all_ties = all((scores == 0.5).all() for scores, _ in sides)
    return are_all_ties or all(np.array_equal(a, b) for a, b in zip(*sides, strict=True))


def _design(controls: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Put tanh(length difference / sd) after the controls; where no length differs there is no such
    column.
    """
    if not lengths.any():
        return controls
    sd = lengths.std() or 1.0
    return np.column_stack([controls, np.tanh(lengths / sd)])


def _fit(y: np.ndarray, design: np.ndarray, clusters: Sequence[str] | None) -> Any | None:
    """Fit with standard errors that allow for fractional scores; None where there is nothing to
    find (see above).
    """
    columns = design.shape[1]
    if np.ptp(y) == 0 or y.size <= columns or np.linalg.matrix_rank(design) < columns:
        return None
    errors: dict[str, Any] = {"cov_type": "HC0"}
    if clusters is not None:
        names, groups = np.unique(list(clusters), return_inverse=True)
        if names.size < 2:
            return None
        errors = {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    with _expected_warnings():
        try:
            fit = GLM(y, design, Binomial()).fit(**errors, use_t=True)
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
    # rounding may leave a variance just below zero
    with np.errstate(invalid="ignore"):
        of_fit = float(np.squeeze(mean.se)) ** 2
    if fit.cov_type == "HC0":
        # HC1's n / (n - k), which statsmodels' GLM leaves out, under that name, too
        of_fit *= len(equal) / fit.df_resid
    error = np.sqrt(of_fit + over_prompts)
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


def _compared(delta: float, error: float, n: int, confidence: float) -> Difference:
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * error
    return Difference(
        delta=delta,
        low=max(-1.0, delta - half),
        high=min(1.0, delta + half),
        n=n,
        p=float(2 * stats.t.sf(abs(delta) / error, n - 1)),
        sd=error * float(np.sqrt(n)),
        units=n,
    )
