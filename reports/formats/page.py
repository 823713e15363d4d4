"""What every HTML page is made of: templates, styles and scripts that stand inside it.

A page's content security policy names its own script and style by hash and allows nothing else, so
text that a model wrote could not act even where it got through escaping.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from stagelift.evals.printed import safe_text, shown_name, without_commands
from stagelift.reports.numbers.verdicts import Decision

# bytes of a page that a browser still opens at once and a mail server still takes
LARGEST = 20_000_000
# what stands before a verdict, and the class of those that have a colour
MARKS: dict[Decision, str] = {
    "improved": "✓",
    "regressed": "✗",
    "longer": "↑",
    "shorter": "↓",
    "slower": "↑",
    "faster": "↓",
    "not after Holm": "◌",
    "no difference shown": "○",
    "identical": "=",
    "extrapolated": "~",
}
TONES: dict[Decision, str] = {"improved": "good", "regressed": "bad"}
TEMPLATES = Path(__file__).parent / "templates"


def page_template(name: str) -> Template:
    """Return a template that escapes all it is given; its filters `text` and `name` write text of
    others.
    """
    return _templates().get_template(name)


def page_source(*names: str) -> str:
    """Return files of the templates' folder, one after the other."""
    return "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)


def page_script(*names: str) -> str:
    """Return a page's JavaScript, in a scope of its own."""
    return f'"use strict";\n(() => {{\n{page_source(*names)}}})();\n'


def page_policy(script: str, style: str, *, loads_a_file: bool = False) -> str:
    """Allow this script and this style, nothing else.

    With a second file, 'strict-dynamic' lets this script load it, from a disk and from a server
    alike, and still no script that stands in the page.
    """
    dynamic = " 'strict-dynamic'" if loads_a_file else ""
    return (
        f"default-src 'none'; script-src {_hash(script)}{dynamic}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(marks=MARKS, tones=TONES)
    environment.filters["name"] = shown_name
    environment.filters["text"] = lambda text: without_commands(safe_text(text))
    return environment
