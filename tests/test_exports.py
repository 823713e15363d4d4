"""Exports: what a stage's model is deployed as, made and measured beside the stage."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.evals.models.engines.settings import VllmSettings
from stagelift.evals.models.merging import merged_alike
from stagelift.evals.models.model import (
    Dtype,
    ModelRef,
    load_model,
    merged_in_float32,
    tokenizer_of,
)
from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.export_checks import check_exports
from stagelift.harness.graph.exports import export_nodes
from stagelift.harness.graph.model_checks import check_lies_on
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.prune import find_unneeded
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import as_written, evaluation_recipe, load_recipe
from stagelift.harness.run import prepare
from stagelift.reports.formats.document import report_document
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from stagelift.reports.run_file import RunFile, RunStage, with_what_is_not_stored
from stagelift.stages.exports.export import Export, ExportedAs
from stagelift.stages.exports.llama_cpp import find_llama_cpp
from stagelift.stages.exports.merge import save_merged
from stagelift.stages.exports.write import write_export
from stagelift.stages.folders import NodeFolder
from stagelift.stages.lora import load_policy
from tests.in_process import run_recipe
from tests.records import make_run, make_score, make_stage

CHAIN = """
name: deployed
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 8}}
stages:
  - sft: {{args: {{max_steps: 2, per_device_train_batch_size: 2, learning_rate: 1e-2}}}}
  - dpo: {{args: {{max_steps: 2, per_device_train_batch_size: 2, learning_rate: 1e-2}}}}
evals:
  accuracy: {{task: schoolmath, limit: 4, max_tokens: 4, batch_size: 4}}
  preference: {{prompts: null}}
"""


@pytest.fixture
def recipe_file(tiny_model: Path, tmp_path: Path) -> str:
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.format(model=tiny_model.as_posix()))
    return str(path)


@pytest.fixture
def no_llama_cpp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LLAMA_CPP", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def save_adapter(model: Path, folder: Path, **lora: object) -> Path:
    """A random adapter that changes what the model says."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    config = LoraConfig(r=4, init_lora_weights=False, **lora)
    get_peft_model(base, config).save_pretrained(folder)
    return folder


def tied_model(model: Path, folder: Path) -> Path:
    """The same model with its embedding for an output layer."""
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    config = AutoConfig.from_pretrained(model, tie_word_embeddings=True)
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


def scores(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(torch.arange(3, 23)[None]).logits.float()


def plain(folder: Path, dtype: str) -> Any:
    """The folder as anyone loads it."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def refs(model: Path, adapter: Path) -> tuple[ModelRef, ModelRef]:
    """A model with an adapter on it, and to be merged with it."""
    on = ModelRef(path=str(model), dtype="float32", device="cpu", adapter=str(adapter))
    return on, on.model_copy(update={"adapter": None, "merged": (str(adapter),)})


def test_an_export_is_written_in_short_or_with_its_type() -> None:
    written = ["merged", "gguf", {"merged": "float16"}, {"gguf": "Q4_K_M"}]
    titles = [Export.model_validate(export).title for export in written]
    assert titles == ["merged", "gguf-q8_0", "merged-float16", "gguf-q4_k_m"]


def test_merged_weights_are_stored_in_the_16_bits_of_the_run_or_those_that_are_asked_for() -> None:
    merged, gguf = Export.model_validate("merged"), Export.model_validate({"gguf": "q6_k"})
    assert merged.of("float16") == ExportedAs(dtype="float16")
    assert merged.of("float32") == ExportedAs(dtype="bfloat16")
    assert Export.model_validate({"merged": "float32"}).of("bfloat16").dtype == "float32"
    assert gguf.of("float32") == ExportedAs(dtype="bfloat16", gguf="q6_k")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[onnx]", "export names 'onnx'. An export is one of: merged, gguf"),
        ("[{gguf: q4}]", "export names gguf: 'q4', which is no type of it. Known: f32, f16"),
        ("[{merged: int8}]", "export names merged: 'int8', which is no type of it. Known: auto"),
        ("[{gguf: q8_0, merged: auto}]", "An export is one of"),
        ("3", "export"),
    ],
)
def test_what_is_no_export_is_said_in_a_sentence(recipe_file: str, written: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        load_recipe(recipe_file, [f"export={written}"])


def test_exports_stand_beside_the_chain_and_change_no_id_of_it(recipe_file: str) -> None:
    without = make_plan(load_recipe(recipe_file, []))
    recipe = load_recipe(recipe_file, ["export=[merged]", "stages.sft.export=merged"])
    plan = make_plan(recipe)
    assert [node.name for node in plan.nodes] == ["base", "sft", "sft-merged", "dpo", "dpo-merged"]
    chain = [node for node in plan.nodes if node.exported is None]
    assert [node.id for node in chain] == [node.id for node in without.nodes]
    parents = {node.name: node.parent.name for node in plan.nodes if node.parent is not None}
    assert parents == {"sft": "base", "sft-merged": "sft", "dpo": "sft", "dpo-merged": "dpo"}


def test_a_recipe_without_exports_is_what_it_was_and_one_with_them_can_be_read_again(
    recipe_file: str,
) -> None:
    without = load_recipe(recipe_file, [])
    assert "export" not in without.identity() | as_written(without)
    assert all("export" not in stage for stage in without.identity()["stages"])
    recipe = load_recipe(recipe_file, ["export=[gguf]", "stages.dpo.export=[{merged: float16}]"])
    assert load_recipe(as_written(recipe), []) == recipe


def test_a_stage_says_itself_what_it_is_deployed_as_and_each_chain_of_a_study_has_its_own(
    recipe_file: str,
) -> None:
    overrides = ["export=[merged]", "seeds=[0, 1]", "stages.dpo.export=[{merged: float16}]"]
    names = [node.name for node in make_plan(load_recipe(recipe_file, overrides)).nodes]
    exports = [name for name in names if "merged" in name]
    assert exports == ["seed=0/dpo-merged-float16", "seed=1/dpo-merged-float16"]
    lattice = make_plan(load_recipe(recipe_file, ["export=[merged]", "lattice=true"]))
    merged = [node.name for node in lattice.nodes if node.exported is not None]
    assert merged == ["sft-merged", "dpo-merged", "sft+dpo-merged"]


def test_another_model_is_not_evaluated_with_the_exports_of_a_recipe(
    recipe_file: str, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", target_modules=["q_proj"])
    text = Path(recipe_file).read_text()
    Path(recipe_file).write_text(f"{text}export: [merged]\n")
    own = evaluation_recipe(recipe_file, [], str(tiny_model), str(adapter), None)
    assert [node.name for node in make_plan(own).nodes] == ["base", "checkpoint"]
    asked = evaluation_recipe(recipe_file, ["export=[merged]"], str(tiny_model), str(adapter), None)
    assert [node.name for node in make_plan(asked).nodes][-1] == "checkpoint-merged"


def test_full_weights_have_nothing_to_merge_and_an_export_stands_once(recipe_file: str) -> None:
    merged, gguf = Export.model_validate("merged"), Export.model_validate("gguf")
    base, *_, last = make_plan(load_recipe(recipe_file, [])).nodes
    with pytest.raises(UsageError, match="'base' has no adapter that could be merged"):
        export_nodes(base, [merged])
    with pytest.raises(UsageError, match="export of stage 'dpo' names merged twice"):
        export_nodes(last, [merged, gguf, merged])
    assert [node.name for node in export_nodes(base, [gguf])] == ["base-gguf-q8_0"]


def test_an_adapter_that_begins_within_the_text_is_in_no_weights(
    recipe_file: str, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(
        tiny_model, tmp_path / "a", target_modules=["q_proj"], alora_invocation_tokens=[5]
    )
    stages = f"stages=[{{checkpoint: {{adapter: {adapter}}}}}, {{sft: {{lora: {{r: 2}}}}}}]"
    export = "stages.checkpoint.export=[merged]"
    base, given, exported, sft = make_plan(load_recipe(recipe_file, [stages, export])).nodes
    for node in (exported, sft):
        with pytest.raises(UsageError, match=f"'{node.name}' .* which begins at some tokens of"):
            check_lies_on(node)
    check_lies_on(base)
    check_lies_on(given)


def with_dtype(plan: Plan, dtype: Dtype) -> Plan:
    """The plan as it is on a machine that computes in this dtype."""
    nodes = [
        replace(node, base=node.base.model_copy(update={"dtype": dtype})) for node in plan.nodes
    ]
    return replace(plan, nodes=nodes)


@pytest.mark.parametrize("written", ["{merged: float32}", "{merged: float16}"])
def test_weights_that_a_run_in_16_bits_would_measure_in_others_are_refused(
    written: str, recipe_file: str, tmp_path: Path
) -> None:
    plan = make_plan(load_recipe(recipe_file, [f"export=[{written}]"]))
    said = r"loads every model in bfloat16: .* Write merged, or set model.dtype to float(16|32)\."
    with pytest.raises(UsageError, match=said):
        check_exports(with_dtype(plan, "bfloat16"), Store(tmp_path))
    check_exports(plan, Store(tmp_path))


def test_an_adapter_that_merging_makes_another_model_of_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    adapter = save_adapter(tiny_model, tmp_path / "a", target_modules=["q_proj"])
    weights = load_file(adapter / "adapter_model.safetensors")
    no_numbers = {name: tensor * float("nan") for name, tensor in weights.items()}
    save_file(no_numbers, adapter / "adapter_model.safetensors")
    with pytest.raises(ValueError, match="makes another model when it is merged: scores of tok"):
        merged_alike(plain(tiny_model, "float32"), adapter)


def test_a_gguf_file_is_refused_where_another_engine_measures(
    recipe_file: str, tmp_path: Path
) -> None:
    plan = make_plan(load_recipe(recipe_file, ["export=[merged, gguf]"]))
    settings = plan.settings.model_copy(update={"engine": VllmSettings()})
    with pytest.raises(UsageError, match="'dpo-gguf-q8_0' is a GGUF file, and evals"):
        check_exports(replace(plan, settings=settings), Store(tmp_path))


def test_a_checkpoint_is_not_called_as_an_export(
    recipe_file: str, tiny_model: Path, tmp_path: Path
) -> None:
    adapter = save_adapter(tiny_model, tmp_path / "adapter", target_modules=["q_proj"])
    stages = (
        f"stages=[{{checkpoint: {{name: a, adapter: {adapter}, export: merged}}}}, "
        f"{{checkpoint: {{name: a-merged, adapter: {adapter}, onto: previous}}}}]"
    )
    with pytest.raises(UsageError, match="'a-merged' is what an export is called, and a stage"):
        make_plan(load_recipe(recipe_file, [stages]))


@pytest.mark.usefixtures("no_llama_cpp")
def test_a_gguf_file_without_llama_cpp_is_refused_before_anything_is_written(
    recipe_file: str, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_file, ["export=[gguf]"])
    with pytest.raises(UsageError, match="neither on the PATH nor in a folder that LLAMA_CPP"):
        prepare(recipe, Store(tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("no_llama_cpp")
def test_types_that_need_the_quantiser_are_refused_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "convert_hf_to_gguf.py").touch()
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    assert find_llama_cpp(["q8_0", "bf16"]).quantiser is None
    with pytest.raises(ValueError, match="type q4_k_m, which llama-quantize of"):
        find_llama_cpp(["q8_0", "q4_k_m"])
    (tmp_path / "build/bin").mkdir(parents=True)
    (tmp_path / "build/bin/llama-quantize").touch()
    assert find_llama_cpp(["q4_k_m"]).quantiser == tmp_path / "build/bin/llama-quantize"


@pytest.mark.usefixtures("no_llama_cpp")
def test_what_the_converter_refuses_is_said_before_anything_is_trained(
    recipe_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # keys of ours are not passed on to programs of others
    program = "import os; raise NotImplementedError('no such words', os.environ.get('HF_TOKEN'))"
    (tmp_path / "convert_hf_to_gguf.py").write_text(program)
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "secret")
    recipe = load_recipe(recipe_file, ["export=[gguf]"])
    with pytest.raises(UsageError, match=r"NotImplementedError: \('no such words', None\)$"):
        prepare(recipe, Store(tmp_path / "runs"))
    (tmp_path / "convert_hf_to_gguf.py").write_text("import sentencepiece_that_is_missing")
    with pytest.raises(UsageError, match="pip install sentencepiece_that_is_missing"):
        prepare(recipe, Store(tmp_path / "runs"))


@pytest.mark.usefixtures("no_llama_cpp")
def test_the_converter_is_tried_on_all_weights_of_a_chain(
    recipe_file: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shutil.copytree(tiny_model, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.5}))
    # it is given the folder first
    program = """
import sys
with open(sys.argv[1] + "/config.json") as config:
    assert '"attention_dropout": 0.5' not in config.read(), "half is dropped"
"""
    (tmp_path / "convert_hf_to_gguf.py").write_text(program)
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path))
    both = [
        {"checkpoint": {"model": str(model), "export": "gguf"}} for model in (other, tiny_model)
    ]
    plan = make_plan(load_recipe(recipe_file, [f"stages={json.dumps(both)}"]))
    with pytest.raises(UsageError, match="AssertionError: half is dropped"):
        check_exports(plan, Store(tmp_path / "runs"))


def test_merged_weights_give_what_the_adapter_gives_to_whoever_loads_them(
    tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    adapter = save_adapter(tiny_model, tmp_path / "adapter", target_modules="all-linear")
    on, merged = refs(tiny_model, adapter)
    wanted = scores(load_model(on))
    save_merged(merged, "float32", tmp_path / "float32")
    save_merged(merged, "bfloat16", tmp_path / "bfloat16")
    assert torch.allclose(scores(plain(tmp_path / "float32", "float32")), wanted, atol=1e-5)
    rounded, exact = plain(tmp_path / "bfloat16", "auto"), merged_in_float32(merged).state_dict()
    for name, weights in rounded.state_dict().items():
        assert torch.equal(weights, exact[name].to(torch.bfloat16))
    own = tokenizer_of(ModelRef(path=str(tmp_path / "bfloat16"), dtype="float32", device="cpu"))
    assert own.chat_template == tokenizer_of(on).chat_template


@pytest.mark.parametrize("module", ["embed_tokens", "lm_head"])
def test_an_adapter_on_one_of_two_tied_layers_is_merged_into_that_one(
    module: str, tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    tied = tied_model(tiny_model, tmp_path / "tied")
    adapter = save_adapter(tied, tmp_path / "adapter", target_modules=["q_proj", module])
    on, merged = refs(tied, adapter)
    save_merged(merged, "float32", tmp_path / "merged")
    apart = plain(tmp_path / "merged", "float32")
    assert torch.allclose(scores(apart), scores(load_model(on)), atol=1e-5)


def test_a_stage_starts_where_the_one_before_ended_with_one_of_two_tied_layers_changed(
    tiny_model: Path, tmp_path: Path
) -> None:
    import torch

    tied = tied_model(tiny_model, tmp_path / "tied")
    lora = {"r": 4, "target_modules": ["q_proj", "embed_tokens"]}
    on, merged = refs(tied, save_adapter(tied, tmp_path / "a", target_modules=["embed_tokens"]))
    second = load_policy(merged, lora, seed=0)
    assert torch.allclose(scores(second.eval()), scores(load_model(on)), atol=1e-5)
    second.save_pretrained(tmp_path / "b")
    again = load_model(merged.model_copy(update={"adapter": str(tmp_path / "b")}))
    assert torch.allclose(scores(again), scores(second), atol=1e-5)


def test_layers_that_stay_tied_are_stored_once(tiny_model: Path, tmp_path: Path) -> None:
    tied = tied_model(tiny_model, tmp_path / "tied")
    _, merged = refs(tied, save_adapter(tied, tmp_path / "adapter", target_modules=["q_proj"]))
    save_merged(merged, "float32", tmp_path / "merged")
    before, after = (folder / "model.safetensors" for folder in (tied, tmp_path / "merged"))
    assert before.stat().st_size == after.stat().st_size


def test_a_killed_export_starts_over_and_leaves_nothing(tiny_model: Path, tmp_path: Path) -> None:
    _, merged = refs(
        tiny_model, save_adapter(tiny_model, tmp_path / "adapter", target_modules=["q_proj"])
    )
    node = NodeFolder(tmp_path / "export-0123456789abcdef")
    for left in ("model.part", "merged-0a1b2c3d.part"):
        (node.path / left).mkdir(parents=True)
        (node.path / left / "model.safetensors").write_bytes(b"torn")
    result = write_export(merged, ExportedAs(dtype="float16"), node, {}, lambda _: None)
    assert not node.is_exported()
    node.write_export(result)
    left = sorted(path.name for path in node.path.iterdir())
    assert left == ["export.json", "hashes.json", "model"]
    assert result.bytes == sum(file.stat().st_size for file in node.exported.iterdir())


def test_run_json_says_whose_parent_is_not_the_stage_just_before() -> None:
    pairs = [("base", None), ("sft", "base"), ("sft-merged", "sft"), ("dpo", "sft")]
    stages = tuple(
        RunStage(name=name, kind="k", node="n", evaluation="e", parent=parent)
        for name, parent in pairs
    )
    run = RunFile(
        name="a",
        recipe={},
        model="m",
        data="d",
        device="cpu",
        versions={},
        stages=stages,
        sessions=(),
        finished=True,
    )
    stored = run.stored()
    assert [stage.get("parent") for stage in stored["stages"]] == [None, None, None, "sft"]
    again = RunFile.model_validate(with_what_is_not_stored(stored))
    assert [(stage.name, stage.parent) for stage in again.stages] == pairs


def with_export() -> RunRecord:
    """A chain of base and SFT with an export that forgot three problems of twelve."""
    problems = [f"p{number}" for number in range(12)]
    base = make_stage("base", [make_score(problem, False) for problem in problems])
    right = [make_score(problem, number < 9) for number, problem in enumerate(problems)]
    sft = make_stage("sft", right, [base])
    fewer = [make_score(problem, number < 6) for number, problem in enumerate(problems)]
    export = replace(make_stage("sft-merged", fewer, [base, sft]), kind="export", training=None)
    return replace(make_run([base, sft]), exports=(export,))


def test_exports_are_compared_with_their_stage_and_change_nothing_of_the_others() -> None:
    record = with_export()
    (alone,) = build_report([replace(record, exports=())]).runs
    (both,) = build_report([record]).runs
    of_stages = [one for one in both.comparisons if one.stage != "sft-merged"]
    assert of_stages == alone.comparisons
    compared = both.find("accuracy", record.exports[0], "sft")
    assert compared is not None and compared.family == "exports"
    assert (compared.delta, compared.n, compared.verdict) == (-0.25, 12, "no difference shown")
    families = {one.family for one in both.comparisons if one.stage == "sft-merged"}
    assert families <= {"exports", "other of exports"}
    assert {one.against for one in both.comparisons if one.stage == "sft-merged"} == {"sft"}


def test_a_whole_run_measures_what_is_deployed_beside_the_stage(
    recipe_file: str, tmp_path: Path
) -> None:
    store = Store(tmp_path / "runs")
    # two stages, of which nothing but the second is trained
    adapter = f"{{checkpoint: {{name: a, adapter: {tmp_path / 'a'}, export: merged}}}}"
    model = load_recipe(recipe_file, []).model.path
    save_adapter(Path(model), tmp_path / "a", target_modules=["q_proj"])
    sft = "{sft: {args: {max_steps: 1, per_device_train_batch_size: 2}}}"
    recipe = load_recipe(recipe_file, [f"stages=[{adapter}, {sft}]", "export=[merged]"])
    done = run_recipe(recipe, store.root)
    assert done.started("export") == ["a-merged", "sft-merged"]
    assert run_recipe(recipe, store.root).started("export") == []
    record = read_run(done.folder)
    assert [stage.name for stage in record.stages] == ["base", "a", "sft"]
    parents = {one.name: one.parent for one in record.exports}
    assert parents == {"a-merged": "a", "sft-merged": "sft"}
    exported = record.exports[1].exported
    assert exported is not None and exported.dtype == "bfloat16"
    document = report_document(build_report([record]))
    assert [one["name"] for one in document["stages"]] == ["base", "a", "sft"]
    assert [one["name"] for one in document["exports"]] == ["a-merged", "sft-merged"]
    assert "The export sft-merged against sft:" in document["summary"]
    page = (done.folder / "report.md").read_text()
    assert "sft-merged against sft" in page
    assert "sft-merged: sft, merged in float32, stored in bfloat16, measured in float32, " in page
    for stage in ("sft-merged", "a-merged"):
        check = ["check", str(done.folder), "--baseline", str(done.folder / "report.json")]
        found = CliRunner().invoke(app, [*check, "--stage", stage, "--margin", "accuracy=50"])
        assert found.exit_code == 0, found.output
        assert "goes on to" not in found.output
    assert not find_unneeded(store).unneeded
    (done.folder / "run.json").unlink()
    unneeded = {one.folder.name.split("-")[0]: one for one in find_unneeded(store).unneeded}
    assert unneeded["export"].what == "merged in float32, stored in bfloat16"
    assert unneeded["export"].size > exported.bytes


def llama_cpp() -> str | None:
    """Why no GGUF file can be made here; None where it can."""
    if find_spec("sentencepiece") is None:
        return "llama.cpp's converter needs sentencepiece, which is not installed"
    try:
        find_llama_cpp(["q4_k_m"])
    except ValueError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def known_to_llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with the bundled model's tokenizer, which llama.cpp knows."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from stagelift.evals.models.bundled import bundled_model

    folder = tmp_path_factory.mktemp("known")
    tokenizer = AutoTokenizer.from_pretrained(bundled_model())
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.real
@pytest.mark.skipif(llama_cpp() is not None, reason=str(llama_cpp()))
def test_gguf_files_of_llama_cpp_are_measured_beside_the_stage(
    known_to_llama_cpp: Path, tmp_path: Path
) -> None:
    import torch

    file = tmp_path / "chain.yaml"
    file.write_text(CHAIN.format(model=known_to_llama_cpp.as_posix()))
    recipe = load_recipe(str(file), ["export=[merged, gguf, {gguf: bf16}, {gguf: q4_k_m}]"])
    done = run_recipe(recipe, tmp_path / "runs")
    record = read_run(done.folder)
    names = ["dpo-merged", "dpo-gguf-q8_0", "dpo-gguf-bf16", "dpo-gguf-q4_k_m"]
    assert [one.name for one in record.exports] == names
    places = {stage.name: stage for stage in Store(tmp_path / "runs").run("deployed").read().stages}
    loaded = {}
    for name in names:
        node = NodeFolder(tmp_path / "runs" / places[name].node)
        kind = node.read_export().gguf
        ref = ModelRef(
            path=str(node.exported),
            dtype="float32",
            device="cpu",
            gguf=None if kind is None else f"model-{kind}.gguf",
        )
        loaded[name] = scores(load_model(ref))
    merged = loaded["dpo-merged"]
    # the merged weights are bfloat16 already
    assert torch.allclose(loaded["dpo-gguf-bf16"], merged, atol=1e-4)
    apart = {name: float((one - merged).abs().max()) for name, one in loaded.items()}
    assert 0 < apart["dpo-gguf-q8_0"] < apart["dpo-gguf-q4_k_m"]
    assert not list(node.path.glob("*.part"))
