"""A user's own tasks in a whole run on the tiny model: asked, scored, compared, trained on."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.own_rows import OwnProblem, load_own, turns
from stagelift.evals.data.source import Source
from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.metrics.measures import leading, measure
from stagelift.evals.metrics.own_scores import own_metrics, own_score
from stagelift.evals.metrics.scorers.in_contract import own_scorers
from stagelift.evals.metrics.scorers.known import named, read_scorer
from stagelift.evals.records import Generation, Score
from stagelift.harness.errors import UsageError
from stagelift.harness.preflight import check_sources
from stagelift.harness.recipes.read import as_written, load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.rescoring import rescore
from stagelift.reports.folders import RunFolder
from stagelift.reports.formats.explorer import problems
from stagelift.reports.gates.scores import stage_scores
from stagelift.reports.numbers.gains import gains
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.stages.rewards import load_rewards, reward_fingerprint
from stagelift.stages.rows.own import own_training_rows
from tests.in_process import run_recipe
from tests.shared import copied, made_once

MINE = """
def share_of_letters(response, row):
    return sum(c.isalpha() for c in response) / max(1, len(response))


def long_enough(response, row):
    return None if row["target"]["n"] == 3 else len(response)
"""
KINDS: list[Any] = [
    "exact",
    "contains",
    {"choice": ["e", "the"]},
    {"regex": r"\w"},
    {"json": {"fields": ["n"]}},
    "math",
    "scorers_of_a_run.share_of_letters",
]


def write_rows(path: Path, targets: list[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    rows = [
        {"prompt": f"What is {number} + 2?", "target": target, "cluster": f"c{number % 4}"}
        for number, target in enumerate(targets)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def recipe_text(model: Path) -> str:
    scorers = (
        "[{regex: '(e|the)'}, contains, {choice: [e, the]}, scorers_of_a_run.share_of_letters]"
    )
    return f"""
name: own
model: {{path: "{model.as_posix()}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: words}}
stages:
  - grpo:
      rewards: [exact, contains, {{choice: ["1", "2"]}}, {{regex: '([12])'}}, json, math,
                scorers_of_a_run.share_of_letters, brevity, correctness]
      args: {{max_steps: 2, per_device_train_batch_size: 4, num_generations: 4,
              max_completion_length: 8, learning_rate: 1e-1}}
evals:
  accuracy: {{task: mine, scorers: {scorers}, max_tokens: 8, batch_size: 4, sampled: 2}}
  tasks:
    - task: objects
      data: {{path: objects.jsonl}}
      scorers: [{{json: {{fields: [n]}}}}, {{scorers_of_a_run.long_enough: any}}]
      max_tokens: 8
  preference: {{prompts: null}}
"""


@pytest.fixture(scope="session")
def own_run(shared: Path, tiny_model: Path) -> Path:
    """The runs folder's parent of a run with tasks of its own."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            Path("scorers_of_a_run.py").write_text(MINE)
            write_rows(Path("words/train.jsonl"), ["1", "2"] * 4)
            write_rows(Path("words/test.jsonl"), ["e", "the"] * 6)
            write_rows(Path("objects.jsonl"), [{"n": number} for number in range(8)])
            Path("own.yaml").write_text(recipe_text(tiny_model))
            recipe = load_recipe("own.yaml", [])
            check_sources(recipe)
            run_recipe(recipe, Path("runs"))

    return made_once(shared, "own_run", make)


@pytest.fixture
def record(own_run: Path) -> RunRecord:
    return read_run(RunFolder(own_run / "runs" / "own").path)


def test_each_scorer_is_a_metric_of_every_stage(record: RunRecord) -> None:
    for stage in record.stages:
        metrics = stage.evaluation.metrics
        assert "accuracy" not in metrics
        assert leading(metrics) == "regex"
        assert metrics["regex"].n == metrics["scorers_of_a_run.share_of_letters"].n == 12
        assert metrics["regex"].clusters == 4
        # of one row the function says nothing
        assert metrics["objects:scorers_of_a_run.long_enough@any"].n == 7
        assert metrics["sampled_accuracy"].n == 12


def test_scores_are_compared_with_verdicts_gains_and_margins(record: RunRecord) -> None:
    report = build_report([record])
    compared = {one.metric: one for one in report.comparisons()}
    assert compared["regex"].family == "headline"
    assert compared["scorers_of_a_run.share_of_letters"].family == "other"
    assert compared["objects:json"].family == "headline"
    assert {"objects:scorers_of_a_run.long_enough@any", "choice"} <= {*compared}
    for gain in gains(record):
        assert sum(part.delta for part in gain.parts) == pytest.approx(gain.delta)
    assert {gain.metric for gain in gains(record)} >= {"regex", "scorers_of_a_run.share_of_letters"}
    values = stage_scores(record.stages[1], record, None).values
    assert values["scorers_of_a_run.share_of_letters"].keys() == values["regex"].keys()


def test_a_stage_is_trained_on_every_kind_of_scorer(own_run: Path) -> None:
    (log,) = (own_run / "runs" / "nodes").glob("grpo-*/training.jsonl")
    logged = json.loads(log.read_text().splitlines()[0])["logs"]
    kinds = ["exact", "contains", "choice", "regex", "json", "math", "brevity", "correctness"]
    assert {f"rewards/{kind}/mean" for kind in kinds} <= {*logged}
    assert logged["rewards/scorers_of_a_run.share_of_letters/mean"] > 0


def test_the_explorer_shows_what_each_scorer_made_of_a_response(record: RunRecord) -> None:
    shown = problems(build_report([record]))
    assert shown.index["groups"] == ["test", "further tasks"]
    _, _, answers, *_ = json.loads(shown.chunks[0])[0][0]
    assert {"regex", "contains", "choice", "scorers_of_a_run.share_of_letters"} == {*answers}


def test_the_contract_names_rows_and_code_and_the_node_the_rewards(record: RunRecord) -> None:
    contract = record.contract
    assert [scorer["kind"] for scorer in contract["scorers"]] == [
        "regex",
        "contains",
        "choice",
        "function",
    ]
    assert len(contract["scorers"][3]["code"]) == 64
    assert contract["own"][0]["data"].startswith("sha256:")
    assert len(own_scorers({"own": contract["own"]})["objects"]) == 2
    assert len(record.stages[1].identity["reward_code"]) == 9


def test_reward_and_metric_are_the_same_code(
    own_run: Path, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_run)
    stage = record.stages[1]
    scores = [score for score in stage.scores if score.group == "test" and score.sample == 0]
    rewards = load_rewards([{"regex": "(e|the)"}, "scorers_of_a_run.share_of_letters"])
    for reward, metric in zip(rewards, ["regex", "scorers_of_a_run.share_of_letters"], strict=True):
        given = reward(
            completions=[
                [{"role": "assistant", "content": stage.generations[score.id].response}]
                for score in scores
            ],
            row=[json.dumps(score.row) for score in scores],
        )
        assert given == [score.scored[metric].value for score in scores]


def test_responses_are_scored_again_after_a_scorer_changed(
    own_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(own_run, tmp_path / "again")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "scorers_of_a_run", raising=False)
    assert not any(change.metrics for change in rescore(Path("runs/own")))
    Path("scorers_of_a_run.py").write_text(MINE.replace("isalpha", "isspace"))
    # as a new process, which finds the module in its working folder
    monkeypatch.delitem(sys.modules, "scorers_of_a_run", raising=False)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    changed = rescore(Path("runs/own"))
    assert {*changed[0].metrics} == {"scorers_of_a_run.share_of_letters"}
    again = read_run(Path("runs/own"))
    assert (
        again.contract["scorers"][3]["code"]
        != read_run(RunFolder(own_run / "runs" / "own").path).contract["scorers"][3]["code"]
    )


def test_a_recipe_with_tasks_of_its_own_is_written_and_read_again(own_run: Path) -> None:
    recipe = load_recipe(str(own_run / "own.yaml"), [])
    written = as_written(recipe)
    assert written["evals"]["accuracy"]["scorers"][0] == {"regex": {"pattern": "(e|the)"}}
    assert Recipe.model_validate(written) == recipe


@pytest.mark.parametrize("scorer", KINDS)
def test_a_stage_may_be_rewarded_by_each_kind_of_scorer(
    scorer: Any, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_run)
    rows = own_training_rows(Source(path="words"))
    target = {"n": 1} if isinstance(scorer, dict) and "json" in scorer else "e"
    reward, shorter = load_rewards([scorer, "brevity"])
    arguments = {
        "prompts": rows["prompt"][:2],
        "completions": [[{"role": "assistant", "content": text}] for text in ('{"n": 1} e', "?")],
        "completion_ids": [[1], [1, 2]],
        "row": [json.dumps({"prompt": "?", "target": target})] * 2,
    }
    first, second = reward(**arguments)
    assert 0 <= second <= first <= 1
    assert shorter(**arguments) == [0.0, 0.0]
    assert reward_fingerprint(scorer) == reward_fingerprint(scorer)


def test_a_scorer_that_fails_is_counted_and_ends_nothing() -> None:
    regex = named([read_scorer({"regex": "(?:a|aa)+$"})], None)
    problem = load_own_row({"prompt": "?", "target": "x"})
    scores = [
        own_score(response(f"mine/{number}", text), problem, regex)
        for number, text in enumerate(["aaa", "a" * 60 + "!", "b"])
    ]
    assert [score.correct for score in scores] == [True, None, False]
    assert own_metrics(scores)["regex"].n == 2


def load_own_row(row: dict[str, Any]) -> OwnProblem:
    return OwnProblem(
        id="mine/1", task="mine", group="test", prompt=turns(row["prompt"], ""), row=row
    )


def response(name: str, text: str) -> Generation:
    return Generation(
        id=name, group="test", prompt="?", response=text, n_tokens=1, finish_reason="stop"
    )


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([{"prompt": "a", "target": "b"}, {"prompt": "", "target": "b"}], "Row 2 .* has no prompt"),
        ([{"prompt": "a"}], "Row 1 .* has no target"),
        ([{"prompt": 3, "target": 1}], "neither text nor messages"),
        ([{"prompt": [{"role": "user"}], "target": 1}], "without a role or a text"),
        (
            [{"prompt": [{"role": "assistant", "content": "a"}], "target": 1}],
            "ends with the assistant",
        ),
        (["a"], "Line 1 .* no JSON object"),
        ([{"prompt": "a\ud800", "target": 1}], "half of a surrogate pair"),
        ([], "has no rows"),
        (
            [{"prompt": "a", "target": 1, "cluster": "x"}, {"prompt": "a", "target": 1}],
            "has no cluster",
        ),
    ],
)
def test_rows_that_cannot_be_asked_are_named(rows: list[Any], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with pytest.raises(ValueError, match=problem):
        load_own("mine", Source(path=str(file)), "test", None)


def test_rows_keep_targets_of_every_kind_and_messages_with_their_system_prompt(
    tmp_path: Path,
) -> None:
    file = tmp_path / "rows.jsonl"
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    targets: list[Any] = ["a", 1, ["a", 2], {"b": None}, {"c": float("nan")}]
    rows = [{"question": turns, "label": target} for target in targets]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    source = Source(path=str(file), columns={"prompt": "question", "target": "label"})
    loaded = load_own("mine", source, "test", None)
    assert [problem.row["target"] for problem in loaded] == [*targets[:4], {"c": None}]
    assert loaded[0].prompt == turns
    assert load_own("mine", source, "test", 2) == loaded[:2]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["evals.accuracy.scorers=[]"], "needs scorers"),
        (["evals.accuracy.held_out=4"], "held_out must be 0 for task mine"),
        (["evals.accuracy.num_fewshot=2"], "num_fewshot must be 0 for task mine"),
        (
            ["evals.accuracy.task=schoolmath", "evals.accuracy.limit=4"],
            "has scorers or data of its own",
        ),
        (["data.path=bundled/schoolmath"], "set evals.accuracy.data"),
        (["evals.accuracy.scorers=[exactly]"], "There is no scorer 'exactly'"),
        (["evals.accuracy.scorers=[no_module.f]"], "cannot be imported"),
        (["evals.accuracy.scorers=[{json: {fields: [a]}}]"], "Row 1 of .* is no JSON"),
        (["evals.accuracy.scorers=[{regex: }]"], "pattern"),
        (
            ["evals.accuracy.data={path: nowhere.jsonl}"],
            "does not exist.*Did you mean 'objects.jsonl'",
        ),
        (["evals.accuracy.scorers=[{json: {feilds: [a]}}]"], "did you mean 'fields'"),
        (
            ["evals.tasks=[{task: a, data: {path: objects.jsonl}, scorers: [json], limits: 3}]"],
            r"Unknown key 'evals.tasks.0.limits' .* did you mean 'limit'",
        ),
        (["evals.accuracy.data={path: words/train.jsonl}"], "which is what the evaluation asks"),
        (
            ["evals.tasks=[{task: mine, data: {path: objects.jsonl}, scorers: [json]}]"],
            "Choose another",
        ),
        (["evals.tasks=[{task: a, data: {path: objects.jsonl}, scorer: [json]}]"], "scorer"),
        (["evals.accuracy.scorers=[math]"], "math-verify reads no expression"),
        (["stages.grpo.rewards=[{json: {schema: no.json}}]"], "no file of JSON"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(
    settings: list[str], problem: str, own_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_run)
    with pytest.raises(UsageError, match=problem):
        check_sources(load_recipe("own.yaml", settings))


def test_records_without_own_scores_are_written_as_before() -> None:
    score = Score(
        id="1",
        group="test",
        question="q",
        target="t",
        correct=True,
        correct_strict=True,
        answer="t",
        answer_strict="t",
        outcome="correct",
        n_tokens=1,
        truncated=False,
    )
    assert not {"scored", "row"} & {*score.model_dump()}


@pytest.mark.parametrize(
    ("name", "unit", "bounds", "task"),
    [
        ("exact", "share", (0, 1), None),
        ("labels:choice-2", "share", (0, 1), "labels"),
        ("my_scorers.stars@1..5", "points", (1, 5), None),
        ("essays:my.deep.cost@any", "points", None, "essays"),
    ],
)
def test_names_say_what_a_score_can_be(
    name: str, unit: str, bounds: tuple[float, float] | None, task: str | None
) -> None:
    known = measure(name)
    assert (known.family, known.unit, known.bounds, known.task) == ("own score", unit, bounds, task)


def test_an_evaluation_folder_holds_the_rows(own_run: Path, record: RunRecord) -> None:
    place = next((own_run / "runs" / "nodes").glob("base-*/evals/*"))
    scores = EvaluationFolder(place).read_scores()
    assert {score.group for score in scores} == {"test", "sampled", "task"}
    assert all(score.row is not None for score in scores)
    assert len(record.stages) == 2
