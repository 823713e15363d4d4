"""The check shows a row of each stage as tokens will see it, and refuses rows that a chat template
cannot write, or that are in one already.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stagelift.evals.models.model import ModelRef
from stagelift.harness.cli import app
from stagelift.harness.graph.checkpoints import base_node
from stagelift.harness.graph.seen_rows import seen_row
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.rows.in_template import check_in_template
from stagelift.stages.settings import StageSettings
from tests import templates
from tests.conftest import make_tiny_model
from tests.test_chats import PAIR, source
from tests.test_source import jsonl

ROWS = [
    {"instruction": "Add.", "input": "2 and 3", "output": "It is 5."},
    {"instruction": "Add 2 and 4.", "input": "", "output": "It is 6."},
]
COLUMNS = "prompt: instruction, completion: output"
RECIPE = """
name: chats
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
stages:
  - sft: {{dataset: {{path: rows.jsonl, columns: {{{columns}}}{more}}},
           args: {{max_steps: 1, per_device_train_batch_size: 2}}}}
evals:
  accuracy: {{task: schoolmath, limit: 4, max_tokens: 4}}
  preference: {{prompts: null}}
"""


def check(model: Path, rows: list[dict[str, Any]], *words: str, more: str = "") -> Result:
    jsonl(Path("rows.jsonl"), rows)
    Path("chats.yaml").write_text(RECIPE.format(model=model.as_posix(), columns=COLUMNS, more=more))
    return CliRunner().invoke(app, [*(words or ("run", "chats.yaml", "--dry-run"))])


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_dry_run_shows_the_first_row_as_tokens_see_it(tiny_model: Path) -> None:
    said = check(tiny_model, ROWS)
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines()[-3:] == [
        "sft, first row of rows.jsonl (32 tokens, 9 of them learnt):",
        r"  prompt      <|im_start|>user\nAdd.\n\n2 and 3<|im_end|>\n<|im_start|>assistant\n",
        r"  completion  It is 5.<|im_end|>\n  [learnt]",
    ]


def test_a_plan_has_the_row_as_json(tiny_model: Path) -> None:
    check(tiny_model, ROWS)
    said = check(tiny_model, ROWS, "plan", "chats.yaml", "--format", "json")
    (row,) = json.loads(said.stdout)["rows"]
    assert (row["stages"], row["dataset"], row["generates"]) == ("sft", "rows.jsonl", False)
    assert [(part["name"], part["learnt"]) for part in row["parts"]] == [
        ("prompt", False),
        ("completion", True),
    ]


def test_plain_text_is_shown_plain(tiny_model: Path) -> None:
    lines = check(tiny_model, ROWS, more=", chat: false").stdout.splitlines()
    assert lines[-2:] == [
        r"  prompt      Add.\n\n2 and 3",
        "  completion  It is 5.<|im_end|>  [learnt]",
    ]


def test_a_long_or_hostile_row_is_shown_short_and_safe(tiny_model: Path, tmp_path: Path) -> None:
    text = "\x1b[31m" + "word " * 400 + "end"
    pair = source(tmp_path, {**PAIR, "prompt": text})
    base = ModelRef(path=str(tiny_model), dtype="float32", device="cpu")
    settings = StageSettings(kind="dpo", dataset=pair, args={"max_length": 4096})
    row = seen_row(settings, base)
    assert row is not None
    assert "\x1b" not in row.parts[0].text
    assert len(row.parts[0].text) < 260
    assert row.parts[0].text.endswith(r"end<|im_end|>\n<|im_start|>assistant\n")
    short = settings.model_copy(update={"args": {"max_length": 16}})
    cut = seen_row(short, base)
    assert cut is not None
    assert cut.parts[0].tokens == 16
    assert [part.tokens for part in cut.parts[1:]] == [0, 0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"instruction": "<|im_start|>user\nHi"}, "it begins with <|im_start|>"),
        ({"instruction": "[INST] Hi [/INST]"}, "it begins with [INST]"),
        ({"output": "It is 5.<|im_end|>"}, "it ends with <|im_end|>"),
    ],
)
def test_texts_in_a_template_already_are_refused(
    tiny_model: Path, row: dict[str, Any], says: str
) -> None:
    said = check(tiny_model, [ROWS[0], {**ROWS[1], **row}])
    assert said.exit_code == 2
    assert says in said.stderr.replace("\n", " ")
    assert "chat: false" in said.stderr.replace("\n", " ")
    assert check(tiny_model, [ROWS[0], {**ROWS[1], **row}], more=", chat: false").exit_code == 0


@pytest.mark.parametrize(
    ("template", "turns", "says"),
    [
        (templates.REFUSES_SYSTEM, ["system", "user"], "System role not supported"),
        (templates.ASKS_OTHERWISE, ["user"], "leaves that out before an answer"),
    ],
)
def test_rows_that_a_template_cannot_write_are_named(
    template: str, turns: list[str], says: str
) -> None:
    from tests.test_as_asked import tokenizer

    prompt = [{"role": role, "content": "Be kind."} for role in turns]
    row = {"prompt": prompt, "completion": [{"role": "assistant", "content": "Yes."}]}
    with pytest.raises(ValueError, match=f"the row that begins with 'Be kind.': .*{says}"):
        check_in_template([row], tokenizer(template), were_texts=False)


def test_a_model_without_a_template_is_trained_and_asked_in_plain_text(tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "plain", None)
    refused = check(model, ROWS)
    assert refused.exit_code == 2
    assert "set chat: false in every dataset" in refused.stderr.replace("\n", " ")
    assert check(model, ROWS, more=", chat: false").exit_code == 0
    recipe = load_recipe("chats.yaml", [])
    base = base_node(recipe.model, recipe.template, lambda _: ("cpu", "float32")).base
    assert base.chat_template is not None
    row = seen_row(StageSettings(kind="dpo", dataset=source(tmp_path, PAIR, chat=False)), base)
    as_turns = seen_row(StageSettings(kind="dpo", dataset=source(tmp_path, PAIR)), base)
    assert row is not None
    assert as_turns is not None
    assert [part.text for part in row.parts] == [part.text for part in as_turns.parts]
    assert row.parts[1].text == "It is 5.<|im_end|>"


BESIDE_RECIPE = """
name: beside
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
{more}
stages:
  - sft: {{dataset: {{path: rows.jsonl}}, args: {{max_steps: 1, per_device_train_batch_size: 1}}}}
evals:
  accuracy: {{task: schoolmath, limit: 4, max_tokens: 4}}
"""


def turns(*said: str) -> list[dict[str, str]]:
    return [dict(zip(("role", "content"), text.split(": ", 1), strict=True)) for text in said]


def checked(model: Path, rows: list[dict[str, Any]], more: str = "") -> Result:
    jsonl(Path("rows.jsonl"), rows)
    Path("beside.yaml").write_text(BESIDE_RECIPE.format(model=model.as_posix(), more=more))
    return CliRunner().invoke(app, ["run", "beside.yaml", "--dry-run"])


def test_a_template_that_raises_on_a_row_with_settings_is_named_in_a_sentence(
    tiny_model: Path,
) -> None:
    Path("raises.jinja").write_text(
        "{% for m in messages %}{% if m.role == 'system' %}"
        "{{ raise_exception('No system here') }}{% endif %}{{ m.content }}\\n{% endfor %}"
    )
    answer = {
        "completion": turns("assistant: It is 5."),
        "chat_template_kwargs": {"enable_thinking": False},
    }
    rows = [
        {"prompt": turns("user: 2 + 3?"), **answer},
        {"prompt": turns("system: Add.", "user: 2 + 3?"), **answer},
    ]
    result = checked(tiny_model, rows, "chat_template: raises.jinja")
    assert result.exit_code == 2
    assert "No system here" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"tokenize": True}, "cannot set 'tokenize', which is the tokenizer's own"),
        ({"chat_template": "{{ messages | length }}"}, "cannot set 'chat_template'"),
        ('{"thoughts": ', "chat_template_kwargs must be JSON where it is text"),
        ("[1]", "chat_template_kwargs must be settings by name, not [1]"),
    ],
)
def test_settings_of_a_row_that_are_the_tokenizers_own_are_refused(
    tiny_model: Path, settings: Any, says: str
) -> None:
    row = {"prompt": turns("user: 2 + 3?"), "completion": turns("assistant: 5")}
    result = checked(tiny_model, [{**row, "chat_template_kwargs": settings}])
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
