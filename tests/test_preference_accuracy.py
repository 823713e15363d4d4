from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from benchmarks.random_model import CHATML, school_tokenizer
from stagelift.evals.data.preferences import Preference, load_preferences
from stagelift.evals.data.retained import Choice
from stagelift.evals.data.source import Source
from stagelift.evals.files import read_records
from stagelift.evals.metrics.preference_accuracy import preference_accuracy
from stagelift.evals.models.engines.answers import conversations
from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    OnFinished,
    Request,
)
from stagelift.evals.models.logprobs import score_choices, score_pairs
from stagelift.evals.models.model import load_model, load_tokenizer
from stagelift.evals.records import PairScore
from stagelift.stages.kinds import kind_named
from stagelift.stages.rows.as_tokens import row_as_tokens
from tests import templates
from tests.test_suite import engine, ref

PAIRS = load_preferences(Source(path="bundled/instructions", split="test", limit=5))


def pair(one: str, chosen: float, rejected: float, tokens: tuple[int, int] = (1, 1)) -> PairScore:
    return PairScore(
        id=one, chosen=chosen, rejected=rejected, chosen_tokens=tokens[0], rejected_tokens=tokens[1]
    )


def test_a_pair_is_right_where_the_ratio_to_base_is_higher_for_the_chosen_answer() -> None:
    base = {one: pair(one, -10, -5) for one in "abc"}
    # up for chosen; up for rejected; both alike
    stage = [
        pair("a", -8, -5),
        pair("b", -10, -4),
        pair("c", -9, -4),
    ]
    found = preference_accuracy(stage, base)
    assert (found["preference_accuracy"].value, found["preference_accuracy"].n) == (0.5, 3)


def test_per_token_divides_by_each_answers_tokens() -> None:
    base = {"a": pair("a", -10, -10, (10, 1))}
    # +2 over ten tokens, +1 over one
    stage = [pair("a", -8, -9, (10, 1))]
    found = preference_accuracy(stage, base)
    assert found["preference_accuracy"].value == 1
    assert found["preference_accuracy_per_token"].value == 0


def test_a_model_compared_with_itself_is_at_one_half() -> None:
    scores = [pair(one, -3, -4) for one in "abcd"]
    assert (
        preference_accuracy(scores, {one.id: one for one in scores})["preference_accuracy"].value
        == 0.5
    )
    assert preference_accuracy([], {}) == {}


def scored(model: Path, pairs: list[Preference], path: Path) -> list[PairScore]:
    tokenizer = load_tokenizer(str(model), None, None)
    return score_pairs(engine(model), tokenizer, pairs, path, lambda *_: None)


def test_log_probabilities_are_those_of_the_loss(tiny_model: Path, tmp_path: Path) -> None:
    (found,) = scored(tiny_model, PAIRS[:1], tmp_path / "pairs.jsonl")
    tokenizer, model = load_tokenizer(str(tiny_model), None, None), load_model(ref(tiny_model))
    turns = [*PAIRS[0].prompt, {"role": "assistant", "content": PAIRS[0].chosen}]
    ids = tokenizer.apply_chat_template(turns, return_tensors="pt", return_dict=True)["input_ids"]
    labels = ids.clone()
    # what a trainer masks: the prompt
    labels[:, : ids.shape[1] - found.chosen_tokens] = -100
    with torch.inference_mode():
        loss = float(model(input_ids=ids, labels=labels).loss)
    assert found.chosen == pytest.approx(-loss * found.chosen_tokens, rel=1e-4)
    answer = tokenizer.decode(ids[0, -found.chosen_tokens :])
    assert answer == f"{PAIRS[0].chosen}<|im_end|>\n"


def test_an_answer_is_read_as_dpo_trains_it_where_the_template_opens_a_thought(
    tmp_path: Path,
) -> None:
    asked = Counting(templates.OPENS_A_THOUGHT)
    (found,) = score_pairs(asked, asked.tokenizer, PAIRS[:1], tmp_path / "p", lambda *_: None)
    turns = [
        {name: [{"role": role, "content": text}]}
        for name, role, text in (
            ("prompt", "user", PAIRS[0].prompt[0]["content"]),
            ("chosen", "assistant", PAIRS[0].chosen),
            ("rejected", "assistant", PAIRS[0].rejected),
        )
    ]
    row = turns[0] | turns[1] | turns[2]
    _, chosen, rejected = row_as_tokens(kind_named("dpo"), row, {}, asked.tokenizer)
    assert (found.chosen_tokens, found.rejected_tokens) == (
        len(chosen.tokens),
        len(rejected.tokens),
    )


def test_what_is_stored_is_not_scored_again(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    whole = scored(tiny_model, PAIRS, path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:9])
    assert scored(tiny_model, PAIRS, path) == whole == read_records(path, PairScore)


def test_a_pair_longer_than_the_context_loses_its_beginning(
    tiny_model: Path, tmp_path: Path
) -> None:
    long = Preference(
        id="1",
        prompt=[{"role": "user", "content": "word " * 900}],
        chosen="Yes.",
        rejected="No.",
        answer=None,
    )
    (found,) = scored(tiny_model, [long], tmp_path / "pairs.jsonl")
    assert 0 < found.chosen_tokens < 20 and found.chosen < 0


class Counting:
    """An engine for which every token has the same log-probability."""

    identity = "counting"

    def __init__(self, template: str) -> None:
        # a byte-level BPE tokenizer
        self.tokenizer = school_tokenizer()
        self.tokenizer.chat_template = template

    def complete(self, requests: Sequence[Request], _: OnFinished) -> list[Completion]:
        raise NotImplementedError

    def answer_logprobs(self, answers: Sequence[Answer]) -> list[AnswerLogprob]:
        read = conversations(answers, self.tokenizer, 512)
        return [AnswerLogprob(start - len(tokens), len(tokens) - start) for tokens, start in read]


# what a template puts before an answer, and before one that is still to come
SPACED = {"none": ("", ""), "before the answer": (" ", ""), "in the prompt": (" ", " ")}


@pytest.mark.parametrize(("before", "prompt"), SPACED.values(), ids=SPACED)
def test_the_space_that_a_template_puts_before_an_answer_counts_with_its_first_token(
    before: str, prompt: str, tmp_path: Path
) -> None:
    template = (
        "{% for turn in messages %}{% if turn['role'] == 'user' %}[INST] {{ turn['content'] }}"
        f"{{% else %}}[/INST]{before}{{{{ turn['content'] }}}}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}[/INST]{prompt}{{% endif %}}"
    )
    asked, texts = Counting(template), ("apples are left", "12 apples")
    tokens = [
        len(asked.tokenizer(before + text, add_special_tokens=False)["input_ids"]) for text in texts
    ]
    choice = Choice(id="1", topic="food", question="What is left?", answers=texts, right=0)
    (found,) = score_choices(asked, asked.tokenizer, [choice], tmp_path / "c", lambda *_: None)
    assert found.nats == tuple(-count for count in tokens)
    one = Preference(
        id="1",
        prompt=[{"role": "user", "content": "What is left?"}],
        chosen=texts[0],
        rejected=texts[1],
        answer=None,
    )
    (pairs,) = score_pairs(asked, asked.tokenizer, [one], tmp_path / "p", lambda *_: None)
    assert [pairs.chosen_tokens, pairs.rejected_tokens] == tokens


def test_the_line_break_that_chatml_ends_in_stays_with_the_prompt(tmp_path: Path) -> None:
    asked = Counting(CHATML)
    (found,) = score_pairs(asked, asked.tokenizer, PAIRS[:1], tmp_path / "p", lambda *_: None)
    whole = f"{PAIRS[0].chosen}<|im_end|>\n"
    assert found.chosen_tokens == len(asked.tokenizer(whole, add_special_tokens=False)["input_ids"])
