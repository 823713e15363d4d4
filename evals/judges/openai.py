"""The `openai` judge: a model behind a server is asked which response is better.

Every ordered pair is one request. Every answer is kept by its content in a cache file, so none is
paid for twice. What it measures is that model's taste under this prompt; whether its taste is
people's is for the passport to say, which holds what is known of a judge.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

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
from stagelift.evals.judges.openai_server import (
    OpenAIJudge,
    address,
    check,
    complete,
    connect,
    failure,
    message_of,
    no_reply,
    refused_all,
    safe_words,
)
from stagelift.evals.records import Record, Usage
from stagelift.evals.servers import REFUSALS, troubles

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

_ABOUT_CONTENT = (
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "string_above_max_length",
)


class Answer(Record):
    """One row of the cache: what the server said to a request.

    Where it `refused` to judge the content, the reply is its reason.
    """

    key: str
    reply: str
    prompt_tokens: int
    completion_tokens: int
    refused: bool


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
        self.doubtful: dict[str, Answer] = {}
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
            completion = complete(client, self.settings, question)
        except APIStatusError as error:
            if error.status_code not in REFUSALS:
                # the client's own error may quote the key
                raise self._failure(error) from None
            about_content = error.code in _ABOUT_CONTENT
            self._keep_refusal(key, safe_words(error, self.settings), about_content=about_content)
        except troubles() as error:
            raise self._failure(error) from None
        else:
            self._keep_completion(key, completion)

    def _failure(self, error: Exception) -> ConnectionError:
        kept = f"Answers so far are kept in {self.cache}; run again to go on."
        return ConnectionError(f"{failure(error, self.settings)} {kept}")

    def _keep_refusal(self, key: str, words: str, *, about_content: bool) -> None:
        answer = Answer(key=key, reply=words, prompt_tokens=0, completion_tokens=0, refused=True)
        with self.lock:
            self.requests += 1
            if about_content or self.served:
                self._keep(answer)
            else:
                self.doubtful[key] = answer

    def _keep_completion(self, key: str, completion: "ChatCompletion") -> None:
        """Keep a reply, or what stands in its place."""
        answer = _answer(key, completion)
        if answer is None:
            words = safe_words(no_reply(completion), self.settings)
            self._keep_refusal(key, words, about_content=False)
            return
        with self.lock:
            self.served = True
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
            words = next(iter(self.doubtful.values())).reply
            self.doubtful.clear()
            raise ConnectionError(refused_all(words, self.settings))
        for answer in self.doubtful.values():
            self._keep(answer)
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
        )


def _answer(key: str, completion: "ChatCompletion") -> Answer | None:
    """Read a completion, None where it holds no message."""
    message = message_of(completion)
    if message is None:
        return None
    reply, refusal = message.content or "", message.refusal
    if getattr(completion.choices[0], "finish_reason", None) == "content_filter":
        refusal = refusal or "content filter"
    elif not reply.strip():
        refusal = refusal or "empty reply"
    return Answer(
        key=key,
        reply=refusal or reply,
        prompt_tokens=getattr(completion.usage, "prompt_tokens", None) or 0,
        completion_tokens=getattr(completion.usage, "completion_tokens", None) or 0,
        refused=refusal is not None,
    )


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
