"""Every evaluation type that is written to disk.

A report is a pure function of these; nothing here needs torch.
"""

from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)
from pydantic_core import PydanticCustomError

Outcome = Literal["correct", "wrong", "unparsed", "truncated", "looping"]
# sampled are the test problems once more, drawn beside the greedy response
# task are the prompts of a user's further tasks
# the last three are the retention suite's, of which only instructions are answered
Group = Literal[
    "test",
    "sampled",
    "held_out",
    "preference",
    "task",
    "instructions",
    "choices",
    "passages",
]
Role = Literal["base", "previous", "reference"]
# what pydantic's error is called where a number is true or false
NO_NUMBER = "no_number"


class Record(BaseModel):
    """Frozen, strict about its fields, and one JSON object on disk."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Hashed(Record):
    """A record that says that a folder is whole: it has the sha256 of the files beside it.

    There are none where earlier code wrote it.
    """

    hashes: dict[str, str] = Field(default={}, exclude_if=lambda hashes: not hashes)


class Written(Record):
    """What a user writes: `true` is no number there, and numbers are finite.

    What stands below a field describes it: `docs/recipe-reference.md` is made of that.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, given: Any) -> Any:
        for name, value in given.items() if isinstance(given, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and _is_number(field.annotation):
                raise PydanticCustomError(
                    NO_NUMBER, "Input should be a number", {"field": name, "given": value}
                )
        return given


def _is_number(annotation: Any) -> bool:
    return bool({int, float} & {annotation, *get_args(annotation)})


class Generation(Record):
    """What a model wrote for one prompt.

    `n_tokens` leaves out the end-of-turn token. None: not known (imported).
    """

    id: str
    group: Group
    sample: int = 0
    prompt: str
    response: str
    n_tokens: int | None
    finish_reason: Literal["stop", "length"] | None


class Timing(Record):
    """How many seconds an engine took over the requests it was handed at once.

    `batch` is a digest of the ids of its prompts: the same prompts together have the same. `sample`
    is the first one's.
    """

    batch: str
    group: Group
    sample: int
    responses: PositiveInt
    seconds: float


class Scored(Record):
    """What one scorer of a user's task makes of a response.

    `value` is None where it measures nothing of this row, and where it failed: `failure` says how.
    `answer` is what it read in the response, None where it reads none. `unread` says that it looked
    for an answer and found none.
    """

    value: float | None
    # not written where there is none
    answer: str | None = Field(default=None, exclude_if=lambda answer: answer is None)
    unread: bool = Field(default=False, exclude_if=lambda unread: not unread)
    failure: str | None = Field(default=None, exclude_if=lambda failure: failure is None)


class Score(Record):
    """How one generation was read: three answers, what they are worth, and one outcome.

    `correct` and `answer` are of our numeric reading, the others of lm-eval's two filters. An
    answer is None where none could be read; everything is None where there is no target. Outcomes
    partition the responses: `correct` first, then `looping` (it ends in a loop), `truncated` (cut
    off by the token limit), `unparsed` (no answer could be read), else `wrong`.

    `looping` is None where that was not looked at, and is no outcome there. Of an instruction
    prompt `violated` names the instructions that were not followed, `followed` says whether all
    were.

    `cluster` is what its prompt comes in (a template, a document), None where it stands alone.

    In a user's task `scored` has what each scorer makes of it, by the metric's name, and `row` is
    what was asked, with all its columns. `correct` and `answer` are of the first scorer, where that
    gives shares.
    """

    id: str
    group: Group
    sample: int = 0
    question: str
    target: str | None
    correct: bool | None
    correct_strict: bool | None
    correct_flexible: bool | None = None
    answer: str | None
    answer_strict: str | None
    answer_flexible: str | None = None
    outcome: Outcome | None
    n_tokens: int | None
    n_chars: int | None = None
    truncated: bool | None
    # not written where there is none
    cluster: str | None = Field(default=None, exclude_if=lambda cluster: cluster is None)
    scored: dict[str, Scored] = Field(default={}, exclude_if=lambda scored: not scored)
    row: dict[str, Any] | None = Field(default=None, exclude_if=lambda row: row is None)
    looping: bool | None = Field(default=None, exclude_if=lambda looping: looping is None)
    followed: bool | None = Field(default=None, exclude_if=lambda followed: followed is None)
    violated: tuple[str, ...] | None = Field(
        default=None, exclude_if=lambda violated: violated is None
    )


class Verdict(Record):
    """What a judge decided on a pair: the stage's response and its opponent's to one prompt.

    `score` is 1 where the stage wins, 0 where its opponent does, 0.5 for a tie, over both orders;
    None where the judge gave no verdict that could be read. `orders` holds the stage's score when
    it was shown first and when it was shown second; None where the responses were the same (no
    judge was asked) or the source gives one verdict only. `length_difference` is the stage's length
    minus the opponent's, in characters.
    """

    id: str
    group: Group = "test"
    against: Role
    score: float | None
    orders: tuple[float | None, float | None] | None = None
    length_difference: int | None = None
    reason: str


class Vote(Record):
    """What one person said of a pair: the stage's response and its opponent's to one prompt.

    `score` is 1 where the stage's response was preferred, 0 where its opponent's was, 0.5 where
    neither was. `pair` is made of the prompt and both responses, so that a vote is of these alone;
    `seed` is that of the random order in which pairs were shown, and `voter` a random name. Nobody
    is asked about two equal responses, which are a tie: then `voter` is None.
    """

    id: str
    group: Group
    against: Role
    pair: str
    seed: int
    voter: str | None
    score: float = Field(ge=0, le=1)


class PairScore(Record):
    """What a model makes of one held-out preference pair.

    That is its log-probability of each answer (nats, summed), and how many tokens each has.
    """

    id: str
    chosen: float
    rejected: float
    chosen_tokens: int
    rejected_tokens: int


class ChoiceScore(Record):
    """What a model makes of the answers to one question: the log-probability of each (nats,
    summed).

    `characters` are their lengths, `right` the place of the true one.
    """

    id: str
    topic: str
    right: int
    nats: tuple[float, ...]
    characters: tuple[int, ...]


class PassageScore(Record):
    """What a model makes of a passage: its log-probability (nats, summed), its tokens and bytes."""

    id: str
    document: str
    nats: float
    n_tokens: int
    n_bytes: int


class TaskScore(Record):
    """What one document of an lm-eval task is worth by one of the task's metrics."""

    id: str
    metric: str
    value: float


class Metric(Record):
    """A value with its 95% interval and the number of prompts behind it.

    `clusters` counts what these came in, None where each stands alone.
    """

    value: float
    low: float
    high: float
    n: int
    # not written where there are none
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)


class Usage(Record):
    """What a judge's server was asked.

    Tokens and cost are of all answers used, asked for now or earlier. `asked` says in what requests
    differed from the usual one.
    """

    requests: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    asked: tuple[str, ...] = Field(default=(), exclude_if=lambda asked: not asked)


class GoldAgreement(Record):
    """How often a judge picks the better answer of gold pairs, where it is known.

    Beside it stands the control that picks the longer one; `advantage` is the paired difference to
    it. A tie, or a verdict that could not be read, is no agreement.
    """

    pairs: str
    agreement: Metric
    kappa: Metric
    control: Metric
    advantage: Metric
    failures: int
    position_consistency: Metric | None


class Passport(Record):
    """What is known of a judge: its behaviour, and its agreement with gold pairs.

    None: not measured. `fit` is None where there are no gold pairs to tell by.
    """

    judge: str
    prompt_hash: str | None
    pairs: int
    failures: int
    position_consistency: Metric | None
    first_slot_rate: Metric | None
    prefers_longer: Metric | None
    gold: GoldAgreement | None
    fit: bool | None
    usage: Usage | None


class SmallerBatch(Record):
    """A batch that did not fit into memory: of the `rows` that were worked on at once, in one
    process, one of so many `parts` at a time. `why` quotes what was said when memory ran out.
    """

    rows: int = Field(ge=2)
    parts: int = Field(ge=2)
    why: str


class EvalResult(Hashed):
    """One model under one contract: the headline metrics and the cost of getting them.

    A contract is everything that makes two evaluations comparable; `contract_id` is its hash.
    `extrapolated` names length-controlled metrics that rest on an extrapolation. `seconds` and
    `peak_memory_bytes` are of the sitting that finished it (what an interrupted one generated is
    not counted), None where it was imported. `chat_template` and `tokenizer` are digests of what
    the model was asked with, None where that was not noted. `smaller_batch` says that memory did
    not hold as many requests at once as were asked for.
    """

    contract_id: str
    contract: dict[str, Any]
    metrics: dict[str, Metric]
    outcomes: dict[Outcome, int]
    win_tie_loss: dict[str, tuple[int, int, int]]
    extrapolated: list[str] = []
    passport: Passport | None = None
    seconds: float | None
    peak_memory_bytes: int | None
    versions: dict[str, str]
    smaller_batch: SmallerBatch | None = Field(default=None, exclude_if=lambda batch: batch is None)
    # not written where they are not known
    chat_template: str | None = Field(default=None, exclude_if=lambda known: known is None)
    tokenizer: str | None = Field(default=None, exclude_if=lambda known: known is None)
