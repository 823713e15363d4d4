"""A figure as SVG that a strict page takes in.

It has no styles and no scripts, fetches nothing, and is in the page's own colours and font.
"""

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stagelift.evals.printed import safe_text, without_commands
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import VARIABLES

if TYPE_CHECKING:
    from stagelift.reports.plots.canvas import Canvas

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# font-family is left out: text takes the page's
_PROPERTIES = {
    "fill",
    "fill-opacity",
    "font-size",
    "font-style",
    "font-weight",
    "opacity",
    "stroke",
    "stroke-dasharray",
    "stroke-dashoffset",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-miterlimit",
    "stroke-opacity",
    "stroke-width",
    "text-anchor",
}
_INITIAL = {
    "stroke-dashoffset": "0",
    "stroke-linecap": "butt",
    "font-weight": "400",
    "text-anchor": "start",
}


def finish(canvas: "Canvas", name: str, title: str, alt: str) -> Plot:
    """Make a plot of a drawing."""
    drawn = ElementTree.fromstring(_drawn(canvas))
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": drawn.attrib["viewBox"],
            "role": "img",
            "aria-labelledby": f"plot-{name}-title plot-{name}-alt",
            "stroke-linejoin": "round",
        },
    )
    _add_text(root, "title", f"plot-{name}-title", title)
    _add_text(root, "desc", f"plot-{name}-alt", alt)
    root.extend(_inlined(drawn, f"plot-{name}-"))
    return Plot(name, title, alt, ElementTree.tostring(root, encoding="unicode"), canvas)


def _drawn(canvas: "Canvas") -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    target = StringIO()
    FigureCanvasSVG(canvas.figure)
    canvas.figure.savefig(target, format="svg", transparent=True, metadata=_NO_METADATA)
    return target.getvalue()


def _add_text(root: Element, tag: str, name: str, text: str) -> None:
    element = ElementTree.SubElement(root, tag, {"id": name})
    element.text = without_commands(safe_text(text))


def _inlined(parent: Element, prefix: str) -> Iterator[Element]:
    """Yield what is in an element, without what draws nothing.

    Groups that say nothing are taken apart, and matplotlib's stylesheet is left out.
    """
    for element in parent:
        tag = element.tag.removeprefix(_NAMESPACE)
        attributes = dict(_attributes(element, tag, prefix))
        children = list(_inlined(element, prefix))
        if _draws_nothing(tag, attributes, children):
            continue
        if tag == "g" and not attributes:
            yield from children
            continue
        copy = Element(tag, attributes)
        if tag == "text":
            copy.text = element.text
        copy.extend(children)
        yield copy


def _draws_nothing(tag: str, attributes: dict[str, str], children: list[Element]) -> bool:
    if tag in ("g", "defs"):
        return not children
    if tag == "path" and "id" not in attributes:
        return attributes.get("fill") == "none" and "stroke" not in attributes
    return tag in ("style", "metadata")


def _attributes(element: Element, tag: str, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if name == "style":
            yield from presentation_attributes(value)
        elif name == _LINK:
            yield "href", value.replace("#", f"#{prefix}")
        elif name == "id":
            # nothing refers to matplotlib's groups
            if tag != "g":
                yield "id", f"{prefix}{value}"
        elif name == "clip-path":
            yield name, value.replace("#", f"#{prefix}")
        elif not value.startswith("rotate(-0 "):
            yield name, _compact(value)


def presentation_attributes(style: str) -> Iterator[tuple[str, str]]:
    """Turn a style attribute into attributes that say the same.

    The page's security policy forbids style attributes.
    """
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            yield from _font(value)
        elif name not in _PROPERTIES or _INITIAL.get(name) == value:
            continue
        elif value in VARIABLES:
            yield name, f"var({VARIABLES[value]})"
        else:
            yield name, _compact(value)


def _font(shorthand: str) -> Iterator[tuple[str, str]]:
    """Split `700 12px 'DejaVu Sans', ...`, which older versions of matplotlib write."""
    before, size, _ = re.split(r"([\d.]+px)", shorthand, maxsplit=1)
    weight = re.search(r"\d+", before)
    yield "font-size", size
    if weight is not None:
        yield "font-weight", weight[0]


def _compact(numbers: str) -> str:
    """Round to a hundredth of a pixel: a third of the size, and no difference that can be seen."""
    rounded = re.sub(r"-?\d+\.\d{3,}", _rounded, numbers)
    return " ".join(rounded.split())


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
