"""The `openai` judge: a model behind a server is asked which response is better.

Every ordered pair is one request. Every answer is kept by its content in a cache file, so none is
paid for twice; where a server wants to be asked otherwise than usual, the answer says how. What it
measures is that model's taste under this prompt; whether its taste is people's is for the passport
to say, which holds what is known of a judge.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock
from pydantic import Field

from stagelift.evals.files import append_records, read_records
from stagelift.evals.judges.judge import Judge, Opinion, Pair
from stagelift.evals.judges.openai_prompt import (
    MAX_TOKENS,
    TEMPERATURE,
    content_hash,
    messages,
    prompt_hash,
    read_verdict,
)
from stagelift.evals.judges.openai_reply import Said, WrongReplyError, clean
from stagelift.evals.judges.openai_request import USUAL, Way
from stagelift.evals.judges.openai_server import (
    OpenAIJudge,
    address,
    check,
    complete,
    connect,
    failure,
    safe_words,
    without_key,
)
from stagelift.evals.records import Record, Usage
from stagelift.evals.servers import REFUSALS, troubles

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionMessageParam

_ABOUT_CONTENT = (
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "string_above_max_length",
)
# a server that sends so many wrong replies in a row has gone wrong: they are about no content
_MOST_WRONG = 20


def _is_none(value: object) -> bool:
    return value is None


class Answer(Record):
    """One row of the cache: what the server said to a request.

    Where it `refused` to judge the content, the reply is its reason. Where the server `judge` was
    asked in another `way` than usual, both are there.
    """

    key: str
    reply: str
    prompt_tokens: int
    completion_tokens: int
    refused: bool
    judge: str | None = Field(default=None, exclude_if=_is_none)
    way: Way | None = Field(default=None, exclude_if=_is_none)


class _Doubt(NamedTuple):
    """An answer that may be about the content or about the server, and what came as it."""

    answer: Answer
    error: Exception


def openai_judge(settings: OpenAIJudge, cache: Path) -> Judge:
    """Return the judge; the server is asked at its first decision.

    `cache` is a file of answers; judges and processes may share it. Where the server does not
    answer, deciding stops with ConnectionError, and the answers so far are kept. Raises ValueError
    as `check` does.
    """
    check(settings)
    asker = _Asker(settings, cache)
    return Judge(openai_id(settings), asker.decide, prompt_hash(), asker.usage)


def openai_id(settings: OpenAIJudge) -> str:
    """Name the model and where it is served; needs no key."""
    return f"openai-1:{settings.model}@{address(settings)}"


class _Asker:
    """Answers pairs from the cache file, and by asking the server for those that are not in it."""

    def __init__(self, settings: OpenAIJudge, cache: Path) -> None:
        self.settings = settings
        self.cache = cache
        self.answers: dict[str, Answer] = {}
        # what was paid for, now or in an earlier sitting
        self.used: dict[str, Answer] = {}
        # refused, but perhaps not because of the content
        self.doubtful: dict[str, _Doubt] = {}
        # how many wrong replies came since the last right one
        self.wrong = 0
        self.way = USUAL
        # with more tokens it would only say more; one request at a time finds that out
        self.speaks_at_once = False
        self.trying = threading.Lock()
        # the server has answered some request, so it does know the model
        self.served = False
        self.requests = 0
        self.cached = 0
        self.lock = threading.Lock()

    def decide(self, pairs: Sequence[Pair]) -> list[Opinion]:
        questions = [messages(pair) for pair in pairs]
        keys = [self._key(question) for question in questions]
        self._load()
        missing = {
            key: question
            for key, question in zip(keys, questions, strict=True)
            if key not in self.answers
        }
        if missing:
            self.doubtful.clear()
            self._ask_all(missing)
            self._settle_doubt(keys)
        self.cached += len(keys) - len(missing)
        self.used.update((key, self.answers[key]) for key in keys)
        return [_opinion(self.answers[key]) for key in keys]

    def _key(self, question: "list[ChatCompletionMessageParam]") -> str:
        server = address(self.settings)
        return content_hash([server, self.settings.model, question, TEMPERATURE, MAX_TOKENS])

    def _load(self) -> None:
        """Take in what the file holds by now.

        Of two answers to one request the first counts, in every run.
        """
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with self._file_lock():
            rows = read_records(self.cache, Answer)
        self.answers = {row.key: row for row in reversed(rows)}
        judge = openai_id(self.settings)
        ways = [row.way for row in rows if row.way is not None and row.judge == judge]
        if self.way == USUAL and ways:
            self.way = ways[-1]

    def _file_lock(self) -> FileLock:
        return FileLock(self.cache.with_name(f"{self.cache.name}.lock"))

    def _ask_all(self, missing: dict[str, "list[ChatCompletionMessageParam]"]) -> None:
        """Ask for every missing answer.

        The first failure stops it, once requests under way have had their answers.
        """
        with connect(self.settings) as client:
            pool = ThreadPoolExecutor(self.settings.concurrency)
            try:
                requests = [
                    pool.submit(self._ask, client, key, question)
                    for key, question in missing.items()
                ]
                for request in as_completed(requests):
                    request.result()
            finally:
                pool.shutdown(cancel_futures=True)

    def _ask(
        self, client: "OpenAI", key: str, question: "list[ChatCompletionMessageParam]"
    ) -> None:
        from openai import APIStatusError

        try:
            said, way = self._said(client, question)
        except APIStatusError as error:
            if error.status_code not in REFUSALS:
                # the client's own error may quote the key
                raise self._failure(error) from None
            self._keep_refusal(key, error, about_content=error.code in _ABOUT_CONTENT)
        except WrongReplyError as error:
            self._keep_wrong(key, error)
        except troubles() as error:
            raise self._failure(error) from None
        else:
            self._keep_said(key, said, way)

    def _said(
        self, client: "OpenAI", question: "list[ChatCompletionMessageParam]"
    ) -> tuple[Said, Way]:
        """Ask; where the tokens were at an end before a verdict, perhaps with room for thoughts."""
        try:
            said, way = complete(client, self.settings, question, self.way)
        except WrongReplyError:
            # a gateway's page may be of the moment
            said, way = complete(client, self.settings, question, self.way)
        if said.is_cut and not way.may_think() and self._may_have_thought(said):
            return self._said_after_thoughts(client, question, said, way)
        self.way = way
        return said, way

    def _said_after_thoughts(
        self,
        client: "OpenAI",
        question: "list[ChatCompletionMessageParam]",
        said: Said,
        way: Way,
    ) -> tuple[Said, Way]:
        """Ask with room for thoughts, one request at a time until it is known whether the model
        has any: such a request may take thousands of tokens.
        """
        with self.trying:
            if not self._may_have_thought(said):
                return said, way
            if not self.way.may_think():
                said, self.way = self._with_thoughts(client, question, said, way)
                return said, self.way
        return self._with_thoughts(client, question, said, way)

    def _with_thoughts(
        self,
        client: "OpenAI",
        question: "list[ChatCompletionMessageParam]",
        said: Said,
        way: Way,
    ) -> tuple[Said, Way]:
        """Ask once more with room for thoughts; what was said before stays where there are none."""
        from openai import APIStatusError

        try:
            longer, longer_way = complete(client, self.settings, question, way.thinking())
        except WrongReplyError:
            return said, way
        except APIStatusError as error:
            if error.status_code not in REFUSALS:
                raise
            return said, way
        if longer.thought or not said.text.strip():
            return _both_paid(longer, said), longer_way
        self.speaks_at_once = True
        return _both_paid(said, longer), way

    def _may_have_thought(self, said: Said) -> bool:
        """Say whether a model may have been thinking when its tokens were at an end: some servers
        show thoughts, some hide them, and some do not know them for any.
        """
        if said.thought or not said.text.strip():
            return True
        return not self.speaks_at_once and read_verdict(said.text).score is None

    def _failure(self, error: Exception) -> ConnectionError:
        kept = f"Answers so far are kept in {self.cache}; run again to go on."
        return ConnectionError(f"{failure(error, self.settings)} {kept}")

    def _keep_refusal(self, key: str, error: Exception, *, about_content: bool) -> None:
        doubt = _Doubt(self._refused(key, error), error)
        with self.lock:
            self.requests += 1
            if about_content or self.served:
                self._keep(doubt.answer)
            else:
                self.doubtful[key] = doubt

    def _keep_wrong(self, key: str, error: WrongReplyError) -> None:
        """Remember that nothing came that can be read, or stop where nothing else comes."""
        with self.lock:
            self.requests += 1
            self.wrong += 1
            self.doubtful[key] = _Doubt(self._refused(key, error), error)
            if self.wrong >= _MOST_WRONG:
                raise self._failure(error)

    def _refused(self, key: str, error: Exception) -> Answer:
        words = clean(safe_words(error, self.settings))
        return Answer(key=key, reply=words, prompt_tokens=0, completion_tokens=0, refused=True)

    def _keep_said(self, key: str, said: Said, way: Way) -> None:
        refusal = said.refusal or _silence(said)
        answer = Answer(
            key=key,
            reply=without_key(refusal or said.text, self.settings),
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            refused=refusal is not None,
        )
        if way != USUAL:
            asked = {"judge": openai_id(self.settings), "way": way}
            answer = answer.model_copy(update=asked)
        with self.lock:
            self.served = True
            self.wrong = 0
            self.requests += 1
            self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        with self._file_lock():
            append_records(self.cache, [answer])
        self.answers[answer.key] = self.used[answer.key] = answer

    def _settle_doubt(self, keys: Sequence[str]) -> None:
        """Keep the doubtful refusals, or raise ConnectionError where everything was refused.

        A refusal is about the content only where other requests were served: a server that does not
        know the model refuses them all.
        """
        if not self.doubtful:
            return
        all_refused = all(key in self.doubtful or self.answers[key].refused for key in keys)
        if all_refused and not self.served:
            raise self._failure(next(iter(self.doubtful.values())).error)
        for doubt in self.doubtful.values():
            self._keep(doubt.answer)
        self.doubtful.clear()

    def usage(self) -> Usage:
        """Count what this judge has asked so far, and what all the answers it used have cost."""
        answers = list(self.used.values())
        return Usage(
            requests=self.requests,
            cached=self.cached,
            prompt_tokens=sum(answer.prompt_tokens for answer in answers),
            completion_tokens=sum(answer.completion_tokens for answer in answers),
            cost_usd=_cost(answers, self.settings),
            asked=_asked(answers),
        )


def _both_paid(said: Said, other: Said) -> Said:
    """Return what was said with the tokens of another answer to the same question."""
    tokens = {
        "prompt_tokens": said.prompt_tokens + other.prompt_tokens,
        "completion_tokens": said.completion_tokens + other.completion_tokens,
    }
    return said.model_copy(update=tokens)


def _silence(said: Said) -> str | None:
    """Say why nothing was said aloud; None where something was."""
    if said.text.strip():
        return None
    return "its tokens were at an end before a word" if said.is_cut else "empty reply"


def _asked(answers: Sequence[Answer]) -> tuple[str, ...]:
    """Say in what requests differed from the usual one."""
    ways = [answer.way for answer in answers if answer.way is not None]
    return tuple(dict.fromkeys(said for way in ways for said in way.differences()))


def _opinion(answer: Answer) -> Opinion:
    if answer.refused:
        return Opinion(score=None, reason=f"refused: {answer.reply}")
    return read_verdict(answer.reply)


def _cost(answers: Sequence[Answer], settings: OpenAIJudge) -> float | None:
    """Return what these answers cost; None where a price, or a reply's tokens, are not known.

    A server that refuses content counts no tokens for it. So refusals tell whether it counts tokens
    only where there is no reply.
    """
    prompt_price = settings.usd_per_million_prompt_tokens
    completion_price = settings.usd_per_million_completion_tokens
    if prompt_price is None or completion_price is None:
        return None
    telling = [answer for answer in answers if not answer.refused] or answers
    if not all(answer.prompt_tokens for answer in telling):
        return None
    dollars_times_a_million = sum(
        answer.prompt_tokens * prompt_price + answer.completion_tokens * completion_price
        for answer in answers
    )
    return dollars_times_a_million / 1e6
