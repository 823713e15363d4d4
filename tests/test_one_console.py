"""There is one way to print: streams and a console that clean. No module has another."""

import ast
from pathlib import Path

from stagelift.reports.formats.console import Console, Text
from tests.sources import MODULES, syntax

# by them the command's streams are written to, which are cleaned; `say` cleans by itself
MAY_CALL = {
    "print": {"harness.locks", "harness.progress"},
    "typer.echo": {"harness.commands", "harness.cli"},
    "typer.confirm": {"harness.commands"},
    # to a worker's log
    "traceback.print_exc": {"harness.workers", "harness.trackers"},
}
MAY_IMPORT = {
    "rich.console.Console": {"reports.formats.console"},
    "rich.text.Text": {"reports.formats.console"},
    "rich.print": set[str](),
    "rich.markup": set[str](),
    "rich.markdown": set[str](),
}
WRITES = ("stdout.write", "stderr.write", "stdout.buffer", "stderr.buffer", "typer.secho")


def is_in(module: str, rooms: set[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def called(tree: ast.Module) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree: ast.Module) -> list[str]:
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_nobody_prints_past_the_streams_that_clean() -> None:
    for module, file in MODULES.items():
        for name in called(syntax(file)):
            assert is_in(module, MAY_CALL.get(name, {module})), f"{module} calls {name}"
            assert not name.endswith(WRITES), f"{module} calls {name}"


def test_everything_for_a_terminal_is_drawn_by_one_console() -> None:
    for module, file in MODULES.items():
        for name in imported(syntax(file)):
            assert is_in(module, MAY_IMPORT.get(name, {module})), f"{module} imports {name}"


def test_strings_and_texts_are_no_markup_and_no_code(tmp_path: Path) -> None:
    file = tmp_path / "said"
    with file.open("w", encoding="utf-8") as stream:
        console = Console(stream, width=80, force_terminal=True)
        console.print("[red]a[/red] [link=http://b]c[/link] :smile: \x1b[31m")
        console.print(Text("\u202ebold\x1b[0m", style="bold").append("\x07"))
    assert file.read_text("utf-8") == (
        "[red]a[/red] [link=http://b]c[/link] :smile: <U+001B>[31m\n"
        "\x1b[1m<U+202E>bold<U+001B>[0m<U+0007>\x1b[0m\n"
    )
