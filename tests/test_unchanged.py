"""Models and adapters that go away, or are replaced, while a run takes its hours."""

import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.unchanged import loaded_with, what_changed
from tests.adapters import make_adapter
from tests.conftest import tiny_recipe_text


def planned(recipe: str, folder: Path) -> Plan:
    file = folder / "tiny.yaml"
    file.write_text(recipe)
    return make_plan(load_recipe(str(file), []))


def test_a_model_folder_that_goes_away_or_is_replaced_is_named(
    tiny_model: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    base, store = planned(tiny_recipe_text(model), tmp_path).nodes[0], Store(tmp_path / "runs")

    def said() -> str | None:
        return what_changed(loaded_with(base, store), store)

    assert said() is None
    away = model.rename(tmp_path / "away")
    assert said() == f"Model '{model}' is gone from {tmp_path}. Put it back."
    away.rename(model)
    assert said() is None

    weights = model / "model.safetensors"
    before = weights.read_bytes()
    others = {name: tensor + 0.01 for name, tensor in load_file(weights).items()}
    save_file(others, weights, metadata={"format": "pt"})
    assert str(said()).startswith(f"Model '{model}' has other files than when this run was planned")
    weights.write_bytes(before)
    assert said() is None
    weights.unlink()
    assert "Put back what was there" in str(said())


def test_adapters_below_a_model_are_looked_at_too(tiny_model: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tiny_model, tmp_path / "mine")
    stages = f"stages:\n  - checkpoint: {{name: mine, adapter: {adapter.as_posix()}}}\n"
    recipe = tiny_recipe_text(tiny_model).replace("stages:\n", stages)
    plan, store = planned(recipe, tmp_path), Store(tmp_path / "runs")
    sft = next(node for node in plan.nodes if node.name == "sft")
    assert [node.name for node in loaded_with(sft.on, store)] == ["mine", "base"]
    assert what_changed(loaded_with(sft.on, store), store) is None
    shutil.rmtree(adapter)
    assert what_changed(loaded_with(sft.on, store), store) == (
        f"Adapter '{adapter}' is gone from {tmp_path}. Put it back."
    )


def test_a_stage_s_own_adapter_that_goes_away_is_named(finished_run: Path, tmp_path: Path) -> None:
    runs = shutil.copytree(finished_run.parent, tmp_path / "runs")
    plan = make_plan(load_recipe(str(finished_run / "recipe.yaml"), []))
    sft, store = plan.nodes[1], Store(runs)
    assert what_changed(loaded_with(sft, store), store) is None
    weights = store.node_folder(sft).adapter / "adapter_model.safetensors"
    weights.unlink()
    said = str(what_changed(loaded_with(sft, store), store))
    assert said.startswith(f"{weights} is missing. Put it back; or else: ") and "--repair" in said
