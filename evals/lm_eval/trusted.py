"""Whether what a task file of the user's names may run: its functions, those of the files that it
includes, and metrics that are programs of the Hub's. Nothing of it is imported.

A task file is code itself: its templates are programs of Jinja, which nothing bounds.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stagelift.evals.credential_places import check_no_credentials
from stagelift.evals.data.source import one_sentence
from stagelift.evals.places import is_elsewhere
from stagelift.evals.trust import TRUST_IT, Trust, check_inside, trust
from stagelift.evals.user_code import look_at_function


@dataclass(frozen=True)
class TaskFile:
    """A YAML of a task: its content, and the functions that it names."""

    path: Path
    content: dict[str, Any]
    functions: list[str] = field(default_factory=list)

    def source_of(self, function: str) -> Path | None:
        """Return the file beside it that a function is in, as lm-eval looks for it."""
        module = function.rpartition(".")[0]
        file = (self.path.parent / f"{module.replace('.', '/')}.py").resolve()
        return file if module and file.is_file() else None


def is_shipped(path: Path) -> bool:
    """Say whether a file came with lm-eval."""
    spec = find_spec("lm_eval")
    home = None if spec is None or spec.origin is None else Path(spec.origin).resolve().parent
    return home is not None and path.resolve().is_relative_to(home)


def check_trusted(path: Path) -> None:
    """Raise ValueError, in a sentence, where a task file, or what it includes or names, is not
    trusted, or holds a credential.
    """
    files = [file for file in task_files(path) if not is_shipped(file.path)]
    for file in files:
        check_no_credentials(file.content, f"task file '{file.path.name}'")
        for function in file.functions:
            _check_function(file, function)
    if trust() is not Trust.code:
        # what a file says itself counts above what it includes
        content: dict[str, Any] = {}
        for file in reversed(files):
            content |= file.content
        functions = {function for file in files for function in file.functions}
        _check_metrics(path, content, functions)
        _check_data(path, content)


def task_files(path: Path) -> Iterator[TaskFile]:
    """Read a task file and those that it includes, each once it is known to be trusted.

    Raises ValueError in a sentence.
    """
    waiting, seen = [path.expanduser().resolve()], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        _check_place(place)
        file = _read(place)
        yield file
        included = file.content.get("include", [])
        names = included if isinstance(included, list) else [included]
        waiting += [(place.parent / str(name)).resolve() for name in names]


def missing_package(file: TaskFile) -> str | None:
    """Name a package that the code of a task file imports, and that is not there."""
    sources = {source for name in file.functions if (source := file.source_of(name)) is not None}
    for source in sorted(sources):
        for package in _imports(source):
            beside = (source.parent / package).is_dir() or (
                source.parent / f"{package}.py"
            ).exists()
            if not beside and find_spec(package) is None:
                return package
    return None


def _check_place(path: Path) -> None:
    if is_shipped(path):
        return
    if trust() is Trust.none:
        raise ValueError(
            f"Task file '{path}' is code of the recipe's, and none of that is to run here "
            "(--no-trust): take a task that lm-eval knows by name."
        )
    check_inside(path, "Task file")


def _check_function(file: TaskFile, function: str) -> None:
    source = file.source_of(function)
    if source is None:
        look_at_function(function, f"Task file '{file.path.name}': function")
    else:
        check_inside(source, f"Task file '{file.path.name}': the code at")


def _check_metrics(path: Path, content: dict[str, Any], functions: set[str]) -> None:
    for metric in _metrics(content):
        if metric.get("metric") not in functions and not _is_known(metric):
            raise ValueError(
                f"Task file '{path.name}' names the metric '{metric.get('metric')}', which lm-eval "
                "would load from the Hub as a program. Take one that lm-eval knows, write one with "
                f"!function, or {TRUST_IT}."
            )


def _check_data(path: Path, content: dict[str, Any]) -> None:
    elsewhere = next((text for text in _texts([*_data(content)]) if is_elsewhere(text)), None)
    if elsewhere is not None:
        raise ValueError(
            f"Task file '{path.name}' reads '{elsewhere[:200]}', which is not on this machine. "
            f"Download it, or {TRUST_IT}."
        )


def _read(path: Path) -> TaskFile:
    import yaml

    functions: list[str] = []

    class Loader(yaml.SafeLoader):
        """Keeps the functions that are named, wherever they stand."""

    def named(loader: Any, node: Any) -> str:
        functions.append(str(loader.construct_scalar(node)))
        return functions[-1]

    Loader.add_constructor("!function", named)
    try:
        content = yaml.load(path.read_bytes(), Loader=Loader)
        if not isinstance(content, dict):
            raise ValueError(f"Expected YAML dict, got {type(content).__name__}")
    # the YAML reader's errors are of many kinds, and all mean the same to the user
    except Exception as error:
        raise ValueError(f"Task file '{path}' cannot be read: {one_sentence(error)}") from error
    return TaskFile(path, content, functions)


def _imports(source: Path) -> list[str]:
    """Name the packages that a file imports as it is imported itself."""
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError):
        # said where it is imported
        return []
    names = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.append(node.module)
    return [name.partition(".")[0] for name in names]


def _metrics(content: Any) -> Iterator[dict[str, Any]]:
    """Yield the metrics that lm-eval looks up, of a task or of those that a group spells out."""
    if isinstance(content, dict):
        listed = content.get("metric_list")
        if isinstance(listed, list) and content.get("process_results") is None:
            yield from (each for each in listed if isinstance(each, dict))
        yield from _metrics(content.get("task"))
    elif isinstance(content, list):
        for part in content:
            yield from _metrics(part)


def _data(content: Any) -> Iterator[Any]:
    """Yield what says where data is, wherever it stands."""
    match content:
        case dict():
            for name, value in content.items():
                yield from [value] if str(name).startswith("dataset") else _data(value)
        case list():
            for part in content:
                yield from _data(part)


def _is_known(metric: dict[str, Any]) -> bool:
    from lm_eval.api import metrics  # noqa: F401 - makes lm-eval's own known
    from lm_eval.api.registry import metric_registry

    name = metric.get("metric")
    return not metric.get("hf_evaluate") and (name in metric_registry)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for part in value.values():
                yield from _texts(part)
        case list():
            for part in value:
                yield from _texts(part)
