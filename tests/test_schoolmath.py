import re

import pytest

from stagelift.evals.data.schoolmath import CAPACITY, HELD_OUT_TEMPLATES, TEMPLATES, Split, problems


def numbers_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", text))


def test_the_same_problems_come_every_time_and_a_shorter_request_is_a_prefix() -> None:
    assert problems("test", 40) == problems("test", 60)[:40]


def test_there_are_24_templates_or_more_of_one_to_four_steps() -> None:
    templates = [*TEMPLATES, *HELD_OUT_TEMPLATES]
    assert len({template.name for template in templates}) == len(templates) >= 24
    assert {len(template.steps) for template in templates} == {1, 2, 3, 4}


def test_held_out_templates_are_never_trained_on() -> None:
    trained = {problem.template for problem in problems("train", 400)}
    assert trained == {template.name for template in TEMPLATES}
    assert {problem.template for problem in problems("held_out", 80)} == {
        t.name for t in HELD_OUT_TEMPLATES
    }
    assert not trained & {template.name for template in HELD_OUT_TEMPLATES}


def test_train_and_test_never_share_a_choice_of_numbers() -> None:
    train = {(p.template, numbers_of(p.question)) for p in problems("train", 4096)}
    test = {(p.template, numbers_of(p.question)) for p in problems("test", 512)}
    assert not train & test


@pytest.mark.parametrize("split", ["train", "test", "held_out"])
def test_every_split_gives_as_many_problems_as_it_says(split: Split) -> None:
    assert len({p.question for p in problems(split, CAPACITY[split])}) == CAPACITY[split]
    with pytest.raises(ValueError, match="different problems"):
        problems(split, CAPACITY[split] + 1)


def test_no_question_comes_twice() -> None:
    questions = [problem.question for problem in problems("train", 2000)]
    assert len(set(questions)) == len(questions)


def test_every_step_is_right_and_the_last_one_gives_the_target() -> None:
    for problem in [*problems("train", 300), *problems("test", 100), *problems("held_out", 100)]:
        equations = re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", problem.answer)
        for left, symbol, right, result in equations:
            assert eval(f"{left} {symbol} {right}") == int(result), problem
        assert problem.answer.endswith(f"#### {problem.target}")
        assert equations[-1][-1] == problem.target
        assert len(equations) == len(problem.answer.splitlines()) - 1
        assert "{" not in problem.question + problem.answer
