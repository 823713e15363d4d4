"""A stage's scores as a check needs them."""

from dataclasses import replace

from stagelift.evals.records import Generation
from stagelift.reports.gates.scores import StageScores, stage_scores
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.records import RunRecord
from tests.records import make_chain

RUN = make_chain("new", base="w" * 6, sft="cccwww", dpo="ccccww")


def of(run: RunRecord, stage: str) -> StageScores:
    return stage_scores(run.stage(stage), run, run_passport(run))


def test_they_name_every_stage_of_the_run_with_a_result_or_without() -> None:
    assert of(RUN, "sft").stages == ("base", "sft", "dpo")
    assert of(replace(RUN, missing=["grpo"]), "sft").stages == ("base", "sft", "dpo", "grpo")


def test_equal_digests_mean_equal_responses() -> None:
    sft = RUN.stage("sft")
    other = {
        name: replace_response(response, "It is 5.") if name.endswith("3") else response
        for name, response in sft.generations.items()
    }
    changed = replace(
        RUN, stages=[replace(one, generations=other) if one is sft else one for one in RUN.stages]
    )
    assert of(RUN, "sft").answers == of(RUN, "sft").answers != of(changed, "sft").answers
    assert of(RUN, "sft").opponent == of(changed, "sft").opponent


def replace_response(generation: Generation, response: str) -> Generation:
    return generation.model_copy(update={"response": response})


def test_of_several_samples_no_digest_is_known() -> None:
    sft = RUN.stage("sft")
    twice = replace(
        sft, scores=[*sft.scores, *(s.model_copy(update={"sample": 1}) for s in sft.scores)]
    )
    run = replace(RUN, stages=[twice if one is sft else one for one in RUN.stages])
    assert of(run, "sft").answers is None and of(RUN, "sft").answers is not None


def test_prompts_keep_their_clusters() -> None:
    sft = RUN.stage("sft")
    scores = [s.model_copy(update={"cluster": f"t{i // 2}"}) for i, s in enumerate(sft.scores)]
    run = replace(
        RUN, stages=[replace(one, scores=scores) if one is sft else one for one in RUN.stages]
    )
    assert sorted(of(run, "sft").clusters.values()) == ["t0", "t0", "t1", "t1", "t2", "t2"]
    assert of(RUN, "sft").clusters == {}
