"""How help is written: the commands in groups, plain words for what is to be put in, and examples
that can be copied.
"""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

# what Typer writes of numbers that have bounds, and what people say
_RANGES = (
    (re.compile(r"(\d+)<=x<=(\d+)"), r"\1 to \2"),
    (re.compile(r"x>=(\d+)"), r"at least \1"),
)

_IN_QUOTES = "A value with a space in it stands in quotes: --margin 'length_tokens=10 both'."


class Command(TyperCommand):
    """A command whose help names what it takes in plain words, and ends with its examples."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if "extra argument" in getattr(error, "message", ""):
                error.message = f"{error.message}. {_IN_QUOTES}"  # type: ignore[attr-defined]  # seen above
            raise

    def collect_usage_pieces(self, _: Any) -> list[str]:
        taken = [param for param in self.params if param.param_type_name == "argument"]
        return ["[OPTIONS]", *map(_in_usage, taken)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        params = self.get_params(ctx)
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            named = [param for param in params if param.param_type_name == kind]
            if named:
                with formatter.section(title):
                    formatter.write_dl([_row(param, ctx) for param in named])

    def format_epilog(self, _: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


class Group(TyperGroup):
    """Commands under the titles of their groups, in the order in which they were added."""

    def format_commands(self, _: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title in dict.fromkeys(map(_title, self.commands.values())):
            with formatter.section(title):
                # all groups have one column
                formatter.write_dl(
                    [
                        (f"{name:{width}}", command.get_short_help_str(formatter.width))
                        for name, command in self.commands.items()
                        if _title(command) == title
                    ]
                )

    def format_epilog(self, _: Any, formatter: Any) -> None:
        _write_examples(self.epilog, formatter)


def _in_usage(param: Any) -> str:
    name = str(param.metavar)
    return name if param.required or name.endswith("...") else f"[{name}]"


def _row(param: Any, ctx: Any) -> tuple[str, str]:
    """Say what an option or argument is called and takes, and what it is for."""
    written, said = param.get_help_record(ctx)
    for pattern, words in _RANGES:
        said = pattern.sub(words, said)
    if param.param_type_name == "argument":
        # the line of usage says which are required
        return str(param.metavar), said.replace("  [required]", "")
    return written.replace("<", "").replace(">", ""), said


def _title(command: Any) -> str:
    """Return the title that a command is listed under."""
    panel = command.rich_help_panel
    return panel if isinstance(panel, str) else "Commands"


def _write_examples(lines: str | None, formatter: Any) -> None:
    """Write them as they are: a command that is broken cannot be copied."""
    if lines:
        with formatter.section("Examples"):
            for line in lines.splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
