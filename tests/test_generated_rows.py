"""Generated data by path, rows that a stage trains on, and what generating costs."""

from types import SimpleNamespace

import pytest

from stagelift.evals.data.bundled_data import (
    INSTRUCTIONS,
    SCHOOLMATH,
    bundled_fingerprint,
    bundled_rows,
    check_bundled,
    is_bundled,
)
from stagelift.evals.models.memory import peak_memory
from stagelift.stages.completions import (
    generation_cost,
    rewarded_prompt,
    saved_where_it_generates,
)
from stagelift.stages.kind import RowCost
from stagelift.stages.rows.turns import answered, asked


def test_generated_data_is_known_by_its_path() -> None:
    assert is_bundled("bundled/schoolmath") and not is_bundled("./schoolmath")
    assert bundled_fingerprint(SCHOOLMATH, "train").startswith("schoolmath-")
    assert bundled_fingerprint(INSTRUCTIONS, "test").startswith("instructions-")


def test_rows_are_the_first_of_a_split_and_have_the_columns_of_their_format() -> None:
    few, more = (bundled_rows(SCHOOLMATH, "train", limit) for limit in (2, 5))
    assert more[:2] == few and set(few[0]) == {"question", "answer"}
    (pair,) = bundled_rows(INSTRUCTIONS, "test", 1)
    assert set(pair) == {"prompt", "chosen", "rejected"} and pair["chosen"] != pair["rejected"]


@pytest.mark.parametrize(
    ("path", "split", "limit", "says"),
    [
        (SCHOOLMATH, "dev", None, r"has no split 'dev'\. Its splits: train, "),
        (SCHOOLMATH, "train", 10**9, r"different problems in split 'train', 1000000000 were asked"),
        (INSTRUCTIONS, "test", 10**9, r"different pairs in split 'test', 1000000000 were asked"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    path: str, split: str, limit: int | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        check_bundled(path, split, limit)
    check_bundled(path, "train", 8)


def test_a_word_problem_is_asked_as_the_evaluation_asks_it_and_answered_as_it_is() -> None:
    assert asked("1 + 1?") == [{"role": "user", "content": "Question: 1 + 1?\nAnswer:"}]
    assert answered("#### 2") == [{"role": "assistant", "content": "#### 2"}]
    assert rewarded_prompt("1 + 1?", "2") == [{"prompt": asked("1 + 1?"), "answer": "2"}]


def config(generation: int, iterations: int, accumulated: int) -> SimpleNamespace:
    return SimpleNamespace(
        steps_per_generation=generation,
        num_iterations=iterations,
        gradient_accumulation_steps=accumulated,
        max_completion_length=12,
        num_generations=4,
    )


@pytest.mark.parametrize(
    ("made", "given", "saved"),
    [
        (config(1, 1, 1), {"save_steps": 3}, {}),
        (config(4, 2, 2), {}, {"save_steps": 4}),
        (config(4, 2, 2), {"save_steps": 8}, {"save_steps": 8}),
        # three batches a generation, two a step: both end together after six
        (config(3, 1, 2), {}, {"save_steps": 3}),
    ],
)
def test_it_is_saved_only_where_completions_are_about_to_be_generated(
    made: SimpleNamespace, given: dict[str, int], saved: dict[str, int]
) -> None:
    assert saved_where_it_generates(made, given, 1) == saved


@pytest.mark.parametrize("given", [{"save_steps": 6}, {"save_strategy": "epoch"}])
def test_saving_elsewhere_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="every 4 steps: make save_steps a multiple of 4"):
        saved_where_it_generates(config(4, 2, 2), given, 1)


def test_a_prompt_costs_as_many_completions_as_it_gets() -> None:
    assert generation_cost(config(1, 3, 1), 2) == RowCost(generated=12, times=12, forwards=2)


def test_the_peak_of_a_process_only_grows() -> None:
    before, what = peak_memory("cpu")
    held = bytearray(64 * 2**20)
    held[:: 2**12] = b"x" * len(held[:: 2**12])
    assert what == "process, resident" and before > 10**6
    assert peak_memory("cpu")[0] >= before
