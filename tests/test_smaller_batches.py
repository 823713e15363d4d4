"""What is said where memory did not hold a batch: while it runs, and in reports."""

from dataclasses import replace

from stagelift.evals.records import SmallerBatch
from stagelift.harness.progress import describe
from stagelift.reports.report import build_report
from stagelift.reports.words.notes import footnotes
from stagelift.reports.words.smaller_batches import memory_ran_out, smaller_batches
from tests.records import make_chain

BATCH = SmallerBatch(rows=8, parts=2, why="CUDA out of memory. Tried to allocate 2.00 GiB")
SAID = (
    "memory ran out (CUDA out of memory. Tried to allocate 2.00 GiB) with 8 at a time: done again "
    "with 4"
)


def test_it_is_said_while_a_stage_runs() -> None:
    assert (
        describe({"event": "smaller", "batch": BATCH.model_dump()}) == SAID == memory_ran_out(BATCH)
    )
    assert memory_ran_out(BATCH.model_copy(update={"why": ""})) == (
        "memory ran out with 8 at a time: done again with 4"
    )


def test_a_report_notes_it_of_training_and_of_evaluation() -> None:
    run = make_chain(base="wwww", sft="cwcw")
    assert not any("memory ran out" in note for note in footnotes(build_report([run])))
    base, sft = run.stages
    assert sft.training is not None
    sft = replace(
        sft,
        training=sft.training.model_copy(update={"smaller_batch": BATCH}),
        evaluation=sft.evaluation.model_copy(update={"smaller_batch": BATCH}),
    )
    notes = footnotes(build_report([replace(run, stages=[base, sft])]))
    trained, evaluated = [note for note in notes if "memory ran out" in note]
    assert [trained, evaluated] == list(smaller_batches(sft, "sft"))
    assert trained.startswith(f"sft: in training {SAID}, and gradients were summed over 2 times")
    assert evaluated.startswith(f"sft: in evaluation {SAID}. What is asked is the same")
