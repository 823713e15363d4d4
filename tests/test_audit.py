"""Rewards tried before a run is paid for: the completions, what is found, and the whole command."""

import json
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.evals.data.source import Source
from stagelift.evals.metrics.scoring import is_correct
from stagelift.harness.audit.audit import Completion, Pays, StageAudit, Value, audit_rewards, note
from stagelift.harness.audit.findings import findings
from stagelift.harness.audit.trial import ROWS, asked_of
from stagelift.harness.audit.tried import Asked, tried_completions
from stagelift.harness.audit.view import audits_as_data
from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.rows.rewarded import rewards_of
from stagelift.stages.settings import StageSettings

ANSWER = "She has 9 + 9 = 18 cups.\n#### 18"


def by_words(text: str, tokens: int) -> str:
    return " ".join(text.split(" ")[:tokens])


def words(text: str) -> int:
    return len(text.split())


def test_completions_are_right_and_wrong_as_their_sort_says() -> None:
    tried = tried_completions(Asked("How many cups?", ANSWER, "18", "7"), 30, by_words, words)
    right = {each.called: is_correct(each.text, ANSWER) for each in tried if each.sort == "right"}
    assert right == dict.fromkeys(right, True) and len(right) == 7
    others = [each for each in tried if each.sort in ("wrong", "empty", "format")]
    assert not any(is_correct(each.text, ANSWER) for each in others) and len(others) > 10
    long = [len(each.text.split()) for each in tried if each.sort == "long"]
    # 30 of the words that are separated by spaces alone
    assert min(long) >= 28 and max(long) <= 33


def test_a_row_without_an_answer_is_tried_on_what_needs_none() -> None:
    tried = tried_completions(Asked("Write a poem.", None, None, None), 30, by_words, words)
    assert {each.sort for each in tried} == {"empty", "format", "repeated", "long"}


def test_code_is_right_as_it_is_written_and_in_no_other_form() -> None:
    code = "def double(x):\n    return x * 2"
    row = {"prompt": "Write double.", "solution": code}
    tried = tried_completions(asked_of(row, [row]), 30, by_words, words)
    assert [each.text for each in tried if each.sort == "right"] == [code]
    assert not any(each.sort in ("wrong", "hedged") for each in tried)


def test_a_text_on_one_line_is_tried_in_all_forms_against_the_text_of_another_row() -> None:
    rows = [{"prompt": "Of France?", "answer": "Paris"}, {"prompt": "Of Cuba?", "answer": "Havana"}]
    assert asked_of(rows[0], rows) == Asked("Of France?", "Paris", "Paris", "Havana")


def completion(sort: Any, called: str) -> Completion:
    return Completion(sort, called, 1)


RIGHT, WRONG = completion("right", "the row's answer"), completion("wrong", "alone, wrong")
BOXED, NOTHING = completion("right", "in a box"), completion("empty", "nothing")
TAGS, LONG = completion("format", "tags"), completion("long", "the answer, then words")
ALL = [RIGHT, BOXED, WRONG, NOTHING, TAGS, LONG]


def paid(right: Value, boxed: Value, wrong: Value, nothing: Value, tags: Value, long: Value) -> Any:
    values = (right, boxed, wrong, nothing, tags, long)
    return {each: [value] for each, value in zip(ALL, values, strict=True)}


def said_of(*rewards: Pays, weights: list[float] | None = None) -> list[str]:
    audit = StageAudit("grpo", 1, ALL, list(rewards), weights or [1.0] * len(rewards), 16)
    return findings(audit)


def one(values: Mapping[Completion, list[Value]], **known: Any) -> str:
    return " ".join(said_of(Pays("mine", dict(values), **known)))


def test_nothing_is_said_of_a_reward_that_pays_for_right_answers_alone() -> None:
    assert said_of(Pays("mine", paid(1.0, 1.0, 0.0, 0.0, 0.0, 1.0))) == []


def test_a_penalty_for_length_pays_for_nothing() -> None:
    assert said_of(Pays("penalty", paid(0.0, 0.0, 0.0, 0.0, 0.0, -1.0))) == []


def test_a_penalty_for_wrong_answers_alone_pays_for_saying_nothing() -> None:
    alone = completion("right", "alone")
    values = {alone: [0.0], WRONG: [-1.0], NOTHING: [0.0]}
    audit = StageAudit("grpo", 1, list(values), [Pays("mine", values)], [1.0], 16)
    assert findings(audit) == ["mine pays for completions that say nothing (0): nothing."]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (paid(0.5, 0.5, 0.5, 0.5, 0.5, 0.5), "pays 0.5 for everything that was tried"),
        (paid(1.0, 1.0, 1.0, 0.0, 0.0, 1.0), "pays wrong answers as much as right ones"),
        (paid(1.0, 0.0, 0.0, 0.0, 0.0, 1.0), "does not pay right answers written so: in a box"),
        (paid(1.0, 1.0, 0.0, 1.0, 0.0, 1.0), "pays for completions that say nothing (1): nothing"),
        (paid(1.0, 1.0, 0.0, 0.0, 1.0, 1.0), "pays for form without content (1): tags"),
        (paid(1.0, 1.0, 0.0, 0.0, 0.0, 3.0), "grows with length: 3 for 'the answer, then words'"),
        (paid(1.0, 1.0, 0.0, 0.0, 0.0, 500.0), "pays from 0 to 500: without bounds"),
        (paid(1.0, 1.0, 0.0, "nan", 0.0, 1.0), "gives nan for: nothing. A reward is a finite"),
        (paid(1.0, 1.0, 0.0, None, 0.0, 1.0), "measures nothing (None) for: nothing"),
        (paid(None, None, None, None, None, None), "measures nothing: it gives None for every"),
    ],
)
def test_what_is_ill_with_a_reward_is_a_sentence(
    values: Mapping[Completion, list[Value]], says: str
) -> None:
    assert says in one(values)


def test_what_a_reward_does_not_return_is_said_too() -> None:
    good = paid(1.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    assert "takes 2 s for a completion, 32 s in each training step" in one(good, seconds=2.0)
    again = good | {RIGHT: [0.0]}
    assert "pays otherwise when it is asked again, for: the row's answer" in one(good, again=again)
    broken = {NOTHING: "raised IndexError"}
    assert "raised IndexError (for: nothing)" in one(good, error="raised IndexError", errors=broken)
    assert one({}, error="took more than 9 s") == "mine took more than 9 s."


def test_the_time_of_a_reward_is_that_of_its_second_call() -> None:
    pays = Pays("lazy")
    note(pays, {"call": 1, "values": [1.0], "seconds": 3.0}, [[RIGHT]])
    note(pays, {"call": 2, "values": [1.0], "seconds": 0.25}, [[RIGHT]])
    assert (pays.seconds, pays.values, pays.again) == (0.25, {RIGHT: [1.0]}, {RIGHT: [1.0]})


def test_a_sum_that_lets_a_short_wrong_answer_beat_a_right_one_is_said() -> None:
    right = Pays("right", paid(1.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    short = Pays("short", paid(0.0, 0.5, 0.6, 1.0, 0.5, 0.0))
    assert not any("Together" in said for said in said_of(right, short, weights=[2, 0.5]))
    (said,) = (said for said in said_of(right, short, weights=[1, 2]) if "Together" in said)
    assert said == (
        "Together, with weights 1, 2, the rewards pay 2 for 'nothing' and 1 for the row's own "
        "right answer."
    )


def test_a_recipe_without_rewards_has_nothing_to_audit(tiny_recipe: Path) -> None:
    recipe = load_recipe(str(tiny_recipe), ["stages=[{sft: {args: {max_steps: 1}}}]"])
    with pytest.raises(UsageError, match="has no stage that takes rewards"):
        audit_rewards(make_plan(recipe))


def test_rewards_are_those_of_the_trainer() -> None:
    settings = StageSettings(
        kind="grpo",
        dataset=Source(path="bundled/schoolmath", limit=8),
        rewards=["correctness", "tests.audited_rewards.longer"],
    )
    assert [reward.__name__ for reward in rewards_of(settings)] == ["correctness", "longer"]


@pytest.mark.real
def test_every_reward_is_tried_and_none_ends_the_plan(tiny_recipe: Path) -> None:
    ill = ["longer", "raises_on_nothing", "one_for_all", "another_each_time", "words", "ends_all"]
    names = ["correctness", *(f"tests.audited_rewards.{name}" for name in [*ill, "never_done"])]
    rewards = json.dumps(names)
    recipe = load_recipe(str(tiny_recipe), [f"stages.grpo.rewards={rewards}"])
    (audit,) = audit_rewards(make_plan(recipe), seconds=60)
    assert audit.rows == ROWS and [pays.reward for pays in audit.rewards] == names
    said = findings(audit)
    for name, says in {
        "longer": "grows with length",
        "raises_on_nothing": "raised IndexError: string index out of range (audited_rewards.py",
        "one_for_all": "returned 1 rewards for",
        "another_each_time": "pays otherwise when it is asked again",
        "words": "gives 'high' for",
        "ends_all": "ended the process that called it",
        "never_done": "took more than 60 s",
    }.items():
        assert any(name in one and says in one for one in said), name
    # what is ours is paid for right answers alone, and said to be nothing else
    assert not any(one.startswith("correctness") for one in said)
    assert json.dumps(audits_as_data([audit]))


@pytest.mark.real
def test_a_reward_is_ended_with_the_processes_that_it_waits_for(tiny_recipe: Path) -> None:
    begun = monotonic()
    rewards = 'stages.grpo.rewards=["tests.audited_rewards.waits_for_others"]'
    (audit,) = audit_rewards(make_plan(load_recipe(str(tiny_recipe), [rewards])), seconds=60)
    assert monotonic() - begun < 200
    (said,) = findings(audit)
    assert "waits_for_others took more than 60 s, and a training would wait" in said


@pytest.mark.real
def test_the_command_shows_what_rewards_pay_for(tiny_recipe: Path, tmp_path: Path) -> None:
    command = ["plan", str(tiny_recipe), "--audit-rewards", "--runs", str(tmp_path / "runs")]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "What the rewards of grpo pay for, the mean of 4 rows" in result.output
    told = CliRunner().invoke(app, [*command, "--format", "json"])
    (stage,) = json.loads(told.output)["reward_audit"]
    assert [each["name"] for each in stage["rewards"]][:2] == ["correctness", "brevity"]
    assert not (tmp_path / "runs").exists()
