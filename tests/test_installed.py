"""The wheel, installed beside a project that has `evals/`, `reports/` and `stages/` of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["evals", "stages", "reports", "harness"]
# the package's own layout: nothing else lies at the top of what is installed
IN_THE_WHEEL = ["stagelift", "stagelift-0.1.0.dist-info"]
DATA_FILES = [
    "stagelift/py.typed",
    "stagelift/harness/recipes/quickstart.yaml",
    "stagelift/reports/report.schema.json",
    "stagelift/reports/formats/templates/report.html",
    "stagelift-0.1.0.dist-info/licenses/LICENSE",
]
REWARD = "def polite(completions, **_):\n    return [float(len(one)) for one in completions]\n"
OVER_RAY = """
import os, subprocess, sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
command = [sys.executable, "-m", "stagelift", "run", "mine.yaml", "--engine", "ray"]
done = subprocess.run(command, env={**os.environ, "RAY_ADDRESS": cluster.address})
cluster.shutdown()
sys.exit(done.returncode)
"""


ALL = """
import pathlib, pytest, typer.testing
import evals, stagelift
from stagelift.harness.cli import app

for command in {commands}:
    done = typer.testing.CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
assert pytest.main(["tests"]) == 0
print(evals.WHOSE, pathlib.Path(stagelift.__file__).parent)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(copy_of_checkout(tmp_path_factory.mktemp("checkout"), links=True))


def copy_of_checkout(folder: Path, *, links: bool) -> Path:
    """Copy what a build needs, with the links that git keeps or, as on Windows, without them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    for name in LAYERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    (folder / "stagelift").mkdir()
    for file in (ROOT / "stagelift").iterdir():
        if file.is_file():
            shutil.copy(file, folder / "stagelift")
        elif links and file.is_symlink():
            (folder / "stagelift" / file.name).symlink_to(file.readlink())
    return folder


def build_wheel(checkout: Path) -> Path:
    wheels = checkout / "wheels"
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", wheels, checkout)
    (wheel,) = wheels.iterdir()
    return wheel


def pip(*arguments: object, python: str = sys.executable) -> None:
    """Run pip for an environment, which needs none of its own; nothing is downloaded."""
    command, *options = map(str, arguments)
    settled = ["--python", python, command, "--quiet", "--no-index", *options]
    run([sys.executable, "-m", "pip", *settled], ROOT.parent)


def environment(folder: Path) -> Path:
    """Make a virtual environment that sees what is installed here, but no stagelift; its Python."""
    run([sys.executable, "-m", "venv", "--without-pip", str(folder)], ROOT.parent)
    (packages,) = folder.glob("**/site-packages")
    # what is installed in a folder that a .pth file names is found, but no editable install in it
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return next(folder.glob("*/python"))


def run(
    command: list[str], folder: Path, *, code: int = 0, python_path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder as a user would: no checkout is on the path."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    added = {} if python_path is None else {"PYTHONPATH": str(python_path)}
    done = subprocess.run(
        command, cwd=folder, env=inherited | added, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done


def make_project(folder: Path) -> Path:
    """Make a team's repository: packages called as ours, two results, and the test of ci.md."""
    for name in ("evals", "reports", "stages", "harness"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"WHOSE = 'the team, {name}'\n")
    (folder / "evals" / "my_rewards.py").write_text(REWARD)
    (folder / "reports" / "records.py").write_text("raise RuntimeError('not ours to import')\n")
    for name, right in (("good-run", 100), ("candidate", 150)):
        rows = [
            {"id": str(n), "prompt": f"{n}?", "target": "4", "response": "4" if n < right else "5"}
            for n in range(200)
        ]
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_adapter.py").write_text(documented_test())
    return folder


def documented_test() -> str:
    """The test that the page about CI shows, as it stands there."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?assert_no_regression.*?)```", page, flags=re.DOTALL)
    assert "from stagelift.testing import assert_no_regression" in example
    return str(example)


def imported(name: str) -> list[str]:
    return ["import", f"{name}.jsonl", "--as", "responses", "--name", name]


def test_a_wheel_holds_one_package_and_all_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert sorted({name.split("/")[0] for name in names}) == IN_THE_WHEEL
    assert set(DATA_FILES) <= set(names)
    ours = {file.relative_to(ROOT) for layer in LAYERS for file in (ROOT / layer).rglob("*.py")}
    assert {f"stagelift/{file.as_posix()}" for file in ours} <= set(names)


def test_the_unpacked_wheel_runs_the_documented_test(wheel: Path, tmp_path: Path) -> None:
    """The quick twin of the tests below: nothing is installed, and one process does it all."""
    unpacked, project = tmp_path / "unpacked", make_project(tmp_path / "team")
    zipfile.ZipFile(wheel).extractall(unpacked)
    commands = [imported("candidate"), ["baseline", "set", "candidate"], ["report", "candidate"]]
    (project / "all.py").write_text(ALL.format(commands=commands))
    said = run([sys.executable, "all.py"], project, python_path=unpacked).stdout
    assert said.splitlines()[-1] == f"the team, evals {unpacked / 'stagelift'}"
    assert "1 passed" in said


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the wheel is installed."""
    python = environment(tmp_path_factory.mktemp("installed") / "venv")
    pip("install", "--no-deps", wheel, python=str(python))
    return python


@pytest.mark.real
def test_every_command_works_in_a_project_with_folders_called_as_ours(
    python: Path, tmp_path: Path
) -> None:
    project = make_project(tmp_path)
    stagelift = str(python.with_name("stagelift"))
    assert "Usage: stagelift" in run([stagelift, "--help"], project).stdout
    assert run([str(python), "-m", "stagelift", "--version"], project).stdout == "stagelift 0.1.0\n"
    for command in (imported("good-run"), imported("candidate"), ["baseline", "set", "good-run"]):
        run([stagelift, *command], project)
    assert "accuracy" in run([stagelift, "report", "good-run", "candidate"], project).stdout
    check = [stagelift, "check"]
    run([*check, "candidate", "--baseline", "main", "--margin", "accuracy=2"], project)
    worse = [*check, "good-run", "--baseline", "candidate", "--margin", "accuracy=2"]
    assert "regressed" in run(worse, project, code=1).stdout
    assert "1 passed" in run([str(python), "-m", "pytest", "tests"], project).stdout
    run([stagelift, "run", "quickstart", "--dry-run", "--set", "model.dtype=float32"], project)


@pytest.mark.real
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_workers_find_the_package_and_the_projects_own_reward(
    engine: str, python: Path, tiny_model: Path, tmp_path: Path
) -> None:
    project = make_project(tmp_path)
    (project / "over_ray.py").write_text(OVER_RAY)
    (project / "mine.yaml").write_text(
        f"name: mine\nmodel: {{path: {tiny_model.as_posix()}, dtype: float32}}\n"
        "data: {path: bundled/schoolmath, limit: 8}\nlora: {r: 2, target_modules: [q_proj]}\n"
        "stages: [grpo: {rewards: [evals.my_rewards.polite], args: {max_steps: 1, "
        "per_device_train_batch_size: 2, num_generations: 2, max_completion_length: 4}}]\n"
        "evals: {accuracy: {limit: 2, max_tokens: 2}, preference: {prompts: null}}\n"
    )
    command = ["over_ray.py"] if engine == "ray" else ["-m", "stagelift", "run", "mine.yaml"]
    assert "grpo" in run([str(python), *command], project).stdout
    (training,) = project.glob("runs/nodes/grpo-*/training.jsonl")
    assert '"rewards/polite/mean"' in training.read_text()


@pytest.mark.real
def test_mypy_checks_a_users_test_against_our_types(python: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path)
    mypy = [str(python), "-m", "mypy", "--strict"]
    assert "Success" in run([*mypy, "tests/test_adapter.py"], project).stdout
    wrong = documented_test().replace("margins={", "margns={")
    (project / "wrong.py").write_text(wrong)
    said = run([*mypy, "wrong.py"], project, code=1).stdout
    assert 'Unexpected keyword argument "margns"' in said


@pytest.mark.real
def test_a_source_distribution_of_a_checkout_without_links_builds_the_same_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    checkout = copy_of_checkout(tmp_path / "checkout", links=False)
    build = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    run([sys.executable, "-c", build], checkout)
    shutil.unpack_archive(next(checkout.glob("dist/*.tar.gz")), tmp_path / "sources")
    (sources,) = (tmp_path / "sources").iterdir()
    again = build_wheel(sources)
    names = [sorted(zipfile.ZipFile(file).namelist()) for file in (wheel, again)]
    assert names[0] == names[1]


@pytest.mark.real
def test_a_checkout_without_links_runs_and_can_be_edited(tmp_path: Path) -> None:
    checkout = copy_of_checkout(tmp_path / "parent" / "stagelift", links=False)
    code = "import stagelift.testing, stagelift.evals.files as files; print(files.__file__)"
    here = run([sys.executable, "-c", code], checkout).stdout
    assert Path(here.strip()) == checkout / "evals" / "files.py"
    python = environment(tmp_path / "venv")
    pip("install", "--no-deps", "--no-build-isolation", "--editable", checkout, python=str(python))
    # also in the folder that holds the checkout, where `stagelift` could be either
    for folder in (make_project(tmp_path / "team"), checkout.parent):
        assert run([str(python), "-c", code], folder).stdout == here
        run([str(python), "-m", "stagelift", "--help"], folder)


def test_addresses_of_earlier_versions_work_from_a_checkout() -> None:
    for layer in ("", "stagelift."):
        imports = (
            f"from {layer}harness.cli import main",
            f"from {layer}harness.testing import assert_no_regression",
            f"from {layer}evals.bundled import NAME, bundled_model",
        )
        run([sys.executable, "-c", "; ".join(imports)], ROOT)


def test_nothing_promises_a_package_of_this_name_at_a_registry() -> None:
    ours = (file for layer in LAYERS for file in (ROOT / layer).rglob("*"))
    for file in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ours]:
        if file.suffix in (".md", ".py", ".html", ".yaml"):
            named = re.search(r"pip install ['\"]?stagelift", file.read_text(encoding="utf-8"))
            assert named is None, f"{file} says {named}"


@pytest.mark.parametrize("module", ["worker", "launched", "agent"])
def test_modules_that_are_started_keep_their_addresses(module: str) -> None:
    file = ROOT / "harness" / f"{module}.py"
    assert f"from stagelift.harness.workers.{module} import main" in file.read_text()


def test_files_of_ours_that_others_name_stand_where_they_stood() -> None:
    assert (ROOT / "harness" / "recipes" / "quickstart.yaml").is_file()
    assert (ROOT / "reports" / "report.schema.json").is_file()
