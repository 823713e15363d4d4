"""A payload in every file that rows are read from, and in the cache of those: nobody runs it."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from click.testing import Result
from pyarrow import feather, ipc, parquet
from typer.testing import CliRunner

from stagelift.evals.data.source import Source, rows
from stagelift.harness.cli import app
from tests.test_planted_pickles import PLANTED, Payload

ROWS = [{"question": "2 + 2?", "answer": "#### 4"}, {"question": "3 + 3?", "answer": "#### 6"}]
ROWS_AS_CSV = "question,answer\n2 + 2?,#### 4\n3 + 3?,#### 6\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_pickled_type() -> pyarrow.Table:
    """Make rows with a column of a type that Arrow once read by unpickling its metadata."""
    payload = pickle.dumps(Payload())
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": payload,
        b"pandas": payload,
    }
    answers = pyarrow.field("answer", pyarrow.string(), metadata=metadata)
    schema = pyarrow.schema([pyarrow.field("question", pyarrow.string()), answers], metadata)
    return pyarrow.Table.from_pylist(ROWS, schema=schema)


def test_a_payload_in_the_types_of_a_parquet_file_is_not_run(folder: Path) -> None:
    parquet.write_table(with_pickled_type(), folder / "rows.parquet")
    assert rows(Source(path="rows.parquet")).to_list() == ROWS
    assert not (folder / PLANTED).exists()


def test_a_payload_in_the_types_of_a_parquet_file_is_not_run_by_an_import(folder: Path) -> None:
    parquet.write_table(with_pickled_type(), folder / "completions_00001.parquet")
    done = CliRunner().invoke(app, ["import", "completions_00001.parquet", "--name", "theirs"])
    assert done.exit_code == 2 and "Error: " in done.output
    assert not (folder / PLANTED).exists()


def dry_run(folder: Path, model: Path, data: str) -> Result:
    (folder / "recipe.yaml").write_text(
        f"name: r\nmodel: {{path: {model.as_posix()}, dtype: float32}}\ndata: {{path: {data}}}\n"
        "stages: [sft]\nevals: {accuracy: {limit: 2}, preference: {prompts: null, against: []}}\n"
    )
    return CliRunner().invoke(app, ["run", "recipe.yaml", "--dry-run"])


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.parquet"])
def test_a_pickle_that_is_called_rows_is_refused(folder: Path, tiny_model: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Payload()))
    for done in (
        dry_run(folder, tiny_model, name),
        CliRunner().invoke(app, ["import", name, "--name", "theirs"]),
    ):
        assert done.exit_code == 2 and name in done.output, done.output
    assert not (folder / PLANTED).exists()


@pytest.mark.parametrize("name", ["rows.pkl", "rows.pickle", "rows.arrow", "rows.pt", "rows.npy"])
def test_formats_that_hold_code_are_not_read(folder: Path, tiny_model: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Payload()))
    done = dry_run(folder, tiny_model, f"./{name}")
    assert done.exit_code == 2 and "of no known format" in " ".join(done.output.split())
    assert not (folder / PLANTED).exists()


def as_pickle(file: Path) -> None:
    file.write_bytes(pickle.dumps(Payload()))


def as_stream(file: Path) -> None:
    table = with_pickled_type()
    with ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)


def as_arrow_file(file: Path) -> None:
    feather.write_feather(with_pickled_type(), str(file), compression="uncompressed")


@pytest.mark.parametrize("plant", [as_pickle, as_stream, as_arrow_file])
def test_a_payload_in_the_cache_of_a_dataset_is_not_run(
    folder: Path,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[Path], None],
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder / "cache")
    (folder / "rows.csv").write_text(ROWS_AS_CSV)
    assert rows(Source(path="rows.csv")).to_list() == ROWS
    cached = list((folder / "cache").rglob("*.arrow"))
    assert cached
    for file in cached:
        plant(file)
    done = dry_run(folder, tiny_model, "rows.csv")
    assert done.exit_code == 2 and "rows.csv" in done.output, done.output
    assert not (folder / PLANTED).exists()
