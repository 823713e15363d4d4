"""Nobody's private names are used: not a library's, and not those of another module of ours."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.sources import ROOT, every_file, place, syntax

# underscored to keep them apart from field names, but documented
DOCUMENTED = {"_replace", "_asdict", "_fields", "_make", "os._exit"}
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "patch", "object"}


class Use(NamedTuple):
    """A private name that is used all the same, why, and the test that fails when it changes."""

    file: str
    name: str
    reason: str
    test: str


ALLOWED = [
    Use(
        "evals/models/engines/inference.py",
        "twin._parameters",
        "torch registers weights one by one, and a copy takes others all at once",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "evals/models/engines/inference.py",
        "module._parameters",
        "torch registers weights one by one, and a copy takes others all at once",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "evals/models/cpu.py",
        "mkldnn._reorder_linear_weight",
        "torch has no public way to lay out weights for oneDNN, whose gain is measured",
        "test_cpu.py::test_packed_layers_are_measured_where_torch_has_them",
    ),
    Use(
        "evals/models/cpu.py",
        "mkldnn._linear_pointwise",
        "torch has no public way to multiply float32 through oneDNN, whose gain is measured",
        "test_cpu.py::test_packed_layers_are_measured_where_torch_has_them",
    ),
    Use(
        "evals/models/engines/packed.py",
        "mkldnn._reorder_linear_weight",
        "torch has no public way to lay out weights for oneDNN",
        "test_transformers_engine.py::test_packed_layers_compute_the_same",
    ),
    Use(
        "evals/models/engines/packed.py",
        "mkldnn._linear_pointwise",
        "torch has no public way to multiply with weights that are laid out",
        "test_transformers_engine.py::test_packed_layers_compute_the_same",
    ),
    Use(
        "evals/models/engines/inference.py",
        "module._buffers",
        "torch gives a module's buffers, but takes no others",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "evals/models/engines/inference.py",
        "module._modules",
        "torch gives a module's children, but takes no others",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "evals/models/engines/inference.py",
        "twin._buffers",
        "torch gives a module's buffers, but takes no others",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "evals/models/engines/inference.py",
        "twin._modules",
        "torch gives a module's children, but takes no others",
        "test_transformers_engine.py::test_an_adapter_is_merged_and_the_policy_stays_as_it_is",
    ),
    Use(
        "tests/test_scoring.py",
        "task._instances",
        "lm-eval filters the responses to requests that it made itself",
        "test_scoring.py::test_a_reading_is_what_the_task_of_lm_eval_makes_of_the_response",
    ),
    Use(
        "stages/lm_head.py",
        "utils._use_triton",
        "TRL skips positions without a label on Triton devices only and has no switch for it; "
        "used with the versions that were tested, never with others",
        "test_faster.py::test_trl_still_scores_as_the_faster_head_does",
    ),
    Use(
        "stages/lm_head.py",
        "utils._ChunkedLogProbFunction",
        "TRL projects the vocabulary twice and has no switch for it; "
        "used with the versions that were tested, never with others",
        "test_faster.py::test_trl_still_scores_as_the_faster_head_does",
    ),
    Use(
        "stages/signal.py",
        "of_trl._compute_loss",
        "TRL has no way to leave completions out; "
        "used with the versions that were tested, never with others",
        "test_faster.py::test_the_gradient_of_the_same_completions_is_that_of_trl",
    ),
    Use(
        "stages/signal.py",
        "of_trl._get_per_token_logps_and_entropies",
        "TRL has no way to leave completions out; "
        "used with the versions that were tested, never with others",
        "test_faster.py::test_the_gradient_of_the_same_completions_is_that_of_trl",
    ),
    Use(
        "stages/products.py",
        "mkldnn._linear_pointwise",
        "torch has no public way to multiply float32 through oneDNN; "
        "used with the versions that were tested, never with others",
        "test_products.py::test_outputs_and_gradients_are_those_of_torch",
    ),
    Use(
        "stages/packed/fits.py",
        "config._attn_implementation",
        "transformers has no public name for the attention that is used; "
        "used with the versions that were tested, never with others",
        "test_packed.py::test_states_and_gradients_are_those_of_padded_rows",
    ),
    Use(
        "stages/packed/forward.py",
        "config._attn_implementation",
        "transformers has no public name for the attention that is used; "
        "used with the versions that were tested, never with others",
        "test_packed.py::test_states_and_gradients_are_those_of_padded_rows",
    ),
    Use(
        "stages/trainers.py",
        "trainer._tokenize_prompts",
        "what TRL has learnt from are its own tokens of a prompt; "
        "used with the versions that were tested, never with others",
        "test_rollouts.py::test_the_likeliest_completions_are_those_that_trl_generates",
    ),
    Use(
        "stages/trainers.py",
        "trainer._generate_single_turn",
        "what the engine does not do is left to TRL; "
        "used with the versions that were tested, never with others",
        "test_rollouts.py::test_the_likeliest_completions_are_those_that_trl_generates",
    ),
    Use(
        "stages/trainers.py",
        "super()._generate_single_turn",
        "RLOO takes no `rollout_func`; used with the versions that were tested, never with others",
        "test_rollouts.py::test_the_likeliest_completions_are_those_that_trl_generates",
    ),
    Use(
        "stages/tools.py",
        "of_trl._generate_and_score_completions",
        "TRL shows a template no tools of rows; "
        "used with the versions that were tested, never with others",
        "test_as_asked.py::test_a_trainer_is_given_the_tokens_that_are_asked_and_shown",
    ),
    Use(
        "stages/tools.py",
        "of_trl._tokenize_prompts",
        "TRL shows a template no tools of rows; "
        "used with the versions that were tested, never with others",
        "test_as_asked.py::test_a_trainer_is_given_the_tokens_that_are_asked_and_shown",
    ),
    Use(
        "tests/test_as_asked.py",
        "trainer._tokenize_prompts",
        "the tokens that a trainer of TRL's asks with are in no public place",
        "test_as_asked.py::test_a_trainer_is_given_the_tokens_that_are_asked_and_shown",
    ),
    Use(
        "evals/lm_eval/configs.py",
        "lm_eval.tasks._yaml_loader",
        "lm-eval reads a task's YAML (`include`, `!function`) by nothing public, and its reading "
        "is the one that counts",
        "test_lm_tasks.py::test_a_fingerprint_is_of_content_and_not_of_place",
    ),
    Use(
        "evals/models/pretrained.py",
        "_attn_implementation",
        "what a model's settings ask for is in no public attribute once they are read",
        "test_trust.py::test_a_model_that_names_a_kernel_of_the_hub_is_refused",
    ),
]


def private_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of every use of an underscored name that is not one's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            name = f"{ast.unparse(node.value).split('.')[-1]}.{node.attr}"
            if not name.startswith(("self.", "cls.")):
                yield node.lineno, name
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if is_private(node.module or ""):
                    yield node.lineno, str(node.module)
                elif is_private(alias.name):
                    yield node.lineno, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Call) and called(node) in BY_NAME:
            texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
            yield from ((node.lineno, str(text)) for text in texts if is_private(str(text)))


def is_private(dotted: str) -> bool:
    """Whether a part of a dotted name begins with one underscore."""
    return any(re.match(r"_[^_]", part) for part in dotted.split("."))


def called(call: ast.Call) -> str:
    """Return the last part of what is called."""
    return ast.unparse(call.func).split(".")[-1]


def uses() -> Iterator[tuple[str, str, str]]:
    """Yield file, name and address of every use in our code that Python does not document."""
    for file in every_file():
        for line, name in private_names(syntax(file)):
            if not {name, name.split(".")[-1]} & DOCUMENTED:
                yield file.relative_to(ROOT).as_posix(), name, place(file, line)


def test_private_names_are_used_where_the_list_has_a_reason() -> None:
    listed = {(use.file, use.name) for use in ALLOWED}
    for file, name, address in uses():
        assert (file, name) in listed, f"{address} uses {name}, which is private"


def test_the_list_holds_what_is_used() -> None:
    used = {(file, name) for file, name, _ in uses()}
    assert {(use.file, use.name) for use in ALLOWED} <= used


def test_a_test_watches_each_of_them() -> None:
    for use in ALLOWED:
        file, _, name = use.test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), use


def test_private_names_are_found_however_they_are_reached() -> None:
    def found(source: str) -> list[str]:
        return [name for _, name in private_names(ast.parse(source))]

    assert found("from torch._utils import x") == ["torch._utils"]
    assert found("import torch._utils as u") == ["torch._utils"]
    assert found("from stagelift.evals.files import _write") == ["stagelift.evals.files._write"]
    assert found("trl.trainer.utils._use_triton = None") == ["utils._use_triton"]
    assert found("task()._instances") == ["task()._instances"]
    assert found("getattr(task, '_instances')") == ["_instances"]
    assert found("mock.patch('trl.utils._use_triton')") == ["trl.utils._use_triton"]
    assert found("patch.object(trl.utils, '_use_triton', None)") == ["_use_triton"]
    assert found("self._own; cls._own; x.__class__; _local(1); x.public") == []
