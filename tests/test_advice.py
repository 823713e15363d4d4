"""Warnings before a run: emulated bfloat16, groups without a signal, problems that stand in the
training data.
"""

import json
from pathlib import Path

import pytest

from stagelift.evals.files import write_text
from stagelift.evals.records import EvalResult, Metric
from stagelift.harness.forecast.advice import precision_advice
from stagelift.harness.forecast.groups import group_advice, silent_share
from stagelift.harness.forecast.leaks import overlap_advice
from stagelift.harness.forecast.material import Asked, TrainedOn
from stagelift.harness.forecast.other_dtype import other_dtype_advice
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from tests.records import CONTRACT


def plan_of(recipe: Path, *overrides: str) -> Plan:
    return make_plan(load_recipe(str(recipe), list(overrides)))


def measure(store: Store, plan: Plan, name: str, accuracy: float) -> None:
    folder = store.evaluation_folder(next(one for one in plan.nodes if one.name == name), plan)
    result = EvalResult(
        contract_id=plan.contract_id,
        contract=CONTRACT,
        metrics={"accuracy": Metric(value=accuracy, low=0, high=1, n=128)},
        outcomes={},
        win_tie_loss={},
        seconds=1,
        peak_memory_bytes=1,
        versions={},
    )
    folder.finish([], [], result)


def test_bfloat16_is_warned_of_only_where_a_gpu_emulates_it() -> None:
    (warned,) = precision_advice("bfloat16", "cuda", native=False)
    assert (warned.level, "only emulates" in warned.text) == ("warning", True)
    assert precision_advice("bfloat16", "cuda", native=True) == []
    assert precision_advice("float16", "cuda", native=False) == []
    assert precision_advice("bfloat16", "cpu", native=False) == []


def test_a_run_that_auto_would_begin_anew_is_warned_of(finished_run: Path) -> None:
    store, recipe = Store(finished_run.parent), finished_run / "recipe.yaml"
    auto = load_recipe(str(recipe), ["model.dtype=auto"])
    in_bfloat16 = make_plan(auto, lambda _: ("cpu", "bfloat16"))
    (warned,) = other_dtype_advice(in_bfloat16, store)
    assert "was begun in float32, and model.dtype=auto is bfloat16 here" in warned.text
    assert other_dtype_advice(make_plan(auto, lambda _: ("cpu", "float32")), store) == []
    assert other_dtype_advice(plan_of(recipe), store) == []
    other_name = make_plan(auto.model_copy(update={"name": "new"}), lambda _: ("cpu", "bfloat16"))
    assert other_dtype_advice(other_name, store) == []


def test_the_share_of_silent_groups_is_one_at_both_ends_and_least_in_the_middle() -> None:
    assert silent_share(0, 4) == silent_share(1, 4) == 1
    assert silent_share(0.5, 4) == 0.125
    assert silent_share(0.039, 4) == pytest.approx(0.853, abs=1e-3)
    assert silent_share(0.039, 16) < silent_share(0.039, 4)


def test_no_mixture_of_hard_and_easy_problems_has_fewer_silent_groups_than_their_mean() -> None:
    mixture = (silent_share(0.0, 4) + silent_share(0.4, 4)) / 2
    assert mixture > silent_share(0.2, 4)


def test_groups_are_judged_by_what_the_stage_starts_from_else_by_base(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    plan, store = (
        plan_of(tiny_recipe, "stages.grpo.args.num_generations=4"),
        Store(tmp_path / "runs"),
    )
    (unknown,) = group_advice(plan, store)
    assert unknown.level == "note" and "not known yet: base is not measured" in unknown.text
    measure(store, plan, "base", 0.039)
    (warned,) = group_advice(plan, store)
    assert warned.level == "warning"
    assert warned.text.startswith("grpo: at least 85% of groups (4 completions each)")
    assert (
        "base's accuracy is 3.9%" in warned.text
        and "dpo, where it starts, is not measured yet" in warned.text
    )
    measure(store, plan, "dpo", 0.5)
    (noted,) = group_advice(plan, store)
    assert noted.level == "note" and noted.text.startswith("grpo: at least 12% of groups")


def test_a_stage_that_is_not_rewarded_for_being_right_has_no_such_groups(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    plan = plan_of(tiny_recipe, "stages.grpo.rewards=[tests.rewards.share_of_letters]")
    assert group_advice(plan, Store(tmp_path)) == []


def gsm8k(folder: Path, train: list[str], test: list[str]) -> list[str]:
    """Write a folder with two splits and return the overrides that make a recipe train on the one
    and ask the other.
    """
    for split, questions in (("train", train), ("test", test)):
        rows = [json.dumps({"question": one, "answer": "It is 2.\n#### 2"}) for one in questions]
        write_text(folder / f"{split}.jsonl", "".join(f"{row}\n" for row in rows))
    return [
        f"data={{path: {folder.as_posix()}}}",
        "evals.accuracy={task: gsm8k}",
        "evals.preference.prompts=null",
    ]


LEAKED = "A shepherd owns 40 sheep and sells 15 of them in the spring. How many are left?"
SIMILAR = "A shepherd owns 40 sheep and sells 22 of them in the autumn market. What remains?"
OTHER = "Nine boats carry eight people each across the river every single morning. How many people?"


def test_a_leaked_problem_is_told_from_shared_wording(tiny_recipe: Path, tmp_path: Path) -> None:
    overrides = gsm8k(tmp_path / "math", [LEAKED, SIMILAR], [LEAKED, OTHER])
    plan = plan_of(tiny_recipe, *overrides)
    (found,) = overlap_advice(plan, Asked(plan.settings), TrainedOn())
    assert found.level == "warning"
    assert found.text.startswith("sft, dpo and grpo (the 2 rows of ")
    assert "1 of 2 test problems (50%) share 8 words in a row" in found.text
    assert "1 stand there WORD FOR WORD (gsm8k/test/0)" in found.text


def test_shared_wording_alone_is_said_to_be_no_leak(tiny_recipe: Path, tmp_path: Path) -> None:
    shared = "A shepherd owns 40 sheep and sells 15 more. How many has she now?"
    plan = plan_of(tiny_recipe, *gsm8k(tmp_path / "math", [LEAKED], [shared, OTHER]))
    (found,) = overlap_advice(plan, Asked(plan.settings), TrainedOn())
    assert "1 of 2 test problems" in found.text and "None stands there word for word" in found.text


def test_groups_without_overlap_are_one_note(tiny_recipe: Path) -> None:
    plan = plan_of(tiny_recipe)
    advice = overlap_advice(plan, Asked(plan.settings), TrainedOn())
    notes = [one.text for one in advice if one.level == "note"]
    assert notes == [
        "sft, dpo and grpo (the 64 rows of bundled/schoolmath, train): no 8 words in a row are "
        "shared with the 4 held-out problems or the 6 preference prompts."
    ]


def test_what_cannot_be_reached_is_said_not_to_be_checked(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    overrides = (
        "stages.sft.dataset.path=no-such/data",
        f"checkpoint={{adapter: {tmp_path.as_posix()}}}",
    )
    plan = plan_of(tiny_recipe, *overrides)
    texts = [one.text for one in overlap_advice(plan, Asked(plan.settings), TrainedOn())]
    assert "Not checked for overlap: sft's data, no-such/data, which cannot be read here." in texts
    assert "Not checked for overlap: what checkpoint was trained on." in texts
