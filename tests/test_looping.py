"""Which responses end in a loop, and which only repeat themselves as good ones do."""

import pytest

from stagelift.evals.metrics.looping import is_looping, repeated_share
from stagelift.evals.metrics.scoring import score, with_looping
from stagelift.evals.records import Generation

WORKED = (
    "Tom has twelve apples and gives four of them to his sister, so that eight are left. He then "
    "buys nine more at the market for two dollars each, which makes seventeen apples, and spends "
    "eighteen dollars in all. The answer is 17."
)
LOOPS = {
    "a sentence": "Each neighbour gets 3 pears. " + "So each gets 15 pears. " * 20,
    "a few words": "The graph of $y=1. " * 30,
    "a number": "25) 26) 27) 28) " + "29) " * 60,
    "one letter": "The answer is " + "a" * 600,
    "lines": "Here is the list:\n" + "- one day 2 pages\n" * 15,
    "Chinese": "他有三个苹果。" + "所以他有五个苹果。" * 12,
    "empty lines": "The answer is 4." + "\n" * 3000,
    "spaces": "The answer is 4." + " " * 300,
    "a paragraph": (
        "To find the number of steps we look at the stairs that he climbs. He climbs thirteen. " * 4
    ),
}
GOOD = {
    "a worked answer": (
        "Each lake race is 3 miles, so 5 races are 5 * 3 = <<5*3=15>>15 miles.\nEach ocean race is "
        "3 miles, so 5 races are 5 * 3 = <<5*3=15>>15 miles.\nThe lake took 15 / 2.5 = 6 hours.\n"
        "The ocean took 15 / 3 = 5 hours.\nHe raced for 6 + 5 = 11 hours.\n#### 11"
    ),
    "a multiplication table": "\n".join(f"7 x {n} = {7 * n}" for n in range(1, 31)),
    "a list by day": "\n".join(
        f"- {day}: {n} apples and {n + 2} pears for the market"
        for n, day in enumerate(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"])
    ),
    "numbers": ", ".join(map(str, range(200))),
    "a table": "| planet | diameter |\n|---|---|\n"
    + "\n".join(f"| planet {n} | {n * 4211} km |" for n in range(1, 12)),
    "a thought and its answer": f"<think>{WORKED}</think>{WORKED}",
    "a draft": f"Draft: {WORKED} Final: {WORKED}",
    "code that is indented": "\n".join(
        f"{' ' * 4 * depth}if box_{depth} is not None:" for depth in range(20)
    ),
    "a short answer": "No. No. No. No.",
    "nothing": "",
}


@pytest.mark.parametrize("response", LOOPS.values(), ids=LOOPS)
def test_a_response_that_says_the_same_again_and_again_loops(response: str) -> None:
    assert is_looping(response)


@pytest.mark.parametrize("response", GOOD.values(), ids=GOOD)
def test_what_good_answers_repeat_is_no_loop(response: str) -> None:
    assert not is_looping(response)


def test_a_loop_that_was_left_again_is_none() -> None:
    text = "So each gets 15 pears. " * 20
    rest = (
        "That cannot be right, so let us begin once more with the basket of the second neighbour. "
        "It held five pears and three plums, of which Rosa ate two before lunch; what remained was "
        "shared by all four children in the afternoon, and nobody got more than one."
    )
    assert is_looping(text) and not is_looping(text + rest)


def test_the_share_is_of_those_of_the_last_32_four_grams_that_stood_twice_before() -> None:
    assert repeated_share("one two three four five six seven eight") == 0
    assert repeated_share("one two three four " * 2) == 0
    assert repeated_share("a b c d " * 20) == 1
    # 9 four-grams: the ninth is the first for the third time
    assert repeated_share("a b c d " * 3) == 1 / 32
    # the last 4 of 32 are new: those with one of the four new words in them
    assert repeated_share("a b c d " * 20 + "e f g h") == 28 / 32


def made(response: str, finish: str) -> Generation:
    return Generation.model_validate(
        {
            "id": "p/1",
            "group": "test",
            "prompt": "p",
            "response": response,
            "n_tokens": 96,
            "finish_reason": finish,
        }
    )


@pytest.mark.parametrize(
    ("response", "finish", "before", "outcome"),
    [
        (LOOPS["a sentence"], "length", "truncated", "looping"),
        ("#### 4\n" + "And so on. " * 30, "stop", "correct", "correct"),
        ("It is 4.", "stop", "correct", "correct"),
        (GOOD["a multiplication table"], "length", "truncated", "truncated"),
    ],
)
def test_a_looping_response_that_is_not_right_has_that_outcome(
    response: str, finish: str, before: str, outcome: str
) -> None:
    generation = made(response, finish)
    read = score(generation, "How many?", "4")
    assert (read.outcome, read.looping) == (before, None)
    assert with_looping(read, response).outcome == outcome


def test_without_a_target_there_is_no_outcome_and_a_loop_is_told_all_the_same() -> None:
    response = LOOPS["lines"]
    read = with_looping(score(made(response, "stop"), "Write a list.", None), response)
    assert (read.outcome, read.looping) == (None, True)
