"""The scoreboard for a terminal: a line a stage, bars of intervals, and the few other metrics that
a report is read for, in as many lines as a screen has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.cells import cell_len

from stagelift.evals.metrics.measures import measure, ordered, without_stand_ins
from stagelift.evals.printed import shown_name
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.plots.labels import distinct_labels
from stagelift.reports.report import Report
from stagelift.reports.words.added import Added
from stagelift.reports.words.counting import number_of
from stagelift.reports.words.illness import TITLE as ILL
from stagelift.reports.words.illness import illnesses
from stagelift.reports.words.scoreboard import (
    Forest,
    Measured,
    Model,
    Panel,
    Scoreboard,
    absent,
    by_importance,
    labelled,
    models,
    scoreboard,
)
from stagelift.reports.words.stage_lines import StageLine, basis, stage_lines, with_interval

# of a screen of 40 lines, what is left beside the closing words of a command
LINES = 32
_STYLES = {"improved": "bold green", "regressed": "bold red"}
# cells: a short name, the least of a bar, and what stands between columns
_SHORT_NAME, _BAR, _GAP = 10, 8, 2
_MOST_BAR = 40
_Row = TypeVar("_Row", Measured, Added)
_LOW, _LINE, _VALUE, _HIGH, _CENTER, _CUT = "├─●┤┊…"
# rows that are kept before a block is left out: the first two can be done without, forests can not
_FEWEST = (4, 4, 2, 1, 1)


@dataclass(frozen=True)
class _Shown:
    """What there is to draw, however much of it fits."""

    report: Report
    board: Scoreboard
    every: Sequence[Model]
    lines: Sequence[StageLine]
    basis: Sequence[Text]
    # what each row is called, those to keep first
    labels: Sequence[str]

    @property
    def rows(self) -> int:
        return max(len(self.every), sum(not line.of_all for line in self.lines))


@dataclass(frozen=True)
class _Page:
    """Where it is drawn, in cells of the console: at most so many rows of each kind, `without` the
    same models in all of them.
    """

    console: Console
    most: int
    without: frozenset[str] = frozenset()

    @property
    def width(self) -> int:
        return max(20, self.console.width)


@dataclass(frozen=True)
class _Block:
    """Lines that are shown together or not at all; `what` says of what they are, `left_out` which
    parts of it had no room.
    """

    what: str
    lines: Sequence[Text]
    left_out: str = ""


def print_scoreboard(report: Report, console: Console, limit: int | None = LINES) -> None:
    """Print the answer in at most so many lines (None: all); it says what is left out."""
    for line in _fitting(report, console, limit):
        console.print(line, no_wrap=True, overflow="crop", crop=True)


def _fitting(report: Report, console: Console, limit: int | None) -> list[Text]:
    """Show as many rows of everything as fit; where a few do not, leave out what comes last."""
    shown = _Shown(
        report,
        scoreboard(report),
        models(report),
        stage_lines(report),
        _basis(report),
        by_importance(report),
    )
    largest = max(shown.rows, 4)
    if limit is None:
        # what has no room here stands in the tables
        return _lines(shown, _Page(console, largest), 0)[0]
    for left_out, fewest in enumerate(_FEWEST):
        for most in range(largest, fewest - 1, -1):
            page = _Page(console, most, frozenset(shown.labels[most:]))
            lines, gone = _lines(shown, page, left_out)
            lines += _more(gone, page)
            if len(lines) <= limit:
                return lines
    return [*lines[: limit - 1], Text(f"{_CUT} {len(lines) - limit + 1} more: --full", style="dim")]


def _more(gone: Sequence[str], page: _Page) -> list[Text]:
    """Say what is left out, and where it is."""
    said = Text(f"{_CUT} {'; '.join(gone)}: --full", style="dim")
    return list(_wrapped(said, page)) if gone else []


def _lines(shown: _Shown, page: _Page, left_out: int) -> tuple[list[Text], list[str]]:
    """Draw what is shown, and say what is not."""
    board, first = shown.board, [*_stage_lines(shown.lines, page)]
    first += [line for text in shown.basis for line in _wrapped(text, page)]
    main, *others = board.forests or (None,)
    blocks = [
        _Block("the values", _panels(board.panels, page)),
        _Block("", []) if main is None else _Block(main.title, _forest(main, page)),
        *(_Block(forest.title, _forest(forest, page)) for forest in others if forest is not None),
        _other_metrics(shown, page),
    ]
    # what can be done without: a second forest first, the panels last
    unimportant = [*range(2, len(blocks) - 1), len(blocks) - 1, 1, 0]
    gone = set(unimportant[:left_out])
    kept = [block for place, block in enumerate(blocks) if block.lines and place not in gone]
    lines = [*first, *(line for block in kept for line in (Text(), *block.lines))]
    more = shown.rows - page.most
    absent = [number_of(more, "more row")] if more > 0 else []
    absent += [block.what for place, block in enumerate(blocks) if block.lines and place in gone]
    # a block without any line of its own has all of it left out
    absent += [
        block.left_out for place, block in enumerate(blocks) if block.left_out and place not in gone
    ]
    return lines, absent


def _stage_lines(lines: Sequence[StageLine], page: _Page) -> Iterator[Text]:
    kept = [line for line in lines if line.model not in page.without]
    models_lines = [line for line in kept if not line.of_all][: page.most]
    for line in (line for line in kept if line.of_all or line in models_lines):
        yield from _wrapped(_stage_line(line, page), page)


def _stage_line(line: StageLine, page: _Page) -> Text:
    subject, against = (_name(name, page) for name in (line.subject, line.against))
    text = Text(subject, style="bold")
    style = "dim" if line.faint else _STYLES.get(line.verdict or "", "")
    if line.against:
        text.append(f" against {against}", style="not bold")
    text.append(f": {line.words}", style=f"not bold {style.removeprefix('bold ')}".rstrip())
    return text


def _name(name: str, page: _Page) -> str:
    return distinct_labels([name], page.width // 2)[0] if name else ""


def _basis(report: Report) -> list[Text]:
    said = [Text(basis(report, "--full"), style="dim")]
    ill = [shown_name(one.stage) for one in illnesses(report)]
    if ill:
        said.append(Text(f"{ILL}: {', '.join(ill)} (--full)", style="yellow"))
    return said


def _wrapped(text: Text, page: _Page) -> Iterator[Text]:
    """Break a line, with what follows set in."""
    first = text.wrap(page.console, page.width)[0]
    yield Text().append(first)
    begun = len(text.plain) - len(text.plain[len(first) :].lstrip())
    if begun < len(text.plain):
        for part in Text().append(text[begun:]).wrap(page.console, page.width - 2):
            yield Text("  ").append(part)


def _panels(panels: Sequence[Panel], page: _Page) -> list[Text]:
    """Draw panels side by side where names and numbers leave room for bars."""
    if not panels:
        return []
    rows = [row for panel in panels for row in _kept(panel.rows, page)]
    numbers = max(cell_len(row.text) for row in rows)
    widest = max(cell_len(shown_name(row.label)) for row in rows)
    need = min(widest, _SHORT_NAME) + numbers + _BAR + 2 * _GAP
    abreast = max(1, min(len(panels), (page.width + _GAP) // (need + _GAP)))
    if widest > _SHORT_NAME + 6:
        abreast = 1
    width = (page.width - _GAP * (abreast - 1)) // abreast
    notes = [f"{panel.title}: {panel.note}" for panel in panels if panel.note]
    below = [line for note in notes for line in _wrapped(Text(note, style="dim"), page)]
    if width < need:
        return [*(line for panel in panels for line in _panel_in_words(panel, page)), *below]
    lines: list[Text] = []
    for start in range(0, len(panels), abreast):
        drawn = [_panel(panel, width, page) for panel in panels[start : start + abreast]]
        lines += [_abreast(line, width) for line in zip(*drawn, strict=True)]
    return [*lines, *below]


def _panel_in_words(panel: Panel, page: _Page) -> Iterator[Text]:
    """Write a panel where there is no room for bars, a row a model."""
    yield from _wrapped(Text(_title(panel, page.width), style="bold"), page)
    for row in _kept(panel.rows, page):
        line = Text(f"{_name(row.label, page)}: ")
        yield from _wrapped(line.append(row.text, _STYLES.get(row.verdict or "", "")), page)


def _kept(rows: Sequence[_Row], page: _Page) -> list[_Row]:
    return [row for row in rows if row.label not in page.without][: page.most]


def _abreast(parts: Sequence[Text], width: int) -> Text:
    line = Text()
    for place, part in enumerate(parts):
        if place:
            line.append(" " * _GAP)
        line.append_text(_padded(part, width if place < len(parts) - 1 else 0))
    return line


def _padded(text: Text, width: int) -> Text:
    if cell_len(text.plain) > width > 0:
        text.truncate(width, overflow="crop")
    return text.append(" " * max(0, width - cell_len(text.plain)))


def _panel(panel: Panel, width: int, page: _Page) -> list[Text]:
    rows = _kept(panel.rows, page)
    names = _labels([row.label for row in rows], width)
    label, number = max(map(cell_len, names)), max(cell_len(row.text) for row in rows)
    bar = min(_MOST_BAR, width - label - number - 2 * _GAP)
    ends = _ends(panel)
    lines = [_padded(Text(_title(panel, width), style="bold"), 0)]
    for name, row in zip(names, rows, strict=True):
        line = _padded(Text(name), label + _GAP)
        drawn = _bar(row, ends, bar, panel.center)
        line.append_text(_padded(Text(drawn, style="cyan"), bar + _GAP))
        lines.append(line.append(row.text, style=_STYLES.get(row.verdict or "", "")))
    return lines


def _title(panel: Panel, width: int) -> str:
    """Say what the metric is, and how it was read where there is room."""
    said = f"{panel.title}, {panel.reading}, {panel.counted}"
    return said if len(said) <= width else f"{panel.title}, {panel.counted}"


def _labels(names: Sequence[str], width: int) -> list[str]:
    return distinct_labels(names, max(_SHORT_NAME, width // 3))


def _ends(panel: Panel) -> tuple[float, float]:
    """Shares go from 0 to 1; anything else to the largest end of an interval."""
    if panel.unit == "share" and panel.bounds is not None:
        return panel.bounds
    seen = [end for row in panel.rows for end in (row.low, row.value, row.high) if end is not None]
    return min(0.0, *seen), max(0.0, *seen)


def _bar(row: Measured | Added, ends: tuple[float, float], width: int, center: float | None) -> str:
    """Draw an interval with its value, on what it is held against."""
    value = row.delta if isinstance(row, Added) else row.value
    cells = [" "] * max(1, width)
    if center is not None:
        cells[_cell(center, ends, width)] = _CENTER
    if value is None:
        return "".join(cells)
    if row.low is not None and row.high is not None:
        low, high = _cell(row.low, ends, width), _cell(row.high, ends, width)
        cells[low : high + 1] = [_LINE] * (high + 1 - low)
        cells[low], cells[high] = _LOW, _HIGH
    cells[_cell(value, ends, width)] = _VALUE
    return "".join(cells)


def _cell(value: float, ends: tuple[float, float], width: int) -> int:
    low, high = ends
    share = (value - low) / (high - low) if high > low else 0.0
    return round(min(1.0, max(0.0, share)) * (max(1, width) - 1))


def _forest(forest: Forest, page: _Page) -> list[Text]:
    rows = _kept(forest.rows, page)
    names = _labels([row.label for row in rows], page.width)
    label, number = max(map(cell_len, names)), max(cell_len(row.text) for row in rows)
    word = max(cell_len(row.word) for row in rows)
    room = page.width - label - number - 3 * _GAP
    bar = min(_MOST_BAR, max(_BAR, room - word))
    title = Text(f"{forest.title}, {forest.counted}", style="bold")
    if room < 2 * _BAR:
        return [*_wrapped(title, page), *_forest_in_words(forest, page)]
    lines = [title]
    for name, row in zip(names, rows, strict=True):
        line = _padded(Text(name), label + _GAP)
        drawn = _bar(row, _around_zero(forest), bar, 0.0)
        line.append_text(_padded(Text(drawn, style="dim" if row.faint else "cyan"), bar + _GAP))
        line.append_text(_padded(Text(row.text), number + _GAP))
        style = "dim" if row.faint else _STYLES.get(row.verdict or "", "")
        lines.append(line.append(_cut(row.word, room - bar), style))
    return lines


def _forest_in_words(forest: Forest, page: _Page) -> Iterator[Text]:
    for row in _kept(forest.rows, page):
        line = Text(f"{_name(row.label, page)}: ")
        style = "dim" if row.faint else _STYLES.get(row.verdict or "", "")
        yield from _wrapped(line.append(f"{row.text} {row.word}".strip(), style), page)


def _cut(words: str, width: int) -> str:
    if len(words) <= width:
        return words
    return f"{words[: max(0, width - 1)]}{_CUT}"


def _around_zero(forest: Forest) -> tuple[float, float]:
    rows = forest.rows
    seen = [end for row in rows for end in (row.low, row.delta, row.high) if end is not None]
    return min(0.0, *seen), max(0.0, *seen)


def _other_metrics(shown: _Shown, page: _Page) -> _Block:
    """Write the headline metrics that are not drawn, as many as have room, a row a model."""
    drawn = {panel.metric for panel in shown.board.panels}
    names = [name for name in _headline(shown.every) if name not in drawn]
    labelled_rows = [(labelled(shown.report, row.run, row.name), row) for row in shown.every]
    kept = [(label, row) for label, row in labelled_rows if label not in page.without]
    rows = [row for _, row in kept[: page.most]]
    labels = _labels([label for label, _ in kept[: page.most]], page.width)
    columns = [
        [_heading(name), *(_value(name, row, shown.report) for row in rows)] for name in names
    ]
    lines = [_padded(Text(label), 0) for label in ("", *labels)]
    left, fitting = max(map(cell_len, labels), default=0), 0
    for column in columns:
        width = max(map(cell_len, column))
        if left + _GAP + width > page.width:
            break
        for place, cell in enumerate(column):
            _padded(lines[place], left + _GAP).append(cell, style="" if place else "bold")
        left, fitting = left + _GAP + width, fitting + 1
    others = number_of(len(names) - fitting, "more metric") if fitting < len(names) else ""
    return _Block(number_of(len(names), "more metric"), lines if fitting else [], others)


def _headline(every: Sequence[Model]) -> list[str]:
    present = {name for model in every for name in model.readings}
    return [
        name
        for name in ordered(without_stand_ins(present))
        if measure(name).headline and measure(name).family != "win rate"
    ]


def _heading(name: str) -> str:
    return f"{measure(name).title}, {measure(name).reading}"


def _value(name: str, row: Model, report: Report) -> str:
    reading = row.readings.get(name)
    return absent(name, row, report) if reading is None else with_interval(name, reading)
