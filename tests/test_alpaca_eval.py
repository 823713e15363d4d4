"""The statistics on real judgements: figures that AlpacaEval 2 published for three models, 805
prompts each.
"""

import gzip
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stagelift.evals.metrics.winrate import over_half
from stagelift.evals.stats import estimates, length_control, planning
from stagelift.evals.stats.difference import difference
from stagelift.evals.stats.lengths import ratio

DATA = (
    Path(os.environ.get("STAGELIFT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "alpaca_eval"
)
SFT, RLHF, FUSECHAT = "alpaca-7b", "alpaca-farm-ppo-human", "FuseChat-Llama-3.1-8B-Instruct"

pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"no AlpacaEval annotations in {DATA} (STAGELIFT_DATA)"
)


class Judged(NamedTuple):
    """A model's score (1 where it beats GPT-4 Turbo) and lengths in characters, by instruction."""

    scores: dict[str, float]
    lengths: dict[str, int]
    differences: dict[str, int]


def judged(model: str) -> Judged:
    with gzip.open(DATA / f"{model}.annotations.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    return Judged(
        {row["instruction"]: row["preference"] - 1 for row in rows},
        {row["instruction"]: len(row["output_2"]) for row in rows},
        {row["instruction"]: len(row["output_2"]) - len(row["output_1"]) for row in rows},
    )


def aligned(model: str, prompts: list[str]) -> tuple[list[float], list[float]]:
    found = judged(model)
    return [found.scores[prompt] for prompt in prompts], [
        float(found.differences[prompt]) for prompt in prompts
    ]


@pytest.mark.parametrize(
    ("model", "percent", "error"),
    [(SFT, 2.591451, 0.487086), (RLHF, 4.100427, 0.630472), (FUSECHAT, 63.331583, 1.422507)],
)
def test_the_published_win_rates_and_their_standard_errors(
    model: str, percent: float, error: float
) -> None:
    scores = [100 * score for score in judged(model).scores.values()]
    metric = over_half([score / 100 for score in scores])
    assert (metric.n, 100 * metric.value) == (805, pytest.approx(percent, abs=5e-7))
    assert np.std(scores, ddof=1) / np.sqrt(805) == pytest.approx(error, abs=5e-7)
    # t with 804 degrees of freedom, and wider where nearly all are lost
    assert 100 * (metric.high - metric.value) > 1.962915 * error - 1e-5
    if percent > 50:
        assert 100 * (metric.high - metric.value) == pytest.approx(1.962915 * error, rel=1e-5)


def test_what_rlhf_added_to_sft() -> None:
    before, after = judged(SFT), judged(RLHF)
    found = difference(
        [after.scores[prompt] - before.scores[prompt] for prompt in before.scores], bound=1
    )
    assert (round(100 * found.delta, 2), round(found.p, 4)) == (1.51, 0.0036)
    needed = planning.needed(found)
    assert needed is not None and needed < 805


def test_rlhf_doubled_the_length() -> None:
    before, after = judged(SFT).lengths, judged(RLHF).lengths
    assert [round(estimates.mean(list(lengths.values())).value) for lengths in (before, after)] == [
        396,
        804,
    ]
    growth = ratio([after[prompt] for prompt in before], list(before.values()))
    assert growth is not None and 1.9 < growth.low < 2 < growth.high < 2.2


def test_the_length_controlled_win_rate_is_near_the_published_one_without_its_difficulties() -> (
    None
):
    found = length_control.length_controlled(*aligned(FUSECHAT, list(judged(FUSECHAT).scores)))
    assert found is not None and not found.extrapolates
    # published: about 0.65
    assert (found.low, found.value, found.high) == pytest.approx(
        (0.62151, 0.65072, 0.67884), abs=5e-6
    )


@pytest.mark.parametrize("model", [SFT, RLHF])
def test_models_that_are_nearly_always_shorter_extrapolate(model: str) -> None:
    found = length_control.length_controlled(*aligned(model, list(judged(model).scores)))
    assert found is not None and found.extrapolates


def test_the_gap_at_equal_lengths() -> None:
    prompts = list(judged(SFT).scores)
    found = length_control.difference_at_equal_lengths(
        aligned(FUSECHAT, prompts), aligned(SFT, prompts)
    )
    assert found is not None
    assert 0.36 < found.low < found.delta < found.high < 0.55
