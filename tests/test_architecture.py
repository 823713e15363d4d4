"""Rules of shape that matter enough to be tests."""

import ast
import itertools
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import LAYERS, MODULES, ROOT, syntax

# "a -> b" lets a import b and all that b may import; what stands left or right together is equal
ARROWS = {
    "evals": "evaluate -> ask -> settings -> judges, imports, votes -> metrics -> lm_eval "
    "-> models -> data, stats, folders, remembered, servers, finish_reasons, contract "
    "-> user_code, hashes -> files, records, printed, trust, places, nearest, "
    "credential_places -> credentials; "
    "files -> strict_json -> bounded_text; files -> whole -> disk_space",
    "stages": "faster -> packed",
    "reports": "formats -> plots, tables, gates -> words -> report -> numbers -> records "
    "-> folders -> run_file; records -> contradictions -> recount; exports -> words",
    "harness": "cli -> commands -> run, judge_training, forecast, importing, rescoring, outputs, "
    "voting, checks, audit; audit -> graph, workers; "
    "run -> preflight -> graph, workers -> recipes; run -> schedule; run -> repairing -> graph; "
    "forecast -> graph; run -> trackers -> graph, workers; "
    "run -> unchanged -> selecting -> graph, workers; preflight -> validation -> graph; "
    "judge_training -> preflight; importing -> imports -> graph; rescoring, voting -> graph; "
    "commands -> verifying -> graph -> disagreements -> readings; verifying -> readings; "
    "checks, outputs, exporting, pushing, voting -> agreeing -> disagreements; "
    "testing -> checks -> recipes; commands -> exporting -> outputs; "
    "commands -> listing, deleting -> graph; "
    "commands -> hub -> pushing -> outputs; "
    "api -> results -> exporting; api -> run, checks, forecast; "
    "api, commands, judge_training -> progress -> overall, ticking; api, commands -> quiet; "
    "cli, commands, progress -> streams",
}
EVERYONE_MAY_IMPORT = {"harness": {"errors", "environment", "locks"}}
# two lines each: they keep an address whose module has moved
ADDRESSES = {
    "evals.bundled",
    "harness.__main__",
    "harness.worker",
    "harness.launched",
    "harness.agent",
}


def imported_names(tree: ast.Module) -> set[str]:
    """List every module that is imported, wherever in a file, and every name taken out of one."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            # a relative import keeps its dots, which no module's name has
            module = "." * node.level + (node.module or "")
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names |= {part.value for part in node.args if isinstance(part, ast.Constant)}
    return names


def imports() -> Iterator[tuple[str, str]]:
    """Every pair of modules of ours of which the first imports the second."""
    for name, file in MODULES.items():
        for imported in imported_names(syntax(file)):
            ours = imported.removeprefix("stagelift.")
            if ours != imported and ours in MODULES and not is_only_the_way_to(ours, file):
                yield name, ours


def is_only_the_way_to(package: str, file: Path) -> bool:
    """Whether a package is named only because a module in it is imported."""
    deeper = any(name.startswith(f"stagelift.{package}.") for name in imported_names(syntax(file)))
    return MODULES[package].name == "__init__.py" and deeper


def room(module: str) -> str:
    """The folder in its layer that a module lies in, or its own name where it lies in none."""
    return module.split(".")[1] if "." in module else module


def allowed(layer: str) -> dict[str, set[str]]:
    """What each room of a layer may import, all the way down the arrows."""
    arrows: dict[str, set[str]] = {}
    for chain in filter(None, ARROWS[layer].split(";")):
        steps = [[name.strip() for name in step.split(",")] for step in chain.split("->")]
        for above, below in itertools.pairwise(steps):
            for name in above:
                arrows.setdefault(name, set()).update(below)
    return {name: reachable(name, arrows) for name in arrows}


def reachable(name: str, arrows: dict[str, set[str]]) -> set[str]:
    below = arrows.get(name, set())
    return below.union(*(reachable(other, arrows) for other in below))


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down_only(layer: str) -> None:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    for name, imported in imports():
        if name.split(".")[0] == layer:
            assert imported.split(".")[0] not in above, f"{name} imports {imported}"


def test_the_address_for_others_is_for_others() -> None:
    for name, file in MODULES.items():
        assert "stagelift.testing" not in imported_names(syntax(file)), name


@pytest.mark.parametrize("layer", ["evals", "reports", "harness"])
def test_rooms_import_what_the_arrows_say(layer: str) -> None:
    arrows = allowed(layer)
    for name, imported in imports():
        same_layer = name.split(".")[0] == imported.split(".")[0] == layer
        here, there = room(name), room(imported)
        if not same_layer or here == there or name in ADDRESSES:
            continue
        may = arrows.get(here, set()) | EVERYONE_MAY_IMPORT.get(layer, set())
        assert there in may, f"{name} imports {imported}"


def test_no_module_imports_itself_through_others() -> None:
    arrows: dict[str, set[str]] = {}
    for name, imported in imports():
        arrows.setdefault(name, set()).add(imported)
    for name in arrows:
        seen, waiting = set(), list(arrows[name])
        while waiting:
            if (module := waiting.pop()) not in seen:
                seen.add(module)
                waiting += arrows.get(module, ())
        assert name not in seen, f"{name} imports itself through others"


def test_reports_read_records_and_pure_functions_of_them_only() -> None:
    rooms = {
        "records",
        "contract",
        "files",
        "folders",
        "hashes",
        "printed",
        "stats",
        "metrics",
        "nearest",
        "votes",
    }
    for name, imported in imports():
        layer, _, rest = imported.partition(".")
        if name.startswith("reports.") and layer == "stages":
            # signs of illness are read off logged rows, again where an earlier version did not
            assert rest in ("records", "folders") or rest.startswith("health."), (
                f"{name} imports {imported}"
            )
        if name.startswith("reports.") and layer == "evals":
            is_passport = imported == "evals.judges.passport"
            assert room(imported) in rooms or is_passport, f"{name} imports {imported}"


def test_modules_are_imported_by_the_name_that_is_installed() -> None:
    for name, file in MODULES.items():
        for imported in imported_names(syntax(file)):
            assert imported.split(".")[0] not in ["", *LAYERS], f"{name} imports {imported}"


def test_an_import_is_seen_however_it_is_written() -> None:
    def imported(source: str) -> set[str]:
        return imported_names(ast.parse(source))

    assert imported("import stagelift.harness.run") == {"stagelift.harness.run"}
    assert imported("def f():\n    from a import b") == {"a", "a.b"}
    assert imported("if TYPE_CHECKING:\n    from a.b import c, d") == {"a.b", "a.b.c", "a.b.d"}
    assert imported("from . import b") == {".", "..b"}
    assert imported("from ..a import b") == {"..a", "..a.b"}
    assert imported("importlib.import_module('a.b')") == {"a.b"}


def test_every_folder_with_modules_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {name for name, file in MODULES.items() if file.name == "__init__.py"}
    packages = {"stagelift", *(f"stagelift.{name}" for name in folders)}
    assert set(project["tool"]["setuptools"]["packages"]) == packages


@pytest.mark.parametrize(
    "module",
    [
        "harness.cli",
        "reports.formats.document",
        "reports.formats.terminal",
        "reports.formats.markdown",
        "evals.records",
        "harness.importing",
    ],
)
def test_light_modules_do_not_import_torch(module: str) -> None:
    heavy = "'torch' in sys.modules or 'transformers' in sys.modules"
    code = f"import sys, stagelift.{module}; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_help_waits_for_no_heavy_import() -> None:
    heavy = "{'torch', 'numpy', 'scipy', 'pydantic', 'yaml', 'datasets'}"
    code = f"import sys, stagelift.harness.cli; print(*sorted({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_module_says_what_it_is() -> None:
    for name, file in MODULES.items():
        assert ast.get_docstring(syntax(file)), name


def test_models_are_loaded_in_one_place() -> None:
    for name, file in MODULES.items():
        if name != "evals.models.pretrained":
            assert not loaders(syntax(file)), f"{name}: {loaders(syntax(file))}"


def loaders(tree: ast.Module) -> set[str]:
    """Return the names of transformers and peft in a file that load or build a model."""
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.alias)}
    by_name = {"from_pretrained", "from_config", "pipeline"}
    return {name for name in names if name in by_name or name.startswith("Auto")}


def test_a_loader_is_seen_however_it_is_reached() -> None:
    assert loaders(ast.parse("def f():\n    from transformers import AutoConfig")) == {"AutoConfig"}
    assert loaders(ast.parse("transformers.AutoModel")) == {"AutoModel"}
    assert loaders(ast.parse("PeftModel.from_pretrained(base, folder)")) == {"from_pretrained"}
    assert loaders(ast.parse("from transformers import TrainerCallback")) == set()


# who names what lies in a folder of runs; in a module, this much of a path is a file's name
OWNERS = {"evals.models.adapters", "evals.folders", "stages.folders", "reports.folders"}
NAMES = {
    "adapter",
    "adapter_config.json",
    "answers.jsonl",
    "checkpoints",
    "evals",
    "generations.jsonl",
    "judge.json",
    "judges",
    "launch",
    ".lock",
    "node.json",
    "nodes",
    "pairs.jsonl",
    "passport.json",
    "recipe.yaml",
    "report.html",
    "report.json",
    "report.md",
    "result.json",
    "run.json",
    "scores.jsonl",
    "stage.json",
    "tasks",
    "timings.jsonl",
    "training.jsonl",
    "verdicts.jsonl",
}

ALSO_CALLED_SO = {
    # the lock of a file of answers is called after it
    "evals.judges.openai": {".lock"},
    # lm-eval's own folder
    "evals.data.gsm8k": {"tasks"},
    # a folder of runs is told from results of other tools, in a layer below its owner
    "evals.imports.sources": {"nodes"},
    "evals.lm_eval.verifiers": {"tasks"},
    # the template
    "reports.formats.html": {"report.html"},
}


def paths_built(file: Path) -> Iterator[str]:
    """Every string that a module puts into a path: after `/`, in Path(...), or with an ending."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from strings([node.left, node.right])
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in ("Path", "PurePosixPath", "joinpath", "with_name", "glob", "rglob"):
                yield from strings(node.args)
        if isinstance(node, ast.Constant) and "." in str(node.value):
            yield from strings([node])


def strings(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.split("/")


def test_only_their_owners_name_the_files_of_a_run() -> None:
    for name, file in MODULES.items():
        spelled = NAMES.intersection(paths_built(file)) - ALSO_CALLED_SO.get(name, set())
        assert name in OWNERS or not spelled, f"{name} spells {sorted(spelled)}"


def test_every_name_of_a_file_has_an_owner() -> None:
    owned = {name for owner in OWNERS for name in paths_built(MODULES[owner])}
    forms = {f"report.{form}" for form in ("html", "json", "md")}
    assert {name for name in NAMES if "." in name} - forms <= owned
