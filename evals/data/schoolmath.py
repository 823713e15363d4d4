"""Word problems in GSM8K's format, generated: question, worked steps, `#### answer`.

The problems are one to four steps of whole-number arithmetic with small numbers, which is where a
135M model starts low and can still learn something in minutes. They do not measure mathematical
ability beyond that: a gain here says that training changed the model, not that it became good at
mathematics (that is what GSM8K is for).

What stages train on, what settings are chosen by, and what is reported never share a problem.
`train`, `validation` and `test` are drawn from the same templates but from disjoint sets of numbers
(a hash of template and numbers decides the side); `held_out` uses templates that training never
sees. Choose settings by `validation`: what was chosen by the test problems says nothing of others.

What a split says differs, too. `test` asks for new numbers in these very templates, so its problems
stand alone. `held_out` asks for templates that are new, and these are a sample: two problems of one
template are alike, so a problem's template is its cluster.

`two_styles` holds the problems of `train` with answers as in the back of a textbook: problems of
one step are worked out, and of the longer ones most answers (`CURT_SHARE`) only state the number. A
model that imitates them becomes curt where it answers greedily, because that is the likelier style,
though its answers with working are far oftener right. So a reward for right answers has something
to teach after supervised fine-tuning, and it takes few steps: the first token makes the choice. It
is an old effect in small, that reinforcement makes a model think before it answers. It was put
there on purpose, as the flaws of the preference pairs were: it shows that each stage of a chain
does its work, not how much reinforcement adds to a model whose training data are all worked out
(after `train` it adds little in minutes).
"""

import hashlib
import operator
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

Split = Literal["train", "two_styles", "validation", "test", "held_out"]

# part of every data fingerprint: raise a split's whenever one of its problems changes
VERSIONS: dict[Split, int] = {
    "train": 2,
    "two_styles": 1,
    "validation": 1,
    "test": 1,
    "held_out": 2,
}

# How many different problems a split can give. The scarcest template decides: `rows_of_chairs` has
# no names to vary.
CAPACITY = {
    "train": 9_000,
    "two_styles": 9_000,
    "validation": 2_500,
    "test": 3_000,
    "held_out": 2_500,
}

# how often an answer of `two_styles` states the number alone, where the problem has several steps
CURT_SHARE = 0.6


@dataclass(frozen=True)
class Template:
    """A family of problems.

    Each step's text holds one equation `{x} op {y} = {new}`, which is also its program.
    """

    name: str
    question: str
    numbers: dict[str, tuple[int, int]]
    steps: tuple[str, ...]


@dataclass(frozen=True)
class WordProblem:
    """One generated problem; `answer` is the solution, worked out but for the curt ones of
    `two_styles`, and ends with `#### target`.
    """

    id: str
    template: str
    question: str
    answer: str
    target: str


def problems(split: Split, count: int) -> list[WordProblem]:
    """Return the first `count` problems of a split.

    They are the same ones always, and a prefix of any longer request. Raises ValueError beyond the
    split's CAPACITY.
    """
    if count > CAPACITY[split]:
        raise ValueError(
            f"Split '{split}' has {CAPACITY[split]} different problems, {count} were asked for."
        )
    return list(islice(_stream(split), count))


def _stream(split: Split) -> Iterator[WordProblem]:
    if split == "two_styles":
        return map(_in_either_style, _drawn("train"))
    return _drawn(split)


def _in_either_style(problem: WordProblem) -> WordProblem:
    """Leave out the working of some longer answers; the question decides of which."""
    several_steps = len(problem.answer.splitlines()) > 2
    if several_steps and random.Random(f"style/{problem.question}").random() < CURT_SHARE:
        return replace(problem, answer=f"#### {problem.target}")
    return problem


def _drawn(split: Split) -> Iterator[WordProblem]:
    rng = random.Random(f"schoolmath/{VERSIONS[split]}/{split}")
    templates = HELD_OUT_TEMPLATES if split == "held_out" else TEMPLATES
    seen: set[str] = set()
    while True:
        template = templates[len(seen) % len(templates)]
        values = _draw(template, rng)
        if values is None or _side(template, values) not in (split, "either"):
            continue
        problem = _write(template, values, rng, f"schoolmath/{split}/{len(seen)}")
        if problem.question not in seen:
            seen.add(problem.question)
            yield problem


def _draw(template: Template, rng: random.Random) -> dict[str, int] | None:
    """Draw numbers and work the steps; None where a result is not a whole number from 2 to 99."""
    values = {slot: rng.randint(low, high) for slot, (low, high) in template.numbers.items()}
    for step in template.steps:
        left, symbol, right, result = _equation(step)
        x, y = values[left], values[right]
        if symbol == "/" and (y == 0 or x % y):
            return None
        values[result] = _OPERATIONS[symbol](x, y)
        if not 2 <= values[result] <= 99:
            return None
    return values


_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}
_EQUATION = re.compile(r"\{(\w+)\} ([-+*/]) \{(\w+)\} = \{(\w+)\}")


def _equation(step: str) -> tuple[str, str, str, str]:
    match = _EQUATION.search(step)
    assert match is not None, f"a step needs one equation of slots: {step}"
    left, symbol, right, result = match.groups()
    return left, symbol, right, result


def _side(template: Template, values: dict[str, int]) -> str:
    """Say which side of training, validation and test a choice of numbers belongs to, whatever the
    wording.

    One fifth is test, one fifth validation.
    """
    if template in HELD_OUT_TEMPLATES:
        return "either"
    key = f"{template.name}:{sorted(values.items())}"
    residue = hashlib.sha256(key.encode()).digest()[0] % 5
    return {0: "test", 1: "validation"}.get(residue, "train")


def _write(
    template: Template, values: dict[str, int], rng: random.Random, problem_id: str
) -> WordProblem:
    first, second = rng.sample(_NAMES, 2)
    slots = {**values, "name": first, "other": second, "item": rng.choice(_ITEMS)}
    *_, last_result = _equation(template.steps[-1])
    target = str(values[last_result])
    working = [step.format(**slots) for step in template.steps]
    return WordProblem(
        id=problem_id,
        template=template.name,
        question=template.question.format(**slots),
        answer="\n".join([*working, f"#### {target}"]),
        target=target,
    )


_NAMES = (
    *("Ada", "Ben", "Cleo", "Dan", "Ella", "Finn", "Grace", "Hugo", "Iris", "Jack", "Kate", "Leo"),
    *("Mia", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tara", "Umar", "Vera", "Will", "Yara", "Zoe"),
)
_ITEMS = (
    *("apples", "books", "cards", "coins", "cookies", "marbles"),
    *("pencils", "shells", "stamps", "stickers", "toys", "pears"),
)

TEMPLATES = (
    Template(
        "buy_more",
        "{name} has {a} {item} and buys {b} more. How many {item} does {name} have now?",
        {"a": (3, 29), "b": (3, 29)},
        ("{name} now has {a} + {b} = {x} {item}.",),
    ),
    Template(
        "give_away",
        "{name} had {a} {item} and gave {b} of them to {other}. How many {item} does {name} have "
        "left?",
        {"a": (8, 29), "b": (2, 15)},
        ("{name} has {a} - {b} = {x} {item} left.",),
    ),
    Template(
        "equal_bags",
        "{name} fills {a} bags with {b} {item} each. How many {item} are in the bags?",
        {"a": (2, 9), "b": (2, 9)},
        ("The bags hold {a} * {b} = {x} {item}.",),
    ),
    Template(
        "share_equally",
        "{name} shares {a} {item} equally among {b} friends. How many {item} does each friend get?",
        {"a": (6, 29), "b": (2, 9)},
        ("Each friend gets {a} / {b} = {x} {item}.",),
    ),
    Template(
        "buy_then_lose",
        "{name} has {a} {item}, gets {b} more, and then loses {c}. How many {item} does {name} "
        "have in the end?",
        {"a": (3, 29), "b": (3, 20), "c": (2, 15)},
        ("{name} first has {a} + {b} = {x} {item}.", "Then {name} has {x} - {c} = {y} {item}."),
    ),
    Template(
        "bags_and_loose",
        "{name} has {a} bags of {b} {item} and {c} loose {item}. How many {item} does {name} have "
        "altogether?",
        {"a": (2, 7), "b": (2, 9), "c": (2, 20)},
        ("The bags hold {a} * {b} = {x} {item}.", "Altogether that is {x} + {c} = {y} {item}."),
    ),
    Template(
        "more_than",
        "{other} has {a} {item}. {name} has {b} more than {other}. How many {item} do they have "
        "together?",
        {"a": (3, 25), "b": (2, 15)},
        ("{name} has {a} + {b} = {x} {item}.", "Together they have {a} + {x} = {y} {item}."),
    ),
    Template(
        "fewer_than",
        "{other} has {a} {item}. {name} has {b} fewer than {other}. How many {item} do they have "
        "together?",
        {"a": (10, 29), "b": (2, 9)},
        ("{name} has {a} - {b} = {x} {item}.", "Together they have {a} + {x} = {y} {item}."),
    ),
    Template(
        "times_as_many",
        "{other} has {a} {item} and {name} has {b} times as many. How many {item} do they have "
        "together?",
        {"a": (2, 12), "b": (2, 5)},
        ("{name} has {a} * {b} = {x} {item}.", "Together they have {a} + {x} = {y} {item}."),
    ),
    Template(
        "shopping_change",
        "{name} buys {a} pens that cost {b} dollars each and pays with {c} dollars. How many "
        "dollars does {name} get back?",
        {"a": (2, 6), "b": (2, 5), "c": (12, 29)},
        ("The pens cost {a} * {b} = {x} dollars.", "{name} gets back {c} - {x} = {y} dollars."),
    ),
    Template(
        "pages_left",
        "A book has {a} pages. {name} reads {b} pages a day for {c} days. How many pages are left?",
        {"a": (20, 60), "b": (2, 9), "c": (2, 6)},
        ("{name} reads {b} * {c} = {x} pages.", "There are {a} - {x} = {y} pages left."),
    ),
    Template(
        "eat_then_share",
        "{name} had {a} cookies, ate {b} and shared the rest equally with {c} friends. How many "
        "cookies did each friend get?",
        {"a": (8, 29), "b": (2, 6), "c": (2, 6)},
        (
            "After eating, {a} - {b} = {x} cookies were left.",
            "Each friend got {x} / {c} = {y} cookies.",
        ),
    ),
    Template(
        "pool_and_pack",
        "{name} has {a} {item} and {other} has {b}. They pack all of them in boxes of {c}. How "
        "many boxes do they need?",
        {"a": (4, 20), "b": (4, 20), "c": (2, 8)},
        ("Together they have {a} + {b} = {x} {item}.", "They need {x} / {c} = {y} boxes."),
    ),
    Template(
        "two_prices",
        "A pen costs {a} dollars and a notebook costs {b} dollars. {name} buys {c} of each. How "
        "many dollars does {name} pay?",
        {"a": (2, 6), "b": (2, 9), "c": (2, 6)},
        (
            "One pen and one notebook cost {a} + {b} = {x} dollars.",
            "{name} pays {x} * {c} = {y} dollars.",
        ),
    ),
    Template(
        "bus_stops",
        "A bus has {a} passengers. At the first stop {b} get off and {c} get on. How many "
        "passengers are on the bus now?",
        {"a": (10, 29), "b": (2, 9), "c": (2, 15)},
        (
            "After {b} get off there are {a} - {b} = {x} passengers.",
            "Then there are {x} + {c} = {y} passengers.",
        ),
    ),
    Template(
        "rows_of_chairs",
        "A hall has {a} rows of {b} chairs. {c} chairs are taken away. How many chairs are left?",
        {"a": (2, 9), "b": (3, 9), "c": (2, 15)},
        ("The hall has {a} * {b} = {x} chairs.", "After that {x} - {c} = {y} chairs are left."),
    ),
    Template(
        "two_kinds_of_boxes",
        "{name} has {a} boxes of {b} {item} and {c} boxes of {d} {item}. How many {item} does "
        "{name} have?",
        {"a": (2, 5), "b": (2, 8), "c": (2, 5), "d": (2, 8)},
        (
            "The first boxes hold {a} * {b} = {x} {item}.",
            "The other boxes hold {c} * {d} = {y} {item}.",
            "{name} has {x} + {y} = {z} {item}.",
        ),
    ),
    Template(
        "earn_and_spend",
        "{name} earns {a} dollars an hour and works {b} hours. Then {name} spends {c} dollars on "
        "lunch and {d} dollars on a book. How many dollars are left?",
        {"a": (4, 12), "b": (2, 6), "c": (2, 9), "d": (2, 9)},
        (
            "{name} earns {a} * {b} = {x} dollars.",
            "After lunch {x} - {c} = {y} dollars are left.",
            "After the book {y} - {d} = {z} dollars are left.",
        ),
    ),
    Template(
        "gather_and_split",
        "{name} picks {a} baskets of {b} pears, keeps {c} pears and splits the rest equally among "
        "{d} neighbours. How many pears does each neighbour get?",
        {"a": (2, 6), "b": (3, 9), "c": (2, 9), "d": (2, 5)},
        (
            "{name} picks {a} * {b} = {x} pears.",
            "There are {x} - {c} = {y} pears to split.",
            "Each neighbour gets {y} / {d} = {z} pears.",
        ),
    ),
    Template(
        "savings_goal",
        "{name} wants a bike that costs {a} dollars, has {b} dollars and saves {c} dollars a week "
        "for {d} weeks. How many dollars are still missing?",
        {"a": (40, 80), "b": (3, 15), "c": (2, 6), "d": (2, 6)},
        (
            "{name} saves {c} * {d} = {x} dollars.",
            "{name} then has {b} + {x} = {y} dollars.",
            "There are still {a} - {y} = {z} dollars missing.",
        ),
    ),
    Template(
        "farm_and_market",
        "A farm has {a} hens that lay {b} eggs each. {c} eggs break, {d} eggs are eaten and {e} "
        "eggs are bought. How many eggs are there?",
        {"a": (2, 8), "b": (2, 6), "c": (2, 6), "d": (2, 6), "e": (2, 12)},
        (
            "The hens lay {a} * {b} = {w} eggs.",
            "After some break there are {w} - {c} = {x} eggs.",
            "After some are eaten there are {x} - {d} = {y} eggs.",
            "With the bought ones there are {y} + {e} = {z} eggs.",
        ),
    ),
    Template(
        "party_bags",
        "{name} has {a} {item} and buys {b} packs of {c}. {d} are broken. The rest fills {e} party "
        "bags equally. How many {item} go in each bag?",
        {"a": (2, 15), "b": (2, 5), "c": (2, 8), "d": (2, 6), "e": (2, 6)},
        (
            "The packs hold {b} * {c} = {w} {item}.",
            "That makes {a} + {w} = {x} {item}.",
            "Without the broken ones there are {x} - {d} = {y} {item}.",
            "Each bag gets {y} / {e} = {z} {item}.",
        ),
    ),
)

HELD_OUT_TEMPLATES = (
    Template(
        "grow_taller",
        "A plant is {a} inches tall and grows {b} inches. How many inches tall is it now?",
        {"a": (3, 29), "b": (2, 20)},
        ("The plant is {a} + {b} = {x} inches tall.",),
    ),
    Template(
        "seats_free",
        "A room has {a} seats and {b} people are sitting in it. How many seats are free?",
        {"a": (10, 40), "b": (2, 20)},
        ("There are {a} - {b} = {x} free seats.",),
    ),
    Template(
        "fish_tanks",
        "A shop has {a} tanks with {b} fish in each and sells {c} fish. How many fish are left?",
        {"a": (2, 8), "b": (2, 9), "c": (2, 12)},
        ("The tanks hold {a} * {b} = {x} fish.", "There are {x} - {c} = {y} fish left."),
    ),
    Template(
        "walk_and_run",
        "{name} walks {a} miles on Monday and {b} miles on Tuesday, and runs {c} miles on Friday. "
        "How many miles is that?",
        {"a": (2, 15), "b": (2, 15), "c": (2, 15)},
        (
            "On Monday and Tuesday it is {a} + {b} = {x} miles.",
            "In all it is {x} + {c} = {y} miles.",
        ),
    ),
    Template(
        "split_the_bill",
        "A pizza costs {a} dollars and the drinks cost {b} dollars. {c} friends split the bill "
        "equally. How many dollars does each pay?",
        {"a": (8, 25), "b": (2, 15), "c": (2, 6)},
        ("The bill is {a} + {b} = {x} dollars.", "Each friend pays {x} / {c} = {y} dollars."),
    ),
    Template(
        "ages",
        "{name} is {a} years old. {other} is {b} years older. How old will {other} be in {c} "
        "years?",
        {"a": (4, 29), "b": (2, 12), "c": (2, 9)},
        (
            "{other} is {a} + {b} = {x} years old.",
            "In {c} years {other} will be {x} + {c} = {y} years old.",
        ),
    ),
    Template(
        "garden_beds",
        "A garden has {a} beds of {b} roses and {c} beds of {d} tulips. {e} flowers are cut. How "
        "many flowers are left?",
        {"a": (2, 5), "b": (2, 7), "c": (2, 5), "d": (2, 7), "e": (2, 9)},
        (
            "There are {a} * {b} = {x} roses.",
            "There are {c} * {d} = {y} tulips.",
            "That is {x} + {y} = {w} flowers.",
            "There are {w} - {e} = {z} flowers left.",
        ),
    ),
    Template(
        "ticket_sales",
        "{name} sells {a} tickets at {b} dollars each and {other} sells {c} tickets at the same "
        "price. How many dollars do they collect together?",
        {"a": (2, 9), "b": (2, 5), "c": (2, 9)},
        ("They sell {a} + {c} = {x} tickets.", "They collect {x} * {b} = {y} dollars."),
    ),
    Template(
        "colder_at_night",
        "At noon it is {a} degrees. By midnight it gets {b} degrees colder. How many degrees is it "
        "at midnight?",
        {"a": (15, 45), "b": (3, 18)},
        ("At midnight it is {a} - {b} = {x} degrees.",),
    ),
    Template(
        "swimming_laps",
        "{name} swims {a} laps every morning. How many laps does {name} swim in {b} mornings?",
        {"a": (3, 9), "b": (2, 8)},
        ("{name} swims {a} * {b} = {x} laps.",),
    ),
    Template(
        "cut_ribbon",
        "A ribbon of {a} inches is cut into {b} equal pieces. How many inches long is each piece?",
        {"a": (12, 90), "b": (2, 9)},
        ("Each piece is {a} / {b} = {x} inches long.",),
    ),
    Template(
        "library_day",
        "A library lends {a} novels in the morning and {b} in the afternoon. How many novels does "
        "it lend that day?",
        {"a": (5, 25), "b": (5, 25)},
        ("The library lends {a} + {b} = {x} novels.",),
    ),
    Template(
        "birthday_candles",
        "Every cake needs {a} candles. How many cakes can be decorated with {b} candles?",
        {"a": (3, 9), "b": (12, 72)},
        ("The candles are enough for {b} / {a} = {x} cakes.",),
    ),
    Template(
        "winning_margin",
        "The Lions score {a} points and the Bears score {b} points. By how many points do the "
        "Lions win?",
        {"a": (15, 60), "b": (5, 40)},
        ("The Lions win by {a} - {b} = {x} points.",),
    ),
    Template(
        "fence_around",
        "A rectangular field is {a} yards long and {b} yards wide. How many yards of fence go all "
        "the way around it?",
        {"a": (6, 18), "b": (3, 12), "two": (2, 2)},
        (
            "Length and width are {a} + {b} = {x} yards.",
            "All the way around it is {x} * {two} = {y} yards.",
        ),
    ),
    Template(
        "paint_cans",
        "Painting a bedroom takes {a} cans of paint. {name} wants to paint {c} bedrooms and owns "
        "{b} cans. How many cans must {name} still get?",
        {"a": (2, 9), "b": (2, 15), "c": (2, 8)},
        (
            "The bedrooms take {a} * {c} = {x} cans.",
            "{name} must still get {x} - {b} = {y} cans.",
        ),
    ),
    Template(
        "train_cars",
        "A train pulls {a} cars with {b} people in each. At a station {c} people board. How many "
        "people ride the train then?",
        {"a": (2, 8), "b": (3, 10), "c": (2, 15)},
        ("The cars hold {a} * {b} = {x} people.", "Then {x} + {c} = {y} people ride the train."),
    ),
    Template(
        "half_price",
        "A coat of {a} dollars is sold at half price. {name} takes it and a scarf of {b} dollars. "
        "What does {name} spend, in dollars?",
        {"a": (10, 50), "b": (3, 20), "two": (2, 2)},
        ("The coat costs {a} / {two} = {x} dollars.", "{name} spends {x} + {b} = {y} dollars."),
    ),
    Template(
        "eggs_for_omelettes",
        "A cook opens a carton of {c} eggs. Each omelette takes {a} eggs, and the cook makes {b} "
        "omelettes. How many eggs remain in the carton?",
        {"a": (2, 4), "b": (2, 8), "c": (12, 36)},
        ("The omelettes take {a} * {b} = {x} eggs.", "In the carton {c} - {x} = {y} eggs remain."),
    ),
    Template(
        "piano_practice",
        "{name} practises the piano for {a} minutes on each of {b} weekdays and for {c} minutes on "
        "Sunday. How many minutes of practice is that?",
        {"a": (5, 15), "b": (2, 5), "c": (5, 25)},
        (
            "On weekdays it is {a} * {b} = {x} minutes.",
            "With Sunday it is {x} + {c} = {y} minutes.",
        ),
    ),
    Template(
        "faster_car",
        "A red car drives {a} miles an hour and a blue car {b} miles an hour. After {c} hours, how "
        "many miles is the red car ahead?",
        {"a": (20, 60), "b": (15, 55), "c": (2, 6)},
        (
            "Every hour the red car gains {a} - {b} = {x} miles.",
            "After {c} hours it is {x} * {c} = {y} miles ahead.",
        ),
    ),
    Template(
        "choir_groups",
        "A choir stands in {a} rows of {b} singers. For a song it forms {c} groups of equal size. "
        "How many singers form one group?",
        {"a": (2, 9), "b": (3, 10), "c": (2, 8)},
        ("The choir has {a} * {b} = {x} singers.", "One group has {x} / {c} = {y} singers."),
    ),
    Template(
        "five_dollar_bills",
        "In a wallet there are {a} five-dollar bills, and in a jar {b} dollars in coins. How many "
        "dollars are there in all?",
        {"a": (2, 12), "b": (3, 30), "five": (5, 5)},
        (
            "The bills are worth {a} * {five} = {x} dollars.",
            "In all there are {x} + {b} = {y} dollars.",
        ),
    ),
    Template(
        "half_as_many",
        "{name} finds {a} mushrooms in the forest, and {other} finds half as many. How many "
        "mushrooms do the two of them carry home?",
        {"a": (6, 40), "two": (2, 2)},
        (
            "{other} finds {a} / {two} = {x} mushrooms.",
            "They carry home {a} + {x} = {y} mushrooms.",
        ),
    ),
    Template(
        "ferry_trips",
        "{a} hikers come to a river. {b} of them walk over the bridge, and the others take a boat "
        "that seats {c}. How many boatloads are there?",
        {"a": (12, 60), "b": (2, 15), "c": (2, 8)},
        (
            "By boat go {a} - {b} = {x} hikers.",
            "There are {x} / {c} = {y} boatloads.",
        ),
    ),
    Template(
        "stairs_up_and_down",
        "{name} climbs {a} stairs, takes a break, climbs {b} stairs more and comes down {c} "
        "stairs. How many stairs above the ground is {name}?",
        {"a": (8, 40), "b": (5, 30), "c": (3, 20)},
        (
            "{name} climbs {a} + {b} = {x} stairs.",
            "{name} is {x} - {c} = {y} stairs above the ground.",
        ),
    ),
    Template(
        "truck_load",
        "A truck carries {a} crates, each of {c} pounds. The driver unloads {b} crates. How many "
        "pounds does the truck still carry?",
        {"a": (6, 20), "b": (2, 12), "c": (2, 9)},
        (
            "On the truck are {a} - {b} = {x} crates.",
            "They weigh {x} * {c} = {y} pounds.",
        ),
    ),
    Template(
        "filling_tank",
        "A tank contains {a} gallons. Every minute {b} gallons flow in and {c} gallons flow out. "
        "How many gallons does it contain after {d} minutes?",
        {"a": (5, 40), "b": (5, 12), "c": (2, 9), "d": (2, 8)},
        (
            "Every minute the tank gains {b} - {c} = {x} gallons.",
            "In {d} minutes it gains {x} * {d} = {y} gallons.",
            "It then contains {a} + {y} = {z} gallons.",
        ),
    ),
    Template(
        "museum_guides",
        "{a} vans with {b} students each and {c} teachers go to a museum. Every guide leads {d} "
        "visitors. How many guides are needed?",
        {"a": (2, 6), "b": (4, 9), "c": (2, 9), "d": (3, 9)},
        (
            "In the vans are {a} * {b} = {x} students.",
            "With teachers there are {x} + {c} = {y} visitors.",
            "They need {y} / {d} = {z} guides.",
        ),
    ),
    Template(
        "average_score",
        "{name} plays three games and scores {a}, {b} and {c} points. What is the average score of "
        "a game?",
        {"a": (4, 33), "b": (4, 33), "c": (4, 33), "three": (3, 3)},
        (
            "The first two games give {a} + {b} = {x} points.",
            "All three give {x} + {c} = {y} points.",
            "The average is {y} / {three} = {z} points.",
        ),
    ),
    Template(
        "weekend_job",
        "{name} cuts grass for {a} hours on Saturday and {b} hours on Sunday, at {c} dollars an "
        "hour. Gas for the mower costs {d} dollars. How many dollars does {name} keep?",
        {"a": (2, 6), "b": (2, 6), "c": (3, 9), "d": (2, 15)},
        (
            "{name} works {a} + {b} = {x} hours.",
            "That pays {x} * {c} = {y} dollars.",
            "{name} keeps {y} - {d} = {z} dollars.",
        ),
    ),
    Template(
        "market_stand",
        "At a market stand {name} sells {a} melons for {b} dollars each and {c} pumpkins for {d} "
        "dollars each. The stand costs {e} dollars. How many dollars are earned?",
        {"a": (2, 8), "b": (2, 5), "c": (2, 6), "d": (2, 8), "e": (3, 15)},
        (
            "The melons bring {a} * {b} = {w} dollars.",
            "The pumpkins bring {c} * {d} = {x} dollars.",
            "Together they bring {w} + {x} = {y} dollars.",
            "Without the stand that is {y} - {e} = {z} dollars.",
        ),
    ),
)
