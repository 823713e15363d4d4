"""`action/comment.py`: one comment, written once and renewed, by whom and with what."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from action.comment import LONGEST, LONGEST_COMMENT, comment, marker
from tests.comment_server import TOKEN, Comments, served

SCRIPT = Path(__file__).resolve().parent.parent / "action" / "comment.py"
PULL_REQUEST = {"pull_request": {"number": 7}}
OF_A_FORK = {
    "workflow_run": {
        "id": 5,
        "head_sha": "c0ffee",
        "head_branch": "better",
        "head_repository": {"owner": {"login": "someone"}},
        # what GitHub says of a fork
        "pull_requests": [],
    }
}


@pytest.fixture
def api() -> Iterator[Comments]:
    with served() as comments:
        yield comments


def on_github(api: Comments, folder: Path, event: dict[str, Any]) -> dict[str, str]:
    (folder / "event.json").write_text(json.dumps(event))
    return {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_API_URL": api.address,
        "GITHUB_REPOSITORY": "team/project",
        "GITHUB_EVENT_PATH": str(folder / "event.json"),
        "GITHUB_RUN_ID": "42",
    }


def on_gitlab(api: Comments) -> dict[str, str]:
    return {
        "GITLAB_CI": "true",
        "STAGELIFT_NOTE_TOKEN": TOKEN,
        "CI_API_V4_URL": api.address,
        "CI_MERGE_REQUEST_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_JOB_URL": "https://gitlab.example/team/project/-/jobs/42",
    }


def write(
    text: str, folder: Path, environment: dict[str, str], name: str = "candidate"
) -> tuple[int, str]:
    """Run the script as an action does; its exit code and all it said."""
    (folder / "comment.md").write_text(text)
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(folder / "comment.md"), name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert TOKEN not in said
    return done.returncode, said


def test_a_comment_is_written_once_and_then_renewed(api: Comments, tmp_path: Path) -> None:
    environment = on_github(api, tmp_path, PULL_REQUEST)
    api.add("what a person said")
    assert write("accuracy 68.0%", tmp_path, environment) == (0, "The comment was written.\n")
    assert write("accuracy 70.1%", tmp_path, environment) == (0, "The comment was renewed.\n")
    person, ours = api.bodies
    assert person == "what a person said"
    assert ours.splitlines()[:2] == [marker("candidate"), "accuracy 70.1%"]
    assert "https://github.com/team/project/actions/runs/42" in ours
    assert [method for method, _, _ in api.requests] == ["GET", "POST", "GET", "PATCH"]
    assert {token for _, _, token in api.requests} == {f"Bearer {TOKEN}"}


def test_every_run_has_a_comment_of_its_own(api: Comments, tmp_path: Path) -> None:
    environment = on_github(api, tmp_path, PULL_REQUEST)
    for name in ("small", "large", "small"):
        write(name, tmp_path, environment, name)
    assert [body.splitlines()[1] for body in api.bodies] == ["small", "large"]


def test_its_comment_is_found_behind_hundreds_of_others(api: Comments, tmp_path: Path) -> None:
    for number in range(250):
        api.add(f"{number}")
    environment = on_github(api, tmp_path, PULL_REQUEST)
    write("first", tmp_path, environment)
    write("second", tmp_path, environment)
    assert len(api.kept) == 251 and "second" in api.bodies[-1]


def test_a_person_who_writes_its_first_line_keeps_what_they_wrote(
    api: Comments, tmp_path: Path
) -> None:
    theirs = f"{marker('candidate')}\nmine, not yours"
    api.add(theirs, author=2)
    write("accuracy 68.0%", tmp_path, on_github(api, tmp_path, PULL_REQUEST))
    assert api.bodies[0] == theirs and len(api.kept) == 2


def test_a_comment_whose_lines_end_otherwise_since_someone_edited_it_is_found(
    api: Comments, tmp_path: Path
) -> None:
    api.add(f"{marker('candidate')}\r\nedited in a browser")
    write("accuracy 68.0%", tmp_path, on_github(api, tmp_path, PULL_REQUEST))
    assert len(api.kept) == 1 and "68.0%" in api.bodies[0]


@pytest.mark.parametrize("code", [401, 403, 404, 500])
def test_a_token_that_may_not_write_fails_no_job(code: int, api: Comments, tmp_path: Path) -> None:
    api.refuses = code
    ended, said = write("accuracy", tmp_path, on_github(api, tmp_path, PULL_REQUEST))
    assert ended == 0 and said.startswith(
        f"::warning::No comment was written: the API answered {code}"
    )
    assert ("pull-requests: write" in said) is (code != 500)
    assert not api.kept


def test_nobody_is_told_the_token_at_another_address(api: Comments, tmp_path: Path) -> None:
    with served() as elsewhere:
        api.turns_away_to = f"{elsewhere.address}/repos"
        ended, said = write("accuracy", tmp_path, on_github(api, tmp_path, PULL_REQUEST))
        assert ended == 0 and "the API answered 302" in said
        assert not elsewhere.requests


def test_a_token_goes_through_no_open_network(api: Comments, tmp_path: Path) -> None:
    environment = on_github(api, tmp_path, PULL_REQUEST)
    ended, said = write("a", tmp_path, environment | {"GITHUB_API_URL": "http://api.github.com"})
    assert ended == 2 and "does not begin with https" in said


def test_an_api_that_is_not_there_fails_no_job(api: Comments, tmp_path: Path) -> None:
    environment = on_github(api, tmp_path, PULL_REQUEST)
    nobody = environment | {"GITHUB_API_URL": "http://127.0.0.1:1"}
    ended, said = write("a", tmp_path, nobody)
    assert ended == 0 and "the API cannot be reached" in said


def test_an_event_that_is_of_no_pull_request_has_nowhere_to_write(
    api: Comments, tmp_path: Path
) -> None:
    ended, said = write("a", tmp_path, on_github(api, tmp_path, {"ref": "refs/heads/main"}))
    assert ended == 0 and "of no pull request" in said and not api.requests


def test_the_pull_request_of_a_fork_is_found_by_branch_and_commit(
    api: Comments, tmp_path: Path
) -> None:
    api.pulls = [
        {"number": 8, "head": {"label": "someone:better", "sha": "older"}},
        {"number": 9, "head": {"label": "someone:better", "sha": "c0ffee"}},
    ]
    write("accuracy", tmp_path, on_github(api, tmp_path, OF_A_FORK))
    method, path, _ = api.requests[-1]
    assert (method, path) == ("POST", "/repos/team/project/issues/9/comments")
    assert "actions/runs/5" in api.bodies[0]


def test_a_fork_that_went_on_meanwhile_has_no_comment(api: Comments, tmp_path: Path) -> None:
    api.pulls = [{"number": 8, "head": {"label": "someone:better", "sha": "newer"}}]
    ended, said = write("accuracy", tmp_path, on_github(api, tmp_path, OF_A_FORK))
    assert ended == 0 and "no open pull request ends in the commit" in said and not api.kept


def test_a_comment_of_a_deleted_account_and_a_deleted_fork_fail_no_job(
    api: Comments, tmp_path: Path
) -> None:
    api.add(marker("candidate"))["user"] = None
    assert write("accuracy 68.0%", tmp_path, on_github(api, tmp_path, PULL_REQUEST))[0] == 0
    gone = {"workflow_run": {**OF_A_FORK["workflow_run"], "head_repository": None}}
    code, said = write("accuracy 68.0%", tmp_path, on_github(api, tmp_path, gone))
    assert code == 0 and "is gone" in said and "Traceback" not in said


def test_what_a_fork_wrote_stands_there_as_text() -> None:
    hostile = "````\n@everyone\n[x](javascript:1)\n\u202e<img src=x>\x1b[2J"
    body = comment(hostile, marker("x"), "https://example.org", is_foreign=True)
    opened = body.index("`````text\n")
    closed = body.index("\n`````\n", opened + 8)
    for part in ("@everyone", "[x](javascript", "<img"):
        assert opened < body.index(part) < closed
    assert "\u202e" not in body and "\x1b" not in body


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    line = "| accuracy | 68.0% |"
    body = comment("\n".join([line] * 9_000), marker("x"), "https://example.org", is_foreign=False)
    assert len(body) < 65_536 and "The rest is left out here." in body
    assert len(body) > LONGEST - 1_000 and f"{line}\n\nThe rest" in body


def test_no_text_of_a_fork_makes_a_comment_too_long() -> None:
    for hostile in (
        "`" * 60_000,
        "\n".join(["`" * 5_000] * 12),
        "`" * 59_999 + "\nx",
        "\u202e" * 70_000,
    ):
        body = comment(hostile, marker("x"), "https://example.org", is_foreign=True)
        assert len(body) <= LONGEST_COMMENT
        assert body.startswith(marker("x")) and body.endswith("(https://example.org)\n")
        fence = re.findall("^(`+)text$", body, re.MULTILINE)[0]
        assert body.count(fence) == 2


def test_a_name_cannot_end_the_first_line() -> None:
    assert marker("a --> <b>\n") == "<!-- stagelift: a-b- -->"


def test_a_link_to_another_file_is_not_read(api: Comments, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the runner")
    (tmp_path / "said.md").symlink_to(tmp_path / "secret")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(tmp_path / "said.md")],
        env=on_github(api, tmp_path, PULL_REQUEST),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "is no file" in done.stderr and not api.requests


@pytest.mark.parametrize("missing", ["GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY"])
def test_what_is_missing_is_named(missing: str, api: Comments, tmp_path: Path) -> None:
    environment = on_github(api, tmp_path, PULL_REQUEST) | {missing: ""}
    ended, said = write("a", tmp_path, environment)
    assert (ended, said) == (2, f"The environment variable {missing} is missing.\n")


def test_on_gitlab_it_is_a_note_of_the_tokens_own_account(api: Comments, tmp_path: Path) -> None:
    theirs = f"{marker('candidate')}\nmine, not yours"
    api.add(theirs, author=2)
    for text in ("first", "second"):
        assert write(text, tmp_path, on_gitlab(api))[0] == 0
    assert api.bodies[0] == theirs and len(api.kept) == 2 and "second" in api.bodies[1]
    asked = [(method, path.partition("?")[0]) for method, path, _ in api.requests]
    notes = "/projects/3/merge_requests/7/notes"
    assert asked[2] == ("POST", notes) and asked[-1] == ("PUT", f"{notes}/101")
    assert {token for _, _, token in api.requests} == {TOKEN}
