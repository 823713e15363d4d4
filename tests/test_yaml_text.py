"""YAML as users write it: what it means, and that whatever is wrong with it is one sentence."""

from pathlib import Path

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.yaml_text import (
    as_yaml_holds_it,
    read_yaml,
    read_yaml_file,
    write_yaml,
)

# every line stands for ten of the line before: a thousand million values
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e0", 1.0),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("+1.5e3", 1500.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("1_000", 1000),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("!!int 3", 3),
    ],
)
def test_numbers_are_those_of_yaml_1_2(text: str, value: float) -> None:
    read = read_yaml(text, "it")
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", ["12:30", "2026-01-31", "1e", "e5", "0.1.2", "'1e5'", "!!str 3"])
def test_what_only_looks_like_a_number_is_text(text: str) -> None:
    assert read_yaml(text, "it") == text.removeprefix("!!str ").strip("'")


def test_truth_and_nothing_have_their_usual_names() -> None:
    assert read_yaml("[true, yes, On, false, no, OFF, null, ~, ]", "it") == [
        *(True, True, True, False, False, False),
        *(None, None),
    ]
    assert read_yaml("", "it") is None


def test_merge_keys_fill_in_what_a_mapping_does_not_say() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert read_yaml(text, "it")["c"] == {"x": 3, "y": 1, "z": 2}
    assert read_yaml("a: &a {x: 1}\nb: {x: 2, <<: *a}\n", "it")["b"] == {"x": 2}


def test_two_places_never_hold_the_same_object() -> None:
    read = read_yaml("sft: &args {max_steps: 3}\ndpo: *args\n", "it")
    read["sft"]["max_steps"] = 4
    assert read == {"sft": {"max_steps": 4}, "dpo": {"max_steps": 3}}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "notepad.yaml").write_bytes(b"\xef\xbb\xbfaccuracy: 2\r\n")
    assert read_yaml_file(tmp_path / "notepad.yaml", "it") == {"accuracy": 2}


LONG = "b" * 500_000
UNUSABLE = [
    ("a: 1\nb: 2\na: 3\n", "line 3: The key 'a' is given twice"),
    ("a: {<<: {b: 1}, <<: {c: 2}}", "`<<` is given twice"),
    ("a: {<<: 3}", "`<<` merges mappings only"),
    ("a: {<<: {b: 1, b: 2}}", "The key 'b' is given twice"),
    ("1: 2", "The key 1 is not text"),
    ("on: 2", "The key on is not text"),
    ("? [a]\n: 2", "A key is a list or a mapping"),
    ("a: .nan", ".nan is no number that 64 bits hold"),
    ("a: -.inf", "-.inf is no number that 64 bits hold"),
    ("a: 1e999", "1e999 is no number that 64 bits hold"),
    ("a: " + "9" * 5000, "99999999999999999999 is no number that 64 bits hold"),
    ("a: !!python/object/apply:os.system [ls]", "The tag !!python/object/apply:os.system has no"),
    ("a: !foo b", "The tag !foo has no meaning here"),
    ("a: !!int b", "The tag !!int has no meaning here"),
    ("a: !!set {b}", "The tag !!set has no meaning here"),
    ("a: !!timestamp b", "The tag !!timestamp has no meaning here"),
    ("a: <<", "'<<' is no value"),
    ("a: &a [*a]", "With its aliases it is nested over 50 deep"),
    ("a: &a\n  <<: *a", "With its aliases it is nested over 50 deep"),
    (LAUGHS, "With its aliases it stands for over 100000 values"),
    ("[" * 100_000, "is not valid YAML: it is nested more than 50 deep"),
    ("{a: " * 60 + "}" * 60, "is not valid YAML: it is nested more than 50 deep"),
    ("a:\t- b", r"is not valid YAML: while scanning for the next token, found character '\t'"),
    ("a: *b", "is not valid YAML: found undefined alias 'b' (line 1)"),
    ("a: 1\n---\nb: 2\n", "expected a single document in the stream"),
    ("a: \0", "is not valid YAML: unacceptable character"),
    ("a: [", "is not valid YAML"),
    ('a: 1\nb: "\\U00110000"', "an escape stands for no character of Unicode, whose last is"),
    ('a: 1\nb: "\\UFFFFFFFF"', "\\U0010FFFF (line 2)"),
    ('a: 1\nb: "\\ud800"', "line 2: There is half of a surrogate pair, which is no text"),
    ('"\\udc00": 1', "half of a surrogate pair"),
    (f"a: *{LONG}", "found undefined alias 'bbbbb"),
    (f"a: !{LONG} b", "The tag !bbbbb"),
    (f"a: !{LONG}!b c", "found undefined tag handle '!bbbbb"),
    (f"a: &{LONG} 1\nb: &{LONG} 2", "found duplicate anchor"),
    (f"{LONG}: 1\n{LONG}: 2", "is not valid YAML"),
    (f"? {LONG}\n: 1\n? {LONG}\n: 2", "The key 'bbbbb"),
]


@pytest.mark.parametrize(("text", "sentence"), UNUSABLE, ids=[says[:40] for _, says in UNUSABLE])
def test_what_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_yaml(text, "mine.yaml")
    assert str(refused.value).startswith("mine.yaml") and sentence in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_a_pair_of_surrogates_is_a_character_as_in_json() -> None:
    assert read_yaml('{"a": "\\ud83d\\ude00 é"}', "it") == {"a": "😀 é"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfea\x00:\x00", "is text in UTF-16. Save it in UTF-8."),
        (b"", "expected keys such as name, model and stages"),
        (b"- a\n- b\n", "expected keys such as name, model and stages"),
        (b"name: 2026-01-31\nseed: 2026-01-31\nstages: []\n", "Key 'seed' in line 2 of mine.yaml"),
        (b"name: [" * 2000, "nested more than 50 deep"),
    ],
)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_recipe_that_cannot_be_read_ends_a_command_with_2(
    command: str, content: bytes, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    refused(CliRunner().invoke(app, [command, "mine.yaml"]), sentence)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("seed=.nan", "The value of --set seed: .nan is no number"),
        ("seed=[", "The value of --set seed is not valid YAML"),
        ("lora={r: 1, r: 2}", "The key 'r' is given twice"),
        ("lora=!foo 3", "The tag !foo has no meaning here"),
    ],
)
def test_a_value_that_cannot_be_read_ends_a_command_with_2(override: str, sentence: str) -> None:
    refused(CliRunner().invoke(app, ["run", "quickstart", "--set", override]), sentence)
    trained = CliRunner().invoke(app, ["judge", "train", "--output", "x", "--set", override])
    refused(trained, sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("accuracy: 1\naccuracy: 5\n", "line 2: The key 'accuracy' is given twice"),
        ("accuracy: !foo 1\n", "The tag !foo has no meaning here"),
        ("[" * 2000, "nested more than 50 deep"),
        ("- accuracy\n", "holds no gates"),
        ("gates: [accuracy]\n", "The gates in gates.yaml are ['accuracy']"),
        ("", "holds no gates"),
    ],
)
def test_gates_that_cannot_be_read_end_a_check_with_2(
    content: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gates.yaml").write_text(content)
    monkeypatch.chdir(tmp_path)
    arguments = ["check", "new", "--baseline", "old", "--gates", "gates.yaml"]
    refused(CliRunner().invoke(app, arguments), sentence)


def test_a_folder_is_no_file_of_gates(tmp_path: Path) -> None:
    arguments = ["check", "new", "--baseline", "old", "--gates", str(tmp_path)]
    refused(CliRunner().invoke(app, arguments), "is not a file")


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "value",
    [
        *("1e-5", "1e5", "12:30", "010", "0o17", "yes", "2026-01-31", "=", "<<", "-.5", "null"),
        *("", " ", "a: b", "# no", "é", 1e-05, 1e30, 1.0, 5, True, None),
    ],
)
def test_what_is_written_reads_the_same_here_and_elsewhere(value: object) -> None:
    written = write_yaml({"key": value})
    for read in (read_yaml(written, "it"), yaml.safe_load(written)):
        assert (read, type(read["key"])) == ({"key": value}, type(value))


@pytest.mark.parametrize("number", [2**63, -(2**63), 10**400, float("nan"), float("-inf")])
def test_a_number_that_python_hands_over_is_one_that_yaml_can_hold(number: float) -> None:
    with pytest.raises(UsageError, match=r"^the recipe, lora, r: .* no number that 64 bits hold"):
        as_yaml_holds_it({"lora": {"r": number}}, "the recipe")


def test_content_of_python_is_a_copy_with_all_that_was_there() -> None:
    content = {"stages": [{"sft": {"args": {"x": (1, 2.5, None, True, "a")}}}], "seed": 0}
    held = as_yaml_holds_it(content, "the recipe")
    assert held == content
    held["stages"][0]["sft"]["args"] = {}
    assert content["stages"] != held["stages"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: 1\n" + "# x\n" * 300_000, "mine.yaml holds more than 1 MiB of text"),
        ("".join(f"k{n}: 1\n" for n in range(20_000)), "more than 20,000 keys and values"),
        ("k: '" + "x" * 1_000_000 + "'", "Unknown key 'k' in line 1 of mine.yaml"),
        ("k" * 900 + ": 1", "Unknown key 'kkkk"),
        ("name: x\nseed: [&a [1,1,1,1,1,1,1,1], [*a, *a, *a, *a, *a, *a, *a, *a]]", "Key 'seed'"),
    ],
    ids=["bytes", "keys", "value", "key", "aliases"],
)
def test_a_recipe_of_any_size_is_answered_soon_and_briefly(
    content: str, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(UsageError) as refused:
        load_recipe(str(tmp_path / "mine.yaml"), [])
    assert sentence in str(refused.value) and len(str(refused.value)) < 1_000
