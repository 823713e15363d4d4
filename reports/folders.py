"""A folder of runs, and the folder of one of them: what lies where, and under which name."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from stagelift.evals.files import read_numbered, write_numbered
from stagelift.evals.folders import JudgesFolder
from stagelift.evals.hashes import MISSING, Damage, damages_of_sealed
from stagelift.evals.nearest import did_you_mean
from stagelift.reports.run_file import SCHEMA, RunFile, with_what_is_not_stored
from stagelift.stages.folders import NODE_FILE, NodeFolder

_NODES, _JUDGES, _LOCK = "nodes", "judges", ".lock"
_RUN_FILE = "run.json"
# a second, where it is much; what is more is left to `stagelift verify`
_HASHED_AT_ONCE = 500_000_000
# what runs share lies beside them, so no run can be called so
RESERVED_NAMES = (_NODES, _JUDGES)


@dataclass(frozen=True)
class RunsFolder:
    """Nodes, each named by what it is, and runs, which refer to them."""

    root: Path

    @property
    def nodes(self) -> Path:
        """The folder of all nodes."""
        return self.root / _NODES

    @property
    def judges(self) -> JudgesFolder:
        """The folder of what is known of judges."""
        return JudgesFolder(self.root / _JUDGES)

    @property
    def lock_file(self) -> Path:
        """The file that is locked while runs say which nodes they need, or nodes are deleted."""
        return self.root / _LOCK

    def node(self, name: str) -> NodeFolder:
        """Return the folder of a node."""
        return NodeFolder(self.nodes / name)

    def described_nodes(self) -> list[NodeFolder]:
        """Return the folders of all nodes that say what they are."""
        return [NodeFolder(file.parent) for file in sorted(self.nodes.glob(f"*/{NODE_FILE}"))]

    def run(self, name: str) -> "RunFolder":
        """Return the folder of a run."""
        return RunFolder(self.root / name)

    def runs(self) -> list["RunFolder"]:
        """Return the folders of all runs, passing over those that cannot be entered."""
        return [RunFolder(file.parent) for file in sorted(self.root.glob(f"*/{_RUN_FILE}"))]

    def beside_nodes(self) -> Iterator["RunFolder"]:
        """Yield every folder that may be a run's, also one that cannot be entered."""
        for path in sorted(self.root.iterdir()) if self.root.is_dir() else ():
            if path.name not in RESERVED_NAMES:
                yield RunFolder(path)

    def check_is_folder(self) -> None:
        """Raise ValueError where a file stands in the place of this folder."""
        if self.root.exists() and not self.root.is_dir():
            raise ValueError(
                f"{self.root} is a file, so runs cannot lie in it. Give --runs a folder."
            )

    @property
    def option(self) -> list[str]:
        """The words by which a command finds this folder; none where it looks here anyway."""
        return [] if str(self.root) == "runs" else ["--runs", str(self.root)]

    def relative(self, path: Path) -> str:
        """Write a path below this folder as run.json has it."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run: its recipe, `run.json`, and reports."""

    path: Path

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self.path.name

    @property
    def runs(self) -> RunsFolder:
        """The folder that this run lies in, with the nodes it refers to."""
        return RunsFolder(self.path.parent)

    @property
    def file(self) -> Path:
        """The file that makes a folder a run."""
        return self.path / _RUN_FILE

    @property
    def recipe(self) -> Path:
        """The recipe as it was written, without what it leaves to defaults."""
        return self.path / "recipe.yaml"

    @property
    def lock_file(self) -> Path:
        """The file that is locked by the process which writes the run."""
        return self.path / _LOCK

    @property
    def tensorboard(self) -> Path:
        """The folder to start TensorBoard on."""
        return self.path / "tensorboard"

    @property
    def trackers(self) -> Path:
        """The file that says what trackers have been given."""
        return self.path / "trackers.json"

    @property
    def trackers_log(self) -> Path:
        """The file of everything that trackers' libraries print."""
        return self.path / "trackers.log"

    def report(self, form: str) -> Path:
        """The report in a format: `md`, `html` or `json`."""
        return self.path / f"report.{form}"

    def is_run(self) -> bool:
        """Say whether there is a run in this folder."""
        return self.file.is_file()

    def check_is_run(self) -> None:
        """Raise ValueError where there is no run in this folder."""
        if not self.is_run() and self.damages():
            raise ValueError(f"{self.file} {MISSING}. {self.what_else()}")
        if not self.is_run():
            raise ValueError(self.no_run())

    def no_run(self) -> str:
        """Say, in sentences, that this is no run, and which one is near."""
        why = f"it has no {self.file.name}" if self.path.exists() else "there is no such folder"
        others = [run.name for run in self.runs.runs() if run.name != self.name]
        near = did_you_mean(self.name, others)
        listed = shlex.join(["stagelift", "runs", *self.runs.option])
        return f"{self.path} is not a run: {why}.{near} `{listed}` lists the runs there are."

    def read(self) -> RunFile:
        """Read `run.json`. Raises ValueError, in a sentence, where it cannot be read."""
        return read_numbered(self.file, RunFile, SCHEMA, with_what_is_not_stored)

    def damages(self) -> list[Damage]:
        """Say whether `run.json` is what was written; it comes before the recipe beside it."""
        if not self.is_run():
            return [Damage(self.file, MISSING)] if self.recipe.exists() else []
        return damages_of_sealed(self.file, self.read)

    def damaged_adapters(self) -> list[Damage]:
        """Return which adapters' files are not what was written, as far as hashing them takes no
        time; `stagelift verify` looks at all.
        """
        nodes = [NodeFolder(self.runs.root / stage.node) for stage in self.read().stages]
        sizes = [file.stat().st_size for node in nodes for file in node.adapter.glob("*.*")]
        if sum(sizes) > _HASHED_AT_ONCE:
            return []
        return [damage for node in nodes for damage in node.damages_of_adapter()]

    def remedy(self) -> str:
        """Say what to do where something that belongs to the run is damaged."""
        if not self.recipe.exists() and self.damages():
            delete = shlex.join(["stagelift", "delete", self.name, *self.runs.option])
            return f"Take it away with `{delete}`, and import its files again."
        if not self.recipe.exists():
            return "Import its files again under this name, which writes it anew."
        words = ["stagelift", "run", str(self.recipe), *self.runs.option, "--repair"]
        return f"What is damaged is made again by: {shlex.join(words)}"

    def what_else(self) -> str:
        """Say the same, and before it how to see all that is damaged."""
        verify = shlex.join(["stagelift", "verify", self.name, *self.runs.option])
        return f"All that is damaged is listed by: {verify}. {self.remedy()}"

    def read_recipe(self) -> str:
        """Read the recipe's text; "" where there is none, as of imported runs."""
        return self.recipe.read_text(encoding="utf-8") if self.recipe.exists() else ""

    def write(self, run: RunFile) -> None:
        """Write `run.json`, after the nodes that it refers to."""
        write_numbered(self.file, run.stored(), SCHEMA)


def place_in_runs(folder: PurePath) -> str:
    """Return the part of a path from `nodes` on; empty for what lies elsewhere."""
    parts = folder.parts
    if _NODES not in parts:
        return ""
    return "/".join(parts[len(parts) - parts[::-1].index(_NODES) - 1 :])
