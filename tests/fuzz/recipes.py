"""Recipes: as the text of a file, as what a file of one holds, and with `--set`."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes import read
from stagelift.harness.recipes.read import as_written, load_recipe, shipped_recipes
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.study import wanted_chains
from stagelift.harness.recipes.yaml_text import read_yaml, write_yaml
from tests.fuzz.law import Target, assert_sentence
from tests.fuzz.mutations import changed_bytes, changed_value

# what no shipped recipe has
EVERYTHING = """
name: everything
model: {path: ./model, revision: main, dtype: float32, eos_token: "<end>", name: raw}
lora: {r: 4, target_modules: all-linear}
data: {path: rows.jsonl, limit: 64, columns: {prompt: question}}
chat_template: "{% for m in messages %}{{ m.content }}{% endfor %}"
report_to: [tensorboard]
stages:
  - checkpoint: {name: theirs, adapter: ./adapter, onto: raw}
  - sft:
      dataset: {path: bundled/schoolmath, limit: 8, split: train}
      args: {max_steps: 4, learning_rate: 1e-3}
      lora: {r: 8}
      select: {metric: accuracy, every: 2}
      stop_when_ill: true
      launcher: {torchrun: {nproc_per_node: 2}}
  - grpo: {rewards: [correctness, {regex: {pattern: "[0-9]+"}}], export: merged}
evals:
  engine: {server: {url: "http://127.0.0.1:8000/v1"}}
  accuracy: {task: schoolmath, limit: 16, held_out: 4, num_fewshot: 2, sampled: 4}
  preference:
    judge: {openai: {base_url: "http://127.0.0.1:8001/v1", model: judge, max_retries: 2}}
    against: [base]
    prompts: {path: bundled/instructions, limit: 6}
  tasks: [ifeval, {task: mine, data: {path: own.jsonl}, scorers: [exact, {json: {fields: [a]}}]}]
  validation: {limit: 16}
  retention: {instructions: 8, choices: 8, passages: 4, max_tokens: 16}
launcher: {accelerate: {config_file: cluster.yaml}}
ray: {address: auto, num_cpus: 2, artefacts: "file:///tmp/artefacts"}
gates: {accuracy: 2, win_rate_base: 5}
tiers: {critical: [accuracy]}
"""
STUDY = """
name: study
stages: [sft, dpo: {args: {max_steps: 4, beta: 0.1}}]
variants: {lora.r: [4, 16], stages.dpo.args.beta: [0.1, 0.5]}
seeds: [0, 1, 2]
reference: r=4,dpo.beta=0.1
evals: {accuracy: {limit: 8}}
"""
LISTED = """
name: listed
stages: [sft, dpo, kto]
variants: [{name: small, lora.r: 4}, {name: short, stages.sft.args.max_steps: 2}]
evals: {accuracy: {limit: 8}}
"""


def _texts() -> tuple[str, ...]:
    folder = Path(read.__file__).parent
    shipped = [(folder / f"{name}.yaml").read_text("utf-8") for name in shipped_recipes()]
    return (*shipped, EVERYTHING, STUDY, LISTED)


TEXTS = _texts()
CONTENTS: tuple[Any, ...] = tuple(read_yaml(text, "a recipe") for text in TEXTS)
OVERRIDES = (
    *("seed=1", "lora.r=8", "stages.sft.args.max_steps=2", "stages.0.args={}", "stages.dpo=null"),
    *("evals.accuracy.limit=4", "name=x", "model.path=./m", "variants=[]", "stages=[sft]"),
    *(
        "evals.preference.judge=longest",
        "stages.grpo.rewards.0=brevity",
        "seeds=[0, 1]",
        "lattice=true",
    ),
)


class Overridden(NamedTuple):
    """A recipe's content, and what `--set` says."""

    content: Any
    overrides: list[str]


def text_law(case: bytes, folder: Path) -> None:
    """A file of any bytes is a recipe, which is read again as it was, or is refused."""
    file = folder / "recipe.yaml"
    file.write_bytes(case)
    try:
        recipe = load_recipe(str(file), [])
    except UsageError as refused:
        assert_sentence(str(refused))
    else:
        _whole(recipe, folder)


def content_law(case: Any, folder: Path) -> None:
    """The same of what Python hands over."""
    overridden_law(Overridden(case, []), folder)


def overridden_law(case: Overridden, folder: Path) -> None:
    """The same with fields set on top."""
    if not isinstance(case.content, dict):
        return
    try:
        recipe = load_recipe(case.content, case.overrides)
    except UsageError as refused:
        assert_sentence(str(refused))
    else:
        _whole(recipe, folder)


def _whole(recipe: Recipe, folder: Path) -> None:
    """A recipe that was read has chains or says why not, is JSON, and is written to be read."""
    try:
        wanted_chains(recipe)
    except UsageError as refused:
        assert_sentence(str(refused))
    json.dumps(recipe.identity(), allow_nan=False).encode()
    # as a run keeps it: its paths lead from the working folder
    (folder / "run.json").write_text("{}")
    again = folder / "again.yaml"
    again.write_text(write_yaml(as_written(recipe)), encoding="utf-8")
    assert load_recipe(str(again), []) == recipe


_texts_changed = st.sampled_from(TEXTS).flatmap(lambda text: changed_bytes(text.encode()))
_contents_changed = st.sampled_from(CONTENTS).flatmap(changed_value)
_overrides_changed = st.lists(
    st.sampled_from(OVERRIDES).flatmap(
        lambda text: changed_bytes(text.encode(), most=1).map(
            lambda changed: changed.decode("utf-8", "replace")
        )
    ),
    min_size=1,
    max_size=2,
)

RECIPES = (
    Target("recipe, as text", _texts_changed, text_law),
    Target("recipe, as content", _contents_changed, content_law),
    Target(
        "recipe, --set",
        st.builds(Overridden, st.sampled_from(CONTENTS), _overrides_changed),
        overridden_law,
    ),
)
