"""README's pictures, drawn from runs that are there: the quickstart, and docs/pictures/ranks.yaml.

python -m tests.pictures RUNS
"""

import io
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text
from typer.testing import CliRunner

from stagelift.evals.files import write_text
from stagelift.harness.cli import app
from stagelift.harness.outputs import load_report
from stagelift.reports.plots.scoreboard import scoreboard_pictures
from stagelift.reports.plots.standalone import standalone_svg
from tests.documents import ROOT

PICTURES = ROOT / "docs" / "pictures"
# a chain without its last stage, against the whole of it
CHECK = ["check", "quickstart", "--stage", "dpo", "--baseline", "main"]
COLUMNS = 100
# Rich's own frame without the fonts that it fetches
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>A terminal</title>
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def scoreboard(runs: Path, run: str) -> str:
    """Draw what a run's Markdown report has beside it."""
    pictures = scoreboard_pictures(load_report([runs / run]))
    assert pictures is not None, f"{run} has nothing to draw"
    return standalone_svg(pictures.wide)


def gate(runs: Path, baselines: Path) -> str:
    """Bless the quickstart, check it without its last stage, and draw what the terminal says."""
    places = ["--runs", str(runs), "--baselines", str(baselines)]
    _said(["baseline", "set", "quickstart", "--margin", "accuracy=2", *places], 0)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ stagelift {' '.join(CHECK)}", style="bold"))
    answer = Text(_said([*CHECK, *places], 1).rstrip())
    answer.highlight_words(["✗ regressed"], "bold red")
    console.print(answer)
    console.print(Text("$ echo $?\n1", style="bold"))
    drawn = console.export_svg(
        title="", theme=MONOKAI, code_format=FRAME, font_aspect_ratio=0.6, unique_id="gate"
    )
    return "\n".join(line.rstrip() for line in drawn.splitlines()) + "\n"


def _said(words: list[str], code: int) -> str:
    done = CliRunner().invoke(app, words, env={**os.environ, "COLUMNS": str(COLUMNS)})
    assert done.exit_code == code, done.output
    return done.output


if __name__ == "__main__":
    import tempfile

    folder = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        write_text(PICTURES / "gate.svg", gate(folder, Path(scratch)))
    for name in ("quickstart", "ranks"):
        if (folder / name).exists():
            write_text(PICTURES / f"{name}.svg", scoreboard(folder, name))
