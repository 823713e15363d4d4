"""What a check reads: a report.json, a blessed baseline, gates, and the records of a run."""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from stagelift.evals.strict_json import parse_json
from stagelift.harness.graph.store import Store
from stagelift.harness.importing import Wanted, import_results
from stagelift.reports.formats.document import render_json
from stagelift.reports.report import build_report
from tests.fuzz.law import Target, assert_refused, stagelift
from tests.fuzz.mutations import as_json, as_lines, changed_bytes, changed_value
from tests.records import make_chain
from tests.test_import import row

# shown to be no worse, regressed, bad input, inconclusive, not comparable
ANSWERS = (0, 1, 2, 3, 4)
GATES = "gates: {accuracy: 5, win_rate_base: 10}\ntiers: {critical: [accuracy]}\n"


class Sides(NamedTuple):
    """Both sides of a check as the bytes of files, and maybe a file of gates."""

    candidate: bytes
    baseline: bytes
    gates: bytes | None = None


class Stored(NamedTuple):
    """A run's file, and what became of it; None where it is gone."""

    name: str
    content: bytes | None


@cache
def _reported() -> dict[str, Any]:
    run = make_chain(base="wwwwwwccuutt", sft="wwwwccccccut")
    content: dict[str, Any] = json.loads(render_json(build_report([run])))
    return content


@cache
def _blessed() -> dict[str, Any]:
    """Bless the report's last stage through the command, and return what its file holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report.json").write_bytes(as_json(_reported()))
        words = ["baseline", "set", f"{folder}/report.json", "--baselines", f"{folder}/b"]
        done = stagelift(*words, "--margin", "accuracy=5")
        assert done.exit_code == 0, done.output
        content: dict[str, Any] = json.loads((folder / "b/main/0001.json").read_bytes())
        return content


@cache
def _run() -> Mapping[str, bytes]:
    """Import a run of two stages, and return its files by their names."""
    rows = [
        row(str(number), text, stage=stage, n_tokens=3, finish_reason="stop")
        for stage, text in (("raw", "It is 5."), ("sft", "#### 4"))
        for number in range(4)
    ]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "rows.jsonl"
        file.write_bytes(as_lines(rows))
        import_results(Wanted([str(file)]), "run", Store(Path(name) / "runs"))
        root = Path(name) / "runs"
        files = [file for file in sorted(root.rglob("*")) if file.is_file()]
        return {
            file.relative_to(root).as_posix(): file.read_bytes()
            for file in files
            if not file.name.startswith(".")
        }


def stored_name(ending: str) -> str:
    """Return the first file of the imported run whose name ends so."""
    return min(name for name in _run() if name.endswith(ending))


def against_itself(gates: bytes) -> Sides:
    """Return a report that is checked against itself by these gates."""
    return Sides(as_json(_reported()), as_json(_reported()), gates)


def laid_out_otherwise(name: str, **changes: object) -> bytes:
    """Write a file of the imported run in one line, with some values of it changed."""
    return as_json({**json.loads(_run()[name]), **changes})


def blessed_with_a_key_twice() -> Sides:
    """Return a report, and a baseline whose first key is there once more."""
    key = next(iter(_blessed()))
    again = as_json({key: _blessed()[key]})[:-1] + b", "
    return Sides(as_json(_reported()), again + as_json(_blessed())[1:])


def report_law(case: Sides, folder: Path) -> None:
    """A check of any report.json ends in one of its answers, and decides only what it has seen."""
    done = _checked(case, folder)
    assert done.exit_code in ANSWERS, done.output
    if done.exit_code == 2:
        assert_refused(done)
        return
    answer = json.loads(done.stdout)
    if done.exit_code in (0, 1):
        assert answer["gates"], "decided without a gate"
        assert all(gate["n"] > 0 for gate in answer["gates"]), answer


def baseline_law(case: Sides, folder: Path) -> None:
    """A baseline that was edited is refused, whatever was edited."""
    done = _checked(case, folder)
    if _same(case.baseline, _blessed()):
        # twelve problems decide nothing
        assert done.exit_code == 3, done.output
    else:
        assert_refused(done)
    shown = folder / "baselines" / "main"
    shown.mkdir(parents=True)
    (shown / "0001.json").write_bytes(case.baseline)
    described = stagelift("baseline", "show", "main", "--baselines", str(shown.parent))
    assert (described.exit_code == 2) == (done.exit_code == 2), described.output


def gates_law(case: Sides, folder: Path) -> None:
    """Gates are read or refused; a report that is checked against itself never regressed."""
    done = _checked(case, folder)
    assert done.exit_code in (0, 2, 3, 4), done.output
    if done.exit_code == 2:
        assert_refused(done)


def stored_law(case: Stored, folder: Path) -> None:
    """Of a run with a damaged file, reports and checks refuse what they cannot read, in a sentence,
    and a check never says that it regressed: nothing but the damage differs. A record of a node
    has its hash: whatever differs in it is noticed, by `verify`, too.
    """
    runs = folder / "runs"
    for name, content in {**_run(), case.name: case.content}.items():
        if content is not None:
            (runs / name).parent.mkdir(parents=True, exist_ok=True)
            (runs / name).write_bytes(content)
    whole = folder / "whole"
    for name, content in _run().items():
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).write_bytes(content)
    reported = stagelift("report", "run", "--runs", str(runs), "--format", "json")
    assert reported.exit_code in (0, 2), reported.output
    if reported.exit_code == 2:
        assert_refused(reported)
    else:
        json.loads(reported.stdout)
    checked = stagelift("check", "run", "--runs", str(runs), "--baseline", str(whole / "run"))
    assert checked.exit_code in (0, 2, 3, 4), checked.output
    if checked.exit_code == 2:
        assert_refused(checked)
    assert stagelift("runs", "--runs", str(runs)).exit_code in (0, 2)
    if case.name.startswith("nodes/") and _differs(case):
        assert reported.exit_code == 2, f"{case.name} is reported as if it were whole"
        assert checked.exit_code in (2, 4), f"{case.name} is checked as if it were whole"
        verified = stagelift("verify", "run", "--runs", str(runs))
        assert verified.exit_code in (1, 2), f"{case.name} is whole to verify"


def _differs(case: Stored) -> bool:
    """Say whether a file holds something else. Those with a hash of their own content may be laid
    out in any way, and earlier code wrote them without that hash.
    """
    whole = _run()[case.name]
    if case.content is None or not case.name.endswith(("hashes.json", "node.json")):
        return case.content != whole
    sealed = json.loads(whole)
    bare = {key: sealed[key] for key in sealed if key != "sha256"}
    return not (_same(case.content, sealed) or _same(case.content, bare))


def _checked(case: Sides, folder: Path) -> Any:
    (folder / "candidate.json").write_bytes(case.candidate)
    (folder / "baseline.json").write_bytes(case.baseline)
    words = ["check", f"{folder}/candidate.json", "--baseline", f"{folder}/baseline.json"]
    if case.gates is not None:
        (folder / "gates.yaml").write_bytes(case.gates)
        words += ["--gates", f"{folder}/gates.yaml"]
    return stagelift(*words, "--format", "json")


def _same(written: bytes, content: Any) -> bool:
    """Say whether bytes are JSON of some content, however it is laid out and in whichever order its
    keys are; a key that is there twice is no JSON of ours.
    """
    try:
        read = parse_json(written.decode(), "it")
    except ValueError:
        return False
    return json.dumps(read, sort_keys=True) == json.dumps(content, sort_keys=True)


def _with_keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


@st.composite
def _changed_json(draw: st.DrawFn, content: Any) -> bytes:
    """Change what a file of JSON holds, or its bytes."""
    if draw(st.booleans()):
        return as_json(draw(changed_value(content)))
    return draw(changed_bytes(as_json(content)))


@st.composite
def _damaged(draw: st.DrawFn) -> Stored:
    """Damage one file of a run, or take it away."""
    name = draw(st.sampled_from(sorted(_run())))
    content = _run()[name]
    how = draw(st.sampled_from(("bytes", "rows", "empty", "gone", "cut")))
    match how:
        case "gone":
            return Stored(name, None)
        case "empty":
            return Stored(name, b"")
        case "cut":
            return Stored(name, content[: draw(st.integers(0, len(content)))])
        case "rows" if name.endswith(".jsonl"):
            rows = [json.loads(line) for line in content.splitlines()]
            return Stored(name, as_lines(draw(changed_value(rows))))
        case "rows" if name.endswith(".json"):
            return Stored(name, as_json(draw(changed_value(json.loads(content)))))
        case _:
            return Stored(name, draw(changed_bytes(content)))


def _sides(
    candidate: st.SearchStrategy[bytes],
    baseline: st.SearchStrategy[bytes],
    gates: st.SearchStrategy[bytes] | None = None,
) -> st.SearchStrategy[Sides]:
    # left out it would be made up by its type
    return st.builds(Sides, candidate, baseline, st.none() if gates is None else gates)


# what is valid is made when the first case is drawn, not when tests are collected
_report = st.deferred(lambda: _changed_json(_reported()))
_whole = st.deferred(lambda: st.just(as_json(_reported())))
_baseline = st.deferred(lambda: st.just(as_json(_blessed())))
_edited = st.deferred(lambda: _changed_json(_blessed()))

CHECKS = (
    Target("check, of report.json", _sides(_report, _baseline), report_law),
    Target("check, against report.json", _sides(_whole, _report), report_law),
    Target("check, against a baseline", _sides(_whole, _edited), baseline_law),
    Target(
        "check, gates",
        _sides(_whole, _whole, changed_bytes(GATES.encode())),
        gates_law,
    ),
    Target("records of a run", _damaged(), stored_law),
)
