"""A plot as a picture file of its own, beside Markdown.

Its colours, its background and the names of its fonts are inside, since no page gives them: light,
and dark where the reader's screen is. What knows no styles shows it light.
"""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import DARK, PRINTED, VARIABLES

# pixels around the drawing
MARGIN = 14
_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def standalone_svg(plot: Plot) -> str:
    """Return the text of an SVG file, ending in a newline."""
    drawn = ElementTree.fromstring(plot.svg)
    colours = {f"var({VARIABLES[color]})": printed for color, printed in PRINTED.items()}
    for element in drawn.iter():
        # serialised again without a prefix
        element.tag = element.tag.rpartition("}")[2]
        element.attrib.update({name: colours.get(value, value) for name, value in element.items()})
    width, height = (float(side) for side in drawn.attrib["viewBox"].split()[2:])
    box = {"width": f"{width + 2 * MARGIN:g}", "height": f"{height + 2 * MARGIN:g}"}
    corner = {"x": str(-MARGIN), "y": str(-MARGIN)}
    drawn.attrib.update(
        {
            "xmlns": "http://www.w3.org/2000/svg",
            **box,
            "viewBox": f"{-MARGIN} {-MARGIN} {box['width']} {box['height']}",
            "font-family": _FONTS,
        }
    )
    title, words, *rest = drawn
    style, paper = Element("style"), Element("rect", {**corner, **box, "rx": "6"})
    style.text = _dark()
    paper.set("fill", colours["var(--paper)"])
    drawn[:] = [title, words, style, paper, *rest]
    return ElementTree.tostring(drawn, encoding="unicode") + "\n"


def _dark() -> str:
    """Write the rules that hold on a dark screen; they win over attributes."""
    rules = [
        f'[{paint}="{light}"] {{ {paint}: {DARK[color]} }}'
        for color, light in PRINTED.items()
        for paint in ("fill", "stroke")
    ]
    return f"@media (prefers-color-scheme: dark) {{ {' '.join(dict.fromkeys(rules))} }}"
