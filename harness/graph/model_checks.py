"""Whether the models and adapters of a recipe can be used, before any is loaded or converted."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stagelift.evals.data.source import one_sentence
from stagelift.evals.models import adapters, gguf, given, pretrained
from stagelift.evals.models.bundled import NAME as BUNDLED_MODEL
from stagelift.evals.models.model import ModelRef, is_called, model_folder, remembered_of_model
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan, candidates
from stagelift.harness.graph.revision import quantisation
from stagelift.harness.recipes.sections import CheckpointSection, Recipe
from stagelift.stages.kinds import kind_named
from stagelift.stages.lora_settings import (
    changes_the_base,
    check_goes_on,
    is_principal,
    lora_config,
)
from stagelift.stages.saved_checkpoints import saved_checkpoints
from stagelift.stages.settings import StageSettings, config_on_paper
from stagelift.stages.targets import check_targets


def check_models(recipe: Recipe) -> None:
    """Check the files of every model and adapter that a recipe names. Raises ValueError."""
    _check_weights(recipe.model.path, "model.path", recipe.template)
    for section in recipe.checkpoints():
        where = f"checkpoint '{section.name}'"
        if section.checkpoints is not None:
            _check_trajectory(section, section.checkpoints)
        elif section.adapter is not None:
            _check_adapter(section, section.adapter)
        elif section.gguf is not None and not gguf.is_gguf(section.gguf):
            raise ValueError(f"'{section.gguf}', the gguf of {where}, is no GGUF file.")
        else:
            _check_weights(str(section.weights), where, recipe.template)


def check_adapters(plan: Plan) -> None:
    """Put every adapter on its model's skeleton, which has no weights.

    A target module that is not there shows now, as do weights of other shapes. Raises UsageError.
    """
    starting = {
        json.dumps([node.base.path, node.lora]): node
        for node in plan.nodes
        if node.starts_an_adapter
    }
    for node in starting.values():
        fit = partial(_fit_new, node.base, node.lora)
        _check_fits(node.base, "The adapter of section 'lora'", node.lora, fit)
    for node in with_candidates(plan):
        if node.adapter is not None:
            _check_given(node, Path(node.adapter))
        check_lies_on(node)
        if node.settings is not None and not node.starts_an_adapter:
            _check_goes_on(node, node.settings)


def with_candidates(plan: Plan) -> list[Node]:
    """Return the models of a plan: its nodes, and in the place of one that is selected among the
    user's checkpoints all of them.
    """
    return [each for node in plan.nodes for each in candidates(node) or [node]]


def check_lies_on(node: Node) -> None:
    """Refuse what cannot be merged, or not be trained on."""
    base = node.weights.base
    saved_so = quantisation(base.path, base.revision) is not None
    quantised = base.quantization is not None or saved_so
    if node.starts_an_adapter and is_principal(node.lora) and quantised:
        raise UsageError(
            f"Stage '{node.name}' begins with init_lora_weights: {node.lora['init_lora_weights']}, "
            f"which takes its part from weights in 16 or 32 bits, and those of {node.weights.name} "
            "are quantised. Leave it out, or start from weights that are not."
        )
    if node.exported is not None and saved_so:
        raise UsageError(
            f"Export '{node.name}' would be made of the weights of {node.weights.name}, which were "
            "saved quantised, and those that they were made from are not at hand. Start from these "
            "with model.quantization, or deploy what there is: leave export out."
        )
    # an export is of the weights as they were saved
    if node.merged and quantised and node.exported is None:
        raise UsageError(
            f"Stage '{node.name}' merges the adapter of {node.merged[-1].name} into the weights of "
            f"{node.weights.name}, which are quantised: rounding would change more than a stage "
            "does. Keep the `lora` of the stage before, or start from weights in 16 or 32 bits."
        )
    if node.settings is not None:
        _check_whole_layers(node, node.settings, node.lora)
    under = node.merged[-1:] if node.starts_an_adapter or node.adapter else [node.on]
    for below in under:
        for each in [] if below is None else candidates(below) or [below]:
            if each.adapter is not None:
                _check_is_lora(node, each, Path(each.adapter))


def _check_whole_layers(node: Node, settings: StageSettings, lora: dict[str, Any]) -> None:
    """Refuse to train layers whole, which is done in float32, where nothing mixes that with others
    in 16 bits: on a CPU, and when completions are generated.
    """
    whole, base = lora.get("modules_to_save"), node.base
    mixes = base.device != "cpu" and not kind_named(settings.kind).rewarded
    if whole and base.dtype != "float32" and not mixes:
        raise UsageError(
            f"Stage '{node.name}' trains whole layers in float32 (modules_to_save: {whole}), which "
            f"do not mix with others in {base.dtype} on a CPU, or where completions are generated. "
            "Say model.dtype: float32, or leave modules_to_save out."
        )


def _check_goes_on(node: Node, settings: StageSettings) -> None:
    """Refuse to go on with an adapter from elsewhere that the stage cannot train as it is."""
    origin = node.on
    while origin is not None and origin.adapter is None and not candidates(origin):
        origin = origin.on
    kind = kind_named(settings.kind)
    has_reference = kind.has_reference(config_on_paper(kind, settings.args))
    origins = [] if origin is None else candidates(origin) or [origin]
    for adapter in [each.adapter for each in origins if each.adapter is not None]:
        made_with = adapters.settings_of(Path(adapter))
        _check_whole_layers(node, settings, made_with)
        try:
            check_goes_on(node.name, adapter, made_with, has_reference)
        except ValueError as error:
            raise UsageError(str(error)) from error
        if is_principal(node.lora):
            raise UsageError(
                f"Stage '{node.name}' goes on with the adapter at '{adapter}', and "
                f"init_lora_weights: {node.lora['init_lora_weights']} says how a new one starts. "
                "Leave it out, or give the stage a `lora` of its own."
            )


def _check_is_lora(node: Node, below: Node, adapter: Path) -> None:
    settings = adapters.settings_of(adapter)
    kind = settings.get("peft_type", "LORA")
    if kind != "LORA":
        raise UsageError(
            f"Stage '{node.name}' lies on the adapter at '{adapter}' of stage '{below.name}', "
            f"which is of the kind {kind}. Only LoRA adapters can be trained on or merged: make it "
            "the last stage, or merge it and name the merged folder with `model`."
        )
    if settings.get("alora_invocation_tokens"):
        raise UsageError(
            f"'{node.name}' lies on the adapter at '{adapter}' of stage '{below.name}', which "
            "begins at some tokens of the text (alora_invocation_tokens), and no weights do: it "
            "can be measured, but neither trained on nor merged. Make it the last stage, and leave "
            "export out."
        )


def trained_on_other_models(plan: Plan) -> list[str]:
    """Say of each adapter of the user's whether it names another model than it is put on."""
    return [
        f"{node.name}: the adapter at '{node.adapter}' says that it was trained on '{named}', and "
        f"is put on {_place(node.weights)}. Its shapes fit; whether it is the same "
        "model cannot be seen. Say `onto:` in its checkpoint, or name the right model."
        for node in with_candidates(plan)
        if (named := other_model(node)) is not None
    ]


def _place(weights: Node) -> str:
    if candidates(weights):
        return f"the checkpoint that is selected as {weights.name}"
    return f"{weights.name} ({weights.base.path})"


def other_model(node: Node) -> str | None:
    """Return the model that a checkpoint's adapter names, where that is not what it is put on, or
    will only be known when one of several is selected.
    """
    if node.adapter is None:
        return None
    named = adapters.trained_on(Path(node.adapter))
    if candidates(node.weights):
        return named
    return None if named is None or is_called(node.weights.base, named) else named


def check_model_path(path: str) -> None:
    """Raise ValueError where a path is neither here, nor could be a Hub name."""
    if path != BUNDLED_MODEL and not Path(path).exists():
        given.check_hub_name(path)


def _check_weights(path: str, where: str, chat_template: str | None) -> None:
    check_model_path(path)
    if gguf.is_gguf(path):
        _check_gguf(Path(path), chat_template)
    elif Path(path).exists():
        if given.recognise(path).what == "adapter":
            raise ValueError(
                f"'{path}', the {where}, is an adapter, not full weights: name it with `adapter` "
                "in a checkpoint after the model that it lies on."
            )
        given.check_weights(Path(path))


def _check_gguf(file: Path, chat_template: str | None) -> None:
    header = gguf.read_header(file)
    if header.chat_template is None and chat_template is None:
        raise ValueError(
            f"GGUF file '{file}' has no chat template, which prompts need. Set chat_template in "
            "the recipe to a file with one."
        )
    if not gguf.is_prepared(file) and header.architecture not in pretrained.gguf_architectures():
        raise ValueError(
            f"GGUF file '{file}' is a '{header.architecture}', which transformers cannot "
            f"de-quantise. It can: {', '.join(pretrained.gguf_architectures())}."
        )


def _check_trajectory(section: CheckpointSection, folder: str) -> None:
    """Check the checkpoints that can be used; the others are left out by name."""
    for saved in saved_checkpoints(Path(folder)).whole:
        if saved.is_adapter:
            _check_adapter(section, str(saved.path))


def _check_adapter(section: CheckpointSection, adapter: str) -> None:
    folder = adapters.adapter_folder(adapter, section.revision)
    settings = given.check_adapter(folder)
    initialised = settings.get("init_lora_weights")
    if changes_the_base(initialised):
        raise ValueError(
            f"The adapter at '{adapter}' was initialised with {initialised}, which changes the "
            "weights below it: on the weights that it was made from it says something else. Save "
            "it as plain LoRA (peft: save_pretrained(..., path_initial_model_for_weight_conversion="
            "...)), or merge it and name the merged folder with `model`."
        )


def _check_given(node: Node, adapter: Path) -> None:
    fit = partial(_fit_weights, node.base, adapter)
    files = [str(file) for file in sorted(adapter.iterdir()) if file.is_file()]
    _check_fits(node.base, f"The adapter at '{adapter}'", files, fit)


def _check_fits(model: ModelRef, what: str, settings: object, fit: Callable[[], object]) -> None:
    def find_out() -> None:
        fit()

    try:
        remembered_of_model("adapter", model.path, model.revision, settings, find_out)
    except Exception as error:
        # whatever it is, it would also stop the work that comes later
        raise UsageError(f"{what} does not fit '{model.path}': {one_sentence(error)}") from error


def _put_on(model: ModelRef, config: Any) -> Any:
    """Return a model's skeleton with a new adapter, which finds what its settings name."""
    try:
        policy = _fit(model, lambda: config)
    except ValueError as error:
        if isinstance(config.target_modules, str) and "not found" in str(error):
            raise ValueError(
                f"target_modules is the text '{config.target_modules}', a regular expression that "
                "no layer's whole name matches. Write a list of last names, such as "
                f"[{config.target_modules}], or an expression such as .*q_proj, or all-linear"
            ) from error
        if "Target modules" in str(error) and "not found" in str(error):
            raise ValueError(_no_such_layers(model, config)) from error
        raise
    check_targets(policy, config)
    return policy


def _no_such_layers(model: ModelRef, config: Any) -> str:
    """Say which layers a model has, where it has none of those that an adapter is asked for."""
    from torch.nn import Linear

    skeleton = pretrained.skeleton(model_folder(model.path), model.revision)
    linear = [name for name, layer in skeleton.named_modules() if isinstance(layer, Linear)]
    names = ", ".join(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    return (
        f"no layer is called {', '.join(map(str, sorted(config.target_modules)))}. Its linear "
        f"layers are {names}; all-linear takes every one"
    )


def _fit(model: ModelRef, load: Callable[[], Any]) -> Any:
    """Return a model's skeleton with an adapter of the settings that `load` reads."""
    import torch
    from peft import get_peft_model

    skeleton = pretrained.skeleton(model_folder(model.path), model.revision)
    with torch.device("meta"):
        return get_peft_model(skeleton, load())


def _fit_new(model: ModelRef, lora: dict[str, Any]) -> None:
    """Refuse a rank that no weight can use: peft takes any, and memory does not.

    A change of rank r to a weight of m x n is one of rank min(m, n) at most. A rank that is too
    high for some weights only, as of keys and values that heads share, is usual.
    """
    policy = _put_on(model, lora_config(lora))
    below = [layer for layer in policy.modules() if "default" in getattr(layer, "lora_A", ())]
    sides = [min(layer.in_features, layer.out_features) for layer in below]
    if sides and all(layer.r["default"] > side for layer, side in zip(below, sides, strict=True)):
        raise ValueError(
            f"r is {lora.get('r', below[0].r['default'])}, and the weights that it changes have "
            f"ranks of {max(sides)} at most: what is above that only takes memory. 8 to 64 is usual"
        )


def _fit_weights(model: ModelRef, adapter: Path) -> None:
    from peft import get_peft_model_state_dict

    policy = _fit(model, partial(pretrained.adapter_config, adapter))
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        return
    own = get_peft_model_state_dict(policy, save_embedding_layers=False)
    shapes = {name: tuple(tensor.shape) for name, tensor in {**policy.state_dict(), **own}.items()}
    saved = given.tensor_shapes(weights)
    for name, shape in saved.items():
        if name not in shapes:
            raise ValueError(f"it has weights for '{name}', which is not there")
        if shape != shapes[name]:
            raise ValueError(
                f"'{name}' is {_written(shape)} in it, and {_written(shapes[name])} there"
            )
    missing = next((name for name in own if name not in saved), None)
    if missing is not None:
        raise ValueError(f"its weights of '{missing}' are missing")


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
