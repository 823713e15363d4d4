"""Files of a finished run that are no longer what was written."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.faults.bench import Bench, stagelift
from benchmarks.faults.fault import Fault, Words

Strike = Callable[[Bench, Path], None]
REPAIR: tuple[Words, ...] = (("run", "RECIPE", "--repair"),)
_EVALUATED = "nodes/{}-*/evals/*/{}"


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _emptied(_: bytes) -> bytes:
    return b""


def _without_a_row(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[1:])


def _better(content: bytes) -> bytes:
    """Let every response be right, as nobody but the scorer may say."""
    rows = [json.loads(line) for line in content.splitlines()]
    right = [{**row, "correct": True, "outcome": "correct", "answer": "7"} for row in rows]
    return "".join(f"{json.dumps(row)}\n" for row in right).encode()


def changed(pattern: str, change: Callable[[bytes], bytes]) -> Strike:
    """Change the first file of a pattern below the folder of runs."""

    def strike(_: Bench, place: Path) -> None:
        file = file_of(place, pattern)
        file.write_bytes(change(file.read_bytes()))

    return strike


def removed(pattern: str) -> Strike:
    """Take away the first file of a pattern."""
    return lambda _, place: file_of(place, pattern).unlink()


def file_of(place: Path, pattern: str) -> Path:
    """Return the first file of a pattern below the folder of runs."""
    return min((place / "runs").glob(pattern))


def _exchanged(_: Bench, place: Path) -> None:
    """Put another stage's adapter, whole as it is, where the SFT adapter was."""
    theirs = file_of(place, "nodes/dpo-*/adapter")
    shutil.copytree(theirs, file_of(place, "nodes/sft-*/adapter"), dirs_exist_ok=True)


def _imported_and_flipped(_: Bench, place: Path) -> None:
    """Import a few responses as run `theirs`, and change one of them."""
    rows = [
        {"id": str(number), "prompt": "2 + 2?", "response": "#### 4", "target": "4"}
        for number in range(4)
    ]
    (place / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = stagelift(place, "import", "rows.jsonl", "--name", "theirs")
    if done.code:
        raise RuntimeError(f"The import ended with {done.code}: {done.text}")
    changed(_EVALUATED.format("imported", "generations.jsonl"), _flipped)(_, place)


def _verified(name: str, done: str, strike: Strike, says: str) -> Fault:
    """Damage that `verify` names and `run --repair` mends."""
    return Fault("damage", name, done, strike, ("verify", "tiny"), (1,), says, REPAIR)


def _noticed(name: str, command: Words, strike: Strike, says: str, code: int = 2) -> Fault:
    """The same damage, met by another command."""
    return Fault("damage", name, "as above", strike, command, (code,), says, REPAIR)


_ADAPTER = "nodes/sft-*/adapter/adapter_model.safetensors"
_SCORES = _EVALUATED.format("base", "scores.jsonl")

DAMAGE: tuple[Fault, ...] = (
    _verified(
        "adapter, a byte",
        "one bit of the SFT adapter flipped",
        changed(_ADAPTER, _flipped),
        "adapter_model",
    ),
    _verified("adapter, cut", "SFT adapter cut in half", changed(_ADAPTER, _cut), "adapter_model"),
    _verified("adapter, gone", "SFT adapter deleted", removed(_ADAPTER), "adapter_model"),
    _verified(
        "adapter's settings",
        "a byte of adapter_config.json",
        changed("nodes/dpo-*/adapter/adapter_config.json", _flipped),
        "adapter_config",
    ),
    _verified(
        "scores, empty", "scores.jsonl of base emptied", changed(_SCORES, _emptied), "scores"
    ),
    _verified("scores, gone", "scores.jsonl of base deleted", removed(_SCORES), "scores"),
    _verified(
        "scores, better", "all scores of base made right", changed(_SCORES, _better), "scores"
    ),
    _verified(
        "generations, empty",
        "generations.jsonl of base emptied",
        changed(_EVALUATED.format("base", "generations.jsonl"), _emptied),
        "generations",
    ),
    _verified(
        "generations, a byte",
        "one bit of a response",
        changed(_EVALUATED.format("grpo", "generations.jsonl"), _flipped),
        "generations",
    ),
    _verified(
        "verdicts, a row",
        "the first verdict taken out",
        changed(_EVALUATED.format("dpo", "verdicts.jsonl"), _without_a_row),
        "verdicts",
    ),
    _verified(
        "pairs, gone",
        "pairs.jsonl deleted",
        removed(_EVALUATED.format("dpo", "pairs.jsonl")),
        "pairs",
    ),
    _verified(
        "result, a number",
        "a digit of result.json",
        changed(
            _EVALUATED.format("sft", "result.json"),
            lambda text: text.replace(b'"n": 8', b'"n": 9', 1),
        ),
        "result",
    ),
    _verified(
        "result, cut",
        "result.json cut in half",
        changed(_EVALUATED.format("sft", "result.json"), _cut),
        "result",
    ),
    _verified(
        "stage, cut", "stage.json cut in half", changed("nodes/sft-*/stage.json", _cut), "stage"
    ),
    _verified("node, cut", "node.json cut in half", changed("nodes/sft-*/node.json", _cut), "node"),
    # it is set aside, and the node goes on without
    replace(
        _verified(
            "logits, a byte",
            "one bit of logits.json",
            changed("nodes/sft-*/logits.json", _flipped),
            "logits",
        ),
        is_whole=False,
    ),
    _noticed(
        "adapter, met by run", ("run", "RECIPE"), changed(_ADAPTER, _flipped), "adapter_model"
    ),
    _noticed(
        "adapter, met by --dry-run",
        ("run", "RECIPE", "--dry-run"),
        changed(_ADAPTER, _flipped),
        "adapter_model",
    ),
    _noticed("scores, met by report", ("report", "tiny"), changed(_SCORES, _better), "scores"),
    _noticed(
        "scores, met by check",
        ("check", "tiny", "--baseline", "tiny", "--stage", "base"),
        changed(_SCORES, _better),
        "scores",
    ),
    _noticed(
        "generations, met by plan",
        ("plan", "RECIPE"),
        removed(_EVALUATED.format("base", "generations.jsonl")),
        "generations",
    ),
    _noticed(
        "verdicts, met by report",
        ("report", "tiny"),
        changed(_EVALUATED.format("dpo", "verdicts.jsonl"), _without_a_row),
        "verdicts",
    ),
    _noticed(
        "pairs, met by check",
        ("check", "tiny", "--baseline", "tiny", "--stage", "dpo"),
        removed(_EVALUATED.format("dpo", "pairs.jsonl")),
        "pairs",
    ),
    _noticed(
        "result, gone, met by report",
        ("report", "tiny"),
        removed(_EVALUATED.format("grpo", "result.json")),
        "though the run was finished",
    ),
    # what was never measured is measured, as after a kill: the responses are there
    Fault(
        "damage",
        "result, gone, met by run",
        "as above",
        removed(_EVALUATED.format("grpo", "result.json")),
        ("run", "RECIPE"),
        (0,),
        "Open: ",
    ),
    _verified(
        "adapter, another's",
        "the DPO adapter put in the place of the SFT adapter",
        _exchanged,
        "adapter_model",
    ),
    Fault(
        "damage",
        "an import's responses",
        "one bit of an imported response",
        _imported_and_flipped,
        ("report", "theirs"),
        (2,),
        "Import its files again",
        (("import", "rows.jsonl", "--name", "theirs"), ("verify", "theirs")),
    ),
    _noticed("run.json, met by runs", ("runs",), changed("tiny/run.json", _cut), "tiny", 0),
    _noticed("run.json, met by run", ("run", "RECIPE"), changed("tiny/run.json", _cut), "run.json"),
    Fault(
        "disk",
        "writers' files",
        "temporary files of killed writers left in a node",
        lambda _, place: _leave(file_of(place, "nodes/sft-*/node.json").parent),
        ("run", "RECIPE"),
        (0,),
        "Open: ",
    ),
    Fault(
        "disk",
        "delete",
        "nothing: a run is deleted",
        lambda *_: None,
        ("delete", "tiny", "--yes"),
        (0,),
        "",
        (("run", "RECIPE"),),
    ),
)


def _leave(folder: Path) -> None:
    (folder / ".stage.json.999999.tmp").write_text("half")
    (folder / "adapter.part").mkdir()
    (folder / "adapter.part" / "adapter_model.safetensors").write_bytes(b"half")
