"""Everything that can be known to fail before a model is loaded or a file is written."""

from pathlib import Path

from evals.bundled import NAME as BUNDLED_MODEL
from evals.source import column_names
from harness.errors import UsageError
from harness.plan import stage_settings
from harness.recipe import Recipe
from stages.data import check_training_source
from stages.lora import lora_config
from stages.rewards import load_reward
from stages.settings import training_config


def check_sources(recipe: Recipe) -> None:
    """Check model path, datasets, columns and rewards. Raises UsageError."""
    _check_model(recipe)
    try:
        for stage in recipe.stages:
            settings = stage_settings(recipe, stage)
            check_training_source(settings.kind, settings.dataset)
            for reward in settings.rewards:
                load_reward(reward)
        _check_problems(recipe)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_arguments(recipe: Recipe) -> None:
    """Check every TRL and LoRA argument by building the configs. Raises UsageError."""
    try:
        lora_config(recipe.lora)
        for stage in recipe.stages:
            # on CPU in float32, whatever the machine: this process must not start a GPU context
            training_config(stage_settings(recipe, stage), Path("unused"), recipe.seed, "cpu", "float32")
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_model(recipe: Recipe) -> None:
    path = recipe.model.path
    if path == BUNDLED_MODEL or Path(path).is_dir():
        return
    if path.startswith(("bundled/", ".", "/", "~")):
        raise UsageError(f"Model '{path}' does not exist. Give a folder, a Hub name or {BUNDLED_MODEL}.")


def _check_problems(recipe: Recipe) -> None:
    accuracy, source = recipe.evals.accuracy, recipe.problem_source()
    for split in ["test", *(["train"] if accuracy.num_fewshot else [])]:
        present = column_names(source.model_copy(update={"split": split}))
        if not {"question", "answer"} <= set(present):
            raise ValueError(
                f"Task {accuracy.task} needs columns question and answer, but split '{split}' of '{source.path}' has "
                f"{', '.join(present)}; data.columns can rename them."
            )
