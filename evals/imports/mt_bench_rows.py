"""The rows of MT-Bench's and Arena-Hard's files: scores, pairs, answers, questions.

Sources: lm-sys/FastChat, llm_judge/common.py (`play_a_match_single`, `play_a_match_pair`);
lmarena/arena-hard-auto, gen_judgment.py, in whose first game the baseline is shown first.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Winner = Literal["model_1", "model_2", "tie", "error"]
# what a model got where it was shown first, and where second
Orders = tuple[float | None, float | None]
# of the answer that is shown first, A
_LABELS = {"A>>B": 1.0, "A>B": 1.0, "A=B": 0.5, "B=A": 0.5, "B>A": 0.0, "B>>A": 0.0}
UNREAD = -1


class Row(BaseModel):
    """What all of them have: a question."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    question_id: int | str

    @model_validator(mode="before")
    @classmethod
    def _of_arena_hard_2(cls, row: Any) -> Any:
        """There it is called `uid`."""
        if isinstance(row, Mapping) and "question_id" not in row and "uid" in row:
            return {**row, "question_id": row["uid"]}
        return row

    @property
    def question(self) -> str:
        """The question's name."""
        return str(self.question_id)


class Judged(Row):
    """A judgement; the judge's prompts differ by question, its name does not."""

    judge: str
    turn: int = 1

    @field_validator("judge", mode="before")
    @classmethod
    def _without_its_prompt(cls, judge: Any) -> Any:
        return judge[0] if isinstance(judge, list) and judge else judge


class ScoreRow(Judged):
    """A score of one answer; -1 where it could not be read."""

    model: str
    score: float = Field(ge=UNREAD, le=10, allow_inf_nan=False)

    def place(self) -> tuple[str, ...]:
        """What there is one of."""
        return (self.question, self.model, str(self.turn))


class PairRow(Judged):
    """A pair in both games: in the first, model_1 was shown first."""

    model_1: str
    model_2: str
    g1_winner: Winner
    g2_winner: Winner

    def place(self) -> tuple[str, ...]:
        """What there is one of."""
        return (self.question, self.model_1, self.model_2, str(self.turn))

    def models(self) -> tuple[str, str]:
        """Both models, of which the second is usually the baseline."""
        return self.model_1, self.model_2

    def orders(self, model: str) -> Orders:
        """Return what a model got; nothing where one of the games could not be read."""
        if "error" in (self.g1_winner, self.g2_winner):
            return None, None
        won = "model_1" if model == self.model_1 else "model_2"
        first, second = (_points(winner, won) for winner in (self.g1_winner, self.g2_winner))
        return (first, second) if won == "model_1" else (second, first)


class Game(BaseModel):
    """A game of Arena-Hard, with its label."""

    score: str | None

    @field_validator("score")
    @classmethod
    def _known(cls, label: str | None) -> str | None:
        if label is not None and label not in _LABELS:
            raise ValueError(f"score is {label!r:.40}, and known are {', '.join(_LABELS)}")
        return label


class GamesRow(Judged):
    """A pair of Arena-Hard: in the first game the baseline was shown first."""

    model: str
    baseline: str = "the baseline"
    games: list[Game] = Field(min_length=2, max_length=2)

    def place(self) -> tuple[str, ...]:
        """What there is one of."""
        return (self.question, self.model)

    def models(self) -> tuple[str, str]:
        """Both models, the baseline last."""
        return self.model, self.baseline

    def orders(self, model: str) -> Orders:
        """Return what a model got; nothing where one of the games could not be read."""
        then, now = (_LABELS.get(game.score or "") for game in self.games)
        if then is None or now is None:
            return None, None
        return (now, 1 - then) if model == self.model else (then, 1 - now)


class Turn(BaseModel):
    """What a model said; Arena-Hard counts its tokens."""

    content: str


class Choice(BaseModel):
    """One answer, turn by turn."""

    turns: list[str | Turn]

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n\n".join(turn if isinstance(turn, str) else turn.content for turn in self.turns)


class AnswerRow(Row):
    """A model's answers to a question."""

    model_id: str
    choices: list[Choice] = Field(min_length=1)

    def place(self) -> tuple[str, ...]:
        """What there is one of."""
        return (self.question, self.model_id)


class QuestionRow(Row):
    """What the user says."""

    turns: list[str | Turn] = []
    prompt: str | None = None

    def place(self) -> tuple[str, ...]:
        """What there is one of."""
        return (self.question,)

    @property
    def text(self) -> str:
        """All that is asked."""
        return self.prompt if self.prompt is not None else Choice(turns=self.turns).text


def _points(winner: Winner, won: str) -> float:
    if winner == "tie":
        return 0.5
    return float(winner == won)
