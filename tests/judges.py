"""Pairs made of literal responses, for everything that judges."""

from collections.abc import Sequence

from stagelift.evals.judges.judge import Judge, Opinion, Pair, Response
from stagelift.evals.judges.judging import Answered


def pair(first: Response, second: Response) -> Pair:
    return Pair(id="1", prompt="p", first=first, second=second)


def said(text: str, *, correct: bool | None = None, n_tokens: int | None = None) -> Response:
    return Response(text=text, correct=correct, n_tokens=n_tokens)


def answered(texts: dict[str, str]) -> dict[str, Answered]:
    return {one: Answered(f"prompt {one}", Response(text=text)) for one, text in texts.items()}


def opinionated(score: float | None) -> Judge:
    """A judge that says the same of every ordered pair: 1 is "the first one", whatever it is."""

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        return [Opinion(score=score, reason="always")] * len(pairs)

    return Judge("opinionated", decide)
