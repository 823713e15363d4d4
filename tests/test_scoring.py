import time

import pytest

from stagelift.evals.data.problems import Problem
from stagelift.evals.lm_eval.gsm8k import FLEXIBLE, STRICT, build_task, lm_eval_reading
from stagelift.evals.metrics.scoring import is_correct, score
from stagelift.evals.records import Generation

ANSWER = "She makes 9 * 2 = 18 dollars.\n#### 18"


def generation(response: str, finish_reason: str | None = "stop") -> Generation:
    return Generation(
        id="1",
        group="test",
        prompt="p",
        response=response,
        n_tokens=3,
        finish_reason=finish_reason,
    )


@pytest.mark.parametrize(
    ("response", "flexible", "strict", "numeric"),
    [
        ("#### 18", True, True, True),
        ("9 * 2 = 18\n#### 18", True, True, True),
        ("The answer is 18.", True, False, True),
        # flexible takes the last number
        ("#### 18 and then she buys 3", False, True, True),
        ("#### 17", False, False, False),
        ("no number here", False, False, False),
        ("", False, False, False),
        # lm-eval compares strings
        ("18.0", False, False, True),
        ("she has $18.00", False, False, True),
    ],
)
def test_three_readings_of_one_response(
    response: str, flexible: bool, strict: bool, numeric: bool
) -> None:
    scored = score(generation(response), "q", ANSWER)
    assert (scored.correct_flexible, scored.correct_strict, scored.correct) == (
        flexible,
        strict,
        numeric,
    )
    assert is_correct(response, ANSWER) is numeric


def test_thousands_separators_are_ignored() -> None:
    assert lm_eval_reading("#### 1,200", "#### 1200", STRICT) == ("1,200", True)
    assert lm_eval_reading("It is 1200", "#### 1,200", FLEXIBLE) == ("1200", True)
    assert is_correct("It is 1,200", "#### 1200")


RESPONSES = (
    "#### 18",
    "#### 1,200.",
    "#### $18",
    "#### 17 or #### 18",
    "so 9 * 2 = 18.",
    "it is $18.00",
    "-18",
    "a minus - and no number",
    "18\n#### ",
    "١٨",
    "18 \x00",
    "",
)
TARGETS = ("18", "1,200", "$18.00", "-18", "18.", "[18]", "{{18}}", "18 %}", "A 18", "#### 18", "")


def test_a_reading_is_what_the_task_of_lm_eval_makes_of_the_response() -> None:
    from lm_eval.api.instance import Instance

    task = build_task("t", [Problem(id="0", group="test", question="", answer="#### 0")], [])
    for target in TARGETS:
        for response in RESPONSES:
            document = {"question": "", "answer": target}
            asked = Instance("generate_until", document, ("", {}), 0)
            asked.resps = [response]
            task._instances = [asked]
            task.apply_filters()
            for name, reading in asked.filtered_resps.items():
                match = bool(task.process_results(document, [reading])["exact_match"])
                found = None if reading == "[invalid]" else reading
                assert lm_eval_reading(response, target, name) == (found, match)


@pytest.mark.parametrize(
    ("response", "finish_reason", "outcome"),
    [
        ("#### 18", "length", "correct"),
        ("so far 9 and", "length", "truncated"),
        ("3 or 4", "stop", "unparsed"),
        ("#### 17", "stop", "wrong"),
        ("#### 17", None, "wrong"),
    ],
)
def test_every_response_has_one_outcome(
    response: str, finish_reason: str | None, outcome: str
) -> None:
    assert score(generation(response, finish_reason), "q", ANSWER).outcome == outcome


@pytest.mark.parametrize("target", [None, "Paris"])
def test_without_a_number_for_a_target_nothing_is_right_or_wrong(target: str | None) -> None:
    scored = score(generation("#### 18"), "q", target)
    assert (scored.correct, scored.outcome, scored.answer, scored.target) == (
        None,
        None,
        None,
        target,
    )
    assert (scored.n_tokens, scored.n_chars) == (3, 7)


@pytest.mark.parametrize("response", ["1.1.1." * 50_000, "7" * 300_000, "$" * 300_000])
def test_a_response_without_end_is_read_soon(response: str) -> None:
    before = time.process_time()
    assert lm_eval_reading(response, "18", FLEXIBLE)[1] is False
    assert lm_eval_reading(f"#### {response}", "18", STRICT)[1] is False
    assert time.process_time() - before < 5


def test_signs_that_lm_eval_ignores_do_not_count_as_length() -> None:
    assert lm_eval_reading("$" * 2_000 + "1," * 2 + "8.", "118", FLEXIBLE)[1] is True
