"""Whether there is validation data to select checkpoints by, which nobody trains on and no report
asks.

What cannot be read here, such as what a checkpoint of the user's was trained on, is not checked.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from stagelift.evals.data.bundled_data import is_bundled
from stagelift.evals.data.overlap import overlap
from stagelift.evals.data.own_rows import load_own
from stagelift.evals.data.preferences import check_preferences, load_preferences, words
from stagelift.evals.data.problems import load_problems
from stagelift.evals.data.source import Source, UnreachableError, column_names, fingerprint
from stagelift.harness.graph.plan import stage_settings
from stagelift.harness.graph.validation import selecting_metric
from stagelift.harness.recipes.sections import OwnTaskSection, Recipe
from stagelift.stages.rows.training import training_texts
from stagelift.stages.settings import StageSettings

_HOW_TO_MAKE_ONE = (
    "Checkpoints are selected by validation data, which nothing trains on and no report asks. Set "
    "rows aside in a file validation.jsonl beside train.jsonl, or say where they are: evals: "
    "{validation: {path: FILE_OR_FOLDER, split: validation}}; of a dataset on the Hub a part of a "
    "split will do: split: 'train[-256:]', with data.split: 'train[:-256]'."
)
Texts = Mapping[str, str]


@dataclass(frozen=True)
class _Reported:
    """What a report is of: its name in a recipe, where it is from, and its texts by id."""

    what: str
    source: Source
    read: Callable[[], Texts]


def selecting_metrics(recipe: Recipe) -> list[str | None]:
    """Name the metrics that checkpoints of a recipe are selected by, each once, as asked for."""
    trained = [stage.select.metric for stage in recipe.trainings() if stage.select is not None]
    given = [section.metric for section in recipe.checkpoints() if section.checkpoints is not None]
    return list(dict.fromkeys([*trained, *given]))


def check_validation(recipe: Recipe) -> None:
    """Check what checkpoints are selected by: metrics, data, and that it is nobody else's.

    Raises UsageError or ValueError, in a sentence; UnreachableError for a Hub dataset that cannot
    be read.
    """
    known = [selecting_metric(recipe, name) for name in selecting_metrics(recipe)]
    by_pairs = [metric for metric in known if metric.family == "preference accuracy"]
    if len(by_pairs) < len(known):
        source = recipe.validation_source()
        _check_split(recipe, source)
        _check_readable(source, is_own=recipe.evals.accuracy.task == "mine")
        asked = _questions(recipe, source)
        _check_apart(recipe, source, asked)
        _check_not_reported(source, asked, _own_tasks(recipe))
    pairs = recipe.validation_pairs()
    if by_pairs and pairs is not None:
        _check_split(recipe, pairs)
        check_preferences(pairs, pairs=True)
        prompts = _prompts(pairs)
        _check_apart(recipe, pairs, prompts)
        _check_not_reported(pairs, prompts, [*_own_tasks(recipe), *_preferences(recipe)])


def _check_split(recipe: Recipe, source: Source) -> None:
    """Refuse a split that is for something else, by its name."""
    for_testing = source.split in ("test", "held_out")
    if for_testing or (is_bundled(source.path) and source.split != "validation"):
        purpose = "testing" if for_testing else "training"
        raise ValueError(
            f"Checkpoints of recipe '{recipe.name}' would be selected by split '{source.split}' of "
            f"'{source.path}', which is for {purpose}. Use split validation."
        )


def _check_readable(source: Source, *, is_own: bool) -> None:
    try:
        present = column_names(source)
    except UnreachableError as error:
        raise UnreachableError(f"{error} {_HOW_TO_MAKE_ONE}") from error
    except ValueError as error:
        raise ValueError(f"{error} {_HOW_TO_MAKE_ONE}") from error
    # rows of the user's own are looked at as they are read
    if not is_own and not {"question", "answer"} <= set(present):
        raise ValueError(
            f"Validation problems need columns question and answer, but split '{source.split}' of "
            f"'{source.path}' has {', '.join(present)}; evals.validation.columns can rename them."
        )


def _questions(recipe: Recipe, source: Source) -> Texts:
    """Return what is asked of validation data, by id."""
    asked = _read(recipe, source, source.limit)
    if len(asked) < 2:
        raise ValueError(
            f"Split '{source.split}' of '{source.path}' has {len(asked)} problems, too few to "
            f"select by. {_HOW_TO_MAKE_ONE}"
        )
    return asked


def _read(recipe: Recipe, source: Source, limit: int | None) -> Texts:
    """Return the questions of a source, as the recipe's task reads them, by id."""
    task = recipe.evals.accuracy.task
    if task == "mine":
        own = load_own(task, source, "test", limit)
        return {problem.id: words(problem.prompt) for problem in own}
    asked = load_problems(task, source, limit=limit, held_out=0, num_fewshot=0, validation=source)
    return {problem.id: problem.question for problem in asked.problems}


def _check_apart(recipe: Recipe, source: Source, asked: Texts) -> None:
    """Refuse what is tested or trained on, by the file and word for word.

    The bundled splits share nothing: that is how they are drawn.
    """
    test = recipe.tested()
    if fingerprint(source) == fingerprint(test):
        raise ValueError(
            f"Checkpoints would be selected by '{source.path}', split '{source.split}', which is "
            f"what the evaluation asks. {_HOW_TO_MAKE_ONE}"
        )
    if not (is_bundled(source.path) and is_bundled(test.path)):
        tested = _read(recipe, test, recipe.evals.accuracy.limit)
        _refuse_shared(source, asked, list(tested.values()), "the test problems")
    for stage in recipe.trainings():
        settings = stage_settings(recipe, stage)
        if fingerprint(settings.dataset) == fingerprint(source):
            raise ValueError(
                f"Stage '{stage.kind}' would train on '{source.path}', split '{source.split}', by "
                f"which its checkpoints are selected. {_HOW_TO_MAKE_ONE}"
            )
        if is_bundled(source.path) and is_bundled(settings.dataset.path):
            continue
        what = f"what stage '{stage.kind}' trains on ({settings.dataset.path})"
        _refuse_shared(source, asked, _trained_on(settings), what)


def _own_tasks(recipe: Recipe) -> Iterator[_Reported]:
    """Yield what the user's own tasks ask beside the main one."""
    for task in recipe.evals.own_tasks:
        yield _Reported(f"task {task.task} of evals.tasks", task.data, partial(_rows, task))


def _rows(task: OwnTaskSection) -> Texts:
    own = load_own(task.task, task.data, "test", task.limit)
    return {problem.id: words(problem.prompt) for problem in own}


def _preferences(recipe: Recipe) -> Iterator[_Reported]:
    """Yield the prompts that are judged, and the pairs that a judge is checked with."""
    preference = recipe.evals.preference
    for what, source in (("prompts", preference.prompts), ("gold", preference.gold_source())):
        if source is not None:
            yield _Reported(f"evals.preference.{what}", source, partial(_prompts, source))


def _prompts(source: Source) -> Texts:
    return {one.id: words(one.prompt) for one in load_preferences(source)}


def _check_not_reported(source: Source, asked: Texts, reported: Iterable[_Reported]) -> None:
    """Refuse what a report is of beside the main problems, by the file and word for word."""
    for other in reported:
        if fingerprint(source) == fingerprint(other.source):
            raise ValueError(
                f"Checkpoints would be selected by '{source.path}', split '{source.split}', which "
                f"is what {other.what} asks. {_HOW_TO_MAKE_ONE}"
            )
        if not (is_bundled(source.path) and is_bundled(other.source.path)):
            _refuse_shared(source, asked, list(other.read().values()), f"what {other.what} asks")


def _trained_on(settings: StageSettings) -> list[str]:
    """Return the texts that a stage trains on; empty where they cannot be read here."""
    try:
        return [text for row in training_texts(settings) for text in row]
    # the stage itself is checked elsewhere
    except Exception:  # noqa: BLE001 - the Hub, a cache and a reader raise errors of many kinds
        return []


def _refuse_shared(source: Source, asked: Texts, others: Sequence[str], what: str) -> None:
    shared = overlap(asked, others).whole
    lines = {_flat(text) for text in others}
    # what is too short for an overlap to say
    short = [name for name in asked if _flat(asked[name]) in lines and name not in shared]
    shared = (*shared, *short)
    if shared:
        raise ValueError(
            f"{len(shared)} of {len(asked)} validation rows of '{source.path}', split "
            f"'{source.split}', stand word for word in {what}, such as {shared[0]}: what is known "
            "by heart cannot select. Take them out of one of the two."
        )


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())
