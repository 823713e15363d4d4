"""Preference pairs from worked answers: the answer itself against a worse one.

Half of the rejected answers reach a wrong number by a slip in the last step, and are as long as the
answer they are paired with. The other half are right but more than twice as long as they need to
be. So being short is only ever preferred among right answers. Which half a problem falls in depends
on its text alone; an answer without working cannot ramble, and its rejected one is always wrong.
"""

import random
import re

_RAMBLING = (
    "Let me think about this problem carefully.",
    "{working}",
    "Let me double-check that by doing all of it once more.",
    "{working}",
    "I have now checked it twice, so I am confident.",
)


def rejected_answer(question: str, answer: str) -> str:
    """Return a worse answer to `question` than `answer` (worked steps ending in `#### target`)."""
    rng = random.Random(question)
    working, _ = _split(answer)
    if rng.random() < 0.5 or not working:
        return _wrong(answer, rng)
    return _rambling(answer)


def _wrong(answer: str, rng: random.Random) -> str:
    """Slip in the last step: its result and the final number are off by a little."""
    working, target = _split(answer)
    slipped = _off_by_a_little(target, rng)
    number = re.compile(rf"(?<![\d.,]){re.escape(target)}(?![\d,]|\.\d)")
    places = list(number.finditer(working))
    if places:
        start, end = places[-1].span()
        working = working[:start] + slipped + working[end:]
    return f"{working}\n#### {slipped}".lstrip()


def _off_by_a_little(target: str, rng: random.Random) -> str:
    value = target.replace(",", "")
    offset = rng.choice([-10, -2, -1, 1, 2, 10])
    if not re.fullmatch(r"-?\d+", value):
        return f"{value}{abs(offset)}"
    slipped = int(value) + offset
    if slipped <= 0:
        slipped = int(value) + abs(offset)
    return str(slipped)


def _rambling(answer: str) -> str:
    working, target = _split(answer)
    lines = [line.replace("{working}", working) for line in _RAMBLING]
    return "\n".join([*lines, f"#### {target}"])


def _split(answer: str) -> tuple[str, str]:
    working, _, target = answer.rpartition("####")
    return working.strip(), target.strip()
