"""`stagelift run --repair`: what is damaged is set aside and made again, and no more than that.

Nothing is deleted: damaged files lie in `damaged-1/` (or `-2`, ...) beside where they were, with a
`repair.json` that says what they were, and what came of it. What follows a stage that was trained
again, or read an evaluation that was made again, is kept where the bytes are the same as before;
else it is set aside, too. Killed at any moment, the next run goes on with it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stagelift.evals.files import read_record, write_record, write_text
from stagelift.evals.folders import EvaluationFolder, JudgesFolder
from stagelift.evals.hashes import ASIDE, HASHES, forget
from stagelift.evals.judges.openai import Answer
from stagelift.evals.records import Record
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.damage import DamagedFolder, damaged_folders, validations
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.harness.locks import Held, held
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder

_NOTE = "repair.json"


class Aside(Record):
    """What was set aside, when and why, with the hashes that were known; `came_of_it` is None until
    what took its place is there.
    """

    at: str
    damaged: dict[str, str]
    hashes: dict[str, str]
    came_of_it: str | None = None


@dataclass(frozen=True)
class _Pending:
    """Something that was set aside in a folder, and is to be made again."""

    folder: Path
    note: Path
    aside: Aside

    def settle(self, words: str) -> None:
        write_record(self.note, self.aside.model_copy(update={"came_of_it": words}))


def set_aside_damage(plan: Plan, store: Store) -> list[str]:
    """Set aside what of a plan is damaged, so that a run makes it again. Returns what was done."""
    done = [words for found in damaged_folders(plan, store) for words in _mended(found)]
    for node in plan.nodes:
        folder = store.node_folder(node)
        validated = validations(node, store)
        if folder.is_selected() and not all(each.is_complete() for each in validated):
            _set_training_aside(folder, {folder.selection.name: "is made again"}, True)
    return done


def is_repairing(plan: Plan, store: Store) -> bool:
    """Say whether something that was set aside is still to be made again, or compared."""
    return any(True for _ in _all_pending(plan, store))


def settle_training(node: Node, plan: Plan, store: Store) -> list[str]:
    """Compare a node that was made again with what it was, and set aside what followed another."""
    folder, said = store.node_folder(node), []
    for pending in _pending(folder.path):
        before, now = _models(pending.aside.hashes), _models(folder.hashes())
        if before and before == now:
            words = f"{node.name} was made again, with the same bytes: what follows it is kept."
        else:
            words = f"{node.name} was made again, and is not what it was: what follows, too."
            for later in _from(node, plan):
                _set_training_aside(store.node_folder(later), {}, later is not node)
                for evaluation in store.node_folder(later).evaluations():
                    _set_evaluation_aside(evaluation, {}, asked=True)
        pending.settle(words)
        said.append(words)
    return said


def settle_evaluation(node: Node, repeat: int, plan: Plan, store: Store) -> list[str]:
    """The same of an evaluation: those that were compared with it are read and judged again."""
    evaluation, said = store.evaluation_folder(node, plan, repeat), []
    for pending in _pending(evaluation.path):
        before, now = pending.aside.hashes, evaluation.hashes()
        names = evaluation.compared_names()
        differing = [name for name in names if before.get(name) != now.get(name)]
        words = f"{node.name} was evaluated again"
        if differing and not repeat:
            words = f"{words}; {', '.join(differing)} differ, so what was compared is, too."
            for later in _from(node, plan):
                if later is not node:
                    _set_evaluation_aside(store.evaluation_folder(later, plan), {}, asked=False)
        else:
            words = f"{words}, with the same bytes."
        pending.settle(words)
        said.append(words)
    return said


def _mended(found: DamagedFolder) -> Iterator[str]:
    damaged = {
        damage.file.relative_to(found.folder.path).as_posix(): damage.what
        for damage in found.damages
    }
    match found.folder:
        case RunFolder() as run:
            _move(run.path, damaged, [run.file.name], {}, "run.json was written anew.")
        case JudgesFolder() as judges:
            _mend_judges(judges, damaged)
        case EvaluationFolder() as evaluation:
            _mend_evaluation(evaluation, damaged)
        case NodeFolder() as node:
            try:
                with held(node.lock_file):
                    _mend_node(node, damaged)
            except Held as error:
                raise UsageError(
                    f"{node.path} is not repaired: another process works on it ({error})."
                ) from error
    names = ", ".join(f"{found.folder.path / name} {what}" for name, what in damaged.items())
    yield f"Set aside: {names}."


def _mend_judges(judges: JudgesFolder, damaged: dict[str, str]) -> None:
    """Keep the answers that can be read: they were paid for."""
    whole = ""
    if judges.answers.name in damaged:
        lines = judges.answers.read_bytes().split(b"\n")
        whole = "".join(f"{line.decode()}\n" for line in lines if _is_answer(line))
    _move(judges.path, damaged, [*damaged], {}, "What could be read was kept.")
    if whole:
        write_text(judges.answers, whole)


def _is_answer(line: bytes) -> bool:
    try:
        Answer.model_validate_json(line)
    except ValueError:
        return False
    return True


def _mend_evaluation(evaluation: EvaluationFolder, damaged: dict[str, str]) -> None:
    if {*damaged} == {HASHES}:
        _move(evaluation.path, damaged, [HASHES], {}, "The hashes were written again.")
        evaluation.write_hashes_again()
    elif {*damaged} == {evaluation.votes.name}:
        words = "Votes are read again with: stagelift vote RUN --import FILE"
        _move(evaluation.path, damaged, [evaluation.votes.name], {}, words)
        forget(evaluation.path, [evaluation.votes.name])
    else:
        _set_evaluation_aside(evaluation, damaged, asked=False)


def _set_evaluation_aside(
    evaluation: EvaluationFolder, damaged: dict[str, str], *, asked: bool
) -> None:
    """Set aside what is made anew: of what was asked the damaged files, or all."""
    names = evaluation.made_again(damaged, asked=asked)
    _move(evaluation.path, damaged, names, evaluation.hashes(), None)


def _mend_node(node: NodeFolder, damaged: dict[str, str]) -> None:
    names = {*damaged}
    if names == {HASHES}:
        _move(node.path, damaged, [HASHES], {}, "The hashes were written again.")
        node.write_hashes_again()
    elif names <= node.spared:
        _move(node.path, damaged, [*damaged], {}, "The node goes on without.")
        forget(node.path, damaged)
    elif names == {node.description.name}:
        _move(node.path, damaged, [*damaged], {}, "What the node is was written again.")
        forget(node.path, damaged)
    else:
        _set_training_aside(node, damaged, True)


def _set_training_aside(node: NodeFolder, damaged: dict[str, str], is_wanted: bool) -> None:
    """Set aside what training left, or only which checkpoint was selected where all are whole."""
    if not is_wanted:
        return
    names = node.made_again(damaged)
    hashes = node.hashes()
    _move(node.path, damaged, names, hashes, None)
    if HASHES not in names:
        forget(node.path, [name for name in hashes if name.split("/")[0] in names])


def _move(
    folder: Path,
    damaged: dict[str, str],
    names: Iterable[str],
    hashes: dict[str, str],
    came_of_it: str | None,
) -> None:
    """Move files and folders of a folder into a new one in it, in this order."""
    moved = [name for name in names if (folder / name).exists()]
    if not moved and came_of_it is None and not damaged:
        return
    number = 1
    while (folder / f"{ASIDE}{number}").exists():
        number += 1
    aside = folder / f"{ASIDE}{number}"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    note = Aside(at=now, damaged=damaged, hashes=hashes, came_of_it=came_of_it)
    write_record(aside / _NOTE, note)
    for name in moved:
        target = aside / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(target)


def _from(node: Node, plan: Plan) -> list[Node]:
    """Return a node and every later one of a plan that was made from it."""
    made = {node.id}
    later = []
    for each in plan.nodes:
        above = {one.id for one in (each, each.parent, each.on) if one is not None}
        if above & made:
            made.add(each.id)
            later.append(each)
    return later


def _models(hashes: dict[str, str]) -> dict[str, str]:
    """Return the hashes of weights: peft may write an adapter's settings in another order."""
    weights = ("adapter/adapter_model", "model/")
    return {name: hash for name, hash in hashes.items() if name.startswith(weights)}


def _all_pending(plan: Plan, store: Store) -> Iterator[_Pending]:
    for node in plan.nodes:
        yield from _pending(store.node_folder(node).path)
        yield from _pending(store.evaluation_folder(node, plan).path)
    for node, repeat in plan.repeats:
        yield from _pending(store.evaluation_folder(node, plan, repeat).path)


def _pending(folder: Path) -> list[_Pending]:
    found = []
    for note in sorted(folder.glob(f"{ASIDE}*/{_NOTE}")):
        aside = read_record(note, Aside)
        if aside.came_of_it is None:
            found.append(_Pending(folder, note, aside))
    return found
