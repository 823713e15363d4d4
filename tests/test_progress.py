import pytest

from stagelift.harness.overall import Overall
from stagelift.harness.progress import (
    PLAIN_INTERVAL_SECONDS,
    PlainView,
    QuietView,
    Rows,
    describe,
)


def test_events_are_described_as_a_reader_would_say_them() -> None:
    assert describe({"event": "training", "step": 3, "steps": 40, "loss": 0.51234}, 65) == (
        "training step 3 of 40, loss 0.512, 1:05 min left"
    )
    assert describe({"event": "training", "step": 1, "steps": 2, "loss": 0.0, "reward": 1.5}) == (
        "training step 1 of 2, loss 0.000, reward 1.500"
    )
    event = {"event": "evaluating", "what": "problems", "done": 64, "total": 128}
    assert describe(event, 9.6) == "evaluating problems, 64 of 128, 10 s left"


def test_done_shows_the_headline_numbers() -> None:
    accuracy = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 10}
    metrics = {
        "accuracy": accuracy,
        "length_tokens": {"value": 41.2, "low": 40.0, "high": 42.5, "n": 10},
    }
    shown = describe({"event": "finished", "metrics": metrics})
    assert shown == "done: accuracy 50.0% [40.0, 60.0], length 41.2 [40.0, 42.5], n=10"


def test_done_has_the_n_of_what_it_shows() -> None:
    accuracy = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 48}
    metrics = {"accuracy": accuracy, "preference_accuracy": {**accuracy, "n": 128}}
    shown = describe({"event": "finished", "metrics": metrics})
    assert shown == "done: accuracy 50.0% [40.0, 60.0], n=48"
    metrics["length_tokens"] = {"value": 41.2, "low": 40.0, "high": 42.5, "n": 40}
    shown = describe({"event": "finished", "metrics": metrics})
    assert "[40.0, 60.0] (n=48), length 41.2 [40.0, 42.5] (n=40)" in shown


def test_what_is_left_of_a_stage_grows_while_it_stands_still() -> None:
    now = [0.0]
    rows = Rows(["sft"], clock=lambda: now[0])
    rows.see("sft", {"event": "training", "step": 1, "steps": 12})
    assert rows.texts["sft"] == ["training step 1 of 12"]
    now[0] = 10.0
    rows.see("sft", {"event": "training", "step": 2, "steps": 12})
    assert rows.texts["sft"] == ["training step 2 of 12, 1:40 min left"]
    now[0] = 100.0
    assert rows.texts["sft"] == ["training step 2 of 12, 14:55 min left"]


def test_a_quiet_view_says_only_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    with QuietView() as view:
        view.on_job("train a 0", "sft", ended=False)
        view.on_event("sft", {"event": "training", "step": 1, "steps": 3})
        view.on_event("", {"event": "note", "text": "mlflow failed"})
    said = capsys.readouterr()
    assert said.out == "" and said.err == "Note: mlflow failed\n"


def test_a_log_has_a_line_of_what_runs_though_nothing_happens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = PlainView(overall=Overall({"train a 0": 60.0, "evaluate a 0": 40.0}))
    view.on_job("train a 0", "sft", ended=False)
    view.on_event("sft", {"event": "starting", "job": "train"})
    view.tick()
    first = "sft: starting to train (0 of 2 jobs done, about 2 min left in all)\n"
    assert capsys.readouterr().out == first
    # as if nothing had been said for as long as a log may be silent
    view.printed_at -= PLAIN_INTERVAL_SECONDS
    view.tick()
    # in other words: it did not start again
    assert capsys.readouterr().out == first.replace("starting", "preparing")
