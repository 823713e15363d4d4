"""Checkpoints as nodes: what lies under them, what is trained on top, and what they are asked."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from stagelift.evals.contract import EACH_ITS_OWN
from stagelift.evals.models.adapters import trained_on
from stagelift.evals.models.model import is_called
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.asked_with import asked_with, template_text
from stagelift.harness.graph.checkpoints import PREVIOUS
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.revision import model_revision
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import as_written, load_recipe, with_settings
from stagelift.harness.run import model_of, train_job
from tests.conftest import CHATML, INSTRUCT


def adapter_in(folder: Path, **settings: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def plan_of(recipe: Path, *stages: str, **settings: object) -> Plan:
    overrides = [f"stages=[{', '.join(stages)}]"]
    overrides += [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    return make_plan(load_recipe(str(recipe), overrides))


def checkpoint(name: str, **what: object) -> str:
    return json.dumps({"checkpoint": {"name": name} | what}, default=str)


def under(plan: Plan) -> dict[str, tuple[str, list[str]]]:
    """Name what lies under each node: its weights, and the adapters merged into them."""
    return {
        node.name: (node.weights.name, [below.name for below in node.merged]) for node in plan.nodes
    }


def test_full_weights_are_a_base_for_what_is_trained_after_them(
    tiny_recipe: Path, another_model: Path, tmp_path: Path
) -> None:
    plan = plan_of(tiny_recipe, "sft", checkpoint("theirs", model=another_model), "dpo")
    _, sft, theirs, dpo = plan.nodes
    assert under(plan) == {
        "base": ("base", []),
        "sft": ("base", []),
        "theirs": ("theirs", []),
        "dpo": ("theirs", []),
    }
    assert theirs.parent is sft and theirs.root is plan.nodes[0]
    store = Store(tmp_path)
    # a new adapter on their weights, whose reference is therefore their model
    start = train_job(dpo, store).parent
    assert (start.path, start.adapter, start.merged) == (str(another_model), None, ())
    assert model_of(theirs, store) == start
    assert model_of(dpo, store).adapter == str(store.node_folder(dpo).adapter)


def test_an_adapter_lies_on_base_on_what_it_names_or_on_what_the_user_says(
    tiny_recipe: Path, another_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "theirs").symlink_to(another_model)
    silent = adapter_in(tmp_path / "silent")
    named = adapter_in(tmp_path / "named", base_model_name_or_path="/elsewhere/theirs")
    theirs = checkpoint("theirs", model=tmp_path / "theirs")
    plan = plan_of(
        tiny_recipe,
        theirs,
        checkpoint("a", adapter=silent),
        checkpoint("b", adapter=named),
        checkpoint("c", adapter=silent, onto=PREVIOUS),
        checkpoint("d", adapter=silent, onto="theirs"),
    )
    assert under(plan) == {
        "base": ("base", []),
        "theirs": ("theirs", []),
        "a": ("base", []),
        "b": ("theirs", []),
        "c": ("theirs", ["b"]),
        "d": ("theirs", []),
    }
    ids = [node.id for node in plan.nodes]
    assert len({*ids}) == len(ids)
    c = model_of(plan.nodes[4], Store(tmp_path))
    assert (c.path, c.merged, c.adapter) == (str(tmp_path / "theirs"), (str(named),), str(silent))
    with pytest.raises(UsageError, match=r"says onto: sft, and there is no such stage .* base, th"):
        plan_of(tiny_recipe, theirs, checkpoint("d", adapter=silent, onto="sft"))


def test_of_equal_last_parts_the_whole_path_decides_and_else_the_user(
    tiny_recipe: Path, tiny_model: Path, another_model: Path, tmp_path: Path
) -> None:
    for name, model in (("out-sft", tiny_model), ("out-dpo", another_model)):
        shutil.copytree(model, tmp_path / name / "checkpoint-300")
    exact = str(tmp_path / "out-sft" / "checkpoint-300")
    stages = [
        checkpoint("sft", model=exact),
        checkpoint("dpo", model=tmp_path / "out-dpo" / "checkpoint-300"),
    ]
    named = adapter_in(tmp_path / "named", base_model_name_or_path=exact)
    moved = adapter_in(tmp_path / "moved", base_model_name_or_path="/elsewhere/checkpoint-300")
    assert under(plan_of(tiny_recipe, *stages, checkpoint("x", adapter=named)))["x"] == ("sft", [])
    with pytest.raises(UsageError, match=r"can be more than one model of sft, dpo\. .* onto: dpo"):
        plan_of(tiny_recipe, *stages, checkpoint("x", adapter=moved))
    told = plan_of(tiny_recipe, *stages, checkpoint("x", adapter=moved, onto="sft"))
    assert under(told)["x"] == ("sft", [])


def test_an_adapter_on_one_of_several_checkpoints_asks_which_one(
    tiny_recipe: Path, tiny_model: Path, tmp_path: Path
) -> None:
    for step in (100, 300):
        shutil.copytree(tiny_model, tmp_path / "out-sft" / f"checkpoint-{step}")
    sft = checkpoint("sft", checkpoints=tmp_path / "out-sft")
    exact = str(tmp_path / "out-sft" / "checkpoint-300")
    for name in (exact, "/elsewhere/checkpoint-300"):
        adapter = adapter_in(tmp_path / "out-dpo", base_model_name_or_path=name)
        with pytest.raises(UsageError, match=r"that stage 'sft' is selected among.* Say onto: sft"):
            plan_of(tiny_recipe, sft, checkpoint("dpo", adapter=adapter))
    plan = plan_of(tiny_recipe, sft, checkpoint("dpo", adapter=adapter, onto="sft"))
    assert under(plan)["dpo"] == ("sft", [])


def test_a_stage_goes_on_with_a_checkpoints_adapter_or_merges_it(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    given = checkpoint("given", adapter=adapter_in(tmp_path / "given"))
    plan = plan_of(tiny_recipe, given, "sft", '{"dpo": {"lora": {"r": 8}}}')
    store = Store(tmp_path)
    _, _, sft, dpo = plan.nodes
    assert train_job(sft, store).parent.adapter == str(tmp_path / "given")
    start = train_job(dpo, store).parent
    assert start.adapter is None and start.merged == (str(store.node_folder(sft).adapter),)


def test_the_old_key_is_a_checkpoint_that_comes_first(tiny_recipe: Path, tmp_path: Path) -> None:
    adapter = adapter_in(tmp_path / "given")
    listed = plan_of(tiny_recipe, checkpoint("checkpoint", adapter=adapter), "sft")
    top = plan_of(tiny_recipe, "sft", checkpoint={"adapter": str(adapter)})
    assert [node.id for node in listed.nodes] == [node.id for node in top.nodes]
    assert listed.contract_id == top.contract_id
    # as it was stored before checkpoints could stand in the list
    assert top.recipe.identity()["checkpoint"] == {"adapter": str(adapter), "name": "checkpoint"}


def test_a_recipe_with_checkpoints_is_written_as_it_was_read(
    tiny_recipe: Path, another_model: Path
) -> None:
    stages = ["sft", checkpoint("theirs", model=another_model, eos_token="<|im_end|>")]
    recipe = plan_of(tiny_recipe, *stages, chat_template=CHATML).recipe
    assert with_settings(recipe, {}, "the same") == recipe
    varied = with_settings(recipe, {"stages.theirs.model": "other"}, "another")
    assert as_written(varied)["stages"][1]["checkpoint"]["model"] == "other"


def test_stages_of_one_template_and_tokenizer_keep_the_contract_of_their_base(
    tiny_recipe: Path, tiny_model: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(tiny_model, tmp_path / "copied")
    alone = plan_of(tiny_recipe)
    plan = plan_of(tiny_recipe, checkpoint("again", model=copied))
    assert plan.contract == alone.contract and "tokenizers" not in plan.contract
    assert plan.nodes[0].id == alone.nodes[0].id


def test_a_contract_says_where_stages_differ_in_template_and_tokenizer(
    tiny_recipe: Path, tiny_model: Path, another_model: Path, tmp_path: Path
) -> None:
    own = plan_of(tiny_recipe, checkpoint("theirs", model=another_model))
    assert own.contract["chat_template"] == EACH_ITS_OWN == own.contract["tokenizers"]
    template = tmp_path / "template.jinja"
    template.write_text(INSTRUCT)
    shared = plan_of(
        tiny_recipe, checkpoint("theirs", model=another_model), chat_template=str(template)
    )
    assert shared.contract["chat_template"] not in (EACH_ITS_OWN, None)
    assert shared.contract["tokenizers"] == EACH_ITS_OWN
    base, theirs = shared.nodes
    assert (base.base.chat_template, theirs.base.chat_template) == (INSTRUCT, None)
    # whose own it is, is the node that it was
    assert base.id != own.nodes[0].id
    assert plan_of(tiny_recipe, chat_template=CHATML).nodes[0].id == own.nodes[0].id
    # the same tokenizer whatever it is padded with, and another template
    padded = shutil.copytree(tiny_model, tmp_path / "padded")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.chat_template = INSTRUCT
    tokenizer.save_pretrained(padded)
    one = plan_of(tiny_recipe, checkpoint("padded", model=padded)).contract
    assert one["chat_template"] == EACH_ITS_OWN and "tokenizers" not in one


def test_an_adapter_answers_in_the_template_that_lies_beside_it(
    tiny_recipe: Path, tiny_model: Path, tmp_path: Path
) -> None:
    def stage(name: str, template: str | None) -> Node:
        adapter = adapter_in(tmp_path / name)
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        tokenizer.chat_template = template
        tokenizer.save_pretrained(adapter)
        return plan_of(tiny_recipe, checkpoint(name, adapter=adapter), "sft").nodes[1]

    other = stage("other", INSTRUCT)
    assert other.base.tokenizer == str(tmp_path / "other")
    assert asked_with(other.base).template == INSTRUCT
    assert set(other.identity) == {"adapter", "asked_with"}
    for name, template in {"same": CHATML, "none": None}.items():
        node = stage(name, template)
        assert node.base.tokenizer is None and set(node.identity) == {"adapter"}


def test_a_template_is_a_file_or_a_text_and_must_be_one(tiny_recipe: Path) -> None:
    assert template_text("{{ messages }}") == "{{ messages }}"
    with pytest.raises(UsageError, match="neither a file that can be read nor a template"):
        template_text("chatml")
    with pytest.raises(UsageError, match="cannot write a user's turn"):
        plan_of(tiny_recipe, chat_template="{{ messages[5]['content'].missing() }}")


def test_a_model_is_called_by_the_last_part_of_its_path(tiny_recipe: Path, tmp_path: Path) -> None:
    ref = plan_of(tiny_recipe).nodes[0].base.model_copy(update={"path": "Org/Qwen2-0.5B"})
    assert is_called(ref, "/data/models/qwen2-0.5b/")
    assert is_called(ref, "/cache/hub/models--Org--Qwen2-0.5B/snapshots/0a1b2c")
    assert not is_called(ref, "Org/Qwen2-1.5B") and not is_called(ref, None)
    assert trained_on(adapter_in(tmp_path / "a", base_model_name_or_path=None)) is None


def test_a_local_model_has_no_commit(tiny_model: Path) -> None:
    assert model_revision(str(tiny_model), None) is None


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ('{"checkpoint": {"name": "a"}}', "needs one of model .* and names 0 of them"),
        ('{"checkpoint": {"model": "x", "gguf": "y"}}', "names 2 of them"),
        (
            '{"checkpoint": {"model": "x", "onto": "base"}}',
            "says onto: base, but has weights",
        ),
        ('{"checkpoint": {"adapter": "x", "eos_token": "e"}}', "turns end as they do in the stage"),
        ('{"checkpoint": {"name": "sft", "model": "x"}}', r"checkpoint\.name is 'sft', as another"),
        (
            '{"checkpoint": {"modle": "x"}}',
            r"Unknown key 'stages\.1\.checkpoint\.modle' .*'model'",
        ),
        ('{"dpo": {"arg": {}}}', r"Unknown key 'stages\.1\.arg' in .* did you mean 'args'"),
    ],
)
def test_what_is_no_checkpoint_is_said_in_a_sentence(
    stage: str, says: str, tiny_recipe: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        load_recipe(str(tiny_recipe), [f"stages=[sft, {stage}]"])


def test_a_lattice_has_no_checkpoints(tiny_recipe: Path) -> None:
    stages = 'stages=[sft, {"checkpoint": {"model": "x"}}, dpo]'
    with pytest.raises(UsageError, match="A lattice starts from the base model"):
        load_recipe(str(tiny_recipe), [stages, "lattice=true"])
