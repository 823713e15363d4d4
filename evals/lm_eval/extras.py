"""Packages that a task of lm-eval's needs: they are missed before a model is loaded, by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stagelift.evals.data.source import one_sentence
from stagelift.evals.lm_eval.configs import configs, find_task, import_functions
from stagelift.evals.lm_eval.trusted import is_shipped, missing_package, task_files
from stagelift.evals.trust import is_only_looking


def check_extras(task: str) -> None:
    """Import the code that a task's YAML names, as loading the task will; that of a user's file is
    read instead where recipes are only looked at.

    Raises ValueError where a package is missing.
    """
    for config in configs(find_task(task)):
        with packages_explained(task):
            if is_only_looking() and config.file is not None and not is_shipped(config.file):
                _look_for_packages(config.file)
            else:
                import_functions(config)


def _look_for_packages(path: Path) -> None:
    for file in task_files(path):
        package = missing_package(file)
        if package is not None:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)


@contextmanager
def packages_explained(task: str) -> Iterator[None]:
    """Turn an ImportError into a ValueError that says what to install."""
    try:
        yield
    except ImportError as error:
        package = error.name or getattr(error.__cause__, "name", None) or ""
        extra = _extra(package.split(".")[0], task)
        remedy = "Install the package that has it."
        if extra:
            remedy = f'Run: pip install "lm_eval[{extra}]"'
        raise ValueError(
            f"Task '{task}' needs what is not installed: {one_sentence(error)} {remedy}"
        ) from error


def _extra(package: str, task: str) -> str | None:
    """Name the extra of lm-eval that brings a package.

    Of several it is the one that is called like the task.
    """
    from importlib.metadata import metadata

    from packaging.requirements import Requirement

    about = metadata("lm_eval")
    extras = about.get_all("Provides-Extra") or []
    requirements = [Requirement(text) for text in about.get_all("Requires-Dist") or []]
    bringing = [
        extra
        for extra in extras
        for requirement in requirements
        if _plain(requirement.name) == _plain(package)
        and requirement.marker
        and requirement.marker.evaluate({"extra": extra})
    ]
    # lm-eval raises some errors again, without the package's name
    candidates = bringing if package else extras
    called_alike = [extra for extra in candidates if _plain(extra) in _plain(task)]
    return next(iter(called_alike or bringing), None)


def _plain(name: str) -> str:
    return name.replace("_", "-").lower()
