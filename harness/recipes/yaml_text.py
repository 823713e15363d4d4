"""YAML as users write it: recipes, files of gates and the values of `--set` are all read here.

Numbers are those of YAML 1.2 (`1e-3` is one), a date is text, every key is text and stands once,
and `<<` merges. What comes out are plain dicts, lists and scalars, of which no two are the same
object: a change in one place is no change in another.
"""

import copy
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stagelift.evals.bounded_text import read_text
from stagelift.harness.errors import UsageError

# far above any recipe, far below what a few lines of aliases can stand for
_MOST_VALUES = 100_000
# of a text as it is written: PyYAML takes a second for half as many
_MOST_WRITTEN = 20_000
_LARGEST_BYTES = 1 << 20
_DEEPEST = 50
_STANDARD = "tag:yaml.org,2002:"
_BASES = {"0x": 16, "0o": 8}
# what 64 bits hold
_LARGEST = {"int": 2**63, "float": math.inf}
# by what PyYAML says; the first that fits counts
_REMEDIES = {
    "'\\t'": "There is a tab: YAML is indented with spaces. Replace each tab by two spaces",
    "escape": "In double quotes a backslash begins an escape. Write a path in single quotes, "
    "'C:\\data\\new.jsonl', or with slashes: C:/data/new.jsonl",
    "mapping values are not allowed": "Two keys stand on one line, the line above lacks the space "
    "after its colon, a key is indented further than the one above, or a text with `: ` in it "
    "lacks its quotes",
    "could not find expected ':'": "A key needs a colon and a space after it, such as `name: mine`",
    "expected <block end>": "A line is not indented as those beside it. Keys of one section begin "
    "in one column",
    "but found '<stream end>'": "A bracket, brace or quote is not closed",
    "while scanning a quoted scalar": "A quote is not closed",
    "flow": "A bracket or brace is not closed, or a comma is missing",
    "'%'": "Put a text that begins so in quotes",
    "cannot start any token": "Put a text that begins so in quotes",
}


def read_yaml(text: str, where: str) -> Any:
    """Read YAML. Raises UsageError in a sentence that begins with `where` the text is from."""
    try:
        loader = _Loader(text)
        node = _composed(loader)
        return None if node is None else _Values(loader).value(node)
    except _RefusedError as refused:
        place = f"{where}, line {refused.line}" if "\n" in text else where
        raise UsageError(f"{place}: {refused}") from refused
    except yaml.YAMLError as error:
        raise UsageError(f"{where} is not valid YAML: {_problem(error)}.") from error


def _composed(loader: "_Loader") -> yaml.Node | None:
    """Return the one node of a text. PyYAML says of an escape beyond Unicode what Python does."""
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError):
        problem = "an escape stands for no character of Unicode, whose last is \\U0010FFFF"
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=loader.get_mark()) from None


def read_yaml_file(path: Path, where: str) -> Any:
    """Read a YAML file. Raises UsageError, in a sentence that begins with `where`."""
    return read_yaml(read_yaml_text(path), where)


def read_yaml_text(path: Path) -> str:
    """Read the text of a YAML file. Raises UsageError, in a sentence that names it."""
    try:
        return read_text(path, _LARGEST_BYTES)
    except ValueError as error:
        raise UsageError(str(error)) from error


def line_of(text: str, place: Sequence[int | str]) -> int | None:
    """Return the line on which the value of nested keys and positions begins, with its key.

    What is not there is where the last thing is that is; None where nothing is. A name in the
    place that is no key, such as that of a section's kind, is passed over.
    """
    try:
        node = _composed(_Loader(text))
    except (yaml.YAMLError, _RefusedError):
        return None
    line = None
    for part in place:
        found = _below(node, part)
        if found is None:
            continue
        line, node = found
    return line


def _below(node: yaml.Node | None, part: int | str) -> tuple[int, yaml.Node] | None:
    """Return the line of a part of a node, and the part."""
    match node:
        case yaml.SequenceNode() if isinstance(part, int) and part < len(node.value):
            item = node.value[part]
            return item.start_mark.line + 1, item
        case yaml.MappingNode():
            for key, value in node.value:
                if key.value == part:
                    return key.start_mark.line + 1, value
            # a stage, a judge or an engine stands under its kind
            if len(node.value) == 1 and isinstance(node.value[0][1], yaml.MappingNode):
                return _below(node.value[0][1], part)
    return None


def write_yaml(content: dict[str, Any]) -> str:
    """Write content so that `read_yaml`, and a reader of YAML 1.1, read the same again."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False)


def as_yaml_holds_it(content: Any, where: str) -> Any:
    """Copy content that Python hands over. Raises UsageError where a number in it is one that no
    YAML of ours can hold.
    """
    match content:
        case Mapping():
            return {key: as_yaml_holds_it(content[key], f"{where}, {key}") for key in content}
        case list():
            return [as_yaml_holds_it(item, where) for item in content]
        case int() | float() if not abs(content) < _LARGEST[_kind(content)]:
            raise UsageError(f"{where}: what stands there is no number that 64 bits hold.")
    return copy.deepcopy(content)


def _kind(number: float) -> str:
    return "int" if isinstance(number, int) else "float"


class _RefusedError(Exception):
    """YAML that cannot be part of a recipe: a sentence, and the line it is about."""

    def __init__(self, node: yaml.Node, sentence: str) -> None:
        super().__init__(sentence)
        self.line = node.start_mark.line + 1


class _Loader(yaml.SafeLoader):
    """PyYAML as far as it makes nodes of a text: with the scalars below, and not without end."""

    yaml_implicit_resolvers: dict[str, Any] = {}
    depth = 0
    written = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        self.written += 1
        if self.written > _MOST_WRITTEN:
            raise yaml.YAMLError(f"it holds more than {_MOST_WRITTEN:,} keys and values")
        if self.depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} deep")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode) and not node.value.isascii():
            node.value = _unicode(node)
        self.depth -= 1
        return node


def _unicode(node: yaml.ScalarNode) -> str:
    """Join the surrogate pairs of a text, as JSON escapes them. Half of one is refused."""
    try:
        return str(node.value.encode("utf-16", "surrogatepass").decode("utf-16"))
    except UnicodeDecodeError:
        raise _RefusedError(
            node, "There is half of a surrogate pair, which is no text. Leave it out."
        ) from None


class _Dumper(yaml.SafeDumper):
    """PyYAML's writer, which quotes text that looks like a scalar below."""


_SCALARS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF",
    "int": r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}
for _name, _pattern in _SCALARS.items():
    for _reader in (_Loader, _Dumper):
        _reader.add_implicit_resolver(f"{_STANDARD}{_name}", re.compile(f"^(?:{_pattern})$"), None)


class _Values:
    """Makes values of nodes."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.count = 0
        self.depth = 0

    def value(self, node: yaml.Node) -> Any:
        """Return the value of a node; an alias stands for a value of its own."""
        self.count += 1
        self.depth += 1
        if self.count > _MOST_VALUES:
            raise _RefusedError(node, f"With its aliases it stands for over {_MOST_VALUES} values.")
        if self.depth > _DEEPEST:
            raise _RefusedError(node, f"With its aliases it is nested over {_DEEPEST} deep.")
        if isinstance(node, yaml.ScalarNode):
            value = self._scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            self._expect(node, f"{_STANDARD}seq")
            value = [self.value(item) for item in node.value]
        else:
            value = self._mapping(node)
        self.depth -= 1
        return value

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        """Return a mapping. Its own keys win over those that `<<` merges into it."""
        self._expect(node, f"{_STANDARD}map")
        own: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        for key_node, value_node in node.value:
            if key_node.tag == f"{_STANDARD}merge" and merged is None:
                merged = self._merged(value_node)
                continue
            key = self._key(key_node)
            if key in own:
                raise _RefusedError(
                    key_node, f"The key '{_short(key)}' is given twice. Keep one of them."
                )
            own[key] = self.value(value_node)
        return {**(merged or {}), **own}

    def _merged(self, node: yaml.Node) -> dict[str, Any]:
        """Return what `<<` merges: a mapping, or a list of them of which earlier ones win."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in reversed(sources):
            if not isinstance(source, yaml.MappingNode):
                raise _RefusedError(source, "`<<` merges mappings only, such as: <<: *defaults.")
            merged.update(self.value(source))
        return merged

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _RefusedError(node, "A key is a list or a mapping. Keys are text.")
        if node.tag == f"{_STANDARD}merge":
            raise _RefusedError(node, "`<<` is given twice. Merge a list: <<: [*one, *another].")
        if node.tag != f"{_STANDARD}str":
            raise _RefusedError(
                node,
                f"The key {_short(node.value) or 'that is empty'} is not text. Write it in quotes.",
            )
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if node.tag == f"{_STANDARD}str":
            return text
        tag = self.loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # untyped in the stubs
        self._expect(node, tag)
        match node.tag.removeprefix(_STANDARD):
            case "null":
                return None
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "int" | "float" as kind:
                return _number(node, kind)
            case _:
                raise _RefusedError(node, f"'{_short(text)}' is no value. Write it in quotes.")

    def _expect(self, node: yaml.Node, tag: str) -> None:
        """Refuse a tag that asks for anything but what stands there anyway."""
        if node.tag != tag:
            shown = _short(node.tag.replace(_STANDARD, "!!"))
            raise _RefusedError(node, f"The tag {shown} has no meaning here. Leave it out.")


def _number(node: yaml.ScalarNode, kind: str) -> float | int:
    digits = node.value.replace("_", "")
    try:
        number = int(digits, _BASES.get(digits[:2], 10)) if kind == "int" else float(digits)
    except ValueError:
        # `.inf`, `.nan`, or more digits than Python reads
        number = math.nan
    if abs(number) < _LARGEST[kind]:
        return number
    raise _RefusedError(node, f"{node.value[:20]} is no number that 64 bits hold.")


def _problem(error: yaml.YAMLError) -> str:
    """Say what PyYAML found in one line, without the excerpt that it draws."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        said = ", ".join(_short(part, 150) for part in (error.context, error.problem) if part)
        return f"{said} (line {error.problem_mark.line + 1}){_remedy(error)}"
    return _short(" ".join(str(error).split()), 300)


def _remedy(error: yaml.MarkedYAMLError) -> str:
    """Say what to write instead, of the mistakes that are made most."""
    problem, context = str(error.problem), str(error.context)
    for seen, remedy in _REMEDIES.items():
        if seen in problem or seen in context:
            return f". {remedy}"
    return ""


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
