"""What runs and baselines may be called, so that their folders can be on every system."""

from pathlib import Path, PureWindowsPath

import pytest

from stagelift.harness.recipes.sections import check_folder_name, check_run_name
from stagelift.reports.folders import RunsFolder

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["aux", "NUL", "con.v2", "COM1", "lpt9.txt", "mine."])
def test_what_windows_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Windows has no folder of that name"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["a:b", "a?b", "a\\b", "a/b", "ü", "", "-x", "x" * 81, "a b"])
def test_characters_that_mean_something_to_some_system_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"letters, digits and \. _ -"):
        check_folder_name("baseline", name)


@pytest.mark.parametrize("name", ["nodes", "Nodes", "JUDGES"])
def test_folders_that_runs_share_are_kept_whatever_the_case(name: str) -> None:
    with pytest.raises(ValueError, match="keeps what runs share"):
        check_run_name(name)


@pytest.mark.parametrize("name", ["auxiliary", "console", "com10", "v1.2", "x" * 80])
def test_other_names_are_taken_and_none_is_reserved_on_windows(name: str) -> None:
    check_run_name(name)
    assert PureWindowsPath(RunsFolder(Path("runs")).run(name).path).name == name


def test_no_file_of_the_repository_has_a_name_that_windows_cannot_have() -> None:
    for folder in ("evals", "harness", "reports", "stages", "docs", "benchmarks"):
        for path in (ROOT / folder).rglob("*"):
            if "__pycache__" not in path.parts:
                check_folder_name("file", path.name.lstrip("_."))
