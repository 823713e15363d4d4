"""Recipes written to do harm, through the command: what they name is refused or only looked at."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.lm_eval.extras import check_extras
from stagelift.evals.lm_eval.trusted import check_trusted as check_task
from stagelift.evals.lm_eval.trusted import task_files
from stagelift.evals.models.given import check_weights
from stagelift.evals.models.pretrained import model_config
from stagelift.evals.places import is_elsewhere, is_served_here
from stagelift.evals.trust import Trust, only_looking, trusting
from stagelift.evals.user_code import look_at_function
from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.recipes.sections import LauncherSection
from stagelift.harness.recipes.trusted import check_trackers_trusted, check_trusted
from stagelift.harness.workers.launcher import read_launcher
from tests.conftest import environment

MARKED = """from pathlib import Path
Path('imported').touch()


def reward(completions, **columns):
    return [float(len(text)) for text in completions]
"""
TASK = """task: own
dataset_path: json
dataset_kwargs: {data_files: {test: docs.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: q
doc_to_target: a
process_results: !function marked.reward
metric_list: [{metric: share, aggregation: mean, higher_is_better: true}]
"""
RECIPE = """name: harmful
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 64}}
stages:
  - grpo:
      rewards: [correctness, marked.reward]
      args: {{max_steps: 2, per_device_train_batch_size: 4, num_generations: 2,
              max_completion_length: 8}}
evals:
  accuracy: {{task: schoolmath, limit: 8, max_tokens: 8, batch_size: 4}}
  preference: {{prompts: null, against: []}}
  tasks: [{{task: own.yaml, limit: 2}}]
"""


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STAGELIFT_TRUST", "OPENAI_BASE_URL", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    (working / "marked.py").write_text(MARKED)
    (working / "own.yaml").write_text(TASK)
    (working / "docs.jsonl").write_text('{"q": "What is 1 + 2?", "a": "3"}\n' * 4)
    (working / "harmful.yaml").write_text(RECIPE.format(model=tiny_model.as_posix()))
    return working


@pytest.fixture
def stagelift(folder: Path) -> Callable[..., Result]:
    del folder
    return lambda *words: CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("trusted", [[], ["--trust"], ["--set", "trust.code=true"]])
def test_what_is_only_looked_at_runs_no_code_however_much_it_is_trusted(
    stagelift: Callable[..., Result], folder: Path, trusted: list[str]
) -> None:
    for words in (["run", "harmful.yaml", "--dry-run"], ["plan", "harmful.yaml"]):
        done = stagelift(*words, *trusted)
        assert done.exit_code == 0, done.output
        assert not (folder / "imported").exists(), words
        assert ("says of itself that it is trusted" in done.output) == ("--set" in trusted)


def test_without_any_trust_a_recipe_names_no_code_and_no_data_outside(
    stagelift: Callable[..., Result], folder: Path, tiny_model: Path
) -> None:
    done = stagelift("plan", "harmful.yaml", "--no-trust", "--set", "trust.code=true")
    assert done.exit_code == 2
    assert f"model.path '{tiny_model.as_posix()}' is outside the working folder" in done.output
    shutil.copytree(tiny_model, folder / "model")
    inside = ["run", "harmful.yaml", "--dry-run", "--no-trust", "--set", "model.path=./model"]
    done = stagelift(*inside)
    assert "Reward 'marked.reward' is code of the recipe's, and none of that" in done.output
    done = stagelift(*inside, "--set", "stages.grpo.rewards=[correctness]")
    assert "own.yaml' is code of the recipe's, and none of that is to run here" in done.output
    plain = [*inside, "--set", "stages.grpo.rewards=[correctness]", "--set", "evals.tasks=[]"]
    assert stagelift(*plain).exit_code == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("stages.grpo.rewards=[os.system]", "'os.system' is not code of the working folder"),
        ("evals.preference.judge={openai: {base_url: 'https://evil.example/v1', model: m}}", "key"),
        ("evals.engine={server: {url: 'http://10.0.0.1:8000/v1'}}", "STAGELIFT_ENGINE_URL"),
        ("evals.engine={vllm: {args: {tool-parser-plugin: x.py}}}", "names tool-parser-plugin"),
        ("evals.engine={vllm: {args: {trust_remote_code: true}}}", "never run here"),
        ("data.path='https://evil.example/rows.jsonl'", "a URL. Download it"),
        ("stages.grpo.dataset={path: 's3://bucket/rows.jsonl'}", "a URL. Download it"),
        ("chat_template=/etc/passwd", "chat_template '/etc/passwd' is outside"),
        ("chat_template=../template.jinja", "chat_template '../template.jinja' is outside"),
        ("stages.grpo.args.push_to_hub=true", "nothing is uploaded while a stage is trained"),
        ("stages.grpo.args.deepspeed=ds.json", "DeepSpeed is told it may write anywhere"),
        ("stages.grpo.args.fsdp_config=/tmp/f.json", "'/tmp/f.json' is outside the working folder"),
        ("stages.grpo.args.accelerator_config=../a.json", "is outside the working folder"),
        ("stages.grpo.args.vllm_server_base_url='http://evil.example'", "not on this machine"),
        ("stages.grpo.args.vllm_server_host=evil.example", "not on this machine"),
        ("stages.grpo.args.generation_kwargs={custom_generate: evil/repo}", "never run here"),
        ("ray.address='ray://evil.example:10001'", "ray.address is 'ray://evil.example:10001'"),
        ("ray.artefacts='s3://evil/bucket'", "ray.artefacts is 's3://evil/bucket'"),
        ("launcher={torchrun: {no_python: true}}", "no_python would start another program"),
        ("launcher={torchrun: {run_path: true}}", "run_path would start another program"),
        ("launcher={torchrun: {run_pa: true}}", "run_path would start another program"),
        ("launcher={torchrun: {logs_specs: evil}}", "logs_specs may load code"),
        ("launcher={torchrun: {log_dir: /tmp/out}}", "log_dir '/tmp/out' is outside"),
        (
            "launcher={torchrun: {nnodes: 2, rdzv_backend: c10d, rdzv_endpoint: 'evil:29500'}}",
            "on another machine, and these could run code here",
        ),
        ("evals.tasks=[{task: ../own.yaml}]", "outside the working folder"),
        (
            "evals.tasks=[{task: a, data: {path: docs.jsonl}, scorers: [{json: {schema: "
            "/etc/hostname}}]}]",
            "The schema of scorer json '/etc/hostname' is outside",
        ),
    ],
)
def test_what_reaches_outside_is_refused_without_trust(
    stagelift: Callable[..., Result], folder: Path, settings: str, says: str
) -> None:
    (folder.parent / "own.yaml").write_text(TASK)
    for words in (["run", "--dry-run"], ["plan"], ["run"]):
        done = stagelift(*words, "harmful.yaml", "--set", settings)
        assert done.exit_code == 2, done.output
        assert says in " ".join(done.output.split()), done.output
        assert not (folder / "imported").exists()
    assert not (folder / "runs").exists()


@pytest.mark.parametrize(
    ("argument", "says"),
    [
        ("model_init_kwargs: '{\"trust_remote_code\": true}'", "never run here"),
        ('generation_kwargs: \'{"custom_generate": "evil/repo"}\'', "never run here"),
        ('generation_kwargs: \' {"a": [{"trust-remote-code": "yes"}]}\'', "never run here"),
        ("deepspeed: '{\"zero_optimization\": {}}'", "DeepSpeed"),
        ('accelerator_config: \'{"folder": "/etc"}\'', "'/etc' is outside"),
        ('lr_scheduler_kwargs: \'{"a": "~/x"}\'', "'~/x' is outside"),
        ('gradient_checkpointing_kwargs: \'{"a": ["../x"]}\'', "'../x' is outside"),
        ('fsdp_config: \'{"a": "https://evil.example/x"}\'', "not on this machine"),
        ("fsdp_config: linked.json", "'linked.json' is outside"),
        ("optim_args: file:///etc/passwd", "not on this machine"),
    ],
)
def test_arguments_that_are_json_in_a_string_and_links_are_looked_into(
    folder: Path, argument: str, says: str
) -> None:
    (folder / "linked.json").symlink_to("/etc/hostname")
    recipe = load_recipe("harmful.yaml", [])
    args = yaml.safe_load(argument)
    stage = recipe.trainings()[0].model_copy(update={"args": args})
    with pytest.raises(UsageError, match=re.escape(says)):
        check_trusted(recipe.model_copy(update={"stages": [stage]}))


def test_without_any_trust_no_link_in_a_folder_leads_outside(
    folder: Path, tiny_model: Path
) -> None:
    shutil.copytree(tiny_model, folder / "model")
    (folder / "rows").mkdir()
    kept = ["evals.tasks=[]", "stages.grpo.rewards=[correctness]", "model.path=./model"]
    with trusting(Trust.none):
        check_trusted(load_recipe("harmful.yaml", kept))
        (folder / "model" / "chat_template.jinja").unlink()
        (folder / "model" / "chat_template.jinja").symlink_to("/etc/hostname")
        with pytest.raises(UsageError, match=r"model\.path '.*chat_template\.jinja' is outside"):
            check_trusted(load_recipe("harmful.yaml", kept))
        (folder / "rows" / "train.csv").symlink_to("/etc/hostname")
        rows = [*kept[:2], "model.path=bundled/smollm2-135m-instruct", "data={path: rows}"]
        with pytest.raises(UsageError, match=r"data\.path 'rows/train\.csv' is outside"):
            check_trusted(load_recipe("harmful.yaml", rows))


def test_a_path_that_names_no_module_is_said_to_be_none() -> None:
    for path in ("..rewards.polite", "../rewards.polite", "rewards..polite", "/x/rewards.polite"):
        with pytest.raises(ValueError, match=r"is no path of a function\. Write it as"):
            look_at_function(path, "Reward")


def test_a_model_that_names_a_kernel_of_the_hub_is_refused(
    tiny_model: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    for named in ("evil/kernel", "kernels-community/flash-attn2@main:x", {"": "evil/kernel"}):
        (model / "config.json").write_text(json.dumps({**config, "attn_implementation": named}))
        with pytest.raises(ValueError, match=r"of the Hub .attn_implementation in its settings"):
            model_config(str(model), None)


def test_weights_that_an_old_torch_pickled_are_refused_before_anything_is_loaded(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text("{}")
    torch.save(
        {"a": torch.zeros(2)},
        tmp_path / "pytorch_model.bin",
        _use_new_zipfile_serialization=False,
    )
    with pytest.raises(ValueError, match=r"of torch before 1\.6, a pickle that is not read here"):
        check_weights(tmp_path)


def test_a_server_is_named_by_the_user_beside_its_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del folder
    judge = "evals.preference.judge={openai: {base_url: 'https://api.example/v1', model: m}}"
    recipe = load_recipe("harmful.yaml", [judge])
    with pytest.raises(UsageError, match=r"OPENAI_BASE_URL=https://api\.example/v1\), or say"):
        check_trusted(recipe)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example.evil.example/v1")
    with pytest.raises(UsageError, match="a server on another machine"):
        check_trusted(recipe)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.example/v1")
    check_trusted(recipe)
    monkeypatch.delenv("OPENAI_BASE_URL")
    with trusting(Trust.code):
        check_trusted(recipe)


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://api.openai.com/v1", True),
        ("https://api.openai.com:443/v1", True),
        ("http://api.openai.com/v1", False),
        ("https://api.openai.com.evil.example/v1", False),
        ("https://api.openai.com:8443/v1", False),
    ],
)
def test_the_key_of_openai_is_for_openai(
    url: str, accepted: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del folder
    judge = f"evals.preference.judge={{openai: {{base_url: '{url}', model: m}}}}"
    recipe = load_recipe("harmful.yaml", [judge])
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="a server on another machine"):
        check_trusted(recipe)
    monkeypatch.setenv("OPENAI_API_KEY", "not-the-real-1")
    with nullcontext() if accepted else pytest.raises(UsageError, match="another machine"):
        check_trusted(recipe)


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost/v1", False),
        ("http://[::1]:80/v1", False),
        ("http://127.0.0.1.evil.example/v1", True),
        ("http://localhost@evil.example/v1", True),
        ("https://api.openai.com/v1", True),
        ("zip://a.zip::https://evil.example/a.zip", True),
        ("simplecache::http://127.0.0.1/::s3://b", True),
        ("HTTP://evil.example", True),
        ("openai/gsm8k", False),
        ("C:\\data\\rows.jsonl", False),
        ("http://[", True),
    ],
)
def test_a_place_on_another_machine_is_told_from_one_on_this(text: str, elsewhere: bool) -> None:
    assert is_elsewhere(text) is elsewhere
    assert not (is_served_here(text) and elsewhere)


@pytest.mark.parametrize(
    ("tracker", "variable", "value"),
    [
        ("wandb", "WANDB_MODE", "online"),
        ("mlflow", "MLFLOW_TRACKING_URI", "https://mlflow.example"),
        ("trackio", "TRACKIO_SPACE_ID", "me/space"),
        ("tensorboard", "TENSORBOARD_LOGGING_DIR", "gs://bucket"),
    ],
)
def test_trackers_that_send_elsewhere_need_trust(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tracker: str, variable: str, value: str
) -> None:
    del folder
    recipe = load_recipe("harmful.yaml", [f"report_to={tracker}"])
    check_trackers_trusted(recipe)
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=f"{variable} in the environment"):
        check_trackers_trusted(recipe)
    with trusting(Trust.code):
        check_trackers_trusted(recipe)


def test_a_config_of_accelerate_that_meets_another_machine_needs_trust(folder: Path) -> None:
    (folder / "cluster.yaml").write_text(
        "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\nnum_processes: 2\n"
        "num_machines: 2\nmachine_rank: 0\nmain_process_ip: evil.example\n"
        "main_process_port: 29500\nuse_cpu: true\n"
    )
    launcher = LauncherSection(accelerate={"config_file": "cluster.yaml"})
    with pytest.raises(ValueError, match="meets other processes at 'evil"):
        read_launcher(launcher)
    with trusting(Trust.code):
        assert read_launcher(launcher).processes == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TASK.replace("marked.reward", "os.system"), "'os.system' is not code of the working"),
        (TASK.replace("marked.reward", "deep.outside.f"), "outside the working folder"),
        (f"include: /etc/hostname\n{TASK}", "'/etc/hostname' is outside the working folder"),
        (f"include: ../secret.yaml\n{TASK}", "is outside the working folder"),
        (TASK.replace("docs.jsonl", "'https://evil.example/x'"), "not on this machine"),
        (
            TASK.replace("process_results", "doc_to_image").replace("share", "evil/metric"),
            "would load from the Hub as a program",
        ),
        (
            TASK.replace("{metric: share,", "{metric: acc, hf_evaluate: true,").replace(
                "process_results", "doc_to_image"
            ),
            "would load from the Hub as a program",
        ),
    ],
)
def test_a_task_file_reaches_nothing_outside(folder: Path, text: str, says: str) -> None:
    (folder.parent / "secret.yaml").write_text("password: hunter2")
    (folder.parent / "outside.py").write_text(MARKED)
    (folder / "deep").symlink_to(folder.parent)
    Path("own.yaml").write_text(text)
    with pytest.raises(ValueError, match=says) as refused:
        check_task(Path("own.yaml"))
    assert "hunter2" not in str(refused.value)
    with trusting(Trust.code):
        if "include" not in text and "Hub" not in says:
            check_task(Path("own.yaml"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("dataset_kwargs: {token: VALUE}", "dataset_kwargs.token"),
        ('dataset_kwargs: \'{"token": "VALUE"}\'', "dataset_kwargs"),
        ("dataset_kwargs: {storage_options: {secret: VALUE}}", "storage_options.secret"),
        ("dataset_kwargs: {data_files: 'https://h/x#access_token=VALUE'}", "data_files"),
        ("metadata: {version: 1, api_key: VALUE}", "metadata.api_key"),
    ],
)
def test_a_task_file_with_a_credential_is_refused_by_its_key(
    stagelift: Callable[..., Result], folder: Path, text: str, key: str
) -> None:
    kept = TASK.replace("dataset_kwargs: {data_files: {test: docs.jsonl}}\n", "")
    (folder / "own.yaml").write_text(kept + text.replace("VALUE", "pl4nted-qq7-zz"))
    done = stagelift("run", "harmful.yaml", "--dry-run", "--trust")
    assert done.exit_code == 2 and f"{key}' in task file 'own.yaml' holds" in done.output
    assert "pl4nted" not in done.output and not (folder / "runs").exists()


def test_a_task_file_of_the_working_folder_is_read_with_what_it_includes(folder: Path) -> None:
    (folder / "outer.yaml").write_text("include: own.yaml\ntask: outer\n")
    check_task(Path("outer.yaml"))
    assert [file.path.name for file in task_files(Path("outer.yaml"))] == ["outer.yaml", "own.yaml"]
    (folder / "marked.py").write_text("import a_module_of_nobody\n" + MARKED)
    with only_looking(), pytest.raises(ValueError, match="'a_module_of_nobody'"):
        check_extras("own.yaml")
    assert not (folder / "imported").exists()


def test_trust_is_no_part_of_what_a_run_is(folder: Path) -> None:
    del folder
    plain = load_recipe("harmful.yaml", [])
    trusted = load_recipe("harmful.yaml", ["trust.code=true"])
    assert trusted.trust.code and plain.identity() == trusted.identity()
    assert "trust" not in json.loads(plain.model_dump_json())


SHADOWS = ("typer", "click", "yaml", "pydantic", "rich", "torch", "random", "sitecustomize")


@pytest.mark.parametrize(
    "words",
    [
        ["stagelift", "runs"],
        ["stagelift.harness", "--version"],
        pytest.param(["stagelift", "run", "harmful.yaml", "--dry-run"], marks=pytest.mark.real),
    ],
)
def test_modules_of_the_working_folder_are_not_imported_for_those_that_are_installed(
    folder: Path, words: list[str]
) -> None:
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"from pathlib import Path\nPath('{name}-ran').touch()")
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**environment(), "STAGELIFT_TRUST": "folder"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [*folder.glob("*-ran")]
