from stagelift.evals.data.pairs import rejected_answer
from stagelift.evals.data.schoolmath import problems
from stagelift.evals.metrics.scoring import is_correct

GSM8K_QUESTION = "Betty is saving money for a wallet which costs $100. How much more does she need?"
GSM8K_ANSWER = (
    "She has 100/2 = $<<100/2=50>>50.\nShe needs 100 - 50 - 45 = $<<100-50-45=5>>5 more.\n#### 5"
)


def test_a_rejected_answer_is_wrong_or_at_least_twice_as_long() -> None:
    kinds = set()
    for problem in problems("train", 200):
        rejected = rejected_answer(problem.question, problem.answer)
        wrong = not is_correct(rejected, problem.answer)
        assert wrong or len(rejected) > 2 * len(problem.answer)
        assert "####" in rejected
        kinds.add(wrong)
    # both kinds occur
    assert kinds == {True, False}


def test_a_wrong_answer_slips_in_the_working_too() -> None:
    wrong = [
        p
        for p in problems("train", 50)
        if not is_correct(rejected_answer(p.question, p.answer), p.answer)
    ]
    for problem in wrong:
        working, _, target = rejected_answer(problem.question, problem.answer).rpartition("#### ")
        assert f"= {target} " in working


def test_gsm8k_answers_can_be_rejected_as_well() -> None:
    rejected = {rejected_answer(GSM8K_QUESTION + " " * n, GSM8K_ANSWER) for n in range(8)}
    assert any(not is_correct(text, GSM8K_ANSWER) for text in rejected)
    assert all(text != GSM8K_ANSWER for text in rejected)


def test_the_same_problem_always_gets_the_same_rejected_answer() -> None:
    assert rejected_answer(GSM8K_QUESTION, GSM8K_ANSWER) == rejected_answer(
        GSM8K_QUESTION, GSM8K_ANSWER
    )


def test_an_answer_without_working_is_rejected_for_its_number_alone() -> None:
    for n in range(8):
        rejected = rejected_answer(GSM8K_QUESTION + " " * n, "#### 5")
        assert rejected.startswith("#### ") and "\n" not in rejected
        assert not is_correct(rejected, "#### 5")


def test_a_wrong_answer_is_as_long_as_the_right_one_but_for_a_digit() -> None:
    # so that being short is preferred among right answers only
    for problem in problems("train", 200):
        rejected = rejected_answer(problem.question, problem.answer)
        if not is_correct(rejected, problem.answer):
            assert abs(len(rejected) - len(problem.answer)) <= 4
