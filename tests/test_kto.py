"""KTO: which rows it takes and makes, what it refuses, and what it starts from."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import Source
from stagelift.stages.kind import RowCost
from stagelift.stages.kto import KTO
from stagelift.stages.rows.training import check_training_source
from stagelift.stages.settings import config_on_paper
from tests.test_lora import trained
from tests.test_source import jsonl, training_rows

LORA = {"r": 4, "target_modules": ["q_proj", "v_proj"]}


def source(folder: Path, *rows: dict[str, object]) -> Source:
    return Source(path=str(jsonl(folder / "rows.jsonl", list(rows))), chat=False)


def test_pairs_become_a_desirable_and_an_undesirable_row(tmp_path: Path) -> None:
    pairs = source(tmp_path, {"prompt": "Hi", "chosen": "Hello", "rejected": "Go", "label": 7})
    check_training_source("kto", pairs)
    assert list(training_rows("kto", pairs)) == [
        {"completion": "Hello", "label": True, "prompt": "Hi"},
        {"completion": "Go", "label": False, "prompt": "Hi"},
    ]


def test_a_prompt_that_stands_in_both_answers_is_taken_out_of_them(tmp_path: Path) -> None:
    hi, hello, go = (
        {"role": role, "content": text}
        for role, text in (("user", "Hi"), ("assistant", "Hello"), ("assistant", "Go"))
    )
    rows = training_rows("kto", source(tmp_path, {"chosen": [hi, hello], "rejected": [hi, go]}))
    assert [(row["prompt"], row["completion"]) for row in rows] == [([hi], [hello]), ([hi], [go])]


def test_labelled_rows_pass_as_they_are(tmp_path: Path) -> None:
    row = {"prompt": "Hi", "completion": "Hello", "label": False}
    check_training_source("kto", source(tmp_path, row))
    assert list(training_rows("kto", source(tmp_path, row))) == [row]


def test_columns_that_trl_would_mistake_go_and_those_it_reads_stay(tmp_path: Path) -> None:
    beside = {"messages": [{"role": "user", "content": "Hi"}], "score": 7, "tools": "[]"}
    row = {"prompt": "Hi", "completion": "Hello", "label": True}
    pair = {"prompt": "Hi", "chosen": "Hello", "rejected": "Go"}
    labelled = training_rows("kto", source(tmp_path, {**row, **pair, **beside}))
    assert list(labelled) == [{**row, "tools": "[]"}]
    unpaired = training_rows("kto", source(tmp_path, {**pair, **beside}))
    assert list(unpaired) == [
        {**row, "tools": "[]"},
        {**row, "completion": "Go", "label": False, "tools": "[]"},
    ]


def test_a_pair_without_its_prompt_is_named(tmp_path: Path) -> None:
    pairs = [{"prompt": prompt, "chosen": "Hello", "rejected": "Go"} for prompt in ("Hi", None)]
    with pytest.raises(ValueError, match=r"Row 2 .* has None in column 'prompt'"):
        check_training_source("kto", source(tmp_path, *pairs))


@pytest.mark.parametrize("label", [None, "maybe", 0.5, 2])
def test_a_row_without_a_label_is_named(tmp_path: Path, label: object) -> None:
    rows = [{"prompt": "Hi", "completion": "Hello", "label": one} for one in (label, label)]
    with pytest.raises(
        ValueError, match=r"Row 1 .* in column 'label', which must be true or false"
    ):
        check_training_source("kto", source(tmp_path, *rows))


def test_word_problems_become_two_rows_with_the_same_prompt() -> None:
    rows = list(training_rows("kto", Source(path="bundled/schoolmath", limit=3)))
    assert [row["label"] for row in rows] == [True, False] * 3
    assert rows[0]["prompt"] == rows[1]["prompt"] and rows[0]["completion"] != rows[1]["completion"]


@pytest.mark.parametrize(
    ("args", "processes", "says"),
    [
        ({"per_device_train_batch_size": 1}, 1, "make per_device_train_batch_size 2 or more"),
        ({"train_sampling_strategy": "random"}, 1, "train_sampling_strategy is random: leave it"),
        ({}, 2, "Give the launcher to other stages only, or set loss_type to apo_zero_unpaired"),
    ],
)
def test_what_leaves_no_batch_to_estimate_kl_from_is_refused(
    args: dict[str, Any], processes: int, says: str
) -> None:
    with pytest.raises(ValueError, match="Stage 'kto'") as refused:
        config_on_paper(KTO, args, processes)
    assert says in str(refused.value)
    config_on_paper(KTO, {**args, "loss_type": "apo_zero_unpaired"})


def test_kto_starts_from_what_sft_made_and_sees_both_labels(
    tiny_model: Path, tmp_path: Path
) -> None:
    _, kto = trained(tiny_model, tmp_path, LORA, {"sft": {}}, {"kto": {}})
    first = kto.result.history[0]
    # policy and reference are the same: the loss is 1 - sigmoid(0)
    assert (first["loss"], first["kl"]) == (0.5, 0.0)
    assert kto.result.history[-1]["loss"] != 0.5
    # 16 pairs in steps of 4 rows: unpaired in order, all of them would be desirable
    assert all({"rewards/chosen", "rewards/rejected"} <= set(row) for row in kto.result.history)


def test_kl_costs_two_passes_beside_the_references() -> None:
    assert KTO.cost(config_on_paper(KTO, {})) == RowCost(limit=1024, forwards=3)
    without = config_on_paper(KTO, {"loss_type": "apo_zero_unpaired", "max_length": 256})
    assert KTO.cost(without) == RowCost(limit=256, forwards=1)
