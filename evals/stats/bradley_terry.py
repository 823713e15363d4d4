"""Bradley-Terry: how strong each of several models is, from matches between two of them.

One number per model explains all its matches, so it cannot show that one beats two which beats
three which beats one. It ranks models under one judge on one set of prompts; it says nothing of how
far apart their responses are.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from stagelift.evals.records import Metric

# log-odds: a standard error that is nothing but rounding
_NO_SPREAD = 1e-6


@dataclass(frozen=True)
class Match:
    """Two models on one prompt: `score` is 1 where `first` wins, 0 where `second` does, 0.5 for a
    tie.
    """

    prompt: str
    first: str
    second: str
    score: float


def bradley_terry(matches: Sequence[Match]) -> dict[str, Metric] | None:
    """Strengths in log-odds of winning against the first model named, which is 0; `n` counts a
    model's own prompts.

    Bradley and Terry 1952, ties as half a win, intervals clustered by prompt. None where a strength
    would be infinite or cannot be placed (a group of models that nobody else took a point from, or
    never met: Ford 1957), where there are no more prompts than strengths, and where the matches of
    two models all cancel out, so that nothing says how far they may be apart.
    """
    names = list(dict.fromkeys(name for match in matches for name in (match.first, match.second)))
    prompts = list(dict.fromkeys(match.prompt for match in matches))
    if len(prompts) < len(names) or not _comparable(names, matches):
        return None
    fit = _fit(matches, names, prompts)
    # not a number where rounding leaves a variance below zero
    errors = np.nan_to_num(fit.bse)
    if errors.min(initial=1.0) < _NO_SPREAD:
        return None
    rows = zip(names[1:], fit.params, *fit.conf_int().T, strict=True)
    strengths = {
        name: Metric(value=value, low=low, high=high, n=_seen(name, matches))
        for name, value, low, high in rows
    }
    return {names[0]: Metric(value=0, low=0, high=0, n=_seen(names[0], matches)), **strengths}


def _comparable(names: Sequence[str], matches: Sequence[Match]) -> bool:
    """Whether everyone took points, directly or through others, from everyone: else the likelihood
    has no maximum.
    """
    took = [(match.first, match.second) for match in matches if match.score > 0]
    took += [(match.second, match.first) for match in matches if match.score < 1]
    edges = np.array([[names.index(winner), names.index(loser)] for winner, loser in took]).T
    graph = coo_array((np.ones(edges.shape[1]), tuple(edges)), shape=(len(names), len(names)))
    return int(connected_components(graph, connection="strong", return_labels=False)) == 1


def _fit(matches: Sequence[Match], names: Sequence[str], prompts: Sequence[str]) -> Any:
    design = np.zeros((len(matches), len(names)))
    for row, match in enumerate(matches):
        design[row, names.index(match.first)] += 1
        design[row, names.index(match.second)] -= 1
    codes = {prompt: code for code, prompt in enumerate(prompts)}
    groups = np.array([codes[match.prompt] for match in matches])
    scores = np.array([match.score for match in matches])
    # without the first column: the first model is the zero
    model = GLM(scores, design[:, 1:], Binomial())
    # raised where all scores are predicted exactly: nothing but ties; no score is separated
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        return model.fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)


def _seen(name: str, matches: Sequence[Match]) -> int:
    return len({match.prompt for match in matches if name in (match.first, match.second)})
