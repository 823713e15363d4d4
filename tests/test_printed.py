"""What is printed of the text of others acts on nobody."""

import pytest

from stagelift.evals.printed import excerpt, one_line, safe_text


def test_lines_and_tabs_stay_and_codes_of_terminals_go() -> None:
    assert safe_text("a\n\tb\x1b[31mred\u202e\u2028") == "a\n\tb[31mred"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("::error::no", ": :error: :no"),
        ("a\n##[error]no", "a # #[error]no"),
        ("#### 7", "#### 7"),
        ("##vso[task]", "# #vso[task]"),
    ],
)
def test_no_line_is_a_command_of_a_runner(text: str, line: str) -> None:
    assert one_line(text) == line


def test_an_excerpt_says_how_much_is_left_out() -> None:
    assert excerpt("abcdef", limit=4) == "abcd... (2 more characters)"
    assert excerpt("\x1b") == "(empty)"
