"""Prompts with an instruction that can be checked without a judge, in the terms of IFEval (arXiv
2311.07911): 16 kinds of instruction, each with six requests.

The wording is ours; what an instruction means is said by lm-eval's verifiers
(`evals.lm_eval.verifiers`). Kinds whose verifiers guess a language or need data of nltk's that is
downloaded are left out. Requests ask for little, so that few tokens hold an answer.
"""

from typing import Any, NamedTuple

from stagelift.evals.records import Record

# part of the contract: raise it when a prompt changes
VERSION = "instruction-prompts-1"
Instructions = dict[str, dict[str, Any]]


class InstructionPrompt(Record):
    """A prompt of a `kind`, and its instructions by lm-eval's names, with their arguments."""

    id: str
    kind: str
    prompt: str
    instructions: Instructions


class _Variant(NamedTuple):
    """How an instruction is worded, and its arguments."""

    words: str
    arguments: dict[str, Any]


_REQUESTS = (
    "Describe a rainy day in a small town in two sentences.",
    "Explain in two sentences why people sleep.",
    "Write two sentences about a dog that finds a letter.",
    "Give a short tip for somebody who moves to a new city.",
    "Say in two sentences what a library is for.",
    "Describe your favourite kitchen tool in two sentences.",
    "Write a short note that invites a neighbour to dinner.",
    "Explain in two sentences how a bicycle stays upright.",
    "Write two sentences about a train that is late.",
    "Recommend something to do on a cold Sunday in two sentences.",
    "Describe the sea in winter in two sentences.",
    "Write a short thank-you note to a teacher.",
)
_QUESTIONS = (
    "Is the sun larger than the moon?",
    "Can a person live without water for a year?",
    "Is Paris a city in France?",
    "Do most birds have feathers?",
    "Is ice warmer than steam?",
    "Is it a good idea to learn to swim?",
)
_CONSTRAINED = (
    'Answer with one of these and nothing else: "My answer is yes.", "My answer is no.", "My '
    'answer is maybe."'
)


def _same(words: str, **arguments: Any) -> list[_Variant]:
    return [_Variant(words, arguments)] * 6


def _each(words: str, name: str, values: list[Any], **arguments: Any) -> list[_Variant]:
    """Vary one argument, which stands in the words."""
    return [_Variant(words.format(_said(value)), {name: value, **arguments}) for value in values]


def _said(value: Any) -> str:
    return " and ".join(f'"{word}"' for word in value) if isinstance(value, list) else str(value)


_KINDS: dict[str, list[_Variant]] = {
    "punctuation:no_comma": _same("Do not use any commas."),
    "detectable_format:number_bullet_lists": _each(
        "Write exactly {} bullet points, each on a line of its own that starts with *.",
        "num_bullets",
        [2, 3, 4, 2, 3, 4],
    ),
    "length_constraints:number_words": [
        *_each("Use fewer than {} words.", "num_words", [12, 20, 30], relation="less than"),
        *_each("Use at least {} words.", "num_words", [25, 35, 45], relation="at least"),
    ],
    "keywords:existence": _each(
        "Use the words {}.",
        "keywords",
        [
            ["bread", "window"],
            ["river", "blue"],
            ["paper", "slow"],
            ["garden", "stone"],
            ["music", "seven"],
            ["lamp", "cloud"],
        ],
    ),
    "keywords:forbidden_words": _each(
        "Do not use the words {}.",
        "forbidden_words",
        [
            ["the", "water"],
            ["is", "people"],
            ["a", "dog"],
            ["you", "city"],
            ["and", "book"],
            ["it", "kitchen"],
        ],
    ),
    "keywords:frequency": _each(
        'Use the word "{}" at least 3 times.',
        "keyword",
        ["light", "friend", "street", "again", "small", "today"],
        frequency=3,
        relation="at least",
    ),
    "keywords:letter_frequency": _each(
        'Use the letter "{}" at least 6 times.',
        "letter",
        ["k", "v", "w", "b", "y", "g"],
        let_frequency=6,
        let_relation="at least",
    ),
    "startend:end_checker": _each(
        "End with these exact words and nothing after them: {}",
        "end_phrase",
        [
            "That is all.",
            "I hope this helps.",
            "What do you think?",
            "See you soon.",
            "And so it goes.",
            "Thank you for asking.",
        ],
    ),
    "startend:quotation": _same("Put your whole answer in double quotation marks."),
    "detectable_format:title": _same(
        "Begin with a title in double angular brackets, such as <<A Quiet Evening>>."
    ),
    "detectable_content:postscript": _same(
        "Add a postscript at the end that starts with P.S.", postscript_marker="P.S."
    ),
    "detectable_content:number_placeholders": _each(
        "Leave at least {} placeholders in square brackets, such as [name].",
        "num_placeholders",
        [2, 3, 4, 2, 3, 4],
    ),
    "detectable_format:number_highlighted_sections": _each(
        "Highlight at least {} words with asterisks, like *this*.",
        "num_highlights",
        [2, 3, 4, 2, 3, 4],
    ),
    "detectable_format:json_format": _same(
        'Answer with a JSON object that has the one key "answer", and with nothing else.'
    ),
    "detectable_format:constrained_response": _same(_CONSTRAINED),
    "combination:repeat_prompt": _same(
        "Before you answer, repeat the request above word for word."
    ),
}
KINDS = tuple(_KINDS)
CAPACITY = 6 * len(KINDS)


def instruction_prompts(limit: int) -> list[InstructionPrompt]:
    """Return the first prompts: one of every kind, then the second of every kind, and so on."""
    return [_prompt(number) for number in range(min(limit, CAPACITY))]


def _prompt(number: int) -> InstructionPrompt:
    turn, place = divmod(number, len(KINDS))
    kind = KINDS[place]
    request = _REQUESTS[(2 * turn + place) % len(_REQUESTS)]
    if kind == "detectable_format:constrained_response":
        request = _QUESTIONS[turn]
    words, arguments = _KINDS[kind][turn]
    if kind == "combination:repeat_prompt":
        arguments = {"prompt_to_repeat": request}
    return InstructionPrompt(
        id=f"instruction/{number}",
        kind=kind,
        prompt=f"{request} {words}",
        instructions={kind: arguments},
    )
