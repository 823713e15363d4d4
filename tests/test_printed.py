"""What is printed of the text of others acts on nobody, and nothing of it is dropped."""

import json
import sys
import unicodedata

import pytest

from stagelift.evals.printed import (
    PLAIN,
    excerpt,
    json_escaped,
    one_line,
    safe_text,
    without_commands,
    without_its_middle,
)

# such as the Arabic sign of a year: of the class of formats, and seen
SEEN = {
    0x600,
    0x601,
    0x602,
    0x603,
    0x604,
    0x605,
    0x6DD,
    0x70F,
    0x890,
    0x891,
    0x8E2,
    0x110BD,
    0x110CD,
}


def test_lines_and_tabs_stay_and_all_that_could_act_is_shown() -> None:
    shown = "a\n\tb<U+001B>[31mred<U+202E><U+2028>"
    assert safe_text("a\n\tb\x1b[31mred\u202e\u2028") == shown
    assert safe_text("a\r\nb\rc\x9b\ud800\U0001ffff") == "a\nb<U+000D>c<U+009B><U+D800><U+1FFFF>"


def test_every_control_format_and_private_character_is_shown() -> None:
    hidden = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    left = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in hidden and safe_text(chr(code)) == chr(code)
    }
    assert left == SEEN | {0x9, 0xA}


@pytest.mark.parametrize(
    "text",
    [
        "👩🏽‍🚀 ❤️ 1️⃣ 👨‍👩‍👧",
        "می‌خواهم",
        "क्‍ष",
        "שלום עולם",
        "مرحبا",
        "葛\U000e0100",
        "Zoë 漢字 한글",
        "é",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
        "کتاب‌ها‌ ",
        "അവൻ അവന്‍ ",
        "ꦏ꧀‌ꦱ ᬓ᭄‌ᬓ",
        "ไทย\u200bไทย ខ្មែរ\u200bខ្មែរ",
    ],
)
def test_scripts_and_emoji_stay_as_they_are(text: str) -> None:
    assert safe_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay\u200bpal", "pay<U+200B>pal"),
        ("a\u200db", "a<U+200D>b"),
        ("a\ufe01b\U000e0101", "a<U+FE01>b<U+E0101>"),
        ("❤\ufe0f\ufe0f", "❤\ufe0f<U+FE0F>"),
        ("می\u200c\u200cx", "می\u200c<U+200C>x"),
        ("ไ\u200bx", "ไ<U+200B>x"),
        ("🏴\U000e0067\U000e0062", "🏴<U+E0067><U+E0062>"),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e007f", "🏴<U+E0067><U+E0062><U+E0065><U+E007F>"),
        ("\U000e0068\U000e0069", "<U+E0068><U+E0069>"),
        ("\u3164\u115f\u034f", "<U+3164><U+115F><U+034F>"),
        ("\u2067rtl\u2069\u200f", "<U+2067>rtl<U+2069><U+200F>"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert safe_text(text) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("::error::no", ": :error: :no"),
        (":::error::", ": : :error: :"),
        ("a\n##[error]no", "a # #[error]no"),
        ("#### 7", "#### 7"),
        ("##vso[task]", "# #vso[task]"),
    ],
)
def test_no_line_is_a_command_of_a_runner(text: str, line: str) -> None:
    assert one_line(text) == line


def test_of_several_lines_none_is_a_command_and_the_rest_stays() -> None:
    text = "std::vector\n::error::no\n \t::set-output::\n##[endgroup]"
    shown = "std::vector\n: :error::no\n \t: :set-output::\n# #[endgroup]"
    assert without_commands(text) == shown


def test_json_says_what_it_said() -> None:
    said = "a\x1b\x7f\x9b\u202e\U000e0041\ud800 👩‍🚀 ##[error] é"
    document = json_escaped(json.dumps(said, ensure_ascii=False))
    assert json.loads(document) == said
    assert safe_text(document) == document and "##[" not in document and "👩‍🚀" in document


def test_an_excerpt_says_how_much_is_left_out() -> None:
    assert excerpt("abcdef", limit=4) == "abcd... (2 more characters)"
    assert excerpt(" \n") == "(empty)"


def test_a_refusal_that_quotes_too_much_keeps_its_beginning_and_its_end() -> None:
    short = "The gates are 9. Write a number."
    assert without_its_middle(short, 200) == short
    found = without_its_middle(f"The gates are {'9' * 10_000}. Write a number.", 200)
    assert found.startswith("The gates are 999") and found.endswith("99. Write a number.")
    assert "999... (9,881 characters left out) ...999" in found and len(found) < 200


def test_marks_that_an_encoding_lacks_are_written_plainly_and_all_else_by_its_escape() -> None:
    written = "├─●─┤ improved † … ✓ é 学".encode("ascii", PLAIN)
    assert written == b"|-o-| improved * ~ v \\xe9 \\u5b66"
    assert "├─┤ †".encode("cp1252", PLAIN) == "|-| †".encode("cp1252")
