"""The `server` engine against a server in a thread that generates with the tiny model."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.data.preferences import load_preferences
from stagelift.evals.data.source import Source
from stagelift.evals.models.engines.choice import (
    Opened,
    check_engine_server,
    check_engine_settings,
    chosen_engine,
    engine_contract,
    open_engine,
)
from stagelift.evals.models.engines.completions import Reply
from stagelift.evals.models.engines.engine import Answer, Completion, Engine, Request, Sampling
from stagelift.evals.models.engines.served import KEY
from stagelift.evals.models.engines.server import ServerEngine
from stagelift.evals.models.engines.settings import (
    ServerSettings,
    TransformersSettings,
    Undecided,
    VllmSettings,
)
from stagelift.evals.models.engines.vllm import vllm_server
from stagelift.evals.models.generate import Generator, Prompt
from stagelift.evals.models.logprobs import score_pairs
from stagelift.evals.models.model import ModelRef, load_tokenizer
from stagelift.evals.servers import MAX_BYTES
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.preflight import check_servers
from stagelift.harness.recipes.read import evaluation_recipe, load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.workers.executor import JobFailed
from stagelift.reports.records import read_run
from tests.completions import CompletionsServer, Sent, serving
from tests.in_process import run_recipe

pytest.importorskip("openai")
PROMPT = "<|im_start|>user\nTom has {} apples.<|im_end|>\n<|im_start|>assistant\n"
REQUESTS = [
    Request(PROMPT.format(3), (), 12),
    Request(PROMPT.format(4), ("<|im_end|>", "a"), 12),
    Request(PROMPT.format(5), ("Question:",), 3),
    Request("apple " * 600, (), 12),
]


def ref(model: Path, adapter: str | None = None) -> ModelRef:
    return ModelRef(path=str(model), dtype="float32", device="cpu", adapter=adapter)


def settings(server: CompletionsServer, **others: Any) -> ServerSettings:
    return ServerSettings(url=server.url, **{"model": "base", "max_retries": 0, **others})


@pytest.fixture(scope="module", params=[True, False], ids=["vllm", "text only"])
def server(request: pytest.FixtureRequest, tiny_model: Path) -> Iterator[CompletionsServer]:
    with serving(tiny_model, vllm=request.param) as started:
        yield started


@pytest.fixture(scope="module")
def vllm(tiny_model: Path) -> Iterator[CompletionsServer]:
    with serving(tiny_model, vllm=True) as started:
        yield started


@pytest.fixture(autouse=True)
def unspoilt(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"server", "vllm"}.intersection(request.fixturenames):
        request.getfixturevalue(name).spoil = lambda _, reply: reply
        request.getfixturevalue(name).contexts.clear()


def opened(
    server: CompletionsServer, model: Path, adapter: str | None = None, **others: Any
) -> Any:
    tokenizer = load_tokenizer(str(model), None, None)
    return open_engine(settings(server, **others), ref(model, adapter or None), tokenizer, 4)


def transformers(model: Path, adapter: str | None = None) -> Any:
    tokenizer, of = load_tokenizer(str(model), None, None), ref(model, adapter)
    return open_engine(TransformersSettings(), of, tokenizer, 4)


def complete(engine: Engine, requests: list[Request] = REQUESTS) -> list[Completion]:
    return engine.complete(requests, lambda _: None)


def told(completion: Completion) -> tuple[str, int, str]:
    return completion.text, completion.n_tokens, completion.finish_reason


def test_a_server_gives_what_transformers_gives(
    server: CompletionsServer, tiny_model: Path
) -> None:
    with opened(server, tiny_model) as asked, transformers(tiny_model) as plain:
        theirs, ours = complete(asked.engine), complete(plain.engine)
    if not server.vllm:
        # text alone does not tell that a stop string was generated
        assert ours[1].text == theirs[1].text and ours[1].n_tokens - theirs[1].n_tokens in (0, 1)
        del ours[1], theirs[1]
    assert list(map(told, theirs)) == list(map(told, ours))


def test_a_request_carries_its_own_seed(server: CompletionsServer, tiny_model: Path) -> None:
    seeds = [7, 8, 7]
    requests = [Request(PROMPT.format(3), (), 8, Sampling(0.9, seed)) for seed in seeds]
    with opened(server, tiny_model) as asked:
        first, second, third = complete(asked.engine, requests)
    assert first == third != second
    sent = sorted(body["seed"] for body in server.seen if "seed" in body)
    assert sent == [7, 7, 8]


def test_progress_counts_what_is_done(vllm: CompletionsServer, tiny_model: Path) -> None:
    counted: list[int] = []
    with opened(vllm, tiny_model) as asked:
        asked.engine.complete(REQUESTS, counted.append)
    assert counted == [1, 2, 3, 4] and isinstance(asked.engine, ServerEngine)


def test_no_more_requests_than_allowed_are_under_way(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    vllm.most = 0
    with opened(vllm, tiny_model, concurrency=2) as asked:
        complete(asked.engine, REQUESTS * 3)
    assert vllm.most == 2


def test_log_probabilities_are_those_of_transformers(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    answers = [
        Answer(PROMPT.format(3), f"{PROMPT.format(3)}He has 3.<|im_end|>\n"),
        Answer("apple " * 500, "apple " * 600 + "and more"),
    ]
    with opened(vllm, tiny_model) as asked, transformers(tiny_model) as plain:
        theirs = asked.engine.answer_logprobs(answers)
        ours = plain.engine.answer_logprobs(answers)
    assert theirs[0].nats == pytest.approx(ours[0].nats, abs=1e-4)
    assert theirs[0].n_tokens == ours[0].n_tokens
    # a server needs room for one token more
    assert theirs[1].n_tokens == ours[1].n_tokens


def test_without_log_probabilities_nothing_is_measured_of_pairs(
    tiny_model: Path, tmp_path: Path
) -> None:
    pairs = load_preferences(Source(path="bundled/instructions", split="test", limit=2))
    tokenizer = load_tokenizer(str(tiny_model), None, None)
    with serving(tiny_model, vllm=False) as plain, opened(plain, tiny_model) as asked:
        assert asked.engine.answer_logprobs([Answer("a", "ab")]) is None
        path = tmp_path / "pairs.jsonl"
        assert score_pairs(asked.engine, tokenizer, pairs, path, lambda *_: None) == []
    assert not path.exists()


def test_an_adapter_is_loaded_for_its_evaluation_and_unloaded(
    vllm: CompletionsServer, tiny_model: Path, finished_run: Path
) -> None:
    (adapter,) = finished_run.parent.glob("nodes/sft-*/adapter")
    with opened(vllm, tiny_model, str(adapter)) as asked:
        assert len(vllm.engines) == 2
        theirs = complete(asked.engine)
    assert list(vllm.engines) == ["base"] and vllm.adapters[-1] == str(adapter.resolve())
    with transformers(tiny_model, str(adapter)) as plain:
        assert list(map(told, theirs)) == list(map(told, complete(plain.engine)))
    with opened(vllm, tiny_model) as base:
        assert complete(base.engine) != theirs


def test_a_server_that_loads_no_adapters_is_refused_before_anything_runs(
    tiny_model: Path,
) -> None:
    with serving(tiny_model, vllm=False) as plain:
        check_engine_server(settings(plain), ref(tiny_model), adapters=False)
        with pytest.raises(ConnectionError, match=r"cannot load adapters while it runs.*--enable-"):
            check_engine_server(settings(plain), ref(tiny_model), adapters=True)


def test_an_adapter_that_a_server_does_not_see_is_a_sentence(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    with (
        pytest.raises(ConnectionError, match=r"does not load the adapter.*It must see this folder"),
        opened(vllm, tiny_model, "/no/such/adapter"),
    ):
        pass


def test_a_model_that_is_not_served_is_named(vllm: CompletionsServer, tiny_model: Path) -> None:
    with pytest.raises(ConnectionError, match=r"serves base, not 'other': set evals.engine.server"):
        check_engine_server(settings(vllm, model="other"), ref(tiny_model), adapters=False)


def test_a_server_that_reads_more_tokens_is_not_that_of_this_model(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    vllm.spoil = lambda _, reply: (200, reply[1] | {"usage": {"prompt_tokens": 999}})
    with pytest.raises(ConnectionError, match="reads 999 tokens where the recipe's model has"):
        check_engine_server(settings(vllm), ref(tiny_model), adapters=False)


def test_a_server_that_is_not_there_is_a_sentence(tiny_model: Path) -> None:
    nobody = ServerSettings(url="http://127.0.0.1:9/v1", model="base", max_retries=0)
    with pytest.raises(ConnectionError, match=r"at http://127.0.0.1:9/v1 cannot be reached"):
        check_engine_server(nobody, ref(tiny_model), adapters=False)


def test_a_key_is_sent_and_never_shown(
    vllm: CompletionsServer, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "my-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-judge")
    vllm.headers.clear()
    vllm.spoil = lambda *_: (401, {"error": {"message": "my-secret is wrong"}})
    with pytest.raises(ConnectionError, match=f"does not accept the key.*Correct {KEY}") as refused:
        check_engine_server(settings(vllm), ref(tiny_model), adapters=False)
    assert "my-secret" not in str(refused.value)
    assert {sent["authorization"] for sent in vllm.headers} == {"Bearer my-secret"}


def changed(reply: Sent, **choice: Any) -> Sent:
    return 200, reply[1] | {"choices": [reply[1]["choices"][0] | choice]}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _: (200, "<html>Sign in</html>"), "does not speak completions"),
        (lambda _: (200, {"choices": []}), "does not speak completions"),
        (lambda _: (200, {"choices": "none"}), "does not speak completions"),
        (lambda _: (500, {"error": {"message": "no memory"}}), "failed.*no memory"),
        (lambda reply: changed(reply, finish_reason="abort"), "ended a completion with 'abort'"),
        (lambda reply: changed(reply, token_ids=[5] * 13), "wrote 13 tokens where 12 were"),
        (lambda reply: changed(reply, token_ids=[5] * 1000), "wrote 1000 tokens where 12 were"),
        (lambda reply: changed(reply, token_ids=[-1]), "does not speak completions"),
        (lambda reply: changed(reply, text="x" * 10_000_001), "does not speak completions"),
        (lambda _: (200, b"[" * 100_000), "does not speak completions"),
        (
            lambda _: (500, {"error": {"message": "no \x1b[2J\u202e memory"}}),
            r"failed.*no \[2J memory",
        ),
        (lambda reply: changed(reply, text=None), "does not speak completions"),
        (lambda reply: changed(reply, text="x" * MAX_BYTES), "more than 64,000,000 bytes"),
    ],
)
def test_what_cannot_be_a_completion_stops_in_a_sentence(
    vllm: CompletionsServer, tiny_model: Path, spoil: Callable[[Sent], Sent], words: str
) -> None:
    with opened(vllm, tiny_model) as asked:
        vllm.spoil = lambda _, reply: spoil(reply)
        with pytest.raises(ConnectionError, match=words) as stopped:
            complete(asked.engine, REQUESTS[:1])
    assert "run again to go on" in str(stopped.value) and str(stopped.value).isprintable()


def with_logprobs(given: dict[str, Any], _number: int, reply: Sent) -> Sent:
    return changed(reply, logprobs=given)


def test_log_probabilities_that_cannot_be_stop_in_a_sentence(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    for logprobs in ([None, -1.0], [None] * 20, [None, float("nan")]):
        vllm.spoil = lambda _, reply: reply
        with opened(vllm, tiny_model) as asked:
            vllm.spoil = partial(with_logprobs, {"token_logprobs": logprobs})
            with pytest.raises(ConnectionError, match="run again to go on"):
                asked.engine.answer_logprobs([Answer("Tom has", "Tom has 3 apples.")])


def test_a_reply_is_read_as_far_as_it_can_be_believed() -> None:
    reply = Reply.model_validate({"choices": [{"text": "7 \ud800", "more": 1}], "created": "now"})
    assert reply.choice.text == "7 ?" and reply.usage is None
    for choice in ({"text": 7}, {"text": "7", "token_ids": [2**40]}):
        with pytest.raises(ValueError, match="validation error"):
            Reply.model_validate({"choices": [choice]})


def test_half_a_pair_of_surrogates_can_be_stored(tiny_model: Path, tmp_path: Path) -> None:
    with serving(tiny_model, vllm=False) as plain, opened(plain, tiny_model) as asked:
        plain.spoil = lambda _, reply: changed(reply, text="7 \ud800")
        (generation,) = generator(asked, tmp_path).generate(prompts(1))
        assert generation.response == "7 ?"
        assert generator(asked, tmp_path).generate(prompts(1)) == [generation]


def generator(asked: Opened, folder: Path) -> Generator:
    return Generator(
        engine=asked.engine,
        path=folder / "generations.jsonl",
        timings=folder / "timings.jsonl",
        batch_size=1,
        on_progress=lambda *_: None,
    )


def prompts(count: int) -> list[Prompt]:
    return [Prompt(str(n), "test", PROMPT.format(n), (), 6) for n in range(count)]


def test_a_server_that_goes_away_is_a_sentence_and_a_rerun_goes_on(
    vllm: CompletionsServer, tiny_model: Path, tmp_path: Path
) -> None:
    with opened(vllm, tiny_model, concurrency=1) as asked:
        before = len(vllm.seen)
        away = (503, {"error": {"message": "shutting down"}})
        vllm.spoil = lambda number, reply: away if number - before > 6 else reply
        with pytest.raises(
            ConnectionError, match=r"shutting down.*earlier calls are kept; run again"
        ):
            generator(asked, tmp_path).generate(prompts(8))
    vllm.spoil = lambda _, reply: reply
    with opened(vllm, tiny_model, concurrency=1) as asked:
        asked_before = len(vllm.seen)
        made = generator(asked, tmp_path).generate(prompts(8))
        # four were kept, as they are handed over together
        assert len(vllm.seen) - asked_before == 4 and len(made) == 8


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:8000/v1", "is not an address"),
        ("https://me:secret@host/v1", rf"url has an '@'.*belongs into {KEY}"),
        ("http://host/v1?key=secret", "has a query or a fragment"),
        ("http://[::1/v1", "is not an address"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        check_engine_settings(ServerSettings(url=url), [])
    assert "secret" not in str(refused.value)


def test_a_server_takes_no_stages_whose_lora_differs() -> None:
    there = ServerSettings(url="http://127.0.0.1:8000/v1")
    check_engine_settings(there, [{"r": 4}, {"r": 4}])
    with pytest.raises(ValueError, match="cannot measure stages whose LoRA settings differ"):
        check_engine_settings(there, [{"r": 4}, {"r": 8}])


def test_the_contract_names_engine_and_version_and_leaves_dtype_to_a_server() -> None:
    model = ModelRef(path="me/model", dtype="bfloat16", device="cuda")
    named = chosen_engine(ServerSettings(url="http://here:8000/v1/"), "me/model", "cuda")
    assert engine_contract(named, model) == {
        "engine": "server-1:me/model@http://here:8000/v1",
        "dtype": "the server's",
        "device": "the server's",
    }
    assert engine_contract(TransformersSettings(), model)["dtype"] == "bfloat16"


def test_auto_is_transformers_on_a_cpu() -> None:
    assert chosen_engine(Undecided(), "me/model", "cpu") == TransformersSettings()


@pytest.mark.parametrize(
    ("lora", "word"),
    [
        ({"use_dora": True}, "lora.use_dora"),
        ({"r": 1024}, "up to rank 512"),
        ({"bias": "all"}, "lora.bias"),
        ({"rank_pattern": {"q_proj": 4}}, "lora.rank_pattern"),
    ],
)
def test_vllm_is_refused_for_adapters_that_it_cannot_serve(
    lora: dict[str, Any], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGELIFT_VLLM_PYTHON", str(python_that_prints("0.32.0", tmp_path)))
    assert engine_contract(VllmSettings(), ref(tmp_path))["engine"] == "vllm-1:0.32.0"
    for engine in (VllmSettings(), ServerSettings(url="http://127.0.0.1:8000/v1")):
        with pytest.raises(ValueError, match=f"vLLM cannot serve.*{word}.*is {engine.kind}: "):
            check_engine_settings(engine, [lora])
    check_engine_settings(VllmSettings(), [{"r": 16, "bias": "none", "rank_pattern": {}}])


def test_vllm_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGELIFT_VLLM_PYTHON", str(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"has no vLLM. Install it .*STAGELIFT_VLLM_PYTHON"):
        check_engine_settings(VllmSettings(), [])


def python_that_prints(version: str, folder: Path) -> Path:
    return python_that(f"echo {version}", folder)


def python_that(does: str, folder: Path) -> Path:
    """An executable in the place of another environment's Python."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return path


def test_no_more_of_the_environment_is_sent_than_the_key(
    vllm: CompletionsServer, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "my-organisation")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "my-project")
    custom = "X-Gateway: mine\nAuthorization: mine\nUser-Agent: mine\nHost: mine\nAccept: mine"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", custom)
    vllm.headers.clear()
    check_engine_server(settings(vllm), ref(tiny_model), adapters=False)
    for sent in vllm.headers:
        assert sent["authorization"] == "Bearer not-needed" and "mine" not in sent.values()
        assert sent.keys() <= {
            *("accept", "accept-encoding", "authorization", "connection"),
            *("content-length", "content-type", "host", "user-agent"),
        }


def test_a_server_that_sends_elsewhere_is_not_followed(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    before = len(vllm.seen)
    vllm.spoil = lambda *_: (307, {"location": f"{vllm.url}/completions"})
    with pytest.raises(ConnectionError, match=r"sends requests elsewhere: .*Correct .*server\.url"):
        check_engine_server(settings(vllm), ref(tiny_model), adapters=False)
    assert len(vllm.seen) == before + 1


@pytest.mark.parametrize("status", [408, 409, 429, 503])
def test_a_server_that_is_busy_is_not_taken_for_one_without_log_probabilities(
    status: int, vllm: CompletionsServer, tiny_model: Path
) -> None:
    busy = (status, {"error": {"message": "not now"}})
    vllm.spoil = lambda _, reply: busy if vllm.seen[-1].get("echo") else reply
    with pytest.raises(ConnectionError, match="not now"):
        check_engine_server(settings(vllm), ref(tiny_model), adapters=False)


def test_a_text_that_is_longer_than_its_server_says_stops_in_a_sentence(tiny_model: Path) -> None:
    with serving(tiny_model, vllm=False) as plain, opened(plain, tiny_model) as asked:
        plain.spoil = lambda _, reply: changed(reply, text="apple 7 " * 100)
        with pytest.raises(ConnectionError, match=r"wrote \d+ tokens where 12 were allowed"):
            complete(asked.engine, REQUESTS[:1])


def test_a_prompt_is_not_cut_for_a_server_whose_context_is_shorter(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    with opened(vllm, tiny_model) as asked:
        whole = complete(asked.engine)
    # that of another model says nothing
    vllm.contexts |= {"base": 512, "other": 8}
    with opened(vllm, tiny_model) as asked:
        assert complete(asked.engine) == whole
    vllm.contexts["base"] = 64
    with opened(vllm, tiny_model) as asked:
        assert complete(asked.engine, REQUESTS[:3]) == whole[:3]
        with pytest.raises(ConnectionError, match=r"takes 64 tokens, fewer than.*--max-model-len"):
            complete(asked.engine, REQUESTS[3:])


def test_a_completion_that_leaves_no_room_for_its_prompt_is_refused(
    vllm: CompletionsServer, tiny_model: Path
) -> None:
    with (
        opened(vllm, tiny_model) as asked,
        pytest.raises(ConnectionError, match=r"512 new tokens, which leave no room.*max_tokens"),
    ):
        complete(asked.engine, [Request(PROMPT.format(3), (), 512)])


def test_an_adapter_is_unloaded_after_a_failure(
    vllm: CompletionsServer, tiny_model: Path, finished_run: Path
) -> None:
    (adapter,) = finished_run.parent.glob("nodes/sft-*/adapter")
    with opened(vllm, tiny_model, str(adapter)) as asked:
        assert len(vllm.engines) == 2
        vllm.spoil = lambda *_: (500, {"error": {"message": "no memory"}})
        with pytest.raises(ConnectionError, match="no memory"):
            complete(asked.engine)
    assert list(vllm.engines) == ["base"]


def test_auto_that_comes_to_vllm_is_refused_for_adapters_that_it_cannot_serve(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGELIFT_VLLM_PYTHON", str(python_that_prints("0.32.0", tmp_path)))
    recipe = load_recipe(str(tiny_recipe), ["evals.engine=auto", "lora.use_dora=true"])
    check_servers(make_plan(recipe, lambda _: ("cpu", "float32")))
    with pytest.raises(ValueError, match=r"lora\.use_dora, and evals\.engine is vllm"):
        check_servers(make_plan(recipe, lambda _: ("cuda", "bfloat16")))


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (
            r"printf 'ValueError: no \033[2J memory [%s]\n' $STAGELIFT_ENGINE_KEY; exit 3",
            r"vLLM ended with exit code 3 before it answered: ValueError: no \[2J memory \[\]\. ",
        ),
        (
            "echo 'ValueError: no GPU'; exec sleep 60",
            r"vLLM does not answer within 1 seconds: ValueError: no GPU\. Correct",
        ),
    ],
)
def test_vllm_that_does_not_come_up_is_a_sentence(
    does: str, words: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "my-secret")
    monkeypatch.setenv("STAGELIFT_VLLM_PYTHON", str(python_that(does, tmp_path)))
    tokenizer = load_tokenizer(str(tiny_model), None, None)
    with (
        pytest.raises(ConnectionError, match=words),
        vllm_server(VllmSettings(), ref(tiny_model), tokenizer, patience=1),
    ):
        pass


def served_recipe(server: CompletionsServer, recipe: Path, model: Path, adapter: Path) -> Recipe:
    """Measure a model and an adapter on it by a server."""
    words = [
        f"evals.engine={{server: {{url: '{server.url}', model: base, max_retries: 0}}}}",
        "evals.accuracy.limit=4",
        "evals.accuracy.held_out=0",
    ]
    name = adapter.parent.name.split("-")[0]
    return evaluation_recipe(str(recipe), words, str(model), str(adapter), name)


def test_a_run_measures_base_and_adapters_by_one_server_and_one_version(
    vllm: CompletionsServer, tiny_model: Path, tiny_recipe: Path, finished_run: Path, tmp_path: Path
) -> None:
    (sft,) = finished_run.parent.glob("nodes/sft-*/adapter")
    (dpo,) = finished_run.parent.glob("nodes/dpo-*/adapter")
    done = run_recipe(served_recipe(vllm, tiny_recipe, tiny_model, sft), tmp_path)
    base, checkpoint = read_run(done.folder).stages
    assert base.evaluation.contract["engine"] == f"server-1:base@{vllm.url}"
    assert base.evaluation.versions["vllm"] == "0.32.0"
    assert base.evaluation.peak_memory_bytes is None
    assert "preference_accuracy" in checkpoint.evaluation.metrics
    assert f"engine: server-1:base@{vllm.url} (vllm 0.32.0)" in plain_markdown(done.folder)
    asked = len(vllm.seen)
    assert run_recipe(served_recipe(vllm, tiny_recipe, tiny_model, sft), tmp_path).events
    assert len(vllm.seen) == asked
    vllm.version = "0.33.0"
    with pytest.raises(JobFailed, match=r"The server is vLLM 0\.33\.0, and base .* 0\.32\.0"):
        run_recipe(served_recipe(vllm, tiny_recipe, tiny_model, dpo), tmp_path)
    vllm.version = "0.32.0"


def plain_markdown(run: Path) -> str:
    text = (run / "report.md").read_text("utf-8")
    for sign in ("*", "\\", "&#8203;"):
        text = text.replace(sign, "")
    return text
