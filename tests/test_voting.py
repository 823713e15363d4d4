"""`stagelift vote`: a page is made, votes come back, and reports say what they make of a judge."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.records import Vote
from stagelift.evals.votes.draw import random_order
from stagelift.evals.votes.exported import LARGEST, read_exported
from stagelift.evals.votes.voted import voted
from stagelift.harness.recipes.read import as_written
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.voting import read_votes, store_votes
from stagelift.reports.formats.voting import LONGEST
from stagelift.reports.gates.margins import read_margins
from stagelift.reports.records import StageRecord, read_run
from stagelift.reports.report import build_report
from stagelift.reports.words.votes import vote_sentences
from tests.unhashed import unhashed
from tests.votes import VOTER, ballot, exported, for_stage, import_run, typed

SCHEMA = Path(__file__).resolve().parent.parent / "reports" / "report.schema.json"
NAME = "win_rate_voted_base"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return import_run(tmp_path)


def page(run: Path, *options: str) -> str:
    done = typed("vote", "mine", *options, runs=run.parents[1])
    assert done.exit_code == 0, done.output
    return (run / "vote.html").read_text(encoding="utf-8")


def importing(run: Path, *files: Any) -> Any:
    words = []
    for number, content in enumerate(files):
        path = run.parents[1] / f"votes-{number}.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        words += ["--import", str(path)]
    return typed("vote", "mine", *words, runs=run.parents[1])


def dpo(run: Path) -> StageRecord:
    return read_run(run).stage("dpo")


def test_a_page_shows_pairs_of_the_last_stage_and_base_and_says_of_none_which_is_which(
    tmp_path: Path,
) -> None:
    run = import_run(tmp_path)
    shown = page(run, "--pairs", "30")
    asked = ballot(shown)
    assert len(asked["pairs"]) == 30
    sides = [(left[0], right[0]) for _, _, left, right in asked["pairs"]]
    assert all({left[-3:], right[-3:]} == {"dpo", "ase"} for left, right in sides)
    assert 5 < sum(left.endswith("dpo") for left, _ in sides) < 25
    # the models' own words name a stage here, and nothing else does
    data = shown[shown.index('id="ballot"') :]
    beside = shown.replace(data, "")
    assert not any(word in beside for word in ("dpo", "sft", "p/1"))
    assert asked.keys() == {"page", "seed", "pairs"}


def test_a_longer_page_begins_with_the_same_pairs(run: Path) -> None:
    few, many = (ballot(page(run, "--pairs", count))["pairs"] for count in ("10", "40"))
    assert many[:10] == few and len(many) == 40
    assert page(run, "--pairs", "10") == page(run, "--pairs", "10")
    assert ballot(page(run, "--pairs", "10", "--seed", "3"))["pairs"] != few


def test_votes_become_a_win_rate_with_an_interval_a_verdict_and_what_would_halve_it(
    run: Path,
) -> None:
    said = exported(page(run, "--pairs", "25"), for_stage("dpo"))
    done = importing(run, said)
    assert done.exit_code == 0, done.output
    assert "of 60 judged prompts are voted on" in done.output and "by 1 voter" in done.output
    stage = dpo(run)
    votes = stage.voted["win_rate_base"]
    metric = stage.evaluation.metrics[NAME]
    assert votes.is_random and votes.prompts == metric.n == 25 + votes.equal
    assert 0.5 < metric.low < metric.value < metric.high
    report = json.loads((run / "report.json").read_text())
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(report)
    (mine,) = [found for found in report["comparisons"] if found["metric"] == NAME]
    assert (mine["verdict"], mine["against"], mine["needed"]) == ("improved", "base", None)
    (told,) = next(one for one in report["stages"] if one["name"] == "dpo")["votes"]
    assert told["metric"] == NAME and told["prompts"] == metric.n
    text = typed("report", "mine", "--full", runs=run.parents[1]).output
    assert "win rate by votes" in text and f"{metric.n} of 60 voted on" in text
    assert "prediction-powered inference" in (run / "report.html").read_text()
    (part,) = build_report([read_run(run)]).runs
    (sentence,) = vote_sentences(part)
    assert sentence in done.output and "would halve the interval" in sentence


def test_the_side_of_a_response_is_found_again(run: Path) -> None:
    for taste, rate in (("dpo", 1.0), ("base", 0.0)):
        said = exported(page(run, "--pairs", "20"), for_stage(taste))
        assert importing(run, said).exit_code == 0
        votes = [vote for vote in dpo(run).votes if vote.voter == VOTER]
        assert len(votes) == 20 and {vote.score for vote in votes} == {rate}
        for evaluation in run.parent.glob("nodes/*/evals/*/votes.jsonl"):
            evaluation.unlink()


def test_where_the_stage_before_is_base_votes_count_against_both(run: Path) -> None:
    said = exported(page(run, "--stage", "sft", "--pairs", "25"), for_stage("sft"))
    assert importing(run, said).exit_code == 0
    stage = read_run(run).stage("sft")
    assert {"win_rate_voted_base", "win_rate_voted_previous"} <= stage.evaluation.metrics.keys()
    assert not read_run(run).stage("dpo").votes


def test_a_next_page_leaves_out_what_is_voted_on_and_both_are_one_random_sample(
    run: Path,
) -> None:
    first = page(run, "--pairs", "12")
    assert importing(run, exported(first, for_stage("dpo"))).exit_code == 0
    second = page(run, "--pairs", "12")
    assert not {p[0] for p in ballot(first)["pairs"]} & {p[0] for p in ballot(second)["pairs"]}
    assert importing(run, exported(second, for_stage("base"))).exit_code == 0
    votes = dpo(run).voted["win_rate_base"]
    assert votes.is_random and votes.prompts == 24 + votes.equal and votes.voters == 1


def test_the_same_file_twice_is_one_vote_and_a_later_one_replaces_an_earlier(run: Path) -> None:
    shown = page(run, "--pairs", "25")
    few = exported(shown, for_stage("dpo"), count=10)
    done = importing(run, few, few)
    assert "10 of 60" in done.output or "equal responses" in done.output
    before = dpo(run).votes
    assert importing(run, exported(shown, for_stage("base"))).exit_code == 0
    after = {vote.id: vote for vote in dpo(run).votes if vote.voter}
    assert len(after) == 25 and {vote.score for vote in after.values()} == {0.0}
    assert len([vote for vote in before if vote.voter]) == 10


def test_several_voters_are_averaged_and_their_agreement_is_said(run: Path) -> None:
    shown = page(run, "--pairs", "20")
    one = exported(shown, for_stage("dpo"))
    other = exported(shown, lambda *_: "tie", count=10, voter="f" * 16)
    done = importing(run, one, other)
    votes = dpo(run).voted["win_rate_base"]
    assert votes.voters == 2 and votes.agreement is not None
    assert (votes.agreement.value, votes.agreement.n) == (0.0, 10)
    assert sorted({*votes.labels.values()}) == [0.5, 0.75, 1.0]
    assert "by 2 voters" in done.output and "Two voters agree on a pair in 0.0%" in done.output


def test_too_few_votes_are_kept_and_nothing_is_corrected_yet(run: Path) -> None:
    done = importing(run, exported(page(run), for_stage("dpo"), count=3))
    assert "From 20 on the judge's win rate is corrected; " in done.output
    assert NAME not in dpo(run).evaluation.metrics


def test_votes_that_leave_out_pairs_are_no_random_sample_and_that_is_said(run: Path) -> None:
    said = exported(page(run, "--pairs", "30"), for_stage("dpo"))
    del said["votes"][:3]
    done = importing(run, said)
    assert "holds only if they are like a random sample" in done.output
    assert "no random sample" in typed("report", "mine", "--full", runs=run.parents[1]).output


def test_a_pair_that_comes_twice_is_voted_on_no_further_than_the_voter_came(tmp_path: Path) -> None:
    run = import_run(tmp_path, words=30)
    assert importing(run, exported(page(run, "--pairs", "5"), for_stage("dpo"))).exit_code == 0
    order = random_order([f"p/{number}" for number in range(60)], 0)
    numbers = [int(prompt[2:]) for prompt in order]
    # five pairs of different words, and of every third prompt all responses are the same
    asked = list(dict.fromkeys(number % 30 for number in numbers if number % 3))[:5]
    reached = [number % 30 for number in numbers].index(asked[-1]) + 1
    assert {vote.id for vote in dpo(run).votes} == {*order[:reached]}
    assert {vote.id for vote in dpo(run).votes if vote.voter is None} == {
        f"p/{number}" for number in numbers[:reached] if number % 3 == 0
    }
    assert dpo(run).voted["win_rate_base"].is_random


def changed(**fields: Any) -> Callable[[Any], Any]:
    return lambda said: said | fields


def with_first(**fields: Any) -> Callable[[Any], Any]:
    return lambda said: said | {"votes": [said["votes"][0] | fields, *said["votes"][1:]]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda _: "", "is no file of votes"),
        (lambda _: "[" * 100_000, "is no file of votes"),
        (lambda _: "\x00\xff", "is no file of votes"),
        (lambda _: {"votes": []}, "is no file of votes"),
        (changed(format="stagelift-votes-9"), "format: Input should be 'stagelift-votes-1'"),
        (changed(more=1), "more: Extra inputs are not permitted"),
        (changed(seed=-1), "seed: Input should be greater than or equal to 0"),
        (changed(voter="<script>"), "voter: String should match pattern"),
        (changed(votes=[]), "votes: List should have at least 1 item"),
        (with_first(choice="dpo"), "votes.0.choice: Input should be 'left', 'right' or 'tie'"),
        (with_first(pair="0" * 63), "votes.0.pair: String should match pattern"),
        (with_first(pair="0" * 64), "Of the 5 pairs voted on in"),
        (changed(seed=1), "among those of any two stages"),
        (lambda said: said | {"votes": said["votes"] * 2}, "votes 2 times on the pair"),
    ],
)
def test_a_file_that_is_none_or_of_other_responses_is_refused_and_nothing_is_written(
    run: Path, change: Callable[[Any], Any], says: str
) -> None:
    good = exported(page(run), for_stage("dpo"), count=5)
    done = importing(run, good, change(good))
    assert done.exit_code == 2 and says in " ".join(done.output.split()), done.output
    assert not dpo(run).votes


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "votes.json"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ValueError, match="has 20 MB, and files of votes have at most 20 MB"):
        read_exported(path)


def test_a_vote_on_responses_that_are_no_longer_there_is_no_vote(run: Path) -> None:
    assert importing(run, exported(page(run), for_stage("dpo"))).exit_code == 0
    (file,) = run.parent.glob("nodes/*/evals/*/votes.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(row | {"pair": "0" * 64}) + "\n" for row in rows))
    unhashed(run.parent)
    with pytest.raises(ValueError, match="of other responses than these"):
        read_run(run)
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    with pytest.raises(ValueError, match=r"votes\.jsonl has"):
        read_run(run)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--stage", "ppo"], "Stage 'ppo' of run 'mine' was not judged. These were: sft, dpo."),
        (["--stage", "base"], "Stage 'base' of run 'mine' was not judged"),
        (["--against", "reference"], "against base on test prompts, against sft on test prompts"),
        (["--prompts", "preference"], "Stage 'dpo' of run 'mine' was not judged so."),
    ],
)
def test_pairs_that_were_not_judged_cannot_be_voted_on(
    run: Path, options: list[str], says: str
) -> None:
    done = typed("vote", "mine", *options, runs=run.parents[1])
    assert done.exit_code == 2 and says in " ".join(done.output.split()), done.output
    assert not (run / "vote.html").exists()


def test_an_opponent_is_named_by_its_role_or_as_the_stage(run: Path) -> None:
    for against, other in (("sft", "sft"), ("previous", "sft"), ("base", "base")):
        asked = ballot(page(run, "--against", against))["pairs"]
        texts = {side[0][-4:].strip() for _, _, *sides in asked for side in sides}
        assert texts == {"dpo", other}


def test_a_long_response_is_cut_on_the_page_and_its_vote_still_counts(tmp_path: Path) -> None:
    run = import_run(tmp_path, 6, padding=" é" * LONGEST)
    asked = page(run)
    (_, _, left, right), *_ = ballot(asked)["pairs"]
    assert len(left[0]) == len(right[0]) == LONGEST and left[1] > LONGEST
    assert importing(run, exported(asked, lambda *_: "left")).exit_code == 0
    assert dpo(run).votes


def test_votes_are_carried_over_when_responses_are_read_again(run: Path) -> None:
    assert importing(run, exported(page(run), for_stage("dpo"))).exit_code == 0
    before = dpo(run).votes
    for file in run.parent.glob("nodes/*/evals/*/result.json"):
        evaluation = EvaluationFolder(file.parent)
        stored = evaluation.read_all()
        contract = stored.result.contract | {"extraction": "numeric-0"}
        earlier = stored.result.model_copy(update={"contract": contract})
        evaluation.finish(stored.scores, stored.verdicts, earlier)
    done = typed("rescore", "mine", runs=run.parents[1])
    assert done.exit_code == 0, done.output
    assert dpo(run).votes == before
    assert typed("verify", "mine", runs=run.parents[1]).exit_code == 0


def test_votes_after_an_import_again_and_hashes_written_again_are_whole(run: Path) -> None:
    shown = page(run)
    assert importing(run, exported(shown, for_stage("dpo"))).exit_code == 0
    rows = str(run.parents[1] / "rows.jsonl")
    again = ["--as", "responses", "--name", "mine"]
    done = typed("import", rows, *again, runs=run.parents[1])
    assert done.exit_code == 0, done.output
    assert len(dpo(run).votes) > 0
    assert importing(run, exported(shown, for_stage("base"))).exit_code == 0
    for file in run.parent.glob("nodes/*/evals/*/hashes.json"):
        EvaluationFolder(file.parent).write_hashes_again()
    done = typed("verify", "mine", runs=run.parents[1])
    assert done.exit_code == 0, done.output


def test_a_win_rate_by_votes_is_not_gated() -> None:
    with pytest.raises(ValueError, match="people have voted on a few prompts only"):
        read_margins({NAME: 3})


def test_votes_in_a_recipe_are_no_part_of_what_a_run_is(run: Path) -> None:
    written = {"name": "mine", "stages": [], "evals": {"accuracy": {"limit": 2}}}
    plain = Recipe.model_validate(written)
    with_votes = {"accuracy": {"limit": 2}, "preference": {"votes": "votes.json"}}
    recipe = Recipe.model_validate(written | {"evals": with_votes})
    assert recipe.evals.preference.votes == ["votes.json"]
    assert recipe.identity() == plain.identity()
    assert as_written(recipe)["evals"]["preference"]["votes"] == ["votes.json"]
    assert "votes" not in as_written(plain)["evals"]["preference"]
    said = exported(page(run), for_stage("dpo"))
    (run.parents[1] / "good.json").write_text(json.dumps(said))
    (run.parents[1] / "other.json").write_text(json.dumps(said | {"seed": 7}))
    files = read_votes([run.parents[1] / "other.json", run.parents[1] / "good.json"])
    (problem,) = store_votes(run, files)
    assert "other.json" in problem and dpo(run).votes


def test_votes_on_pairs_that_got_no_verdict_count_for_nothing() -> None:
    vote = Vote(
        id="p/1", group="test", against="base", pair="0" * 64, seed=0, voter=VOTER, score=1.0
    )
    assert voted("win_rate_base", {}, [vote], {}) is None
