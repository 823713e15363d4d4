"""Words around the numbers: text of others made harmless, what a rescoring changed, footnotes, and
where numbers come from.
"""

import time
from dataclasses import replace

import pytest

from stagelift.evals.records import GoldAgreement, Metric, Passport, Usage
from stagelift.reports.report import build_report
from stagelift.reports.words.changes import Change, describe_changes
from stagelift.reports.words.escaping import (
    fenced,
    folded,
    inline,
    last_part,
    table_line,
    without_folders,
    yaml_without_folders,
)
from stagelift.reports.words.notes import brief_notes, footnotes
from stagelift.reports.words.provenance import brief_provenance, passport_lines, provenance_lines
from stagelift.reports.words.study_summary import study_sentences
from tests.golden_report import golden_lattice, golden_variants
from tests.records import CONTRACT, chain, make_chain

NOTHING_KNOWN = Passport(
    judge="reference-2",
    prompt_hash=None,
    pairs=0,
    failures=0,
    position_consistency=None,
    first_slot_rate=None,
    prefers_longer=None,
    gold=None,
    fit=None,
    usage=None,
)


def share(value: float) -> Metric:
    return Metric(value=value, low=value - 0.1, high=value + 0.1, n=100)


def test_what_markdown_or_a_table_acts_on_is_escaped_and_lines_become_one() -> None:
    assert inline("a|b\n*c* <script> `d` [e](f) # g_h \\") == (
        r"a\|b \*c\* \<script\> \`d\` \[e\](f) \# g\_h \\"
    )


B = "&#8203;"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("谢谢@torvalds é@torvalds", f"谢谢@{B}torvalds é@{B}torvalds"),
        ("日GH-12", f"日GH-{B}12"),
        ("_www.e.com_ éwww.e.com", rf"\_www{B}.e.com\_ éwww{B}.e.com"),
        ("éhttps://e.com", f"éhttps:{B}//e.com"),
        ("a@torvalds", "a@torvalds"),
        ("1234567 20261126 deadbeef", "1234567 20261126 deadbeef"),
        ("é1a2b3c4 1a2b3c4", "é`1a2b3c4` `1a2b3c4`"),
        ("12" * 20, f"`{'12' * 20}`"),
        ("0123456789abcdef", "0123456789abcdef"),
    ],
)
def test_what_github_links_is_broken_beside_every_letter(text: str, shown: str) -> None:
    assert inline(text) == shown


@pytest.mark.parametrize("piece", ["~", "@", ":", "a.", "/", "./", "&#", "https://", "0a", "a:"])
def test_no_text_takes_long(piece: str) -> None:
    before = time.process_time()
    text = piece * (200_000 // len(piece))
    without_folders(text)
    inline(text)
    assert time.process_time() - before < 5


@pytest.mark.parametrize(("text", "ticks"), [("plain", 3), ("a ``` b", 4), ("`````", 6)])
def test_no_text_ends_its_fence(text: str, ticks: int) -> None:
    fence = "`" * ticks
    assert fenced(text) == f"{fence}text\n{text}\n{fence}"


def test_a_title_that_is_folded_is_html() -> None:
    assert "<summary>&lt;b&gt; &amp; c</summary>" in folded("<b> &\nc", "text")


def test_a_line_of_a_table_keeps_its_cells() -> None:
    assert table_line(["a", "**b**", ""]) == "| a | **b** |  |"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/judge", ".../judge"),
        ("reward-model:~/models/rm@1", "reward-model:.../rm@1"),
        ("C:\\Users\\me\\judge", ".../judge"),
        ("org/model", "org/model"),
        ("https://host/v1/chat", "https://host/v1/chat"),
        ("see file:///srv/a/judge now", "see .../judge now"),
        (r"\\server\share\judge", ".../judge"),
        (r"D:\models\judge", ".../judge"),
        ("../clients/judge", ".../judge"),
        ("/data/a@b/judge", ".../judge"),
        ("openai-1:/srv/m@http://host:1/v1", "openai-1:.../m@http://host:1/v1"),
    ],
)
def test_folders_are_cut_off_and_addresses_stay(text: str, shown: str) -> None:
    assert without_folders(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/big disk/Acme Secret/rows.jsonl", ".../rows.jsonl"),
        (r"C:\Users\Jane Doe\x", ".../x"),
        ("file:///big disk/Acme/x", ".../x"),
        ("reward-model:/big disk/rm@1", "reward-model:.../rm@1"),
        ("./my rewards/r.py:short", ".../r.py:short"),
        ("https://host/a b/c", "https://host/a b/c"),
        ("openai-1:/srv/m@http://host:1/v1", "openai-1:.../m@http://host:1/v1"),
        ("org/model", "org/model"),
        ("./r.py:short", "./r.py:short"),
        ("/no_think", "/no_think"),
    ],
)
def test_of_a_value_that_is_a_path_the_last_part_is_left(value: str, shown: str) -> None:
    assert last_part(value) == shown


def test_paths_in_yaml_are_cut_also_where_they_are_quoted_or_have_spaces() -> None:
    text = """model: {path: "/big disk/Acme Model", b: 'C:\\A B\\x'}
list:
- /a b/c d/e
p: |
  In /a/b/c
n: 1  # one
"""
    assert yaml_without_folders(text) == (
        'model: {path: ".../Acme Model", b: .../x}\nlist:\n- .../e\np: |\n  In .../c\nn: 1  # one\n'
    )


def test_a_rescoring_says_what_moved_and_of_the_rest_that_nothing_did() -> None:
    moved = {
        "accuracy": (share(0.25), share(0.5)),
        "win_rate_base": (None, share(0.75)),
        "length_tokens_median": (share(1.0), share(2.0)),
    }
    changes = [Change("base", {}, 0, []), Change("sft", moved, 2, ["p/1: read\x1b 7 before"])]
    assert describe_changes(changes) == [
        "base: nothing changed",
        "sft: 2 responses count otherwise now",
        "  accuracy numeric: 25.0% [15.0, 35.0], n=100 -> 50.0% [40.0, 60.0], n=100",
        "  win rate against base: not measured -> 75.0% [65.0, 85.0], n=100",
        "  p/1: read<U+001B> 7 before",
    ]


def test_footnotes_explain_what_a_report_has_and_nothing_else() -> None:
    alone = build_report([make_chain(base="cwcw")])
    assert footnotes(alone) == [
        "95% intervals in brackets, over the prompts, unless said.",
        "Lengths, outcomes and win rates are of the test problems, unless said.",
    ]
    assert brief_notes(alone) == "95% intervals in brackets."
    notes = " ".join(footnotes(build_report([make_chain(base="wwww", sft="cwcw", dpo="cccw")])))
    for words in ("Holm-adjusted", "One training seed", "Right beats wrong", "Strengths of demo"):
        assert words in notes
    assert "Preference accuracy" not in notes and "pass@k" not in notes


@pytest.mark.parametrize(("dtype", "rounds"), [("bfloat16", True), ("float32", False)])
def test_merged_adapters_are_noted_where_they_were_rounded(dtype: str, rounds: bool) -> None:
    run = make_chain(base="wwww", sft="cwcw")
    stages = [
        replace(
            stage,
            merged=("dpo",) if stage.name == "sft" else (),
            evaluation=stage.evaluation.model_copy(
                update={"contract": CONTRACT | {"dtype": dtype}}
            ),
        )
        for stage in run.stages
    ]
    contract = CONTRACT | {"dtype": dtype}
    of = replace(run, stages=stages, contract=contract)
    notes = " ".join(footnotes(build_report([of])))
    assert ("sft: the adapters before are merged into the weights, which rounds" in notes) == rounds


def test_provenance_says_how_was_asked_and_an_unfinished_run_what_is_missing() -> None:
    run = replace(chain([True] * 4, [True] * 4), missing=["dpo", "grpo"])
    lines = dict(provenance_lines(build_report([run])))
    assert lines["run"] == "demo (unfinished: dpo, grpo missing)"
    assert lines["evaluation"] == (
        "schoolmath, 4 test problems; 0-shot chat, greedy, at most 96 tokens, float32"
    )
    assert (lines["contract"], lines["wall clock"]) == ("c0ffee", "75 s")
    assert "graph" not in lines
    assert set(dict(brief_provenance(build_report([run])))) == {
        "model",
        "evaluation",
        "judge's fitness",
        "contract",
    }


def test_a_study_says_how_much_its_chains_share() -> None:
    lines = dict(provenance_lines(build_report([golden_lattice()])))
    assert lines["graph"].startswith(
        "4 models in 4 chains: 3 trainings and 4 evaluations, where the chains one by one would be "
        "4 and 8"
    )


def test_a_judge_without_gold_pairs_is_not_called_fit() -> None:
    lines = dict(passport_lines(NOTHING_KNOWN))
    assert lines["judge"] == "reference-2"
    assert lines["judge's fitness"] == "not checked: no gold pairs"
    assert (lines["judge's pairs"], lines["judge's cost"]) == ("", "")


@pytest.mark.parametrize(("fit", "said"), [(True, "FIT TO DECIDE"), (False, "NOT FIT TO DECIDE")])
def test_a_passport_is_written_with_its_numbers(fit: bool, said: str) -> None:
    gold = GoldAgreement(
        pairs="bundled/instructions, test",
        agreement=share(0.8),
        kappa=share(0.6),
        control=share(0.5),
        advantage=share(0.3),
        failures=2,
        position_consistency=None,
    )
    usage = Usage(requests=3, cached=1, prompt_tokens=1200, completion_tokens=8, cost_usd=0.00248)
    known = {
        "judge": "verdicts-1",
        "gold": gold,
        "fit": fit,
        "usage": usage,
        "pairs": 40,
        "prompt_hash": "ab12",
    }
    lines = dict(passport_lines(NOTHING_KNOWN.model_copy(update=known)))
    assert lines["judge"] == "verdicts-1 (prompt ab12)"
    assert lines["judge's pairs"] == "40 judged, 0 without a verdict"
    assert lines["judge's fitness"].startswith(said)
    assert (
        "longest control 50.0% [40.0, 60.0], kappa 0.60 [0.50, 0.70], 2 without"
        in lines["judge's fitness"]
    )
    assert lines["judge's cost"] == (
        "3 requests (1 answers from the cache), 1,200 + 8 tokens, $0.0025"
    )


def test_a_plain_chain_is_no_study_and_a_study_is_said_in_sentences() -> None:
    plain = chain([True, False], [True, True])
    assert study_sentences(build_report([plain]).runs[0]) == []
    lattice = golden_lattice()
    assert study_sentences(build_report([lattice]).runs[0]) == [
        "The whole chain added +50.0 [+35.2, +61.6] points of accuracy to base, of which by "
        "Shapley "
        "value sft +25.0 [+12.8, +35.6] and dpo +25.0 [+14.9, +33.5] (n=60 prompts).",
        "sft and dpo together add less accuracy than each without the other: -30.0 [-41.6, -16.5].",
    ]
    variants = golden_variants()
    first = study_sentences(build_report([variants]).runs[0])[0]
    assert first == (
        "After sft: against r=16 in accuracy (3 seeds): r=4 regressed, -7.2 [-9.6, -4.8], which is "
        "below the noise floor."
    )
