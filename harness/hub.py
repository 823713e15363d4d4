"""The Hub: one commit of files, and what can go wrong as a sentence."""

from typing import TYPE_CHECKING

from stagelift.harness.errors import UsageError
from stagelift.harness.pushing import Upload

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_WHY = {
    401: "The Hub does not accept the token. Log in again with `hf auth login`.",
    402: "The Hub asks for payment: private repositories there have used up their space.",
    403: "The token may not write there. It needs the role `write`, and the right to this name.",
    404: "The Hub has no such repository or owner, or the token may not see it.",
    429: "The Hub was asked too often. Wait a few minutes.",
}


def check_name(to: str) -> None:
    """Raise UsageError where the Hub cannot have a repository of this name."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it has no __all__
        validate_repo_id,
    )

    try:
        validate_repo_id(to)
    except HFValidationError as error:
        raise UsageError(
            f"The Hub can have no repository '{to}': write OWNER/NAME in letters, digits and - _ "
            "., at most 96."
        ) from error


def push(upload: Upload, to: str, *, private: bool, revision: str | None, message: str) -> str:
    """Upload in one commit, into a repository that is made where there is none, and return its
    address.

    Raises UsageError, in a sentence, where the Hub cannot be reached or does not take it.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # it has no __all__
        HfHubHTTPError,
        HTTPError,
    )

    _check_can_upload()
    api = HfApi()
    files = [
        CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.content)
        for file in upload.files
    ]
    try:
        repository = api.create_repo(to, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repository.repo_id, branch=revision, exist_ok=True)
        api.create_commit(repository.repo_id, files, commit_message=message, revision=revision)
    except HfHubHTTPError as error:
        raise UsageError(f"Nothing was uploaded to '{to}': {_why(error)}") from error
    except (HTTPError, RuntimeError) as error:
        raise UsageError(
            f"Nothing was uploaded to '{to}': {constants.ENDPOINT} cannot be reached, or it broke "
            f"off ({error})."
        ) from error
    branch = "" if revision is None else f"/tree/{revision}"
    return f"{repository}{branch}"


def _check_can_upload() -> None:
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise UsageError("HF_HUB_OFFLINE is set, so nothing can be uploaded. Unset it.")
    if get_token() is None:
        raise UsageError(
            "No token of the Hub is here. Log in with `hf auth login`, or set HF_TOKEN."
        )


def _why(error: "HfHubHTTPError") -> str:
    code = error.response.status_code
    said = error.server_message or str(error)
    return f"{_WHY.get(code, 'The Hub does not take it.')} It says ({code}): {said}"
