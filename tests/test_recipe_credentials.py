"""A recipe that holds a credential is refused by the name of its key, and nothing else is shown."""

from typing import Any

import pytest

from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.credentials import check_no_credentials
from stagelift.harness.recipes.overrides import read_override
from stagelift.harness.recipes.read import load_recipe, shipped_recipes

# no form that anyone could know
SECRET = "qq7-planted-zz"
RECIPE: dict[str, Any] = {
    "name": "r",
    "stages": [{"sft": {"args": {"max_steps": 1}}}],
    "evals": {"accuracy": {"limit": 4}},
}


@pytest.mark.parametrize(
    ("part", "key", "variable"),
    [
        ({"stages": [{"sft": {"args": {"hub_token": SECRET}}}]}, "stages.sft.args.hub_token", "HF"),
        ({"stages": [{"sft": {"args": {"hub_token": 12345678}}}]}, "args.hub_token", "HF_TOKEN"),
        (
            {"stages": [{"sft": {"args": {"model_init_kwargs": {"token": SECRET}}}}]},
            "stages.sft.args.model_init_kwargs.token",
            "HF_TOKEN",
        ),
        (
            {"stages": [{"sft": {"args": {"model_init_kwargs": f'{{"token": "{SECRET}"}}'}}}]},
            "stages.sft.args.model_init_kwargs",
            "",
        ),
        ({"data": {"path": "d", "token": SECRET}}, "data.token", "HF_TOKEN"),
        (
            {"data": {"path": "d", "storage_options": {"secret": SECRET}}},
            "data.storage_options.secret",
            "",
        ),
        ({"data": {"path": f"https://me:{SECRET}@host/rows.jsonl"}}, "data.path", ""),
        ({"data": {"path": f"https://host/rows.jsonl?sig={SECRET}"}}, "data.path", ""),
        ({"model": {"path": "m", "revision": "hf_" + "a1B2c3" * 5}}, "model.revision", ""),
        (
            {"evals": {"preference": {"judge": {"openai": {"api_key": SECRET}}}}},
            "evals.preference.judge.openai.api_key",
            "OPENAI_API_KEY",
        ),
        (
            {"evals": {"preference": {"judge": {"openai": {"base_url": f"http://a:{SECRET}@h"}}}}},
            "evals.preference.judge.openai.base_url",
            "OPENAI_API_KEY",
        ),
        (
            {"evals": {"engine": {"server": {"url": "http://h", "headers": {"Auth": SECRET}}}}},
            "evals.engine.server.headers.Auth",
            "STAGELIFT_ENGINE_KEY",
        ),
        ({"evals": {"engine": {"vllm": {"args": {"hf-token": SECRET}}}}}, "args.hf-token", "HF"),
        (
            {"launcher": {"accelerate": {"env": f"WANDB_API_KEY={SECRET}"}}},
            "launcher.accelerate.env",
            "",
        ),
        ({"launcher": {"torchrun": {"run": f"--hf-token {SECRET}"}}}, "launcher.torchrun.run", ""),
        ({"ray": {"artefacts": f"s3://key:{SECRET}@bucket"}}, "ray.artefacts", "AWS_SECRET"),
        *(
            ({"lora": {name: SECRET}}, f"lora.{name}", "")
            for name in ("hftoken", "hubtoken", "hub_tokens", "tokens", "pass", "passwd", "pw")
        ),
        *(({"lora": {name: SECRET}}, f"lora.{name}", "") for name in ("pwd", "pat", "cookie")),
        ({"lora": {"secrets": {"a": SECRET}}}, "lora.secrets", ""),
        ({"lora": {"password": SECRET}}, "lora.password", ""),
        ({"variants": {"stages.sft.args.hub_token": [SECRET]}}, "stages.sft.args.hub_token", "HF"),
        ({"unknown": [{"deep": [{"secret": [SECRET]}]}]}, "unknown.deep.secret", ""),
        ({"gates": {f"https://a:{SECRET}@h": 1}}, "gates.a key of it", ""),
    ],
)
def test_it_is_refused_by_its_key_and_its_variable_is_named(
    part: dict[str, Any], key: str, variable: str
) -> None:
    with pytest.raises(UsageError, match="holds a credential") as refused:
        load_recipe({**RECIPE, **part}, [])
    sentence = str(refused.value)
    assert f"{key}' in the recipe" in sentence and variable in sentence
    assert SECRET not in sentence and "a1B2c3" not in sentence


@pytest.mark.parametrize(
    "override",
    [
        f"stages.sft.args.hub_token={SECRET}",
        f"stages=[{{sft: {{args: {{hub_token: {SECRET}}}}}}}]",
        f"stages=[{{sft: {{args: {{hub_token: {SECRET}",
        f"hub_token: {SECRET}",
        f"nowhere.at.all.token=[{SECRET}",
        f"name.deeper.password={SECRET}",
        f"evals.preference.judge.openai.base_url=http://me:{SECRET}@host/v1",
    ],
)
def test_what_set_gives_is_never_quoted(override: str) -> None:
    with pytest.raises(UsageError) as refused:
        load_recipe(RECIPE, [override])
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("given", ["null", "true", "false", ""])
def test_that_none_is_given_may_be_said(given: str) -> None:
    assert read_override(f"stages.sft.args.hub_token={given}", "seed=1")[1] in (None, True, False)


def test_names_of_layers_columns_and_special_tokens_are_none() -> None:
    check_no_credentials(
        {
            "lora": {"rank_pattern": {"attention.key": 8}, "target_modules": ["key", "value"]},
            "data": {"columns": {"token": "word", "key": "id"}},
            "scorers": [{"json": {"schema": {"properties": {"password": {"type": "string"}}}}}],
            "args": {"eos_token": "</s>", "pad_token": "<pad>", "max_tokens": 8, "hub_token": None},
            "generation_kwargs": {"token_healing": True, "max_new_tokens": 8},
            "chat_template": "{% set bos_token = '<s>' %}{{ messages[0]['key'] }}",
            "judge": {"openai": {"base_url": "http://127.0.0.1:8000/v1"}},
            "optim_args": "eps=1e-8,weight_decay=0",
        },
        "r",
    )


@pytest.mark.parametrize("name", shipped_recipes())
def test_no_shipped_recipe_is_refused(name: str) -> None:
    assert load_recipe(name, []).stages
