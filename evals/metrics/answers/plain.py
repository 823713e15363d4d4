r"""A response as plain text: what only changes how a number looks goes.

In order: characters of other scripts, local numerals, calculator marks, emphasis, tags, LaTeX,
currency and percent, white space, and last the numbers that only count lines and steps. Boxes stay
as `\boxed{...}`. Every pattern is linear: no two neighbouring repeats can match the same character.
"""

import re
import unicodedata
from collections.abc import Iterable

from stagelift.evals.metrics.answers.local_formats import in_english_form

# a pattern, what takes its place, and what a text must hold for it to be found: one of these, where
# any are named
Rule = tuple[re.Pattern[str], str, list[str]]


def plain(text: str) -> str:
    """Return `text` in ASCII digits, without markup, one sentence or formula after the other."""
    text = "\n".join(_in_ascii_digits(text).translate(_CHARACTERS).splitlines())
    text = in_english_form(_rewritten(text, LOOKS))
    return _rewritten(text, REWRITES)


def _rewritten(text: str, rules: Iterable[Rule]) -> str:
    """Apply rules one after the other; most need something that most texts do not hold."""
    for pattern, replacement, needs in rules:
        if not needs or any(part in text for part in needs):
            text = pattern.sub(replacement, text)
    return text


def _in_ascii_digits(text: str) -> str:
    """Write digits of other scripts, fractions and powers in ASCII: ٤٢, ⅔ and 10⁶."""
    text = _FOREIGN_DIGITS.sub(lambda m: "".join(str(unicodedata.decimal(c)) for c in m[0]), text)
    text = _VULGAR_FRACTION.sub(lambda m: " " + unicodedata.normalize("NFKD", m[0]), text)
    return _SUPERSCRIPT.sub(lambda m: "^" + unicodedata.normalize("NFKD", m[0]), text)


_FOREIGN_DIGITS = re.compile(r"(?:(?![0-9])\d)+")
_VULGAR_FRACTION = re.compile(r"[¼-¾⅐-⅞]")
_SUPERSCRIPT = re.compile(r"(?<=[\w)])[⁺⁻]?[⁰¹²³⁴-⁹]+")
_CHARACTERS = str.maketrans(
    # minus signs and hyphens
    dict.fromkeys("\u2212\ufe63\uff0d\u2010\u2011", "-")
    # the spaces that separate thousands
    | dict.fromkeys("\u2007\u2009\u202f", "\xa0")
    # characters without width, and marks that open a question
    | dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff¿¡")
    | {"\u2012": "\u2013", "\u2044": "/", "`": "", "\u3000": " "}
    # punctuation of other scripts
    | {"。": ". ", "｡": ". ", "।": ". ", "！": "! ", "？": "? ", "؟": "? ", "，": ", ", "、": ", "}
    | {"،": ", ", "；": "; ", "：": ": ", "（": " (", "）": ") ", "＝": "=", "＋": "+", "％": "%"}
    | {
        "．": ".",
        "٫": ".",
        "٬": ",",
        "＄": "$",
        "￥": "¥",
        "／": "/",
        "～": "~",
        "〜": "~",
        "【": " ",
    }
    | {"】": " ", "「": " ", "」": " ", "＊": "*", "ｘ": "x", "∶": ":"}
)
# what stands inside a numeral, or is crossed out, before local forms are looked at
LOOKS: list[Rule] = [
    (re.compile(pattern), replacement, needs)
    for pattern, replacement, *needs in [
        (r"<<[^<>\n]*>>", ""),
        (r"~~[^~\n]{0,200}~~", " "),
        (r"\\(?:overline|bar|overset\{\.\})[ ]?\{?(\d{1,9})\}?", r"(\1)"),
        (r"(?<=[.\d])(\d)[\u0304\u0305]", r"(\1)", "\u0304", "\u0305"),
        (r"\\!|\{,\}(?!\d{3})", ""),
        (r"\{,\}", ","),
        (r"\\[,;: ](?=\d{3}(?!\d))|~(?=\d{3}(?!\d))", "\xa0"),
        (r"(?<=\d)\xa0(?=\d{3}(?![\d/]))", ",", "\xa0"),
        # "Rs. 42/-"
        (r"(?<=\d)/[-=](?!\d)", "", "/"),
    ]
]
_WORDS_IN_LATEX = (
    r"\\(?:text(?:bf|it|rm|sf|tt|normal|up)?|math(?:bf|rm|it|sf|tt|bb|cal|ord)|operatorname|m?box"
    r"|underline|emph|bm|boldsymbol|bold|unit|hbox|textcolor ?\{[^{}]{0,20}\}"
    r"|color ?\{[^{}]{0,20}\}|colorbox ?\{[^{}]{0,20}\}|underbrace|phantom|mathop) ?\{([^{}]*)\}"
)
_SILENT = (
    "left|right|quad|qquad|therefore|because|displaystyle|ldots|dots|cdots|checkmark|blacksquare"
    "|square|hline|newline|[Ll]arge|LARGE|[Hh]uge|small|tiny|normalsize|bf|bfseries|it|rm|sf"
    "|textstyle|limits|bigl?|bigr|Bigl?|Bigr|centering|par|noindent|color ?\\{[^{}]{0,20}\\}"
)
REWRITES: list[Rule] = [
    (re.compile(pattern), replacement, needs)
    for pattern, replacement, *needs in [
        # emphasis: between two digits or two spaces an asterisk multiplies
        (r"(?<!\d)\*{2,3}(?=\S)|(?<=\S)\*{2,3}(?!\d)", "", "*"),
        (r"(?<![\w*)])\*(?=[^\s*])|(?<=[^\s*])\*(?![\w(*])", "", "*"),
        (r"(?<!\w)_{1,2}(?=\S)|(?<=[^\s_])_{1,2}(?![\w{])", "", "_"),
        (r"<\|begin_of_box\|>", r"\\boxed{"),
        (r"<\|end_of_box\|>", "}"),
        (r"<[/|]?[A-Za-z][^<>\n]{0,40}>", " "),
        (r"\\\\(?=[A-Za-z$%])", r"\\"),
        (r"\\\\", "\n"),
        (
            r"\^ ?(?:\{ ?\\circ ?\}|\\circ)|\\degree|(?<=[A-Za-z}])_(?:\{[^{}]{0,20}\}|\d)",
            "",
            *"^_\\",
        ),
        (r"\\(?=[$%£€#&_])", ""),
        (r"\\[()\[\]]|\\[,:; ]|~(?! ?\d)|(?<!\d)~|\xa0", " ", *"\\~\xa0"),
        (rf"\\(?:{_SILENT})(?![A-Za-z])|\\(?:begin|end)\{{[A-Za-z*]{{0,20}}\}}", " "),
        (r"\\times(?![A-Za-z])", "×"),
        (r"\\(?:cdot|ast)(?![A-Za-z])", "·"),
        (r"\\div(?![A-Za-z])", "÷"),
        (r"\\neq?(?![A-Za-z])|!=", "≠"),
        (r"\\leq?(?:slant)?(?![A-Za-z])|<=", "≤"),
        (r"\\geq?(?:slant)?(?![A-Za-z])|>=", "≥"),
        (r"\\pi(?![A-Za-z])", "π"),
        # what comes after an arrow or an approximation is the result, as after an equals sign
        (
            r"\\(?:approx|implies|to|[Rr]ightarrow|Longrightarrow)(?![A-Za-z])|[=-]>|==|[≈→⇒≒]"
            r"|\bequals(?= [-$]? ?[\d.(])",
            "=",
            *("\\", ">", "==", "≈", "→", "⇒", "≒", "equals"),
        ),
        (
            r"(?i)(\b(?:plus|minus|times|divided by|multiplied by) [$€£]?\d[\d.,]{0,20}"
            r"(?: [a-z]{1,12})?)"
            r" (?:makes?|is|gives|are|equals?)(?= [-$€£]{0,2}\d)",
            r"\1 =",
        ),
        *[(_WORDS_IN_LATEX, r" \1 ")] * 2,
        (r"\\(?:fbox|framebox|fcolorbox ?\{[^{}]{0,20}\} ?\{[^{}]{0,20}\}|boxed) ?\{", r"\\boxed{"),
        (r"\\(?:boxed|fbox) ?(\d[\d.,]{0,20})(?<=\d)", r"\\boxed{\1}"),
        (r"([$£€¥₹] ?-?\d[\d.,]{0,30}) ?(?:m|mn|mm|M|MM)\b", r"\1 million", *"$£€¥₹"),
        (r"([$£€¥₹] ?-?\d[\d.,]{0,30}) ?(?:k|K)\b", r"\1 thousand", *"$£€¥₹"),
        (r"([$£€¥₹] ?-?\d[\d.,]{0,30}) ?(?:b|bn|B|BN)\b", r"\1 billion", *"$£€¥₹"),
        (r"(₹ ?-?\d[\d.,]{0,30}) ?(?:cr|Cr)\b", r"\1 crore"),
        (r"([-+])[$£€¥₹] ?(?=[\d.\\])", r"\1", *"$£€¥₹"),
        (
            r"\b(?:USD|EUR|GBP|INR|CAD|AUD|US(?= ?\$)|[RC](?=\$)|R[Ss]\.?|approx\.?|ca\.|Tk\.?"
            r"|Ksh\.?|KSh\.?|Tsh\.?|TSh\.?|S/\.?) ?(?=[-$]? ?\d)",
            " ",
        ),
        (r"[$£€¥₹₽₩฿৳]", " "),
        (r"(?<=\d) ?%(?! ?\d)", "", "%"),
        (r"\^ ?\{ ?(-?\d{1,9}) ?\}", r"^\1"),
        (r"(?<=\d) ?(?=\\[dtc]?frac)", " ", "\\"),
        (r"\\[dtc]?frac ?\{ ?(-?[\d.,]+) ?\} ?\{ ?([\d.,]+) ?\}", r"\1/\2"),
        (r"\\[dtc]?frac ?(\d)(\d)", r"\1/\2"),
        (r"(?<![A-Za-z^_}])\{([^{}]*)\}", r"\1", "{"),
        (r"[^\S\n]+", " "),
        (r" ?\n\s*", "\n"),
        (r"(?m)^(?:[>*•] ?)+", ""),
        (r"(?m)^ ?\(?\d{1,2}[.)] (?=\S)", ""),
        (
            r"(?i)\b(step|part|question|problem|equation|method|option|example|exercise|schritt"
            r"|paso|étape|шаг|passo) #?\d{1,9}(?:\.\d{1,3}){0,3}[a-z]?\b",
            r"\1",
        ),
        (r"(?i)\bnegative (?=[\d.])|(?:(?<=\b[ib][se] )|(?<=ist )|(?<=[:=] ))minus (?=[\d.])", "-"),
    ]
]
