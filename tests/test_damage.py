"""A run whose files were damaged: every command that reads them names the file and what to do."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stagelift.evals.hashes import DamagedError
from stagelift.harness.cli import app
from stagelift.harness.commands.verify import VerifyFormat
from stagelift.harness.graph.damage import DamagedPlanError
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.repairing import is_repairing
from stagelift.harness.run import execute, prepare, train_job
from stagelift.harness.verifying import verify
from stagelift.harness.workers.worker import do_job
from stagelift.reports.folders import RunFolder
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from stagelift.reports.words.provenance import provenance_lines
from tests.in_process import InProcessExecutor
from tests.shared import copied
from tests.test_run import node, tree
from tests.unhashed import unhashed


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.fixture
def root(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return copied(finished_run.parent, tmp_path / "runs")


def stagelift(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def evaluation(root: Path, kind: str) -> Path:
    return next(node(root, kind).glob("evals/*"))


def test_a_whole_run_is_whole(root: Path) -> None:
    seen = verify(RunFolder(root / "tiny"))
    assert (seen.is_whole, seen.not_hashed, seen.not_compared) == (True, (), ())
    # of a training and of an evaluation
    assert seen.files == 3 * 6 + 4 * 8
    result = stagelift("verify", "tiny")
    assert result.exit_code == 0 and "Whole" in result.stdout


@pytest.mark.parametrize("damage", [flipped, truncated, lambda _: b"", None])
@pytest.mark.parametrize("file", ["adapter/adapter_model.safetensors", "stage.json", "logits.json"])
def test_what_training_left_is_looked_at_before_anything_goes_on_from_it(
    root: Path, tiny_recipe_file: Path, file: str, damage: Callable[[bytes], bytes] | None
) -> None:
    path = node(root, "sft") / file
    spoil(path, damage)
    with pytest.raises(DamagedPlanError, match=f"damaged: .*{path.name}"):
        prepare(load_recipe(str(tiny_recipe_file), []), Store(root))
    seen = verify(RunFolder(root / "tiny"))
    assert [found.file.name for found in seen.damages] == [path.name]


@pytest.mark.parametrize("damage", [flipped, truncated, lambda _: b"", None])
@pytest.mark.parametrize("file", ["scores.jsonl", "generations.jsonl", "result.json"])
def test_a_damaged_evaluation_is_named_by_report_check_and_verify(
    root: Path, file: str, damage: Callable[[bytes], bytes] | None
) -> None:
    path = evaluation(root, "base") / file
    spoil(path, damage)
    checked = stagelift("check", "tiny", "--baseline", "tiny", "--stage", "sft")
    for result in (stagelift("report", "tiny"), checked):
        # one without its result is not evaluated, as before it was
        assert result.exit_code == 2, result.output
        assert path.name in result.stderr or "is not evaluated" in result.stderr
    result = stagelift("verify", "tiny", "--format", VerifyFormat.json.value)
    assert result.exit_code == 1
    seen = json.loads(result.stdout)
    assert seen["whole"] is False and {Path(d["file"]).name for d in seen["damaged"]} == {file}


def test_a_run_without_hashes_is_read_as_before_and_not_called_damaged(
    root: Path, tiny_recipe_file: Path
) -> None:
    unhashed(root)
    prepare(load_recipe(str(tiny_recipe_file), []), Store(root))
    seen = verify(RunFolder(root / "tiny"))
    assert (seen.is_whole, seen.files, len(seen.not_hashed)) == (True, 0, 7)
    assert "Not hashed" in stagelift("verify", "tiny").stdout


def test_without_hashes_a_score_that_its_response_does_not_give_is_named(root: Path) -> None:
    unhashed(root)
    file = evaluation(root, "sft") / "scores.jsonl"
    first, *others = file.read_text(encoding="utf-8").splitlines()
    score = json.loads(first) | {"answer": "77"}
    file.write_text("\n".join([json.dumps(score), *others]) + "\n", encoding="utf-8")
    (found,) = verify(RunFolder(root / "tiny")).damages
    assert found.file == file and score["id"] in found.what


def test_a_node_is_called_what_it_says(root: Path) -> None:
    unhashed(root)
    file = node(root, "dpo") / "node.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["identity"]["seed"] = 1
    file.write_text(json.dumps(content), encoding="utf-8")
    (found,) = verify(RunFolder(root / "tiny")).damages
    assert found.file == file and "would be called dpo-" in found.what


def spoil(path: Path, damage: Callable[[bytes], bytes] | None) -> None:
    """Damage a file, or delete it."""
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))


@pytest.mark.parametrize(
    "file", ["adapter/adapter_model.safetensors", "evals/*/generations.jsonl", "node.json"]
)
def test_a_repair_makes_again_what_is_damaged_and_keeps_what_follows_where_bytes_are_the_same(
    root: Path, tiny_recipe_file: Path, file: str
) -> None:
    (path,) = node(root, "grpo").glob(file)
    before, whole = path.read_bytes(), tree(node(root, "sft"))
    path.write_bytes(truncated(before))
    said, started = repaired(root, tiny_recipe_file)
    assert path.read_bytes() == before and tree(node(root, "sft")) == whole
    # nothing is lost
    (aside,) = node(root, "grpo").rglob(f"damaged-1/**/{path.name}")
    assert aside.read_bytes() == truncated(before)
    assert said[0].startswith("Set aside") and path.name in said[0]
    assert started == {"adapter": ["train"], "evals": ["evaluate"]}.get(file.split("/")[0], [])
    assert verify(RunFolder(root / "tiny")).is_whole
    run = read_run(root / "tiny")
    assert run.repairs[0].endswith(said[0]) and len(run.repairs) == len(said)
    assert said[0] in dict(provenance_lines(build_report([run])))["repairs"]


def test_a_plan_names_the_command_that_makes_again_what_is_damaged(
    root: Path, tiny_recipe_file: Path
) -> None:
    spoil(node(root, "sft") / "adapter" / "adapter_model.safetensors", flipped)
    result = stagelift("plan", str(tiny_recipe_file))
    assert result.exit_code == 2
    assert f"Go on with: stagelift run {tiny_recipe_file} --repair" in result.stderr


def test_a_report_is_as_it_was_and_says_that_an_adapter_is_not(root: Path) -> None:
    before = stagelift("report", "tiny", "--format", "json")
    spoil(node(root, "sft") / "adapter" / "adapter_model.safetensors", flipped)
    result = stagelift("report", "tiny", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, before.stdout)
    assert "adapter_model.safetensors is not what was written" in result.stderr
    assert "--repair" in result.stderr and not before.stderr


def test_a_damaged_adapter_is_not_uploaded(root: Path) -> None:
    spoil(node(root, "sft") / "adapter" / "adapter_model.safetensors", flipped)
    result = stagelift("push", "tiny", "--stage", "sft", "--to", "someone/name", "--dry-run")
    assert result.exit_code == 2 and result.stderr.startswith("Error: Nothing was uploaded: ")
    assert "--repair" in result.stderr


def test_a_worker_compares_the_adapter_that_it_starts_from_with_its_hash(
    root: Path, tiny_recipe_file: Path
) -> None:
    store = Store(root)
    plan = prepare(load_recipe(str(tiny_recipe_file), []), store)
    dpo = next(each for each in plan.nodes if each.kind == "dpo")
    spoil(node(root, "sft") / "adapter" / "adapter_model.safetensors", flipped)
    with pytest.raises(DamagedError, match=r"sha256 differs\. Nothing was made of it\..* --repair"):
        do_job(train_job(dpo, store), StringIO())


def test_run_json_is_written_anew_and_the_damaged_one_is_kept(
    root: Path, tiny_recipe_file: Path
) -> None:
    file = root / "tiny" / "run.json"
    stages = RunFolder(root / "tiny").read().stages
    file.write_text("{")
    assert stagelift("report", "tiny").exit_code == 2
    assert "--repair" in stagelift("run", str(tiny_recipe_file), "--dry-run").stderr
    assert repaired(root, tiny_recipe_file)[1] == []
    assert RunFolder(root / "tiny").read().stages == stages
    assert (root / "tiny" / "damaged-1" / "run.json").read_text() == "{"
    assert stagelift("report", "tiny").exit_code == 0


def repaired(root: Path, recipe_file: Path) -> tuple[list[str], list[str]]:
    """Repair a run in this process; return what was said, and the jobs that were started."""
    said: list[str] = []
    started: list[str] = []
    recipe, store, executor = load_recipe(str(recipe_file), []), Store(root), InProcessExecutor()
    plan = prepare(recipe, store, executor.precise, repairs=True)

    def on_event(_: str, event: dict[str, Any]) -> None:
        if event["event"] == "starting":
            started.append(event["job"])

    execute(plan, store, executor, on_event, repairs=True, say=said.append)
    assert not is_repairing(plan, store)
    return said, started
