import json
from dataclasses import replace
from io import StringIO

import pytest

from stagelift.reports.formats.console import Console
from stagelift.reports.formats.document import render_json
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.numbers.flips import flips
from stagelift.reports.report import build_report
from tests.records import chain, make_chain, make_run, make_score, make_stage

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07 [bold]markup[/bold] </script><script>x</script> ``` | pipe "
    "\u202e\n## heading\n4"
)


def as_terminal(run_text: str = "It is 4.", width: int = 120) -> str:
    console = Console(width=width, force_terminal=True, record=True, file=StringIO())
    print_report(
        build_report([chain([False] * 8, [True] * 5 + [False] * 3, text=run_text)]), console
    )
    return console.export_text(styles=False)


def test_fixed_and_broken_problems_are_told_apart() -> None:
    run = chain([False, False, True, True], [True, False, False, True])
    assert flips(run.stages[1], run.stages[0]) == (["p/0"], ["p/2"], ["p/3"], ["p/1"])


def test_two_runs_of_one_name_cannot_share_a_report() -> None:
    run = chain([True, False], [True, True])
    with pytest.raises(ValueError, match="same name"):
        build_report([run, run])


def test_two_runs_stand_side_by_side_each_against_its_own_base() -> None:
    one = chain([False] * 40, [True] * 40)
    two = chain([False] * 40, [False] * 40)
    two = replace(two, name="other", stages=[replace(stage, run="other") for stage in two.stages])
    report = build_report([one, two])
    assert [report.column(stage) for stage in report.stages()] == [
        "demo/base",
        "demo/sft",
        "other/base",
        "other/sft",
    ]
    verdicts = {c.run: c.verdict for c in report.comparisons() if c.metric == "accuracy"}
    assert verdicts == {"demo": "improved", "other": "no difference shown"}
    assert "other/sft" in render_markdown(report)


def test_three_examples_of_each_at_most() -> None:
    report = build_report([chain([False] * 9 + [True] * 2, [True] * 9 + [False] * 2)])
    (found,) = report.flips()
    assert (found.fixed, found.broken) == (9, 2)
    assert (len(found.fixed_examples), len(found.broken_examples)) == (3, 2)


def test_the_terminal_report_has_header_table_and_examples() -> None:
    text = as_terminal()
    for expected in (
        "model",
        "tiny",
        "contract",
        "accuracy",
        "flexible, n=8",
        "to base",
        "W/T/L",
        "trainable parameters",
    ):
        assert expected in text
    assert "5 problems fixed, 0 broken" in text


def test_every_value_has_an_interval() -> None:
    report = build_report([chain([False] * 8, [True] * 5 + [False] * 3)])
    document = json.loads(render_json(report))
    for stage in document["stages"]:
        for metric in stage["metrics"].values():
            assert metric["low"] <= metric["value"] <= metric["high"] and metric["n"] == 8


def test_json_keeps_the_promised_names() -> None:
    document = json.loads(render_json(build_report([chain([False] * 8, [True] * 8)])))
    assert document["schema"] == 1
    assert {"schema", "runs", "stages", "comparisons"} <= set(document)
    stage = document["stages"][1]
    assert {"run", "name", "kind", "metrics", "outcomes", "training"} <= set(stage)
    assert {
        "accuracy",
        "accuracy_strict",
        "length_tokens",
        "truncated",
        "win_rate_base",
        "win_rate_previous",
    } <= set(stage["metrics"])
    names = {
        "metric",
        "stage",
        "against",
        "delta",
        "low",
        "high",
        "n",
        "p",
        "p_adjusted",
        "mde",
        "verdict",
    }
    assert all(names <= set(comparison) for comparison in document["comparisons"])
    assert document["stages"][0]["training"] is None


def test_hostile_responses_do_not_act_on_a_terminal() -> None:
    text = as_terminal(HOSTILE)
    assert "\x1b" not in text and "\x07" not in text and "\u202e" not in text
    # shown, not obeyed
    assert "[bold]markup[/bold]" in text


def test_hostile_responses_stay_inside_their_markdown_fence() -> None:
    markdown = render_markdown(build_report([chain([False] * 8, [True] * 8, text=HOSTILE)]))
    assert "\x1b" not in markdown
    fences = 0
    for line in markdown.splitlines():
        if line.startswith("````"):
            fences += 1
        if line.startswith("## heading"):
            # inside a block
            assert fences % 2 == 1
    assert fences and fences % 2 == 0


def test_markdown_tables_have_equal_columns() -> None:
    markdown = render_markdown(build_report([chain([False] * 8, [True] * 8)]))
    tables = [
        [line for line in part.splitlines() if line]
        for part in markdown.split("\n\n")
        if part.startswith("| ")
    ]
    assert [{line.count("|") for line in table} for table in tables] == [{5}, {5}, {7}]


@pytest.mark.parametrize("render", [render_markdown, render_json])
def test_rendering_is_deterministic(render: object) -> None:
    report = [build_report([chain([False, True] * 20, [True] * 40)]) for _ in range(2)]
    assert render(report[0]) == render(report[1])


def test_lengths_have_ratio_and_median_beside_their_difference() -> None:
    document = json.loads(
        render_json(build_report([chain([True] * 40, [True] * 40, lengths=(60, 30))]))
    )
    (length,) = [c for c in document["comparisons"] if c["metric"] == "length_tokens"]
    assert (length["delta"], length["ratio"]["value"], length["median"]["value"]) == (
        -30,
        pytest.approx(0.5),
        -30,
    )
    assert "× 0.50" in render_markdown(
        build_report([chain([True] * 40, [True] * 40, lengths=(60, 30))])
    )


def test_the_passport_stands_in_every_format() -> None:
    report = build_report([chain([False] * 40, [True] * 40)])
    assert json.loads(render_json(report))["runs"][0]["passport"]["judge"] == "reference-2"
    for text in (render_markdown(report), as_terminal()):
        assert "judge's pairs" in text and "same verdict in both orders" in text


def test_stages_are_ranked_where_there_are_three() -> None:
    base = make_stage("base", [make_score(f"p/{i}", i % 3 == 0) for i in range(30)])
    sft = make_stage("sft", [make_score(f"p/{i}", i % 3 != 1) for i in range(30)], [base])
    dpo = make_stage("dpo", [make_score(f"p/{i}", i % 5 != 1) for i in range(30)], [base, sft])
    ranking = build_report([make_run([base, sft, dpo])]).runs[0].ranking
    assert [rank.stage for rank in ranking] == ["dpo", "sft", "base"]
    assert ranking[-1].strength.value == 0 and all(rank.reference == "base" for rank in ranking)
    assert build_report([chain([False] * 40, [True] * 40)]).runs[0].ranking == []


def test_samples_are_paired_by_prompt_not_by_sample() -> None:
    before = [make_score(f"p/{i}", i % 2 == 0, sample=s) for i in range(40) for s in range(3)]
    after = [
        make_score(f"p/{i}", i % 2 == 0 or s == i % 3, sample=s)
        for i in range(40)
        for s in range(3)
    ]
    base = make_stage("base", before)
    found = {
        c.metric: c
        for c in build_report([make_run([base, make_stage("sft", after, [base])])]).comparisons()
    }
    assert (found["accuracy"].n, found["accuracy"].delta) == (40, pytest.approx(1 / 6))
    assert found["pass@3"].delta == pytest.approx(0.5)


def test_a_stage_called_reference_improves_like_any_other() -> None:
    report = build_report([make_chain(reference="w" * 40, sft="c" * 40)])
    markdown = render_markdown(report)
    assert "**improved**" in markdown and "<br>above one half" not in markdown


def test_what_was_scored_at_one_stage_only_has_no_flips() -> None:
    unscored = [
        make_score("p/0", True).model_copy(update={"correct": None, "outcome": None})
        for _ in range(1)
    ]
    base = make_stage("base", unscored)
    assert build_report([make_run([base, make_stage("sft", unscored, [])])]).flips() == []
