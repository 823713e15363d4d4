"""What is made of a stage's rows, as far as it is part of what the stage is."""

from functools import partial
from typing import Any

from stagelift.evals.data.source import fingerprint
from stagelift.evals.models.model import ModelRef, remembered_of_model, tokenizer_of
from stagelift.evals.remembered import remembered
from stagelift.stages.kinds import kind_named
from stagelift.stages.rows.training import first_training_rows, read_since
from stagelift.stages.settings import StageSettings


def rows_identity(settings: StageSettings, base: ModelRef) -> dict[str, list[str]]:
    """Name what is made of rows that once was not made of them; nothing where there is none.

    What cannot be read now cannot be trained on, and is read as it once was.
    """
    find_out = partial(read_since, settings)
    try:
        since = remembered("read-since", reads(settings), find_out)
        if _are_opened(settings, base):
            since = [*since, "opened"]
    except ValueError:
        return {}
    return {"rows": since} if since else {}


def reads(settings: StageSettings) -> list[Any]:
    """All that what is made of a stage's rows depends on, beside the model."""
    dataset = settings.dataset.model_dump(exclude={"path"})
    return [settings.kind, dataset, fingerprint(settings.dataset), settings.rewards, settings.args]


def of_tokenizer(what: str, settings: StageSettings, base: ModelRef, find_out: Any) -> Any:
    """Return what was found out about a stage's rows in a model's chat template."""
    path = base.tokenizer or base.path
    revision = None if base.tokenizer else base.revision
    asked = [reads(settings), base.eos_token, base.chat_template]
    return remembered_of_model(what, path, revision, asked, find_out)


def _are_opened(settings: StageSettings, base: ModelRef) -> bool:
    def find_out() -> bool:
        from stagelift.stages.rows.as_asked import are_opened

        rows = first_training_rows(settings)
        return are_opened(kind_named(settings.kind), rows, tokenizer_of(base))

    return bool(of_tokenizer("opened", settings, base, find_out))
