"""lm-eval tasks on the tiny model: what lm-eval itself gets on the same model is the reference,
document by document.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.source import UnreachableError
from stagelift.evals.lm_eval.extras import check_extras
from stagelift.evals.lm_eval.fingerprint import task_fingerprint
from stagelift.evals.lm_eval.tasks import (
    TaskResult,
    TaskSettings,
    run_task,
)
from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer
from stagelift.evals.records import Metric, TaskScore
from stagelift.evals.stats.estimates import proportion, rate
from tests.conftest import MULTIPLE_CHOICE

GOLD_EACH_ONCE = [
    {"q": f"What is {1 + i // 4} + 2?", "choices": ["1", "3", "cats", "dogs"], "gold": i % 4}
    for i in range(8)
]
SUMS = [{"q": f"What is {i} + 4?", "a": f"It is {i + 4}. #### {i + 4}"} for i in range(6)]
# right where lm-eval's filter finds no answer
UNREADABLE = {
    "q": "What is 6 + 4?",
    "a": "#### [invalid]",
}

GENERATION = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{train: "{data}", test: "{data}"}}}}
training_split: train
test_split: test
output_type: generate_until
num_fewshot: 1
doc_to_text: "Question: {{{{q}}}}"
doc_to_target: "{{{{a}}}}"
generation_kwargs: {{until: ["Question:"], do_sample: false, max_gen_toks: 8}}
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
    regexes_to_ignore: ["(?s).*#### "]
filter_list:
  - name: strict-match
    filter: [{{function: regex, regex_pattern: "#### ([0-9]+)"}}, {{function: take_first}}]
  - name: flexible-extract
    filter:
      - {{function: regex, group_select: -1, regex_pattern: "([0-9]+)"}}
      - {{function: take_first}}
"""
OWN_CODE = """
task: own
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: generate_until
doc_to_text: q
doc_to_target: a
generation_kwargs: {{until: ["Question:"], do_sample: false, max_gen_toks: 2}}
process_results: !function utils.process_results
metric_list:
  - {{metric: share, aggregation: mean, higher_is_better: true}}
  - {{metric: most, aggregation: !function utils.most, higher_is_better: true}}
  - {{metric: none, aggregation: !function utils.none, higher_is_better: true}}
  - {{metric: bypass, aggregation: mean, higher_is_better: true}}
"""
UTILS = """
def process_results(doc, results):
    value = int(doc["q"].split()[2])
    return {"share": value / 4, "most": [value], "none": value, "bypass": 999}


def most(values):
    return max(one for value in values for one in value)


def none(values):
    return None
"""


def write_task(folder: Path, text: str, docs: list[dict[str, Any]], name: str = "choices") -> Path:
    """Write a YAML and its data, both called `name`."""
    folder.mkdir(exist_ok=True)
    data, path = folder / f"{name}.jsonl", folder / f"{name}.yaml"
    data.write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    path.write_text(text.format(name=name, data=data.as_posix()))
    return path


def settings(task: Path | str, **others: Any) -> TaskSettings:
    return TaskSettings(task=str(task), batch_size=4, **others)


def loader(model: Path, adapter: Path | None = None) -> Callable[[], tuple[Any, Any]]:
    ref = ModelRef(
        path=str(model),
        dtype="float32",
        device="cpu",
        adapter=None if adapter is None else str(adapter),
    )
    return lambda: (load_model(ref), load_tokenizer(str(model), None, None))


def no_model() -> tuple[Any, Any]:
    raise AssertionError("nothing was missing")


def run(task: Path | str, model: Path, folder: Path, **others: Any) -> TaskResult:
    return run_task(settings(task, **others), loader(model), folder, lambda *_: None)


def lm_evals_own(task: Any, model: Path, folder: Path | None = None, **model_args: Any) -> Any:
    """Return what `lm_eval --apply_chat_template` computes, loading the model itself."""
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.tasks import TaskManager

    return simple_evaluate(
        "hf",
        {"pretrained": str(model), "dtype": "float32", **model_args},
        tasks=[str(task)],
        batch_size=4,
        device="cpu",
        bootstrap_iters=0,
        apply_chat_template=True,
        task_manager=TaskManager(include_path=folder, include_defaults=False),
    )


def by_document(result: Any, metrics: list[str]) -> list[tuple[str, str, float]]:
    """List lm-eval's samples as (id, metric with filter, value)."""
    return sorted(
        (f"{task}/{sample['doc_id']}", f"{metric},{sample['filter']}", float(sample[metric]))
        for task, samples in result["samples"].items()
        for sample in samples
        for metric in metrics
    )


def as_triples(scores: list[TaskScore]) -> list[tuple[str, str, float]]:
    """List our scores the same way, without the task in the metric's name."""
    named = ((score.id, score.metric.split("/", 1)[1], score.value) for score in scores)
    return sorted(
        (key, name if "," in name else f"{name},none", value) for key, name, value in named
    )


def test_multiple_choice_is_lm_evals_own_by_document(tiny_model: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE)
    seen: list[tuple[int, int]] = []
    done = run_task(
        settings(path), loader(tiny_model), tmp_path / "out", lambda *at: seen.append(at)
    )
    reference = lm_evals_own(path, tiny_model)
    assert as_triples(done.scores) == by_document(reference, ["acc", "acc_norm"])
    # one of four is right for each question
    assert done.metrics["choices/acc"] == proportion(2, 8)
    assert done.metrics["choices/acc"].value == reference["results"]["choices"]["acc,none"]
    assert set(done.metrics) == {"choices/acc", "choices/acc_norm"}
    assert seen == [(done, 32) for done in range(0, 33, 4)]


def test_generation_with_few_shots_and_two_filters_is_lm_evals_own(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = write_task(tmp_path, GENERATION, [*SUMS, UNREADABLE], "sums")
    done = run(path, tiny_model, tmp_path / "out")
    assert as_triples(done.scores) == by_document(lm_evals_own(path, tiny_model), ["exact_match"])
    assert set(done.metrics) == {
        "sums/exact_match,strict-match",
        "sums/exact_match,flexible-extract",
    }
    assert done.metrics["sums/exact_match,strict-match"] == proportion(1, 7)
    assert {score.id for score in done.scores} == {f"sums/{doc}" for doc in range(7)}


def test_a_limit_takes_the_first_documents(tiny_model: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, GENERATION, SUMS, "sums")
    done = run(
        path, tiny_model, tmp_path / "out", limit=2, num_fewshot=2, apply_chat_template=False
    )
    assert {score.id for score in done.scores} == {"sums/0", "sums/1"}
    assert done.metrics["sums/exact_match,strict-match"].n == 2


def test_an_adapter_is_measured_as_lm_eval_measures_it(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    config = LoraConfig(
        r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False
    )
    get_peft_model(loader(tiny_model)()[0], config).save_pretrained(tmp_path / "adapter")
    path = write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE)
    done = run_task(
        settings(path), loader(tiny_model, tmp_path / "adapter"), tmp_path / "out", lambda *_: None
    )
    reference = lm_evals_own(path, tiny_model, peft=str(tmp_path / "adapter"))
    assert as_triples(done.scores) == by_document(reference, ["acc", "acc_norm"])


def test_a_finished_task_is_read_back_and_an_unfinished_one_is_run_again(
    tiny_model: Path, tmp_path: Path
) -> None:
    path, out = write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE), tmp_path / "out"
    first = run(path, tiny_model, out)
    assert run_task(settings(path), no_model, out, lambda *_: None) == first
    assert {file.name for file in out.iterdir()} == {"choices.json", "choices.jsonl"}
    (out / "choices.json").unlink()
    (out / "choices.jsonl").write_text("half a line")
    assert run(path, tiny_model, out) == first


NEVER_KEPT = ("keywords:existence", {"keywords": ["zyzzyva"]})
ALWAYS_KEPT = ("keywords:forbidden_words", {"forbidden_words": ["zyzzyva"]})
INSTRUCTIONS = [
    [ALWAYS_KEPT],
    [ALWAYS_KEPT, NEVER_KEPT],
    [NEVER_KEPT],
    [ALWAYS_KEPT, ("punctuation:no_comma", {})],
    [ALWAYS_KEPT, ALWAYS_KEPT, NEVER_KEPT],
]
IFEVAL_DOCS = [
    {
        "key": key,
        "prompt": f"Write {key} words.",
        "instruction_id_list": [name for name, _ in instructions],
        "kwargs": [arguments for _, arguments in instructions],
    }
    for key, instructions in enumerate(INSTRUCTIONS)
]


def ifeval_on_local_data() -> str:
    import lm_eval.tasks

    shipped = Path(lm_eval.tasks.__file__).with_name("ifeval") / "ifeval.yaml"
    return f"""
include: {shipped.as_posix()}
task: local_ifeval
dataset_path: json
dataset_kwargs: {{{{data_files: {{{{train: "{{data}}"}}}}}}}}
generation_kwargs: {{{{until: [], do_sample: false, temperature: 0.0, max_gen_toks: 8}}}}
"""


def test_ifeval_is_lm_evals_own_and_its_instructions_are_resampled_by_document(
    tiny_model: Path, tmp_path: Path
) -> None:
    for package in ("langdetect", "immutabledict", "nltk"):
        pytest.importorskip(package)
    path = write_task(tmp_path, ifeval_on_local_data(), IFEVAL_DOCS, "local_ifeval")
    done = run(path, tiny_model, tmp_path / "out")
    reference = lm_evals_own(path, tiny_model)
    assert as_triples(done.scores) == by_document(
        reference, ["prompt_level_strict_acc", "prompt_level_loose_acc"]
    )
    for metric in (
        "prompt_level_strict_acc",
        "inst_level_strict_acc",
        "prompt_level_loose_acc",
        "inst_level_loose_acc",
    ):
        assert (
            done.metrics[f"local_ifeval/{metric}"].value
            == reference["results"]["local_ifeval"][f"{metric},none"]
        )
    instructions = done.metrics["local_ifeval/inst_level_strict_acc"]
    assert instructions.n == 5
    assert 0 <= instructions.low < instructions.value < instructions.high <= 1


@pytest.mark.parametrize("weighted", ["true", "false"])
def test_a_group_pools_its_documents_where_lm_eval_weights_by_size(
    tiny_model: Path, tmp_path: Path, weighted: str
) -> None:
    write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE, "first")
    write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE[:2], "second")
    path = tmp_path / "group.yaml"
    aggregate = f"aggregate_metric_list: [{{metric: acc, weight_by_size: {weighted}}}]"
    path.write_text(f"group: both\ntask: [first, second]\n{aggregate}\nmetadata: {{version: 2}}\n")
    done = run(path, tiny_model, tmp_path / "out")
    reference = lm_evals_own("both", tiny_model, tmp_path)
    assert as_triples(done.scores) == sorted(by_document(reference, ["acc", "acc_norm"]))
    if weighted == "false":
        assert set(done.metrics) == {
            f"{task}/{name}" for task in ("first", "second") for name in ("acc", "acc_norm")
        }
        return
    assert set(done.metrics) == {"both/acc", "first/acc_norm", "second/acc_norm"}
    assert done.metrics["both/acc"].n == 10
    assert done.metrics["both/acc"].value == pytest.approx(
        reference["groups"]["both"]["acc,none"], abs=1e-9
    )


def test_perplexity_keeps_lm_evals_value_with_a_bootstrap_interval(
    tiny_model: Path, tmp_path: Path
) -> None:
    text = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: q
metric_list:
  - {{metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}}
"""
    path = write_task(tmp_path, text, [*SUMS[:3], {"q": "Twelve apples and 7 pears."}], "texts")
    done = run(path, tiny_model, tmp_path / "out", apply_chat_template=False)
    metric = done.metrics["texts/word_perplexity"]
    assert done.scores == []
    assert (
        metric.value == lm_evals_own(path, tiny_model)["results"]["texts"]["word_perplexity,none"]
    )
    assert metric.low < metric.value < metric.high
    assert metric.n == 4


def test_a_metric_without_a_value_is_left_out_and_logged(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_task(tmp_path, OWN_CODE, SUMS[:5], "own")
    (tmp_path / "utils.py").write_text(UTILS)
    done = run(path, tiny_model, tmp_path / "out")
    assert done.metrics["own/share"] == rate([0.0, 0.25, 0.5, 0.75, 1.0])
    assert done.metrics["own/most"] == Metric(value=4, low=2, high=4, n=5)
    assert set(done.metrics) == {"own/share", "own/most"}
    assert {score.metric for score in done.scores} == {"own/share"}
    assert "Metric own/none is left out: its aggregation gives None" in caplog.text


def test_a_fingerprint_is_of_content_and_not_of_place(tmp_path: Path) -> None:
    def fingerprint(
        folder: str, text: str, docs: list[dict[str, Any]], utils: str
    ) -> dict[str, Any]:
        path = write_task(tmp_path / folder, text, docs, "own")
        (tmp_path / folder / "utils.py").write_text(utils)
        return task_fingerprint(str(path))

    first = fingerprint("a", OWN_CODE, SUMS, UTILS)
    assert first["task"] == "own"
    assert first["versions"] == {"own": None}
    assert fingerprint("b", OWN_CODE, SUMS, UTILS) == first
    versioned = fingerprint("c", f"{OWN_CODE}metadata: {{{{version: 2}}}}\n", SUMS, UTILS)
    assert versioned["versions"] == {"own": "2"}
    others = [
        versioned,
        fingerprint("d", OWN_CODE, SUMS[:5], UTILS),
        fingerprint("e", OWN_CODE, SUMS, f"{UTILS}\n"),
    ]
    assert len({first["configs"], *(other["configs"] for other in others)}) == 4


def test_a_groups_fingerprint_names_its_leaves(tmp_path: Path) -> None:
    write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE, "first")
    write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE[:2], "second")
    path = tmp_path / "group.yaml"
    path.write_text("group: both\ntask: [first, {group: inner, task: [second]}]\n")
    assert task_fingerprint(str(path))["versions"] == {"first": "1.5", "second": "1.5"}


@pytest.mark.real
def test_shipped_tasks_are_found_by_name_and_their_data_only_when_they_run(
    tiny_model: Path, tmp_path: Path
) -> None:
    mmlu = task_fingerprint("mmlu")
    assert len(mmlu["versions"]) == 57
    assert task_fingerprint("gsm8k")["versions"] == {"gsm8k": "3.0"}
    check_extras("gsm8k")
    with pytest.raises(
        ValueError, match=r"lm-eval has no task, group or tag 'ifevall'. Did you mean: .*ifeval"
    ):
        task_fingerprint("ifevall")
    with pytest.raises(ValueError, match="Task 'humaneval' executes code that the model wrote"):
        task_fingerprint("humaneval")
    with pytest.raises(
        UnreachableError, match=r"The data of task 'gsm8k' cannot be loaded: .*openai/gsm8k"
    ):
        run("gsm8k", tiny_model, tmp_path)


def test_a_missing_package_is_named_with_the_command_that_brings_it(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = write_task(tmp_path, OWN_CODE, SUMS, "own")
    (tmp_path / "utils.py").write_text("import tarski")
    with pytest.raises(
        ValueError, match=r"Task '.*own.yaml' needs .*'tarski'.*pip install \"lm_eval\[acpbench\]\""
    ):
        check_extras(str(path))
    with pytest.raises(ValueError, match=r"pip install \"lm_eval\[acpbench\]\""):
        run(path, tiny_model, tmp_path / "out")
    (tmp_path / "utils.py").write_text("import a_module_of_nobody")
    with pytest.raises(ValueError, match=r"'a_module_of_nobody'. Install the package that has it."):
        check_extras(str(path))


def test_what_is_wrong_with_a_task_is_said_in_a_sentence(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Task file '.*nowhere.yaml' does not exist"):
        task_fingerprint(str(tmp_path / "nowhere.yaml"))
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(
        ValueError, match=r"Task file '.*list.yaml' cannot be read: Expected YAML dict"
    ):
        task_fingerprint(str(tmp_path / "list.yaml"))
    (tmp_path / "unnamed.yaml").write_text("dataset_path: json")
    with pytest.raises(ValueError, match="has no `task:`"):
        task_fingerprint(str(tmp_path / "unnamed.yaml"))
    path = write_task(tmp_path, MULTIPLE_CHOICE.replace("test_split: test", ""), GOLD_EACH_ONCE)
    with pytest.raises(
        ValueError, match=r"lm-eval cannot load task 'choices': .*must have valid or test docs"
    ):
        run(path, tiny_model, tmp_path / "out")


def test_a_tokenizer_without_a_chat_template_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    path = write_task(tmp_path, MULTIPLE_CHOICE, GOLD_EACH_ONCE)
    model, tokenizer = loader(tiny_model)()
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match=r"no chat template. Set `apply_chat_template: false`"):
        run_task(settings(path), lambda: (model, tokenizer), tmp_path / "out", lambda *_: None)
