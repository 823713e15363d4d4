"""The retention suite: what it asks, how it is read, and what becomes of its numbers."""

import os
import subprocess
import sys
from collections import Counter
from math import log
from pathlib import Path

import pytest

from stagelift.evals.data.instruction_prompts import (
    CAPACITY,
    KINDS,
    InstructionPrompt,
    instruction_prompts,
)
from stagelift.evals.data.retained import CHOICES, PASSAGES, choices, passages
from stagelift.evals.lm_eval.verifiers import verifiers_version, violated
from stagelift.evals.metrics.measures import measure
from stagelift.evals.metrics.retention import (
    instruction_metrics,
    likelihood_metrics,
    likelihood_values,
    looping_metrics,
)
from stagelift.evals.metrics.scoring import score_instructions
from stagelift.evals.models.logprobs import score_choices, score_passages
from stagelift.evals.models.model import load_tokenizer
from stagelift.evals.records import ChoiceScore, Generation, PassageScore
from stagelift.reports.gates.margins import default_margins
from tests.records import make_score
from tests.test_suite import engine

# a response that follows, and one that does not, by the kind of instruction
EXAMPLES = {
    "punctuation:no_comma": ("Rain falls. It stops.", "Rain falls, and stops."),
    "detectable_format:number_bullet_lists": ("* rest\n* dreams", "* rest"),
    "length_constraints:number_words": ("A dog read a letter.", "A dog found it. " * 5),
    "keywords:existence": ("Eat bread at the window.", "Eat bread."),
    "keywords:forbidden_words": ("It lends books.", "The library lends books."),
    "keywords:frequency": ("Light. Light! More light.", "Light."),
    "keywords:letter_frequency": ("Kick back, knock, kin, lark", "Come to dinner"),
    "startend:end_checker": ("It spins. That is all.", "That is all. Or not."),
    "startend:quotation": ('"The train was late."', "The train was late."),
    "detectable_format:title": ("<<Sunday>>\nRead a book.", "Sunday\nRead a book."),
    "detectable_content:postscript": ("It is grey.\nP.S. Bring a coat.", "It is grey."),
    "detectable_content:number_placeholders": ("Dear [name], thanks for [gift].", "Dear [name],"),
    "detectable_format:number_highlighted_sections": ("*Rain* and *mud*.", "*Rain* and mud."),
    "detectable_format:json_format": ('{"answer": "to rest"}', "answer: to rest"),
    "detectable_format:constrained_response": ("My answer is yes.", "Yes, it is."),
    "combination:repeat_prompt": (
        "Give a short tip for somebody who moves to a new city. Walk a lot.",
        "Walk a lot.",
    ),
}
FIRST = {prompt.kind: prompt for prompt in instruction_prompts(len(KINDS))}


def broken(prompt: InstructionPrompt, response: str) -> list[str]:
    return violated(response, prompt.prompt, prompt.instructions)


@pytest.mark.parametrize("kind", KINDS)
def test_lm_evals_verifiers_tell_what_follows_from_what_does_not(kind: str) -> None:
    good, bad = EXAMPLES[kind]
    assert broken(FIRST[kind], good) == []
    assert broken(FIRST[kind], bad) == [kind]
    assert broken(FIRST[kind], "  ") == [kind]


def test_every_prompt_can_be_verified_and_is_there_once() -> None:
    prompts = instruction_prompts(CAPACITY)
    assert len({prompt.prompt for prompt in prompts}) == CAPACITY == 96
    assert Counter(prompt.kind for prompt in prompts) == dict.fromkeys(KINDS, 6)
    for prompt in prompts:
        assert set(broken(prompt, "Hello")) <= {prompt.kind}
    # any first part of them has every kind as often, but for one
    assert set(Counter(prompt.kind for prompt in prompts[:40]).values()) == {2, 3}


@pytest.mark.real
def test_the_verifiers_download_nothing(tmp_path: Path) -> None:
    code = (
        "from stagelift.evals.lm_eval.verifiers import violated;"
        "print(violated('a, b', 'p', {'punctuation:no_comma': {}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NLTK_DATA": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    # nltk says what it downloads, or fails to
    assert done.stdout == "['punctuation:no_comma']\n"
    assert "punkt" not in done.stderr and not [*tmp_path.rglob("*punkt*")]


def test_the_contract_knows_the_verifiers_by_their_code() -> None:
    assert len(verifiers_version()) == 16


def test_questions_are_of_ten_topics_and_the_right_answer_is_at_every_place() -> None:
    asked = choices(CHOICES)
    assert len(asked) == len({one.question for one in asked}) == CHOICES
    assert set(Counter(one.topic for one in asked).values()) == {12}
    assert Counter(one.right for one in asked) == {0: 30, 1: 30, 2: 30, 3: 30}
    assert set(Counter((one.topic, one.right) for one in asked).values()) == {3}
    assert all(len({*one.answers}) == 4 for one in asked)
    barks = asked[0]
    assert (barks.question, barks.answers[barks.right]) == ("Which animal barks?", "a dog")
    # fewer are the first of the same, topic by topic in turn
    assert choices(20) == asked[:20]
    assert set(Counter(one.topic for one in choices(20)).values()) == {2}


def test_passages_are_three_each_of_eight_documents() -> None:
    read = passages(PASSAGES)
    assert set(Counter(one.document for one in read).values()) == {3}
    assert len({one.text for one in read}) == PASSAGES
    assert {one.document for one in passages(8)} == {one.document for one in read}


def choice(row: int, topic: str, nats: tuple[float, ...]) -> ChoiceScore:
    return ChoiceScore(
        id=f"choice/{row}", topic=topic, right=0, nats=nats, characters=(10, 2, 4, 4)
    )


def test_the_likeliest_answer_counts_by_sum_and_by_character() -> None:
    rows = [
        # per character -.5, -1, ... : right by character, wrong by sum
        choice(0, "animals", (-5.0, -2.0, -9.0, -9.0)),
        choice(1, "animals", (-1.0, -2.0, -9.0, -9.0)),
        # of equals the first
        choice(2, "food", (-2.0, -2.0, -9.0, -9.0)),
        choice(3, "food", (-9.0, -0.1, -9.0, -9.0)),
    ]
    found = likelihood_metrics(rows, [])
    assert (found["choice_acc_norm"].value, found["choice_acc"].value) == (0.75, 0.5)
    assert (found["choice_acc"].n, found["choice_acc"].clusters) == (4, 2)
    assert likelihood_values(rows, [])["choice_acc"] == {
        "choice/0": 0,
        "choice/1": 1,
        "choice/2": 1,
        "choice/3": 0,
    }


def test_bits_per_byte_does_not_depend_on_how_many_tokens_there_are() -> None:
    rows = [
        PassageScore(id=f"passage/{n}", document=name, nats=-8 * log(2), n_tokens=n, n_bytes=4 * n)
        for n, name in ((1, "letter"), (2, "letter"), (4, "story"))
    ]
    found = likelihood_metrics([], rows)["bits_per_byte"]
    # 8 bits on 4, 8 and 16 bytes
    assert found.value == pytest.approx((2 + 1 + 0.5) / 3)
    assert (found.n, found.clusters) == (3, 2)
    assert likelihood_metrics([], []) == {}


def test_instructions_are_counted_by_prompt_in_clusters_of_kind() -> None:
    scores = []
    for kind, (good, bad) in EXAMPLES.items():
        for number, response in enumerate((good, bad)):
            generation = Generation(
                id=f"{kind}/{number}",
                group="instructions",
                prompt="p",
                response=response,
                n_tokens=9,
                finish_reason="stop",
            )
            target = FIRST[kind].model_dump_json(include={"instructions"})
            written = target.removeprefix('{"instructions":').removesuffix("}")
            scores.append(score_instructions(generation, FIRST[kind].prompt, written, kind))
    found = instruction_metrics(scores)["instructions_followed"]
    assert (found.value, found.n, found.clusters) == (0.5, 32, 16)
    assert scores[1].violated == ("punctuation:no_comma",)
    assert instruction_metrics([]) == {}


def test_loops_are_counted_where_they_were_looked_for() -> None:
    scores = [make_score(f"p/{n}", True).model_copy(update={"looping": n == 0}) for n in range(4)]
    groups = {"test": scores, "preference": [], "instructions": [make_score("i/1", True)]}
    found = looping_metrics(groups)  # type: ignore[arg-type] # literals of groups
    assert {name: metric.value for name, metric in found.items()} == {"looping": 0.25}


def test_what_a_stage_cost_is_gated_as_supporting_by_default() -> None:
    names = {"accuracy", "instructions_followed", "choice_acc_norm", "bits_per_byte", "looping"}
    tiers = {margin.metric: margin.tier for margin in default_margins(names)}
    assert tiers == {**dict.fromkeys(names, "supporting"), "accuracy": "critical"}
    assert measure("bits_per_byte").better == "less"


def test_given_texts_are_scored_and_kept(tiny_model: Path, tmp_path: Path) -> None:
    tokenizer, asked = load_tokenizer(str(tiny_model), None, None), engine(tiny_model)
    questions, texts = choices(6), passages(3)
    done: list[tuple[int, int]] = []
    found = score_choices(
        asked, tokenizer, questions, tmp_path / "choices.jsonl", lambda *at: done.append(at)
    )
    assert [one.id for one in found] == [one.id for one in questions]
    assert all(nats < 0 for one in found for nats in one.nats)
    assert found[0].characters == tuple(len(answer) for answer in questions[0].answers)
    read = score_passages(asked, tokenizer, texts, tmp_path / "passages.jsonl", lambda *_: None)
    for one, passage in zip(read, texts, strict=True):
        tokens = tokenizer(passage.text, add_special_tokens=False)["input_ids"]
        assert (one.n_tokens, one.n_bytes) == (len(tokens), len(passage.text.encode()))
    # a second call reads the file
    again = score_choices(asked, tokenizer, questions, tmp_path / "choices.jsonl", lambda *_: None)
    assert again == found and done == [(0, 6), (6, 6)]
