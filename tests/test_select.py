"""`select` in a stage: adapters are kept while it trains and measured on validation data, and the
chain goes on from the best one.
"""

import json
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from stagelift.evals.models.model import Dtype, ModelRef, load_model
from stagelift.harness.errors import UsageError
from stagelift.harness.forecast.forecast import make_forecast
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.graph.validation import selecting_metric
from stagelift.harness.recipes.read import as_written, load_recipe, with_settings
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.run import prepare, train_job
from stagelift.harness.selecting import chosen, settle
from stagelift.harness.validation import check_validation
from stagelift.harness.workers.executor import JobFailed, OnJobEvent
from stagelift.harness.workers.jobs import AnyJob
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import Selection
from stagelift.stages.same_model import distance, fixed_logits
from tests import in_process
from tests.in_process import InProcessExecutor, run_recipe
from tests.test_resume import Stopped, trained

EVERY = 2
WEIGHTS = "adapter_model.safetensors"


def recipe_text(model: Path, data: str = "bundled/schoolmath") -> str:
    return f"""
name: selected
model: {{path: "{model.as_posix()}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: {data}, limit: 64}}
stages:
  - sft:
      args: {{max_steps: 5, per_device_train_batch_size: 2, learning_rate: 1e-2, save_steps: 1}}
      select: {{metric: preference_accuracy, every: {EVERY}}}
  - dpo:
      args: {{max_steps: 4, per_device_train_batch_size: 2, learning_rate: 1e-2, save_steps: 3}}
      select: {{every: {EVERY}}}
evals:
  accuracy: {{task: schoolmath, limit: 6, max_tokens: 8, batch_size: 4}}
  preference: {{prompts: null}}
  validation: {{limit: 10}}
"""


@pytest.fixture
def recipe_file(tiny_model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "selected.yaml"
    path.write_text(recipe_text(tiny_model))
    return path


def read(text: str, tmp_path: Path, *overrides: str) -> Recipe:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return load_recipe(str(path), list(overrides))


class Killed(InProcessExecutor):
    """Does so many jobs, and ends the next one at its first event."""

    def __init__(self, after: int) -> None:
        self.left = after

    def run(self, job: AnyJob, on_event: OnJobEvent) -> None:
        if self.left == 0:
            raise JobFailed("killed")
        self.left -= 1
        super().run(job, on_event)


def reproducible(root: Path) -> dict[str, bytes]:
    """The files of nodes that have the same bytes again."""
    names = ("adapter_model.safetensors", "generations.jsonl", "scores.jsonl", "pairs.jsonl")
    return {
        file.relative_to(root).as_posix(): file.read_bytes()
        for file in sorted(root.rglob("*"))
        if file.name in (*names, "selection.json", "node.json")
    }


@pytest.mark.real
def test_a_stage_becomes_the_best_of_its_checkpoints_and_the_chain_goes_on_from_it(
    recipe_file: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(str(recipe_file), [])
    done = run_recipe(recipe, tmp_path / "runs")
    store, record = Store(tmp_path / "runs"), read_run(done.folder)
    plan = prepare(recipe, store)
    _, sft, dpo = plan.nodes
    folder = store.node_folder(sft)
    selection = folder.read_selection()
    assert list(selection.curve) == folder.kept_steps() == [2, 4, 5]
    best = max(selection.curve.values(), key=lambda metric: metric.value).value
    assert selection.curve[selection.selected].value == best
    assert selection.why.startswith(f"step {selection.selected}, the best of 3 by preference")
    weights = f"adapter/{WEIGHTS}"
    kept = folder.kept(selection.selected).path / weights
    assert (folder.path / weights).read_bytes() == kept.read_bytes()
    assert train_job(dpo, store).parent.adapter == str(folder.adapter)
    assert chosen(sft, store) is sft
    # nothing is right, so all are equal, and the earliest is taken
    assert store.node_folder(dpo).read_selection().selected == EVERY
    assert set(record.trajectories) == {"sft", "dpo"}
    curves = build_report([record]).runs[0].trajectories
    assert [curve.selected for curve in curves] == [selection.selected, EVERY]
    # by preference accuracy only pairs are scored
    responses = [
        json.loads(line)["id"].split("/")[1]
        for file in (tmp_path / "runs").rglob("kept/*/evals/*/generations.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert responses == ["validation"] * 2 * 10
    tested = {score.id.split("/")[1] for stage in record.stages for score in stage.scores}
    assert tested == {"test"}
    events = [event for _, event in done.events if event["event"] == "selected"]
    assert next(event["why"] for event in events) == selection.why


@pytest.mark.real
def test_killed_between_any_two_jobs_it_ends_with_the_same_bytes(
    recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(str(recipe_file), [])
    run_recipe(recipe, tmp_path / "whole")
    kills = 0
    while kills < 20:
        with monkeypatch.context() as patch:
            patch.setattr(in_process, "InProcessExecutor", partial(Killed, 2))
            try:
                run_recipe(recipe, tmp_path / "killed")
                break
            except JobFailed:
                kills += 1
    assert 5 <= kills < 20
    assert reproducible(tmp_path / "killed") == reproducible(tmp_path / "whole")


@pytest.mark.real
def test_a_training_that_stopped_keeps_the_same_adapters(tiny_model: Path, tmp_path: Path) -> None:
    trained("sft", tiny_model, tmp_path / "plain")
    trained("sft", tiny_model, tmp_path / "whole", keep_every=2)
    with pytest.raises(Stopped):
        trained("sft", tiny_model, tmp_path / "stopped", stop_at=4, keep_every=2)
    assert NodeFolder(tmp_path / "stopped").kept_steps() == [2, 4]
    trained("sft", tiny_model, tmp_path / "stopped", keep_every=2)
    whole, stopped = (NodeFolder(tmp_path / name) for name in ("whole", "stopped"))
    assert whole.kept_steps() == stopped.kept_steps() == [2, 4, 5]
    assert not whole.has_adapter()
    for step in whole.kept_steps():
        kept = [folder.kept(step).adapter / WEIGHTS for folder in (whole, stopped)]
        assert kept[0].read_bytes() == kept[1].read_bytes()
    # what is trained does not depend on what is kept
    last = whole.kept(5).adapter / WEIGHTS
    assert last.read_bytes() == (tmp_path / "plain" / "adapter" / WEIGHTS).read_bytes()


def test_of_two_processes_that_select_one_node_the_first_decides(tmp_path: Path) -> None:
    folder = NodeFolder(tmp_path / "sft")
    for step in (2, 4):
        folder.kept(step).adapter.mkdir(parents=True)
        (folder.kept(step).adapter / WEIGHTS).write_text(f"weights of step {step}")
    two, four = (
        Selection(
            metric="accuracy",
            base="base",
            checkpoints={2: "a", 4: "b"},
            left_out={},
            selected=step,
            why="",
            curve={},
            alike=[],
        )
        for step in (2, 4)
    )
    with ThreadPoolExecutor(1) as other:
        with FileLock(folder.lock_file):
            waiting = other.submit(settle, folder, two, adopts=True)
            assert not wait([waiting], timeout=0.2).done and not folder.is_selected()
        assert waiting.result() == two
    written = folder.read_selection()
    assert settle(folder, four, adopts=True) == written
    assert written.hashes.keys() == {f"adapter/{WEIGHTS}"}
    assert written.model_copy(update={"hashes": {}}) == two
    assert (folder.adapter / WEIGHTS).read_text() == "weights of step 2"


def test_what_is_not_selected_is_the_node_that_it_was(recipe_file: Path) -> None:
    selected = make_plan(load_recipe(str(recipe_file), []))
    plain = make_plan(load_recipe(str(recipe_file), ["stages.sft.select=null"]))
    other = make_plan(load_recipe(str(recipe_file), ["evals.validation.limit=12"]))
    assert "select" not in plain.nodes[1].identity
    assert len({plan.nodes[1].id for plan in (selected, plain, other)}) == 3
    assert len({plan.contract_id for plan in (selected, plain, other)}) == 1


def test_a_recipe_without_selection_says_nothing_of_it(tiny_recipe: Path) -> None:
    recipe = load_recipe(str(tiny_recipe), [])
    for said in (recipe.identity(), as_written(recipe)):
        assert "validation" not in json.dumps(said) and '"select"' not in json.dumps(said)


def test_a_recipe_with_selection_is_written_as_it_was_read(recipe_file: Path) -> None:
    recipe = load_recipe(str(recipe_file), [])
    assert Recipe.model_validate(as_written(recipe)) == recipe
    assert recipe.identity()["stages"][1]["select"] == {"metric": None, "every": EVERY}


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("accurracy", "There is no metric 'accurracy'. Did you mean 'accuracy'"),
        ("length_tokens", "a length, a time or a share of cut-off responses is no better"),
        ("win_rate_base", "it is against another model"),
        ("accuracy_held_out", "held-out problems are for testing"),
        ("mmlu/acc", "lm-eval's tasks are for testing"),
        ("sampled_accuracy", "nothing is sampled: set evals.accuracy.sampled"),
        ("pass@4", "1 of a problem's responses are drawn"),
    ],
)
def test_a_metric_that_cannot_select_is_refused_before_anything_is_loaded(
    recipe_file: Path, metric: str, sentence: str
) -> None:
    recipe = load_recipe(str(recipe_file), [f"stages.dpo.select.metric={metric}"])
    with pytest.raises(UsageError, match=sentence):
        check_validation(recipe)


def test_metrics_with_a_direction_select(recipe_file: Path) -> None:
    recipe = load_recipe(str(recipe_file), ["evals.accuracy.sampled=4"])
    for name in ("accuracy", "accuracy_strict", "sampled_accuracy", "pass@4_sampled"):
        assert selecting_metric(recipe, name).name == name
    assert selecting_metric(recipe, "preference_accuracy").better == "more"


@pytest.mark.real
def test_a_plan_says_how_long_selecting_takes(recipe_file: Path, tmp_path: Path) -> None:
    plan, store = make_plan(load_recipe(str(recipe_file), [])), Store(tmp_path / "runs")
    jobs = {
        (node.node.name, job.what): job
        for node in make_forecast(plan, store).nodes
        for job in node.jobs
    }
    select, evaluate = jobs["dpo", "select"], jobs["dpo", "evaluate"]
    assert select.cost is not None and evaluate.cost is not None and not select.done
    # two checkpoints and base are asked, each in a process of its own
    assert select.cost.seconds > 2 * evaluate.cost.seconds
    assert jobs["sft", "select"].cost is not None


OWN = """
name: own
model: {{path: "{model}", dtype: float32}}
data: {{path: "{data}", limit: 8}}
stages: [sft: {{args: {{max_steps: 4}}, select: {{every: 2}}}}]
evals:
  accuracy: {{task: mine, scorers: [exact, contains], limit: 4, data: {{path: "{data}"}}}}
  preference: {{prompts: null}}
"""


def test_a_task_of_ones_own_selects_by_its_first_score(tiny_model: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"Name the number after {n}, please.", "target": str(n)} for n in range(20)]
    data = gsm8k(tmp_path / "own", train=rows[:8], test=rows[8:12], validation=rows[12:])
    text = OWN.format(model=tiny_model.as_posix(), data=data.as_posix())
    recipe = read(text, tmp_path)
    check_validation(recipe)
    assert selecting_metric(recipe, None).name == "exact"
    assert selecting_metric(recipe, "contains").name == "contains"
    with pytest.raises(UsageError, match=r"task mine does not measure\. Use exact, contains"):
        selecting_metric(recipe, "accuracy")
    selects = make_plan(recipe).nodes[1].selects
    assert selects is not None and selects.settings.problems.source.split == "validation"
    (data / "validation.jsonl").write_text(json.dumps(rows[9]) + "\n" + json.dumps(rows[12]) + "\n")
    with pytest.raises(ValueError, match=r"1 of 2 validation rows .* in the test problems"):
        check_validation(recipe)


ROWS = [
    {"question": f"Ann has {n} red pens and buys {n} more blue pens. How many?", "answer": "#### 2"}
    for n in range(20)
]


def gsm8k(folder: Path, **splits: list[dict[str, str]]) -> Path:
    folder.mkdir()
    for split, rows in splits.items():
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)
    return folder


def of_ones_own(tiny_model: Path, tmp_path: Path, *more: str, **splits: Any) -> Recipe:
    data = gsm8k(tmp_path / "data", **splits)
    text = recipe_text(tiny_model, data.as_posix()).replace("task: schoolmath", "task: gsm8k")
    accuracy = "stages.sft.select.metric=accuracy"
    return read(text, tmp_path, "data.limit=null", accuracy, *more)


def test_validation_data_of_ones_own_is_asked(tiny_model: Path, tmp_path: Path) -> None:
    splits = {"train": ROWS[:8], "test": ROWS[8:14], "validation": ROWS[14:]}
    recipe = of_ones_own(tiny_model, tmp_path, **splits)
    check_validation(recipe)
    assert recipe.validation_source().limit == 10


def test_without_validation_data_a_sentence_says_how_to_make_some(
    tiny_model: Path, tmp_path: Path
) -> None:
    recipe = of_ones_own(tiny_model, tmp_path, train=ROWS[:8], test=ROWS[8:])
    with pytest.raises(ValueError, match=r"no file for split 'validation'.*Set rows aside in"):
        check_validation(recipe)


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        (
            {"train": ROWS[:8], "test": ROWS[8:14], "validation": ROWS[13:]},
            "1 of 7 validation rows of .* stand word for word in the test problems",
        ),
        (
            {"train": ROWS[:8], "test": ROWS[8:14], "validation": ROWS[14:] + ROWS[:2]},
            "2 of 8 validation rows of .* word for word in what stage 'sft' trains on",
        ),
        (
            {"train": ROWS[:8], "test": ROWS[8:], "validation": ROWS[8:]},
            "which is what the evaluation asks",
        ),
        (
            {"train": ROWS[:8], "test": ROWS[8:], "validation": ROWS[:8]},
            "Stage 'sft' would train on",
        ),
    ],
)
def test_what_is_tested_or_trained_on_does_not_select(
    tiny_model: Path, tmp_path: Path, splits: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_validation(of_ones_own(tiny_model, tmp_path, **splits))


def test_what_tasks_of_ones_own_ask_does_not_select(tiny_model: Path, tmp_path: Path) -> None:
    splits = {"train": ROWS[:8], "test": ROWS[8:14], "validation": ROWS[14:]}
    recipe = of_ones_own(tiny_model, tmp_path, **splits)
    rows = tmp_path / "rows.jsonl"
    asked = [{"prompt": row["question"], "target": "2"} for row in ROWS[15:17]]
    rows.write_text("".join(f"{json.dumps(row)}\n" for row in asked))
    task = {"task": "pens", "data": {"path": str(rows), "split": "train"}, "scorers": ["exact"]}
    tasks = with_settings(recipe, {"evals.tasks": [task]}, "this test")
    with pytest.raises(ValueError, match=r"2 of 6 validation rows .* what task pens of evals\.tas"):
        check_validation(tasks)


@pytest.mark.parametrize("name", ["prompts", "gold"])
def test_what_preference_is_measured_with_does_not_select(
    tiny_model: Path, tmp_path: Path, name: str
) -> None:
    splits = {"train": ROWS[:8], "test": ROWS[8:14], "validation": ROWS[14:]}
    by_pairs = "stages.dpo.select.metric=preference_accuracy"
    recipe = of_ones_own(tiny_model, tmp_path, by_pairs, **splits)
    pairs = [
        {"prompt": f"Which of tea {n} or of tea {n + 1} is it?", "chosen": "a", "rejected": "b"}
        for n in range(6)
    ]
    folder = gsm8k(tmp_path / "pairs", validation=pairs[:3], test=pairs[3:], gold=pairs[2:])
    given = {"evals.validation.pairs": {"path": str(folder), "split": "validation"}}
    for split, says in (("gold", "1 of 3 validation rows"), ("validation", "which is what")):
        source = {"path": str(folder), "split": split}
        shared = with_settings(recipe, given | {f"evals.preference.{name}": source}, "this test")
        with pytest.raises(ValueError, match=rf"{says} .*evals\.preference\.{name}"):
            check_validation(shared)
    apart = {f"evals.preference.{name}": {"path": str(folder), "split": "test"}}
    check_validation(with_settings(recipe, given | apart, "this test"))


@pytest.mark.parametrize("split", ["test", "held_out", "train"])
def test_a_split_that_is_for_something_else_does_not_select(recipe_file: Path, split: str) -> None:
    recipe = load_recipe(str(recipe_file), [f"evals.validation.split={split}"])
    with pytest.raises(ValueError, match=f"selected by split '{split}' of 'bundled/schoolmath'"):
        check_validation(recipe)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_last_adapter_that_is_kept_says_what_it_says_when_it_is_loaded(
    tiny_model: Path, tmp_path: Path, dtype: Dtype
) -> None:
    """A step is faster than a measurement, and rounds in another way."""
    trained("sft", tiny_model, tmp_path / "sft", keep_every=2, dtype=dtype)
    kept = NodeFolder(tmp_path / "sft").kept(5)
    said, base = kept.read_logits(), ModelRef(path=str(tiny_model), dtype=dtype, device="cpu")
    assert said is not None
    loaded = load_model(base.model_copy(update={"adapter": str(kept.adapter)}))
    again = fixed_logits(loaded, dtype, said.tokens)
    assert again is not None and distance(said, again) == 0
