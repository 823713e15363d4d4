"""Model cards: what the Hub reads out of one, that nothing hostile acts in one, and where a run
leaves them.
"""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import EvalResult, ModelCard

from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.metrics.measures import measure
from stagelift.evals.models.bundled import HUB_ID
from stagelift.evals.records import GoldAgreement, Metric
from stagelift.harness.outputs import write_outputs
from stagelift.harness.recipes.read import evaluation_recipe
from stagelift.reports.formats.card import render_card
from stagelift.reports.formats.model_index import read_rows, shown_metrics
from stagelift.reports.records import RunRecord, StageRecord, read_run
from tests.in_process import run_recipe
from tests.records import chain, make_run, make_score, make_stage
from tests.shared import copied

HOSTILE = "x|<script>alert(1)</script>\n---\nlicense: mit\n---\n# `</details>` [a](http://b) ```"
LEAK = "/home/somebody/secret"


def on_hub(run: RunRecord, **changes: Any) -> RunRecord:
    """The run as one whose base and data lie on the Hub."""
    identities = [
        {"model": "hub:org/base@main"},
        {"data": "hub:org/data/main/train@abc123", "seed": 3},
    ]
    stages = [
        replace(one, identity=identity)
        for one, identity in zip(run.stages, identities, strict=True)
    ]
    return replace(run, stages=stages, base_model="org/base", base_revision="abc123", **changes)


def three_stages() -> RunRecord:
    base = make_stage("base", [make_score(f"p/{i}", i % 4 == 0, 60) for i in range(40)])
    sft = make_stage("sft", [make_score(f"p/{i}", i % 2 == 0, 40) for i in range(40)], [base])
    return make_run(
        [
            base,
            sft,
            make_stage("dpo", [make_score(f"p/{i}", True, 30) for i in range(40)], [base, sft]),
        ]
    )


def with_contract(run: RunRecord, **fields: Any) -> RunRecord:
    contract = run.contract | fields
    stages = [
        replace(one, evaluation=one.evaluation.model_copy(update={"contract": contract}))
        for one in run.stages
    ]
    return replace(run, contract=contract, stages=stages)


def with_metrics(stage: StageRecord, **metrics: Metric) -> StageRecord:
    return replace(
        stage,
        evaluation=stage.evaluation.model_copy(
            update={"metrics": stage.evaluation.metrics | metrics}
        ),
    )


def rendered(run: RunRecord, position: int = -1) -> str:
    return render_card(run, run.stages[position])


def load(text: str, folder: Path) -> Any:
    (folder / "README.md").write_text(text, encoding="utf-8")
    return ModelCard.load(folder / "README.md").data


def found_metrics(card: Any) -> dict[str, tuple[float, float, float, int]]:
    return {
        one.metric_type: (one.metric_value, *(one.metric_args[k] for k in ("low", "high", "n")))
        for one in card
    }


def tables(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("|")]
    starts = [index for index, row in enumerate(rows) if row.startswith("| :---")]
    bounds = [*(start - 1 for start in starts), len(rows)]
    return [rows[a:b] for a, b in pairwise(bounds)]


def columns(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row)) - 1


def test_the_hub_reads_every_metric_with_its_interval_out_of_a_card(tmp_path: Path) -> None:
    run = three_stages()
    stage = run.stages[-1]
    results = load(rendered(run), tmp_path).eval_results
    assert all(isinstance(one, EvalResult) for one in results)
    found = found_metrics(results)
    assert set(found) == set(shown_metrics(stage, run.stages))
    assert {
        "accuracy",
        "accuracy_strict",
        "win_rate_base",
        "win_rate_previous",
        "length_tokens",
        "truncated",
    } <= set(found)
    for name, numbers in found.items():
        metric, scale = stage.evaluation.metrics[name], 100 if measure(name).unit == "share" else 1
        assert numbers == pytest.approx(
            (scale * metric.value, scale * metric.low, scale * metric.high, metric.n), abs=0.005
        )


def test_the_front_matter_says_what_the_hub_filters_by_and_leaves_the_licence_open(
    tmp_path: Path,
) -> None:
    text = rendered(on_hub(chain([True] * 4 + [False] * 6, [True] * 10)))
    data = load(text, tmp_path)
    assert (data.base_model, data.datasets, data.model_name) == (
        "org/base",
        ["org/data"],
        "demo-sft",
    )
    assert (data.library_name, data.pipeline_tag, data.license) == ("peft", "text-generation", None)
    assert data.tags == ["stagelift", "trl", "lora", "sft"]
    assert "\n# license: to be filled in" in text.split("\n---\n")[0]
    assert 'from_pretrained(base, revision="abc123", dtype="float32")' in text


@pytest.mark.parametrize("weights", ["sha256:00ff", ""])
def test_a_local_base_is_left_out_and_the_text_says_so(weights: str, tmp_path: Path) -> None:
    run = chain([True, False], [True, True])
    run = replace(run, stages=[replace(run.stages[0], identity={"model": weights}), run.stages[1]])
    text = rendered(run)
    assert load(text, tmp_path).base_model is None
    assert (
        "# base_model: to be filled in by you" in text
        and "The base model was a local folder" in text
    )
    assert 'base = "FILL-IN"' in text


def test_a_name_that_is_none_of_the_hubs_never_becomes_one(tmp_path: Path) -> None:
    run = on_hub(chain([True, False], [True, True]))
    for name in (LEAK, "a/b/c", "a b", "a/b\nlicense: mit", ""):
        assert load(rendered(replace(run, base_model=name)), tmp_path).base_model is None


def test_the_bundled_base_is_named_as_what_it_derives_from() -> None:
    run = chain([True, False], [True, True])
    base = replace(run.stages[0], identity={"model": "bundled:00ff"})
    text = rendered(
        replace(run, stages=[base, run.stages[1]], base_model=HUB_ID, model="Tiny (Q4)")
    )
    assert f"**Tiny (Q4)**, which derives from [{HUB_ID}]" in text
    assert "not on the original weights" in text
    assert "from stagelift.evals.bundled import bundled_model" in text


def test_writing_a_card_twice_gives_the_same_bytes() -> None:
    assert rendered(three_stages()) == rendered(three_stages())


def test_what_was_trained_after_a_stage_does_not_change_its_card() -> None:
    run = three_stages()
    assert rendered(run, 1) == rendered(replace(run, stages=run.stages[:2]), 1)
    assert rendered(run, 1) == rendered(replace(run, missing=["grpo"]), 1)


def test_a_stage_that_trained_nothing_has_no_card() -> None:
    with pytest.raises(ValueError, match="trained nothing, so it has no model card"):
        rendered(three_stages(), 0)


def test_the_first_stage_is_compared_once_and_later_ones_twice() -> None:
    run = three_stages()
    first, last = tables(rendered(run, 1))[0][0], tables(rendered(run))[0][0]
    assert first == "| metric | base | sft | difference to base |"
    assert last == "| metric | base | dpo | difference to sft | difference to base |"
    assert "against previous" not in rendered(run) and "against sft" in rendered(run)


def test_hostile_names_stay_inert(tmp_path: Path) -> None:
    run = with_contract(
        three_stages(), task=HOSTILE, decoding=HOSTILE, judge=HOSTILE, dtype=HOSTILE
    )
    parents = [None, *(f"{one.name}{HOSTILE}" for one in run.stages)]
    stages = [
        replace(one, run=HOSTILE, name=f"{one.name}{HOSTILE}", parent=parent)
        for one, parent in zip(run.stages, parents, strict=False)
    ]
    stages[-1] = with_metrics(
        stages[-1], **{f"{HOSTILE}/acc": Metric(value=0.5, low=0.4, high=0.6, n=10)}
    )
    identity = {
        "data": HOSTILE,
        "lora": {HOSTILE: HOSTILE},
        "args": {HOSTILE: [HOSTILE]},
        "rewards": [HOSTILE],
    }
    stages = [replace(one, identity=identity) for one in stages]
    text = rendered(
        replace(run, name=HOSTILE, model=HOSTILE, stages=stages, recipe=HOSTILE, base_model=HOSTILE)
    )
    data = load(text, tmp_path)
    assert data.license is None and data.base_model is None
    assert any(one.dataset_type.startswith("x|<script>") for one in data.eval_results)
    for table in tables(text):
        assert len({columns(row) for row in table}) == 1
    outside = re.sub(
        r"^(`{3,})\w+\n.*?^\1$", "", text.split("\n---\n", 1)[1], flags=re.DOTALL | re.MULTILINE
    )
    assert not re.search(r"(?<!\\)<script", outside) and outside.count("</details>") == 1
    assert not re.search(r"^(---|license:|# x?`)", outside, flags=re.MULTILINE)


def test_no_folder_of_this_machine_is_in_a_card_or_its_recipe() -> None:
    run = with_contract(
        chain([True, False], [True, True]), judge=f"openai-1:{LEAK}/model@http://host:1/v1"
    )
    identity = {"data": "sha256:00", "args": {"chat_template_path": f"{LEAK}/a.jinja"}, "lora": {}}
    sft = replace(run.stages[1], identity=identity)
    passport = sft.evaluation.passport
    assert passport is not None
    share = Metric(value=0.5, low=0.4, high=0.6, n=9)
    gold = GoldAgreement(
        pairs=f"{LEAK}/gold.jsonl, test",
        agreement=share,
        kappa=share,
        control=share,
        advantage=share,
        failures=0,
        position_consistency=None,
    )
    judged = passport.model_copy(
        update={"gold": gold, "fit": False, "judge": f"openai-1:{LEAK}/model@http://host:1/v1"}
    )
    sft = replace(sft, evaluation=sft.evaluation.model_copy(update={"passport": judged}))
    run = replace(
        run,
        stages=[run.stages[0], sft],
        data=f"{LEAK}/data.jsonl",
        recipe=f"data: {LEAK}/data.jsonl",
    )
    card, recipe = rendered(run).split("<details>")
    assert LEAK not in card + recipe and "data: .../data.jsonl" in recipe
    assert ".../gold.jsonl, test" in card and ".../model@http://host:1/v1" in card


def test_an_unfit_judge_is_said_in_the_text_and_beside_every_win_rate(tmp_path: Path) -> None:
    run = chain([True, False], [True, True])
    passport = run.stages[1].evaluation.passport
    assert passport is not None
    share = Metric(value=0.5, low=0.4, high=0.6, n=9)
    gold = GoldAgreement(
        pairs="pairs",
        agreement=share,
        kappa=share,
        control=share,
        advantage=share,
        failures=0,
        position_consistency=None,
    )
    unfit = passport.model_copy(update={"judge": "gpt-5", "gold": gold, "fit": False})
    sft = replace(
        run.stages[1], evaluation=run.stages[1].evaluation.model_copy(update={"passport": unfit})
    )
    text = rendered(replace(run, stages=[run.stages[0], sft]))
    assert "**The judge is NOT FIT TO DECIDE" in text
    results = load(text, tmp_path).eval_results
    marked = [one.metric_type for one in results if "NOT FIT TO DECIDE" in one.metric_name]
    assert marked and marked == [
        one.metric_type for one in results if one.metric_type.startswith("win_rate")
    ]


def test_the_question_is_asked_as_the_evaluation_asks_it() -> None:
    asked = re.search(r'question = (".*?")  # asked in this form', rendered(three_stages()))
    assert asked and json.loads(asked[1]) == prompt_text(
        "A shop has 3 boxes with 4 pens each. How many pens are there?"
    )


@pytest.mark.parametrize(
    ("fingerprint", "expected"),
    [
        ("hub:openai/gsm8k/main/test@0123", ("openai/gsm8k", "main", "test", "0123", True)),
        ("hub:squad//validation@main", ("squad", None, "validation", "main", True)),
        ("schoolmath-1/held_out", ("schoolmath", None, "held_out", None, False)),
        ("sha256:0123", ("local-gsm8k", None, "test", None, False)),
    ],
)
def test_a_fingerprint_says_which_rows_were_read(
    fingerprint: str, expected: tuple[object, ...]
) -> None:
    rows = read_rows(fingerprint, "test", "gsm8k")
    assert (rows.type, rows.config, rows.split, rows.revision, rows.on_hub) == expected


def card_of(run: Path, kind: str) -> Path:
    return next((run.parent / "nodes").glob(f"{kind}-*/adapter")) / "README.md"


def test_every_trained_adapter_has_a_card_and_nothing_else_has(finished_run: Path) -> None:
    cards = {
        file.relative_to(finished_run.parent).parts[1:]
        for file in finished_run.parent.rglob("README.md")
    }
    nodes = {folder.name for folder in (finished_run.parent / "nodes").iterdir()}
    assert cards == {
        (name, "adapter", "README.md") for name in nodes if not name.startswith("base-")
    }


def test_the_card_has_the_numbers_of_the_record(finished_run: Path) -> None:
    run = read_run(finished_run)
    data = ModelCard.load(card_of(finished_run, "grpo")).data
    found = {(one.dataset_split, one.metric_type): one for one in data.eval_results or []}
    metrics = run.stages[-1].evaluation.metrics
    for place, name in (
        (("test", "accuracy"), "accuracy"),
        (("held_out", "accuracy"), "accuracy_held_out"),
        ((None, "acc"), "sums/acc"),
        (("test", "preference_accuracy"), "preference_accuracy"),
    ):
        assert found[place].metric_value == pytest.approx(100 * metrics[name].value, abs=0.005), (
            name
        )
        assert (found[place].metric_args or {})["n"] == metrics[name].n
    assert (
        data.tags == ["stagelift", "trl", "lora", "sft", "dpo", "grpo"] and data.base_model is None
    )


def test_no_path_of_this_machine_is_in_it_but_the_recipes(finished_run: Path) -> None:
    text = re.sub(
        r"<details>.*</details>", "", card_of(finished_run, "sft").read_text(), flags=re.DOTALL
    )
    assert not re.search(r"(?<![\w.:<])/\w+/", text.replace("https://", ""))


def test_writing_the_outputs_again_changes_no_byte(finished_run: Path, tmp_path: Path) -> None:
    root = copied(finished_run.parent, tmp_path / "runs")
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}
    write_outputs(root / "tiny")
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


def test_peft_loads_an_adapter_with_a_card(finished_run: Path, tiny_model: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert (
        PeftModel.from_pretrained(base, str(card_of(finished_run, "dpo").parent))
        .peft_config["default"]
        .r
        == 4
    )


def test_an_adapter_that_is_only_evaluated_keeps_its_own_readme(
    finished_run: Path, tiny_recipe_file: Path, tiny_model: Path, tmp_path: Path
) -> None:
    mine = copied(card_of(finished_run, "sft").parent, tmp_path / "mine")
    (mine / "README.md").write_text("mine")
    recipe = evaluation_recipe(str(tiny_recipe_file), [], str(tiny_model), str(mine), "theirs")
    run_recipe(recipe, tmp_path / "runs")
    assert (mine / "README.md").read_text() == "mine"
    assert not [*(tmp_path / "runs").rglob("README.md")]
