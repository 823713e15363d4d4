"""What a recipe that is not trusted may name besides code: servers of this machine, settings files
of the working folder, and data on this machine.

Code is looked at where it is found: see `evals/user_code.py` and `evals/lm_eval/trusted.py`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stagelift.evals.data.bundled_data import is_bundled
from stagelift.evals.judges.load import VerdictsJudge
from stagelift.evals.judges.openai_server import OpenAIJudge
from stagelift.evals.judges.reward_model import RewardModelJudge
from stagelift.evals.models.bundled import NAME as BUNDLED_MODEL
from stagelift.evals.models.engines.settings import ServerSettings, VllmSettings
from stagelift.evals.places import is_elsewhere, is_served_here, is_this_machine, is_url
from stagelift.evals.trust import TRUST_IT, Trust, check_inside, is_inside, trust
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.sections import Recipe
from stagelift.stages.report_to import named_trackers

# where the environment names servers, next to their keys
JUDGE_URL, ENGINE_URL = "OPENAI_BASE_URL", "STAGELIFT_ENGINE_URL"
# whom the key of OpenAI's that the user has set is for
_OPENAI = "https://api.openai.com"
# code that comes with a model is never run, trusted or not
_NEVER = ("trust_remote_code", "custom_generate")
# options of vLLM's server that say how fast and how large, and nothing else
_OF_VLLM = {
    *("attention_backend", "block_size", "cpu_offload_gb", "data_parallel_size", "dtype"),
    *("disable_custom_all_reduce", "disable_log_requests", "disable_log_stats"),
    *("enable_chunked_prefill", "enable_prefix_caching", "enforce_eager"),
    *("gpu_memory_utilization", "kv_cache_dtype", "max_cpu_loras", "max_logprobs"),
    *("max_lora_rank", "max_loras", "max_model_len", "max_num_batched_tokens", "max_num_seqs"),
    *("num_gpu_blocks_override", "pipeline_parallel_size", "quantization", "seed", "swap_space"),
    "tensor_parallel_size",
}
_WANDB_STAYS = ("offline", "disabled", "dryrun")


@dataclass(frozen=True)
class _Named:
    """A text of a recipe, and where it stands there."""

    where: str
    text: str


def check_trusted(recipe: Recipe) -> None:
    """Raise UsageError, in a sentence, where a recipe names what it is not trusted with."""
    try:
        _check_never(recipe)
        if trust() is not Trust.code:
            _check_places(recipe)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_trackers_trusted(recipe: Recipe) -> None:
    """Raise UsageError where a recipe that is not trusted reports to another machine, to which
    the environment sends its trackers.
    """
    if trust() is Trust.code:
        return
    written = [recipe.report_to, *(stage.args.get("report_to") for stage in recipe.trainings())]
    for tracker in dict.fromkeys(name for names in written for name in named_trackers(names)):
        place = _place_of(tracker)
        if place is not None:
            raise UsageError(
                f"report_to names {tracker}, which goes to another machine here ({place} in the "
                f"environment). Unset it, or {TRUST_IT}."
            )


def check_ray_trusted(address: str, artefacts: str | None) -> None:
    """Raise UsageError where a recipe that is not trusted names a cluster, or a place for files,
    that is not this machine's.
    """
    host = address.rpartition("://")[2].rpartition(":")[0] or address
    here = address in ("auto", "local") or is_this_machine(host)
    places = [] if here else [("address", address)]
    if artefacts is not None and (is_url(artefacts) or not is_inside(Path(artefacts))):
        places.append(("artefacts", artefacts))
    if places and trust() is not Trust.code:
        name, place = places[0]
        raise UsageError(
            f"ray.{name} is '{place}', which is not of this machine, or outside the working "
            f"folder. Name a cluster with RAY_ADDRESS in the environment, or {TRUST_IT}."
        )


def _check_never(recipe: Recipe) -> None:
    for named, value in _settings(recipe.model_dump(mode="json"), ""):
        if named.rpartition(".")[2].replace("-", "_") in _NEVER and value:
            raise ValueError(
                f"{named} is {value!r:.80}: code that comes with a model is never run here, "
                "trusted or not. Leave it out."
            )


def _check_places(recipe: Recipe) -> None:
    for server, variable in _servers(recipe):
        _check_server(server, variable)
    for named in _data(recipe):
        _check_data(named)
    template = recipe.chat_template
    if template is not None and not ("{{" in template or "{%" in template):
        check_inside(template, "chat_template")
    _check_vllm(recipe)
    for stage in recipe.trainings():
        for name, value in _settings(stage.args, f"The args of stage '{stage.kind}': "):
            _check_argument(name, value)
    check_ray_trusted(recipe.ray.address, recipe.ray.artefacts)


def _servers(recipe: Recipe) -> Iterator[tuple[_Named, str]]:
    """Yield the servers that a recipe names, each with the variable that may name it, too."""
    judge, engine = recipe.evals.preference.judge, recipe.evals.engine
    if isinstance(judge, OpenAIJudge):
        yield _Named("evals.preference.judge.openai.base_url", judge.base_url), JUDGE_URL
    if isinstance(engine, ServerSettings):
        yield _Named("evals.engine.server.url", engine.url), ENGINE_URL


def _check_server(server: _Named, variable: str) -> None:
    """Prompts, responses and a key go to a server: on another machine the user names it, not the
    recipe alone.
    """
    if is_served_here(server.text) or _origin(server.text) == _origin(_server_of_user(variable)):
        return
    shown = server.text.rpartition("@")[2].partition("?")[0]
    raise ValueError(
        f"{server.where} is '{shown[:200]}', a server on another machine: prompts, responses and "
        f"the key from the environment would go there. Name it in the environment, too "
        f"({variable}={shown[:200]}), or {TRUST_IT}."
    )


def _server_of_user(variable: str) -> str:
    """Return the server that the user named, or whose key the user has set."""
    is_openai = variable == JUDGE_URL and bool(os.environ.get("OPENAI_API_KEY", "").strip())
    return os.environ.get(variable, "").strip() or (_OPENAI if is_openai else "")


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        usual = {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", parts.port or usual
    except ValueError:
        return None


def _data(recipe: Recipe) -> Iterator[_Named]:
    """Yield the data and models that a recipe names."""
    yield _Named("model.path", recipe.model.path)
    yield _Named("data.path", recipe.data.path)
    for section in recipe.checkpoints():
        for path in (section.model, section.adapter, section.gguf, section.checkpoints):
            if path is not None:
                yield _Named(f"checkpoint '{section.name}'", path)
    for stage in recipe.trainings():
        if stage.dataset is not None:
            yield _Named(f"the dataset of stage '{stage.kind}'", stage.dataset.path)
    evals, preference = recipe.evals, recipe.evals.preference
    tested = [recipe.problem_source(), recipe.validation_source(), recipe.validation_pairs()]
    own = [task.data for task in evals.own_tasks]
    for source in (*tested, *own, preference.prompts, preference.gold):
        if source is not None:
            yield _Named("a dataset of evals", source.path)
    for file in preference.votes:
        yield _Named("evals.preference.votes", file)
    if isinstance(preference.judge, RewardModelJudge | VerdictsJudge):
        yield _Named("evals.preference.judge", preference.judge.path)


def _check_data(named: _Named) -> None:
    if is_bundled(named.text) or named.text == BUNDLED_MODEL:
        return
    if is_url(named.text):
        raise ValueError(
            f"{named.where} is '{named.text[:200]}', a URL. Download it and name the file, or "
            f"{TRUST_IT}."
        )
    if trust() is Trust.none and _is_path(named.text):
        for path in _with_what_is_in_it(Path(named.text)):
            check_inside(path, named.where)


def _with_what_is_in_it(path: Path) -> Iterator[Path]:
    """Yield a path, and of a folder also the links in it, which may lead anywhere."""
    yield path
    if path.is_dir():
        yield from (part for part in path.rglob("*") if part.is_symlink())


def _check_vllm(recipe: Recipe) -> None:
    engine = recipe.evals.engine
    if isinstance(engine, VllmSettings):
        for name in engine.args:
            if name.replace("-", "_") not in _OF_VLLM:
                raise ValueError(
                    f"evals.engine.vllm.args names {name}, which may do more than say how fast "
                    f"and how large. Leave it out, or {TRUST_IT}."
                )


def _check_argument(name: str, value: Any) -> None:
    last = name.rpartition(".")[2].rpartition(" ")[2]
    if last == "deepspeed" and value:
        raise ValueError(
            f"{name} is set, and what DeepSpeed is told it may write anywhere. Leave it out, or "
            f"{TRUST_IT}."
        )
    if not isinstance(value, str):
        return
    if is_elsewhere(value) or (last == "vllm_server_host" and not _is_here(value)):
        raise ValueError(
            f"{name} is '{value[:200]}', which is not on this machine. Leave it out, or {TRUST_IT}."
        )
    if _is_path(value):
        check_inside(value, name)


def _is_here(host: str) -> bool:
    return host == "0.0.0.0" or is_this_machine(host)


def _settings(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield every setting below a value by its dotted name."""
    match value:
        case dict():
            for name, part in value.items():
                below = f"{where}{'.' if where and not where.endswith(' ') else ''}{name}"
                yield below, part
                yield from _settings(part, below)
        case list():
            for part in value:
                if isinstance(part, str):
                    yield where, part
                yield from _settings(part, where)
        case str() if value.lstrip().startswith(("{", "[")):
            # trainers read arguments that are JSON in a string
            with suppress(ValueError, RecursionError):
                yield from _settings(json.loads(value), where)


def _is_path(text: str) -> bool:
    """Say whether a text is a path out of the working folder, or a file or folder that is there."""
    try:
        path = Path(text)
        leads_away = path.is_absolute() or text.startswith("~") or ".." in path.parts
        return leads_away or path.exists()
    except (OSError, ValueError):
        return False


def _place_of(tracker: str) -> str | None:
    """Name the variable by which a tracker writes to another machine; None where it stays here."""

    def said(name: str) -> str:
        return os.environ.get(name, "")

    match tracker:
        case "wandb" if said("WANDB_MODE") and said("WANDB_MODE") not in _WANDB_STAYS:
            return "WANDB_MODE"
        case "mlflow" if _is_remote(said("MLFLOW_TRACKING_URI")):
            return "MLFLOW_TRACKING_URI"
        case "trackio" if said("TRACKIO_SPACE_ID"):
            return "TRACKIO_SPACE_ID"
        case "trackio" if is_elsewhere(said("TRACKIO_SERVER_URL")):
            return "TRACKIO_SERVER_URL"
        case "tensorboard" if is_elsewhere(said("TENSORBOARD_LOGGING_DIR")):
            return "TENSORBOARD_LOGGING_DIR"
    return None


def _is_remote(uri: str) -> bool:
    """Say whether an address of MLflow's is of another machine; a file or SQLite has no host."""
    local = uri.startswith(("file:///", "sqlite:///"))
    return uri.startswith("databricks") or (is_elsewhere(uri) and not local)
