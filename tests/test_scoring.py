import pytest

from evals.scoring import is_correct

ANSWER = "She makes 9 * 2 = 18 dollars.\n#### 18"


@pytest.mark.parametrize(
    ("response", "flexible", "strict"),
    [
        ("#### 18", True, True),
        ("9 * 2 = 18\n#### 18", True, True),
        ("The answer is 18.", True, False),
        ("#### 18 and then she buys 3", False, True),  # flexible takes the last number
        ("#### 17", False, False),
        ("no number here", False, False),
        ("", False, False),
        ("18.0", False, False),  # compared as strings, as lm-eval does
        ("she has $18", True, False),
    ],
)
def test_answers_are_read_as_lm_eval_reads_them(response: str, flexible: bool, strict: bool) -> None:
    assert is_correct(response, ANSWER) is flexible
    assert is_correct(response, ANSWER, strict=True) is strict


def test_thousands_separators_are_ignored() -> None:
    assert is_correct("#### 1,200", "#### 1200", strict=True)
    assert is_correct("It is 1200", "#### 1,200")
