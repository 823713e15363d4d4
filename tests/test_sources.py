"""Which files are stages, what they are called, and in which order a folder's come."""

import json
from pathlib import Path

import pytest

from stagelift.evals.imports.sources import Sources, find_sources, stage_names

ROW = json.dumps({"id": 1, "prompt": "p", "response": "r"})


def put(folder: Path, *names: str, text: str = ROW) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(found: Sources) -> list[str]:
    return stage_names(found.taken, ["responses"] * len(found.taken))


def test_names_and_order_are_as_given(tmp_path: Path) -> None:
    put(tmp_path, "z.jsonl", "a=b.jsonl", "c.jsonl")
    given = [f"base={tmp_path}/z.jsonl", f"{tmp_path}/a=b.jsonl", f"rl={tmp_path}/c.jsonl"]
    found = find_sources(given)
    assert names(found) == ["base", "a-b", "rl"] and not found.is_from_folder


def test_a_folder_comes_in_the_usual_order_and_then_as_people_count(tmp_path: Path) -> None:
    put(tmp_path, "dpo.jsonl", "sft.jsonl", "base.jsonl", "step-10.jsonl", "step-2.jsonl")
    put(tmp_path, ".hidden.jsonl", "notes.txt", "weights.safetensors")
    put(tmp_path, "config.json", text='{"hidden_size": 4}')
    found = find_sources([str(tmp_path)])
    assert names(found) == ["base", "sft", "dpo", "step-2", "step-10"]
    assert [path.name for path in found.passed_over] == ["config.json"] and found.is_from_folder


def test_what_stands_amid_a_name_says_nothing_of_its_place(tmp_path: Path) -> None:
    put(tmp_path, "alpaca-7b.jsonl", "alpaca-farm-ppo-human.jsonl", "qwen-base.jsonl")
    assert names(find_sources([str(tmp_path)])) == [
        "qwen-base",
        "alpaca-7b",
        "alpaca-farm-ppo-human",
    ]


def test_files_of_one_name_are_called_by_their_folders(tmp_path: Path) -> None:
    put(
        tmp_path, *(f"{model}/samples_gsm8k_2026-01-01T00-00-00.jsonl" for model in ("sft", "base"))
    )
    assert names(find_sources([str(tmp_path)])) == ["base", "sft"]


def test_a_stage_is_called_by_what_is_in_the_file_where_that_tells_them_apart(
    tmp_path: Path,
) -> None:
    put(tmp_path, "x.jsonl", "y.jsonl")
    found = find_sources([f"{tmp_path}/x.jsonl", f"last={tmp_path}/y.jsonl"])
    assert stage_names(found.taken, ["alpaca-7b", "ppo"]) == ["alpaca-7b", "last"]


def test_our_own_runs_are_no_results_of_others(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", "b/x.jsonl", "b/c/x.jsonl", "runs/nodes/n/generations.jsonl")
    found = find_sources([str(tmp_path)])
    assert [source.path.name for source in found.taken] == ["a.jsonl", "x.jsonl", "x.jsonl"]
    assert len(set(names(found))) == 3


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (["none.jsonl"], "neither a file nor a folder"),
        (["a b=one.jsonl"], "A stage cannot be named 'a b'"),
        (["one.jsonl", "sft=one.jsonl"], "is given twice"),
        (["sft=many"], "holds 2 files of results"),
        (["empty"], "no file of results that is recognised"),
    ],
)
def test_what_cannot_be_stages_is_refused(
    places: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "one.jsonl", "many/a.jsonl", "many/b.jsonl")
    put(tmp_path, "empty/config.json", text="{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=words):
        find_sources(places)
