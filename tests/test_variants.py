"""Variants against a reference: ranks, Holm, the Pareto front, and saying so where the data cannot
tell.
"""

from dataclasses import replace

import pytest

from stagelift.reports.formats.document import report_document
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.numbers.variants import RankedVariant, rank_variants
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.models import model_table
from stagelift.reports.words.stage_lines import basis, stage_lines
from stagelift.reports.words.summary import summary
from stagelift.reports.words.variants import variant_findings
from tests.records import make_chain, make_study, make_training


def variants_run(
    reference: str = "r=16", seeds: tuple[int, ...] = (0,), **right: int | tuple[int, ...]
) -> RunRecord:
    """Variants r=<number> with as many of 60 problems right as given, for all seeds or for each."""
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 60)}
    chains = []
    for name, given in right.items():
        for seed in seeds:
            count = given if isinstance(given, int) else given[seed]
            variant = name.replace("_", "=")
            stage = f"{variant}/sft" if len(seeds) == 1 else f"{variant},seed={seed}/sft"
            stages[stage] = ("base", "c" * count + "w" * (60 - count))
            chains.append((variant, seed, {"base": "base", "sft": stage}))
    return make_study(stages, chains, reference=reference)


def with_costs(run: RunRecord, **costs: tuple[int, int, int]) -> RunRecord:
    """Give each variant its parameters, tokens and memory."""
    trained = {
        f"{name.replace('_', '=')}/sft": make_training("sft").model_copy(
            update={"trainable_parameters": one[0], "tokens": one[1], "peak_memory_bytes": one[2]}
        )
        for name, one in costs.items()
    }
    return replace(
        run,
        stages=[replace(one, training=trained.get(one.name, one.training)) for one in run.stages],
    )


def ranked(run: RunRecord) -> dict[str, RankedVariant]:
    return {one.variant: one for one in rank_variants(run)}


def test_the_best_accuracy_comes_first_and_equal_ones_share_a_rank() -> None:
    found = rank_variants(variants_run(r_4=30, r_16=40, r_64=40))
    assert [(one.variant, one.rank) for one in found] == [("r=16", 1), ("r=64", 1), ("r=4", 3)]
    assert [one.stage for one in found] == ["sft"] * 3


def test_differences_are_to_the_reference_paired_and_holm_adjusted() -> None:
    found = ranked(variants_run(r_4=10, r_16=40, r_64=39))
    assert found["r=16"].differences == ()
    worse, alike = found["r=4"].difference("accuracy"), found["r=64"].difference("accuracy")
    assert worse is not None and alike is not None
    assert (worse.delta, worse.n, worse.over, worse.verdict) == (-0.5, 60, "prompts", "regressed")
    # one lost of 60: 1 / 62 against an error of sqrt(3 / 62 - (1 / 62)^2) / sqrt(62)
    assert (alike.verdict, alike.p) == ("no difference shown", pytest.approx(0.5627, abs=1e-4))
    assert (
        worse.p is not None and worse.p_adjusted is not None and worse.p < worse.p_adjusted < 0.05
    )


def test_with_three_seeds_differences_are_paired_by_seed() -> None:
    """Differences of -9, -10 and -11 of 60 problems: t with two degrees of freedom, and the power
    of a t test of three.
    """
    found = ranked(variants_run(seeds=(0, 1, 2), r_4=(30, 31, 28), r_16=(39, 41, 39)))[
        "r=4"
    ].difference("accuracy")
    assert found is not None and (found.n, found.over, found.delta) == (
        3,
        "seeds",
        pytest.approx(-1 / 6),
    )
    # accuracy and the win rate are two tests: 4.52 sd at half the level, where many have 1.62
    assert (found.level, found.mde) == (0.025, pytest.approx(4.523 / 60, abs=1e-4))


def test_seeds_that_all_differ_alike_are_compared_by_prompt() -> None:
    """Three equal differences know no spread: they are no certainty."""
    found = ranked(variants_run(seeds=(0, 1, 2), r_4=30, r_16=32))["r=4"].difference("accuracy")
    assert found is not None and (found.n, found.over, found.verdict) == (
        60,
        "prompts",
        "no difference shown",
    )


def test_variants_without_stages_cost_nothing_and_are_compared_in_what_base_has() -> None:
    stages: dict[str, tuple[str | None, str]] = {
        "base": (None, "wwww"),
        "some/sft": ("base", "cccc"),
    }
    chains = [("none", 0, {"base": "base"}), ("some", 0, {"base": "base", "sft": "some/sft"})]
    found = ranked(make_study(stages, chains, reference="none"))
    assert found["none"].cost.parameters == 0 and found["none"].on_front and found["some"].on_front
    assert set(found["some"].values) == {"accuracy", "length_tokens"}


def test_chains_that_are_not_finished_are_not_compared_at_their_ends() -> None:
    stages: dict[str, tuple[str | None, str]] = {
        "base": (None, "wwww"),
        "a/sft": ("base", "ccww"),
        "b/sft": ("base", "cccw"),
        "b/dpo": ("b/sft", "cccc"),
    }
    slots = [
        ("a", 0, {"base": "base", "sft": "a/sft"}),
        ("b", 0, {"base": "base", "sft": "b/sft", "dpo": "b/dpo"}),
    ]
    run = make_study(stages, slots, reference="a")
    half = replace(run, chains=(replace(run.chains[0], complete=False), run.chains[1]))
    assert {one.stage for one in rank_variants(half)} == {"sft"}


def test_of_several_models_the_bases_are_compared_and_what_needs_one_base_is_not() -> None:
    stages: dict[str, tuple[str | None, str]] = {
        "m=a/base": (None, "wwww"),
        "m=b/base": (None, "cwww"),
        "m=a/sft": ("m=a/base", "ccww"),
        "m=b/sft": ("m=b/base", "cccw"),
    }
    chains = [(f"m={m}", 0, {"base": f"m={m}/base", "sft": f"m={m}/sft"}) for m in "ab"]
    found = rank_variants(make_study(stages, chains, reference="m=a"))
    assert {one.stage for one in found} == {"base", "sft"}
    assert {d.metric for one in found for d in one.differences} == {"accuracy"}


def test_the_front_has_what_nothing_beats_in_everything() -> None:
    run = with_costs(
        variants_run(r_4=30, r_16=40, r_64=40),
        r_4=(1, 1000, 5),
        r_16=(4, 1000, 5),
        r_64=(16, 1000, 6),
    )
    assert {name: one.on_front for name, one in ranked(run).items()} == {
        "r=4": True,
        "r=16": True,
        "r=64": False,
    }


def test_a_longer_training_is_beaten_by_a_shorter_one_that_does_as_well() -> None:
    run = with_costs(variants_run(r_4=40, r_16=40), r_4=(4, 1000, 5), r_16=(4, 2000, 5))
    assert {name: one.on_front for name, one in ranked(run).items()} == {
        "r=4": True,
        "r=16": False,
    }


def test_a_busy_machine_puts_nobody_off_the_front() -> None:
    run = variants_run(r_4=40, r_16=40)
    slow = [
        replace(one, training=one.training.model_copy(update={"seconds": 9e9}))
        if one.name == "r=4/sft" and one.training is not None
        else one
        for one in run.stages
    ]
    found = ranked(replace(run, stages=slow))
    assert found["r=4"].cost.seconds == 9e9
    assert found["r=4"].on_front and found["r=16"].on_front


def test_the_front_is_not_known_where_a_cost_is_not() -> None:
    run = variants_run(r_4=30, r_16=40)
    run = replace(run, stages=[replace(one, training=None) for one in run.stages])
    assert {one.on_front for one in rank_variants(run)} == {None}


def test_stages_that_variants_share_are_not_compared() -> None:
    stages: dict[str, tuple[str | None, str]] = {
        "base": (None, "wwww"),
        "sft": ("base", "ccww"),
        "lr=1/dpo": ("sft", "cccw"),
        "lr=2/dpo": ("sft", "cccc"),
    }
    chains = [(f"lr={i}", 0, {"base": "base", "sft": "sft", "dpo": f"lr={i}/dpo"}) for i in (1, 2)]
    assert {one.stage for one in rank_variants(make_study(stages, chains, reference="lr=1"))} == {
        "dpo"
    }


def test_chains_that_end_in_different_stages_are_compared_at_their_ends_too() -> None:
    stages: dict[str, tuple[str | None, str]] = {
        "base": (None, "wwww"),
        "sft": ("base", "ccww"),
        "long/dpo": ("sft", "cccw"),
    }
    chains = [
        ("short", 0, {"base": "base", "sft": "sft"}),
        ("long", 0, {"base": "base", "sft": "sft", "dpo": "long/dpo"}),
    ]
    found = rank_variants(make_study(stages, chains, reference="short"))
    assert [(one.stage, one.variant) for one in found] == [
        ("the whole chain", "long"),
        ("the whole chain", "short"),
    ]


def said(run: RunRecord) -> str:
    return summary(build_report([run]))


def test_it_is_said_plainly_where_the_data_cannot_tell() -> None:
    text = said(variants_run(r_4=39, r_16=40, r_64=41))
    assert (
        "After sft: the data cannot tell the variants apart: no difference to r=16 in accuracy was "
        "shown for" in text
    )
    assert "r=64 or r=4 (n=60). The 95% intervals leave room for" in text
    assert "to be shown again with 80% chance, after Holm, one has to be" in text


def test_what_differs_is_named_and_what_does_not_is_not_told_apart() -> None:
    text = said(variants_run(r_4=10, r_16=40, r_64=41))
    assert (
        "After sft: against r=16 in accuracy (n=60): r=4 regressed, -50.0 [-61.6, -35.2]; "
        "r=64 cannot be told apart from it." in text
    )
    assert (
        "On the Pareto front of accuracy, trained parameters, trained tokens and peak memory after "
        "sft, noise and all:" in text
    )


@pytest.fixture
def report() -> Report:
    return build_report([variants_run(r_4=10, r_16=40, r_64=41)])


def test_the_table_has_a_row_per_variant_and_says_what_one_seed_is_worth(report: Report) -> None:
    text = render_markdown(report)
    assert "### Variants after sft" in text
    assert (
        text.index("**1. r=64**")
        < text.index("**2. r=16**<br>the reference")
        < text.index("**3. r=4**")
    )
    assert "One training seed each" in text


def test_the_document_has_them_by_rank(report: Report) -> None:
    found = report_document(report)["variants"]
    assert (found[0]["variant"], found[0]["rank"], found[0]["on_front"]) == ("r=64", 1, True)
    assert found[2]["differences"][0]["metric"] == "accuracy"


def test_a_plain_chain_has_none() -> None:
    assert rank_variants(make_chain(base="ww", sft="cc")) == []


def two_stages() -> RunRecord:
    """Three ranks that differ in nothing after sft, and of which dpo moves one."""
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "t" * 30 + "w" * 30)}
    chains = []
    for name in ("r=4", "r=16", "r=64"):
        stages[f"{name}/sft"] = ("base", "c" * 30 + "w" * 30)
        right = 55 if name == "r=4" else 30
        stages[f"{name}/dpo"] = (f"{name}/sft", "c" * right + "w" * (60 - right))
        chains.append((name, 0, {"base": "base", "sft": f"{name}/sft", "dpo": f"{name}/dpo"}))
    return make_study(stages, chains, reference="r=16")


def test_the_last_stage_comes_first_and_each_step_says_what_it_added() -> None:
    (run,) = build_report([two_stages()]).runs
    found = variant_findings(run)
    assert [(one.subject, one.against) for one in found] == [
        ("After dpo", ""),
        ("By accuracy, noise and all", ""),
        ("dpo", "sft"),
        ("After sft", ""),
        ("sft", "base"),
    ]
    assert found[0].words.startswith("against r=16 in accuracy (n=60): r=4 improved, +41.7 [")
    assert found[2].words.startswith("gained accuracy +41.7 [") and "(r=16)" not in found[2].words
    assert found[3].words.startswith("the data cannot tell the variants apart")


def test_a_row_of_variants_holds_one_comparison_and_names_it() -> None:
    table = model_table(build_report([two_stages()]))
    rows = {row.title: row for row in table.groups[0]}
    assert rows["r=4/dpo"].note == "against r=16/dpo"
    assert "+41.7" in rows["r=4/dpo"].cells[0].word
    for name in ("r=16/sft", "r=16/dpo"):
        assert not any(cell.verdict or cell.notes for cell in rows[name].cells)
        assert rows[name].note == ""


def test_being_cut_off_is_told_where_what_was_cut_off_is_compared() -> None:
    report = build_report([two_stages()])
    assert "base 50.0%" in basis(report) and "(folded below)" in basis(report)
    assert "(--full)" in basis(report, "--full")
    assert all("base 50.0%" not in line.text for line in stage_lines(report))
