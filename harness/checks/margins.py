"""The margins that count in a check, each with where it was declared: the baseline's, a file's and
the command's, never the candidate's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.yaml_text import read_yaml_file
from stagelift.reports.gates.check import defaults
from stagelift.reports.gates.margins import (
    Margin,
    Tier,
    in_tiers,
    read_margins,
    read_tiers,
    refuse_fractions,
)
from stagelift.reports.gates.scores import StageScores


@dataclass(frozen=True)
class Asked:
    """What a file of gates and the command ask for."""

    margins: list[Margin]
    tiers: dict[str, Tier]


def read_asked(gates: Path | None, written: Mapping[str, object]) -> Asked:
    """Read a file of gates, and margins as the command has them, which count above it.

    Raises UsageError or ValueError, in a sentence.
    """
    content = {} if gates is None else _gates_file(gates)
    in_file = _gates_in(content, gates)
    refuse_fractions(in_file)
    refuse_fractions(written)
    margins = [
        *read_margins(in_file, given_by=gates.name if gates else ""),
        *read_margins(written, given_by="--margin"),
    ]
    return Asked(margins, read_tiers(content.get("tiers") or {}))


def merged(declared: Sequence[Margin], asked: Asked, baseline: StageScores) -> list[Margin]:
    """Put what is asked for above what the baseline declares; where neither has a margin, the
    default ones of the baseline's metrics count.
    """
    margins = {margin.metric: margin for margin in declared}
    for margin in asked.margins:
        before = margins.get(margin.metric, margin)
        margins[margin.metric] = replace(margin, tier=before.tier)
    return in_tiers(list(margins.values()) or defaults(baseline), asked.tiers)


def written_margins(options: Sequence[str]) -> dict[str, str]:
    """Take `--margin accuracy=2` apart. Raises UsageError, in a sentence."""
    margins = {}
    for text in options:
        metric, equals, size = text.partition("=")
        if not equals:
            raise UsageError(f"--margin {text!r} has no value. Write it as accuracy=2.")
        if metric.strip() in margins:
            raise UsageError(f"--margin says twice what '{metric.strip()}' may lose. Keep one.")
        margins[metric.strip()] = size.strip()
    return margins


def recipe_margins(recipe: Path | None, baseline: StageScores) -> list[Margin]:
    """Return the margins that a baseline's recipe declares; none where it has no recipe, as an
    import.
    """
    if recipe is None or not recipe.is_file():
        return []
    content = read_yaml_file(recipe, str(recipe))
    if not isinstance(content, dict):
        raise UsageError(f"{recipe} is not a recipe: expected keys such as name, model and stages.")
    gates = _gates_in({"gates": content.get("gates") or {}}, recipe)
    margins = read_margins(gates, given_by="baseline's recipe")
    tiers = read_tiers(content.get("tiers") or {})
    return in_tiers(margins or defaults(baseline), tiers) if margins or tiers else []


def _gates_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"--gates {path} does not exist.")
    if not path.is_file():
        raise UsageError(f"--gates {path} is not a file.")
    content = read_yaml_file(path, str(path))
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no gates. Write one metric a line, such as `accuracy: 2`.")
    return content


def _gates_in(content: Mapping[str, Any], path: Path | None) -> dict[str, object]:
    """Return the gates of a file: a section of their own, or all but the tiers."""
    if "gates" not in content and "stages" in content:
        raise UsageError(
            f"{path} is a recipe that declares no gates. Write `gates: {{accuracy: 2}}` in it, or "
            "name another file."
        )
    section = content.get("gates", {key: content[key] for key in content if key != "tiers"})
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise UsageError(f"The gates in {path} are {section!r}. Write them as {{accuracy: 2}}.")
    return section
