"""Documents of several stages are paired by id or by content, and never by position."""

from collections.abc import Mapping

import pytest

from stagelift.evals.imports.content import content_id
from stagelift.evals.imports.pairing import Paired, documents_of, pair_documents
from stagelift.evals.imports.results import Document, ImportedStage
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, TaskScore


def stage(
    name: str, asked: Mapping[str, str], *, cluster: Mapping[str, str] | None = None
) -> ImportedStage:
    """A stage whose response to a prompt names both, so that a wrong pair shows."""
    generations = [
        Generation(
            id=one,
            group="test",
            prompt=prompt,
            response=f"{name} on {prompt}",
            n_tokens=None,
            finish_reason=None,
        )
        for one, prompt in asked.items()
    ]
    scores = [
        score(response, response.prompt, "4", (cluster or {}).get(response.id))
        for response in generations
    ]
    return ImportedStage(name, generations, scores, [], {})


def answers(paired: Paired) -> list[dict[str, str]]:
    return [{row.id: row.response for row in one.generations} for one in paired.stages]


def pair(*stages: ImportedStage, common: bool = False) -> Paired:
    return pair_documents(stages, common=common)


def test_ids_that_agree_pair_documents_in_any_order() -> None:
    paired = pair(stage("a", {"1": "p", "2": "q"}), stage("b", {"2": "q", "1": "p"}))
    assert answers(paired) == [
        {"1": "a on p", "2": "a on q"},
        {"1": "b on p", "2": "b on q"},
    ]
    assert (paired.left_out, paired.by_content, paired.notes()) == (0, False, [])


def test_row_numbers_of_files_in_another_order_pair_by_prompt_and_target() -> None:
    paired = pair(stage("a", {"0": "p", "1": "q"}), stage("b", {"0": "q", "1": "p"}))
    first, second = answers(paired)
    assert first.keys() == second.keys() and not {"0", "1"} & first.keys()
    assert all(first[one].removeprefix("a") == second[one].removeprefix("b") for one in first)
    assert paired.by_content and "paired by prompt and target" in paired.notes()[0]


def test_other_ids_for_the_same_documents_pair_by_prompt_and_target() -> None:
    paired = pair(stage("a", {"gsm8k/0": "p", "gsm8k/1": "q"}), stage("b", {"x": "q", "y": "p"}))
    assert paired.by_content and answers(paired)[0].keys() == answers(paired)[1].keys()


def test_a_target_is_the_same_number_however_it_is_written() -> None:
    a, b = stage("a", {"1": "p"}), stage("b", {"1": "p"})
    (mine,) = b.scores
    paired = pair(a, b._replace(scores=[mine.model_copy(update={"target": "4.0"})]))
    assert [row.target for one in paired.stages for row in one.scores] == ["4", "4"]


def test_line_ends_and_space_around_a_prompt_do_not_tell_documents_apart() -> None:
    paired = pair(stage("a", {"0": "p\nq"}), stage("b", {"7": " p\r\nq\n"}))
    assert len(answers(paired)[0]) == 1
    # stages of one run are asked in the same words
    assert {row.question for one in paired.stages for row in one.scores} == {"p\nq"}


def test_documents_of_one_stage_only_are_refused_with_a_count_and_examples() -> None:
    with pytest.raises(ValueError, match="answer different prompts") as refusal:
        pair(stage("a", {"1": "p", "2": "q"}), stage("b", {"1": "p"}))
    said = str(refusal.value)
    assert "1 of 2 documents" in said and "'b' lacks id '2', 'q'" in said
    assert "Give --common to compare the 1 that all have" in said


def test_the_common_documents_are_kept_where_that_is_asked_for() -> None:
    a = stage("a", {"1": "p", "2": "q", "3": "r"})
    paired = pair(
        a, stage("b", {"1": "p", "2": "q"}), stage("c", {"2": "q", "9": "s"}), common=True
    )
    assert [set(one) for one in answers(paired)] == [{"2"}] * 3
    assert paired.left_out == 3
    assert paired.notes() == ["3 of 4 documents are left out: not every stage answered them"]


def test_nothing_in_common_is_refused_whatever_is_asked_for() -> None:
    with pytest.raises(ValueError, match="Ids were not taken, because 'a' and 'b' have different"):
        pair(stage("a", {"0": "p"}), stage("b", {"0": "q"}), common=True)


def test_twins_are_told_apart_by_ids_that_agree_and_refused_where_none_do() -> None:
    twins = {"1": "p", "2": "p", "3": "q"}
    assert not pair(stage("a", twins), stage("b", twins)).by_content
    # row numbers, but the twins have the same in both files
    paired = pair(stage("a", {**twins, "4": "r"}), stage("b", {**twins, "3": "r", "4": "q"}))
    assert [len(one) for one in answers(paired)] == [4, 4]
    with pytest.raises(ValueError, match="do not tell them apart"):
        pair(stage("a", {"0": "p", "1": "p", "2": "q"}), stage("b", {"0": "q", "1": "p", "2": "p"}))


def test_what_a_file_says_of_its_documents_counts_more_than_prompts() -> None:
    """Base is asked plainly, the tuned model through its template."""
    plain = stage("a", {"t/0": "p", "t/1": "q"})
    templated = stage("b", {"t/0": "<user>q", "t/1": "<user>p"})
    asked = {"p": Document("p", "4", "hash p"), "q": Document("q", "4", "hash q")}
    paired = pair(
        plain._replace(documents={"t/0": asked["p"], "t/1": asked["q"]}),
        templated._replace(documents={"t/0": asked["q"], "t/1": asked["p"]}),
    )
    first, second = answers(paired)
    name = next(one for one, text in first.items() if text == "a on p")
    assert second[name] == "b on <user>p"


def test_documents_without_responses_are_paired_by_what_the_file_says_of_them() -> None:
    def measured(name: str, order: str) -> ImportedStage:
        scores = [
            TaskScore(id=f"t/{place}", metric="t/acc", value=float(letter == "p"))
            for place, letter in enumerate(order)
        ]
        documents = {f"t/{place}": Document("", None, letter) for place, letter in enumerate(order)}
        return ImportedStage(name, [], [], [], {"t": scores}, documents)

    paired = pair(measured("a", "pq"), measured("b", "qp"))
    first, second = ({row.id: row.value for row in one.task_scores["t"]} for one in paired.stages)
    assert first == second and len(first) == 2


def test_a_cluster_is_known_from_whichever_file_has_it_and_two_are_refused() -> None:
    a, b = {"1": "p", "2": "q"}, {"1": "t", "2": "s"}
    paired = pair(stage("a", a), stage("b", a, cluster=b))
    assert [row.cluster for row in paired.stages[0].scores] == ["t", "s"]
    with pytest.raises(ValueError, match="different clusters for id '1'"):
        pair(stage("a", a, cluster=b), stage("b", a, cluster={"1": "s", "2": "s"}))


def test_a_document_is_called_by_prompt_and_target() -> None:
    one = content_id(Document("p", "4"))
    assert one == content_id(Document(" p\r\n", "4")) != content_id(Document("p", "5"))
    assert documents_of(stage("a", {"1": "p"})) == {"1": Document("p", "4")}
