"""A user's function by its path: what its source says, and from where it may be imported."""

import os
import sys
from pathlib import Path

import pytest

from stagelift.evals.metrics.scorers.function import is_scorer
from stagelift.evals.metrics.scorers.known import check_rows, read_scorer
from stagelift.evals.trust import Trust, is_inside, only_looking, trusting
from stagelift.evals.user_code import code_of, load_function, look_at_function
from stagelift.stages.rewards import check_rewards, reward_fingerprint

# a module that leaves a mark where it is imported
MARKED = "from pathlib import Path\nPath('imported').touch()\n"
SCORER = "def same(response, row):\n    return response == row['target']\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("STAGELIFT_TRUST", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    return working


def test_looking_at_a_function_imports_nothing(folder: Path) -> None:
    (folder / "marked.py").write_text(MARKED + SCORER)
    with only_looking():
        assert is_scorer(look_at_function("marked.same", "Scorer"))
        check_rows([read_scorer("marked.same")], [("Row 1", {"prompt": "a", "target": "b"})])
        check_rewards(["marked.same", "brevity"], {})
        assert reward_fingerprint("marked.same")
        with pytest.raises(RuntimeError, match="only looked at"):
            load_function("marked.same", "Scorer")
    assert not (folder / "imported").exists() and "marked" not in sys.modules
    assert load_function("marked.same", "Scorer")("b", {"target": "b"})
    assert (folder / "imported").exists()


@pytest.mark.parametrize(
    ("source", "scores"),
    [
        ("def f(response, row): ...", True),
        ("async def f(response, row, more=1): ...", True),
        ("f = lambda response, row: 1", True),
        ("if True:\n    def f(*both): ...", True),
        ("def f(response): ...", False),
        ("def f(response, row, third): ...", False),
        ("def f(response, row, *, needed): ...", False),
        ("def f(completions, **columns): ...", False),
        ("def f(response, completions): ...", False),
        ("from functools import partial\nf = partial(print, 1)", False),
        ("from written import f", True),
        ("from written import g as f", False),
    ],
)
def test_what_a_function_takes_is_read_off_its_source(
    folder: Path, source: str, scores: bool
) -> None:
    (folder / "written.py").write_text("def f(a, b): ...\ndef g(completions, **_): ...\n")
    (folder / "asked.py").write_text(f"raise SystemExit\n{source}\n")
    assert is_scorer(look_at_function("asked.f", "Scorer")) is scores


def test_a_function_that_is_handed_on_is_known_by_the_file_it_is_written_in(folder: Path) -> None:
    package = folder / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import f\n")
    (package / "inner.py").write_text(SCORER.replace("same", "f"))
    assert look_at_function("mine.f", "Scorer").file == package / "inner.py"
    assert code_of("mine.f") == code_of("mine.inner.f")
    assert load_function("mine.f", "Scorer") is load_function("mine.inner.f", "Scorer")


@pytest.mark.parametrize(
    "path", ["os.system", "subprocess.run", "sys.exit", "shutil.rmtree", "numpy.sum", "trl.clone"]
)
def test_what_is_installed_is_no_code_of_the_working_folder(folder: Path, path: str) -> None:
    del folder
    for look in (look_at_function, load_function):
        with pytest.raises(ValueError, match=rf"Reward '{path}' is not code of the working folder"):
            look(path, "Reward")


def test_a_trusted_recipe_names_code_anywhere_and_one_without_trust_none(folder: Path) -> None:
    (folder / "marked.py").write_text(MARKED + SCORER)
    with trusting(Trust.code):
        assert load_function("os.getpid", "Reward") is os.getpid
        assert load_function("marked.same", "Reward")
    with (
        trusting(Trust.none),
        pytest.raises(ValueError, match=r"none of that is to run here \(--no-trust\)"),
    ):
        load_function("marked.same", "Reward")


def test_a_link_out_of_the_working_folder_leads_out_of_it(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "linked.py").write_text(SCORER)
    (folder / "linked.py").symlink_to(elsewhere / "linked.py")
    (folder / "package").symlink_to(elsewhere)
    for path in ("linked.same", "package.linked.same", "elsewhere.linked.same"):
        with pytest.raises(ValueError, match="working folder"):
            load_function(path, "Scorer")
    assert not is_inside(folder / ".." / "elsewhere")


def test_packages_installed_below_the_working_folder_are_not_in_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del folder
    monkeypatch.chdir(sys.prefix)
    assert is_inside(Path("bin"))
    assert not is_inside(Path(pytest.__file__))


def test_a_module_called_as_an_installed_one_is_not_mistaken_for_it(folder: Path) -> None:
    (folder / "json.py").write_text(MARKED + SCORER)
    with pytest.raises(ValueError, match="rename the module in the working folder"):
        load_function("json.same", "Scorer")
    assert not (folder / "imported").exists()


def test_modules_beside_a_reward_shadow_nothing_that_it_imports(folder: Path) -> None:
    (folder / "wave.py").write_text(MARKED)
    (folder / "mine.py").write_text("import wave\ndef f(response, row):\n    return wave.open\n")
    assert load_function("mine.f", "Scorer")("", {}).__module__ == "wave"
    assert not (folder / "imported").exists()


def test_modules_of_one_name_in_two_working_folders_are_two(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder.parent / "other"
    other.mkdir()
    for place, value in ((folder, 1), (other, 2)):
        (place / "twin.py").write_text(f"def f(response, row):\n    return {value}\n")
        monkeypatch.chdir(place)
        assert load_function("twin.f", "Scorer")("", {}) == value


def test_the_environment_says_one_of_three_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGELIFT_TRUST", "yes")
    with pytest.raises(ValueError, match=r"is .yes.\. It is one of: none, folder, code"):
        look_at_function("a.b", "Reward")


def test_a_module_may_lie_in_nested_folders_that_are_no_packages(folder: Path) -> None:
    (folder / "spaced" / "sub").mkdir(parents=True)
    (folder / "spaced" / "sub" / "m.py").write_text(SCORER)
    assert look_at_function("spaced.sub.m.same", "Scorer").file
    assert load_function("spaced.sub.m.same", "Scorer")("b", {"target": "b"})


def test_a_module_inside_may_be_found_by_any_entry_of_the_path(folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "src" / "in_src.py").write_text(SCORER)
    sys.path.append(str(folder / "src"))
    assert look_at_function("in_src.same", "Scorer").file == folder / "src" / "in_src.py"
    assert load_function("in_src.same", "Scorer")("b", {"target": "b"})
