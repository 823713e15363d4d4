"""Responses of models: the number that is read out of one, and what the scorers say of it."""

import unicodedata
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from stagelift.evals.metrics.answers.reading import read_answer, read_target
from stagelift.evals.metrics.answers.words import spelled
from stagelift.evals.metrics.scorers.known import read_scorer, scored
from stagelift.evals.metrics.scorers.scorer import Row, Scorer
from stagelift.evals.metrics.scoring import is_correct, score, with_looping
from stagelift.evals.records import Generation
from tests.fuzz.law import Target
from tests.fuzz.mutations import VALUES, changed_bytes

RESPONSES = (
    "She has 3 + 4 = 7 apples.\n#### 7",
    "<think>It could be 12, or 13.</think> The answer is **$1,250.50**.",
    r"So we get \\[ x = \\frac{3}{4} \\] and therefore \\boxed{\\frac{3}{4}}.",
    "Final answer: 3.5 million people\n\nQ: What is 2 + 2?\nA: 4",
    '{"reasoning": "10 - 4", "answer": 6}',
    "<answer>1.234,50 €</answer>",
    "The total is 12 hours, wait, no: 5 times 3 is 15, so 15 hours.",
    "Jeder bekommt 2½ Stücke. Antwort: zweieinhalb",
    "答案是 3万5千 元。",
    "A: twenty-five pens",
    "Therefore she paid 50% of 80, that is, forty dollars.",
    "It is 7. I was wrong. It is 8. Actually, I cannot say.",
)
WORDS = (
    *(
        "####",
        "####  ",
        "The answer is ",
        "Answer:",
        "A:",
        "\\boxed{",
        "}",
        "**",
        "<answer>",
        "</answer>",
    ),
    *(
        "<think>",
        "</think>",
        "=",
        "-",
        "$",
        "%",
        ",",
        ".",
        "/",
        " and ",
        " or ",
        "not ",
        "wait",
        "\n",
    ),
    *(
        "7",
        "1,000",
        "1.000,5",
        "3/4",
        "½",
        "٣",
        "１２",
        "²",
        "1e9",
        "0x1F",
        "10^10^10",
        "1:2",
        "million",
    ),
    *(
        "lakh",
        "万",
        "seven",
        "minus",
        "\u2212",
        "\u00a0",
        "\u200b",
        "\u202e",
        "{",
        '{"answer": ',
        "}}",
    ),
    *(
        "<|im_end|>",
        "\nQ: ",
        "\nUser:",
        "I was wrong",
        "instead of",
        "Ἡ",
        "(",
        ")",
        "[",
        "]",
        "_",
        "*",
    ),
)
# what repeats without end, which patterns must not pay for more than once
REPEATED = (
    *(
        "1.",
        "1,",
        "9",
        "1/",
        "**",
        "#### ",
        "\\boxed{",
        "<answer>",
        "{",
        " ",
        "\n",
        "1 1 ",
        "=",
        "- ",
    ),
    *(
        "ha ",
        "a" * 50 + " ",
        "1e",
        "½",
        "$",
        "(",
        "<think>",
        "The answer is ",
        "wait, ",
        "万",
        "\u0301",
    ),
)
SCORERS: tuple[Scorer, ...] = tuple(
    map(
        read_scorer,
        (
            "exact",
            "contains",
            {"choice": ["yes", "no", "(A)", "7"]},
            {"regex": r"(\d+)+$"},
            {"json": {"fields": ["answer", "a"]}},
            "math",
        ),
    )
)


class Scored(NamedTuple):
    """A response, which scorer reads it, and the target."""

    response: str
    scorer: Scorer
    target: str


def answer_law(response: str, _: Path) -> None:
    """An answer is a number that is there, reads as itself, and does not depend on the margins."""
    answer = read_answer(response)
    if answer is None:
        assert not is_correct(response, "7")
        return
    assert read_target(answer) == answer == read_answer(f"#### {answer}")
    assert is_correct(response, answer)
    assert _could_be_a_number(response), f"{answer} out of nothing"
    assert read_answer(f"{response}  \n") == answer


def score_law(response: str, _: Path) -> None:
    """Whatever a response is, it is scored: right, wrong or neither, and never right by nothing."""
    for target in ("#### 7", "1/2", "no number", None):
        finish = ("stop", "length", None)[len(response) % 3]
        generation = Generation(
            id="1",
            group="test",
            sample=0,
            prompt="p",
            response=response,
            n_tokens=3,
            finish_reason=finish,
        )
        found = with_looping(score(generation, "q", target), response)
        assert (found.correct is None) == (found.outcome is None)
        assert (found.correct is None) == (target in ("no number", None))
        if found.correct:
            assert found.answer is not None and found.outcome == "correct"


def scorer_law(case: Scored, _: Path) -> None:
    """A scorer gives a value in its bounds, or says that it failed."""
    found = scored(case.scorer, case.response, Row({"prompt": "p", "target": case.target}))
    assert (found.value is None) == (found.failure is not None)
    if found.value is not None:
        low, high = case.scorer.bounds
        assert low <= found.value <= high
    if not case.response.strip() and case.target.strip():
        assert found.value in (0, None), "right without a word"


def _could_be_a_number(text: str) -> bool:
    """Say whether a text has a digit, a numeral of any script, or a number as a word."""
    if any(unicodedata.numeric(letter, None) is not None for letter in text):
        return True
    return any(spelled(word) is not None for word in _words(text))


def _words(text: str) -> list[str]:
    letters = "".join(letter if letter.isascii() and letter.isalpha() else " " for letter in text)
    return letters.lower().split()


_joined = st.lists(st.sampled_from((*WORDS, *RESPONSES)) | st.text(max_size=6), max_size=12).map(
    "".join
)
_repeated = st.tuples(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(REPEATED), min_size=1, max_size=2),
    st.sampled_from((3, 50, 4000)),
    st.sampled_from(WORDS),
).map(lambda parts: parts[0] + "".join(parts[1]) * parts[2] + parts[3])
_mutated = st.sampled_from(RESPONSES).flatmap(
    lambda text: changed_bytes(text.encode()).map(
        lambda changed: changed.decode("utf-8", "replace")
    )
)
_hostile = st.sampled_from([value for value in VALUES if isinstance(value, str)])
responses = st.one_of(_joined, _mutated, _mutated, _repeated, _hostile)
targets = st.one_of(
    st.sampled_from(("7", "yes", '{"answer": 6}', "x^2 + 1", r"\frac{1}{2}", "")), _hostile, _joined
)

ANSWERS = (
    Target("answer", responses, answer_law),
    Target("score", responses, score_law),
    Target("scorer", st.builds(Scored, responses, st.sampled_from(SCORERS), targets), scorer_law),
)
