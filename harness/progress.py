"""What a run shows while it works: one live table on a terminal or in a notebook, plain lines
elsewhere.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from threading import RLock
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.live import Live
from rich.table import Table

from stagelift.evals.metrics.measures import leading, measure
from stagelift.evals.printed import one_line, safe_text, without_commands
from stagelift.evals.records import Metric, SmallerBatch
from stagelift.harness.overall import Overall, Pace, count_of, counted
from stagelift.harness.streams import for_styled
from stagelift.harness.ticking import every
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.words.escaping import page_text
from stagelift.reports.words.formatting import value
from stagelift.reports.words.smaller_batches import memory_ran_out

# seconds: a log has a line at least this often while anything runs
PLAIN_INTERVAL_SECONDS = 15
# what is left is looked at so often
_TICK_SECONDS = 1.0
# how often a cell of a notebook is drawn anew where nothing happens
_CELL_SECONDS = 5.0
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

    def on_job(self, job: str, stage: str, ended: bool) -> None:
        """Take in that a job of a stage begins, or ended."""


def open_view(
    stages: list[str], forecasts: Mapping[str, float | None] | None = None, at_once: int = 1
) -> View:
    """Return the live view of a notebook or a terminal, else plain lines.

    `forecasts` are the seconds that the run's jobs should take, of which so many run `at_once`.
    """
    overall = Overall(forecasts or {}, at_once)
    if is_notebook():
        return NotebookView(stages, overall)
    return LiveView(stages, overall) if sys.stdout.isatty() else PlainView(overall=overall)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line that acts on nothing, also where Python calls us and not our command."""
    print(without_commands(safe_text(text)), file=stream, flush=True)


def is_notebook() -> bool:
    """Say whether what is displayed goes to a notebook: IPython runs, and in a kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


class _View:
    """What the views have in common: they know how far each stage is, and the whole."""

    def __init__(self, stages: list[str], overall: Overall | None) -> None:
        self.rows, self.overall = Rows(stages), overall or Overall({})

    def on_job(self, job: str, stage: str, ended: bool) -> None:
        """Take in that a job of a stage begins, or ended."""
        if ended:
            self.overall.end(job)
        else:
            self.overall.begin(job, stage)

    def words(self) -> str:
        """Say how far the whole is; "" where it is one job, whose own line says it."""
        return self.overall.words() if self.overall.jobs > 1 else ""


class LiveView(_View):
    """One row per stage: waiting, training, evaluating, or done with its headline numbers. Below it
    stands what it was ill of, and at the foot how far the whole is.
    """

    def __init__(self, stages: list[str], overall: Overall | None = None) -> None:
        super().__init__(stages, overall)
        # drawn anew where nothing happens, too: what is left grows then
        self.live = Live(
            console=Console(for_styled(sys.stdout)),
            refresh_per_second=4,
            get_renderable=self._table,
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
        self.overall.see(stage, event)
        self.rows.see(stage, event)

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2))
        for stage, (state, *remarks) in self.rows.texts.items():
            table.add_row(Text(stage, style="bold"), Text(state, style=_style(state)))
            for remark in remarks:
                table.add_row("", Text(remark, style="yellow"))
        if self.words():
            table.add_row("", Text(self.words(), style="bold cyan"))
        return table


class NotebookView(_View):
    """One row per stage, replaced where it stands in the output of a cell."""

    def __init__(self, stages: list[str], overall: Overall | None = None) -> None:
        super().__init__(stages, overall)
        self.handle: Any = None
        self.open = ExitStack()

    def __enter__(self) -> Self:
        ipython = _display()
        self.handle = ipython.display(ipython.HTML(self.table()), display_id=True)
        self.open.enter_context(every(_CELL_SECONDS, self._draw))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open.close()

    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            say(_noted(event))
            return
        self.overall.see(stage, event)
        self.rows.see(stage, event)
        self._draw()

    def on_job(self, job: str, stage: str, ended: bool) -> None:
        super().on_job(job, stage, ended)
        self._draw()

    def _draw(self) -> None:
        self.handle.update(_display().HTML(self.table()))

    def table(self) -> str:
        """Write the rows as HTML, in which no name and no message acts."""
        rows = "".join(
            f"<tr><th>{page_text(stage)}</th><td>"
            + "<br>".join(map(page_text, texts))
            + "</td></tr>"
            for stage, texts in self.rows.texts.items()
        )
        foot = f"<tr><th></th><td>{page_text(self.words())}</td></tr>" if self.words() else ""
        return f'<table class="tex2jax_ignore mathjax_ignore">{rows}{foot}</table>'


def _display() -> Any:
    """Return IPython's module, whose functions have no types."""
    import IPython.display

    return IPython.display


def _style(state: str) -> str:
    if state == "waiting":
        return "dim"
    return "green" if state.startswith("done") else "bold"


class PlainView(_View):
    """A line when a stage changes what it does, and every few seconds in between: fit for logs."""

    def __init__(self, stream: TextIO | None = None, overall: Overall | None = None) -> None:
        super().__init__([], overall)
        self.stream = stream
        self.last: tuple[str, str] = ("", "")
        self.printed_at = time.monotonic()
        # what is said every few seconds, and what happens, come from two threads
        self.lock = RLock()
        self.open = ExitStack()

    def __enter__(self) -> Self:
        self.open.enter_context(every(_TICK_SECONDS, self.tick))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.open.close()

    def on_event(self, stage: str, event: dict[str, Any]) -> None:
        with self.lock:
            if event["event"] == "note":
                say(_noted(event), self.stream)
                return
            self.overall.see(stage, event)
            self.rows.see(stage, event)
            if event["event"] in REMARKS:
                say(f"{stage}: {describe(event)}", self.stream)
                return
            key = (stage, activity(event))
            if key != self.last and event["event"] not in _BRIEF:
                self.last = key
                self._say(stage, self._doing(stage))

    def tick(self) -> None:
        """Say how far everything is that runs, where nothing was said for a while."""
        with self.lock:
            # the next look would be too late
            if time.monotonic() - self.printed_at > PLAIN_INTERVAL_SECONDS - 2 * _TICK_SECONDS:
                for stage in self.overall.stages() or list(self.rows.texts):
                    self._say(stage, _still(self._doing(stage)))

    def _doing(self, stage: str) -> str:
        return self.rows.texts.get(stage, ["beginning"])[0]

    def _say(self, stage: str, doing: str) -> None:
        whole = f" ({self.words()})" if self.words() else ""
        self.printed_at = time.monotonic()
        say(f"{stage}: {doing}{whole}", self.stream)


def _still(doing: str) -> str:
    """Write what was said before in other words, lest it is taken for a second start."""
    return doing.replace("starting to", "preparing to", 1)


# what is mostly over before anyone has read it is said only where it takes long
_BRIEF = ("rescoring",)


class QuietView:
    """Nothing, but for what went wrong beside the run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def on_event(self, _: str, event: dict[str, Any]) -> None:
        if event["event"] == "note":
            say(_noted(event), sys.stderr)

    def on_job(self, job: str, stage: str, ended: bool) -> None:
        """Nothing is shown of jobs."""


class Rows:
    """What is shown of each stage: what it does now, and behind it remarks that stay."""

    def __init__(self, stages: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.events: dict[str, dict[str, Any] | None] = dict.fromkeys(stages)
        self.remarks: dict[str, list[str]] = {}
        self.paces: dict[tuple[str, str], Pace] = {}

    def see(self, stage: str, event: dict[str, Any]) -> None:
        """Take an event in."""
        if event["event"] in REMARKS:
            self.remarks.setdefault(stage, []).append(describe(event))
            self.events.setdefault(stage, None)
            return
        self.events[stage] = event
        count, key = count_of(event), (stage, activity(event))
        if count is not None:
            self.paces[key] = counted(self.paces.get(key), count, self.clock())

    @property
    def texts(self) -> dict[str, list[str]]:
        """What each stage does, and its remarks, as of now."""
        return {
            stage: [self._doing(stage, event), *self.remarks.get(stage, [])]
            for stage, event in list(self.events.items())
        }

    def _doing(self, stage: str, event: dict[str, Any] | None) -> str:
        if event is None:
            return "waiting"
        pace = self.paces.get((stage, activity(event)))
        return describe(event, None if pace is None else pace.seconds_left(self.clock()))


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
        case "rescoring":
            return f"reading {event['what']} again, {event['done']} of {event['total']} done{eta}"
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
    told = {name: measured[name] for name in shown if name in measured}
    parts = {name: f"{_title(name)} {value(name, metric)}" for name, metric in told.items()}
    counts = {metric.n for metric in told.values()}
    if len(counts) == 1:
        return ", ".join([*parts.values(), f"n={counts.pop()}"])
    return ", ".join(f"{part} (n={told[name].n})" for name, part in parts.items()) or "measured"


def _title(name: str) -> str:
    """Name the opponent of a win rate; of the others the title is enough."""
    known = measure(name)
    return known.title if known.against is None else f"{known.title} {known.reading}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"
