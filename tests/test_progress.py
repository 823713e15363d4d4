from stagelift.harness.progress import Clock, describe


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


def test_there_is_no_estimate_before_there_is_a_pace() -> None:
    clock = Clock()
    assert clock.seconds_left("sft", {"event": "training", "step": 1, "steps": 3}) is None
    assert clock.seconds_left("sft", {"event": "training", "step": 2, "steps": 3}) is not None
    assert clock.seconds_left("sft", {"event": "starting"}) is None
