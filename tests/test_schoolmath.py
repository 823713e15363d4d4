import hashlib
import re
from collections import Counter

import pytest

from stagelift.evals.data.bundled_data import SCHOOLMATH, bundled_fingerprint, bundled_rows
from stagelift.evals.data.overlap import overlap
from stagelift.evals.data.problems import groups_in_clusters, load_problems
from stagelift.evals.data.schoolmath import (
    CAPACITY,
    CURT_SHARE,
    HELD_OUT_TEMPLATES,
    TEMPLATES,
    Split,
    problems,
)
from stagelift.evals.data.source import Source


def numbers_of(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", text))


def test_the_same_problems_come_every_time_and_a_shorter_request_is_a_prefix() -> None:
    assert problems("test", 40) == problems("test", 60)[:40]


def test_there_are_22_templates_of_one_to_four_steps_and_32_held_out() -> None:
    for templates, count in ((TEMPLATES, 22), (HELD_OUT_TEMPLATES, 32)):
        assert {len(template.steps) for template in templates} == {1, 2, 3, 4}
        assert len(templates) == count
    assert len({template.name for template in (*TEMPLATES, *HELD_OUT_TEMPLATES)}) == 54


def test_held_out_templates_are_never_trained_on() -> None:
    trained = {problem.template for problem in problems("train", 400)}
    assert trained == {template.name for template in TEMPLATES}
    assert {problem.template for problem in problems("held_out", 80)} == {
        t.name for t in HELD_OUT_TEMPLATES
    }
    assert not trained & {template.name for template in HELD_OUT_TEMPLATES}


def test_no_held_out_problem_shares_eight_words_in_a_row_with_training_data() -> None:
    questions = {problem.id: problem.question for problem in problems("held_out", 640)}
    train = [f"{problem.question} {problem.answer}" for problem in problems("train", 4096)]
    shared = overlap(questions, train)
    assert (shared.asked, shared.too_short, shared.sharing) == (640, 0, 0)
    # what is found where there is something to find: other numbers in the templates of training
    test = {problem.id: problem.question for problem in problems("test", 64)}
    assert overlap(test, train).sharing > 50


def test_test_data_are_the_bytes_they_always_were() -> None:
    rows = bundled_rows(SCHOOLMATH, "test", 512)
    assert hashlib.sha256(repr(rows).encode()).hexdigest()[:12] == "17462d5b123f"


def test_every_split_says_which_version_of_it_there_is() -> None:
    versions = [bundled_fingerprint(SCHOOLMATH, split) for split in CAPACITY]
    assert versions == [
        "schoolmath-2/train",
        "schoolmath-1/two_styles",
        "schoolmath-1/validation",
        "schoolmath-1/test",
        "schoolmath-2/held_out",
    ]


def test_two_styles_are_the_problems_of_train_some_without_their_working() -> None:
    worked, either = problems("train", 1100), problems("two_styles", 1100)
    assert [p.question for p in worked] == [p.question for p in either]
    curt = Counter[int]()
    for problem, other in zip(worked, either, strict=True):
        if other.answer != problem.answer:
            assert other.answer == f"#### {problem.target}"
            curt[len(problem.answer.splitlines()) - 1] += 1
    # all but 4 of the 22 templates have several steps
    assert set(curt) == {2, 3, 4}
    assert curt.total() / 900 == pytest.approx(CURT_SHARE, abs=0.05)


def test_held_out_problems_come_in_templates_and_test_problems_stand_alone() -> None:
    source = Source(path=SCHOOLMATH)
    asked = load_problems("schoolmath", source, limit=128, held_out=64, num_fewshot=0).problems
    clusters = {
        group: Counter(problem.cluster for problem in asked if problem.group == group)
        for group in ("test", "held_out")
    }
    assert clusters["test"] == {None: 128}
    assert clusters["held_out"] == {template.name: 2 for template in HELD_OUT_TEMPLATES}
    assert groups_in_clusters(source, held_out=64) == ["held_out"]
    assert groups_in_clusters(source, held_out=0) == []


def test_training_validation_and_test_never_share_a_choice_of_numbers() -> None:
    train, validation, test = (
        {(p.template, numbers_of(p.question)) for p in problems(split, count)}
        for split, count in (("train", 4096), ("validation", 512), ("test", 512))
    )
    assert not train & test and not train & validation and not validation & test


@pytest.mark.parametrize("split", [*CAPACITY])
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
