"""What lies in a runs folder, made of literal values: for everything that reads run.json."""

from collections.abc import Sequence

from stagelift.reports.run_file import RunFile, RunStage


def make_run_file(
    nodes: Sequence[str], *, name: str = "mine", device: str = "CPU", **others: object
) -> RunFile:
    """A finished run, one stage for each node."""
    stages = [
        RunStage(
            name=node,
            kind="sft",
            node=f"nodes/{node}",
            evaluation=f"nodes/{node}/evals/c0ffee",
            parent=nodes[place - 1] if place else None,
        )
        for place, node in enumerate(nodes)
    ]
    run = RunFile(
        name=name,
        recipe={"name": name},
        model="tiny",
        data="bundled/schoolmath",
        device=device,
        versions={},
        stages=tuple(stages),
        sessions=(),
        finished=True,
    )
    return run.model_copy(update=others)
