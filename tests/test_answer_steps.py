"""The steps in which a response is read, each by itself."""

import random
from fractions import Fraction

import pytest

from stagelift.evals.metrics.answers.boxes import boxed
from stagelift.evals.metrics.answers.canonical import canonical
from stagelift.evals.metrics.answers.circumstances import consequence, core
from stagelift.evals.metrics.answers.conclusions import conclusion, last_result
from stagelift.evals.metrics.answers.enclosed import Enclosed, enclosed
from stagelift.evals.metrics.answers.local_formats import in_english_form
from stagelift.evals.metrics.answers.magnitudes import power_of_ten
from stagelift.evals.metrics.answers.markers import announced
from stagelift.evals.metrics.answers.numerals import numbers
from stagelift.evals.metrics.answers.plain import LOOKS, REWRITES, plain
from stagelift.evals.metrics.answers.retractions import standing
from stagelift.evals.metrics.answers.sentences import NO_HINTS, Hints, main_number
from stagelift.evals.metrics.answers.thoughts import without_thoughts
from stagelift.evals.metrics.answers.turns import own_turn
from stagelift.evals.metrics.answers.words import spelled


@pytest.mark.parametrize(
    ("response", "aloud"),
    [
        ("<think>5?</think>14", "\n14"),
        ("5?</think>14", "14"),
        ("<think>5", None),
        ("Hm. <think>5</think> 14 <think>and", None),
        ("[THINK]5[/THINK]14", "\n14"),
        ("analysisWe add.assistantfinal14", "14"),
        ("analysisWe add", None),
        ("<|channel|>analysis<|message|>5<|end|><|channel|>final<|message|>14", "14"),
        ("a < b and b > c", "a < b and b > c"),
    ],
)
def test_a_thought_is_not_said(response: str, aloud: str | None) -> None:
    assert without_thoughts(response) == aloud


@pytest.mark.parametrize(
    ("response", "turn"),
    [
        ("14\n\nQuestion: 5+5?\n10", "14\n\n"),
        ("14\n### Problem 2\n10", "14\n"),
        ("14<|im_end|>\n<|im_start|>user\n10", "14"),
        ("<|im_start|>assistant\n14", "\n14"),
        ("Question: 5+9?\nAnswer: 14", "Question: 5+9?\nAnswer: 14"),
        ("User: 5+9?\nAssistant: 14\nUser: 10", " 14\n"),
        ("Question 1: 5?\n5\nQuestion 2: 14?\n14", "Question 1: 5?\n5\nQuestion 2: 14?\n14"),
        ("The question: is 14 right?", "The question: is 14 right?"),
    ],
)
def test_another_turn_or_problem_ends_a_response(response: str, turn: str) -> None:
    assert own_turn(response) == turn


def test_a_tag_and_a_key_enclose_an_answer() -> None:
    assert enclosed("a<answer>14</answer>b") == Enclosed("14", "b")
    assert enclosed("a<answer>14\n\nb") == Enclosed("14", "b")
    assert enclosed("14</answer>b") == Enclosed("14", "b")
    assert enclosed('{"answer": "1\\n4"}b') == Enclosed("1\n4", "}b")
    assert enclosed("{'final_answer': 14}") == Enclosed("14", "}")
    assert enclosed('the "answer": 14') is None


def test_boxes_are_read_from_the_last_and_joined_ones_not_at_all() -> None:
    def values(text: str) -> list[Fraction | None]:
        return [box.value for box in boxed(text)]

    assert values(r"\boxed{3} and so on, \boxed{4}") == [4, 3]
    assert values(r"\boxed{3} or \boxed{4}") == [None, None]
    assert values(r"\boxed{3}, \boxed{3}") == [3, 3]
    assert values(r"\boxed{2} million") == values(r"\boxed{3!}") == [None]


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("1.250.000", "1250000"),
        ("12.500,50", "12500.50"),
        ("12'500", "12500"),
        ("1,23,456", "123456"),
        ("2 602 eggs", "2602 eggs"),
        ("day 1 100", "day 1 100"),
        ("12,50 €", "12.50 €"),
        ("12.500 €", "12500 €"),
        ("12,500", "12,500"),
        ("2.667", "2.667"),
        ("12,5", "12,5"),
        # not more than twelve and a half users, nor fewer
        ("16.181 users", "16:181 users"),
        ("Das sind 12,5 und nicht 13", "Das sind 12.5 und nicht 13"),
        ("Das sind 12,500 und nicht 13", "Das sind 12:500 und nicht 13"),
        ("Das sind 12.500 und nicht 2.5", "Das sind 12:500 und nicht 2.5"),
    ],
)
def test_local_numerals_are_put_as_english_writes_them(text: str, english: str) -> None:
    assert in_english_form(text) == english


def test_what_only_changes_how_a_number_looks_goes() -> None:
    assert plain("**Total**: \\$1{,}234 = ⅔ × ٤٢") == "Total: 1,234 = 2/3 × 42"
    assert plain("\\fcolorbox{red}{white}{42}, 10⁶") == "\\boxed{42}, 10^6"


def test_a_numeral_has_a_value_or_cannot_be_told() -> None:
    def values(text: str) -> list[Fraction | None]:
        return [number.value for number in numbers(text)]

    assert values("1 1/2 of 0.1(6) is 3 million") == [Fraction(3, 2), Fraction(1, 6), 3_000_000]
    assert values("4π and 101_2 and 3h30 and 2 dozen") == [None] * 5
    assert power_of_ten(" Million") == power_of_ten("-millones") == 6


def test_numbers_are_written_in_one_way() -> None:
    written = [canonical(value) for value in (Fraction(5, 2), Fraction(1, 3), Fraction(-18), None)]
    assert written == ["2.5", "1/3", "-18", None]


def test_a_sentence_with_several_numbers_is_about_one_or_about_none() -> None:
    assert main_number("Therefore, in 7 days she makes 126") == 126
    assert main_number("so each of the 4 friends gets 6 apples") == 6
    assert main_number("she makes 126 in 7 days") == 126
    assert main_number("she makes 126 in 7 days", Hints(result=Fraction(7))) == 7
    assert main_number("she makes 126 in 7 days", Hints(named={Fraction(126): 2})) is None
    assert main_number("she makes 126 in 7 days", Hints(result=Fraction(126))) == 126
    assert main_number("she makes 126 in 7 days", Hints(bold=Fraction(7))) == 7
    assert main_number("in 3 or 4 days") is None


def test_the_core_of_a_sentence_is_what_it_states_without_circumstances() -> None:
    assert core("So in 2 hours and 5 minutes, she reads 75 pages") == "she reads 75 pages"
    assert core("It will take 6 days for 3 workers") == "6 days"
    assert core("the 5 kids and 2 adults paid 95 in all") == "95 in all"
    assert core("the 3 boxes of 12 hold 36 apples") == "the 3 boxes of 12 hold 36 apples"
    assert core("In 2 hours, 5 minutes and 3 seconds") == "In 2 hours, 5 minutes and 3 seconds"
    assert consequence("She has 5 boxes of 12, so she has 60 pens") == "she has 60 pens"
    assert consequence("She has 5, so that she can leave") is None


def test_a_number_is_spelled_alone_or_with_its_unit() -> None:
    assert [spelled(text) for text in ("fifteen", " Twenty-five pens.", "ninety")] == [15, 25, 90]
    assert [spelled(text) for text in ("two dozen", "two thirds", "six or so", "six 7")] == [
        None
    ] * 4


def test_markers_and_conclusions_say_where_they_stand() -> None:
    marker = next(announced("She has 3. The answer is 42 eggs", NO_HINTS))
    assert (marker.start, marker.end, marker.value) == (15, 27, 42)
    end = conclusion("She has 3.\nSo she has 42 eggs", NO_HINTS)
    assert end is not None
    assert (end.start, end.end, end.value) == (11, 24, 42)
    assert last_result("3 * 14 = 42. She has 7") == 42


@pytest.mark.parametrize(
    ("rest", "value"),
    [
        (" eggs. I hope this helps!", 41),
        (". Let me verify: 41 - 20 = 21. Right.", 41),
        (". Double-checking: 40 + 1 = 41.", 41),
        (". Wait, that is wrong. It should be 42.", 42),
        (", or rather 42", 42),
        (". Wait, I forgot the dog.", None),
        (". No, she also has 3 dogs.", None),
        ("... oops, I mean 42", 42),
    ],
)
def test_what_is_taken_back_counts_as_what_replaced_it(rest: str, value: int | None) -> None:
    assert standing(Fraction(41), rest) == value


FRAGMENTS = (
    *("12", "3.5", "1,200", "$", "₹", " m", " k", "%", "*", "**", "_", "{", "}", "\\", "\\frac"),
    *("\\boxed{", "^", "\\circ", "~", "\xa0", "/", "/-", "\u0304", "<|begin_of_box|>", "<b>", "-"),
    *(
        "+",
        " ",
        "\n",
        "a",
        "is",
        "equals 5",
        "->",
        "==",
        "≈",
        "minus 3",
        "Step 3",
        "٤٢",
        "⅔",
        "\\,",
    ),
    *("$12 m", "2 cr", "!=", "<=", "USD 5", "=", "\\degree", "}_3", "x", "(", ")", "\\times"),
)


def test_a_rule_that_is_left_out_would_have_changed_nothing() -> None:
    rng = random.Random(0)
    rules = [*LOOKS, *REWRITES]
    for _ in range(1500):
        text = "".join(rng.choices(FRAGMENTS, k=rng.randint(1, 8)))
        for pattern, replacement, needs in rules:
            if needs and not any(part in text for part in needs):
                assert pattern.sub(replacement, text) == text, (pattern.pattern, text)
