"""One comment under a pull request or merge request: written once, and renewed after that.

    python comment.py FILE [NAME]

It finds its comment by a first line that nobody sees, which holds NAME, among those that the same
account wrote. On GitHub the request is the one that the event is of. After `workflow_run`, whose
text a fork may have written, it is looked up by branch and commit, never read from a file, and the
text is shown as text. It needs the standard library alone, so that nothing is installed where a
token can write; the token is sent to the API's own address and nowhere else, and never printed.

A comment that cannot be written fails no job: a sentence says why, and the exit code is 0. It is 2
where what it was called with is wrong.
"""

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

# characters of a text that are shown, and of a comment that GitHub takes
LONGEST, LONGEST_COMMENT = 60_000, 65_536
# of an answer in bytes, and of pages of a hundred comments
_LARGEST_ANSWER, _MOST_PAGES, _PAGE = 20_000_000, 30, 100
_SECONDS = 30


class UnusableError(ValueError):
    """What it was called with is wrong."""


class NotWrittenError(Exception):
    """The comment cannot be written, which is no fault of what is commented on."""


class Api(NamedTuple):
    """An API at one address; `header` holds the token."""

    address: str
    header: dict[str, str]


class Place(NamedTuple):
    """Where the comment goes: `comments` is the path of all of them and `one` that of each, which
    is changed with `change`. `link` is the job's page, `is_foreign` says that a fork may have
    written the text.
    """

    api: Api
    comments: str
    one: str
    change: str
    is_ours: Callable[[dict[str, Any]], bool]
    link: str
    is_foreign: bool


def main(words: list[str], environment: Mapping[str, str]) -> int:
    """Write the comment, and return the exit code."""
    try:
        if len(words) not in (1, 2):
            raise UnusableError("Usage: comment.py FILE [NAME]")
        text, name = read_text(Path(words[0])), words[1] if len(words) == 2 else "stagelift"
        print(write(place(environment), text, name))
    except NotWrittenError as error:
        print(f"::warning::No comment was written: {error} The job's page has the summary.")
    except UnusableError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def write(where: Place, text: str, name: str) -> str:
    """Renew the comment of this name, or make it where there is none; say which it was."""
    mark = marker(name)
    body = {"body": comment(text, mark, where.link, is_foreign=where.is_foreign)}
    mine = next((one for one in _all(where) if _begins(one, mark) and where.is_ours(one)), None)
    if mine is None:
        ask(where.api, "POST", where.comments, body)
        return "The comment was written."
    ask(where.api, where.change, f"{where.one}/{int(mine['id'])}", body)
    return "The comment was renewed."


def marker(name: str) -> str:
    """Return the first line of the comment of this name."""
    return f"<!-- stagelift: {re.sub(r'[^A-Za-z0-9._]+', '-', name)} -->"


def comment(text: str, mark: str, link: str, *, is_foreign: bool) -> str:
    """Return the whole comment; a text that a fork may have written stands there as text."""
    most = LONGEST
    # what a text stands in may be longer than itself
    while len(whole := _comment(text, most, mark, link, is_foreign=is_foreign)) > LONGEST_COMMENT:
        most //= 2
    return whole


def _comment(text: str, most: int, mark: str, link: str, *, is_foreign: bool) -> str:
    """Return the comment with so many characters of its text."""
    end = "" if len(text) <= most else "\n\nThe rest is left out here."
    shown = text if len(text) <= most else text[:most].rpartition("\n")[0] or text[:most]
    if is_foreign:
        said = "What the workflow of this pull request wrote, as text:"
        shown = f"{said}\n\n{_as_text(shown)}"
    return f"{mark}\n{shown}{end}\n\n[The job has the page and all tables]({link})\n"


def _as_text(text: str) -> str:
    """Put a text into a fence that it cannot close, without characters that change how it reads."""
    plain = "".join(
        "\ufffd" if unicodedata.category(sign) in ("Cc", "Cf") and sign not in "\n\t" else sign
        for sign in text
    )
    longest = max(map(len, re.findall("`+", plain)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{plain}\n{fence}"


def read_text(file: Path) -> str:
    """Read the beginning of a text, a little more than is shown."""
    # what was downloaded may name another file, and this process knows a token
    if file.is_symlink() or not file.is_file():
        raise UnusableError(f"{file} is no file.")
    with file.open("rb") as opened:
        return opened.read(4 * (LONGEST + 1)).decode("utf-8", errors="replace")


def place(environment: Mapping[str, str]) -> Place:
    """Find the request that the job is of, on GitHub or GitLab."""
    if environment.get("GITLAB_CI"):
        return _on_gitlab(environment)
    return _on_github(environment)


def _on_github(environment: Mapping[str, str]) -> Place:
    token = _needed(environment, "GITHUB_TOKEN")
    api = Api(
        _address(_needed(environment, "GITHUB_API_URL")),
        {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"},
    )
    repository = quote(_needed(environment, "GITHUB_REPOSITORY"))
    event = _event(Path(_needed(environment, "GITHUB_EVENT_PATH")))
    before = event.get("workflow_run")
    run = environment.get("GITHUB_RUN_ID", "") if before is None else str(before["id"])
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    if before is not None:
        number = _number_after(api, repository, before)
    elif "pull_request" in event:
        number = int(event["pull_request"]["number"])
    else:
        raise NotWrittenError("this event is of no pull request.")
    return Place(
        api=api,
        comments=f"/repos/{repository}/issues/{number}/comments",
        one=f"/repos/{repository}/issues/comments",
        change="PATCH",
        # a person could write the first line, too
        is_ours=lambda one: (one.get("user") or {}).get("type") == "Bot",
        link=f"{server}/{repository}/actions/runs/{quote(run)}",
        is_foreign=before is not None,
    )


def _event(file: Path) -> dict[str, Any]:
    event = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(event, dict), "GitHub writes an object"
    return event


def _number_after(api: Api, repository: str, run: dict[str, Any]) -> int:
    """Return the open pull request whose last commit a workflow ran on: the event itself names
    none where it is from a fork.
    """
    if run.get("head_repository") is None:
        raise NotWrittenError("the fork that was measured is gone.")
    owner = run["head_repository"]["owner"]["login"]
    query = urlencode({"state": "open", "head": f"{owner}:{run['head_branch']}"})
    for found in ask(api, "GET", f"/repos/{repository}/pulls?{query}"):
        if found["head"]["sha"] == run["head_sha"]:
            return int(found["number"])
    raise NotWrittenError("no open pull request ends in the commit that was measured.")


def _on_gitlab(environment: Mapping[str, str]) -> Place:
    api = Api(
        _address(_needed(environment, "CI_API_V4_URL")),
        {"PRIVATE-TOKEN": _needed(environment, "STAGELIFT_NOTE_TOKEN")},
    )
    project = quote(_needed(environment, "CI_MERGE_REQUEST_PROJECT_ID"), safe="")
    number = int(_needed(environment, "CI_MERGE_REQUEST_IID"))
    notes = f"/projects/{project}/merge_requests/{number}/notes"
    account = ask(api, "GET", "/user")["id"]
    return Place(
        api=api,
        comments=notes,
        one=notes,
        change="PUT",
        is_ours=lambda one: (one.get("author") or {}).get("id") == account,
        link=_needed(environment, "CI_JOB_URL"),
        is_foreign=False,
    )


def _needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UnusableError(f"The environment variable {name} is missing.")
    return value


def _address(written: str) -> str:
    """Check an API's address: a token goes through no open network."""
    parts = urlsplit(written)
    is_here = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise UnusableError(f"The API's address {written!r} does not begin with https.")
    return written.rstrip("/")


def _all(where: Place) -> Iterator[dict[str, Any]]:
    """Yield the comments that are there, page by page."""
    for page in range(1, _MOST_PAGES + 1):
        query = urlencode({"per_page": _PAGE, "page": page})
        comments = ask(where.api, "GET", f"{where.comments}?{query}")
        if not isinstance(comments, list):
            raise NotWrittenError("the API's answer is no list of comments.")
        yield from (one for one in comments if isinstance(one, dict))
        if len(comments) < _PAGE:
            return


def _begins(one: dict[str, Any], mark: str) -> bool:
    return str(one.get("body") or "").splitlines()[:1] == [mark]


def ask(api: Api, method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask the API, and return its answer. Raises NotWrittenError, in a sentence without what was
    sent or answered.
    """
    content = None if body is None else json.dumps(body).encode()
    header = {**api.header, "Content-Type": "application/json", "User-Agent": "stagelift"}
    request = Request(api.address + path, data=content, headers=header, method=method)
    try:
        with build_opener(_StayHere).open(request, timeout=_SECONDS) as answer:
            text = answer.read(_LARGEST_ANSWER + 1)
    except HTTPError as error:
        raise NotWrittenError(_refusal(error.code)) from None
    except (URLError, OSError, HTTPException):
        raise NotWrittenError("the API cannot be reached.") from None
    if len(text) > _LARGEST_ANSWER:
        raise NotWrittenError("the API's answer is too large.")
    try:
        return json.loads(text)
    except ValueError:
        raise NotWrittenError("the API's answer is no JSON.") from None


def _refusal(code: int) -> str:
    if code in (401, 403, 404):
        return (
            f"the API answered {code}. The job needs `permissions: {{pull-requests: write}}` "
            "(GitLab: a token with the scope api), which a pull request from a fork never has."
        )
    return f"the API answered {code}."


class _StayHere(HTTPRedirectHandler):
    """Follows no redirect, because the token would go with it."""

    def redirect_request(self, *_: Any) -> None:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
