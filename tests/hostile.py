"""Thirty texts that would act somewhere, and records in which any field is one of them."""

import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\",
    "\x9b2J\x9d0;title\x9c",
    "\x00\x08\x0b\x0c\x7f\x85",
    "over\rwritten",
    "new\nline\r\n\ttab",
    "\n::error file=a.py,line=1::no\n::set-output name=a::b",
    "\n##[error]no ##vso[task.complete result=Succeeded;]",
    "a\u202egnp.exe\u202c\u2066b\u2069\u200f",
    "zero\u200bwidth\u2060\ufeff\u00ad\u034f\u3164",
    "tags\U000e0068\U000e0069 \u2028line\u2029",
    "\ud800lone\udc9b\udcff",
    "\ufffe\uffff\U0001fffe\ufdd0\ue000",
    "<script>window.hacked = 1; alert(1)</script>",
    "</script><img src=x onerror=window.hacked=1><!--<script>",
    "\"'><svg onload=window.hacked=1 x=`",
    "]]><!ENTITY x SYSTEM 'file:///etc/passwd'>&x;&#x1b;",
    "{{ 7 * 7 }}{% raw %}${window.hacked=1}%s%(a)s\\u003c",
    "| a | b\n| :- | :- |\n| c | d |",
    "```\n# heading\n~~~\n</details>\n***\n- item",
    "[a](javascript:alert(1)) ![i](http://example.org/i.png) <http://example.org>",
    "@octocat @org/team user@example.org #123 GH-123 owner/repo#1 owner/repo@0123abc",
    "http://example.org HTTPS://EXAMPLE.org www.example.org ftp://example.org mailto:a@example.org",
    "$x^2$ $$y$$ :+1: :smile: ~~gone~~ <b>&lt;&#64;octocat 0123456789abcdef0123456789abcdef0123",
    "---\nlicense: mit\n---\n- !!python/object/apply:os.system [true]\n&a [*a]",
    "[red]markup[/red] [link=http://example.org]x[/link] [@click=app.bell]y[/]",
    "\\input{/etc/passwd} $x$ % # & _ ^ ~ {",
    '=HYPERLINK("http://example.org") ,+1-1@SUM(A1)',
    '../../etc/passwd\\..\\con:*?"<>| .',
]

Change = Callable[[str, str], str]


def paths(value: Any) -> list[str]:
    """List where strings stand in a record, each kind of place once."""
    found: dict[str, None] = {}

    def note(path: str, text: str) -> str:
        found[path] = None
        return text

    changed(value, note)
    return list(found)


def changed(value: Any, change: Change, path: str = "", hint: object = str) -> Any:
    """Return a record in which every string that may be any is `change` of its path and itself."""
    if isinstance(value, str):
        return value if _is_of_words(hint) else change(path, value)
    if isinstance(value, BaseModel) or (is_dataclass(value) and not isinstance(value, type)):
        return _changed_record(value, change, path)
    if isinstance(value, Mapping):
        return _changed_mapping(value, change, path, hint)
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(changed(each, change, f"{path}[]", hint) for each in value)
    return value


def _changed_record(value: Any, change: Change, path: str) -> Any:
    found = {
        name: changed(getattr(value, name), change, f"{path}.{name}", hint)
        for name, hint in _fields(type(value)).items()
    }
    if isinstance(value, BaseModel):
        # what a file may hold that pydantic would refuse is nothing a record holds
        return value.model_copy(update=found)
    return replace(value, **found)


def _changed_mapping(value: Mapping[Any, Any], change: Change, path: str, hint: object) -> Any:
    """Change keys too; of settings each has a place of its own and is still there under its key, of
    rows all have one place.
    """
    rows = all(isinstance(each, BaseModel | Mapping | float) for each in value.values())
    new = {}
    for key, each in value.items():
        changed_each = changed(each, change, f"{path}{{}}" if rows else f"{path}.{key}", hint)
        if not rows:
            new[key] = changed_each
        new[changed(key, change, f"{path}{{}}", hint)] = changed_each
    return new


@functools.cache
def _fields(kind: type) -> dict[str, object]:
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def _is_of_words(hint: object) -> bool:
    """Say whether a type is of given words: then nothing else can be read from a file."""
    if get_origin(hint) is typing.Literal:
        return True
    parts = get_args(hint)
    is_union = get_origin(hint) in (Union, types.UnionType)
    return any(map(_is_of_words, parts)) if is_union or parts else False


def groups(record: Any) -> list[set[str]]:
    """Join the places that hold the same text somewhere: what is called by a name there."""
    joined: list[tuple[set[str], set[str]]] = []

    def note(path: str, text: str) -> str:
        if text:
            held.setdefault(path, set()).add(text)
        return text

    held: dict[str, set[str]] = {}
    changed(record, note)
    for path, texts in held.items():
        apart = [each for each in joined if not each[1] & texts]
        same = [each for each in joined if each[1] & texts]
        places, all_texts = {path}, set(texts)
        for more_places, more_texts in same:
            places |= more_places
            all_texts |= more_texts
        joined = [*apart, (places, all_texts)]
    return [places for places, _ in joined]
