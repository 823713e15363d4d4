"""What a run shows while it works: one live table on a terminal or in a notebook, plain lines
elsewhere.
"""

import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

from rich.live import Live
from rich.table import Table

from stagelift.evals.metrics.measures import leading, measure
from stagelift.evals.printed import one_line, safe_text, without_commands
from stagelift.evals.records import Metric, SmallerBatch
from stagelift.harness.streams import for_styled
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.words.escaping import page_text
from stagelift.reports.words.formatting import value
from stagelift.reports.words.smaller_batches import memory_ran_out

PLAIN_INTERVAL_SECONDS = 15
# events that are said once and stay, beside what a stage does
REMARKS = ("ill", "stopped", "smaller", "resumed")
# what is said of a stage when it is done
_SHOWN = ("accuracy", "length_tokens", "win_rate_previous")


class View(Protocol):
    """Something that shows events of a stage."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        """Show one event of a stage."""


def open_view(stages: list[str]) -> View:
    """Return the live view of a notebook or a terminal, else plain lines."""
    if is_notebook():
        return NotebookView(stages)
    return LiveView(stages) if sys.stdout.isatty() else PlainView()


def say(text: str) -> None:
    """Print a line that acts on nothing, also where Python calls us and not our command."""
    print(without_commands(safe_text(text)), flush=True)


def is_notebook() -> bool:
    """Say whether what is displayed goes to a notebook: IPython runs, and in a kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class LiveView:
    """One row per stage: waiting, training, evaluating, or done with its headline numbers. Below it
    stands what it was ill of.
    """

    def __init__(self, stages: list[str]) -> None:
        self.rows, self.clock = Rows(stages), Clock()
        self.live = Live(
            self._table(), console=Console(for_styled(sys.stdout)), refresh_per_second=4
        )

    def __enter__(self) -> Self:
        self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            self.live.console.print(Text(_noted(event)))
            return
        self.rows.see(stage, event, self.clock.seconds_left(stage, event))
        self.live.update(self._table())

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2))
        for stage, (state, *remarks) in self.rows.texts.items():
            table.add_row(Text(stage, style="bold"), Text(state, style=_style(state)))
            for remark in remarks:
                table.add_row("", Text(remark, style="yellow"))
        return table


class NotebookView:
    """One row per stage, replaced where it stands in the output of a cell."""

    def __init__(self, stages: list[str]) -> None:
        self.rows, self.clock = Rows(stages), Clock()
        self.handle: Any = None

    def __enter__(self) -> Self:
        ipython = _display()
        self.handle = ipython.display(ipython.HTML(self.table()), display_id=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            say(_noted(event))
            return
        self.rows.see(stage, event, self.clock.seconds_left(stage, event))
        self.handle.update(_display().HTML(self.table()))

    def table(self) -> str:
        """Write the rows as HTML, in which no name and no message acts."""
        rows = "".join(
            f"<tr><th>{page_text(stage)}</th><td>"
            + "<br>".join(map(page_text, texts))
            + "</td></tr>"
            for stage, texts in self.rows.texts.items()
        )
        return f'<table class="tex2jax_ignore mathjax_ignore">{rows}</table>'


def _display() -> Any:
    """Return IPython's module, whose functions have no types."""
    import IPython.display

    return IPython.display


def _style(state: str) -> str:
    if state == "waiting":
        return "dim"
    return "green" if state.startswith("done") else "bold"


class PlainView:
    """A line when a stage changes what it does, and every few seconds in between: fit for logs."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.last: tuple[str, str] = ("", "")
        self.printed_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            say(_noted(event))
            return
        text = describe(event, self.clock.seconds_left(stage, event))
        if event["event"] in REMARKS:
            say(f"{stage}: {text}")
            return
        key = (stage, activity(event))
        now = time.monotonic()
        if key != self.last or now - self.printed_at > PLAIN_INTERVAL_SECONDS:
            self.last, self.printed_at = key, now
            say(f"{stage}: {text}")


class Rows:
    """What is shown of each stage: what it does now, and behind it remarks that stay."""

    def __init__(self, stages: list[str]) -> None:
        self.texts = {stage: ["waiting"] for stage in stages}

    def see(self, stage: str, event: dict[str, Any], seconds_left: float | None) -> None:
        """Take an event in."""
        text = describe(event, seconds_left)
        if event["event"] in REMARKS:
            self.texts[stage].append(text)
        else:
            self.texts[stage][0] = text


class Clock:
    """Estimates what is left from the pace since the first event of the same kind."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], tuple[float, int]] = {}

    def seconds_left(self, stage: str, event: dict[str, Any]) -> float | None:
        """Return the estimate in seconds; None before there is a pace to go by."""
        done, total = event.get("step", event.get("done")), event.get("steps", event.get("total"))
        if done is None or total is None:
            return None
        started, already = self.first.setdefault((stage, activity(event)), (time.monotonic(), done))
        if done == already:
            return None
        pace = (time.monotonic() - started) / (done - already)
        return float(pace * (total - done))


def activity(event: dict[str, Any]) -> str:
    """Name what an event is about: training, or which part of an evaluation."""
    return f"{event['event']} {event.get('what', '')}".strip()


def describe(event: dict[str, Any], seconds_left: float | None = None) -> str:
    """Write an event as a reader would say it."""
    eta = f", {_duration(seconds_left)} left" if seconds_left else ""
    match event["event"]:
        case "starting":
            where = f" on {event['on']}" if "on" in event else ""
            return f"starting to {event['job'].replace('-', ' ')}{where}"
        case "waiting":
            commands = " ; and on the next: ".join(event["commands"])
            return f"waiting for other machines. Start there: {commands}"
        case "held":
            return f"waiting for {event['holder']}, which works on it"
        case "training":
            numbers = "".join(
                f", {name} {event[name]:.3f}"
                for name in ("loss", "reward", "accuracy")
                if name in event
            )
            return f"training step {event['step']} of {event['steps']}{numbers}{eta}"
        case "evaluating":
            return f"evaluating {event['what']}, {event['done']} of {event['total']}{eta}"
        case "ill":
            return f"ill since step {event['step']}: {event['text']}"
        case "stopped":
            return f"stopped at step {event['step']} of {event['steps']}, with what it has"
        case "resumed":
            return str(event["text"])
        case "smaller":
            return memory_ran_out(SmallerBatch.model_validate(event["batch"]))
        case "exporting":
            return f"writing {event['what']}"
        case "selected":
            return f"selected {event['why']}"
        case "finished":
            return f"done: {_headline(event['metrics'])}"
        case "failed":
            return f"failed: {event['error']}"
        case _:
            return str(event["event"])


def _noted(event: dict[str, Any]) -> str:
    """Write what a run says that is no stage's; texts of others cannot act on a terminal."""
    return f"Note: {one_line(event['text'])}"


def _headline(metrics: dict[str, Any]) -> str:
    if not metrics:
        return "nothing measured"
    measured = {name: Metric.model_validate(metric) for name, metric in metrics.items()}
    first = leading(measured)
    shown = dict.fromkeys([*([] if first is None else [first]), *_SHOWN])
    parts = [f"{_title(name)} {value(name, measured[name])}" for name in shown if name in measured]
    most = max(metric.n for metric in measured.values())
    return ", ".join([*parts, f"n={most}"])


def _title(name: str) -> str:
    """Name the opponent of a win rate; of the others the title is enough."""
    known = measure(name)
    return known.title if known.against is None else f"{known.title} {known.reading}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
