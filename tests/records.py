"""Runs made of literal scores, for everything that reads records."""

from dataclasses import replace

from stagelift.evals.judges.judging import judge_responses
from stagelift.evals.judges.passport import passport
from stagelift.evals.judges.reference import ID as JUDGE
from stagelift.evals.judges.reference import reference_judge
from stagelift.evals.metrics.accuracy import count_outcomes
from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import EvalResult, Generation, Outcome, Role, Score, Verdict
from stagelift.reports.records import ChainRecord, RunRecord, StageRecord
from stagelift.reports.report import Report
from stagelift.stages.records import StageResult

CONTRACT = {
    "task": "schoolmath",
    "held_out": 0,
    "num_fewshot": 0,
    "max_tokens": 96,
    "dtype": "float32",
    "decoding": "greedy",
    "samples": 1,
    "extraction": "numeric-1",
    "judge": JUDGE,
}


def make_score(problem: str, correct: bool, n_tokens: int = 40, sample: int = 0) -> Score:
    return Score(
        id=problem,
        group="test",
        sample=sample,
        question=f"Question {problem}?",
        target="4",
        correct=correct,
        correct_strict=correct,
        correct_flexible=correct,
        answer="4" if correct else "5",
        answer_strict=None,
        answer_flexible="4" if correct else "5",
        outcome="correct" if correct else "wrong",
        n_tokens=n_tokens,
        n_chars=4 * n_tokens,
        truncated=False,
    )


def make_generation(score: Score, text: str) -> Generation:
    return Generation(
        id=score.id,
        group="test",
        sample=score.sample,
        prompt="p",
        response=text,
        n_tokens=score.n_tokens,
        finish_reason="stop",
    )


def make_stage(
    name: str,
    scores: list[Score],
    before: "list[StageRecord] | None" = None,
    text: str = "It is 4.",
    run: str = "demo",
) -> StageRecord:
    # responses differ by stage, or a judge would not be asked
    generations = [
        make_generation(score, text if not before else f"{text} ({name})") for score in scores
    ]
    others: dict[Role, tuple[list[Score], list[Generation]]] = {}
    if before:
        for role, other in (("base", before[0]), ("previous", before[-1])):
            others[role] = (other.scores, list(other.generations.values()))
    found = judge_responses((scores, generations), others, reference_judge(), ["test"])
    measured = compute_metrics(scores, found)
    verdicts: dict[str, dict[str, Verdict]] = {}
    for verdict in found:
        verdicts.setdefault(win_rate_name(verdict.against, verdict.group), {})[verdict.id] = verdict
    return StageRecord(
        run=run,
        name=name,
        kind=name,
        parent=before[-1].name if before else None,
        identity={},
        training=None if not before else make_training(name),
        evaluation=EvalResult(
            contract_id="c0ffee",
            contract=CONTRACT,
            metrics=measured.metrics,
            outcomes=count_outcomes(scores),
            win_tie_loss=measured.win_tie_loss,
            extrapolated=measured.extrapolated,
            passport=passport(JUDGE, None, found, None, None) if found else None,
            seconds=12.0,
            peak_memory_bytes=10**9,
            versions={},
        ),
        scores=scores,
        generations={one.id: one for one in generations if one.sample == 0},
        verdicts=verdicts,
        pairs={},
        stored_values={},
    )


def make_training(kind: str) -> StageResult:
    return StageResult(
        kind=kind,
        steps=10,
        tokens=1000,
        seconds=61.0,
        peak_memory_bytes=2 * 10**9,
        peak_memory_of="process, resident",
        trainable_parameters=1024,
        device="cpu",
        dtype="float32",
        versions={},
        history=[{"step": 1, "loss": 0.5}],
    )


def make_run(
    stages: list[StageRecord], name: str = "demo", contract: dict[str, object] | None = None
) -> RunRecord:
    """A run of stages, one trained on the other where they do not say otherwise."""
    before = [None, *(stage.name for stage in stages)]
    stages = [
        replace(one, parent=one.parent or name) for one, name in zip(stages, before, strict=False)
    ]
    return RunRecord(
        name=name,
        model="tiny",
        data="bundled/schoolmath",
        device="CPU",
        versions={"python": "3.11"},
        contract_id="c0ffee",
        contract=contract or CONTRACT,
        wall_clock_seconds=75.0,
        sittings=1,
        stages=stages,
        missing=[],
    )


def chain(
    base: list[bool], sft: list[bool], lengths: tuple[int, int] = (60, 40), text: str = "It is 4."
) -> RunRecord:
    """A run of base and sft over the same problems, right or wrong as given."""
    first = make_stage(
        "base", [make_score(f"p/{i}", c, lengths[0]) for i, c in enumerate(base)], text=text
    )
    second = make_stage(
        "sft", [make_score(f"p/{i}", c, lengths[1]) for i, c in enumerate(sft)], [first], text=text
    )
    return make_run([first, second])


OUTCOMES: dict[str, Outcome] = {"c": "correct", "w": "wrong", "t": "truncated", "u": "unparsed"}


def make_chain(run: str = "demo", **stages: str) -> RunRecord:
    """A run of stages over the same problems; each stage is a text with a letter of OUTCOMES for
    every problem.
    """
    made: list[StageRecord] = []
    for name, letters in stages.items():
        scores = [
            make_outcome(f"p/{number}", OUTCOMES[letter]) for number, letter in enumerate(letters)
        ]
        made.append(make_stage(name, scores, made, run=run))
    return make_run(made, name=run)


def make_outcome(problem: str, outcome: Outcome) -> Score:
    """A score of any outcome: what could not be read has no answer, and what was cut off is as long
    as the limit.
    """
    score = make_score(problem, outcome == "correct", n_tokens=96 if outcome == "truncated" else 40)
    unread = (
        {"answer": None, "answer_flexible": None} if outcome in ("truncated", "unparsed") else {}
    )
    return score.model_copy(
        update={"outcome": outcome, "truncated": outcome == "truncated", **unread}
    )


def make_study(
    stages: dict[str, tuple[str | None, str]],
    chains: list[tuple[str, int, dict[str, str]]],
    *,
    lattice: bool = False,
    reference: str | None = None,
    run: str = "demo",
) -> RunRecord:
    """A run of several chains: stages by name with their parent and a letter of OUTCOMES per
    problem, chains by slot.
    """
    made: dict[str, StageRecord] = {}
    lines: dict[str, list[StageRecord]] = {}
    for name, (parent, letters) in stages.items():
        before = [] if parent is None else lines[parent]
        scores = [
            make_outcome(f"p/{number}", OUTCOMES[letter]) for number, letter in enumerate(letters)
        ]
        kind = name.rpartition("/")[2].rpartition("+")[2]
        made[name] = replace(make_stage(name, scores, before, run=run), kind=kind, parent=parent)
        lines[name] = [*before, made[name]]
    return replace(
        make_run(list(made.values()), name=run),
        stages=list(made.values()),
        chains=tuple(ChainRecord(variant, seed, slots) for variant, seed, slots in chains),
        lattice=lattice,
        reference=reference,
    )


def make_lattice(seeds: tuple[int, ...] = (0,), **letters: str) -> RunRecord:
    """A lattice of sft and dpo; `letters` of base, sft, dpo and both, with a number behind where
    there are several seeds.
    """
    stages: dict[str, tuple[str | None, str]] = {"base": (None, letters["base"])}
    chains = []
    for seed in seeds:
        mark, prefix = (str(seed), f"seed={seed}/") if len(seeds) > 1 else ("", "")
        sft, dpo, both = f"{prefix}sft", f"{prefix}dpo", f"{prefix}sft+dpo"
        stages |= {
            sft: ("base", letters[f"sft{mark}"]),
            dpo: ("base", letters[f"dpo{mark}"]),
            both: (sft, letters[f"both{mark}"]),
        }
        slots = ({}, {"sft": sft}, {"dpo": dpo}, {"sft": sft, "dpo": both})
        chains += [("", seed, {"base": "base", **one}) for one in slots]
    return make_study(stages, chains, lattice=True)


def with_passport(report: Report, **fields: object) -> Report:
    """A report whose judges' passports say something else."""
    return replace(
        report,
        runs=[
            replace(run, passport=run.passport and run.passport.model_copy(update=fields))
            for run in report.runs
        ],
    )
