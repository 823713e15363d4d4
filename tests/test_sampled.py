"""Samples beside the greedy response: how they are drawn, counted and reported."""

import json
from io import StringIO
from pathlib import Path

import pytest

from stagelift.evals.data.problems import load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.files import read_records
from stagelift.evals.lm_eval.gsm8k import load_tasks
from stagelift.evals.lm_eval.stored_lm import StoredLM, generate_responses
from stagelift.evals.metrics.measures import measure
from stagelift.evals.metrics.sampled import TEMPERATURE, sampled_metrics
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.generate import Generator
from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer
from stagelift.evals.records import Generation, Score
from stagelift.evals.stats import estimates
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.contract import LATER
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import as_written, load_recipe
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.explorer import problems
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.numbers.headline import headline_metrics
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from tests.records import make_run, make_score, make_stage


def drawn(problem: str, right: str) -> list[Score]:
    """A greedy response that is wrong, and samples that are right (r) or wrong (w)."""
    samples = [
        make_score(problem, letter == "r", sample=number).model_copy(update={"group": "sampled"})
        for number, letter in enumerate(right, start=1)
    ]
    return [make_score(problem, False), *samples]


def sampled_run(base: list[str], sft: list[str]) -> RunRecord:
    first = make_stage("base", [score for i, r in enumerate(base) for score in drawn(f"p/{i}", r)])
    scores = [score for i, r in enumerate(sft) for score in drawn(f"p/{i}", r)]
    return make_run([first, make_stage("sft", scores, [first])])


def test_the_unit_is_the_problem_and_not_the_sample() -> None:
    scores = [*drawn("a", "rrrr"), *drawn("b", "rwww"), *drawn("c", "wwww")]
    metrics = compute_metrics(scores, []).metrics
    assert metrics["sampled_accuracy"] == estimates.rate([1.0, 0.25, 0.0])
    assert metrics["sampled_accuracy"].n == 3
    # of six pairs of b's samples three hold the right one
    assert metrics["pass@2_sampled"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics["pass@4_sampled"].value == pytest.approx(2 / 3)


def test_samples_change_no_other_metric() -> None:
    scores = [*drawn("a", "rrrr"), *drawn("b", "rwww")]
    greedy = [score for score in scores if score.group == "test"]
    with_samples, without = compute_metrics(scores, []), compute_metrics(greedy, [])
    others = {n: m for n, m in with_samples.metrics.items() if measure(n).group != "sampled"}
    assert others == without.metrics
    assert with_samples.outcomes == without.outcomes


def test_where_nothing_was_sampled_there_is_no_such_metric() -> None:
    assert sampled_metrics([]) == {}
    assert "sampled_accuracy" not in compute_metrics([make_score("a", True)], []).metrics


def test_sampled_accuracy_is_shown_beside_accuracy_and_compared_by_problem() -> None:
    base, sft = ["rwww"] * 20 + ["wwww"] * 20, ["rrrw"] * 20 + ["wwww"] * 20
    report = build_report([sampled_run(base, sft)])
    sft_stage = report.runs[0].stages[1]
    found = report.runs[0].find("sampled_accuracy", sft_stage, "base")
    assert found is not None
    assert (found.delta, found.n) == (pytest.approx(0.25), 40)
    assert (found.verdict, found.family) == ("improved", "other")
    assert "sampled_accuracy" not in headline_metrics(sft_stage)
    console = Console(width=200, record=True, file=StringIO())
    print_report(report, console)
    texts = (render_markdown(report), render_html(report).html, console.export_text())
    for text in texts:
        # the page's picture comes before its tables
        _, _, tables = text.rpartition('id="stages"')
        tables = tables[tables.index("sft added") :]
        places = [tables.index(row) for row in ("numeric", "at temperature 1, n=40", "mean tokens")]
        assert places == sorted(places)


def test_what_is_said_of_the_greedy_responses_says_nothing_of_samples() -> None:
    report = build_report([sampled_run(["rw", "ww"], ["rw", "rr"])])
    assert "samples" not in report.flips_title(report.runs[0].flips[0])
    (first, _) = json.loads(problems(report).chunks[0])
    assert [samples for _, _, _, _, samples in first] == [[2, 1, 1], [2, 1, 1]]


def test_it_is_part_of_the_contract_only_where_it_is_asked_for(tiny_recipe: Path) -> None:
    recipe = load_recipe(str(tiny_recipe), [])
    asked = load_recipe(str(tiny_recipe), ["evals.accuracy.sampled=4"])
    assert LATER["sampled"] == 0
    without, with_samples = make_plan(recipe), make_plan(asked)
    assert "sampled" not in without.contract
    assert with_samples.contract == {**without.contract, "sampled": 4}
    assert "sampled" not in recipe.identity()["evals"]["accuracy"]
    assert "sampled" not in as_written(recipe)["evals"]["accuracy"]
    assert asked.identity()["evals"]["accuracy"]["sampled"] == 4


def test_it_stands_beside_greedy_responses_only(tiny_recipe: Path) -> None:
    with pytest.raises(UsageError, match="so many are drawn beside greedy responses"):
        load_recipe(
            str(tiny_recipe), ["evals.accuracy.sampled=4", "evals.accuracy.temperature=0.8"]
        )


PROBLEMS = load_problems(
    "schoolmath", Source(path="bundled/schoolmath"), limit=4, held_out=2, num_fewshot=0
)


def answer(model: Path, path: Path, *, sampled: int) -> list[Generation]:
    """Let the tiny model answer the problems, and draw samples of the test problems."""
    ref = ModelRef(path=str(model), dtype="float32", device="cpu")
    tokenizer = load_tokenizer(str(model), None, None)
    engine = TransformersEngine(load_model(ref), tokenizer, 4)
    timings = path.with_name("timings.jsonl")
    greedy = Generator(engine, path, timings, 1, lambda *_: None)
    sampler = Generator(
        engine, path, timings, 1, lambda *_: None, sampled, TEMPERATURE, first_sample=1
    )
    lm = StoredLM(tokenizer, greedy, sampler if sampled else None)
    generate_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=8), lm)
    return read_records(path, Generation)


def test_test_problems_are_sampled_and_a_killed_evaluation_ends_with_the_same_bytes(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "generations.jsonl"
    made = answer(tiny_model, path, sampled=3)
    greedy = [generation for generation in made if generation.group != "sampled"]
    samples = [generation for generation in made if generation.group == "sampled"]
    assert [one.sample for one in greedy] == [0] * 6
    tested = [problem.id for problem in PROBLEMS.problems if problem.group == "test"]
    assert {(one.id, one.sample) for one in samples} == {(i, n) for i in tested for n in (1, 2, 3)}
    assert len({one.response for one in samples if one.id == tested[0]}) > 1
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:10]))
    assert answer(tiny_model, path, sampled=3) == made
    assert path.read_bytes() == whole
    assert greedy == answer(tiny_model, tmp_path / "greedy.jsonl", sampled=0)
