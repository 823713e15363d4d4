"""Stored scores that their responses do not give, whatever the hashes say: report names them, check
refuses them, and a repair reads the responses again.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.hashes import Damage
from stagelift.evals.metrics.own_scores import own_metrics
from stagelift.evals.metrics.rereading import read_again
from stagelift.evals.metrics.scorers.function import Function
from stagelift.evals.metrics.scorers.known import named
from stagelift.evals.metrics.scoring import unscored
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import Scored
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.harness.cli import app
from stagelift.harness.disagreements import disagreements
from stagelift.harness.readings import readings
from tests.imported import write_lines
from tests.shared import copied
from tests.test_damage import evaluation, repaired
from tests.test_run import tree
from tests.unhashed import unhashed


@pytest.fixture
def root(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished run, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return copied(finished_run.parent, tmp_path / "runs")


def stagelift(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def forged(folder: Path) -> EvaluationFolder:
    """Call the first test response right, and write every number and hash anew, as it was."""
    held = EvaluationFolder(folder)
    stored = held.read_all()
    first = next(one for one in stored.scores if one.group == "test" and not one.correct)
    right = first.model_copy(
        update={"correct": True, "answer": first.target, "outcome": "correct"},
    )
    scores = [right if one == first else one for one in stored.scores]
    measured = compute_metrics(scores, stored.verdicts)
    metrics = stored.result.metrics | measured.metrics
    update = {"metrics": metrics, "outcomes": measured.outcomes}
    held.finish(scores, stored.verdicts, stored.result.model_copy(update=update))
    assert held.damages() == []
    return held


@pytest.mark.parametrize("is_hashed", [True, False])
def test_a_score_that_its_response_does_not_give_is_said_by_report_and_refused_by_check(
    root: Path, is_hashed: bool
) -> None:
    held = forged(evaluation(root, "sft"))
    if not is_hashed:
        unhashed(root)
    checked = stagelift("check", "tiny", "--baseline", "tiny", "--stage", "sft")
    for result in (stagelift("report", "tiny"), checked):
        assert result.exit_code == 2
        assert f"{held.scores.name} says otherwise than 1 responses read again" in result.stderr
        assert "--repair" in result.stderr
    assert stagelift("verify", "tiny").exit_code == 1


def test_a_repair_reads_again_what_was_forged(root: Path, tiny_recipe_file: Path) -> None:
    folder = evaluation(root, "sft")
    before = tree(folder)
    forged(folder)
    said, started = repaired(root, tiny_recipe_file)
    # of this stage, and of those that are compared with it
    assert "says otherwise" in said[0] and started == ["evaluate"] * 3
    after = {name: content for name, content in tree(folder).items() if "damaged" not in str(name)}
    made_at_another_time = {"result.json", "hashes.json"}
    assert {name for name in before if before[name] != after[name]} <= made_at_another_time
    assert read_agreeing_run(root / "tiny").stages


def test_records_that_contradict_each_other_under_new_hashes_are_repaired(
    root: Path, tiny_recipe_file: Path
) -> None:
    held = EvaluationFolder(evaluation(root, "dpo"))
    stored = held.read_all()
    held.finish(stored.scores, stored.verdicts[1:], stored.result)
    (found, *_) = disagreements(held)
    assert found.file == held.result and "contradicts the rest" in found.what
    repaired(root, tiny_recipe_file)
    assert held.read_verdicts() == stored.verdicts


def test_what_came_of_reading_is_remembered_by_content(root: Path) -> None:
    held = EvaluationFolder(evaluation(root, "sft"))
    assert disagreements(held) == []
    whole = held.read_all()
    forged(held.path)
    assert disagreements(held) == [
        Damage(held.scores, "says otherwise than 1 responses read again, 'schoolmath/test/0' first")
    ]
    held.finish(whole.scores, whole.verdicts, whole.result)
    assert disagreements(held) == []


def test_what_a_scorer_of_the_users_read_is_left_out_and_the_rest_is_compared(root: Path) -> None:
    stored = EvaluationFolder(evaluation(root, "sft")).read_all()
    function = Function(path="gone.scorer")
    ((name, _),) = named([function], "sql")
    code = function.model_dump(mode="json") | {"version": 1, "code": "0123"}
    contract = stored.result.contract | {"own": [{"task": "sql", "scorers": [code]}]}
    result = stored.result.model_copy(update={"contract": contract})
    response = stored.generations[0].model_copy(update={"id": "sql/0", "group": "task"})
    of_sql = unscored(response, "How many?", "1", None).model_copy(
        update={"row": {"target": "1"}, "scored": {name: Scored(value=1.0)}}
    )
    rows = {"generations": [*stored.generations, response], "scores": [*stored.scores, of_sql]}
    own = own_metrics([of_sql])
    result = result.model_copy(update={"metrics": result.metrics | own})
    seen = readings(replace(stored, result=result, **rows))
    assert seen.damages == ()
    (reason,) = seen.not_compared
    assert "task 'sql'" in reason and "no code is run" in reason
    wrong = rows["scores"][0].model_copy(update={"answer": "77"})
    rows["scores"][0] = wrong
    (found,) = readings(replace(stored, result=result, **rows)).damages
    assert wrong.id in found.what


def test_an_imported_run_is_compared_too_and_imported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "id": f"p{n}",
            "prompt": f"What is {n} + 1?",
            "target": f"{n + 1}",
            "response": f"It is {n}.",
        }
        for n in range(8)
    ]
    file = write_lines(tmp_path / "model.jsonl", rows)
    command = ("import", f"model={file}", "--name", "given")
    assert stagelift(*command).exit_code == 0
    (folder,) = tmp_path.glob("runs/nodes/*/evals/*")
    whole = tree(folder)
    forged(folder)
    result = stagelift("report", "given")
    assert result.exit_code == 2 and "Import its files again" in result.stderr
    assert stagelift(*command).exit_code == 0
    assert tree(folder) == whole and stagelift("report", "given").exit_code == 0


def test_a_response_that_is_missing_cannot_be_read_again(root: Path) -> None:
    stored = EvaluationFolder(evaluation(root, "sft")).read_all()
    with pytest.raises(ValueError, match="'schoolmath/test/0' is missing"):
        read_again(stored.generations[1:], stored.scores, stored.result.contract)
