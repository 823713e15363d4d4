"""The command in-process: help, version, reports, and every kind of bad input (exit code 2, one
sentence, nothing written).
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from filelock import FileLock
from typer.testing import CliRunner

from stagelift.harness.cli import app
from tests.conftest import make_tiny_model
from tests.shared import copied
from tests.test_markdown import without_picture


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def refused(result: Result, says: str, folder: Path, before: set[Path]) -> None:
    assert result.exit_code == 2, result.output
    message = result.stderr.strip()
    assert says in message
    assert message.startswith("Error: ") and "\n" not in message and "Traceback" not in message
    assert set(folder.rglob("*")) == before


def test_version_and_help(stagelift: Callable[..., Result]) -> None:
    assert stagelift("--version").output.startswith("stagelift 0.")
    assert "run" in stagelift("--help").output


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["evals.accuracy.limti=3"], "did you mean 'limit'?"),
        (["stages=[ppo]"], "Unknown stage 'ppo'"),
        (["stages.sft.args.learnin_rate=1"], "did you mean 'learning_rate'?"),
        (["stages.sft.args.max_steps=some"], "'max_steps' is 'some'"),
        (["lora.rank=4"], "LoraConfig has no argument 'rank'; did you mean 'r'?"),
        (["lora.dropout=0.1"], "did you mean 'lora_dropout'?"),
        (["stages.sft.args.lr=0.1"], "did you mean 'learning_rate'?"),
        (["stages.grpo.rewards=[correctnes]"], "Did you mean 'correctness'?"),
        (["evals.accuracy.task=gms8k"], "Did you mean 'gsm8k'?"),
        (["evals.preference.judge=longst"], "Did you mean 'longest'?"),
        (["seeds=3"], "For 3 seeds write seeds: [0, 1, 2]."),
        (["seeds=1234"], "Write it as a list: seeds: [1234]."),
        (["lora.r=0"], "r is 0"),
        (["lora.target_modules=[no_proj]"], "does not fit"),
        (
            ["evals.accuracy.task=gsm8k", "evals.accuracy.held_out=0", "data.path=./one.jsonl"],
            "is what the evaluation asks",
        ),
        (["stages.sft.dataset.path=./nowhere.jsonl"], "nowhere.jsonl) does not exist"),
        (["stages.dpo.dataset.path=./wrong.jsonl"], "It needs chosen+rejected or question+answer"),
        (
            ["stages.sft.dataset.path=no-such/dataset"],
            "Cannot read split 'train' of dataset 'no-such/dataset'",
        ),
        (["model.path=./nowhere"], "nowhere) does not exist"),
        (["model.path=./empty"], "Cannot read a model at './empty'"),
        (["model.path=no-such/model"], "Cannot read a model at 'no-such/model'"),
        (["model.path=./no-template"], "has no chat template"),
        (["model.eos_token=<|end|>"], "'<|end|>' is not a token"),
        (
            ["stages.grpo.args.per_device_train_batch_size=5"],
            "must be divisible by num_generations",
        ),
        (
            [
                "evals.accuracy.task=gsm8k",
                "evals.accuracy.held_out=0",
                "data.path=./math",
                "evals.accuracy.num_fewshot=9",
            ],
            "num_fewshot is 9, but './math' has 1 training rows",
        ),
        (
            ["evals.accuracy.task=gsm8k", "evals.accuracy.held_out=0", "data.path=./unmarked"],
            "Row 1 of split 'test'",
        ),
        (["stages.grpo.rewards=[kindness]"], "Unknown reward 'kindness'"),
        (
            ["evals.accuracy.task=gsm8k", "evals.accuracy.held_out=0"],
            "Task gsm8k needs GSM8K's files",
        ),
        (
            ["stages=[dpo]", "data.path=./wrong.jsonl"],
            "It needs chosen+rejected or question+answer",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    stagelift: Callable[..., Result],
    tiny_recipe: Path,
    tmp_path: Path,
    overrides: list[str],
    says: str,
) -> None:
    (tmp_path / "wrong.jsonl").write_text(json.dumps({"text": "no pairs here"}) + "\n")
    (tmp_path / "one.jsonl").write_text(
        json.dumps({"question": "1 + 1?", "answer": "#### 2"}) + "\n"
    )
    for folder, marked in (("math", "#### 3"), ("unmarked", "many")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.jsonl").write_text(
            json.dumps({"question": "1 + 1?", "answer": "#### 2"}) + "\n"
        )
        (tmp_path / folder / "test.jsonl").write_text(
            json.dumps({"question": "1 + 2?", "answer": marked}) + "\n"
        )
    (tmp_path / "empty").mkdir()
    if "./no-template" in overrides[0]:
        make_tiny_model(tmp_path / "no-template", chat_template=None)
    before = set(tmp_path.rglob("*"))
    arguments = [argument for override in overrides for argument in ("--set", override)]
    refused(stagelift("run", str(tiny_recipe), *arguments), says, tmp_path, before)


def test_an_unknown_recipe_or_run_is_refused(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    refused(stagelift("run", "quikstart"), "No recipe 'quikstart'", tmp_path, set())
    refused(stagelift("report", "nothing"), "is not a run", tmp_path, set())


def test_the_name_of_a_run_that_is_near_is_named(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    copied(finished_run, tmp_path / "mine" / "tiny")
    before, runs = set(tmp_path.rglob("*")), ("--runs", "mine")
    for words in (
        ("report", "tniy"),
        ("verify", "tinny"),
        ("delete", "tinyy"),
        ("rescore", "tinyx"),
        ("vote", "TINY2"),
        ("export", "tinyx", "out", "--format", "lm-eval"),
        ("push", "tinyx", "--stage", "sft", "--to", "me/x"),
    ):
        said = stagelift(*words, *runs)
        refused(said, "Did you mean 'tiny'? `stagelift runs --runs mine`", tmp_path, before)
    for words in (("check", "x", "--baseline", "tinyx"), ("baseline", "set", "tinyx")):
        said = stagelift(*words, *runs)
        refused(said, "'tinyx' is neither a run in mine", tmp_path, before)
        assert "Did you mean 'tiny'? `stagelift runs --runs mine` lists the runs." in said.stderr


def test_a_dry_run_lists_the_nodes_and_writes_nothing(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    result = stagelift("run", str(tiny_recipe), "--dry-run")
    assert result.exit_code == 0, result.output
    nodes, rows = result.output.split("\n\nWhat tokens see:\n")
    names = [line.split(":")[0] for line in nodes.splitlines()[1:]]
    assert names == ["base", "sft", "dpo", "grpo"]
    shown = [line.split(",")[0] for line in rows.splitlines() if not line.startswith(" ")]
    assert shown == names[1:]
    assert set(tmp_path.rglob("*")) == before


def test_the_t4_recipe_is_validated_as_far_as_it_can_be_without_the_hub(
    stagelift: Callable[..., Result],
) -> None:
    result = stagelift("run", "t4-qwen2.5-0.5b", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "not checked" in result.output and "trl-lib/Capybara" in result.output
    assert (
        stagelift(
            "run", "t4-qwen2.5-0.5b", "--dry-run", "--set", "stages.grpo.args.num_generations=3"
        ).exit_code
        == 2
    )


def test_the_t4_recipe_in_4_bits_is_validated_as_far_as_it_can_be_without_the_hub(
    stagelift: Callable[..., Result],
) -> None:
    result = stagelift("run", "t4-qwen2.5-3b-4bit", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "not checked" in result.output and "openai/gsm8k" in result.output


def test_a_folder_of_another_recipe_is_refused(
    stagelift: Callable[..., Result], tiny_recipe_file: Path, finished_run: Path, tmp_path: Path
) -> None:
    copied(finished_run, tmp_path / "runs" / "tiny")
    before = set(tmp_path.rglob("*"))
    result = stagelift("run", str(tiny_recipe_file), "--set", "lora.r=8")
    refused(result, "lora.r is 4 there and 8 here", tmp_path, before)
    result = stagelift("run", str(tiny_recipe_file), "--set", "model.name=X")
    refused(result, "model.name is not set there and 'X' here", tmp_path, before)


def test_two_runs_cannot_write_one_folder(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        before = set(tmp_path.rglob("*"))
        refused(
            stagelift("run", str(tiny_recipe)),
            "Another stagelift process is writing",
            tmp_path,
            before,
        )


def test_a_folder_that_is_not_a_run_is_refused(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "runs" / "tiny" / "thesis.tex").write_text("dear")
    before = set(tmp_path.rglob("*"))
    refused(stagelift("run", str(tiny_recipe)), "exists and is not a run", tmp_path, before)


def test_runs_are_listed_and_reported_in_every_format(
    stagelift: Callable[..., Result], finished_run: Path
) -> None:
    root = finished_run.parent
    assert "finished" in stagelift("runs", "--runs", str(root)).output
    document = json.loads(
        stagelift("report", "tiny", "--runs", str(root), "--format", "json").output
    )
    assert [stage["name"] for stage in document["stages"]] == ["base", "sft", "dpo", "grpo"]
    # on its way to a pipe there is no file for a picture to lie beside
    assert stagelift("report", str(finished_run), "--format", "markdown").output == without_picture(
        (finished_run / "report.md").read_text()
    )
    short = stagelift("report", str(finished_run)).output
    full = stagelift("report", str(finished_run), "--full").output
    assert full.startswith(short.split("\n\n")[0]) and "trainable parameters" not in short
    assert full.index("trainable parameters") < full.index("Provenance")
    adapters = [stage["adapter"] for stage in document["stages"]]
    assert adapters[0] is None and all((root / adapter).is_dir() for adapter in adapters[1:])
    assert f"Adapter of grpo: {root / adapters[-1]}" in short
    assert adapters[-1] in full and adapters[-1] in (finished_run / "report.html").read_text()


def test_a_run_leaves_a_page_and_a_report_can_be_written_anywhere(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    page = (finished_run / "report.html").read_text()
    result = stagelift("report", str(finished_run), "--output", "new/page.html")
    assert (
        result.exit_code == 0
        and result.stderr == f"Written: {Path('new/page.html')}\n"
        and result.stdout == ""
    )
    assert (tmp_path / "new" / "page.html").read_text() == page
    assert stagelift("report", str(finished_run), "--format", "html").stdout == page
    stagelift("report", str(finished_run), "--output", "report.md")
    for name in ("report.md", "report.svg"):
        assert (tmp_path / name).read_text() == (finished_run / name).read_text()
    stagelift("report", str(finished_run), "--format", "json", "--output", "odd.txt")
    assert (tmp_path / "odd.txt").read_text() == (finished_run / "report.json").read_text()
    stagelift("report", str(finished_run), "--output", "plain.txt")
    assert "trainable parameters" in (tmp_path / "plain.txt").read_text()
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "new",
        "odd.txt",
        "page.html",
        "plain.txt",
        "report.md",
        "report.svg",
    ]


def test_a_summary_is_short_markdown(stagelift: Callable[..., Result], finished_run: Path) -> None:
    summary = stagelift("report", str(finished_run), "--summary").stdout
    assert summary.startswith("# What each stage added: tiny\n") and "| stage | accuracy" in summary
    assert (
        len(summary)
        < len(stagelift("report", str(finished_run), "--format", "markdown").stdout) / 2
    )


def test_a_report_that_cannot_be_written_is_refused(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    before = set(tmp_path.rglob("*"))
    run = str(finished_run)
    refused(
        stagelift("report", run, "--summary", "--format", "html"),
        "--summary is Markdown",
        tmp_path,
        before,
    )
    refused(
        stagelift("report", run, "--summary", "--output", "x.json"),
        "format is json",
        tmp_path,
        before,
    )
    refused(stagelift("report", run, "--output", "."), "is a folder", tmp_path, before)
    refused(
        stagelift("report", run, "--full", "--output", "x.md"),
        "--full is for the terminal",
        tmp_path,
        before,
    )
    refused(stagelift("report", run, "--output", "file/report.md"), "file", tmp_path, before)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report", "tiny", "--figures", "f", "--full"], "--full would do nothing beside"),
        (["report", "tiny", "--output", "r.html", "--full"], "--full is for the terminal"),
        (
            ["vote", "tiny", "--import", "v.json", "--stage", "sft", "--seed", "3"],
            "--stage and --seed would do nothing beside --import",
        ),
        (
            ["export", "tiny", "x", "--format", "lm-eval", "--organization", "me"],
            "--organization would do nothing beside --format lm-eval",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    stagelift: Callable[..., Result], tmp_path: Path, words: list[str], says: str
) -> None:
    refused(stagelift(*words), says, tmp_path, set())


def test_every_trained_stage_has_a_model_card_beside_its_adapter(finished_run: Path) -> None:
    cards = sorted(finished_run.parent.glob("nodes/*/adapter/README.md"))
    assert len(cards) == 3
    assert all(
        card.read_text().startswith("---\n") and "model-index" in card.read_text() for card in cards
    )


def test_there_may_be_no_runs_yet(stagelift: Callable[..., Result]) -> None:
    assert "stagelift run quickstart" in stagelift("runs").output
