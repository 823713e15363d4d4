"""Stages over seeds and the noise floor: by hand, calibrated, and what it greys."""

import io
from dataclasses import replace

import numpy as np
import pytest

from stagelift.evals.stats import estimates
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.document import report_document
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.numbers.seeds import floors, over_seeds, siblings
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from stagelift.reports.tables.seeds import seed_table
from stagelift.reports.words.summary import summary
from tests.records import make_chain, make_study


def seeds_run(*right: int, dpo: tuple[int, ...] = (), n: int = 40) -> RunRecord:
    """Base has nothing right; sft as many problems as given for each seed, and dpo where it is
    given.
    """
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * n)}
    chains = []
    for seed, count in enumerate(right):
        slots = {"base": "base", "sft": f"seed={seed}/sft"}
        stages[slots["sft"]] = ("base", "c" * count + "w" * (n - count))
        if dpo:
            slots["dpo"] = f"seed={seed}/dpo"
            stages[slots["dpo"]] = (slots["sft"], "c" * dpo[seed] + "w" * (n - dpo[seed]))
        chains.append(("", seed, slots))
    return make_study(stages, chains)


def test_stages_that_differ_in_their_seed_alone_are_siblings() -> None:
    groups = siblings(seeds_run(20, 22, 24, dpo=(21, 21, 21)))
    assert [group.title for group in groups] == ["sft", "dpo"]
    assert [stage.name for stage in groups[1].stages] == ["seed=0/dpo", "seed=1/dpo", "seed=2/dpo"]
    assert siblings(make_chain(base="ww", sft="cc")) == []


def test_three_seeds_have_an_interval_over_seeds_by_hand() -> None:
    """Accuracies 50, 55 and 60%: mean 55, sd 5, t(.975, 2) = 4.302653."""
    values = {(one.metric, one.against): one for one in over_seeds(seeds_run(20, 22, 24))}
    found, added = values["accuracy", None], values["accuracy", "base"]
    assert found.values == (0.5, 0.55, 0.6) == pytest.approx(added.values)
    half = 4.302653 * 0.05 / 3**0.5
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.55, 0.55 - half, 0.55 + half), abs=1e-6
    )


def test_two_seeds_have_values_and_no_interval() -> None:
    found = next(one for one in over_seeds(seeds_run(20, 24)) if one.metric == "accuracy")
    assert (found.value, found.low, found.high) == (pytest.approx(0.55), None, None)


def test_seeds_that_agree_have_no_interval_and_one_is_cut_off_at_what_a_share_can_be() -> None:
    equal = next(one for one in over_seeds(seeds_run(20, 20, 20)) if one.metric == "accuracy")
    assert (equal.value, equal.low, equal.high) == (0.5, None, None)
    wide = next(one for one in over_seeds(seeds_run(30, 39, 40)) if one.metric == "accuracy")
    assert wide.low is not None and (wide.low > 0.5, wide.high) == (True, 1.0)


def test_a_stage_that_variants_share_is_listed_once() -> None:
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "wwww")}
    chains = []
    for seed in (0, 1):
        stages[f"seed={seed}/sft"] = ("base", "ccww")
        for beta in (1, 2):
            stages[f"beta={beta},seed={seed}/dpo"] = (f"seed={seed}/sft", "cccw")
            slots = {
                "base": "base",
                "sft": f"seed={seed}/sft",
                "dpo": f"beta={beta},seed={seed}/dpo",
            }
            chains.append((f"beta={beta}", seed, slots))
    run = make_study(stages, sorted(chains), reference="beta=1")
    assert [group.title for group in siblings(run)] == ["sft", "beta=1/dpo", "beta=2/dpo"]


def test_the_summary_and_the_tables_use_the_larger_floor_of_both_stages() -> None:
    """dpo is as steady as can be, sft is not: what dpo adds to it may be sft's noise."""
    report = build_report([seeds_run(10, 20, 30, dpo=(24, 25, 26))])
    (run,) = report.runs
    added = next(
        one
        for one in run.seeds
        if (one.metric, one.stage, one.against) == ("accuracy", "dpo", "sft")
    )
    of_sft, of_dpo = (
        next(one for one in run.floors if (one.metric, one.stage) == ("accuracy", s))
        for s in ("sft", "dpo")
    )
    small, large = of_dpo.of(3), of_sft.of(3)
    assert small is not None and large is not None and small < abs(added.value) < large
    assert run.is_below("accuracy", added.value, *added.members, *added.others, runs=3)
    _, _, below = summary(report).partition("Below the noise floor of means")
    assert "+12.5 of dpo against sft" in below


def test_the_floor_by_hand() -> None:
    """sd 5 points over three seeds: 4.302653 x sqrt(2) x 5 = 30.42 points for two trainings, and
    30.42 / sqrt(3) = 17.57 for two means over three.
    """
    found = next(one for one in floors(seeds_run(20, 22, 24)) if one.metric == "accuracy")
    assert (found.sd, found.between_seeds) == pytest.approx((0.05, 0.304244), abs=1e-5)
    assert found.of(3) == pytest.approx(0.175655, abs=1e-5)
    assert (found.between_evaluations, found.of(1), found.members) == (
        None,
        found.between_seeds,
        ("seed=0/sft", "seed=1/sft", "seed=2/sft"),
    )


@pytest.mark.parametrize("seeds", [3, 5])
def test_two_more_trainings_of_the_same_recipe_differ_by_more_in_one_case_of_twenty(
    seeds: int,
) -> None:
    rng = np.random.default_rng(1)
    exceeded = [
        abs(rng.normal(0.6, 0.03) - rng.normal(0.6, 0.03))
        > (estimates.seed_floor(rng.normal(0.6, 0.03, seeds).tolist()) or 0)
        for _ in range(4000)
    ]
    # 99.9% of binomial(4000, .05)
    assert 0.039 < np.mean(exceeded) < 0.062


def test_two_seeds_are_what_was_seen_and_no_floor() -> None:
    report = build_report([seeds_run(20, 24, dpo=(20, 23))])
    found = next(one for one in report.runs[0].floors if one.metric == "accuracy")
    assert (found.between_seeds, found.of(1), found.of(2)) == (pytest.approx(0.1), None, None)
    text = render_markdown(report)
    assert "below the noise floor" not in text and "seen between seeds" in text
    assert "What two seeds were seen to do is no noise floor: +55.0 of sft against base" in text
    noise = report_document(report)["noise"]
    assert {one["floor"] for one in noise} == {one["floor_of_means"] for one in noise} == {None}


def test_two_seeds_have_no_floor_though_measuring_again_gave_the_same() -> None:
    run = seeds_run(20, 24, dpo=(20, 23))
    report = build_report([replace(run, repeats=(run.stages[1],))])
    found = next(one for one in report.runs[0].floors if one.metric == "accuracy")
    assert (found.between_evaluations, found.of(1), found.of(2)) == (0.0, None, None)
    text = render_markdown(report)
    assert "Two seeds know no noise floor" in text
    assert "above the noise floor" not in text.lower()


def test_measuring_again_counts_where_it_differs_more() -> None:
    run = seeds_run(20, 20, 20)
    again = make_study(
        {"base": (None, "w" * 40), "seed=0/sft": ("base", "c" * 18 + "w" * 2 + "c" * 2 + "w" * 18)},
        [],
    )
    run = replace(run, repeats=(again.stages[1],))
    found = next(one for one in floors(run) if one.metric == "accuracy")
    differences = [0] * 18 + [-1, -1, 1, 1] + [0] * 18
    assert found.between_seeds == 0
    assert (
        found.of(1)
        == found.between_evaluations
        == pytest.approx(1.959964 * np.std(differences, ddof=1) / 40**0.5)
    )


def test_a_difference_below_the_floor_is_grey_in_every_format_and_one_above_is_not() -> None:
    report = build_report([seeds_run(20, 22, 24, dpo=(20, 23, 26))])
    (run,) = report.runs
    dpo = run.find("accuracy", run.record.stage("seed=2/dpo"), "seed=2/sft")
    sft = run.find("accuracy", run.record.stage("seed=2/sft"), "base")
    assert dpo is not None and sft is not None
    assert run.is_below_noise(dpo) and not run.is_below_noise(sft)
    table = seed_table(run)
    assert table is not None
    accuracy = table.groups[0][0]
    assert [cell.faint for cell in accuracy.cells] == [False, False, True, False]
    terminal = io.StringIO()
    print_report(report, Console(file=terminal, width=200, force_terminal=True))
    # dim
    assert "\x1b[2m+2.5" in terminal.getvalue()
    assert 'class="added faint"' in render_html(report).html
    assert "below the noise floor" in render_markdown(report)


def test_the_summary_says_what_seeds_make_of_it() -> None:
    text = summary(build_report([seeds_run(20, 22, 24, dpo=(20, 23, 26))]))
    assert (
        "Over 3 training seeds accuracy is 55.0% [42.6, 67.4] after sft and 57.5% [38.9, 76.1] "
        "after dpo." in text
    )
    assert (
        "Above the noise floor of means, more than two recipes differ by seeds alone: +55.0 of sft "
        "against base (floor 17.6)." in text
    )
    assert (
        "Below the noise floor of means, no more than two equal recipes may differ by their seeds "
        "alone: +2.5 of dpo against sft (floor 26.3)" in text
    )


def test_the_document_carries_them() -> None:
    document = report_document(build_report([seeds_run(20, 22, 24)]))
    assert [
        one["floor"] for one in document["noise"] if one["metric"] == "accuracy"
    ] == pytest.approx([0.304244], abs=1e-5)
    assert document["runs"][0]["chains"][1] == {
        "variant": "",
        "seed": 1,
        "stages": {"base": "base", "sft": "seed=1/sft"},
        "complete": True,
    }
    plain = report_document(build_report([make_chain(base="ww", sft="cc")]))
    assert (
        plain["noise"]
        == plain["seeds"]
        == plain["variants"]
        == plain["attribution"]
        == plain["runs"][0]["chains"]
        == []
    )
