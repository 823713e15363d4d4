"""People vote on a run's judged pairs: the page that asks them, and the votes that come back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.metrics.measures import measure, win_rate_name
from stagelift.evals.records import Group, Role, Vote
from stagelift.evals.votes.draw import Ballot, ballots
from stagelift.evals.votes.exported import Choice, ExportedVotes, read_exported
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import lock_run
from stagelift.harness.locks import held, on_standard_error
from stagelift.reports.folders import RunFolder
from stagelift.reports.formats.voting import render_voting
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.stages.folders import NodeFolder

# what a vote for the left side says of a stage whose response is there
_SCORES: dict[Choice, float] = {"left": 1.0, "tie": 0.5, "right": 0.0}


@dataclass(frozen=True)
class VotingPage:
    """A page, and what only its maker knows: how many pairs of whom it shows."""

    html: str
    pairs: int
    left: int
    stage: str
    opponent: str


@dataclass(frozen=True)
class Wanted:
    """Which pairs are voted on; None leaves the choice to what was judged."""

    stage: str | None
    against: str | None
    group: Group | None


@dataclass(frozen=True)
class VotesFile:
    """A file that a voting page exported, and what is in it."""

    path: Path
    votes: ExportedVotes


@dataclass(frozen=True)
class _Pairing:
    """All judged pairs of a stage and one opponent, in the random order of a seed."""

    stage: StageRecord
    win_rate: str
    ballots: list[Ballot]


def voting_page(folder: Path, wanted: Wanted, pairs: int, seed: int) -> VotingPage:
    """Make a page for the first `pairs` of a random order of judged pairs nobody has voted on.

    Raises UsageError where no such pairs were judged, ValueError where the run cannot be read.
    """
    run = read_agreeing_run(folder)
    stage = _stage(run, wanted.stage)
    win_rate = _win_rate(run, stage, wanted)
    opponent = _opponent(run, stage, win_rate)
    known = {vote.id for vote in stage.votes if win_rate_name(vote.against, vote.group) == win_rate}
    order = ballots(stage.verdicts[win_rate], stage.responses(), opponent.responses(), seed)
    open_ballots = [one.shown for one in order if not one.is_equal and one.prompt not in known]
    # two prompts with the same words and responses are one pair
    shown = list({pair.name: pair for pair in open_ballots}.values())
    if not shown:
        raise UsageError(
            f"There is nothing to vote on: of {len(order)} judged pairs of '{stage.name}' and "
            f"'{opponent.name}', {len(known)} are voted on, and in all others both responses are "
            "the same."
        )
    html = render_voting(shown[:pairs], seed)
    return VotingPage(
        html, min(pairs, len(shown)), max(0, len(shown) - pairs), stage.name, opponent.name
    )


def read_votes(files: Iterable[str | Path]) -> list[VotesFile]:
    """Read files that voting pages exported. Raises ValueError where one is none."""
    return [VotesFile(Path(file), read_exported(Path(file))) for file in files]


def import_votes(folder: Path, files: Sequence[VotesFile]) -> None:
    """Store votes beside the evaluations whose responses they are of.

    A voter's earlier vote on a pair is replaced. Raises UsageError, before anything is written,
    where a file's votes are on other responses.
    """
    problems = store_votes(folder, files, all_or_none=True)
    if problems:
        raise UsageError(problems[0])


def store_votes(
    folder: Path, files: Sequence[VotesFile], *, all_or_none: bool = False
) -> list[str]:
    """Store votes as `import_votes` does, and return a sentence for each file whose votes are on
    other responses; with `all_or_none` nothing is stored then.
    """
    if not files:
        return []
    with lock_run(RunFolder(folder)):
        run = read_agreeing_run(folder)
        votes = {stage.name: stage.votes for stage in run.stages}
        problems = []
        for file in files:
            pairings = _pairings_of(run, file.votes)
            if not pairings:
                problems.append(_no_pairing(run, file))
            for pairing in pairings:
                stage = pairing.stage.name
                votes[stage] = _with_exported(votes[stage], pairing, file.votes)
        if not (problems and all_or_none):
            _write(folder, run, votes)
    return problems


def _write(folder: Path, run: RunRecord, votes: Mapping[str, list[Vote]]) -> None:
    """Write the votes of the stages that have other ones now."""
    place = RunFolder(folder)
    for listed in place.read().stages:
        if listed.name in votes and votes[listed.name] != run.stage(listed.name).votes:
            # as a worker does
            with held(NodeFolder(place.runs.root / listed.node).lock_file, on_standard_error):
                evaluation = EvaluationFolder(place.runs.root / listed.evaluation)
                evaluation.write_votes(votes[listed.name])


def _stage(run: RunRecord, name: str | None) -> StageRecord:
    """Return the stage that was asked for, else the last one that was judged."""
    judged = [stage for stage in run.stages if stage.verdicts]
    if not judged:
        raise UsageError(
            f"No stage of run '{run.name}' was judged against another, so that there are no pairs "
            "to vote on. A recipe's evals.preference says who judges."
        )
    if name is None:
        return judged[-1]
    for stage in judged:
        if stage.name == name:
            return stage
    names = ", ".join(stage.name for stage in judged)
    raise UsageError(f"Stage '{name}' of run '{run.name}' was not judged. These were: {names}.")


def _win_rate(run: RunRecord, stage: StageRecord, wanted: Wanted) -> str:
    """Name the win rate whose pairs are voted on.

    If nothing is said it is against base, and on preference prompts where these were judged.
    """
    groups: tuple[Group, ...] = ("preference", "test") if wanted.group is None else (wanted.group,)
    for group in groups:
        for role in _roles(run, stage, wanted.against):
            if stage.verdicts.get(win_rate_name(role, group)):
                return win_rate_name(role, group)
    raise UsageError(
        f"Stage '{stage.name}' of run '{run.name}' was not judged so. What was: "
        f"{', '.join(_described(run, stage, name) for name in stage.verdicts)}."
    )


def _roles(run: RunRecord, stage: StageRecord, against: str | None) -> list[Role]:
    """Say in which roles an opponent may have been judged, given by its name or its role."""
    roles: list[Role] = ["base", "previous", "reference"]
    if against is None:
        return roles
    others = {role: run.opponent(stage, win_rate_name(role, "test")) for role in roles}
    return [
        role
        for role, other in others.items()
        if against == role or (other is not None and other.name == against)
    ]


def _described(run: RunRecord, stage: StageRecord, win_rate: str) -> str:
    known, opponent = measure(win_rate), run.opponent(stage, win_rate)
    name = known.against if opponent is None else opponent.name
    return f"against {name} on {known.group} prompts"


def _opponent(run: RunRecord, stage: StageRecord, win_rate: str) -> StageRecord:
    opponent = run.opponent(stage, win_rate)
    if opponent is None:
        raise UsageError(
            f"Stage '{stage.name}' of run '{run.name}' was judged against a reference, whose "
            "responses are not in the run. Votes need both."
        )
    return opponent


def _pairings_of(run: RunRecord, votes: ExportedVotes) -> list[_Pairing]:
    """Return the pairings that have every pair voted on: several where the stage before is base.

    Two stages often give the same response to some prompts. A page that was drawn from the pairs of
    one says nothing of the other, as it is no random sample of its pairs.
    """
    wanted = {vote.pair for vote in votes.votes}
    return [pairing for pairing in _pairings(run, votes.seed) if wanted <= _names(pairing)]


def _no_pairing(run: RunRecord, file: VotesFile) -> str:
    wanted = {vote.pair for vote in file.votes.votes}
    known = [len(wanted & _names(pairing)) for pairing in _pairings(run, file.votes.seed)]
    return (
        f"Of the {len(wanted)} pairs voted on in '{file.path}', run '{run.name}' has "
        f"{max(known, default=0)} among those of any two stages. Votes count for the very "
        "responses that were shown: give the run that their page was made from."
    )


def _pairings(run: RunRecord, seed: int) -> Iterator[_Pairing]:
    """Yield those whose responses are at hand."""
    for stage in run.stages:
        for win_rate, verdicts in stage.verdicts.items():
            opponent = run.opponent(stage, win_rate)
            if opponent is not None:
                order = ballots(verdicts, stage.responses(), opponent.responses(), seed)
                yield _Pairing(stage, win_rate, order)


def _names(pairing: _Pairing) -> set[str]:
    """Name the pairs that people may be asked about."""
    return {ballot.shown.name for ballot in pairing.ballots if not ballot.is_equal}


def _with_exported(held: list[Vote], pairing: _Pairing, exported: ExportedVotes) -> list[Vote]:
    """Add an exported file to a stage's votes.

    The voter came as far as the first copies of the pairs voted on: further copies up to there have
    the same vote, and equal responses up to there are ties that nobody was asked about.
    """
    choices = {vote.pair: vote.choice for vote in exported.votes}
    names = [one.shown.name for one in pairing.ballots]
    reached = pairing.ballots[: max(names.index(name) for name in choices) + 1]
    asked = [one for one in reached if one.shown.name in choices and not one.is_equal]
    equal = [one for one in reached if one.is_equal]
    new = [_vote(pairing, one, exported, _score(one, choices[one.shown.name])) for one in asked]
    new += [_vote(pairing, one, exported, 0.5) for one in equal]
    keys = {_key(vote) for vote in new}
    return sorted([*(vote for vote in held if _key(vote) not in keys), *new], key=_key)


def _score(ballot: Ballot, choice: Choice) -> float:
    score = _SCORES[choice]
    return score if ballot.stage_is_left else 1 - score


def _vote(pairing: _Pairing, ballot: Ballot, exported: ExportedVotes, score: float) -> Vote:
    known = measure(pairing.win_rate)
    assert known.against is not None and known.group is not None, "it is a win rate"
    return Vote(
        id=ballot.prompt,
        group=known.group,
        against=known.against,
        pair=ballot.shown.name,
        seed=exported.seed,
        voter=None if ballot.is_equal else exported.voter,
        score=score,
    )


def _key(vote: Vote) -> tuple[str, str, str, str]:
    return vote.group, vote.against, vote.id, vote.voter or ""
