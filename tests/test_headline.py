"""What a report's headline is made of, and which tests are one."""

from dataclasses import replace

import pytest

from stagelift.reports.numbers.families import adjust, equal_test
from stagelift.reports.numbers.headline import headline_metrics, is_accuracy_again
from stagelift.reports.records import StageRecord
from tests.records import make_chain


def judged_by(judge: str) -> StageRecord:
    stage = make_chain(base="w" * 9, sft="c" * 9).stages[1]
    contract = {**stage.evaluation.contract, "judge": judge}
    return replace(stage, evaluation=stage.evaluation.model_copy(update={"contract": contract}))


def test_a_win_rate_is_in_the_headline_where_its_judge_does_not_decide_by_the_targets() -> None:
    ours, foreign = judged_by("reference-2"), judged_by("gpt-5")
    assert headline_metrics(ours) == {"accuracy", "length_tokens"}
    assert headline_metrics(foreign) == {"accuracy", "length_tokens", "win_rate_previous"}
    assert is_accuracy_again("win_rate_base", ours)
    assert not is_accuracy_again("win_rate_base", foreign)
    assert not is_accuracy_again("accuracy", ours)


def test_of_lm_evals_tasks_the_first_metric_of_each_listed_one_is_in_the_headline() -> None:
    stage = judged_by("gpt-5")
    metric = stage.evaluation.metrics["accuracy"]
    names = ["arc/acc", "arc/acc_norm", "mmlu/acc", "mmlu_law/acc"]
    evaluation = stage.evaluation.model_copy(
        update={
            "metrics": dict.fromkeys(names, metric),
            "contract": {"judge": "", "tasks": [{"task": "arc"}, {"task": "mmlu"}]},
        }
    )
    values = {name: {"1": 1.0} for name in names}
    asked = replace(stage, evaluation=evaluation, stored_values=values)
    assert headline_metrics(asked) == {"arc/acc", "mmlu/acc"}


def test_equal_tests_have_one_name_whatever_their_order_size_and_sign() -> None:
    accuracy = equal_test({"a": 1.0, "b": 0.0, "c": -1.0}, 1.0)
    assert accuracy == equal_test({"c": -0.5, "a": 0.5, "b": 0.0}, 0.5)
    assert accuracy == equal_test({"a": -1.0, "b": 0.0, "c": 1.0}, 1.0)
    assert accuracy != equal_test({"a": 1.0, "b": 0.0, "d": -1.0}, 1.0)
    assert accuracy != equal_test({"a": 0.5, "b": 0.0, "c": -0.5}, 1.0)
    assert accuracy != equal_test({"a": 1.0, "b": 0.0, "c": -1.0}, 1.0, [3.0, 2.0, 1.0])


def test_a_family_is_adjusted_by_itself() -> None:
    found = adjust("headline", {"one": 0.01, "two": 0.04, "three": 0.5})
    assert [one.p_adjusted for one in found.values()] == pytest.approx([0.03, 0.08, 0.5])
    assert [one.level for one in found.values()] == pytest.approx([0.05 / 3, 0.025, 0.025])
    assert adjust("other", {}) == {}
