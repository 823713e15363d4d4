"""Which pairs are drawn, in which order, and on which side a response lies."""

from stagelift.evals.records import Generation, Score, Verdict
from stagelift.evals.votes.draw import Responses, ballots, is_random_sample, judged, random_order
from tests.records import make_generation, make_score

IDS = [f"p/{number}" for number in range(40)]


def responses(name: str) -> Responses:
    scores = {one: make_score(one, correct=True) for one in IDS}
    return Responses(scores, {one: make_generation(scores[one], f"{name} {one}") for one in IDS})


def verdicts(score: float | None = 1.0) -> dict[str, Verdict]:
    return {one: Verdict(id=one, against="base", score=score, reason="said") for one in IDS}


def test_any_first_prompts_of_an_order_are_the_first_of_a_longer_one() -> None:
    order = random_order(IDS, 0)
    assert sorted(order) == sorted(IDS) and order != IDS
    assert random_order(IDS[::-1], 0) == order != random_order(IDS, 1)
    assert random_order(IDS[:20], 0) == [one for one in order if one in IDS[:20]]


def test_only_pairs_with_a_verdict_are_drawn_from() -> None:
    known = verdicts() | {"p/0": verdicts(None)["p/0"]}
    assert "p/0" not in judged(known) and len(judged(known)) == 39


def test_sides_and_names_do_not_hang_on_whose_response_it_is() -> None:
    mine, theirs = responses("sft"), responses("base")
    one_way = ballots(verdicts(), mine, theirs, 0)
    other_way = ballots(verdicts(), theirs, mine, 0)
    assert [ballot.shown for ballot in one_way] == [ballot.shown for ballot in other_way]
    lefts = sum(ballot.stage_is_left for ballot in one_way)
    assert lefts == 40 - sum(ballot.stage_is_left for ballot in other_way)
    assert 10 < lefts < 30


def test_a_pair_has_another_name_where_a_response_or_the_side_is_another() -> None:
    shown = {
        ballot.shown.name
        for seed in (0, 1)
        for name in ("sft", "dpo")
        for ballot in ballots(verdicts(), responses(name), responses("base"), seed)
    }
    assert 2 * 40 < len(shown) <= 4 * 40


def test_those_voted_on_are_a_random_sample_where_none_was_left_out() -> None:
    first, second, third, *_ = random_order(IDS, 0)
    assert is_random_sample({first: 0, second: 0}, IDS)
    assert not is_random_sample({first: 0, third: 0}, IDS)
    # the next page leaves out what is voted on
    rest = random_order([one for one in IDS if one not in (first, second)], 5)
    assert is_random_sample({first: 0, second: 0, rest[0]: 5}, IDS)
    assert not is_random_sample({first: 0, second: 0, rest[1]: 5}, IDS)


def test_texts_that_are_not_unicode_have_names_too() -> None:
    half = "\ud800"
    score: Score = make_score("p/0", correct=True)
    odd: Generation = make_generation(score, half)
    mine = Responses({"p/0": score}, {"p/0": odd})
    (ballot,) = ballots({"p/0": verdicts()["p/0"]}, mine, responses("base"), 0)
    assert len(ballot.shown.name) == 64
