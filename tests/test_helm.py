"""HELM's run folders: what becomes of instances, trials, perturbed copies and means."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.helm import read_helm
from tests.imported import values, write_json


def state(name: str, text: str, perturbation: Any = None, **more: Any) -> dict[str, Any]:
    """A request about one instance, and its completion."""
    return {
        "instance": {
            "id": name,
            "input": {"text": f"question {name}"},
            "references": [
                {"output": {"text": "no"}, "tags": []},
                {"output": {"text": "yes"}, "tags": ["correct"]},
            ],
            "perturbation": perturbation,
        },
        "request": {"prompt": f"examples, question {name}"},
        "result": {"success": True, "completions": [{"text": text, "tokens": tokens(text)}]},
        **more,
    }


def tokens(text: str) -> list[dict[str, str]]:
    return [{"text": letter} for letter in text]


def stats(instance: str, trial: int = 0, **means: float) -> dict[str, Any]:
    return {
        "instance_id": instance,
        "train_trial_index": trial,
        "stats": [stat(name, value) for name, value in means.items()],
    }


def stat(name: str, value: float, **more: Any) -> dict[str, Any]:
    return {"name": {"name": name, "split": "test", **more}, "count": 1, "sum": value}


def run(
    folder: Path,
    states: list[Any],
    measured: list[Any],
    model: str = "eleutherai/pythia",
    task: str = "boolq",
    means: list[Any] | None = None,
) -> Path:
    name = f"{task}:model={model.replace('/', '_')},data_augmentation=canonical"
    write_json(folder / "run_spec.json", {"name": name, "adapter_spec": {"model": model}})
    write_json(folder / "scenario_state.json", {"request_states": states})
    write_json(folder / "per_instance_stats.json", measured)
    if means is not None:
        write_json(folder / "stats.json", means)
    return folder


def test_each_metric_of_an_instance_becomes_a_metric_of_the_task(tmp_path: Path) -> None:
    measured = [
        stats("id1", exact_match=1, f1_score=0.5, num_output_tokens=9, logprob=-3),
        stats("id2", exact_match=0, f1_score=0.25),
    ]
    imported = read_helm(run(tmp_path, [state("id1", "yes"), state("id2", "no")], measured))
    (stage,) = imported.stages
    task = "boolq:data_augmentation=canonical"
    assert values(stage) == {f"{task}/exact_match": [1, 0], f"{task}/f1_score": [0.5, 0.25]}
    assert (stage.name, imported.contract) == ("eleutherai/pythia", {"task": task})
    response = stage.generations[0]
    assert (response.id, response.response, response.n_tokens) == (f"{task}/id1", "yes", 3)
    assert response.prompt == "examples, question id1"
    document = stage.documents[f"{task}/id1"]
    assert (document.prompt, document.target) == ("question id1", "yes")


def test_trials_are_samples_of_an_instance(tmp_path: Path) -> None:
    states = [state("id1", "yes"), state("id1", "no", train_trial_index=1)]
    measured = [stats("id1", exact_match=1), stats("id1", 1, exact_match=0)]
    (stage,) = read_helm(run(tmp_path, states, measured)).stages
    assert values(stage) == {"boolq:data_augmentation=canonical/exact_match": [0.5]}
    assert [(row.sample, row.response) for row in stage.generations] == [(0, "yes"), (1, "no")]


def test_each_of_helms_metric_classes_writes_an_entry_for_an_instance(tmp_path: Path) -> None:
    measured = [
        stats("id1", harm_bench_score=0.25),
        stats("id1", num_references=1),
        stats("id1", f1_score=1),
    ]
    folder = run(tmp_path, [state("id1", "yes")], measured)
    task = "boolq:data_augmentation=canonical"
    assert values(read_helm(folder).stages[0]) == {
        f"{task}/harm_bench_score": [0.25],
        f"{task}/f1_score": [1],
    }
    write_json(folder / "per_instance_stats.json", [*measured, stats("id1", f1_score=0)])
    with pytest.raises(ValueError, match="entry 4 gives f1_score of instance 'id1' in trial 0"):
        read_helm(folder)


def test_perturbed_copies_and_failed_requests_are_left_out_and_counted(tmp_path: Path) -> None:
    noise = {"name": "typos"}
    failed = state("id2", "") | {"result": {"success": False, "completions": []}}
    states = [state("id1", "yes"), state("id1", "no", noise), failed]
    measured = [
        stats("id1", exact_match=1),
        stats("id1", exact_match=0) | {"perturbation": noise},
    ]
    imported = read_helm(run(tmp_path, states, measured))
    (stage,) = imported.stages
    assert [row.response for row in stage.generations] == ["yes"]
    assert values(stage) == {"boolq:data_augmentation=canonical/exact_match": [1]}
    said = " ".join(imported.notes)
    assert "1 requests are of perturbed copies" in said and "1 requests failed" in said
    assert "1 instances are not in per_instance_stats.json" in said


def test_where_choices_have_letters_the_target_is_one_and_likelihoods_are_no_responses(
    tmp_path: Path,
) -> None:
    lettered = state("id1", " B", output_mapping={"A": "no", "B": "yes"})
    apart = state("id2", "", reference_index=1)
    (stage,) = read_helm(run(tmp_path, [lettered, apart], [stats("id1", exact_match=1)])).stages
    targets = [document.target for document in stage.documents.values()]
    assert targets == ["B", "yes"] and len(stage.generations) == 1


def test_the_most_probable_completion_is_the_response(tmp_path: Path) -> None:
    completions = [
        {"text": "first", "logprob": -2.0},
        {"text": "best", "logprob": -1.0, "finish_reason": {"reason": "length"}},
    ]
    asked = state("id1", "") | {"result": {"success": True, "completions": completions}}
    (stage,) = read_helm(run(tmp_path, [asked], [stats("id1", exact_match=1)])).stages
    (response,) = stage.generations
    assert (response.response, response.n_tokens, response.finish_reason) == (
        "best",
        None,
        "length",
    )


def test_a_whole_text_as_one_token_is_no_length(tmp_path: Path) -> None:
    whole = {"text": "yes it is", "tokens": [{"text": "yes it is"}]}
    asked = state("id1", "") | {"result": {"success": True, "completions": [whole]}}
    (stage,) = read_helm(run(tmp_path, [asked], [stats("id1", exact_match=1)])).stages
    assert stage.generations[0].n_tokens is None


def test_what_helm_printed_is_compared(tmp_path: Path) -> None:
    measured = [stats("id1", exact_match=1)]
    folder = run(tmp_path, [state("id1", "yes")], measured, means=[stat("exact_match", 1)])
    assert not [note for note in read_helm(folder).notes if note.startswith("HELM says")]
    perturbed = stat("exact_match", 0.25, perturbation={"name": "robustness"})
    write_json(folder / "stats.json", [stat("exact_match", 0.75), perturbed])
    assert "exact_match is 0.75, and the mean of its 1 documents here is 1" in " ".join(
        read_helm(folder).notes
    )


def test_the_folders_of_a_suite_are_tasks_and_models(tmp_path: Path) -> None:
    for model in ("a/one", "b/two"):
        for task in ("boolq", "mmlu"):
            folder = tmp_path / f"{task}-{model[0]}"
            run(folder, [state("id1", "yes")], [stats("id1", exact_match=1)], model, task)
    imported = read_helm(tmp_path)
    assert [stage.name for stage in imported.stages] == ["a/one", "b/two"]
    assert [len(stage.task_scores) for stage in imported.stages] == [2, 2]
    run(tmp_path / "again", [state("id1", "yes")], [stats("id1", exact_match=1)], "a/one")
    with pytest.raises(ValueError, match="two runs of 'a/one'"):
        read_helm(tmp_path)


def test_what_is_missing_or_malformed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no scenario_state\.json"):
        read_helm(tmp_path)
    folder = run(tmp_path, [state("id1", "yes")], [stats("id2", exact_match=1)])
    with pytest.raises(ValueError, match="measures instance 'id2', which"):
        read_helm(folder)
    write_json(folder / "scenario_state.json", {"request_states": [state("id1", "x"), {}]})
    with pytest.raises(ValueError, match="request 2: instance: Field required"):
        read_helm(folder)
    (folder / "per_instance_stats.json").unlink()
    with pytest.raises(ValueError, match=r"lacks per_instance_stats\.json"):
        read_helm(folder)
