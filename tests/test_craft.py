"""Rules of craft that hold in every file: short functions, a reason for each broken rule."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.sources import every_file, place, syntax

LONGEST_FUNCTION = 50
IGNORE = re.compile(r"#\s*(noqa|type:\s*ignore|mypy:|ruff:|pragma)", re.IGNORECASE)
EXPLAINED_IGNORE = re.compile(
    r"# (noqa: [A-Z]+\d+(, [A-Z]+\d+)*|type: ignore\[[a-z-]+(, [a-z-]+)*\]) +[-#] +\S+ \S+"
)


def long_functions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of every function that is too long."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION:
                yield node.lineno, node.name


def compresses_with_time(node: ast.AST) -> bool:
    """Say whether a call of gzip.compress leaves the time in."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "gzip.compress":
        return False
    return all(keyword.arg != "mtime" for keyword in node.keywords)


def comments(source: str) -> dict[int, str]:
    """Return the comments by line."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def unexplained_ignores(source: str) -> list[int]:
    """List the lines that tell a checker to look away and do not say why."""
    return [
        line
        for line, comment in comments(source).items()
        if IGNORE.match(comment) and not EXPLAINED_IGNORE.match(comment)
    ]


def unexplained_broad_handlers(source: str) -> list[int]:
    """List the lines that catch every error, go on, and have no comment on, above or below."""
    explained = {near for line in comments(source) for near in (line - 1, line, line + 1)}
    return [
        handler.lineno
        for handler in ast.walk(ast.parse(source))
        if isinstance(handler, ast.ExceptHandler)
        and catches_everything(handler)
        and not raises_the_same(handler)
        and handler.lineno not in explained
    ]


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def raises_the_same(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_function_is_longer_than_a_screen() -> None:
    for file in every_file():
        for line, name in long_functions(syntax(file)):
            raise AssertionError(f"{place(file, line)} {name} is over {LONGEST_FUNCTION} lines")


def test_every_ignore_says_why() -> None:
    for file in every_file():
        for line in unexplained_ignores(file.read_text(encoding="utf-8")):
            raise AssertionError(f"{place(file, line)}: a reason is missing after the code")


def test_every_broad_except_says_why() -> None:
    for file in every_file():
        for line in unexplained_broad_handlers(file.read_text(encoding="utf-8")):
            raise AssertionError(f"{place(file, line)}: say what is caught here, in a comment")


def test_nothing_is_compressed_with_the_time_in_its_bytes() -> None:
    # parametrised bytes name a test, and workers of pytest-xdist must agree on names
    for file in every_file():
        if any(map(compresses_with_time, ast.walk(syntax(file)))):
            raise AssertionError(f"{place(file, 1)}: give gzip.compress its mtime")


def test_a_function_of_51_lines_is_too_long() -> None:
    longest = "def f():\n" + "    x = 1\n" * 49
    assert list(long_functions(ast.parse(longest))) == []
    assert list(long_functions(ast.parse(f"{longest}    x = 1\n"))) == [(1, "f")]
    inside = "class A:\n    async def f(self):\n" + "        x = 1\n" * 50
    assert list(long_functions(ast.parse(inside))) == [(2, "f")]


def test_an_ignore_needs_its_code_and_a_reason() -> None:
    good = (
        "x = 1  # noqa: E501 - a row is a line\ny = x  # type: ignore[misc]  # untyped upstream\n"
    )
    assert unexplained_ignores(good) == []
    bad = "x = 1  # noqa\ny = x  # noqa: E501\nz = x  # type: ignore\nz = x  # type: ignore[misc]\n"
    assert unexplained_ignores(bad) == [1, 2, 3, 4]
    assert unexplained_ignores('x = "# noqa"\n') == []


def test_what_catches_everything_needs_a_comment_unless_it_raises_the_same() -> None:
    silent = "try:\n    x = 1\nexcept Exception:\n    x = 2\n"
    assert unexplained_broad_handlers(silent) == [3]
    assert unexplained_broad_handlers(silent.replace(" Exception", "")) == [3]
    assert unexplained_broad_handlers(silent.replace("Exception", "(OSError, BaseException)")) == [
        3
    ]
    assert unexplained_broad_handlers(silent.replace("Exception", "OSError")) == []
    assert unexplained_broad_handlers(silent.replace("x = 2", "raise")) == []
    assert unexplained_broad_handlers(silent.replace("x = 2", "raise ValueError from None")) == [3]
    assert unexplained_broad_handlers(silent.replace("x = 2", "# it may\n    x = 2")) == []
