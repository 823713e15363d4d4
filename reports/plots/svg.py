"""A figure as SVG that a strict page takes in: no styles, no scripts, nothing fetched, and the
page's own colours and font.
"""

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import VARIABLES

if TYPE_CHECKING:
    from stagelift.reports.plots.canvas import Canvas

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
# font-family is left out: text takes the page's
_PROPERTIES = {
    *(
        "fill",
        "fill-opacity",
        "opacity",
        "stroke",
        "stroke-opacity",
        "stroke-width",
        "stroke-dasharray",
    ),
    *("stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit"),
    *("font-size", "font-style", "font-weight", "text-anchor"),
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
    return Plot(name, title, alt, ElementTree.tostring(root, encoding="unicode"))


def _drawn(canvas: "Canvas") -> str:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    target = StringIO()
    FigureCanvasSVG(canvas.figure)
    canvas.figure.savefig(target, format="svg", transparent=True, metadata=_NO_METADATA)
    return target.getvalue()


def _add_text(root: Element, tag: str, name: str, text: str) -> None:
    element = ElementTree.SubElement(root, tag, {"id": name})
    element.text = text


def _inlined(parent: Element, prefix: str) -> Iterator[Element]:
    """Yield what is in an element, with groups that say nothing taken apart and matplotlib's
    stylesheet left out.
    """
    for element in parent:
        tag = element.tag.removeprefix(_NAMESPACE)
        attributes = dict(_attributes(element, tag, prefix))
        children = list(_inlined(element, prefix))
        if (
            tag in ("style", "metadata")
            or (tag in ("g", "defs") and not children)
            or _draws_nothing(tag, attributes)
        ):
            continue
        if tag == "g" and not attributes:
            yield from children
            continue
        copy = Element(tag, attributes)
        copy.text = element.text if tag == "text" else None
        copy.extend(children)
        yield copy


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
    """Turn a style attribute, which the page's security policy forbids, into attributes that say
    the same.
    """
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            yield from _font(value)
        elif name in _PROPERTIES and _INITIAL.get(name) != value:
            yield name, f"var({VARIABLES[value]})" if value in VARIABLES else _compact(value)


def _font(shorthand: str) -> Iterator[tuple[str, str]]:
    """Split `700 12px 'DejaVu Sans', ...`, which older versions of matplotlib write."""
    before, size = re.match(r"(.*?)([\d.]+px)", shorthand).groups()  # type: ignore[union-attr]  # a font has a size
    weight = re.search(r"\d+", before)
    yield "font-size", size
    if weight:
        yield "font-weight", weight[0]


def _compact(numbers: str) -> str:
    """Round to a hundredth of a pixel: a third of the size, and no difference that can be seen."""
    rounded = re.sub(
        r"-?\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), numbers
    )
    return " ".join(rounded.split())


def _draws_nothing(tag: str, attributes: dict[str, str]) -> bool:
    return (
        tag == "path"
        and "id" not in attributes
        and attributes.get("fill") == "none"
        and "stroke" not in attributes
    )
