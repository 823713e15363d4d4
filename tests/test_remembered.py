import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.models.model import remembered_of_model
from stagelift.evals.remembered import model_files, remembered
from stagelift.stages.kinds import kind_named
from stagelift.stages.lora_settings import check_lora
from stagelift.stages.settings import config_on_paper
from tests.conftest import environment


class Asked:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def test_the_same_question_is_asked_once_and_another_again(tmp_path: Path) -> None:
    asked = Asked()
    answers = [
        remembered("speed", depends_on, asked, tmp_path)
        for depends_on in ({"beta": 1}, {"beta": 1}, {"beta": 1.0}, {"beta": "1"}, {"beta": 1})
    ]
    assert answers == [1, 1, 2, 3, 1]


def test_a_file_that_is_named_counts_with_what_it_holds(tmp_path: Path) -> None:
    asked, named = Asked(), tmp_path / "deepspeed.json"
    question = {"args": [{"deepspeed": str(named)}]}
    answers = []
    for content in (None, "{}", "{ }", "{}"):
        if content is not None:
            named.write_text(content)
        answers.append(remembered("config", question, asked, tmp_path / "kept"))
    assert answers == [1, 2, 3, 2]


def test_an_error_is_raised_each_time(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ValueError("no such argument")

    for _ in range(2):
        with pytest.raises(ValueError, match="no such argument"):
            remembered("config", {}, refuse, tmp_path)


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", "{}", "null", '{"answer": 5}', '{"answer": null}', "[" * 100_000],
    ids=lambda damage: damage[:16],
)
def test_a_damaged_answer_is_found_out_again(tmp_path: Path, damage: str) -> None:
    asked = Asked()
    remembered("config", {}, asked, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(damage)
    assert remembered("config", {}, asked, tmp_path) == 2


def test_an_answer_that_was_changed_is_found_out_again(tmp_path: Path) -> None:
    sizes = {"width": 32, "layers": 2}
    remembered("sizes", {}, lambda: sizes, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text().replace('"width": 32', '"width": null'))
    assert remembered("sizes", {}, lambda: sizes, tmp_path) == sizes
    assert remembered("sizes", {}, Asked(), tmp_path) == sizes


UNREADABLE = "/proc/self/mem"


@pytest.mark.skipif(not Path(UNREADABLE).is_file(), reason="only Linux has it")
def test_what_depends_on_a_file_that_cannot_be_read_is_found_out_each_time(tmp_path: Path) -> None:
    asked, question = Asked(), {"deepspeed": UNREADABLE}
    assert [remembered("config", question, asked, tmp_path) for _ in range(2)] == [1, 2]


def test_a_question_that_json_cannot_hold_is_answered(tmp_path: Path) -> None:
    assert remembered("config", {"args": {1: "a", "b": "c"}}, Asked(), tmp_path) == 1


def test_where_nothing_can_be_kept_it_is_found_out_each_time(tmp_path: Path) -> None:
    asked, file = Asked(), tmp_path / "file"
    file.write_text("")
    assert [remembered("config", {}, asked, file) for _ in range(2)] == [1, 2]


def test_a_model_is_known_by_its_files_beside_the_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("weights")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    assert list(model_files(tmp_path)) == ["additional_chat_templates/tools.jinja", "config.json"]
    before = model_files(tmp_path)
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    assert model_files(tmp_path) != before


def test_a_model_whose_files_cannot_be_seen_is_asked_about_each_time() -> None:
    asked, name = Asked(), "nobody/has-this-model-in-the-cache"
    assert [remembered_of_model("template", name, None, None, asked) for _ in range(2)] == [1, 2]


ASKS = """
from stagelift.evals.models.model import remembered_of_model
for name, commit, template in (
    ("a/one", "1" * 40, "first"),
    ("a/two", "1" * 40, "second"),
    ("a/one", "2" * 40, "third"),
    ("a/one", "1" * 40, "not asked"),
):
    print(remembered_of_model("template", name, commit, None, lambda: template))
"""


def test_models_of_equal_configs_and_commits_of_one_model_are_told_apart(tmp_path: Path) -> None:
    for name, commit in (("a--one", "1"), ("a--two", "1"), ("a--one", "2")):
        snapshot = tmp_path / "hub" / f"models--{name}" / "snapshots" / (commit * 40)
        snapshot.mkdir(parents=True)
        (snapshot / "config.json").write_text("{}")
    folders = {"HF_HUB_CACHE": str(tmp_path / "hub"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    said = subprocess.run(
        [sys.executable, "-c", ASKS],
        env=environment() | folders,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.splitlines() == ["first", "second", "third", "first"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"max_step": 3}, "did you mean 'max_steps'"),
        ({"beta": "high"}, "does not fit"),
        ({"max_steps": 3, "loss_type": ["sigmoid"], "loss_weights": [1.0, 2.0]}, "loss_weights"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_as_before(
    args: dict[str, Any], message: str
) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            config_on_paper(kind_named("dpo"), args)


def test_lora_settings_that_do_not_fit_are_refused_as_before() -> None:
    for _ in range(2):
        check_lora({"r": 4})
        with pytest.raises(ValueError, match="did you mean 'lora_alpha'"):
            check_lora({"r": 4, "lora_alfa": 8})


def test_a_remembered_config_has_the_numbers_of_the_real_one() -> None:
    method, args = kind_named("grpo"), {"num_generations": 2, "per_device_train_batch_size": 2}
    first, again = config_on_paper(method, args), config_on_paper(method, args)
    assert vars(first) == vars(again)
    assert (again.num_generations, again.max_completion_length, again.max_steps) == (2, 512, -1)


PREPARES = """
import sys
from pathlib import Path
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import prepare
prepare(load_recipe(sys.argv[1], []), Store(Path("runs")))
print(*sorted({"torch", "transformers", "trl", "peft", "scipy"} & set(sys.modules)))
"""


@pytest.mark.real
def test_what_was_checked_before_is_checked_without_the_libraries(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    variables = environment() | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    first, again = (
        subprocess.run(
            [sys.executable, "-c", PREPARES, str(tiny_recipe)],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    )
    assert {"peft", "torch", "transformers", "trl"} <= set(first)
    assert again == []
