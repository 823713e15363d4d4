"""Eight words in a row: what counts as shared, what as whole, and what cannot be told."""

from stagelift.evals.data.overlap import Overlap, overlap

BAKER = "A baker sells 12 loaves on Monday and 9 loaves on Tuesday. How many loaves?"


def test_nothing_is_shared_with_other_words() -> None:
    found = overlap(
        {"q": BAKER}, ["A farmer has nine cows and buys four more of them at the fair in June."]
    )
    assert found == Overlap(asked=1, too_short=0, sharing=0, sharing_half=0, whole=(), closest=None)


def test_a_question_that_stands_in_a_text_is_whole_whatever_its_case_and_punctuation() -> None:
    text = (
        "Question: a BAKER sells 12 loaves, on Monday -- and 9 loaves on Tuesday; how many "
        "loaves\nAnswer: 21"
    )
    found = overlap({"q": BAKER}, [text])
    assert (found.whole, found.closest, found.sharing) == (("q",), ("q", 1.0), 1)


def test_seven_words_in_a_row_are_not_enough_and_eight_are() -> None:
    assert overlap({"q": BAKER}, ["a baker sells 12 loaves on monday or so"]).sharing == 0
    found = overlap({"q": BAKER}, ["a baker sells 12 loaves on monday and so on"])
    assert (found.sharing, found.sharing_half, found.whole) == (1, 0, ())
    # 15 words hold eight runs of eight
    assert found.closest == ("q", 1 / 8)


def test_all_runs_in_several_texts_make_no_whole_question() -> None:
    first = "A baker sells 12 loaves on Monday and 9 loaves on Tuesday"
    last = "sells 12 loaves on Monday and 9 loaves on Tuesday. How many loaves?"
    found = overlap({"q": BAKER}, [first, last])
    assert (found.closest, found.sharing_half, found.whole) == (("q", 1.0), 1, ())


def test_words_do_not_run_on_from_one_text_to_the_next() -> None:
    assert (
        overlap(
            {"q": BAKER}, ["A baker sells 12 loaves", "on Monday and 9 loaves on Tuesday"]
        ).sharing
        == 0
    )


def test_a_question_of_fewer_than_eight_words_cannot_be_told() -> None:
    found = overlap({"short": "What is 2 + 2?", "long": BAKER}, ["What is 2 + 2?"])
    assert (found.asked, found.too_short, found.sharing) == (2, 1, 0)


def test_no_text_and_no_question_are_no_overlap() -> None:
    assert overlap({"q": BAKER}, []).sharing == 0
    assert overlap({}, [BAKER]) == Overlap(0, 0, 0, 0, (), None)
