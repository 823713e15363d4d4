"""`stagelift push`: what it uploads, to a server that speaks enough of the Hub's API, and what it
refuses.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.hub import check_name
from stagelift.harness.pushing import prepare_upload
from stagelift.reports.folders import RunFolder
from tests.conftest import environment
from tests.shared import copied
from tests.unhashed import unhashed

TOKEN = "hf_of_a_test"


@dataclass
class Hub:
    """What was sent to the server: repositories, branches and committed files; `status` is what
    each request is answered with instead, where it is an error.
    """

    repositories: list[dict[str, Any]] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    address: str = ""

    def answer(self, path: str, sent: bytes) -> dict[str, Any]:
        """Answer a request as the Hub does."""
        match path.strip("/").split("/"):
            case ["api", "repos", "create"]:
                made = json.loads(sent)
                self.repositories.append(made)
                name = f"{made.get('organization', 'someone')}/{made['name']}"
                return {"url": f"{self.address}/{name}", "id": name}
            case ["api", "validate-yaml"]:
                return {"errors": [], "warnings": []}
            case ["api", "models", _, _, "preupload", _]:
                return {"files": [_how_to_upload(file) for file in json.loads(sent)["files"]]}
            case ["api", "models", _, _, "branch", branch]:
                self.branches.append(branch)
                return {}
            case ["api", "models", _, _, "commit", _]:
                return self._commit([json.loads(line) for line in sent.splitlines()])
            case [*_, "info", "lfs", "objects", "batch"]:
                objects = json.loads(sent)["objects"]
                return {"transfer": "basic", "objects": [self._place(one) for one in objects]}
            case ["stored", oid]:
                self.stored[oid] = sent
                return {}
        raise AssertionError(f"the client asks for {path}")

    def _place(self, file: dict[str, Any]) -> dict[str, Any]:
        upload = {"href": f"{self.address}/stored/{file['oid']}", "header": {}}
        return {**file, "actions": {"upload": upload}}

    def _commit(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        for line in lines:
            match line["key"], line["value"]:
                case "header", header:
                    self.commits.append(header)
                case "file", file:
                    self.files[file["path"]] = base64.b64decode(file["content"])
                case "lfsFile", file:
                    self.files[file["path"]] = self.stored[file["oid"]]
        place = f"{self.address}/someone/x/commit/{'a' * 40}"
        return {"success": True, "commitOid": "a" * 40, "commitUrl": place}


def _how_to_upload(file: dict[str, Any]) -> dict[str, Any]:
    mode = "lfs" if file["path"].endswith(".safetensors") else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            authorised = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status = hub.status if authorised else 401
            body = b'{"error": "no"}'
            if status == 200:
                body = json.dumps(hub.answer(self.path.split("?")[0], sent)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            oid = self.path.rpartition("/")[2]
            hub.stored[oid] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()


def pushed(runs: Path, hub: Hub | None, *words: str, token: str = TOKEN) -> Any:
    """Run `stagelift push tiny` in a process of its own, with no server but this one."""
    variables = {
        **environment(),
        "HF_HUB_OFFLINE": "0",
        "HF_ENDPOINT": "http://127.0.0.1:9" if hub is None else hub.address,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(runs.parent / "hf"),
        "HF_TOKEN": token,
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "stagelift", "push", "tiny", *words]
    return subprocess.run(
        command, cwd=runs.parent, env=variables, capture_output=True, text=True, check=False
    )


@pytest.fixture
def runs(finished_run: Path, tmp_path: Path) -> Path:
    return copied(finished_run.parent, tmp_path / "runs")


def test_a_stages_adapter_and_card_are_uploaded_in_one_commit(runs: Path, hub: Hub) -> None:
    done = pushed(runs, hub, "--stage", "grpo", "--to", "someone/tiny-grpo")
    assert done.returncode == 0, done.stderr
    (adapter,) = runs.glob("nodes/grpo-*/adapter")
    assert sorted(hub.files) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    weights = (adapter / "adapter_model.safetensors").read_bytes()
    assert hub.files["adapter_model.safetensors"] == weights
    assert [made["visibility"] for made in hub.repositories] == ["private"]
    assert [commit["summary"] for commit in hub.commits] == ["Upload stage grpo of run tiny"]
    lines = done.stdout.splitlines()
    assert lines[0] == "stage grpo of run tiny, to someone/tiny-grpo (private, if it is made now):"
    assert f"{len(weights):,} bytes" in lines[3]
    assert lines[-1] == f"Uploaded: {hub.address}/someone/tiny-grpo"


@pytest.mark.real
def test_what_is_uploaded_names_no_folder_of_this_machine(
    runs: Path, hub: Hub, tiny_model: Path
) -> None:
    done = pushed(
        runs, hub, "--stage", "sft", "--to", "someone/tiny", "--public",
        "--revision", "first", "--message", "One",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The base model is a local folder" in done.stdout
    assert "README.md names no licence yet" in done.stdout
    settings = json.loads(hub.files["adapter_config.json"])
    assert settings["base_model_name_or_path"] is None and settings["r"] == 4
    for content in hub.files.values():
        assert str(tiny_model.parent).encode() not in content
    assert b"path: .../tiny_model" in hub.files["README.md"]
    assert [made["visibility"] for made in hub.repositories] == ["public"]
    assert hub.branches == ["first"] and hub.commits[0]["summary"] == "One"


@pytest.mark.real
def test_a_dry_run_shows_the_files_and_asks_nobody(runs: Path) -> None:
    done = pushed(runs, None, "--stage", "dpo", "--to", "someone/x", "--dry-run", token="")
    assert done.returncode == 0, done.stderr
    assert "adapter_model.safetensors" in done.stdout and "Nothing was uploaded." in done.stdout


@pytest.mark.real
@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "hf auth login"), (403, "It needs the role `write`"), (500, "It says (500)")],
)
def test_what_the_hub_refuses_is_a_sentence(runs: Path, hub: Hub, status: int, says: str) -> None:
    hub.status = status
    refused(pushed(runs, hub, "--stage", "sft", "--to", "someone/x"), says)
    assert hub.files == {}


@pytest.mark.real
def test_without_a_token_or_a_network_nothing_is_sent(runs: Path, hub: Hub) -> None:
    words = ("--stage", "sft", "--to", "someone/x")
    refused(pushed(runs, hub, *words, token=""), "No token of the Hub is here")
    refused(pushed(runs, None, *words), "http://127.0.0.1:9 cannot be reached")
    assert hub.repositories == []


def refused(done: Any, says: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    message = done.stderr.strip()
    assert message.startswith("Error: ") and says in message and "\n" not in message


@pytest.fixture
def push(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(runs.parent)
    return lambda *words: CliRunner().invoke(app, ["push", *words, "--dry-run"])


@pytest.mark.parametrize(
    ("run", "stage", "to", "says"),
    [
        ("tiny", "grpoo", "me/x", "has no stage 'grpoo'. Its stages: base, sft, dpo, grpo. Did"),
        ("tiny", "base", "me/x", "is the model that the run starts from"),
        ("tinny", "sft", "me/x", "is not a run"),
        ("tiny", "sft", "me/x/y", "can have no repository 'me/x/y'"),
        ("tiny", "sft", "../x", "can have no repository '../x'"),
        ("tiny", "sft", "", "can have no repository ''"),
        ("tiny", "sft", "me/a--b", "can have no repository"),
    ],
)
def test_what_cannot_be_pushed_is_refused(
    push: Callable[..., Result], run: str, stage: str, to: str, says: str
) -> None:
    refusal = push(run, "--stage", stage, "--to", to)
    assert refusal.exit_code == 2 and says in refusal.stderr and "\n" not in refusal.stderr.strip()


def test_a_stage_that_is_not_whole_is_not_pushed(runs: Path, push: Callable[..., Result]) -> None:
    (result,) = runs.glob("nodes/grpo-*/evals/*/result.json")
    result.unlink()
    refusal = push("tiny", "--stage", "grpo", "--to", "me/x")
    assert refusal.exit_code == 2
    assert "result.json is missing, though the run was finished" in refusal.stderr
    (record,) = runs.glob("nodes/grpo-*/stage.json")
    record.unlink()
    refusal = push("tiny", "--stage", "grpo", "--to", "me/x")
    assert refusal.exit_code == 2 and "is not trained to its end" in refusal.stderr


def test_settings_that_name_a_home_are_not_pushed(runs: Path, push: Callable[..., Result]) -> None:
    (settings,) = runs.glob("nodes/sft-*/adapter/adapter_config.json")
    settings.write_text('{"r": 4, "made_from": "file:///home/maria"}')
    unhashed(runs)
    refusal = push("tiny", "--stage", "sft", "--to", "me/x")
    assert refusal.exit_code == 2 and "/home/maria, which tells whose machine" in refusal.stderr


def uploaded_card(runs: Path, stage: str) -> str:
    upload = prepare_upload(RunFolder(runs / "tiny"), stage)
    made = next(file.content for file in upload.files if file.name == "README.md")
    assert isinstance(made, bytes)
    return made.decode()


def test_a_card_that_a_run_did_not_write_is_made(runs: Path) -> None:
    (card,) = runs.glob("nodes/sft-*/adapter/README.md")
    written = card.read_text()
    card.unlink()
    assert uploaded_card(runs, "sft") == written


def test_the_card_that_is_uploaded_is_of_the_run_that_is_named(runs: Path) -> None:
    (card,) = runs.glob("nodes/sft-*/adapter/README.md")
    card.write_text("# secret-client-sft\n")
    assert "# tiny-sft" in uploaded_card(runs, "sft")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("adapter_model.safetensors", None, "has no weights"),
        ("adapter_model.safetensors", "cut", "is damaged"),
        ("adapter_config.json", "{", "adapter_config.json is not valid JSON"),
    ],
)
def test_an_adapter_that_nobody_could_load_is_not_pushed(
    runs: Path, push: Callable[..., Result], file: str, content: str | None, says: str
) -> None:
    (adapter,) = runs.glob("nodes/sft-*/adapter")
    (adapter / file).unlink()
    if content is not None:
        (adapter / file).write_text(content)
    refusal = push("tiny", "--stage", "sft", "--to", "me/x")
    assert refusal.exit_code == 2 and says in refusal.stderr.replace("\n", " ")


def test_a_file_beside_the_adapter_is_not_uploaded(runs: Path) -> None:
    (adapter,) = runs.glob("nodes/sft-*/adapter")
    (adapter / "notes.txt").write_text("ask Acme")
    (adapter / "tokenizer.json").write_text("{}")
    upload = prepare_upload(RunFolder(runs / "tiny"), "sft")
    names = [file.name for file in upload.files]
    assert "tokenizer.json" in names and "notes.txt" not in names


def test_names_of_the_hub_pass() -> None:
    for name in ("someone/tiny-grpo", "tiny", "A.b_c/1"):
        check_name(name)
