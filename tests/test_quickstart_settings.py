"""The table of the quickstart's settings says what the shipped recipe says."""

from pathlib import Path

from stagelift.harness.graph.plan import stage_lora
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import Recipe, StageSection

PAGE = Path(__file__).parents[1] / "docs" / "quickstart.md"
# said in rows of their own
_TOLD = ("max_steps", "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps")


def test_the_table_is_of_the_shipped_recipe() -> None:
    recipe = load_recipe("quickstart", [])
    stages = recipe.trainings()
    rows = {
        "": [stage.kind for stage in stages],
        "dataset": [_dataset(stage, recipe) for stage in stages],
        "steps": [str(stage.args["max_steps"]) for stage in stages],
        "rows a step": [str(_rows(stage)) for stage in stages],
        "learning rate": [f"{stage.args['learning_rate']:g}" for stage in stages],
        "other arguments": [_others(stage) for stage in stages],
        "LoRA": [_lora(stage, recipe) for stage in stages],
    }
    page = PAGE.read_text()
    for name, cells in rows.items():
        assert f"| {name} | {' | '.join(cells)} |".replace("|  |", "| |") in page


def _dataset(stage: StageSection, recipe: Recipe) -> str:
    source = stage.dataset or recipe.data
    return f"{source.path}, {source.split or 'train'}"


def _rows(stage: StageSection) -> int:
    args = stage.args
    return int(args["per_device_train_batch_size"] * args.get("gradient_accumulation_steps", 1))


def _others(stage: StageSection) -> str:
    return ", ".join(f"{name} {value}" for name, value in stage.args.items() if name not in _TOLD)


def _lora(stage: StageSection, recipe: Recipe) -> str:
    lora = stage_lora(recipe, stage)
    return f"r {lora['r']}, lora_alpha {lora['lora_alpha']}, {lora['target_modules']}"
