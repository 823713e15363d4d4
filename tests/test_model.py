from pathlib import Path

import pytest

from stagelift.evals.models.bundled import GGUF_SHA256, HUB_ID, NAME
from stagelift.evals.models.model import adapter_hash, folder_hash, hub_model, model_fingerprint
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe


def adapter_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    return folder


def test_an_adapter_is_the_same_whatever_its_readme_says_and_what_an_upload_leaves_beside_it(
    tmp_path: Path,
) -> None:
    adapter = adapter_in(tmp_path / "adapter")
    before = adapter_hash(adapter)
    for name in ("README.md", ".gitattributes", ".README.md.12.tmp"):
        (adapter / name).write_text("anything")
        assert adapter_hash(adapter) == before
    (adapter / "adapter_model.safetensors").write_bytes(b"other weights")
    assert adapter_hash(adapter) != before


def test_a_checkpoint_keeps_its_node_when_its_readme_changes(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    adapter = adapter_in(tmp_path / "adapter")

    def ids() -> list[str]:
        overrides = [f"checkpoint={{adapter: {adapter.as_posix()}}}"]
        return [node.id for node in make_plan(load_recipe(str(tiny_recipe), overrides)).nodes]

    before = ids()
    (adapter / "README.md").write_text("a model card")
    assert ids() == before
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    assert ids() != before


def test_a_model_folder_is_identified_by_all_its_files_as_stored_runs_have_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.json").write_text("{}")
    without = folder_hash(tmp_path)
    # as 0.1.0 stored it
    assert without == "sha256:f12027b5949166b315ae9d023311e0e23efc5654d4b0f62e27fe7baa5eba4715"
    (tmp_path / "README.md").write_text("a model card")
    assert folder_hash(tmp_path) != without


@pytest.mark.parametrize(
    ("fingerprint", "expected"),
    [
        (f"bundled:{GGUF_SHA256}", (HUB_ID, None)),
        ("hub:org/model@0123abc", ("org/model", "0123abc")),
        ("hub:org/model@main", ("org/model", None)),
        ("sha256:0123", None),
        ("", None),
    ],
)
def test_a_fingerprint_says_what_the_hub_calls_the_model(
    fingerprint: str, expected: object
) -> None:
    assert hub_model(fingerprint) == expected


def test_every_fingerprint_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert hub_model(model_fingerprint("org/model", "0123")) == ("org/model", "0123")
    assert hub_model(model_fingerprint(NAME, None)) == (HUB_ID, None)
    assert hub_model(model_fingerprint(str(tmp_path), None)) is None
