"""Everyday instructions in one or two lines, generated, each with a better and a worse response.

The pairs are small enough for a 135M model to attempt and have a known better side, so they can
train a reward model, check a judge and measure whether a model prefers the better response. They do
not measure how helpful a model is beyond that: the good responses are short and plain, and the
flaws of the bad ones were put there on purpose.

A prompt's text decides its flaw. Most flaws can be seen only by reading the prompt: an off-topic
response is a good one to another prompt, and wrong content, a broken format or a contradicted
detail keep the look of a good response. Length says nothing: the better response is kept the longer
one in about half of the pairs of every template and every flaw (but `rambling` is always longer and
`unfinished` nearly always shorter).

Train and test never share a prompt: a hash of what it is about decides the side, and some templates
are in test only.
"""

import hashlib
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

# part of every data fingerprint: raise it whenever a generated pair changes
VERSION = 1

# How many different prompts a split can give, the scarcest template deciding (those about facts
# know a few dozen each).
CAPACITY = {"train": 3_200, "test": 800}

Split = Literal["train", "test"]
Flaw = Literal[
    "off_topic",
    "wrong_content",
    "breaks_format",
    "contradiction",
    "rude_refusal",
    "rambling",
    "unfinished",
]

# How often each is chosen where a prompt allows it; the first four cannot be told without the
# prompt.
FLAWS: dict[Flaw, int] = {
    "off_topic": 3,
    "wrong_content": 3,
    "breaks_format": 3,
    "contradiction": 3,
    "rude_refusal": 2,
    "rambling": 2,
    "unfinished": 2,
}


@dataclass(frozen=True)
class PreferencePair:
    """A prompt with a better and a worse response.

    `template` is what it comes from, `flaw` what is wrong with the worse one.
    """

    prompt: str
    chosen: str
    rejected: str
    template: str
    flaw: Flaw


@dataclass(frozen=True)
class Draft:
    """An instruction with good and bad responses to it.

    `content` is what the instruction is about, whatever its wording; up to the first `/` it is the
    topic. `bad` holds, by flaw, the responses that only this instruction makes possible.
    """

    content: str
    prompt: str
    good: Sequence[str]
    bad: dict[Flaw, list[str]]


def pairs(split: Split, count: int) -> list[PreferencePair]:
    """Return the first `count` pairs of a split.

    They are the same ones always, and a prefix of any longer request. Raises ValueError beyond the
    split's CAPACITY.
    """
    if count > CAPACITY[split]:
        raise ValueError(
            f"Split '{split}' has {CAPACITY[split]} different prompts, {count} were asked for."
        )
    return list(islice(_stream(split), count))


def _stream(split: Split) -> Iterator[PreferencePair]:
    rng = random.Random(f"instructions/{VERSION}/{split}")
    names = _template_names(split)
    seen: set[str] = set()
    # by template and by flaw: how much more often the chosen response was the longer one
    balance: Counter[str] = Counter()
    while True:
        name = names[len(seen) % len(names)]
        draft = _draw(name, split, rng)
        if draft.prompt not in seen:
            seen.add(draft.prompt)
            yield _write(name, draft, split, balance)


def _template_names(split: Split) -> list[str]:
    return [*TEMPLATES] if split == "train" else [*TEMPLATES, *TEST_ONLY_TEMPLATES]


def _draw(name: str, split: Split, rng: random.Random) -> Draft:
    if name in TEST_ONLY_TEMPLATES:
        return TEST_ONLY_TEMPLATES[name](rng)
    while True:
        draft = TEMPLATES[name](rng)
        if _side(name, draft) == split:
            return draft


def _side(name: str, draft: Draft) -> Split:
    """Say which side of train and test a content belongs to, whatever the wording.

    One fifth is test.
    """
    key = f"{name}:{draft.content}"
    is_test = hashlib.sha256(key.encode()).digest()[0] % 5 == 0
    return "test" if is_test else "train"


def _write(name: str, draft: Draft, split: Split, balance: Counter[str]) -> PreferencePair:
    rng = random.Random(draft.prompt)
    flaw = _flaw(draft, rng)
    bad = [text for text in _bad(name, draft, flaw, split, rng) if text not in draft.good]
    tilt = balance[name]
    # the length of these two says nothing of the others
    if flaw not in ("rambling", "unfinished"):
        tilt += balance[flaw]
    longer = tilt < 0 or (tilt == 0 and rng.random() < 0.5)
    chosen, rejected = _choose(draft.good, bad, longer, rng)
    difference = (len(chosen) > len(rejected)) - (len(chosen) < len(rejected))
    balance.update({name: difference, flaw: difference})
    return PreferencePair(draft.prompt, chosen, rejected, name, flaw)


def _flaw(draft: Draft, rng: random.Random) -> Flaw:
    general = ("off_topic", "rude_refusal", "rambling", "unfinished")
    weights = {
        flaw: weight for flaw, weight in FLAWS.items() if flaw in general or flaw in draft.bad
    }
    return rng.choices([*weights], [*weights.values()])[0]


def _bad(name: str, draft: Draft, flaw: Flaw, split: Split, rng: random.Random) -> list[str]:
    own = draft.bad.get(flaw, [])
    if flaw == "off_topic":
        return _off_topic(name, draft, split, rng)
    if flaw == "rude_refusal":
        return own + _refusals(rng)
    if flaw == "rambling":
        return [text for good in draft.good for text in _rambling(good, rng)]
    if flaw == "unfinished":
        return own or [text for good in draft.good for text in _cut_off(good, rng)]
    return own


def _choose(
    good: Sequence[str], bad: Sequence[str], longer: bool, rng: random.Random
) -> tuple[str, str]:
    """Choose a good and a bad text.

    The good one is the longer (or else the shorter) of the two, if there are such texts.
    """
    both = [(right, wrong) for right in good for wrong in bad]
    rng.shuffle(both)
    order = operator.gt if longer else operator.lt
    return next((texts for texts in both if order(*map(len, texts))), both[0])


# Flaws that any response can have


def _off_topic(name: str, draft: Draft, split: Split, rng: random.Random) -> list[str]:
    """Good responses to other prompts of the split, about half of them from the same template."""
    names = [name, name, name, *rng.sample(_template_names(split), 3)]
    drafts = [(template, _draw(template, split, rng)) for template in names]
    own = {_bare(text) for text in draft.good}
    texts = [
        text
        for template, drawn in drafts
        if template != name or _topic(drawn) != _topic(draft)
        for text in drawn.good
        if _bare(text) not in own
    ]
    return texts or _off_topic(name, draft, split, rng)


def _bare(text: str) -> str:
    return text.lower().strip(" .")


def _topic(draft: Draft) -> str:
    return draft.content.split("/")[0]


def _refusals(rng: random.Random) -> list[str]:
    said = [[rng.choice(_NO), *rng.sample(_NO_AT_LENGTH, more)] for more in (0, 0, 1, 1, 2, 2, 3)]
    return [" ".join(sentences) for sentences in said]


def _rambling(good: str, rng: random.Random) -> list[str]:
    """A good response again and again, bare or with empty talk around it."""
    gap = " " if good[-1] in ".!?" else ". "
    if "\n" in good:
        gap = "\n"
    again, after = rng.sample(_AGAIN, 2)
    before, between, *talk = rng.sample(_TALK, 5)
    return [
        gap.join([good] * 3),
        f"{before} {good}{gap}{between} {again} {good}",
        f"{good}{gap}{again} {good}{gap}{after} {good}",
        f"{good}{gap}{' '.join(talk)}",
    ]


def _cut_off(good: str, rng: random.Random) -> list[str]:
    """The first third of the lines or words, more or less, with and without a full stop."""
    gap = "\n" if "\n" in good else " "
    parts = good.split(gap)
    kept = [max(1, round(len(parts) * rng.uniform(0.2, 0.45))) for _ in range(2)]
    bare, stopped = (gap.join(parts[:count]) for count in kept)
    return [bare, stopped.rstrip(",;:.") + "."]


# What templates are made with: wordings, filled slots and layouts

Slots = dict[str, str]


def _say(template: str, rng: random.Random, /, **slots: str) -> str:
    return rng.choice(_WORDINGS[template]).replace(" / ", "\n").format(**slots)


def _slots(text: str, rng: random.Random) -> Slots:
    return {name: rng.choice(values) for name, values in _VALUES.items() if f"{{{name}}}" in text}


def _fill(texts: Iterable[str], slots: Slots) -> list[str]:
    return [_capital(text.format(**slots)) for text in texts]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _contradict(texts: Sequence[str], slots: Slots, rng: random.Random) -> list[str]:
    """Fill the texts with one slot changed, each slot in turn."""
    changed = [{**slots, name: _other(_VALUES[name], slots[name], rng)} for name in slots]
    right = _fill(texts, slots)
    return [text for wrong in changed for text in _fill(texts, wrong) if text not in right]


def _other(values: Iterable[str], value: str, rng: random.Random) -> str:
    return rng.choice([candidate for candidate in values if candidate != value])


def _about(slots: Slots) -> str:
    return ", ".join(slots.values())


def _spellings(values: Iterable[str]) -> list[str]:
    return [text for value in values for text in (value, f"{value}.", _capital(value))]


def _numbered(items: Iterable[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 1))


def _dashed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


_LAYOUTS: dict[str, Callable[[Iterable[str]], str]] = {
    "as a numbered list": _numbered,
    "as a list with dashes": _dashed,
    "one per line, without numbers or dashes": "\n".join,
    "on one line, separated by commas": ", ".join,
    "on one line, separated by semicolons": "; ".join,
}
_NUMBERED, _DASHED, _LINES, _COMMAS, _SEMICOLONS = _LAYOUTS
_ON_LINES = (_NUMBERED, _DASHED, _LINES)


def _in_other_layouts(
    items: Sequence[str], layout: str, layouts: Iterable[str] = tuple(_LAYOUTS)
) -> list[str]:
    return [_LAYOUTS[name](items) for name in layouts if name != layout]


# Templates about words


def _list_items(rng: random.Random) -> Draft:
    category = rng.choice([*WORDS])
    count = rng.randint(3, 5)
    layout = rng.choice([*_ON_LINES, _COMMAS])
    spell = rng.choice([str.lower, str.capitalize])
    write = _LAYOUTS[layout]
    words = [spell(word) for word in WORDS[category]]
    strange = spell(_strange(category, rng))
    mixed = [rng.sample([*rng.sample(words, count - 1), strange], count) for _ in range(4)]
    wrong = [
        rng.sample(words, size)
        for size in (count - 1, count + 1, rng.choice([count - 2, count + 2]))
    ]
    return Draft(
        content=f"{category}/{count}/{layout}",
        prompt=_say("list_items", rng, count=_COUNTS[count], category=category, layout=layout),
        good=[write(rng.sample(words, count)) for _ in range(3)],
        bad={
            "wrong_content": [write(items) for items in mixed + wrong],
            "breaks_format": _in_other_layouts(rng.sample(words, count), layout),
        },
    )


def _strange(category: str, rng: random.Random) -> str:
    return rng.choice(WORDS[_other(WORDS, category, rng)])


def _alphabetical(rng: random.Random) -> Draft:
    words = _mixed_words(rng.randint(4, 6), rng)
    layout = rng.choice([_NUMBERED, _LINES, _COMMAS])
    right, write = sorted(words), _LAYOUTS[layout]
    return Draft(
        content=", ".join(right),
        prompt=_say("alphabetical", rng, words=", ".join(words), layout=layout),
        good=[write(right)],
        bad={
            "wrong_content": [write(items) for items in _disordered(right, rng)],
            "breaks_format": _in_other_layouts(right, layout),
            "contradiction": [write(sorted(items)) for items in _exchanged(right, rng)],
        },
    )


def _mixed_words(count: int, rng: random.Random) -> list[str]:
    return [rng.choice(WORDS[category]) for category in rng.sample([*WORDS], count)]


def _disordered(items: list[str], rng: random.Random) -> list[list[str]]:
    """Wrong orders of the items, half of the time with one missing or one twice."""
    place = rng.randrange(len(items) - 1)
    swapped = [*items[:place], items[place + 1], items[place], *items[place + 2 :]]
    if rng.random() < 0.5:
        return [swapped, items[::-1], items[1:] + items[:1]]
    return [swapped[1:], items[:0:-1], [*swapped, items[0]], [*items[::-1], items[0]]]


def _exchanged(items: list[str], rng: random.Random) -> list[list[str]]:
    """The items with one exchanged for another word, each in turn."""
    new = next(word for word in _mixed_words(len(items) + 1, rng) if word not in items)
    return [[*items[:place], new, *items[place + 1 :]] for place in range(len(items))]


def _comma_line(rng: random.Random) -> Draft:
    words = _mixed_words(rng.randint(3, 6), rng)
    given = _LAYOUTS[rng.choice(_ON_LINES)]
    layout = rng.choice([_COMMAS, _COMMAS, _SEMICOLONS])
    wrong = [words[1:], words[:-1], [*words, words[0]], [words[0], *words]]
    return Draft(
        content=", ".join(words),
        prompt=_say("comma_line", rng, words=given(words), layout=layout),
        good=[_LAYOUTS[layout](words)],
        bad={
            "wrong_content": [_LAYOUTS[layout](items) for items in wrong],
            "breaks_format": [*_in_other_layouts(words, layout), " ".join(words)],
            "contradiction": [_LAYOUTS[layout](items) for items in _exchanged(words, rng)],
        },
    )


def _odd_one_out(rng: random.Random) -> Draft:
    category = rng.choice([*WORDS])
    same = rng.sample(WORDS[category], rng.choice([3, 4]))
    odd = _strange(category, rng)
    words = rng.sample([odd, *same], len(same) + 1)
    how, other_how = rng.sample([*_ODD], 2)
    absent = [word for word in _mixed_words(3, rng) if word not in words]
    slots = {"category": category, "word": odd}
    return Draft(
        content=", ".join(sorted(words)),
        prompt=_say("odd_one_out", rng, words=", ".join(words), how=how),
        good=_fill(_ODD[how], slots),
        bad={
            "wrong_content": [
                text for word in same for text in _fill(_ODD[how], {**slots, "word": word})
            ],
            "contradiction": [
                text for word in absent for text in _fill(_ODD[how], {**slots, "word": word})
            ],
            "breaks_format": _fill(_ODD[other_how], slots),
            "unfinished": [*_BEGINNINGS, *_fill(_ODD_BEGINNINGS, slots)],
        },
    )


# Templates about facts


def _one_word(rng: random.Random) -> Draft:
    question, sentence, answers = rng.choice(_ONE_WORD)
    thing, answer = rng.choice([*answers.items()])
    wrong_answers = [wrong for wrong in answers.values() if wrong != answer]
    sentences = (
        sentence,
        "I believe it is {answer}.",
        "{answer}, of course!",
        "it is {answer}",
        "{answer}, I think",
    )
    return Draft(
        content=f"{answer}/",
        prompt=_say("one_word", rng, question=question.format(thing=thing)),
        good=_spellings([answer]),
        bad={
            "wrong_content": _spellings(wrong_answers),
            "breaks_format": _fill(sentences, {"thing": thing, "answer": answer}),
            "unfinished": [*_BEGINNINGS, sentence.format(thing=thing, answer="").rstrip(" .'")],
        },
    )


def _define(rng: random.Random) -> Draft:
    thing, meaning = rng.choice(_DEFINITIONS)
    wrong_meanings = [wrong for name, wrong in rng.sample(_DEFINITIONS, 6) if name != thing]
    texts = ("{thing} is {meaning}.", "{meaning}.")
    good = _fill(texts, {"thing": thing, "meaning": meaning})
    more = [
        f"It is {wrong_meanings[0]}.",
        "People have used the word for ages.",
        "It is common.",
        "You know it.",
    ]
    return Draft(
        content=f"{thing}/",
        prompt=_say("define", rng, thing=thing, word=thing.split(" ", 1)[1]),
        good=good,
        bad={
            "wrong_content": [
                text
                for wrong in wrong_meanings
                for text in _fill(texts, {"thing": thing, "meaning": wrong})
            ],
            "breaks_format": [f"{text} {extra}" for text in good for extra in more],
        },
    )


def _explain(rng: random.Random) -> Draft:
    fact, reason = rng.choice(_REASONS_WHY)
    wrong_reasons = [wrong for name, wrong in rng.sample(_REASONS_WHY, 6) if name != fact]
    one_sentence = (
        "{fact} because {reason}.",
        "this is because {reason}.",
        "the reason is that {reason}.",
        "because {reason}.",
    )
    two_sentences = (
        "{Reason}. That is why {fact}.",
        "{fact}. {Reason}.",
        "{Reason}. This is the reason.",
        "It is simple. {Reason}.",
    )
    cut = (
        "{fact} because.",
        "because",
        "this is because of the",
        "the reason is",
        "there is a reason.",
    )
    slots = {"fact": fact, "reason": reason, "Reason": _capital(reason)}
    return Draft(
        content=f"{fact}/",
        prompt=_say("explain", rng, fact=fact),
        good=_fill(one_sentence, slots),
        bad={
            "wrong_content": [
                text
                for wrong in wrong_reasons
                for text in _fill(one_sentence, {"fact": fact, "reason": wrong})
            ],
            "breaks_format": _fill(two_sentences, slots),
            "unfinished": _fill(cut, slots),
        },
    )


def _reasons(rng: random.Random) -> Draft:
    (activity, *reasons), (_, *others) = rng.sample(_REASONS_TO, 2)
    count, layout = rng.choice([2, 3]), rng.choice(_ON_LINES)
    some, write = rng.sample(reasons, count), _LAYOUTS[layout]
    strange = [[*rng.sample(reasons, count - 1), rng.choice(others)] for _ in range(3)]
    miscounted = [rng.sample(reasons, size) for size in (1, 2, 3, 4) if size != count]
    return Draft(
        content=f"{activity}/{count}/{layout}",
        prompt=_say("reasons", rng, count=_COUNTS[count], activity=activity, layout=layout),
        good=[write(rng.sample(reasons, count)) for _ in range(3)],
        bad={
            "wrong_content": [write(items) for items in strange + miscounted],
            "breaks_format": [
                *_in_other_layouts(some, layout, _ON_LINES),
                " ".join(some),
                " ".join(some[::-1]),
            ],
        },
    )


def _order_steps(rng: random.Random) -> Draft:
    task, *right = rng.choice(_STEPS)
    layout = rng.choice([_NUMBERED, _LINES, _SEMICOLONS])
    mixed = rng.sample(right, len(right))
    return Draft(
        content=f"{task}/{mixed}",
        prompt=_say("order_steps", rng, task=task, layout=layout, steps="; ".join(mixed)),
        good=[_LAYOUTS[layout](right)],
        bad={
            "wrong_content": [_LAYOUTS[layout](items) for items in _disordered(right, rng)],
            "breaks_format": _in_other_layouts(right, layout),
        },
    )


# Templates that rewrite a sentence


def _tense(rng: random.Random) -> Draft:
    slots = _sentence(rng)
    tense, wrong_tense = rng.sample([*_TENSES], 2)
    wrong = (
        *_TENSES[wrong_tense],
        "{name} {third} {thing} {when}.",
        "{name} does {base} {thing} {when}.",
    )
    return Draft(
        content=_about(slots),
        prompt=_say("tense", rng, tense=tense, **slots),
        good=_fill(_TENSES[tense], slots),
        bad={
            "wrong_content": _fill(wrong, slots),
            "contradiction": [
                text for changed in _changed(slots, rng) for text in _fill(_TENSES[tense], changed)
            ],
        },
    )


def _sentence(rng: random.Random) -> Slots:
    base, third, past, thing = rng.choice(_VERBS)
    verb = {"base": base, "third": third, "past": past, "thing": thing}
    return {"name": rng.choice(_NAMES), "when": rng.choice(_WHEN), **verb}


def _changed(slots: Slots, rng: random.Random) -> list[Slots]:
    """The sentence about another person, another time or place, or another activity."""
    activity = _sentence(rng)
    changed = [
        slots | {"name": _other(_NAMES, slots["name"], rng)},
        slots | {"when": _other(_WHEN, slots["when"], rng)},
    ]
    if activity["base"] != slots["base"]:
        changed.append(activity | {"name": slots["name"], "when": slots["when"]})
    return changed


def _question(rng: random.Random) -> Draft:
    slots = _sentence(rng)
    right = ("does {name} {base} {thing} {when}?", "is it true that {name} {third} {thing} {when}?")
    wrong = (
        "{name} {third} {thing} {when}!",
        "{name} does not {base} {thing} {when}.",
        "so {name} {third} {thing} {when}.",
    )
    return Draft(
        content=_about(slots),
        prompt=_say("question", rng, **slots),
        good=_fill(right, slots),
        bad={
            "wrong_content": _fill(("{name} {third} {thing} {when}.", *wrong), slots),
            "contradiction": [
                text for changed in _changed(slots, rng) for text in _fill(right, changed)
            ],
        },
    )


def _tone(rng: random.Random) -> Draft:
    texts = rng.choice(_TONES)
    slots = _slots(texts[0], rng)
    how, given, wanted = rng.choice(
        [("more formally", texts[:2], texts[2:]), ("in a more relaxed way", texts[2:], texts[:2])]
    )
    text, again = rng.sample(_fill(given, slots), 2)
    return Draft(
        content=f"{texts[0]}/{_about(slots)}",
        prompt=_say("tone", rng, how=how, text=text),
        good=_fill(wanted, slots),
        bad={"wrong_content": [text, again], "contradiction": _contradict(wanted, slots, rng)},
    )


# Templates about a note


def _summarise(rng: random.Random) -> Draft:
    (text, two_sentences, _, *summaries), slots = _note(rng)
    return Draft(
        content=f"{text}/",
        prompt=_say("summarise", rng, text=text),
        good=_fill(summaries, slots),
        bad={
            "contradiction": _contradict(summaries, slots, rng),
            "breaks_format": [text, *_fill([two_sentences], slots)],
        },
    )


def _note(rng: random.Random) -> tuple[list[str], Slots]:
    """Return a paragraph of _NOTES with its first line, the note, filled."""
    text, *lines = rng.choice(_NOTES)
    slots = _slots(text, rng)
    return [text.format(**slots), *lines], slots


def _title(rng: random.Random) -> Draft:
    (text, two_sentences, titles, *summaries), slots = _note(rng)
    right = titles.split(" | ")
    return Draft(
        content=f"{text}/",
        prompt=_say("title", rng, text=text),
        good=_fill(right, slots),
        bad={
            "contradiction": _contradict(right, slots, rng),
            "breaks_format": [text, *_fill([*summaries, two_sentences], slots)],
            "unfinished": [*_TITLE_BEGINNINGS],
        },
    )


def _extract(rng: random.Random) -> Draft:
    (text, *_), slots = _note(rng)
    kind = rng.choice(["name", "day", "place"])
    asked = "person" if kind == "name" else kind
    others = [value for value in _VALUES[kind] if value != slots[kind]]
    sentences = (
        f"the note names {{{kind}}}.",
        f"it is {{{kind}}}.",
        f"the {asked} in the note is {{{kind}}}.",
    )
    return Draft(
        content=f"{text}/{kind}",
        prompt=_say("extract", rng, kind=asked, text=text),
        good=_spellings([slots[kind]]),
        bad={
            "contradiction": _spellings(others),
            "wrong_content": _spellings(value for name, value in slots.items() if name != kind),
            "breaks_format": [text, *_fill(sentences, slots)],
            "unfinished": [*_BEGINNINGS, f"The {asked}", f"The {asked} is", "The note says that"],
        },
    )


def _fill_form(rng: random.Random) -> Draft:
    details = "{name} will come to the {place} on {day} and bring {goods}."
    slots = _slots(details, rng)
    text = details.format(**slots)
    fields = ["Name", *rng.sample(["Day", "Place", "Items"], rng.choice([2, 3]))]
    layout, wrong_layout = rng.sample([_LINES, _SEMICOLONS], 2)
    changed = [
        slots | {name: _other(_VALUES[name], slots[name], rng)}
        for name in (_FIELDS[field] for field in fields)
    ]
    mixed = dict(zip(slots, [*slots.values()][1:] + [*slots.values()][:1], strict=True))
    begun = _form(fields[:1], slots, layout)
    return Draft(
        content=f"{text}/",
        prompt=_say("fill_form", rng, fields=", ".join(fields), layout=layout, text=text),
        good=[_form(fields, slots, layout)],
        bad={
            "wrong_content": [
                _form(fields[:-1], slots, layout),
                _form(fields, mixed, layout),
                _form(fields, mixed, layout) + ".",
                _form([*fields, fields[0]], slots, layout),
            ],
            "contradiction": [_form(fields, wrong, layout) for wrong in changed],
            "breaks_format": [text, _form(fields, slots, wrong_layout), ", ".join(slots.values())],
            "unfinished": [begun, f"{begun}\n{fields[1]}:", "Name:", "Name"],
        },
    )


_FIELDS = {"Name": "name", "Day": "day", "Place": "place", "Items": "goods"}


def _form(fields: Iterable[str], slots: Slots, layout: str) -> str:
    return _LAYOUTS[layout](f"{field}: {slots[_FIELDS[field]]}" for field in fields)


# Templates that write a message


def _message(name: str, rng: random.Random) -> Draft:
    good, contradicting, rude, unfinished = _MESSAGES[name]
    slots = _slots(_WORDINGS[name][0], rng)
    return Draft(
        content=f"{_about(slots)}/",
        prompt=_say(name, rng, **slots),
        good=_fill(good, slots),
        bad={
            "contradiction": [*_contradict(good, slots, rng), *_fill(contradicting, slots)],
            "rude_refusal": _fill(rude, slots),
            "unfinished": _fill(unfinished, slots),
        },
    )


TEMPLATES: dict[str, Callable[[random.Random], Draft]] = {
    "list_items": _list_items,
    "decline": partial(_message, "decline"),
    "one_word": _one_word,
    "summarise": _summarise,
    "alphabetical": _alphabetical,
    "tense": _tense,
    "define": _define,
    "ask": partial(_message, "ask"),
    "extract": _extract,
    "comma_line": _comma_line,
    "explain": _explain,
    "tone": _tone,
    "odd_one_out": _odd_one_out,
    "thank": partial(_message, "thank"),
    "title": _title,
    "reasons": _reasons,
    "fill_form": _fill_form,
}
TEST_ONLY_TEMPLATES: dict[str, Callable[[random.Random], Draft]] = {
    "question": _question,
    "invite": partial(_message, "invite"),
    "order_steps": _order_steps,
}


# What the templates say and talk about, as text: ` | ` separates entries of a line


def _split(text: str, between: str = ", ") -> tuple[str, ...]:
    return tuple(text.split(between))


def _table(text: str) -> list[tuple[str, ...]]:
    return [_split(line, " | ") for line in text.strip().splitlines()]


def _paragraphs(text: str) -> list[list[str]]:
    return [paragraph.splitlines() for paragraph in text.strip().split("\n\n")]


def _answers(text: str) -> dict[str, str]:
    return {
        thing: answer for thing, _, answer in (pair.partition(" ") for pair in text.split(", "))
    }


# By template, the wordings of its prompt; ` / ` is a new line.
_WORDINGS = {
    name: wordings
    for name, *wordings in _paragraphs("""
list_items
List exactly {count} {category}, {layout}.
Name {count} {category}. Write them {layout}.
Give me {count} examples of {category}, {layout}.
I need {count} {category} for a word game. Write them {layout}, nothing else.

decline
Write a polite message to {name}: I cannot come to the {event} on {day} because {reason}.
{name} invited me to the {event} on {day}, but {reason}. Help me decline politely.
Write a short, friendly message telling {name} that I will miss the {event} on {day} because {reason}.

one_word
{question} Answer in one word.
Answer with a single word: {question}
In one word: {question}
{question} One word only, please.

summarise
Summarise this note in one sentence: {text}
Write one sentence that says what this note says. {text}
Shorten the note below to a single sentence. / {text}

alphabetical
Sort these words alphabetically: {words}. Write them {layout}.
Put the following words in alphabetical order, {layout}: {words}
Here are some words: {words}. Write them from A to Z, {layout}.

tense
Rewrite this sentence in the {tense} tense: {name} {third} {thing} {when}.
Put this into the {tense} tense: {name} {third} {thing} {when}.
Change the sentence to the {tense} tense. Keep everything else. / {name} {third} {thing} {when}.

define
Give a short definition of '{word}' in one sentence.
What is {thing}? Answer in one sentence.
Explain to a child what {thing} is. One sentence is enough.
Define '{word}' in a single sentence.
In one sentence, what is {thing}?
I do not know the word '{word}'. Tell me in one sentence what it means.

ask
Write a short polite message asking {name} to {favour} on {day}.
I need {name} to {favour} on {day}. Write a friendly message that asks for it.
Help me ask {name} politely to {favour} on {day}.

extract
Which {kind} does this note name? Answer with the {kind} only. {text}
Find the {kind} in this note and write only that. {text}
Read the note. Then write down the {kind} in it, nothing else. / {text}

comma_line
Write this list {layout}: / {words}
Turn the list below into a single line. Put the words {layout}. / {words}
I would like to have these words {layout}, in the same order: / {words}

explain
Explain in one sentence why {fact}.
Why is it that {fact}? Answer in one sentence.
A child asks why {fact}. What do you say, in one sentence?
In a single sentence, tell me why {fact}.
I wonder why {fact}. Give me a one-sentence answer.
Say in one sentence why {fact}.

tone
Rewrite this {how}: {text}
Say the same thing {how}. {text}
How would I write this {how}? {text}

odd_one_out
Which word does not belong with the others: {words}? {how}
Find the odd one out. {how} / {words}
One of these words does not fit: {words}. Which one? {how}

thank
Write a short thank-you note to {name} for {gift}. Mention that {remark}.
{name} gave me {gift}. Help me say thank you, and add that {remark}.
Thank {name} for {gift} in one or two sentences and say that {remark}.

title
Write a title of at most six words for this note: {text}
This note needs a title, no more than six words. {text}
Find a heading for the note below. Use six words or fewer. / {text}

reasons
Give {count} reasons to {activity}, {layout}.
Why should I {activity}? Give me {count} reasons, {layout}.
List {count} good reasons to {activity}. Write them {layout}.

fill_form
Fill in a form with the fields {fields}, {layout}. {text}
Use the details to fill in this form: {fields}. Write the fields {layout}. / Details: {text}
{text} Write this as a form with the fields {fields}, {layout}.

question
Turn this statement into a yes-or-no question: {name} {third} {thing} {when}.
Rewrite as a question that can be answered with yes or no: {name} {third} {thing} {when}.

invite
Write a short invitation to {name} for the {event} at the {place} on {day}.
Invite {name} to the {event}. It is on {day} at the {place}.

order_steps
Put these steps to {task} in the right order, {layout}: {steps}.
How do I {task}? The steps are mixed up: {steps}. Write them in the right order, {layout}.
""")
}

# By message: good texts, texts that contradict the prompt, rude ones and ones that stop too early.
_MESSAGES = {
    "decline": _paragraphs("""
Hi {name}, I am sorry, but I cannot come to the {event} on {day} because {reason}.
Hello {name}, thanks for the invitation! Sadly I have to miss the {event} on {day}, because {reason}.
Dear {name}, thank you for inviting me. Unfortunately {reason}, so I cannot come to the {event} on {day}. Have a lovely time!

Hi {name}, I would love to come to the {event} on {day}. See you there!
Dear {name}, thank you for inviting me to the {event} on {day}. Although {reason}, I will be there. I look forward to it!

{name}, I am not coming on {day}.
{name}, I won't come to the {event}. It will be boring anyway.
{name}, stop asking me about the {event} on {day}. You should know that {reason}, and I would not want to come anyway.

Hi {name},
I can't come.
Sorry, {name}.
Hi {name}, I am sorry, but
Dear {name}, about the {event} on
"""),
    "ask": _paragraphs("""
Hi {name}, could you please {favour} on {day}? Thank you!
Hello {name}, I have a small request: could you {favour} on {day}? That would help me a lot.
Dear {name}, would you be so kind as to {favour} on {day}? I would be very grateful, and I am glad to help you in return.

Hi {name}, please do not {favour} on {day}. Thank you!
Dear {name}, thank you for your message. I would be glad to {favour} for you on {day}, so please do not worry about it.

{name}, {favour} on {day}. Now.
{name}, I expect you to {favour} on {day}.
Listen, {name}: you never help anyone, so for once you will {favour} on {day}, and I do not want to hear any excuses.

Hi {name},
A request.
Please do it.
Hi {name}, could you please
Dear {name}, would you be so kind as to
"""),
    "thank": _paragraphs("""
Hi {name}, thanks a lot for {gift}! You should know that {remark}.
Dear {name}, thank you so much for {gift}. I wanted to tell you that {remark}.
Dear {name}, it was very kind of you to give me {gift}. Thank you with all my heart! I am happy to say that {remark}.

Dear {name}, I hope that you like {gift}.
Dear {name}, thank you for the letter. I am still waiting for {gift}, and I wanted to tell you that it has not come so far.

{name}, I did not need {gift}.
{name}, I got {gift}. I wanted something better.
{name}, thanks, I suppose, but {gift} was not what I had asked for, and you could have thought about it a little longer.

Thanks.
Dear {name},
Got it, {name}.
Hi {name}, thanks a lot for
Dear {name}, it was very kind of you to
"""),
    "invite": _paragraphs("""
Hi {name}, would you like to come to the {event} at the {place} on {day}?
Dear {name}, you are warmly invited to the {event} on {day} at the {place}. I would be happy to see you there!

Hi {name}, thank you for inviting me to the {event} on {day}!
Dear {name}, I am sorry to say that the {event} at the {place} on {day} has been called off. I hope to see you soon!

{name}, come to the {place} on {day}.
{name}, nobody else wants to come to the {event} at the {place} on {day}, so I have to ask you.

Come along.
Hi {name},
Dear {name}, you are warmly
Hi {name}, would you like to come to
"""),
}

_NO = _split(
    "No. | No way. | Why? | Not now. | Forget it. | Do it yourself. | Who cares? | I would rather "
    "not. | Sorry, no. | I can't help with that. | I don't feel like doing this. | What a silly "
    "thing to ask. | I am not going to do this. | I'm sorry, but I am unable to do that. | That is "
    "not something that I can help with. | Ask me something better.",
    " | ",
)
_NO_AT_LENGTH = _split(
    "This is a waste of my time. | You can surely manage this alone. | Look it up. | Ask somebody "
    "who cares. | It is too much work for me. | I do not see the point of it. | Even a child could "
    "do it. | Please ask something else. | You should have learned that at school. | I have more "
    "important things to do. | Go and bother someone else. | There are plenty of books about it. | "
    "I only answer sensible requests. | Maybe another assistant will help you.",
    " | ",
)
_TALK = _split(
    "Well, there is a lot to say about this, and I will try to say all of it. | Let me think about "
    "it for a while. | I have thought about it from every side, and then once more. | This is an "
    "interesting thing to ask about. | People often ask for such things, and it is good that they "
    "do. | I hope that this is what you had in mind. | It can be done in many ways, and this is "
    "one of the many ways. | Many people would say the same about it. | Before I begin, I want to "
    "say that I am glad to be asked. | As you can see, it is what it is.",
    " | ",
)
_AGAIN = _split(
    "Again: | In other words: | To say it once more: | As I said: | To repeat it: | And so, to sum "
    "up: | That is to say: | Which means: | Or, to be clear: | Let me write it down again: | So, "
    "as before: | Once again, and for the last time:",
    " | ",
)

# How an answer begins that never comes.
_BEGINNINGS = _split(
    "The | It | It is | I think | The answer | The answer is | That would be | It must be | Let me "
    "see.",
    " | ",
)
_TITLE_BEGINNINGS = _split(
    "A | Note | The note | Title: | The title | A title for | Something | Some news | About the",
    " | ",
)
_ODD_BEGINNINGS = _split(
    "One of the words | The other words are | The others are {category}, so | Among them,", " | "
)

_ODD = {
    "Answer with that word only.": ("{word}", "{word}."),
    "Say why in one sentence.": (
        "{word} does not belong because the other words are {category}.",
        "The odd one out is {word}, since all the others are {category}.",
        "The word {word} does not fit: the rest are {category}.",
    ),
}
_TENSES = {
    "past": ("{name} {past} {thing} {when}.",),
    "future": ("{name} will {base} {thing} {when}.", "{name} is going to {base} {thing} {when}."),
}

# No word is in two categories.
WORDS = {
    "fruits": _split(
        "apple, banana, pear, plum, cherry, mango, peach, lemon, melon, grape, apricot, pineapple"
    ),
    "vegetables": _split(
        "carrot, onion, cabbage, spinach, leek, broccoli, celery, potato, turnip, cauliflower, "
        "asparagus"
    ),
    "colours": _split("red, blue, green, yellow, purple, white, black, brown, grey, turquoise"),
    "birds": _split("robin, sparrow, eagle, owl, swan, crow, pigeon, parrot, penguin, woodpecker"),
    "insects": _split(
        "ant, bee, wasp, beetle, moth, butterfly, mosquito, ladybird, grasshopper, dragonfly"
    ),
    "mammals": _split(
        "cow, pig, sheep, goat, horse, donkey, rabbit, fox, elephant, dolphin, squirrel, hedgehog"
    ),
    "musical instruments": _split(
        "piano, violin, flute, drum, guitar, trumpet, harp, cello, clarinet, saxophone"
    ),
    "sports": _split(
        "tennis, football, rugby, hockey, swimming, golf, basketball, rowing, badminton, volleyball"
    ),
    "kitchen tools": _split(
        "spoon, fork, knife, whisk, ladle, grater, pan, sieve, spatula, peeler"
    ),
    "pieces of clothing": _split(
        "shirt, coat, scarf, hat, sock, glove, dress, jumper, skirt, trousers"
    ),
    "jobs": _split(
        "nurse, teacher, baker, farmer, plumber, lawyer, pilot, carpenter, electrician, journalist"
    ),
    "vehicles": _split(
        "car, bus, train, tram, lorry, bicycle, ferry, scooter, helicopter, motorbike, van"
    ),
    "pieces of furniture": _split(
        "table, chair, sofa, desk, shelf, wardrobe, bed, stool, bookcase, armchair"
    ),
    "flowers": _split(
        "tulip, daisy, lily, daffodil, orchid, sunflower, poppy, carnation, bluebell, snowdrop"
    ),
    "parts of the body": _split(
        "arm, leg, knee, elbow, shoulder, nose, ear, ankle, wrist, finger, forehead"
    ),
    "drinks": _split("tea, coffee, milk, water, juice, lemonade, cocoa, cola, cider, smoothie"),
}

_COUNTS = {2: "two", 3: "three", 4: "four", 5: "five"}

_NAMES = _split(
    "Ada, Ben, Cleo, Dan, Ella, Finn, Grace, Hugo, Irene, Jack, Kate, Leo, Mia, Noah, Olga, Paul, "
    "Rosa, Sam, Tara, Umar, Vera, Walter, Yara, Zoe, Alexander, Charlotte, Benjamin"
)

_VALUES: dict[str, tuple[str, ...]] = {
    "name": _NAMES,
    "day": _split(
        "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, 3 May, 12 June, 21 March, "
        "8 October, 30 April"
    ),
    "place": _split(
        "library, town hall, museum, school, community centre, station, park, church hall, cinema, "
        "swimming pool, garden centre, youth club"
    ),
    "event": _split(
        "picnic, birthday party, book club, concert, quiz night, barbecue, garden party, film "
        "evening, choir rehearsal, charity run, summer fair, cooking class"
    ),
    "contest": _split(
        "baking contest, chess tournament, photo contest, poetry contest, spelling contest, dance "
        "contest"
    ),
    "reason": _split(
        "I have to work, I have a bad cold, my car is being repaired, my sister is visiting me, I "
        "am looking after my niece, I have a dentist appointment, I will be on a train all day, my "
        "kitchen is being painted, I have an exam the next morning, I promised to help a neighbour"
    ),
    "favour": _split(
        "water the plants, return the ladder, feed the cat, send the photos, check the report, "
        "book the room, pick up the parcel, bring the projector, repair the bike, print the tickets"
    ),
    "gift": _split(
        "the blue scarf, the box of chocolates, the cookery book, the house plant, the picture "
        "frame, the wooden bowl, the puzzle, the teapot, the warm blanket, the reading lamp"
    ),
    "remark": _split(
        "it arrived safely, it made my day, it was a lovely surprise, it is just what I needed, my "
        "whole family likes it too, I have already shown it to my friends"
    ),
    "thing": _split(
        "a red scarf, an old umbrella, a blue notebook, a silver ring, a bunch of keys, a pair of "
        "glasses, a black wallet, a green lunch box"
    ),
    "cause": _split(
        "a burst pipe, a public holiday, building work, a staff meeting, a power cut, a broken "
        "heater, stormy weather, a film shoot"
    ),
    "goods": _split(
        "old books, warm blankets, tinned food, board games, used bicycles, winter coats, garden "
        "tools, picture frames"
    ),
    "subject": _split(
        "bees, old maps, the planets, bread baking, steam trains, local birds, first aid, healthy "
        "sleep"
    ),
}

# A note, the same in two short sentences, titles of at most six words, and ways to say it in one
# sentence.
_NOTES = _paragraphs("""
{name} has moved the {event} to {day}. It now takes place at the {place}.
The {event} has moved. It is on {day}.
{event} moved to {day} | new date for the {event} | {event} now on {day}
The {event} is now on {day} at the {place}.
{name} has moved the {event} to {day} at the {place}.
{name} has changed the plan, so the {event} will now take place at the {place} on {day}.

{name} lost {thing} at the {place} on {day}. Anyone who finds it will get a small reward.
{name} lost {thing}. There is a reward.
lost: {thing} | {name} lost {thing}
{name} offers a reward for {thing} lost at the {place} on {day}.
{name} lost {thing} at the {place} on {day} and will give the finder a small reward.
There is a small reward for anyone who finds {thing} that {name} lost at the {place} on {day}.

The {place} will be closed on {day} because of {cause}. {name} will answer questions by email.
The {place} is closed on {day}. Email {name}.
{place} closed on {day} | closed on {day}: {place}
Email {name} with questions while the {place} is closed on {day} because of {cause}.
The {place} is closed on {day} because of {cause}, but {name} answers questions by email.
Because of {cause}, the {place} will stay closed on {day}, and {name} can be reached by email.

{name} is collecting {goods} for the {event}. Please bring them to the {place} by {day}.
{name} needs {goods}. Bring them by {day}.
{goods} wanted by {day} | {goods} for the {event} | bring {goods} by {day}
Please bring {goods} for the {event} to the {place} by {day}.
{name} is collecting {goods} for the {event} at the {place} until {day}.
{name} asks everyone to bring {goods} for the {event} to the {place} by {day}.

{name} will give a talk about {subject} on {day}. It takes place at the {place} and is free for everyone.
{name} talks about {subject}. It is on {day}.
free talk about {subject} | {name} talks about {subject} | a talk about {subject}
{name} gives a free talk about {subject} at the {place} on {day}.
A free talk about {subject} will be given by {name} at the {place} on {day}.
On {day}, everyone can hear {name} talk about {subject} at the {place} for free.

The {event} starts at the {place} on {day}. {name} is still looking for two helpers.
The {event} is on {day}. {name} needs help.
helpers wanted for the {event} | two helpers needed on {day}
{name} needs two helpers for the {event} at the {place} on {day}.
{name} is still looking for two people to help with the {event} at the {place} on {day}.

{name} won first prize at the {contest} on {day}. The prize will be handed over at the {place}.
{name} won a prize. It is at the {place}.
{name} wins first prize | first prize for {name} | {name} wins the {contest}
{name} won first prize at the {contest} on {day} and will receive it at the {place}.
The first prize that {name} won at the {contest} on {day} will be handed over at the {place}.

{name} found {thing} near the {place} on {day}. The owner should send an email.
{name} found {thing}. Send an email.
found: {thing} | {name} found {thing}
The owner of {thing} found near the {place} on {day} should email {name}.
{name} found {thing} near the {place} on {day} and asks the owner to send an email.
""")

# The same thing said casually, twice, and formally, twice.
_TONES = _paragraphs("""
Hey {name}, can't make it on {day}, sorry!
{name}, bad news, no way I can come along on {day}, sorry about that.
Dear {name}, I regret that I cannot attend on {day}.
Dear {name}, unfortunately I will be unable to attend on {day}. Please accept my apologies.

{name}, I need those papers by {day}, ok?
Hey {name}, get those papers over to me by {day}, will you? Cheers!
Dear {name}, please send me the papers by {day}.
Dear {name}, I would be grateful if you could send me the papers by {day}.

Hi {name}, wanna meet at the {place} on {day}?
Hey {name}, how about we all hang out at the {place} on {day}?
Dear {name}, would you like to meet at the {place} on {day}?
Dear {name}, I would like to suggest a meeting at the {place} on {day}.

Thanks for helping out at the {event}, {name}!
Cheers for all the help at the {event}, {name}, you're a real star!
Dear {name}, thank you for your help at the {event}.
Dear {name}, I am most grateful for your assistance at the {event}.

No point coming on {day}, the {place} is shut.
Just so you know, the {place} is shut on {day}, so don't bother coming.
Please note that the {place} will be closed on {day}.
We regret to inform you that the {place} will be closed to visitors on {day}.

{name} messed up the plan for {day}.
Oh dear, {name} got the plan for {day} all mixed up, oh well.
{name} made a mistake in the plan for {day}.
Unfortunately, an error was made by {name} in the plan for {day}.

Come early, {name}, the {event} gets packed!
{name}, get to the {event} early or you won't get a seat, seriously!
Please arrive early for the {event}, {name}.
Dear {name}, we recommend that you arrive early in order to find a seat at the {event}.

Hey, is the {event} still on for {day}?
So what's the story, is the {event} happening on {day} or what?
May I ask whether the {event} will be held on {day}?
Could you please let me know whether the {event} on {day} will take place?

Gotta go, {name}, let's talk on {day}.
Oops, must dash, {name}, but let's have a good chat on {day}, ok?
Dear {name}, I must leave now. May we speak on {day}?
Dear {name}, I have to leave now, but I would be glad to continue our conversation on {day}.

{name} is super happy with the job at the {place}.
{name} got the job at the {place} and is totally over the moon!
{name} is very pleased with the position at the {place}.
{name} has been offered the position at the {place} and is delighted.
""")

_VERBS = _table("""
paint | paints | painted | the fence
write | writes | wrote | a long letter
bring | brings | brought | a cake
buy | buys | bought | fresh bread
eat | eats | ate | an apple
drink | drinks | drank | a cup of tea
sing | sings | sang | an old song
drive | drives | drove | the blue van
feed | feeds | fed | the hens
build | builds | built | a bird house
sell | sells | sold | flowers
teach | teaches | taught | the beginners
find | finds | found | a coin
grow | grows | grew | tomatoes
clean | cleans | cleaned | the windows
wash | washes | washed | the dishes
play | plays | played | the piano
draw | draws | drew | a map
carry | carries | carried | the boxes
make | makes | made | vegetable soup
tell | tells | told | a funny story
watch | watches | watched | the birds
repair | repairs | repaired | the clock
take | takes | took | many photos
""")

_WHEN = _split(
    "in the garden, after lunch, before breakfast, with a friend, at home, in the evening, at the "
    "weekend, after work, near the river"
)

# A question, its answer as a sentence, and what it can be asked about.
_ONE_WORD = (
    (
        "What is the capital of {thing}?",
        "The capital of {thing} is {answer}.",
        _answers(
            "France Paris, Spain Madrid, Italy Rome, Germany Berlin, Greece Athens, Portugal "
            "Lisbon, Norway Oslo, Sweden Stockholm, Finland Helsinki, Japan Tokyo, Denmark "
            "Copenhagen, Poland Warsaw, Austria Vienna, Hungary Budapest, Ireland Dublin, Russia "
            "Moscow, China Beijing, Egypt Cairo, Kenya Nairobi, Peru Lima, Cuba Havana, Canada "
            "Ottawa, Thailand Bangkok, Belgium Brussels, Iceland Reykjavik, Chile Santiago"
        ),
    ),
    (
        "What is the opposite of '{thing}'?",
        "The opposite of '{thing}' is '{answer}'.",
        _answers(
            "hot cold, big small, happy sad, early late, open closed, full empty, young old, light "
            "dark, fast slow, high low, wet dry, rich poor, easy difficult, strong weak, clean "
            "dirty, loud quiet, near far, cheap expensive, safe dangerous, push pull, buy sell, "
            "win lose, begin end, remember forget, brave cowardly"
        ),
    ),
    (
        "What is a young {thing} called?",
        "A young {thing} is called a {answer}.",
        _answers(
            "dog puppy, cat kitten, cow calf, sheep lamb, horse foal, duck duckling, pig piglet, "
            "goose gosling, swan cygnet, bear cub, frog tadpole, kangaroo joey"
        ),
    ),
)

_DEFINITIONS = _table("""
a hammer | a tool for driving nails into wood
an umbrella | a folding cover that keeps the rain off you
a library | a place where people can borrow books
a bakery | a shop that makes and sells bread
a thermometer | an instrument that measures how warm something is
a compass | an instrument that shows where north is
a calendar | a table of the days and months of a year
a dictionary | a book that explains what words mean
a bridge | a structure that carries a road over a river or a valley
an island | a piece of land with water all around it
a desert | a dry region where hardly any rain falls
a volcano | a mountain from which hot melted rock can come out
a glacier | a huge mass of ice that moves slowly downhill
a harbour | a sheltered place where ships can stay
a telescope | an instrument for looking at things that are far away
a microscope | an instrument that makes tiny things look large
a recipe | a set of instructions for cooking a dish
a receipt | a piece of paper that shows what you have paid
a passport | a document that lets you travel to other countries
a ladder | two long bars joined by steps for climbing up
a pillow | a soft cushion for your head in bed
a candle | a stick of wax with a wick that gives light when it burns
a mirror | a smooth surface in which you can see yourself
a kettle | a pot with a spout for boiling water
a fridge | a kitchen machine that keeps food cold
an oven | a closed box in the kitchen for baking food
a broom | a brush on a long handle for sweeping the floor
a needle | a thin pointed piece of metal used for sewing
a wheelbarrow | a small cart with one wheel that is pushed by hand
an orchestra | a large group of musicians who play together
a museum | a building that shows old or interesting objects
a pharmacy | a shop where you can get medicine
a greenhouse | a glass building in which plants are grown
a lighthouse | a tower with a strong lamp that guides ships
a tunnel | a passage under the ground or through a mountain
a pension | money that people get regularly when they have retired
a rumour | a story that people pass on without knowing if it is true
a holiday | a time when you do not have to work or go to school
a neighbour | a person who lives next door to you or nearby
a twin | one of two children born to the same mother at the same time
a surgeon | a doctor who operates on people
a referee | a person who sees that a match is played by the rules
an orphan | a child whose parents have died
a tourist | a person who visits a place for pleasure
a forest | a large area covered with trees
a puddle | a small pool of rain water on the ground
a zip | a fastener with two rows of teeth that closes clothes
a stamp | a small piece of paper that pays for sending a letter
a magnet | a piece of metal that pulls iron towards it
a parachute | a large cloth that lets you fall slowly through the air
""")

_REASONS_WHY = _table("""
ice floats on water | it is less dense than the liquid
we see lightning before we hear thunder | light travels much faster than sound
leaves are green | they contain a green substance called chlorophyll
many trees lose their leaves in autumn | they save water that way during the cold months
people wear coats in winter | thick clothes keep the warmth of the body in
the Moon shines at night | it reflects the light of the Sun
it is dark at night | our side of the Earth is turned away from the Sun
bread rises in the oven | the yeast in it produces bubbles of gas
iron rusts | it reacts with oxygen and water
a wet towel dries in the sun | the warmth makes the water evaporate
bees visit flowers | they collect nectar and pollen there
birds fly south in autumn | there is more food for them in warmer places
a fire needs air | burning uses up oxygen
we put food in the fridge | it spoils more slowly when it is cold
we should brush our teeth | food left on them feeds harmful bacteria
the sea tastes salty | rivers have carried minerals into it for ages
fish can breathe under water | their gills take oxygen out of it
ducks stay dry when they swim | their feathers are covered with oil
we sweat when we run | the drying moisture cools the skin
a ball falls back to the ground | gravity pulls it down
plants need light | they use its energy to make their own sugar
cars need to stop at a red light | traffic from the other side has to cross safely
polar bears are white | they are hard to see in the snow that way
cats can see well at dusk | their eyes gather a lot of light
the days are longer in summer | our half of the Earth leans towards the Sun
onions make us cry | cutting them sets free a gas that stings the eyes
salt is put on icy roads | salty water freezes at a lower temperature
a balloon filled with helium rises | the gas in it is lighter than air
we feel thirsty after eating crisps | the body needs more water to deal with the salt
dogs pant on hot days | breathing fast through the mouth cools them down
wooden spoons have long handles | the hand stays away from the hot pot
metal feels colder than wood | it carries heat away from the hand faster
camels can live in the desert | they can go for many days without drinking
owls hunt at night | mice and other prey are active then
a compass needle points north | the Earth acts like a giant magnet
the sky is blue | air scatters short waves of light more than long ones
spiders build webs | insects that they eat get caught in them
we wash our hands before meals | germs could get into the mouth otherwise
soap removes grease | one end of its molecules sticks to fat and the other to water
popcorn pops | the water inside the grain turns to steam and bursts it
a cut apple turns brown | the air changes substances in its flesh
mountain tops are cold | the air is thinner up there and holds less heat
bicycles have brakes | riders must be able to slow down safely
bats find their way in the dark | they listen to the echo of their own calls
windows get foggy in winter | moist air turns to droplets on cold glass
chicks peck at their eggs | they have grown too big and want to get out
trains run on rails | smooth steel lets heavy wagons roll easily
children need a lot of sleep | their bodies and brains grow while they rest
""")

_REASONS_TO = _table("""
read books | You learn new words. | Stories are fun. | It calms you down before bed. | You get to know other lives.
ride a bicycle | It costs no fuel. | Your legs get stronger. | You never look for a car park. | It does not pollute the air.
eat vegetables | They contain vitamins. | They fill you up. | They are cheap. | Fibre is good for your digestion.
learn a language | You can talk to more people. | It trains your memory. | Travelling gets easier. | It can lead to a new job.
get enough sleep | You can concentrate better. | Your body recovers. | You are in a better mood. | You get ill less often.
drink water | Your body needs it. | It has no sugar. | It comes from the tap. | It prevents headaches on hot days.
keep a diary | You remember more. | It clears your mind. | You practise writing. | You can see how you have changed.
have a dog | It keeps you company. | You go for walks. | It guards the house. | Playing with an animal is fun.
plant a tree | It gives shade. | Birds can nest in it. | It takes up carbon dioxide. | Its roots hold the soil.
save money | You can pay for repairs. | You worry less. | You can afford a trip later. | You need no loans.
cook at home | It is cheaper. | You know what is in it. | You can use up leftovers. | Chopping and stirring is relaxing.
go swimming | It is easy on the joints. | It trains the whole body. | It cools you in summer. | It could save your life.
visit a museum | You see rare things. | You learn about the past. | It is a plan for a rainy day. | Paintings can inspire you.
use public transport | You can read on the way. | There is less traffic. | You need no car. | Tickets cost less than fuel.
recycle paper | It saves trees. | There is less rubbish. | Making new sheets takes more energy. | Old boxes get a second use.
play an instrument | Music makes people happy. | It trains your fingers. | You can join a band. | You learn to be patient.
grow tomatoes | They taste better fresh. | They need little space. | You can watch them ripen. | You save a trip to the shop.
wear a helmet | It protects your head. | You can be seen better. | Falls happen. | Children copy what adults do.
turn off the lights | It saves electricity. | Your bill goes down. | Bulbs last longer. | You see the stars better.
write letters | A card is a surprise. | Paper can be kept. | You take time for somebody. | Handwriting is personal.
work in a team | You can share tasks. | Two heads know more. | Somebody spots your mistakes. | You can cheer each other up.
arrive early | You can choose a seat. | You do not have to hurry. | Nobody has to wait for you. | It leaves a good impression.
wash hands before meals | It removes germs. | You do not infect others. | Your food stays clean. | It takes only half a minute.
learn to type | You write faster. | You can look at the screen. | Most offices ask for it. | Your wrists get less tired.
""")

_STEPS = _table("""
make a cup of tea | boil the water | put a tea bag in the cup | pour in the boiling water | take the tea bag out again
send a letter | write the letter | put it in an envelope | seal the envelope and stamp it | drop it in the post box
plant a seed | fill a pot with soil | make a small hole in it | drop the seed into the hole | close the hole and water it
make toast | cut a slice of bread | put the slice in the toaster | take it out when it is brown | spread butter on it
take a bus | walk to the bus stop | wait for the bus | get on and show your ticket | get off where you want to go
bake a cake | mix the batter | pour it into a tin | bake it in the oven | let the cake cool down
wash clothes | put the clothes in the machine | start the machine | hang up the wet clothes | fold them when they are dry
borrow a book | go to the library | look for the book on the shelf | show your card at the desk | take the book home
boil an egg | fill a pot with water | bring the water to the boil | cook the egg for five minutes | peel the cooked egg
wrap a present | choose a sheet of paper | lay the present on it | fold the paper around it | tie a ribbon around it
paint a wall | cover the floor | open the tin of paint | paint the wall | let the wall dry
clean a car | make the car wet | rub it with soap | rinse the soap off | dry it with a cloth
change a light bulb | switch off the light | unscrew the old bulb | screw in the new bulb | switch the light on again
go to the cinema | choose a film | buy a ticket | find your seat | watch the film to the end
""")
