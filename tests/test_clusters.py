"""What prompts come in: how clusters are read, what is refused, and that they are compared."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.clusters import cluster_name, partition
from stagelift.evals.data.problems import groups_in_clusters, load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.metrics.clusters import clusters_of, of_prompts
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.metrics.winrate import length_controlled_win_rate, win_rate
from stagelift.evals.records import Metric, Score, Verdict
from stagelift.evals.stats import estimates
from stagelift.reports.numbers.compare import compare_stages
from stagelift.reports.records import RunRecord
from tests.records import make_run, make_score, make_stage
from tests.test_import import imported, refused, row, write


def rows(**clusters: Any) -> list[dict[str, Any]]:
    return [row(one, cluster=cluster) for one, cluster in clusters.items()]


@pytest.mark.parametrize(
    ("label", "name"), [(" a b ", "a b"), (7, "7"), (7.0, "7"), (None, None), (float("nan"), None)]
)
def test_a_cluster_is_a_text_or_a_number(label: object, name: str | None) -> None:
    assert cluster_name(label) == name


@pytest.mark.parametrize("label", ["", "a\nb", "a\x1b[31mb", "x" * 201, True, ["a"]])
def test_what_is_no_cluster_is_refused(label: object, tmp_path: Path) -> None:
    said = refused(rows(a=label, b="t"), tmp_path)
    assert "1 of 2 rows" in said and "cluster" in said


def test_clusters_are_what_comes_together_whatever_it_is_called() -> None:
    assert partition({"b": "t", "a": "t", "c": "s"}) == [["a", "b"], ["c"]]
    assert partition({"c": "x", "b": "y", "a": "y"}) == [["a", "b"], ["c"]]


def test_an_imported_prompt_keeps_its_cluster_and_one_without_is_stored_as_before(
    tmp_path: Path,
) -> None:
    (stage,) = imported(write(rows(a="t", b="t", c=3), tmp_path), "responses", tmp_path).stages
    assert stage.clusters("accuracy") == {"a": "t", "b": "t", "c": "3"}
    assert stage.clusters("accuracy_held_out") == stage.clusters("seconds_per_response") == {}
    (alone,) = imported(write([row()], tmp_path), "responses", tmp_path, "alone").stages
    assert alone.clusters("accuracy") == {}
    assert "cluster" not in alone.scores[0].model_dump_json()
    assert "clusters" not in alone.evaluation.contract
    assert Score.model_validate_json(stage.scores[0].model_dump_json()) == stage.scores[0]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"a": "t", "b": None, "c": "s"}, "line 2 has no cluster, and line 1 has one"),
        ({"a": "t", "b": "t"}, "all 2 prompts are in one cluster, 't'"),
    ],
)
def test_clusters_that_tell_nothing_are_refused(
    labels: dict[str, Any], says: str, tmp_path: Path
) -> None:
    assert says in " ".join(refused(rows(**labels), tmp_path).split())


def test_a_prompt_is_in_one_cluster(tmp_path: Path) -> None:
    said = refused([*rows(a="t", b="s"), row("a", sample=1, cluster="s")], tmp_path)
    assert "lines 1 and 3 give different clusters for id 'a'" in " ".join(said.split())


def test_the_contract_tells_other_clusters_and_not_other_names_of_them(tmp_path: Path) -> None:
    def run(labels: str) -> RunRecord:
        file = write(rows(**dict(zip("abcd", labels, strict=True))), tmp_path)
        return imported(file, "responses", tmp_path, labels)

    one, same, other = run("ttss"), run("xxyy"), run("tsts")
    assert one.contract == same.contract
    assert one.contract["clusters"].startswith("2 clusters, ")
    with pytest.raises(ValueError, match=r"clusters is '2 clusters, .*' in one"):
        compare_stages([one, other])


def problem_file(folder: Path, clusters: list[Any]) -> Source:
    lines = [
        {"question": f"{n} + 0?", "answer": f"#### {n}"} | ({} if c is ... else {"cluster": c})
        for n, c in enumerate(clusters)
    ]
    (folder / "test.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return Source(path=str(folder))


def loaded(source: Source, limit: int | None = None) -> list[str | None]:
    problems = load_problems("gsm8k", source, limit=limit, held_out=0, num_fewshot=0)
    return [problem.cluster for problem in problems.problems]


def test_a_problem_file_may_have_clusters(tmp_path: Path) -> None:
    plain = problem_file(tmp_path, [..., ...])
    assert loaded(plain) == [None, None]
    assert groups_in_clusters(plain, held_out=0) == []
    source = problem_file(tmp_path, [1, 1, 2])
    assert loaded(source) == ["1", "1", "2"]
    assert groups_in_clusters(source, held_out=0) == ["test"]


@pytest.mark.parametrize(
    ("clusters", "limit", "says"),
    [
        (["t", None, "s"], None, r"Split 'test' of '.*': row 2 has no cluster, and row 1 has one"),
        (["t", "t", "s"], 2, "all 2 prompts are in one cluster, 't'"),
        (["t", "a\nb"], None, r"Split 'test' of '.*': a cluster has 1 to 200 characters"),
    ],
)
def test_a_problem_file_whose_clusters_cannot_be_used_is_refused(
    clusters: list[Any], limit: int | None, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=says):
        loaded(problem_file(tmp_path, clusters), limit)


def test_a_column_of_another_name_is_a_cluster_where_the_source_says_so(tmp_path: Path) -> None:
    lines = [{"question": "?", "answer": "#### 1", "document": name} for name in ("p", "q")]
    (tmp_path / "test.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert loaded(Source(path=str(tmp_path))) == [None, None]
    assert loaded(Source(path=str(tmp_path), columns={"cluster": "document"})) == ["p", "q"]


def test_stages_whose_problems_come_in_different_clusters_are_not_compared() -> None:
    scores = [make_score(f"p/{number}", True) for number in range(4)]
    clustered = [score.model_copy(update={"cluster": score.id[-1]}) for score in scores]
    base = make_stage("base", scores)
    with pytest.raises(ValueError, match="come in different clusters"):
        compare_stages([make_run([base, make_stage("sft", clustered, [base])])])


def clustered_scores(right: str, cluster_of: str) -> list[Score]:
    """A score for each prompt, right where there is a 1, as long as its place; and its cluster."""
    return [
        make_score(f"p/{number}", letter == "1", 40 + number).model_copy(update={"cluster": name})
        for number, (letter, name) in enumerate(zip(right, cluster_of, strict=True))
    ]


def width(metric: Metric) -> float:
    return metric.high - metric.low


def test_clusters_come_in_the_order_of_the_prompts_that_are_asked_for() -> None:
    known = clusters_of(clustered_scores("101", "abb"))
    assert of_prompts(known, ["p/2", "p/0"]) == ["b", "a"]
    assert of_prompts({}, ["p/2"]) is None


def test_every_value_over_clusters_counts_them() -> None:
    metrics = compute_metrics(clustered_scores("11001100", "aabbccdd"), []).metrics
    assert {"accuracy", "length_tokens", "length_tokens_p90", "truncated"} <= set(metrics)
    assert {(metric.n, metric.clusters) for metric in metrics.values()} == {(8, 4)}


def test_prompts_that_are_alike_in_their_cluster_tell_less() -> None:
    alike = compute_metrics(
        clustered_scores("11110000" * 4, "aaaabbbbccccddddeeeeffffgggghhhh"), []
    )
    alone = compute_metrics(
        clustered_scores("11110000" * 4, "abcdefghijklmnopqrstuvwxyzABCDEF"), []
    )
    for name in ("accuracy", "length_tokens", "length_tokens_median"):
        assert alike.metrics[name].value == alone.metrics[name].value
        assert width(alike.metrics[name]) > 1.5 * width(alone.metrics[name])
    # eight clusters, half of them right, are eight prompts, but for seven degrees of freedom
    assert alike.metrics["accuracy"].low < estimates.proportion(4, 8).low


def test_clusters_of_one_prompt_are_prompts() -> None:
    values, names = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0], list("abcdef")
    for estimate in (estimates.rate, estimates.mean, partial(estimates.quantile, q=0.5)):
        alone, each = estimate(values), estimate(values, clusters=names)
        assert (each.clusters, alone.clusters) == (6, None)
        assert (each.low, each.high) == pytest.approx((alone.low, alone.high))
    assert "clusters" not in estimates.mean(values).model_dump_json()


def test_what_is_equal_everywhere_may_yet_differ_by_whole_clusters() -> None:
    none_right = estimates.rate([0.0] * 64, [str(number // 2) for number in range(64)])
    # fewer than 64 prompts, at most 32: 0 of 64 would end at 5.7%, 0 of 32 at 10.7%
    assert none_right.low == 0 and 0.107 < none_right.high < 0.12
    one = estimates.mean([3.0, 5.0], ["a", "a"])
    assert one.clusters == 1 and one.low < 1 and one.high > 7


def test_a_win_rate_over_clusters_is_wider_than_over_prompts() -> None:
    verdicts = [
        Verdict(id=f"p/{number}", against="base", score=score, reason="longest")
        for number, score in enumerate([1.0] * 8 + [0.0] * 8 + [0.5] * 8)
    ]
    clusters = {f"p/{number}": str(number // 4) for number in range(24)}
    alone, together = win_rate(verdicts), win_rate(verdicts, clusters)
    assert alone is not None and together is not None
    assert together.value == alone.value == 0.5
    assert (together.n, together.clusters) == (24, 6)
    assert width(together) > 1.5 * width(alone)


def test_a_win_rate_at_equal_lengths_has_its_errors_by_cluster() -> None:
    verdicts = [
        Verdict(
            id=f"p/{number}",
            against="base",
            score=float(number % 16 < 9),
            length_difference=(number * 7) % 23 - 11,
            reason="longest",
        )
        for number in range(64)
    ]
    alone = length_controlled_win_rate(verdicts)
    each = length_controlled_win_rate(verdicts, {f"p/{n}": str(n) for n in range(64)})
    alike = length_controlled_win_rate(verdicts, {f"p/{n}": str(n % 16 < 9) for n in range(64)})
    together = length_controlled_win_rate(verdicts, {f"p/{n}": str(n // 4) for n in range(64)})
    assert alone and each and together and alike
    assert alone.value == each.value == together.value
    assert each.difference.clusters == 64 and together.difference.clusters == 16
    # k - 1 and k / (k - 1) in place of n - 2 and n / (n - 2)
    assert (each.low, each.high) == pytest.approx((alone.low, alone.high), abs=0.003)
    assert together.high - together.low > 1.3 * (alone.high - alone.low)
    assert (alike.low, alike.high) == pytest.approx((0.0, 1.0), abs=0.02)
