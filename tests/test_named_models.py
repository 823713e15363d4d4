import json
from pathlib import Path

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.named_models import read_chain
from stagelift.harness.recipes.read import as_written, chain_recipe


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("qwen", "sft"):
        Path(name).mkdir()
        Path(name, "config.json").write_text("{}")
    Path("dpo").mkdir()
    Path("dpo", "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "qwen"}))
    Path("model.gguf").write_bytes(b"GGUF")


@pytest.mark.usefixtures("folders")
def test_each_value_is_recognised_and_the_first_is_base_whatever_it_is_called() -> None:
    words = ["start=./qwen", "sft=./sft", "dpo=./dpo", "small=model.gguf"]
    recipe = chain_recipe("quickstart", [], read_chain(words), None)
    assert (recipe.model.path, recipe.base_name()) == ("./qwen", "start")
    assert [stage.model_dump() for stage in recipe.stages] == [
        {"name": "sft", "model": "./sft"},
        {"name": "dpo", "adapter": "./dpo"},
        {"name": "small", "gguf": "model.gguf"},
    ]
    assert recipe.name == "start-sft-dpo-small"
    assert as_written(recipe)["stages"][1] == {"checkpoint": {"name": "dpo", "adapter": "./dpo"}}


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["./qwen", "./sft"], "'./sft' has no name. .* such as sft=./sft"),
        (["sft=./dpo"], "sft=./dpo is an adapter, .* such as: base=qwen sft=./dpo"),
        (["base=./qwen", "sft=./gone"], r"sft=./gone: Model './gone' \(/.*gone\) does not exist"),
        (["base=./qwen", "a=./sft", "a=./dpo"], r"checkpoint\.name is 'a', as another stage"),
        (["base=./qwen", "base=./sft"], r"checkpoint\.name is 'base', as another stage"),
    ],
)
def test_what_is_no_chain_is_said_with_the_word_that_is_wrong(words: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        chain_recipe("quickstart", [], read_chain(words), None)
