"""What `import stagelift` offers: the commands as functions.

They do what the commands of their names do, write the same files and refuse the same things, with
the same sentences: every error is a StageliftError.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from stagelift.evals.models.four_bit import quiet_about_kernel
from stagelift.evals.models.model import is_prepared, model_title
from stagelift.evals.printed import one_line
from stagelift.evals.trust import as_asked, granted, trusting
from stagelift.harness.checks.checking import Request, checked
from stagelift.harness.checks.decision import Decision
from stagelift.harness.checks.sources import run_folder
from stagelift.harness.errors import UsageError, as_usage_errors
from stagelift.harness.forecast.expected import expected
from stagelift.harness.graph.model_checks import trained_on_other_models
from stagelift.harness.graph.store import Store
from stagelift.harness.outputs import load_report, write_outputs
from stagelift.harness.progress import open_view, say
from stagelift.harness.quiet import QUIET
from stagelift.harness.recipes.named_models import read_chain
from stagelift.harness.recipes.read import (
    as_written,
    chain_recipe,
    evaluation_recipe,
    load_recipe,
)
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.results import Results
from stagelift.harness.run import execute, prepare, titles
from stagelift.harness.workers.local import LocalExecutor
from stagelift.reports.gates.answer import Answer
from stagelift.reports.gates.not_comparable import NotComparableError

# a shipped recipe's name, a YAML file, what such a file holds, or a recipe that was read
AnyRecipe = str | os.PathLike[str] | Mapping[str, Any] | Recipe
# fields by dotted keys, or texts as --set takes them
Settings = Mapping[str, Any] | Sequence[str]
# a run's name or folder, or what was read of one
AnyRun = str | os.PathLike[str] | Results
Place = str | os.PathLike[str]


def run(
    recipe: AnyRecipe,
    *,
    set: Settings = (),
    name: str | None = None,
    runs: Place = "runs",
    jobs: int = 1,
    trust: bool | None = None,
) -> Results:
    """Train and evaluate what is missing of a recipe, as `stagelift run` does, and return the run.

    `set` overrides fields by dotted keys: `{"lora.r": 4}`. Nodes run side by side, `jobs` at once.
    Called again after an interruption it goes on. Raises UsageError before anything is loaded, and
    JobFailed where a worker ended with an error. `trust` is --trust where it is true, --no-trust
    where it is false.
    """
    with as_usage_errors(), as_asked(trust):
        read = load_recipe(_written(recipe), _overrides(set), name)
        return _completed(read, Path(runs), jobs)


def evaluate(
    model: Place | Mapping[str, Place],
    *,
    recipe: AnyRecipe,
    adapter: Place | None = None,
    set: Settings = (),
    name: str | None = None,
    runs: Place = "runs",
    trust: bool | None = None,
) -> Results:
    """Evaluate what was trained elsewhere under a recipe's contract, as `stagelift evaluate` does.

    That is a model, maybe with an adapter on it, or a chain by the names of its stages: `{"base":
    MODEL, "sft": "./out-sft"}`. Raises like `run`.
    """
    with as_usage_errors(), as_asked(trust):
        return _completed(_evaluated(model, recipe, adapter, set, name), Path(runs), 1)


def load(*names: Place, runs: Place = "runs", across_engines: bool = False) -> Results:
    """Read one or more runs by name or folder; of several the later ones are compared with the
    first.

    Raises UsageError where there is no such run, or where their contracts differ, naming the field.
    """
    if not names:
        raise UsageError("No run is named. Name one or more: load('quickstart').")
    with as_usage_errors():
        folders = [run_folder(os.fspath(name), Path(runs)).path for name in names]
        return Results(folders, load_report(folders, across_engines=across_engines))


def check(
    candidate: AnyRun,
    baseline: AnyRun,
    *,
    stage: str | None = None,
    margins: Mapping[str, object] | None = None,
    gates: Place | None = None,
    inconclusive: Literal["fail", "pass"] = "fail",
    allow_missing: int = 0,
    across_engines: bool = False,
    runs: Place = "runs",
    baselines: Place = "baselines",
) -> Decision:
    """Check a candidate against a baseline, as `stagelift check` does.

    `margins` are as in a recipe's `gates:`, `gates` is a YAML file of them. A pair that cannot be
    compared is an answer (`not comparable`); raises UsageError where a side cannot be read.
    """
    request = Request(
        candidate=_side(candidate),
        baseline=_side(baseline),
        stage=stage,
        gates=None if gates is None else Path(gates),
        margins=margins or {},
        runs=Path(runs),
        baselines=Path(baselines),
        allow_missing=allow_missing,
        across_engines=across_engines,
    )
    answer: Answer
    with as_usage_errors():
        try:
            answer = checked(request)
        except NotComparableError as error:
            answer = error
    return Decision(answer, inconclusive_passes=inconclusive == "pass")


def _evaluated(
    model: Place | Mapping[str, Place],
    recipe: AnyRecipe,
    adapter: Place | None,
    settings: Settings,
    name: str | None,
) -> Recipe:
    """Return the recipe of a chain, or of one model, maybe with an adapter on it."""
    written, overrides = _written(recipe), _overrides(settings)
    if not isinstance(model, Mapping):
        on_it = None if adapter is None else os.fspath(adapter)
        return evaluation_recipe(written, overrides, os.fspath(model), on_it, name)
    if adapter is not None:
        raise UsageError(
            f"adapter={os.fspath(adapter)!r} is for a single model. In a chain an adapter is a "
            "stage with a name."
        )
    words = [f"{stage}={os.fspath(place)}" for stage, place in model.items()]
    return chain_recipe(written, overrides, read_chain(words), name)


def _written(recipe: AnyRecipe) -> str | dict[str, Any]:
    """Return a recipe's name or file, or its content."""
    if isinstance(recipe, Recipe):
        return as_written(recipe)
    if isinstance(recipe, Mapping):
        return dict(recipe)
    return os.fspath(recipe)


def _overrides(settings: Settings) -> list[str]:
    """Write settings as --set takes them: JSON is YAML."""
    if isinstance(settings, str):
        raise UsageError(f"set is the text {settings!r}. Give it as set={{'lora.r': 4}}.")
    if not isinstance(settings, Mapping):
        return list(settings)
    return [
        f"{key}={json.dumps(value, ensure_ascii=False, default=str)}"
        for key, value in settings.items()
    ]


def _completed(recipe: Recipe, runs: Path, jobs: int) -> Results:
    store = Store(runs)
    for model in dict.fromkeys(recipe.weights()):
        if not is_prepared(model):
            say(f"Preparing {model_title(model)}: once, into your cache.")
    trusted = trusting(granted(recipe.trust.code))
    with trusted, _quiet_workers(), closing(LocalExecutor(jobs)) as workers:
        plan = prepare(recipe, store, workers.precise)
        for warning in trained_on_other_models(plan):
            say(f"Warning: {one_line(warning)}")
        ahead = expected(plan, store)
        if ahead.costs:
            say(ahead.sentence(jobs))
        with open_view(titles(plan), ahead.seconds(), jobs) as view:
            folder = execute(plan, store, workers, view.on_event, on_job=view.on_job)
    return Results([folder], write_outputs(folder).report)


@contextmanager
def _quiet_workers() -> Iterator[None]:
    """Let workers send no telemetry and draw no bars of their own; this process stays as it was."""
    before = dict(os.environ)
    quiet_about_kernel()
    os.environ.update({name: value for name, value in QUIET.items() if name not in before})
    try:
        yield
    finally:
        for name in QUIET.keys() - before.keys():
            os.environ.pop(name, None)


def _side(side: AnyRun) -> str:
    """Return the name or the folder of a side. Raises UsageError where it is of several runs."""
    if not isinstance(side, Results):
        return os.fspath(side)
    if len(side.folders) > 1:
        raise UsageError(f"{side!r} are several runs. Check one of them.")
    return str(side.folders[0])
