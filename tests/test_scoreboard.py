"""The scoreboard and the lines above it say what the report's numbers say, whatever the run is."""

from dataclasses import replace

from stagelift.evals.records import Metric
from stagelift.reports.numbers.headline import main_metric
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, build_report
from stagelift.reports.words import formatting
from stagelift.reports.words.added import added
from stagelift.reports.words.scoreboard import UNFIT, Panel, scoreboard
from stagelift.reports.words.stage_lines import basis, stage_lines
from stagelift.reports.words.summary import summary
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import (
    CONTRACT,
    chain,
    make_chain,
    make_lattice,
    make_run,
    make_score,
    make_stage,
    make_study,
    with_passport,
)
from tests.test_gained_and_lost import RETENTION, with_retention


def lines(report: Report) -> list[str]:
    return [line.text for line in stage_lines(report)]


def panel(report: Report, title: str) -> Panel:
    return next(panel for panel in scoreboard(report).panels if panel.title == title)


def test_a_chain_has_a_line_a_stage_and_one_for_the_whole() -> None:
    assert lines(golden_report()) == [
        "sft: accuracy 3.3% -> 70.0%, +66.7 [+51.0, +78.0] improved; length: not after Holm",
        "dpo: accuracy 70.0% -> 75.0%, +5.0 [-2.1, +11.8] no difference shown; "
        "length: no difference shown",
        "grpo: accuracy 75.0% -> 26.7%, -48.3 [-60.0, -33.6] regressed; "
        "longer by 12% [3, 22] per problem; "
        "lost the share of cut-off responses +13.3 [+3.4, +22.4] points",
        "whole chain: accuracy 3.3% -> 26.7%, +23.3 [+10.4, +34.8] improved †; "
        "length: no difference shown †",
    ]
    assert basis(golden_report()).startswith("n=60; 95% intervals; verdicts after Holm's")


def test_with_one_trained_stage_the_whole_chain_is_not_said_again() -> None:
    (line,) = stage_lines(build_report([chain([False] * 40, [True] * 30 + [False] * 10)]))
    assert (line.subject, line.against, line.verdict) == ("sft", "", "improved")
    assert line.words.endswith("; shorter by 33% [29, 35] per problem")


def test_a_loss_is_named_where_it_could_be_seen_and_only_there() -> None:
    run = make_chain(base="w" * 40, sft="c" * 40)
    assert "lost" not in lines(build_report([run]))[0]
    assert lines(retained(40, 40))[0].endswith("; lost nothing shown")
    assert "; lost multiple choice -75.0 [" in lines(retained(40, 10))[0]


def retained(*right: int) -> Report:
    """A chain that keeps so many of 40 answers to questions that it was not trained on."""
    stages = make_chain(base="w" * 40, sft="c" * 40).stages
    kept = [with_retention(stage, n, 1.0) for stage, n in zip(stages, right, strict=True)]
    return build_report([make_run(kept, contract=CONTRACT | RETENTION)])


def test_a_lattice_has_the_shares_which_sum_to_the_whole() -> None:
    report = build_report([golden_lattice()])
    *shares, whole = added(report, "accuracy")
    assert [row.label for row in shares] == ["sft's share", "dpo's share"]
    assert sum(row.delta or 0 for row in shares) == whole.delta == 0.5
    assert [row.verdict for row in (*shares, whole)] == [None] * 3
    assert [row.label for row in panel(report, "accuracy").rows] == [
        "base",
        "sft",
        "dpo",
        "sft+dpo",
    ]


def test_variants_stand_beside_the_reference() -> None:
    report = build_report([golden_variants()])
    assert lines(report) == [
        "After sft: against r=16 in accuracy (3 seeds): r=4 regressed, -7.2 [-9.6, -4.8], which "
        "is below the noise floor.",
        "By accuracy, noise and all: 1. r=16 58.9%, 2. r=4 51.7%; on the Pareto front of accuracy, "
        "trained parameters, trained tokens and peak memory: r=16",
        "r=16/sft: accuracy 58.9% [38.1, 79.7], the reference",
        "r=4/sft against r=16/sft: accuracy 58.9% -> 51.7%, -7.2 [-9.6, -4.8] regressed, "
        "below the noise floor; length: no difference shown",
    ]
    assert panel(report, "accuracy").counted == "n=60 / 3 seeds"
    reference, other = added(report, "accuracy")
    assert (reference.delta, other.faint, other.verdict) == (None, True, "regressed")


def test_seeds_are_one_row_and_two_of_them_have_no_interval() -> None:
    letters = {"sft0": "ccww", "sft1": "cccw", "dpo0": "cwww", "dpo1": "ccww"}
    run = make_lattice(seeds=(0, 1), base="wwww", both0="cccc", both1="ccww", **letters)
    report = build_report([replace(run, lattice=False)])
    rows = {row.label: row for row in panel(report, "accuracy").rows}
    assert [*rows] == ["base", "sft", "dpo", "sft+dpo"]
    assert (rows["sft"].value, rows["sft"].low, rows["sft"].text) == (0.625, None, "62.5%")
    (sft, *_) = added(report, "accuracy")
    text = "+62.5 (seeds +50.0, +75.0)"
    assert (sft.text, sft.verdict, sft.word) == (text, None, "")


def test_a_study_that_is_not_finished_says_what_is_there_and_what_is_missing() -> None:
    study = build_report([unfinished(golden_lattice(), "sft+dpo")])
    assert [line.split(" against ")[0] for line in lines(study)] == ["sft", "dpo"]
    assert basis(study).endswith(
        "Not evaluated yet: sft+dpo. What each stage's share is can be said when all models are "
        "evaluated."
    )
    assert summary(study).startswith("sft improved accuracy and the share")


def test_variants_whose_reference_is_not_there_yet_say_what_they_are_and_why_no_more() -> None:
    names = ("r=4", "r=8", "r=16")
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 40)}
    for place, name in enumerate(names):
        stages[f"{name}/sft"] = ("base", "c" * 10 * place + "w" * (40 - 10 * place))
    chains = [(name, 0, {"base": "base", "sft": f"{name}/sft"}) for name in names]
    study = unfinished(make_study(stages, chains, reference="r=4"), "r=4/sft")
    report = build_report([study])
    assert lines(report) == [
        "base: accuracy 0.0% [0.0, 8.8] (n=40)",
        "r=16/sft: accuracy 50.0% [35.2, 64.8] (n=40); no comparison: the reference r=4/sft is "
        "not measured",
        "r=8/sft: accuracy 25.0% [14.2, 40.2] (n=40); no comparison: the reference r=4/sft is "
        "not measured",
    ]
    assert summary(report).startswith(
        "After sft accuracy is 50.0% [35.2, 64.8] (n=40) for r=16 and 25.0% [14.2, 40.2] (n=40) "
        "for r=8; none is compared with r=4, which is not measured there."
    )


def unfinished(run: RunRecord, *gone: str) -> RunRecord:
    """A study of which these models are not evaluated yet."""
    chains = [
        replace(
            chain,
            stages={slot: name for slot, name in chain.stages.items() if name not in gone},
            complete=not {*chain.stages.values()} & {*gone},
        )
        for chain in run.chains
    ]
    stages = [stage for stage in run.stages if stage.name not in gone]
    return replace(run, stages=stages, chains=tuple(chains), missing=[*gone])


def test_the_main_metric_is_the_one_that_most_stages_have() -> None:
    base, *later = make_chain(base="w" * 40, sft="c" * 40, dpo="c" * 40).stages
    run = make_run([base, *(with_task(stage, "arc/acc_norm") for stage in later)])
    assert main_metric(run.stages) == "arc/acc_norm"
    assert lines(build_report([run])) == [
        "base: accuracy 0.0% [0.0, 8.8] (n=40); arc acc_norm not measured",
        "sft: arc acc_norm 50.0% [40.0, 60.0] (n=40); no comparison: base was not measured in it",
        "dpo: arc acc_norm 50.0% -> 50.0%, 0.0 [-6.6, +6.6] no difference shown",
    ]


def with_task(stage: StageRecord, name: str) -> StageRecord:
    """A stage that was asked a task in place of the problems: every second document is right."""
    metrics = {name: Metric(value=0.5, low=0.4, high=0.6, n=40)}
    values = {f"{name}/{number}": float(number % 2) for number in range(40)}
    asked = with_metrics(stage, metrics, "accuracy", "pass@", "length")
    return replace(asked, stored_values={name: values})


def test_a_metric_that_one_stage_alone_has_is_not_what_a_report_is_read_for() -> None:
    first, second = make_chain(base="w" * 40, sft="c" * 40).stages
    run = make_run([with_metrics(first, {}, "accuracy", "pass@"), second])
    assert main_metric(run.stages) == "win_rate_base"
    assert main_metric([second]) == "accuracy"


def with_metrics(stage: StageRecord, more: dict[str, Metric], *without: str) -> StageRecord:
    kept = {
        name: metric
        for name, metric in stage.evaluation.metrics.items()
        if not name.startswith(without or ("none",))
    }
    evaluation = stage.evaluation.model_copy(update={"metrics": kept | more})
    return replace(stage, evaluation=evaluation)


def test_a_percentage_is_said_only_where_it_tells_what_the_verdict_tells() -> None:
    base = [make_score(f"p/{n}", True, 10 if n < 30 else 400) for n in range(40)]
    # three in four twice as long, and the long ones half as long: shorter in the mean
    sft = [make_score(f"p/{n}", True, 20 if n < 30 else 200) for n in range(40)]
    first = make_stage("base", base)
    report = build_report([make_run([first, make_stage("sft", sft, [first])])])
    (found,) = added(report, "length_tokens")
    assert found.ratio is not None and found.ratio.value > 1 and (found.delta or 0) < 0
    (line,) = lines(report)
    assert "%" not in line.rpartition("; ")[2]
    assert line.endswith("; shorter by 42.5 [8.7, 81.9] tokens")


def test_one_batch_has_a_time_and_no_interval() -> None:
    one = Metric(value=0.84, low=0.17, high=1.5, n=1)
    assert formatting.value("seconds_per_response", one) == "0.840 s"
    assert formatting.value("seconds_per_response", one.model_copy(update={"n": 2})) == (
        "0.840 s [0.170, 1.500]"
    )
    # of one answer that is right or wrong there is one
    assert formatting.value("accuracy", Metric(value=1.0, low=0.2, high=1.0, n=1)).endswith("]")


def test_intervals_are_promised_only_where_there_are_some() -> None:
    letters = {"sft0": "ccww", "sft1": "cccw", "dpo0": "cwww", "dpo1": "ccww"}
    run = make_lattice(seeds=(0, 1), base="wwww", both0="cccc", both1="ccww", **letters)
    assert basis(build_report([replace(run, lattice=False)])) == (
        "2 seeds; no intervals. Two seeds know no noise floor: a third may do more."
    )


def test_later_runs_stand_beside_the_first() -> None:
    first = make_chain("a", base="wc" * 10, sft="c" * 20)
    report = build_report([first, make_chain("b", base="wc" * 10, sft="wwwc" * 5)])
    *_, beside = lines(report)
    assert beside == "b/sft beside a/sft: accuracy 100.0% -> 25.0%, -75.0 [-91.4, -45.0] " + (
        "regressed; length: identical"
    )


def test_a_run_of_base_alone_says_what_base_is() -> None:
    report = build_report([make_chain(base="wc" * 10)])
    assert lines(report) == ["base: accuracy 50.0% [29.9, 70.1] (n=20)"]
    assert scoreboard(report).forests == ()


def test_what_is_not_evaluated_yet_is_named() -> None:
    run = replace(make_chain(base="wc" * 10), missing=["sft", "dpo"])
    assert basis(build_report([run])) == "n=20; 95% intervals. Not evaluated yet: sft, dpo."


def test_an_unfit_judge_has_win_rates_and_no_verdicts() -> None:
    fit = panel(golden_report(), "win rate")
    unfit = panel(with_passport(golden_report(), fit=False), "win rate")
    assert [row.value for row in unfit.rows] == [row.value for row in fit.rows]
    assert fit.rows[1].verdict == "improved" and unfit.note == UNFIT
    assert not any(row.verdict or row.word for row in unfit.rows)


def test_base_is_the_opponent_and_no_missing_number() -> None:
    base = panel(golden_report(), "win rate").rows[0]
    assert (base.value, base.text) == (None, "the opponent")


def without(report_run: str, *metrics: str) -> Report:
    run = make_chain(report_run, base="w" * 40, sft="c" * 30 + "w" * 10)
    kept = [
        replace(
            stage,
            evaluation=stage.evaluation.model_copy(
                update={
                    "metrics": {
                        name: metric
                        for name, metric in stage.evaluation.metrics.items()
                        if not name.startswith(metrics)
                    }
                }
            ),
        )
        for stage in run.stages
    ]
    return build_report([replace(run, stages=kept)])


def test_without_accuracy_the_win_rate_comes_first_and_without_both_the_length() -> None:
    report = without("demo", "accuracy", "pass@")
    assert lines(report)[0].startswith("sft: win rate against base 87.5%, +37.5 [")
    assert scoreboard(report).panels[0].title == "win rate"
    unfit = with_passport(report, fit=False)
    assert (
        lines(unfit)[1].startswith("sft: win rate against base 87.5% [")
        and UNFIT in lines(unfit)[1]
    )
    assert lines(without("demo", "accuracy", "pass@", "win_rate"))[0].startswith("sft: length")


def test_the_first_score_of_ones_own_task_is_the_headline() -> None:
    run = make_chain(base="w" * 20, sft="c" * 20)
    metrics = {"exact": Metric(value=0.25, low=0.1, high=0.5, n=20)}
    stages = [
        replace(
            stage,
            evaluation=stage.evaluation.model_copy(update={"metrics": metrics}),
            verdicts={},
            stored_values={"exact": {f"p/{n}": float(n < 5) for n in range(20)}},
        )
        for stage in run.stages
    ]
    report = build_report([replace(run, stages=stages)])
    assert scoreboard(report).panels[0].metric == "exact"
    assert lines(report)[0].startswith("sft: exact 25.0% -> 25.0%, 0.0 [")


def test_what_a_stage_lost_beside_accuracy_is_in_its_line_and_takes_its_mark() -> None:
    (line,) = stage_lines(retained(40, 10))
    assert line.verdict is None and " improved; " in line.words
    (kept,) = stage_lines(retained(40, 40))
    assert kept.verdict == "improved"


def test_what_was_asked_for_and_not_measured_is_not_said_to_be_kept() -> None:
    run = make_chain(base="w" * 40, sft="c" * 40)
    stages = [
        replace(
            stage,
            evaluation=stage.evaluation.model_copy(update={"contract": CONTRACT | RETENTION}),
        )
        for stage in run.stages
    ]
    report = build_report([replace(run, stages=stages, contract=CONTRACT | RETENTION)])
    assert "lost" not in lines(report)[0]


def test_stages_that_variants_share_do_not_stand_beside_the_reference() -> None:
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 40)}
    stages["sft"] = ("base", "c" * 20 + "w" * 20)
    for name in ("beta=1", "beta=2"):
        stages[f"{name}/dpo"] = ("sft", "c" * 30 + "w" * 10)
    chains = [
        (name, 0, {"base": "base", "sft": "sft", "dpo": f"{name}/dpo"})
        for name in ("beta=1", "beta=2")
    ]
    report = build_report([make_study(stages, chains, reference="beta=1")])
    assert scoreboard(report).forests[0].title == "differences in accuracy, points"
    alone = scoreboard(build_report([golden_variants()])).forests[0].title
    assert alone == "accuracy beside the reference, points"
