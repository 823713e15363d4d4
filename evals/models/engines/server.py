"""The `server` engine: a server that speaks OpenAI's completions, asked once for each prompt.

Prompts went through the chat template here. vLLM is sent their tokens and tells those that it
generated, so that both are read as by the other engines; any other server is sent text. A request
need not give the same text again: a server may answer otherwise beside other requests.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from stagelift.evals.credentials import short_repr
from stagelift.evals.finish_reasons import FinishReason, read_finish_reason
from stagelift.evals.models.engines.completions import Choice, Reply, ask
from stagelift.evals.models.engines.endings import Ending
from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    OnFinished,
    Request,
)
from stagelift.evals.models.engines.served import Served
from stagelift.evals.servers import Server, address, failure, troubles

if TYPE_CHECKING:
    from openai import OpenAI
    from transformers import PreTrainedTokenizerBase

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

# neutral, whatever the model's generation_config.json says that servers take for their defaults
_NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}


@dataclass(frozen=True)
class ServerEngine:
    """Asks a server, `concurrency` requests at once.

    `model` is what the server calls the model or adapter. `ends` are the tokens that end a turn,
    and `context` is how many tokens the model takes, whatever the server does.
    """

    identity: str
    server: Server
    client: "OpenAI"
    served: Served
    model: str
    tokenizer: "PreTrainedTokenizerBase"
    ends: frozenset[int]
    context: int
    concurrency: int

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        """Continue every prompt until end of turn, a stop string or `max_tokens`.

        A prompt that leaves no room for `max_tokens` in the model's context loses its beginning, as
        by the other engines. The first failure stops it with ConnectionError, after which the
        client is closed.
        """
        return self._each(self._complete, requests, self.concurrency, on_finished)

    def answer_logprobs(self, answers: Sequence[Answer]) -> list[AnswerLogprob] | None:
        """Return the log-probability of each answer's tokens; None where the server tells none.

        They are asked for one after another: vLLM 0.32 on a CPU ends where two adapted prompts with
        log-probabilities meet in a batch. Reading prompts gains little side by side.
        """
        if not self.served.gives_logprobs:
            return None
        return self._each(self._logprob, answers, 1, lambda _: None)

    def _each(
        self,
        answer: Callable[[Asked], Answered],
        asked: Sequence[Asked],
        workers: int,
        on_finished: OnFinished,
    ) -> list[Answered]:
        """Answer side by side, in order; the first failure lets no further request begin."""
        try:
            with self._workers(workers) as pool:
                answers = [pool.submit(answer, each) for each in asked]
                for done, finished in enumerate(as_completed(answers), start=1):
                    finished.result()
                    on_finished(done)
        except troubles() as error:
            # the client's own error may quote the key
            raise ConnectionError(
                f"{failure(error, self.server)} Responses of earlier calls are kept; run again to "
                "go on."
            ) from None
        return [finished.result() for finished in answers]

    @contextmanager
    def _workers(self, count: int) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(count)
        try:
            yield pool
        except BaseException:
            # what is under way is not tried again and again
            self.client.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _complete(self, request: Request) -> Completion:
        ending = self._ending(request)
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": self._prompt(request.prompt, request.max_tokens),
            "max_tokens": request.max_tokens,
            "temperature": 0.0,
            "top_p": 1.0,
        }
        extra: dict[str, Any] = {}
        if request.sampling is not None:
            body |= {
                "temperature": request.sampling.temperature,
                "seed": request.sampling.seed,
            }
        if self.served.is_vllm:
            extra = {**_NEUTRAL, "stop_token_ids": sorted(ending.tokens), "return_token_ids": True}
            body["stop"] = list(ending.strings)
        else:
            body["stop"] = list(dict.fromkeys((*request.stop, str(self.tokenizer.eos_token))))
        reply = ask(self.client, body=body, extra=extra)
        return self._read(reply, request, ending)

    def _ending(self, request: Request) -> Ending:
        """Return where a completion ends; stop strings that are tokens of their own end it as
        tokens.
        """
        added = self.tokenizer.get_added_vocab()
        special = {added[string] for string in request.stop if string in added}
        strings = tuple(string for string in request.stop if string not in added)
        return Ending(self.ends | special, strings, request.max_tokens, self.tokenizer)

    def _prompt(self, text: str, n_new: int) -> str | list[int]:
        """Return what is sent of a prompt, so that `n_new` more tokens fit."""
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        kept = tokens[-self._room(n_new) :]
        if self.served.context is not None and len(kept) + n_new > self.served.context:
            raise ConnectionError(
                f"{self._where} takes {self.served.context} tokens, fewer than the model itself, "
                f"and a prompt of {len(kept)} tokens with {n_new} new ones does not fit: start it "
                "with a longer context (vLLM: --max-model-len), or lower max_tokens."
            )
        if self.served.is_vllm:
            return kept
        return text if len(kept) == len(tokens) else str(self.tokenizer.decode(kept))

    def _room(self, n_new: int) -> int:
        """Return how many tokens of a prompt the model's context holds beside new ones."""
        if self.context <= n_new:
            raise ConnectionError(
                f"{self._where} is asked for {n_new} new tokens, which leave no room for a prompt "
                f"in the model's context of {self.context}: lower max_tokens."
            )
        return self.context - n_new

    @property
    def _where(self) -> str:
        return f"{self.server.title} at {address(self.server)}"

    def _read(self, reply: Reply, request: Request, ending: Ending) -> Completion:
        reason = _finish_reason(reply.choice)
        tokens = reply.choice.token_ids
        if tokens is None:
            completion = self._of_text(reply, request, reason)
        else:
            # the end of turn may be one more
            _refuse_more(len(tokens), request.max_tokens + 1, request)
            completion = ending.completion(tokens)
        _refuse_more(completion.n_tokens, request.max_tokens, request)
        return completion

    def _of_text(self, reply: Reply, request: Request, reason: FinishReason | None) -> Completion:
        """Read a completion whose tokens are not told.

        A server may count the end of turn: then the text itself has fewer tokens. Those of a stop
        string, which text does not show either, are taken for it.
        """
        text = reply.choice.text
        n_tokens = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        # text may be read as more tokens than it was written with, but not as many times more
        _refuse_more(n_tokens, 2 * request.max_tokens + 16, request)
        counted = None if reply.usage is None else reply.usage.completion_tokens
        if counted is not None:
            ended = reason == "stop" and n_tokens < counted
            n_tokens = counted - 1 if ended else counted
        cut = min((text.index(stop) for stop in request.stop if stop in text), default=None)
        if cut is not None:
            reason = "stop"
        if reason is None:
            reason = "length" if n_tokens >= request.max_tokens else "stop"
        return Completion(text[:cut], n_tokens, reason)

    def _logprob(self, answer: Answer) -> AnswerLogprob:
        before = self.tokenizer(answer.prompt, add_special_tokens=False)["input_ids"]
        tokens: list[int] = self.tokenizer(answer.whole, add_special_tokens=False)["input_ids"]
        # one token is generated, which servers insist on
        surplus = max(0, len(tokens) - self._room(1))
        start = min(max(1, len(before) - surplus), len(tokens) - surplus - 1)
        body: dict[str, Any] = {
            "model": self.model,
            "prompt": self._prompt(answer.whole, 1),
            "max_tokens": 1,
            "echo": True,
            "logprobs": 1,
            "temperature": 0.0,
        }
        reply = ask(self.client, body=body, extra={})
        logprobs = [] if reply.choice.logprobs is None else reply.choice.logprobs.token_logprobs
        expected = len(tokens) - surplus
        if len(logprobs) not in (expected, expected + 1):
            raise ValueError(
                f"it gave log-probabilities of {len(logprobs)} tokens where the text has {expected}"
            )
        of_answer = [nats for nats in logprobs[start:expected] if nats is not None]
        if len(of_answer) < expected - start:
            raise ValueError("it left out the log-probability of a token")
        return AnswerLogprob(sum(of_answer), len(of_answer))


def _refuse_more(n_tokens: int, most: int, request: Request) -> None:
    if n_tokens > most:
        raise ValueError(f"it wrote {n_tokens} tokens where {request.max_tokens} were allowed")


def _finish_reason(choice: Choice) -> FinishReason | None:
    """Say how a completion ended; None where the server does not say."""
    reason = read_finish_reason(choice.finish_reason)
    if reason is None and choice.finish_reason:
        raise ValueError(
            f"it ended a completion with {short_repr(choice.finish_reason, 80)}, which is neither "
            "an end of turn nor the limit"
        )
    return reason
