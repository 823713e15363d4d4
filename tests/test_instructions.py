import hashlib
import re
from collections.abc import Callable
from typing import get_args

import pytest

from stagelift.evals.data.instructions import (
    CAPACITY,
    TEMPLATES,
    TEST_ONLY_TEMPLATES,
    VERSION,
    WORDS,
    Flaw,
    PreferencePair,
    Split,
    pairs,
)

TRAIN, TEST = pairs("train", 1200), pairs("test", 400)
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5}


def of(*templates: str) -> list[PreferencePair]:
    return [pair for pair in TRAIN + TEST if pair.template in templates]


def pick_rate(judged: list[PreferencePair], feature: Callable[[str], float]) -> float:
    """How often the response with more of a feature is the chosen one; a tie counts half."""
    values = [(feature(pair.chosen), feature(pair.rejected)) for pair in judged]
    return sum(
        0.5 if chosen == rejected else float(chosen > rejected) for chosen, rejected in values
    ) / len(values)


def items(prompt: str, response: str) -> list[str] | None:
    """The items of a list in the layout that the prompt asks for, or None where the response has
    another layout.
    """
    lines = response.split("\n")
    if "as a numbered list" in prompt:
        found = [re.fullmatch(rf"{number}\. (.+)", line) for number, line in enumerate(lines, 1)]
    elif "with dashes" in prompt:
        found = [re.fullmatch(r"- (.+)", line) for line in lines]
    elif "one per line" in prompt:
        found = [re.fullmatch(r"([^-\d;,]+)", line) for line in lines]
    else:
        between, other = (", ", ";") if "commas" in prompt else ("; ", ",")
        found = [re.fullmatch(rf"([^\n{other}\d-]+)", item) for item in response.split(between)]
    return [match[1] for match in found if match] if all(found) and len(found) > 1 else None


def sentences(text: str) -> int:
    return len(re.findall(r"[.!?](?= |\n|$)", text))


def test_the_same_pairs_come_every_time_and_a_shorter_request_is_a_prefix() -> None:
    assert pairs("test", 40) == pairs("test", 60)[:40]
    assert pairs("train", 40) == TRAIN[:40]


def test_a_changed_pair_needs_a_new_version() -> None:
    digest = hashlib.sha256(repr([*pairs("train", 300), *pairs("test", 300)]).encode()).hexdigest()[
        :12
    ]
    assert (VERSION, digest) == (1, "7fb459ea2c0a")


def test_train_and_test_share_no_prompt_and_no_prompt_comes_twice() -> None:
    train, test = (
        [pair.prompt for pair in pairs(split, CAPACITY[split])] for split in get_args(Split)
    )
    assert len(train) == len(set(train)) >= 3000
    assert len(test) == len(set(test)) >= 400
    assert not set(train) & set(test)


@pytest.mark.parametrize("split", ["train", "test"])
def test_more_pairs_than_there_are_cannot_be_had(split: Split) -> None:
    with pytest.raises(ValueError, match="different prompts"):
        pairs(split, CAPACITY[split] + 1)


def test_some_templates_are_in_test_only_and_test_has_every_template_and_flaw() -> None:
    assert {pair.template for pair in TRAIN} == set(TEMPLATES)
    assert {pair.template for pair in TEST} == {*TEMPLATES, *TEST_ONLY_TEMPLATES}
    assert len(TEMPLATES) >= 14
    assert len(TEST_ONLY_TEMPLATES) >= 2
    assert {pair.flaw for pair in TEST} == {pair.flaw for pair in TRAIN} == set(get_args(Flaw))


def test_most_flaws_can_be_seen_only_by_reading_the_prompt() -> None:
    unseen = {"off_topic", "wrong_content", "breaks_format", "contradiction"}
    assert sum(pair.flaw in unseen for pair in TEST) > len(TEST) / 2


@pytest.mark.parametrize("judged", [TRAIN, TEST], ids=["train", "test"])
def test_length_ending_and_capitals_do_not_tell_which_response_is_better(
    judged: list[PreferencePair],
) -> None:
    assert 0.45 < pick_rate(judged, len) < 0.55
    assert 0.45 < sum(len(pair.chosen) > len(pair.rejected) for pair in judged) / len(judged) < 0.55
    assert 0.4 < pick_rate(judged, lambda text: text[-1] in ".!?") < 0.6
    assert 0.4 < pick_rate(judged, lambda text: text[0].isupper()) < 0.6


def test_length_does_not_tell_within_a_template_or_a_flaw_either() -> None:
    for template in TEMPLATES:
        assert 0.4 < pick_rate(of(template), len) < 0.6, template
    for flaw in {*get_args(Flaw)} - {"rambling", "unfinished"}:
        assert 0.4 < pick_rate([pair for pair in TRAIN if pair.flaw == flaw], len) < 0.6, flaw


def test_rambling_is_longer_and_unfinished_mostly_shorter() -> None:
    assert pick_rate([pair for pair in TRAIN if pair.flaw == "rambling"], len) == 0
    assert pick_rate([pair for pair in TRAIN if pair.flaw == "unfinished"], len) > 0.9


def test_every_response_is_different_short_and_filled_in() -> None:
    for pair in TRAIN + TEST:
        assert pair.chosen != pair.rejected, pair
        assert 0 < len(pair.chosen) <= 300, pair
        assert 0 < len(pair.rejected) <= 600, pair
        assert not re.search(r"[{}|]| / ", pair.prompt + pair.chosen + pair.rejected), pair


def test_a_list_has_as_many_things_of_the_category_as_asked_for() -> None:
    for pair in of("list_items"):
        count = next(number for word, number in NUMBERS.items() if f" {word} " in pair.prompt)
        words = next(words for category, words in WORDS.items() if f"{category}" in pair.prompt)
        chosen, rejected = items(pair.prompt, pair.chosen), items(pair.prompt, pair.rejected)
        assert chosen is not None
        assert len(set(chosen)) == count
        assert {word.lower() for word in chosen} <= set(words)
        if pair.flaw == "wrong_content":
            assert (
                rejected is None
                or len(rejected) != count
                or not {word.lower() for word in rejected} <= set(words)
            )
        if pair.flaw == "breaks_format":
            assert rejected is None


def test_reasons_are_as_many_as_asked_for() -> None:
    for pair in of("reasons"):
        count = next(number for word, number in NUMBERS.items() if f" {word} " in pair.prompt)
        chosen = items(pair.prompt, pair.chosen)
        assert chosen is not None
        assert len(set(chosen)) == count
        if pair.flaw == "breaks_format":
            assert items(pair.prompt, pair.rejected) is None


def test_an_answer_in_one_word_is_one_word() -> None:
    for pair in of("one_word"):
        assert re.fullmatch(r"\w+\.?", pair.chosen), pair
        if pair.flaw == "breaks_format":
            assert len(pair.rejected.split()) > 1, pair
            assert pair.chosen.strip(".").lower() in pair.rejected.lower(), pair
        if pair.flaw == "wrong_content":
            assert re.fullmatch(r"\w+\.?", pair.rejected), pair
            assert pair.chosen.strip(".").lower() != pair.rejected.strip(".").lower(), pair


def test_words_are_sorted_alphabetically_and_are_the_words_given() -> None:
    for pair in of("alphabetical"):
        given = re.findall(r"[a-z]+", re.findall(r": ([a-z, ]+)", pair.prompt)[0])
        assert items(pair.prompt, pair.chosen) == sorted(given), pair
        if pair.flaw in ("wrong_content", "contradiction"):
            rejected = items(pair.prompt, pair.rejected)
            assert rejected is not None, pair
            assert rejected != sorted(given), pair
        if pair.flaw == "breaks_format":
            assert items(pair.prompt, pair.rejected) is None, pair


def test_a_list_on_one_line_has_the_words_of_the_list_in_their_order() -> None:
    for pair in of("comma_line"):
        given = [line.split(" ")[-1] for line in pair.prompt.split("\n")[1:]]
        between = ", " if "commas" in pair.prompt else "; "
        assert pair.chosen == between.join(given), pair
        if pair.flaw == "breaks_format":
            assert between not in pair.rejected, pair
        if pair.flaw in ("wrong_content", "contradiction"):
            assert pair.rejected.split(between) != given, pair


def test_one_sentence_is_one_sentence_and_the_broken_format_is_more() -> None:
    for pair in of("summarise", "define", "explain"):
        assert sentences(pair.chosen) == 1, pair
        assert pair.flaw != "breaks_format" or sentences(pair.rejected) > 1, pair


def test_a_title_has_at_most_six_words_and_the_broken_format_more() -> None:
    for pair in of("title"):
        assert len(pair.chosen.split()) <= 6, pair
        assert pair.flaw != "breaks_format" or len(pair.rejected.split()) > 6, pair


def test_an_extracted_word_is_in_the_note_and_a_contradicting_one_is_not() -> None:
    for pair in of("extract"):
        assert pair.chosen.strip(".").lower() in pair.prompt.lower(), pair
        assert (
            pair.flaw != "contradiction"
            or pair.rejected.strip(".").lower() not in pair.prompt.lower()
        ), pair


def test_a_form_holds_the_fields_asked_for_with_the_details_given() -> None:
    for pair in of("fill_form"):
        fields = re.findall(r"Name|Day|Place|Items", pair.prompt)
        found = dict(field.split(": ") for field in re.split(r"\n|; ", pair.chosen))
        assert list(found) == fields, pair
        assert all(value in pair.prompt for value in found.values()), pair


def test_known_questions_have_the_known_answers() -> None:
    known = [
        ("capital of Denmark?", "copenhagen"),
        ("opposite of 'big'?", "small"),
        ("young pig called?", "piglet"),
    ]
    asked = [pair for pair in pairs("train", CAPACITY["train"]) if pair.template == "one_word"]
    for question, answer in known:
        assert {pair.chosen.strip(".").lower() for pair in asked if question in pair.prompt} == {
            answer
        }
