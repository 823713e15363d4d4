"""Kinds of stages: each in a file of its own, and told apart nowhere else."""

import ast
import subprocess
import sys

import pytest

from stagelift.stages.kinds import KINDS, kind_named
from tests.test_architecture import MODULES, ROOT

NAMES = {kind.name for kind in KINDS}


def names_in(module: str) -> set[str]:
    """The kinds that a module's code spells out, as it must to list them or compare with one."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    return NAMES & {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_no_module_but_its_own_knows_the_name_of_a_kind() -> None:
    spelled = {module: names for module in MODULES if (names := names_in(module))}
    # files of other people are put into the order that their names say
    of_files = {"evals.imports.sources": NAMES}
    # TRL calls one of DPO's losses sft
    of_losses = {"stages.dpo": {"dpo", "sft"}}
    assert spelled == {f"stages.{name}": {name} for name in NAMES} | of_files | of_losses


def test_every_kind_is_found_by_its_name_and_an_unknown_one_is_refused() -> None:
    assert [kind_named(kind.name) for kind in KINDS] == list(KINDS)
    with pytest.raises(ValueError, match=r"Unknown stage 'ppo'. Known stages: sft, dpo, grpo"):
        kind_named("ppo")


def test_rows_of_a_word_problem_have_the_columns_of_a_format() -> None:
    for kind in KINDS:
        for row in kind.from_problem("1 + 1?", "1 + 1 = 2\n#### 2"):
            assert any(set(columns) <= set(row) for columns in kind.formats), kind.name


def test_the_records_of_all_kinds_are_read_without_trl_or_torch() -> None:
    heavy = "{'trl', 'torch', 'transformers', 'datasets'} & set(sys.modules)"
    code = (
        f"import sys, stagelift.stages.kinds, stagelift.stages.reward; sys.exit({heavy} != set())"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
