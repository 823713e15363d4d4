"""What lies where on disk, and what says of it that it is complete."""

import json
from pathlib import Path

import pytest

from stagelift.evals.contract import Difference, first_difference
from stagelift.evals.folders import EvaluationFolder, JudgesFolder, TaskFiles, evaluation_folder
from stagelift.evals.records import GoldAgreement, Metric
from stagelift.reports.folders import RunFolder, RunsFolder, place_in_runs
from stagelift.stages.folders import NodeFolder, NodeRecord
from tests.records import make_generation, make_score, make_stage

SCORES = [make_score("p/0", True), make_score("p/1", False)]
RESULT = make_stage("base", SCORES).evaluation


def test_an_evaluation_is_complete_once_its_result_is_there(tmp_path: Path) -> None:
    folder = evaluation_folder(tmp_path, "c0ffee", 0)
    assert (folder.path, folder.is_complete()) == (tmp_path / "c0ffee", False)
    folder.finish(SCORES, [], RESULT)
    assert folder.is_complete()
    assert (folder.read_scores(), folder.read_verdicts()) == (SCORES, [])
    said = folder.read_result()
    assert said == RESULT.model_copy(update={"hashes": said.hashes})
    assert set(said.hashes) == {"scores.jsonl", "verdicts.jsonl"}
    assert folder.read_pairs() == [] and folder.read_task_scores() == []


def test_a_repetition_stays_one_under_another_contract(tmp_path: Path) -> None:
    again = evaluation_folder(tmp_path, "c0ffee", 2)
    assert again.path.name == "c0ffee-repeat-2"
    assert again.under("decaf").path == tmp_path / "decaf-repeat-2"
    assert EvaluationFolder(tmp_path / "c0ffee").under("decaf").path == tmp_path / "decaf"


def test_answers_are_taken_over_and_their_folder_stays_as_it_is(tmp_path: Path) -> None:
    asked, finished = (EvaluationFolder(tmp_path / name) for name in ("asked", "finished"))
    asked.finish(SCORES[:1], [], RESULT)
    asked.generations.write_text(make_generation(SCORES[0], "It is 4.").model_dump_json() + "\n")
    TaskFiles(asked.tasks, "sums").scores.parent.mkdir()
    TaskFiles(asked.tasks, "sums").scores.write_text("")
    finished.finish_from(asked, SCORES, [], RESULT)
    assert finished.read_generations() == asked.read_generations()
    assert TaskFiles(finished.tasks, "sums").scores.exists()
    assert (asked.read_scores(), finished.read_scores()) == (SCORES[:1], SCORES)


def test_a_judges_agreement_is_found_by_what_was_judged(tmp_path: Path) -> None:
    judges = JudgesFolder(tmp_path)
    assert judges.gold_agreement("a") == judges.gold_agreement("a") != judges.gold_agreement("b")


def test_a_judges_agreement_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    judges = JudgesFolder(tmp_path)
    rate = Metric(value=0.75, low=0.5, high=0.875, n=24)
    gold = GoldAgreement(
        pairs="gold",
        agreement=rate,
        kappa=rate,
        control=rate,
        advantage=rate,
        failures=0,
        position_consistency=None,
    )
    file = judges.gold_agreement("a")
    judges.write_gold(file, gold)
    assert judges.read_gold(file) == gold
    file.write_text(file.read_text().replace("0.75", "0.85", 1))
    with pytest.raises(ValueError, match="sha256 differs"):
        judges.read_gold(file)


def test_a_judges_agreement_of_earlier_code_is_read(tmp_path: Path) -> None:
    rate = {"value": 1.0, "low": 0.9, "high": 1.0, "n": 24}
    names = ("agreement", "kappa", "control", "advantage")
    told = {"pairs": "gold", "failures": 0, "position_consistency": None}
    file = tmp_path / "gold-1.json"
    file.write_text(json.dumps(told | dict.fromkeys(names, rate)))
    assert JudgesFolder(tmp_path).read_gold(file).failures == 0


def test_a_node_says_what_it_is_and_whether_it_is_trained(tmp_path: Path) -> None:
    node = NodeFolder(tmp_path / "sft-1")
    record = NodeRecord(id="sft-1", kind="sft", parent="base-1", identity={"seed": 0})
    assert not node.is_described() and not node.is_trained() and not node.has_adapter()
    node.describe(record)
    assert node.is_described() and node.read() == record
    node.adapter.mkdir()
    assert not node.has_adapter()
    (node.adapter / "adapter_config.json").write_text("{}")
    assert node.has_adapter() and node.card.parent == node.adapter


def test_only_complete_evaluations_of_a_node_are_listed(tmp_path: Path) -> None:
    node = NodeFolder(tmp_path / "sft-1")
    node.evaluation("half").path.mkdir(parents=True)
    node.evaluation("whole", repeat=1).finish(SCORES, [], RESULT)
    assert [folder.path.name for folder in node.evaluations()] == ["whole-repeat-1"]


def test_what_runs_share_is_no_run(tmp_path: Path) -> None:
    runs = RunsFolder(tmp_path / "runs")
    assert list(runs.beside_nodes()) == [] and runs.runs() == []
    for name in ("nodes", "judges", "mine", "notes"):
        (runs.root / name).mkdir(parents=True)
    runs.run("mine").file.write_text("{}")
    assert [folder.name for folder in runs.beside_nodes()] == ["mine", "notes"]
    assert [folder.name for folder in runs.runs()] == ["mine"]
    assert runs.run("mine").runs == runs and runs.run("mine").read_recipe() == ""
    assert runs.relative(runs.node("sft-1").path) == "nodes/sft-1"


def test_a_folder_without_a_run_is_refused_with_the_remedy(tmp_path: Path) -> None:
    said = r"is not a run: it has no run\.json\. `stagelift runs --runs \S+` lists the runs"
    with pytest.raises(ValueError, match=said):
        RunFolder(tmp_path).check_is_run()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.json").write_text("{}")
    with pytest.raises(ValueError, match=r"there is no such folder\. Did you mean 'mine'\?"):
        RunsFolder(tmp_path).run("mien").check_is_run()


def test_a_file_is_no_folder_of_runs(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(ValueError, match="is a file, so runs cannot lie in it"):
        RunsFolder(tmp_path / "runs").check_is_folder()


def test_what_is_damaged_has_a_remedy_that_works(tmp_path: Path) -> None:
    runs = RunsFolder(tmp_path)
    trained, imported, broken = (runs.run(name) for name in ("trained", "imported", "broken"))
    for folder, text in ((trained, "{}"), (imported, "{}"), (broken, "{")):
        folder.path.mkdir()
        folder.file.write_text(text)
    trained.recipe.write_text("name: trained\n")
    assert trained.remedy().startswith("What is damaged is made again by: stagelift run ")
    assert imported.remedy().startswith("Take it away with `stagelift delete imported --runs ")
    assert broken.remedy().startswith("Take it away with `stagelift delete broken --runs ")
    assert f"stagelift verify trained --runs {tmp_path}. What" in trained.what_else()


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/home/me/runs/nodes/sft-1/adapter", "nodes/sft-1/adapter"),
        ("nodes/old/nodes/sft-1", "nodes/sft-1"),
        ("/home/me/adapter", ""),
    ],
)
def test_the_place_of_a_node_does_not_depend_on_where_runs_lie(path: str, place: str) -> None:
    assert place_in_runs(Path(path)) == place


def test_contracts_differ_first_in_the_field_that_comes_first() -> None:
    mine = {"task": "a", "dtype": "float32", "seed": 0}
    assert first_difference(mine, dict(mine)) is None
    theirs = {"task": "b", "dtype": "bfloat16"}
    assert first_difference(mine, theirs) == Difference("dtype", "float32", "bfloat16")
    assert first_difference({}, {"seed": 0}) == Difference("seed", None, 0)


def test_the_files_of_a_task_stay_in_the_folder_whatever_it_is_called(tmp_path: Path) -> None:
    names = ["../../outside", "/etc/passwd", "a/b", "a_b", "..", "C:\\x", "x" * 300, "x" * 301]
    files = [TaskFiles(tmp_path, name).scores for name in names]
    assert all(file.resolve().parent == tmp_path.resolve() for file in files)
    assert len({*files}) == len(names) and max(len(file.name) for file in files) < 200
    assert TaskFiles(tmp_path, "mmlu_pro-x.1").scores.name == "mmlu_pro-x.1.jsonl"
