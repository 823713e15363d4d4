"""One way to write every number, so that two answers are equal when their strings are."""

from fractions import Fraction

# characters of a number: beyond it nobody stated an answer, and 1e999999999 must not be written out
MAX_LENGTH = 50


def canonical(value: Fraction | None) -> str | None:
    """Write a number as an integer, else as the exact decimal, else as a fraction.

    None where that gets too long.
    """
    if value is None:
        return None
    decimals = _decimals(value.denominator)
    text = str(value) if decimals is None else _decimal(value, decimals)
    return text if len(text) <= MAX_LENGTH else None


def _decimals(denominator: int) -> int | None:
    """Return how many decimals write 1/denominator exactly; None where no number of them does."""
    twos = (denominator & -denominator).bit_length() - 1
    rest, fives = denominator >> twos, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    return max(twos, fives) if rest == 1 else None


def _decimal(value: Fraction, decimals: int) -> str:
    digits = str(abs(value.numerator) * 10**decimals // value.denominator).zfill(decimals + 1)
    point = len(digits) - decimals
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:point]}.{digits[point:]}".removesuffix(".")
