"""Rich's console and text, in which no text of others acts: not by codes, not by Rich's markup.

Everything that is drawn for a terminal is made of these two.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

import rich.console
import rich.text
from rich.segment import Segment

from stagelift.evals.printed import safe_text

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType
    from rich.containers import Lines
    from rich.style import StyleType

# an interval, a number with its name and a mark are not parted
_TOGETHER = re.compile(
    r"\[[^\s\[\]]{1,12}, [^\s\[\]]{1,12}\]|\bp [=<] \S+|\bn needed [\d,]+|\bMDE [\d.]+| †"
)
# no text has it: safe_text would have written it out
_JOINT = "\ue000"


def unbroken(text: str) -> str:
    """Return a text as wide, in which white space stands only where a line may be broken."""
    return _TOGETHER.sub(lambda found: found[0].replace(" ", _JOINT), text)


class Text(rich.text.Text):
    """Styled text that shows what could act in it, and is as wide as what is shown."""

    def __init__(self, text: str = "", style: "StyleType" = "", **given: Any) -> None:
        super().__init__(safe_text(text), style, **given)

    def append(self, text: "str | rich.text.Text", style: "StyleType | None" = None) -> "Text":
        super().append(safe_text(text) if isinstance(text, str) else text, style)
        return self

    def wrap(self, console: rich.console.Console, width: int, **given: Any) -> "Lines":
        """Break it into lines, but not within an interval."""
        joined = self.copy()
        joined.plain = unbroken(self.plain)
        lines = joined.wrap(console, width, **given)
        for line in lines:
            line.plain = line.plain.replace(_JOINT, " ")
        return lines


class Console(rich.console.Console):
    """A console on a file, which takes strings as they are."""

    def __init__(self, file: TextIO, width: int | None = None, **given: Any) -> None:
        super().__init__(
            file=file, width=width, markup=False, emoji=False, highlight=False, **given
        )

    def render_str(self, text: str, **given: Any) -> rich.text.Text:
        return super().render_str(safe_text(text), **given)

    def render(
        self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
    ) -> Iterable[Segment]:
        """Draw; what comes in another way, as what is printed beside a live table, cannot act."""
        # what is printed by itself was put into a text of Rich's own
        ours = _ours(renderable) if type(renderable) is rich.text.Text else renderable
        for segment in super().render(ours, options):
            yield segment if segment.control else _tame(segment)


def _ours(text: rich.text.Text) -> Text:
    kept = ("end", "justify", "overflow", "no_wrap", "tab_size")
    return Text(**{name: getattr(text, name) for name in kept}).append(text)


def _tame(segment: Segment) -> Segment:
    style = segment.style
    if style is not None and style.link is not None:
        style = style.update_link(None)
    return Segment(safe_text(segment.text), style)
