"""Which targets of lm-eval's tasks are numbers that responses are to state."""

from stagelift.evals.imports.number_targets import TargetUse, are_numbers_to_state


def use(target: str, response: str = "", **metrics: float) -> TargetUse:
    return TargetUse(target, response, metrics)


def test_a_worked_answer_is_one_whatever_was_measured() -> None:
    assert are_numbers_to_state([use("3 + 4 = 7\n#### 7", "7")])


def test_a_dummy_of_a_task_that_matches_nothing_is_none() -> None:
    documents = [use("0", "text", prompt_level_strict_acc=1.0) for _ in range(3)]
    assert not are_numbers_to_state(documents)


def test_a_dummy_beside_a_match_with_something_else_is_none() -> None:
    documents = [use("0", "fine", exact_match=1.0), use("0", "bad 0", exact_match=0.0)]
    assert not are_numbers_to_state(documents)


def test_an_index_of_choices_is_none() -> None:
    matched = [use("1", " yes", exact_match=1.0), use("0", " no", exact_match=1.0)]
    assert not are_numbers_to_state(matched)
    # a model that matched nothing tells nothing about what a target of one digit is
    assert not are_numbers_to_state([use("1", "?", exact_match=0.0), use("0", "", exact_match=0.0)])


def test_numbers_that_matched_responses_state_are_answers() -> None:
    documents = [
        use("1204", "It is 1,204.", exact_match=1.0),
        use("-3", "x = -3", exact_match=1.0),
        use("7", "none", exact_match=0.0),
    ]
    assert are_numbers_to_state(documents)


def test_larger_numbers_are_answers_where_nothing_was_matched() -> None:
    assert are_numbers_to_state([use("503", "?", exact_match=0.0), use("2", "?", exact_match=0.0)])


def test_without_a_match_of_the_task_nothing_says_that_numbers_are_answers() -> None:
    assert not are_numbers_to_state([use("503", "503"), use("18", "18", rouge1=0.5)])
