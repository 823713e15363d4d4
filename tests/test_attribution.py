"""Shapley values and interactions: by hand for two stages, the laws they must keep, and what they
are over.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from stagelift.evals.records import Verdict
from stagelift.reports.formats.document import report_document
from stagelift.reports.numbers.attribution import Attribution, attribution, interactions
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from tests.records import make_chain, make_lattice, make_study


def shares(run: RunRecord, metric: str = "accuracy") -> dict[str, Attribution]:
    return {one.stage: one for one in attribution(run) if one.metric == metric}


def test_two_stages_by_hand() -> None:
    """Of four problems base has 0 right, sft 2, dpo 1, both 4: sft gets (2 + 3) / 2 of four, dpo (1
    + 2) / 2.
    """
    run = make_lattice(base="wwww", sft="ccww", dpo="cwww", both="cccc")
    found = shares(run)
    assert (found["sft"].value, found["dpo"].value) == (0.625, 0.375)
    assert (found["sft"].alone.value, found["sft"].on_top.value) == (0.5, 0.75)
    assert (found["dpo"].alone.value, found["dpo"].on_top.value) == (0.25, 0.5)
    assert (found["sft"].n, found["sft"].over, found["sft"].whole.value) == (4, "prompts", 1.0)
    (pair,) = [one for one in interactions(run) if one.metric == "accuracy"]
    assert (pair.stages, pair.value) == (("sft", "dpo"), 0.25)


def test_the_values_of_every_metric_sum_to_what_the_full_chain_added_to_base() -> None:
    rng = np.random.default_rng(3)
    letters = {
        name: "".join(rng.choice(list("cwtu"), 40)) for name in ("base", "sft", "dpo", "both")
    }
    run = make_lattice(**letters)
    document = report_document(build_report([run]))
    stages = {stage["name"]: stage["metrics"] for stage in document["stages"]}
    metrics = {one["metric"] for one in document["attribution"]}
    assert metrics == {
        "accuracy",
        "accuracy_strict",
        "accuracy_flexible",
        "length_tokens",
        "truncated",
        "win_rate_base",
    }
    for name in metrics:
        total = sum(one["value"] for one in document["attribution"] if one["metric"] == name)
        # base against itself
        before = 0.5 if name == "win_rate_base" else stages["base"][name]["value"]
        assert total == pytest.approx(stages["sft+dpo"][name]["value"] - before), name


def test_three_stages_keep_the_laws() -> None:
    """A stage that never changes anything gets nothing, two that do the same get the same, and all
    sum to the whole.
    """
    stages = ("sft", "dpo", "grpo")
    subsets = [subset for size in range(4) for subset in combinations(stages, size)]
    right = {0: "w" * 30, 1: "c" * 12 + "w" * 18, 2: "c" * 24 + "w" * 6}

    def letters(subset: tuple[str, ...]) -> str:
        return right[len([name for name in subset if name != "grpo"])]

    stages = {
        "+".join(one) or "base": ("+".join(one[:-1]) or "base" if one else None, letters(one))
        for one in subsets
    }
    chains = [
        (
            "",
            0,
            {"base": "base"} | {name: "+".join(one[: place + 1]) for place, name in enumerate(one)},
        )
        for one in subsets
    ]
    run = make_study(stages, chains, lattice=True)
    found = shares(run)
    assert found["sft"].value == pytest.approx(0.4) and found["dpo"].value == pytest.approx(0.4)
    # nothing seen, which is not nothing
    assert found["grpo"].low < found["grpo"].value == 0 < found["grpo"].high
    assert {one.stages for one in interactions(run)} == {
        ("sft", "dpo"),
        ("sft", "grpo"),
        ("dpo", "grpo"),
    }
    paths = {
        stage["name"]: stage["path"] for stage in report_document(build_report([run]))["stages"]
    }
    assert (
        paths["base"] == []
        and paths["sft+dpo+grpo"] == ["sft", "dpo", "grpo"]
        and paths["dpo+grpo"] == ["dpo", "grpo"]
    )


def test_with_three_seeds_the_interval_is_over_seeds() -> None:
    letters = {"base": "w" * 20}
    for seed, right in enumerate((8, 10, 12)):
        letters |= {f"sft{seed}": "c" * right + "w" * (20 - right), f"dpo{seed}": "w" * 20}
        letters[f"both{seed}"] = letters[f"sft{seed}"]
    found = shares(make_lattice(seeds=(0, 1, 2), **letters))["sft"]
    assert (found.n, found.over, found.value) == (3, "seeds", pytest.approx(0.5))
    # t with two degrees of freedom
    assert found.low == pytest.approx(0.5 - 4.302653 * 0.1 / 3**0.5, abs=1e-5)


def test_with_two_seeds_it_is_over_prompts_of_their_means() -> None:
    letters = {
        "base": "wwww",
        "sft0": "ccww",
        "sft1": "cwww",
        "dpo0": "wwww",
        "dpo1": "wwww",
        "both0": "ccww",
        "both1": "cwww",
    }
    found = shares(make_lattice(seeds=(0, 1), **letters))["sft"]
    assert (found.n, found.over, found.value) == (4, "prompts", pytest.approx(0.375))


def test_only_prompts_that_every_model_was_judged_on_count() -> None:
    run = make_lattice(base="wwww", sft="cccw", dpo="cwww", both="cccc")
    sft = run.stage("sft")
    lost = sft.verdicts["win_rate_base"]["p/0"].model_copy(update={"score": None})
    verdicts: dict[str, dict[str, Verdict]] = {
        **sft.verdicts,
        "win_rate_base": {**sft.verdicts["win_rate_base"], "p/0": lost},
    }
    stages = [replace(one, verdicts=verdicts) if one.name == "sft" else one for one in run.stages]
    found = shares(replace(run, stages=stages), "win_rate_base")
    assert {one.n for one in found.values()} == {3}


def test_there_is_none_without_a_whole_lattice() -> None:
    run = make_lattice(base="wwww", sft="ccww", dpo="cwww", both="cccc")
    assert attribution(replace(run, missing=["sft+dpo"])) == []
    assert (
        attribution(make_chain(base="wwww", sft="ccww"))
        == []
        == interactions(make_chain(base="wwww", sft="ccww"))
    )
