"""Log-probabilities of given texts under a model, stored as they come: the answers of preference
pairs, the answers of questions, and plain text.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from stagelift.evals.data.preferences import Preference
from stagelift.evals.data.retained import Choice, Passage
from stagelift.evals.files import append_records, read_records
from stagelift.evals.models.chat import Turns, answered, answered_apart
from stagelift.evals.models.engines.engine import Answer, AnswerLogprob, Engine
from stagelift.evals.records import ChoiceScore, PairScore, PassageScore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OnProgress = Callable[[int, int], None]

# rows that an engine is asked at once; they are asked again together
_AT_ONCE = 64


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Row = TypeVar("Row", bound=_HasId)
Stored = TypeVar("Stored", ChoiceScore, PairScore, PassageScore)


def score_pairs(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    preferences: Sequence[Preference],
    path: Path,
    on_progress: OnProgress,
) -> list[PairScore]:
    """Return the summed log-probability (nats) of each pair's answers given its prompt.

    What is in `path` is not redone. Answers are tokenised inside the chat template, end of turn
    included (as in trl's DPOTrainer). Rows without a pair are left out, and all of them where the
    engine gives no log-probabilities.
    """
    pairs = [pair for pair in preferences if pair.chosen is not None and pair.rejected is not None]

    def answers(pair: Preference) -> list[Answer]:
        assert pair.chosen is not None and pair.rejected is not None
        texts = (pair.chosen, pair.rejected)
        return [_answer(tokenizer, pair.prompt, text, pair.beside) for text in texts]

    return _stored(
        engine, pairs, answers, _pair_score, read_records(path, PairScore), path, on_progress
    )


def score_choices(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    choices: Sequence[Choice],
    path: Path,
    on_progress: OnProgress,
) -> list[ChoiceScore]:
    """Return the summed log-probability of each answer to each question, as `score_pairs` does.

    An answer stands in the turn after the question; the end of the turn is not counted, as in
    lm-eval.
    """

    def answers(choice: Choice) -> list[Answer]:
        prompt = [{"role": "user", "content": choice.question}]
        return [_text_alone(_answer(tokenizer, prompt, text), text) for text in choice.answers]

    return _stored(
        engine, choices, answers, _choice_score, read_records(path, ChoiceScore), path, on_progress
    )


def score_passages(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    passages: Sequence[Passage],
    path: Path,
    on_progress: OnProgress,
) -> list[PassageScore]:
    """Return the log-probability of plain text, as `score_pairs` does.

    No chat template is around it: it follows the token that texts begin with, or else end with (as
    in lm-eval's rolling log-likelihoods).
    """
    before = str(tokenizer.bos_token or tokenizer.eos_token)

    def answers(passage: Passage) -> list[Answer]:
        return [Answer(before, before + passage.text)]

    return _stored(
        engine,
        passages,
        answers,
        _passage_score,
        read_records(path, PassageScore),
        path,
        on_progress,
    )


def _stored(
    engine: Engine,
    rows: Sequence[Row],
    answers_of: Callable[[Row], list[Answer]],
    score: Callable[[Row, Sequence[AnswerLogprob]], Stored],
    held: Sequence[Stored],
    path: Path,
    on_progress: OnProgress,
) -> list[Stored]:
    """Ask for what is not held yet, some rows at once; each time all that came is stored."""
    known = {stored.id: stored for stored in held}
    # what is there already is no work of now
    on_progress(sum(row.id in known for row in rows), len(rows))
    for start in range(0, len(rows), _AT_ONCE):
        asked = rows[start : start + _AT_ONCE]
        if not all(row.id in known for row in asked):
            answers = [answers_of(row) for row in asked]
            logprobs = engine.answer_logprobs([one for of_row in answers for one in of_row])
            if logprobs is None:
                return []
            rest = iter(logprobs)
            scores = [
                score(row, [next(rest) for _ in of_row])
                for row, of_row in zip(asked, answers, strict=True)
            ]
            append_records(path, [stored for stored in scores if stored.id not in known])
            known |= {stored.id: stored for stored in scores}
        on_progress(sum(row.id in known for row in rows), len(rows))
    return [known[row.id] for row in rows]


def _pair_score(pair: Preference, logprobs: Sequence[AnswerLogprob]) -> PairScore:
    chosen, rejected = logprobs
    return PairScore(
        id=pair.id,
        chosen=chosen.nats,
        rejected=rejected.nats,
        chosen_tokens=chosen.n_tokens,
        rejected_tokens=rejected.n_tokens,
    )


def _choice_score(choice: Choice, logprobs: Sequence[AnswerLogprob]) -> ChoiceScore:
    return ChoiceScore(
        id=choice.id,
        topic=choice.topic,
        right=choice.right,
        nats=tuple(each.nats for each in logprobs),
        characters=tuple(len(text) for text in choice.answers),
    )


def _passage_score(passage: Passage, logprobs: Sequence[AnswerLogprob]) -> PassageScore:
    (whole,) = logprobs
    return PassageScore(
        id=passage.id,
        document=passage.document,
        nats=whole.nats,
        n_tokens=whole.n_tokens,
        n_bytes=len(passage.text.encode()),
    )


def _answer(
    tokenizer: "PreTrainedTokenizerBase",
    prompt: Turns,
    text: str,
    beside: Mapping[str, Any] | None = None,
) -> Answer:
    """Put an answer into the chat template after all that is asked, and find where it starts."""
    turn = [{"role": "assistant", "content": text}]
    try:
        before, whole = answered(tokenizer, prompt, turn, beside)
    except ValueError:
        # a template that cannot: after what it writes alike
        before, whole = answered_apart(tokenizer, prompt, turn, beside)
    return _from(whole, len(before))


def _text_alone(answer: Answer, text: str) -> Answer:
    """Leave out what a template puts around an answer's own text."""
    start = answer.whole.index(text, len(answer.prompt))
    return _from(answer.whole[: start + len(text)], start)


def _from(whole: str, start: int) -> Answer:
    """Let an answer start at a place, and spaces before it count with it, as in lm-eval.

    Most tokenizers put a space into the token of the word after it, and none does so with the line
    break that other templates end in.
    """
    return Answer(whole[:start].rstrip(" \t"), whole)
