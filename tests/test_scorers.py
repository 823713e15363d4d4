"""Built-in scorers read responses as people write them, and are not fooled by hostile ones."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from stagelift.evals.metrics.scorers import mathematics_process
from stagelift.evals.metrics.scorers.choice import Choice
from stagelift.evals.metrics.scorers.chosen import chosen
from stagelift.evals.metrics.scorers.computable import computable
from stagelift.evals.metrics.scorers.contains import Contains
from stagelift.evals.metrics.scorers.exact import Exact
from stagelift.evals.metrics.scorers.function import Function
from stagelift.evals.metrics.scorers.json_value import Json
from stagelift.evals.metrics.scorers.known import (
    as_written,
    check_rows,
    named,
    read_scorer,
    scored,
)
from stagelift.evals.metrics.scorers.mathematics import Mathematics, in_time
from stagelift.evals.metrics.scorers.mathematics_apart import scored_apart
from stagelift.evals.metrics.scorers.pattern import Pattern
from stagelift.evals.metrics.scorers.scorer import Scorer
from stagelift.evals.metrics.scorers.texts import equals, normalised
from stagelift.evals.records import Scored


def row(target: Any, **columns: Any) -> dict[str, Any]:
    return {"prompt": "?", "target": target, **columns}


@pytest.mark.parametrize(
    ("response", "target", "value"),
    [
        ("Paris", "Paris", 1),
        (" **paris**.\n", "Paris", 1),
        ("<think>Lyon?</think>\nPARIS", "Paris", 1),
        ("```\nSELECT 1\n```", "select 1", 1),
        ("Paris, France", "Paris", 0),
        ("It is Paris", "Paris", 0),
        ("<think>Paris", "Paris", 0),
        ("", "Paris", 0),
        ("New\u00a0 York", "new york", 1),
        ("ｌａｂｅｌ", "label", 1),
        ("42", 42, 1),
        ("42.0", 42, 1),
        ("1,000", 1000, 1),
        ("$2.50", 2.5, 1),
        ("42 apples", 42, 0),
        ("42.0", "42", 0),
        ("true", True, 1),
        ("1", True, 0),
        ("b", ["a", "b"], 1),
        ("c", ["a", "b"], 0),
    ],
)
def test_exact_is_the_whole_response(response: str, target: Any, value: float) -> None:
    assert Exact().score(response, row(target)).value == value


@pytest.mark.parametrize(
    ("response", "target", "value"),
    [
        ("The capital is Paris, of course.", "paris", 1),
        ("concatenate", "cat", 0),
        ("42", 4, 0),
        ("4.5", 4, 0),
        ("There are 4.", 4, 1),
        ("It is 1,000 in all", 1000, 1),
        ("It is $1,000.50!", 1000.5, 1),
        ("It is 1,0000", 1000, 0),
        ("It is 4.0", 4, 1),
        ("It is .5", 0.5, 1),
        ("It is 0.0000001", 1e-7, 1),
        ("It is -4", 4, 0),
        ("It is −4", 4, 0),
        ("It is -4", "4", 0),
        ("It is −4", -4, 1),
        ("It is -$4", -4, 1),
        ("3-4 of them", 4, 1),
        ("3-4 of them", "4", 1),
        ("It is 4", -4, 0),
        ("It is -0", 0, 1),
        ("No. 4th", 4, 0),
        ("It is true", True, 1),
        ("C++ it is", "C++", 1),
        ("either", ["neither", "either"], 1),
        ("<think>Paris</think> Lyon", "Paris", 0),
    ],
)
def test_contains_finds_words_of_their_own(response: str, target: Any, value: float) -> None:
    assert Contains().score(response, row(target)).value == value


CITIES = {"A": "Lyon", "B": "Paris", "C": "Nice", "D": "New York"}


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("**B**", "B"),
        ("**B) Paris**", "B"),
        ("B: Paris", "B"),
        ("Paris", "B"),
        ("paris.", "B"),
        ("New York", "D"),
        ("The answer is (B)", "B"),
        ("The correct answer is **B**.", "B"),
        ("The answer is B because Paris is the capital.", "B"),
        ("The best option is: Paris", "B"),
        ("Answer: B", "B"),
        ("Final answer: $\\boxed{B}$", "B"),
        ("\\boxed{\\text{B}}", "B"),
        ("<answer>B</answer>", "B"),
        ('{"answer": "B"}', "B"),
        ("<think>A, surely. The answer is A.</think>The answer is B", "B"),
        ("Lyon is in the south, so I think it is not A.\n\nAnswer: B", "B"),
        ("B\n\nParis has been the capital since 987.", "B"),
        ("Let me see.\nB", "B"),
        ("I would say Paris here.", "B"),
        ("The answer is A. Wait, no, it is Paris.", "B"),
        ("A or B", None),
        ("The answer is A or B", None),
        ("Lyon and Paris", None),
        ("It is not Paris", None),
        ("A city in the north", None),
        ("", None),
        ("<think>B", None),
        ("E", None),
        ("I have no idea", None),
    ],
)
def test_one_option_is_chosen_or_none(response: str, letter: str | None) -> None:
    assert chosen(response, CITIES) == letter


YES_NO = {"A": "yes", "B": "no"}
LABELS = {"A": "positive", "B": "negative"}
LETTERS = dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "")


@pytest.mark.parametrize(
    ("response", "options"),
    [
        ("The answer is yes/no.", YES_NO),
        ("The answer is yes, no", YES_NO),
        ("The answer is yes | no", YES_NO),
        ("I cannot say yes", YES_NO),
        ("The answer is A, B, C, D", CITIES),
        ("The answer is A, B, C, D", LETTERS),
        ("The answer is A, Lyon, B", CITIES),
        ("The answer is A/B", LETTERS),
        ("\\boxed{A, B}", CITIES),
        ("(A) (B)", CITIES),
        ("(A), (B)", LETTERS),
        ("Answer: (A) (B)", LETTERS),
        ("(A) is wrong", CITIES),
        ("(A) is not correct", LETTERS),
        ("Option (A) isn't right", LETTERS),
        ("Paris is wrong", CITIES),
        ("I don't think the answer is A", CITIES),
        ("It isn't that positive", LABELS),
        ("I wouldn't call it positive", LABELS),
        ("non-positive", LABELS),
        ("It was not really all that positive.", LABELS),
        ("I don’t think it is positive", LABELS),
    ],
)
def test_two_that_are_named_or_one_that_is_denied_is_none(
    response: str, options: dict[str, str]
) -> None:
    assert chosen(response, options) is None


@pytest.mark.parametrize(
    ("response", "options", "letter"),
    [
        ("The answer is yes, no doubt about it.", YES_NO, "A"),
        ("The answer is yes, not no", YES_NO, "A"),
        ("The answer is A, Lyon", CITIES, "A"),
        ("The answer is A, B is wrong", CITIES, "A"),
        ("The answer is B; A is wrong", CITIES, "B"),
        ("(B). (A) is wrong", CITIES, "B"),
        ("A is not the answer; the answer is B", CITIES, "B"),
        ("The answer is A, I think", LETTERS, "A"),
        ("I do not hesitate: Paris", CITIES, "B"),
        ("It is not good. So negative.", LABELS, "B"),
        ("B (Paris)", CITIES, "B"),
        ("The answer is (B) and it is final", LETTERS, "B"),
    ],
)
def test_an_option_beside_other_words_is_chosen(
    response: str, options: dict[str, str], letter: str
) -> None:
    assert chosen(response, options) == letter


@pytest.mark.parametrize(
    ("target", "columns", "response", "value"),
    [
        ("B", {"choices": ["yes", "no"]}, "No.", 1),
        (1, {"choices": ["yes", "no"]}, "B", 1),
        ("no", {"options": {"A": "yes", "B": "no"}}, "(a)", 0),
        ("2", {"choices": {"text": ["x1", "x2"], "label": ["1", "2"]}}, "x2", 1),
        ("C", {}, "The answer is C.", 1),
    ],
)
def test_options_come_as_data_sets_have_them(
    target: Any, columns: dict[str, Any], response: str, value: float
) -> None:
    assert Choice().score(response, row(target, **columns)).value == value


def test_labels_are_options_of_all_rows() -> None:
    labels = Choice(options=["positive", "negative"])
    assert labels.score("The label is: Positive", row("positive")).value == 1
    assert labels.score("not positive", row("positive")) == Scored(value=0.0, unread=True)


@pytest.mark.parametrize(
    ("target", "columns", "problem"),
    [
        ("maybe", {"choices": ["yes", "no"]}, "none of the options"),
        (1, {"choices": ["1", "2"]}, "could be any of the options A, B"),
        ("yes", {"choices": ["yes", "Yes"]}, "the same, or one is empty"),
        ("yes", {"choices": "yes"}, "no list"),
        ("positive", {}, "none of the options"),
    ],
)
def test_targets_that_are_no_option_are_refused(
    target: Any, columns: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"Row 1 cannot be scored by choice: .*{problem}"):
        check_rows([Choice()], [("Row 1", row(target, **columns))])


@pytest.mark.parametrize(
    ("pattern", "response", "target", "value"),
    [
        (r"\d{4}-\d\d-\d\d", "On 2024-05-06.", None, 1),
        (r"\d{4}-\d\d-\d\d", "In May.", None, 0),
        (r"year: (\d+)", "year: 1 and year: 2024", 2024, 1),
        (r"year: (\d+)", "year: 2024 and year: 1", "2024", 0),
    ],
)
def test_a_pattern_is_found_or_its_group_compared(
    pattern: str, response: str, target: Any, value: float
) -> None:
    assert Pattern(pattern=pattern).score(response, row(target)).value == value


def test_a_pattern_that_backtracks_for_ever_is_stopped() -> None:
    started = time.process_time()
    found = scored(Pattern(pattern="(a|aa)+$"), "a" * 60 + "!", row("x"))
    assert time.process_time() - started < 5
    assert found.value is None
    assert found.failure is not None and "longer than 1 s" in found.failure


SCHEMA = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("settings", "response", "target", "value"),
    [
        ({}, 'Here: {"a": 1.0, "b": [true, "X "]}', {"a": 1, "b": [True, "x"]}, 1),
        ({}, '{"a": 1}', '{"a": 1}', 1),
        ({}, '{"a": 1, "b": 2}', {"a": 1}, 0),
        ({}, '{"a": true}', {"a": 1}, 0),
        (
            {"fields": ["a", "b.c"]},
            '```json\n{"a": 1, "b": {"c": 3}}\n```',
            {"a": 1, "b": {"c": 2}},
            0.5,
        ),
        ({"fields": ["a"]}, '{"a": 9}\nCorrected: {"a": 1}', {"a": 1}, 1),
        ({"fields": ["a"]}, "[1]", {"a": 1}, 0),
        ({"schema": SCHEMA}, '{"n": 3}', "-", 1),
        ({"schema": SCHEMA}, '{"n": "3"}', "-", 0),
        ({"schema": SCHEMA}, "n is 3", "-", 0),
        ({}, '{"a": NaN}', {"a": 1}, 0),
        ({}, '{"a": ' + "9" * 400 + "}", {"a": 5}, 0),
        ({}, '{"a": ' + "9" * 400 + "}", {"a": 5.5}, 0),
        ({}, "[x] " * 300 + '{"a": 5}', {"a": 5}, 1),
        ({}, "[" * 30_000 + '{"a": 5}', {"a": 5}, 1),
        ({}, str([{"a": 1}] * 400).replace("'", '"'), [{"a": 1}] * 400, 1),
        ({}, '{"a": "see [1] and {}"} [x', {"a": "see [1] and {}"}, 1),
        ({}, '{"a": 1} ' + "[" * 60 + "]" * 60, {"a": 1}, 1),
    ],
)
def test_json_is_found_and_compared(
    settings: dict[str, Any], response: str, target: Any, value: float
) -> None:
    assert read_scorer({"json": settings}).score(response, row(target)).value == value


@pytest.mark.parametrize(
    "response",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "{" * 40_000 + "1",
        "9" * 9000,
        "[x]" * 17_000,
        "[" * 20_000 + '"' + "x" * 30_000,
        "[" * 25_000 + "]" * 25_000,
        '["' * 25_000,
    ],
)
def test_hostile_json_is_read_as_nothing_and_soon(response: str) -> None:
    started = time.process_time()
    assert scored(Json(), response, row({"a": 1})) == Scored(value=0.0, unread=True)
    assert time.process_time() - started < 2


def test_a_schema_fetches_nothing_and_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA))
    assert read_scorer({"json": {"schema": str(file)}}).identity()["schema"] == SCHEMA
    remote = read_scorer({"json": {"schema": {"$ref": "http://127.0.0.1:9/schema.json"}}})
    found = scored(remote, "{}", row("-"))
    assert found.value is None
    assert found.failure is not None and "Unresolvable" in found.failure


@pytest.mark.parametrize(
    ("response", "target", "value"),
    [
        ("So $x = \\frac{1}{2}$.", "0.5", 1),
        ("\\boxed{\\frac{2}{4}}", "1/2", 1),
        ("The answer is 3", 3, 1),
        ("The set is $\\{2, 1\\}$", "\\{1, 2\\}", 1),
        ("I cannot say", 3, 0),
    ],
)
def test_math_compares_expressions(response: str, target: Any, value: float) -> None:
    assert Mathematics().score(response, row(target)).value == value


def test_math_compares_in_threads_too() -> None:
    with ThreadPoolExecutor(1) as pool:
        scored = pool.submit(Mathematics().score, "So it is 1/2.", row("0.5")).result()
    assert scored.value == 1


def test_math_says_the_same_in_its_process() -> None:
    for response in ("So $x = \\frac{1}{2}$.", "I cannot say", "It is $(2"):
        assert scored_apart(response, row("0.5")) == scored(Mathematics(), response, row("0.5"))


def test_math_has_its_limit_in_threads_too() -> None:
    endless = "$(x+y+z)^{99}(a+b+c)^{99}$"
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(scored, Mathematics(), endless, row(4)).result()
        next_one = pool.submit(scored, Mathematics(), "So it is 4.", row(4)).result()
    assert late.value is None and "math-verify needs more than 5 s" in str(late.failure)
    assert next_one.value == 1


def test_math_asks_a_process_anew_that_was_ended() -> None:
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(scored, Mathematics(), "So it is 4.", row(4)).result()
        for child in psutil.Process().children():
            if mathematics_process.__name__ in child.cmdline():
                child.kill()
                child.wait()
        second = pool.submit(scored, Mathematics(), "So it is 4.", row(4)).result()
    assert (first.value, second.value) == (1, 1)


@pytest.mark.parametrize(
    "response",
    [
        "$9^{9^{9^9}}$",
        "$9^{99999999}$",
        "99999999!",
        "9**9**9**9",
        r"\boxed{(9999999)!}",
        r"\boxed{\left(10^{7}\right)!}",
        r"\boxed{\binom{9999999}{4999999}}",
        r"\boxed{(9!)!}",
        r"\boxed{9^9!}",
        r"\boxed{9^{99}!}",
        r"\boxed{9^99!}",
        r"\boxed{\Gamma(9999999)}",
        r"\boxed{2^{1000}}",
        r"\boxed{2^{1+\frac{9^9}{2}}}",
        r"It is $3$, so \boxed{9^{9^9}}",
        r"\begin{equation}(9999999)!\end{equation}",
        "^{" * 2400,
    ],
)
def test_what_is_beyond_memory_is_wrong_and_not_computed(response: str) -> None:
    started = time.process_time()
    assert scored(Mathematics(), response, row(3)).value == 0
    assert time.process_time() - started < 2


def test_math_verify_out_of_time_is_a_failure_and_ends_nothing() -> None:
    from math_verify.errors import TimeoutException

    with pytest.raises(TimeoutError, match="more than 5 s"), in_time():
        raise TimeoutException


@pytest.mark.parametrize(
    ("response", "target", "value"),
    [
        ("The answer is 1250!", 1250, 1),
        (r"Wow!! It is \boxed{5}", 5, 1),
        ("We get $5$!!", 5, 1),
        (r"It is below $2^{1000}$ and 9999999!, so \boxed{5}", 5, 1),
        (r"\boxed{5!}", 120, 1),
        (r"\boxed{(2+3)!}", 120, 1),
        (r"\boxed{2n!}", "$2 \\cdot n!$", 1),
        (r"\boxed{\binom{10}{3}}", 120, 1),
        (r"\boxed{e^{-x^2}}", "$e^{-x^{2}}$", 1),
        (r"\boxed{[0,1)}", "$[0,1)$", 1),
        ("2^1000 is too much. The answer is 7", 7, 1),
    ],
)
def test_only_the_expression_that_is_read_has_to_be_computable(
    response: str, target: Any, value: float
) -> None:
    assert scored(Mathematics(), response, row(target)).value == value


def test_a_target_that_cannot_be_computed_is_refused() -> None:
    with pytest.raises(ValueError, match="is not computed"):
        check_rows([Mathematics()], [("Row 1", row("$9^{9^9}$"))])
    assert computable("It is $2$!") == "It is $2$"


@pytest.fixture
def my_scorers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("scorers_of_a_test.py").write_text(
        "def same(response, row):\n    return response == row['target']\n"
        "def unsure(response, row):\n    return None\n"
        "def stars(response, row):\n    return 4\n"
        "def word(response, row):\n    return 'good'\n"
        "def fails(response, row):\n    raise KeyError('x')\n"
        "def changes(response, row):\n    row['target'] = response\n    return True\n"
        "def one(response):\n    return 1\n"
        "def trl(completions, **columns):\n    return [0.0] * len(completions)\n"
    )


@pytest.mark.usefixtures("my_scorers")
@pytest.mark.parametrize(
    ("name", "value", "failure"),
    [
        ("same", 1.0, None),
        ("unsure", None, None),
        ("stars", None, "not from 0 to 1"),
        ("word", None, "no number, true, false or None"),
        ("fails", None, "KeyError"),
    ],
)
def test_a_function_measures_or_says_why_not(
    name: str, value: float | None, failure: str | None
) -> None:
    found = scored(Function(path=f"scorers_of_a_test.{name}"), "x", row("x"))
    assert found.value == value
    assert (found.failure is None) if failure is None else failure in str(found.failure)


@pytest.mark.usefixtures("my_scorers")
def test_a_function_has_a_row_of_its_own() -> None:
    mine = row("x")
    assert scored(Function(path="scorers_of_a_test.changes"), "y", mine).value == 1
    assert mine["target"] == "x"


@pytest.mark.usefixtures("my_scorers")
@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("scorers_of_a_test.nothing", "has no function 'nothing'"),
        ("no_such_module.f", "cannot be imported"),
        ("scorers_of_a_test.one", "must take a response and a row"),
        ("scorers_of_a_test.trl", "must take a response and a row"),
        ("scorers_of_a_test.fails", "fails on Row 1, given the row's own target"),
        ("scorers_of_a_test.stars", "name its ends"),
        ({"regex": "("}, "no regular expression"),
        ({"json": {"schema": {"type": 3}}}, "no JSON schema"),
        ({"json": {"fields": ["a"]}}, "no JSON"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_loads(written: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_rows([read_scorer(written)], [("Row 1", row("x"))])


def test_scorers_are_named_numbered_and_written_back() -> None:
    written: list[Any] = [
        "exact",
        {"regex": "a"},
        {"regex": {"pattern": "b"}},
        {"choice": ["yes", "no"]},
        {"json": {"fields": ["a"]}},
        "my_scorers.sql_equal",
        {"my_scorers.stars": {"range": [1, 5]}},
        {"my_scorers.cost": "any"},
    ]
    scorers: list[Scorer] = [read_scorer(one) for one in written]
    assert [metric for metric, _ in named(scorers, None)] == [
        "exact",
        "regex",
        "regex-2",
        "choice",
        "json",
        "my_scorers.sql_equal",
        "my_scorers.stars@1..5",
        "my_scorers.cost@any",
    ]
    assert named(scorers[:1], "labels")[0].metric == "labels:exact"
    again = [as_written(scorer.model_dump(mode="json")) for scorer in scorers]
    assert [read_scorer(one) for one in again] == scorers


def test_options_that_yaml_reads_as_truth_values_are_to_be_quoted() -> None:
    with pytest.raises(ValueError, match="in quotes"):
        read_scorer({"choice": [True, False]})
    assert read_scorer({"choice": [1, 2.0]}) == Choice(options=["1", "2"])


@pytest.mark.parametrize("written", ["exactly", 3, {"exact": 3}, {"a": 1, "b": 2}])
def test_what_is_no_scorer_is_told_with_those_there_are(written: Any) -> None:
    with pytest.raises(ValueError, match=r"(?i)scorer"):
        read_scorer(written)


def test_texts_are_compared_without_what_stands_around_them() -> None:
    assert normalised("“Straße”.") == normalised("STRASSE")
    assert equals("½", "1⁄2")
    assert normalised(" ```sql\nSELECT 1\n\n``` ") == "select 1"
    assert normalised("```SELECT 1```") == "select 1"


@pytest.mark.parametrize("end", ["", "x", "```", "``` x"])
def test_a_fence_that_is_never_closed_is_compared_at_once(end: str) -> None:
    started = time.process_time()
    normalised("```" + "\n" * 49_000 + end)
    assert time.process_time() - started < 0.5
