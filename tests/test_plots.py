import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest

from stagelift.evals.metrics.accuracy import count_outcomes
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import Metric, Score
from stagelift.reports.plots import Plot, plots
from stagelift.reports.plots.costs import spread
from stagelift.reports.plots.gains import waterfall
from stagelift.reports.plots.labels import distinct_labels, short_label
from stagelift.reports.plots.length_correctness import length_bins
from stagelift.reports.plots.style import VARIABLES
from stagelift.reports.plots.svg import presentation_attributes
from stagelift.reports.plots.training import points_alone, training_curves
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import build_report
from tests.records import chain, make_run, make_score, make_stage, make_training

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["accuracy", "gains", "lengths", "length_correctness", "win_rates", "training", "costs"]
HOSTILE = [
    "<script>alert(1)</script>",
    "$x^2$ & </svg>",
    "a\nb\x1b[31m\u202e\ufffe]]>",
    "\N{GRINNING FACE}漢字 \\frac{1}{2} %s {0}",
    "one-run-name-that-goes-on-and-on-with-learning-rate-0.0001-and-seed-17",
    "one-run-name-that-goes-on-and-on-and-differs-in-the-middle-and-seed-17",
]


def drawn(*runs: RunRecord) -> dict[str, Plot]:
    return {plot.name: plot for plot in plots(build_report(runs))}


def texts(plot: Plot) -> list[str]:
    return [
        element.text or ""
        for element in ElementTree.fromstring(plot.svg).iter()
        if element.tag.endswith("}text")
    ]


def edited(stage: StageRecord, **fields: object) -> StageRecord:
    """The stage with the same fields in every score, measured anew."""
    scores = [score.model_copy(update=fields) for score in stage.scores]
    verdicts = [verdict for found in stage.verdicts.values() for verdict in found.values()]
    metrics = {
        "metrics": compute_metrics(scores, verdicts).metrics,
        "outcomes": count_outcomes(scores),
    }
    return replace(stage, scores=scores, evaluation=stage.evaluation.model_copy(update=metrics))


def stages_edited(run: RunRecord, **fields: object) -> RunRecord:
    return replace(run, stages=[edited(stage, **fields) for stage in run.stages])


def named(run: RunRecord, name: str) -> RunRecord:
    return replace(run, name=name, stages=[replace(stage, run=name) for stage in run.stages])


def trained(run: RunRecord, history: list[dict[str, object]]) -> RunRecord:
    training = make_training("grpo").model_copy(update={"history": history})
    return replace(run, stages=[run.stages[0], replace(run.stages[1], training=training)])


@pytest.fixture(scope="module")
def run() -> RunRecord:
    """Three stages in which problems are answered, not read, cut off and answered wrongly; lengths
    differ by problem.
    """
    kinds = ["correct", "wrong", "unparsed", "truncated"]

    def scores(shift: int) -> list[Score]:
        found = []
        for i in range(40):
            outcome = kinds[(i * i + shift * (i % 5)) % 4]
            score = make_score(f"p/{i}", outcome == "correct", 20 + (7 * i + shift) % 50)
            found.append(
                score.model_copy(update={"outcome": outcome, "truncated": outcome == "truncated"})
            )
        return found

    stages: list[StageRecord] = []
    for shift, name in enumerate(["base", "sft", "grpo"]):
        stages.append(make_stage(name, scores(shift), stages))
    return make_run(stages)


@pytest.fixture(scope="module")
def all_plots(run: RunRecord) -> dict[str, Plot]:
    return drawn(run, named(run, HOSTILE[0]), named(run, HOSTILE[1]))


def test_plots_come_in_the_order_of_a_page(all_plots: dict[str, Plot], run: RunRecord) -> None:
    assert list(all_plots) == NAMES
    assert list(drawn(run)) == [name for name in NAMES if name != "costs"]


def test_an_svg_has_nothing_that_a_strict_page_refuses(all_plots: dict[str, Plot]) -> None:
    for plot in all_plots.values():
        for element in ElementTree.fromstring(plot.svg).iter():
            tag = element.tag.removeprefix("{http://www.w3.org/2000/svg}")
            assert tag in {
                "svg",
                "title",
                "desc",
                "g",
                "path",
                "defs",
                "use",
                "text",
                "clipPath",
                "rect",
            }
            assert "style" not in element.attrib and not any(
                name.startswith("on") for name in element.attrib
            )
            assert element.attrib.get("href", "#").startswith("#")
        assert "<?xml" not in plot.svg and "<!" not in plot.svg and "<script" not in plot.svg


def test_every_colour_is_a_variable_of_the_page(all_plots: dict[str, Plot]) -> None:
    variables = {f"var({name})" for name in VARIABLES.values()}
    for plot in all_plots.values():
        for element in ElementTree.fromstring(plot.svg).iter():
            for name in ("fill", "stroke"):
                assert element.attrib.get(name, "none") in {"none", *variables}, (
                    plot.name,
                    element.attrib,
                )


def test_text_takes_the_font_of_the_page_and_is_ten_pixels_or_more(
    all_plots: dict[str, Plot],
) -> None:
    for plot in all_plots.values():
        assert "font-family" not in plot.svg
        sizes = {float(size) for size in re.findall(r'font-size="([\d.]+)px"', plot.svg)}
        assert sizes and min(sizes) >= 10
        assert "width" not in ElementTree.fromstring(plot.svg).attrib


def test_ids_are_unique_on_a_page_and_everything_that_is_referred_to_is_there(
    all_plots: dict[str, Plot],
) -> None:
    page = "".join(plot.svg for plot in all_plots.values())
    ids = Counter(re.findall(r' id="([^"]+)"', page))
    assert set(ids.values()) == {1}
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page)) <= {
        (one, "") for one in ids
    } | {("", one) for one in ids}


def test_a_plot_says_what_it_shows_to_those_who_cannot_see_it(all_plots: dict[str, Plot]) -> None:
    for plot in all_plots.values():
        root = ElementTree.fromstring(plot.svg)
        assert root.attrib["role"] == "img"
        by_id = {element.attrib.get("id"): element.text for element in root}
        assert [by_id[one] for one in root.attrib["aria-labelledby"].split()] == [
            plot.title,
            plot.alt,
        ]


def test_drawing_twice_gives_the_same_bytes(run: RunRecord) -> None:
    assert drawn(run) == drawn(run)


@pytest.mark.real
def test_bytes_depend_on_neither_hash_seed_nor_matplotlibrc(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text(
        "font.size: 30\naxes.grid: True\nlines.linewidth: 9\ntext.color: red\n"
    )
    code = (
        "import hashlib\nfrom stagelift.reports.plots import plots\n"
        "from stagelift.reports.report import build_report\n"
        "from tests.records import chain\nreport = build_report([chain([True, False] * 20, [True] "
        "* 40)])\n"
        "print(hashlib.sha256(repr(plots(report)).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, **more},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, more in (("1", {}), ("2", {"MATPLOTLIBRC": str(tmp_path)}))
    }
    assert len(seen) == 1


def test_drawing_leaves_matplotlib_as_it_was(run: RunRecord) -> None:
    with matplotlib.rc_context({"font.size": 30, "text.parse_math": True}):
        before = dict(matplotlib.rcParams)
        drawn(run)
        assert dict(matplotlib.rcParams) == before


def test_reports_wait_for_matplotlib_only_where_they_draw() -> None:
    code = (
        "import sys, stagelift.reports.plots; "
        "sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_drawing_needs_no_pyplot() -> None:
    code = (
        "import sys\nfrom stagelift.reports.plots import plots\n"
        "from stagelift.reports.report import build_report\n"
        "from tests.records import chain\nplots(build_report([chain([True], [False])]))\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_bars_of_a_waterfall_end_at_the_accuracy_of_each_stage(run: RunRecord) -> None:
    report = build_report([run])
    steps = waterfall(report, report.runs[0])
    ends = {step.label: step.end for step in steps if step.part is None}
    assert ends == {
        stage.name: pytest.approx(stage.evaluation.metrics["accuracy"].value, abs=1e-12)
        for stage in run.stages
    }
    for before, step in pairwise(steps):
        assert step.start == (before.end if step.part is not None else 0.0)
        if step.part is None:
            assert step.end == before.end


def test_a_waterfall_has_a_bar_for_each_cause_between_two_stages(run: RunRecord) -> None:
    report = build_report([run])
    labels = [step.label for step in waterfall(report, report.runs[0])]
    parts = ["format", "stopping", "reasoning"]
    assert labels == ["base", *parts, "sft", *parts, "grpo"]


def test_alt_texts_have_the_numbers() -> None:
    found = drawn(chain([True] * 10 + [False] * 30, [True] * 30 + [False] * 10))
    assert (
        "numeric: base 25.0% [14.2, 40.2], sft 75.0% [59.8, 85.8] (n=40)." in found["accuracy"].alt
    )
    assert (
        "base 25.0%, format 0.0 [-6.6, +6.6], stopping 0.0 [-6.6, +6.6], reasoning +50.0 ["
        in found["gains"].alt
    )
    assert "to sft 75.0%" in found["gains"].alt
    assert "base median 60, p90 60, from 60 to 60 (n=40)" in found["lengths"].alt
    assert "sft: 40 tokens 75.0% [59.8, 85.8], n=40" in found["length_correctness"].alt
    assert "sft: loss 0.5 at step 1." in found["training"].alt
    again = "Against base, on problems: accuracy and brevity again: sft as judged"
    assert again in found["win_rates"].alt
    assert (
        "61 s; 0.00102 M; 2.00 GB"
        in drawn(chain([True], [True]), named(chain([True], [True]), "b"))["costs"].alt
    )


def test_names_are_text_whatever_is_in_them(run: RunRecord) -> None:
    page = drawn(*(named(run, name) for name in HOSTILE))
    assert list(page) == NAMES
    for plot in page.values():
        ElementTree.fromstring(plot.svg)
        assert "<script" not in plot.svg and plot.svg.count("</svg>") == 1
        assert "\x1b" not in plot.svg and "\u202e" not in plot.svg and "\ufffe" not in plot.svg
    assert "$x^2$ & </svg>/sft" in texts(page["accuracy"])


def test_stages_of_two_runs_are_told_apart(run: RunRecord) -> None:
    page = drawn(*(named(run, name) for name in HOSTILE[-2:]))
    for name in ("accuracy", "gains", "lengths"):
        labels = [text for text in texts(page[name]) if text.endswith("/sft")]
        assert len(set(labels)) == 2, labels


def test_labels_are_short_and_differ() -> None:
    assert short_label("quickstart") == "quickstart"
    assert (
        short_label("a" * 50 + "/grpo", 20).endswith("/grpo")
        and len(short_label("a" * 50, 20)) == 20
    )
    assert short_label("漢" * 30, 20) == "漢" * 3 + "…" + "漢" * 6
    assert short_label(" \n") == "(no name)" and short_label("\x00") == "<U+0000>"
    assert distinct_labels(["b", "b", "c"]) == ["b (1)", "b (2)", "c"]


def test_without_targets_there_is_nothing_about_correctness(run: RunRecord) -> None:
    nothing = {"correct": None, "correct_strict": None, "correct_flexible": None, "outcome": None}
    assert list(drawn(stages_edited(run, **nothing))) == ["lengths", "win_rates", "training"]


def test_lengths_that_are_not_known_make_no_plot(run: RunRecord) -> None:
    found = drawn(stages_edited(run, n_tokens=None, n_chars=None))
    assert "lengths" not in found and "length_correctness" not in found


def test_lengths_are_in_characters_where_tokens_are_not_known(run: RunRecord) -> None:
    found = drawn(
        replace(run, stages=[run.stages[0], edited(run.stages[1], n_tokens=None), run.stages[2]])
    )
    assert "in characters: base median" in found["lengths"].alt
    assert any(text.startswith("characters per response") for text in texts(found["lengths"]))


def test_an_untrained_run_has_neither_curves_nor_costs() -> None:
    stage = make_stage("base", [make_score("p/0", True)])
    assert list(drawn(make_run([stage]))) == ["accuracy", "lengths", "length_correctness"]


@pytest.mark.parametrize("lengths", [(0, 0), (1, 1), (5000, 7)])
def test_one_problem_and_equal_lengths_can_be_drawn(lengths: tuple[int, int]) -> None:
    assert list(drawn(chain([True], [False], lengths))) == NAMES[:-1]


def test_several_samples_of_a_prompt_are_one_prompt() -> None:
    scores = [
        make_score(f"p/{i}", sample == 0, 10 * (sample + 1), sample)
        for i in range(12)
        for sample in (0, 1)
    ]
    found = drawn(make_run([make_stage("base", scores)]))
    assert "base median 15, p90 15, from 15 to 15 (n=12)" in found["lengths"].alt
    assert (
        "15 tokens 50.0%" in found["length_correctness"].alt
        and "n=12" in found["length_correctness"].alt
    )


def test_ten_stages_can_be_drawn(run: RunRecord) -> None:
    stages = [run.stages[0], *(replace(run.stages[1], name=f"sft-{i}") for i in range(9))]
    found = drawn(replace(run, stages=stages))
    assert list(found) == NAMES[:-1]
    assert "sft-8" in texts(found["length_correctness"])


def test_an_extrapolated_win_rate_is_hollow_and_says_so(run: RunRecord) -> None:
    stage = run.stages[1]
    metric = Metric(value=0.8, low=0.6, high=0.9, n=40)
    for extrapolated in ([], ["win_rate_lc_base"]):
        changed = {"metrics": {"win_rate_lc_base": metric}, "extrapolated": extrapolated}
        evaluation = stage.evaluation.model_copy(update=changed)
        plot = drawn(replace(run, stages=[run.stages[0], replace(stage, evaluation=evaluation)]))[
            "win_rates"
        ]
        assert ("var(--paper)" in plot.svg) == bool(extrapolated)
        assert ("80.0% [60.0, 90.0] extrapolated" in texts(plot)) == bool(extrapolated)


def test_bins_of_length_hold_every_prompt_once_and_keep_equal_lengths_together() -> None:
    lengths = {f"p/{i}": float([10, 20, 20, 20, 30][i % 5]) for i in range(60)}
    bins = length_bins(
        lengths, {problem: float(length < 25) for problem, length in lengths.items()}
    )
    assert sum(one.accuracy.n for one in bins) == 60
    assert all(before.longest < one.shortest for before, one in pairwise(bins))
    assert (bins[0].accuracy.value, bins[-1].accuracy.value) == (1.0, 0.0)
    assert length_bins({"a": 1.0}, {"b": 1.0}) == []


def test_what_was_not_logged_is_a_gap_and_not_a_zero() -> None:
    history = [
        {"step": 1, "loss": 1.0, "reward": None},
        {"step": 2, "loss": None, "reward": 0.5},
        {"step": 2, "eval_loss": 3.0},
        {"step": 3, "loss": float("nan")},
        {"step": 4, "loss": 0.5, "reward": "none", "kl": True},
        {"loss": 9.0},
    ]
    cells = training_curves(history)
    assert list(cells) == ["loss", "reward"]
    assert cells["loss"][0].steps == [1, 2, 3, 4]
    assert cells["loss"][0].logged() == [(1, 1.0), (4, 0.5)]
    assert cells["reward"][0].logged() == [(2, 0.5)]


def test_a_point_without_neighbours_is_a_marker() -> None:
    nan = float("nan")
    assert points_alone([1.0]) == [0]
    assert points_alone([1.0, nan, 2.0, 3.0, nan, 4.0]) == [0, 5]
    assert points_alone([nan, nan]) == []


def test_a_row_of_another_kind_at_a_step_does_not_break_a_curve() -> None:
    found = training_curves(
        [{"step": 1, "loss": 1.0}, {"step": 1, "eval_loss": 2.0}, {"step": 2, "loss": 0.9}]
    )
    assert found["loss"][0].logged() == [(1, 1.0), (2, 0.9)]


def test_curves_show_what_each_kind_of_stage_logs() -> None:
    run = chain([True], [True])
    dpo = [
        {
            "step": i,
            "loss": 0.5,
            "rewards/chosen": 0.1,
            "rewards/rejected": -i,
            "rewards/margins": i,
        }
        for i in (1, 2)
    ]
    plot = drawn(trained(run, dpo))["training"]
    assert {"loss", "reward", "reward of chosen answers", "margin between them"} <= set(texts(plot))
    assert "reward (margin) 1 at step 1 to 2 at step 2" in plot.alt
    grpo = [
        {"step": i, "reward": 0.5, "reward_std": 0.1, "kl": 0.01, "completions/mean_length": 40}
        for i in (1, 2)
    ]
    plot = drawn(trained(run, grpo))["training"]
    assert {"reward", "KL", "length, tokens"} <= set(texts(plot)) and "loss" not in texts(plot)
    assert "training" not in drawn(trained(run, []))


def test_points_of_equal_cost_stand_beside_each_other() -> None:
    assert spread([1.0, 5.0, 1.0], 0.5, 6.0) == [0.75, 5.0, 1.25]
    assert spread([3.0], 0.5, 6.0) == [3.0]
    # moved apart they would meet the next one, or leave the axis
    assert spread([1.0, 1.0, 1.6], 0.5, 6.0) == pytest.approx([0.7, 1.2, 1.7])
    assert spread([0.0, 0.0, 6.0, 6.0], 0.5, 6.0) == [0.0, 0.5, 5.5, 6.0]


def test_a_font_shorthand_is_split() -> None:
    style = "font: 700 12px 'DejaVu Sans', sans-serif; text-anchor: middle; stroke: #010101"
    assert dict(presentation_attributes(style)) == {
        "font-size": "12px",
        "font-weight": "700",
        "text-anchor": "middle",
        "stroke": "var(--ink)",
    }
