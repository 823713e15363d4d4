"""One report in every format, as it is kept in tests/golden to be read and compared.

To write it anew after a wanted change:

python -m tests.golden_report
"""

import io
import re
from pathlib import Path

from stagelift.evals.printed import PLAIN
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.document import render_json
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.formats.scoreboard import print_scoreboard
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report, build_report
from tests.records import make_chain, make_lattice, make_study

GOLDEN = Path(__file__).parent / "golden"


def golden_report() -> Report:
    """A chain of four stages over 60 problems with every outcome and every verdict but
    `extrapolated`.
    """
    base = "w" * 30 + "u" * 20 + "t" * 8 + "c" * 2
    sft = "c" * 20 + "w" * 10 + "c" * 15 + "w" * 5 + "t" * 2 + "c" * 6 + "wc"
    dpo = "c" * 21 + "w" * 9 + "c" * 15 + "w" * 5 + "c" * 8 + "wc"
    grpo = "w" * 21 + "w" * 9 + "c" * 15 + "w" * 5 + "t" * 8 + "wc"
    return build_report([make_chain(base=base, sft=sft, dpo=dpo, grpo=grpo)])


def golden_lattice() -> RunRecord:
    """Two stages that overlap: either brings 24 of 60 problems, both together 30."""
    base, one, other = (
        "w" * 40 + "t" * 20,
        "c" * 24 + "w" * 26 + "t" * 10,
        "w" * 10 + "c" * 24 + "w" * 6 + "t" * 20,
    )
    return make_lattice(base=base, sft=one, dpo=other, both="c" * 30 + "w" * 30)


def golden_variants() -> RunRecord:
    """Two ranks with three seeds each: one rank is worse with every seed, by less than what seeds
    do.
    """
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 60)}
    chains = []
    for variant, counts in (("r=4", (26, 31, 36)), ("r=16", (30, 36, 40))):
        for seed, right in enumerate(counts):
            slots = {"base": "base", "sft": f"{variant},seed={seed}/sft"}
            stages[slots["sft"]] = ("base", "c" * right + "w" * (60 - right))
            chains.append((variant, seed, slots))
    return make_study(stages, chains, reference="r=16")


def rendered(report: Report) -> dict[str, str]:
    """Return the text of each golden file.

    The page's styles, script and plots have tests of their own and are left out.
    """
    terminal = io.StringIO()
    print_report(report, Console(file=terminal, width=160))
    page = render_html(report).html
    for tag in ("style", "script", "svg"):
        page = re.sub(rf"<{tag}(?: [^>]*)?>.*?</{tag}>", f"<{tag}></{tag}>", page, flags=re.DOTALL)
    page = re.sub("'sha256-[^']*'", "'sha256-'", page)
    study = build_report([golden_variants()])
    return {
        "report.txt": _without_ends(terminal.getvalue()),
        "screen-80.txt": screen(report, 80),
        "screen-120.txt": screen(report, 120),
        "screen-study-80.txt": screen(study, 80),
        "screen-lattice-80.txt": screen(build_report([golden_lattice()]), 80),
        "report.md": render_markdown(report, "report.svg"),
        "summary.md": render_markdown_summary(report),
        "report.json": render_json(report),
        "report.html": page,
        "lattice.md": render_markdown(build_report([golden_lattice()])),
        "variants.md": render_markdown(study),
    }


def screen(report: Report, width: int, encoding: str = "utf-8") -> str:
    """Return what a terminal of so many columns shows."""
    shown = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=PLAIN)
    print_scoreboard(report, Console(file=shown, width=width))
    shown.seek(0)
    return _without_ends(shown.read())


def _without_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, text in rendered(golden_report()).items():
        (GOLDEN / name).write_text(text, encoding="utf-8", newline="\n")
