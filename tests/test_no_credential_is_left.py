"""Credentials are planted wherever one can be, real commands run, and no byte that they leave or
print holds one.
"""

import json
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import environment

# of no form that anyone knows, each in a variable of its own
PLANTED = {
    "HF_TOKEN": "planted-hub-3f9a",
    "OPENAI_API_KEY": "planted-judge-77c1",
    "WANDB_API_KEY": "planted-tracker-0b2e",
    "SOME_PASSWORD": 'planted "quoted" 5d5d',
    "AWS_SECRET_ACCESS_KEY": "planted/store+41ce",
    "GITHUB_TOKEN": "planted-forge-8e2b",
    "NPM_TOKEN": "planted-package-66f0",
}
# in a variable with another name
IN_AN_ADDRESS = "planted-address-91aa"
# of a known form, and in no variable
IN_CODE = "hf_" + "PlantedInCode1" * 3
REWARD = f"""
import os, subprocess, sys

def leaky(completions, **kwargs):
    print("{IN_CODE}", dict(os.environ))
    print("Authorization: Bearer", os.environ["HF_TOKEN"], file=sys.stderr)
    subprocess.run(["env"])
    raise ValueError("cannot log in with " + os.environ["SOME_PASSWORD"] + " {IN_CODE}")
"""
RECIPE = """
name: leaky
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 8}}
{rest}
evals:
  accuracy: {{task: schoolmath, limit: 4, max_tokens: 4, batch_size: 4}}
  preference: {judge}
"""
NO_JUDGE = "{prompts: {path: bundled/instructions, limit: 2}}"
LEAKY = """
report_to: mlflow
stages:
  - grpo:
      rewards: [leaky_rewards.leaky]
      args: {max_steps: 1, per_device_train_batch_size: 2, num_generations: 2,
             max_completion_length: 4}
"""


def run(folder: Path, *words: str, **further: str) -> subprocess.CompletedProcess[str]:
    variables = environment() | PLANTED | {"XDG_CACHE_HOME": str(folder / "cache")} | further
    variables["MLFLOW_TRACKING_URI"] = f"http://me:{IN_AN_ADDRESS}@127.0.0.1:9"
    return subprocess.run(
        [sys.executable, "-m", "stagelift", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_none_is_left(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    texts = {"stdout": done.stdout.encode(), "stderr": done.stderr.encode()}
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "leaky_rewards.py":
            texts[str(file)] = file.read_bytes()
    secrets = [
        form for secret in (*PLANTED.values(), IN_AN_ADDRESS, IN_CODE) for form in forms(secret)
    ]
    for name, content in texts.items():
        for secret in secrets:
            assert secret not in content, f"{secret!r} stands in {name}"


def forms(secret: str) -> set[bytes]:
    """A secret as it is, and as JSON, a URL, hexadecimal digits, base64 and UTF-16 have it."""
    sent = secret.encode()
    return {
        *(sent, json.dumps(secret)[1:-1].encode(), quote(secret, safe="").encode()),
        *(sent.hex().encode(), b64encode(sent).rstrip(b"=")[:-1], secret.encode("utf-16-le")),
    }


@pytest.mark.parametrize(
    "override",
    [
        "stages.grpo.args.hub_token=planted-in-set",
        "data.token=planted-in-set",
        "data.path=https://me:planted-in-set@host/rows.jsonl",
        "launcher={accelerate: {env: HF_TOKEN=planted-in-set}}",
    ],
)
@pytest.mark.real
def test_a_recipe_with_one_leaves_nothing_behind(
    override: str, tiny_model: Path, tmp_path: Path
) -> None:
    recipe = RECIPE.format(model=tiny_model.as_posix(), rest=LEAKY, judge=NO_JUDGE)
    (tmp_path / "recipe.yaml").write_text(recipe)
    done = run(tmp_path, "run", "recipe.yaml", "--set", override)
    assert done.returncode == 2 and "holds a credential" in done.stderr
    assert "planted-in-set" not in done.stdout + done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.real
def test_a_reward_that_prints_and_raises_them_leaves_none(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    recipe = RECIPE.format(model=tiny_model.as_posix(), rest=LEAKY, judge=NO_JUDGE)
    (tmp_path / "recipe.yaml").write_text(recipe)
    (tmp_path / "leaky_rewards.py").write_text(REWARD)
    done = run(tmp_path, "run", "recipe.yaml", "--trust")
    assert "cannot log in with [credential] [credential]" in done.stdout + done.stderr
    assert done.returncode != 0
    logs = [file for file in tmp_path.rglob("*.log") if b"[credential]" in file.read_bytes()]
    assert logs
    assert_none_is_left(done, tmp_path)


@pytest.mark.parametrize("tracker", ["wandb", "trackio", "tensorboard"])
@pytest.mark.real
def test_no_file_of_a_tracker_holds_one(tracker: str, tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip(tracker)
    rest = f"report_to: {tracker}\nstages: [sft: {{args: {{max_steps: 2}}}}]"
    recipe = RECIPE.format(model=tiny_model.as_posix(), rest=rest, judge=NO_JUDGE)
    (tmp_path / "recipe.yaml").write_text(recipe)
    done = run(tmp_path, "run", "recipe.yaml", TRACKIO_DIR=str(tmp_path / "trackio"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tracker} failed" not in done.stdout + done.stderr
    assert_none_is_left(done, tmp_path)


@pytest.mark.real
def test_no_log_of_several_processes_holds_one(tiny_model: Path, tmp_path: Path) -> None:
    started = LEAKY.replace("report_to: mlflow", "launcher: {torchrun: {nproc_per_node: 2}}")
    rest = started.replace("batch_size: 2", "batch_size: 4")
    recipe = RECIPE.format(model=tiny_model.as_posix(), rest=rest, judge=NO_JUDGE)
    (tmp_path / "recipe.yaml").write_text(recipe)
    (tmp_path / "leaky_rewards.py").write_text(REWARD)
    done = run(tmp_path, "run", "recipe.yaml", "--trust")
    assert "cannot log in with [credential] [credential]" in done.stdout + done.stderr
    assert done.returncode != 0
    assert_none_is_left(done, tmp_path)


@pytest.fixture
def echoing() -> Iterator[str]:
    """A judge's server that answers with the header that it was sent, now as a verdict, now not."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            said = f"{self.headers['Authorization']} {IN_CODE} http://me:{IN_AN_ADDRESS}@host"
            message = {"role": "assistant", "content": said}
            body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()
    http.server_close()


@pytest.mark.real
def test_a_judge_that_repeats_its_header_leaves_none(
    echoing: str, tiny_model: Path, tmp_path: Path
) -> None:
    judge = (
        "{prompts: {path: bundled/instructions, limit: 2}, "
        f"judge: {{openai: {{base_url: '{echoing}', model: m}}}}}}"
    )
    recipe = RECIPE.format(
        model=tiny_model.as_posix(), rest="stages: [sft: {args: {max_steps: 1}}]", judge=judge
    )
    (tmp_path / "recipe.yaml").write_text(recipe)
    done = run(tmp_path, "run", "recipe.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    answers = (tmp_path / "runs" / "judges" / "answers.jsonl").read_text()
    assert "Bearer [credential] [credential]" in answers
    assert_none_is_left(done, tmp_path)
    shown = run(tmp_path, "report", "leaky", "--format", "html")
    assert shown.returncode == 0
    assert_none_is_left(shown, tmp_path)
