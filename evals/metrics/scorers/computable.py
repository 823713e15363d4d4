"""Which expression of a response is its final one, and whether that can be computed.

A power of a power, a factorial or a binomial can have more digits than there is memory for, and no
limit of time stops that: such a final expression is refused, and such ones before it are blotted.
Exclamation marks of prose are no factorials.
"""

import re

_SPACES = re.compile(r"\\(?:left|right)(?![a-zA-Z])|\\[,;:! ]|\s")
_LATEX = re.compile(
    r"\$\$[^$]{1,2000}\$\$|\$[^$]{1,2000}\$"
    r"|\\\((?:(?!\\\)).){1,2000}\\\)|\\\[(?:(?!\\\]).){1,2000}\\\]",
    re.DOTALL,
)
_SENTENCE = re.compile(r"\n|[.!?]\s")
_BOX = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_POWER = r"(?:\^|\*\*)[{(\s]{0,5}-?"
_TOWER = rf"{_POWER}(?:\d{{1,20}}|e|\\pi)[)}}\s]{{0,5}}(?:\^|\*\*)|{_POWER}\d{{4}}"
_SMALL_ARGUMENT = r"\s{0,3}\{(?:(?!\d{5})[\w\s+-]){1,20}\}"
_BINOMIAL = rf"\\[dt]?binom(?!{_SMALL_ARGUMENT}{_SMALL_ARGUMENT})|\d{{5}}\s{{0,3}}\\choose"
_GAMMA = r"\\Gamma\W{0,9}\d{4}"
_LARGE = re.compile(f"{_TOWER}|{_BINOMIAL}|{_GAMMA}")
# n!, 12! and (n+1)!, but not 9^9!, where the power comes first
_SMALL_FACTORIAL = (
    r"(?<!\^)(?<!\*\*)(?:(?<!\d)\d{1,3}|[a-zA-Z]|\((?:(?!\d{4})[\w+-]){1,20}\))!(?!!)"
)
_FACTORIAL = re.compile(rf"(?P<small>{_SMALL_FACTORIAL})|!")
_EXPONENT = re.compile(r"(?:\^|\*\*)[{(]")
_LARGE_EXPONENT = re.compile(
    r"\d{4}|(?:\d|e|\\pi)[)}]{0,5}(?:\^|\*\*)|\d{3}(?:\\cdot|\\times|\*)|!|binom|choose"
)
_MOST_EXPONENTS = 100


def computable(text: str) -> str:
    """Return a text in which nothing is too large to be computed.

    Raises ValueError where its final expression is: the last box, else the last formula, else the
    last sentence.
    """
    start, end, is_latex = _final(text)
    expression = text[start:end]
    if _is_large(expression, has_factorials=is_latex):
        raise ValueError("a power, factorial or binomial as large as its final one is not computed")
    read = expression if is_latex else expression.replace("!", "")
    return f"{_blotted(text[:start])}{read}{_blotted(text[end:])}"


def _final(text: str) -> tuple[int, int, bool]:
    """Return where the final expression is, and whether it is LaTeX."""
    boxes = list(_BOX.finditer(text))
    if boxes:
        return boxes[-1].start(), _closing(text, boxes[-1].end()) + 1, True
    formulas = list(_LATEX.finditer(text))
    if formulas:
        return *formulas[-1].span(), True
    end = len(text.rstrip())
    starts = [place.end() for place in _SENTENCE.finditer(text, 0, end)]
    return starts[-1] if starts else 0, end, False


def _closing(text: str, start: int) -> int:
    """Return where the bracket closes that opens before `start`."""
    depth, opening = 1, text[start - 1]
    for place in re.finditer(r"[{}]" if opening == "{" else r"[()]", text[start:]):
        depth += 1 if place[0] == opening else -1
        if depth == 0:
            return start + place.start()
    return len(text)


def _is_large(expression: str, *, has_factorials: bool) -> bool:
    dense = _SPACES.sub("", expression)
    if _LARGE.search(expression) or _LARGE.search(dense):
        return True
    if has_factorials and "!" in _FACTORIAL.sub(_without_small, dense):
        return True
    exponents = list(_EXPONENT.finditer(dense))
    return len(exponents) > _MOST_EXPONENTS or any(
        _LARGE_EXPONENT.search(dense[place.end() : _closing(dense, place.end())])
        for place in exponents
    )


def _without_small(factorial: re.Match[str]) -> str:
    return "" if factorial["small"] else "!"


def _blotted(text: str) -> str:
    """Return what is not the final expression without what is large in it."""
    lines = text.split("\n")
    return "\n".join(_blotted_line(line) for line in lines)


def _blotted_line(line: str) -> str:
    small = _FACTORIAL.sub(lambda found: found["small"] or "", line)
    return " " if _is_large(small, has_factorials=True) else small
