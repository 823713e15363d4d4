"""A trained stage's model card: the README.md of its adapter folder, for `stagelift push`.

The comparisons are those of the chain up to this stage, so that what was trained after it changes
no verdict. No dates, no model output, and of a folder of this machine only its last part. The
licence is left to the user.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from stagelift.evals.contract import OF_THE_SERVER
from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.metrics.measures import leading, measure
from stagelift.evals.printed import one_line, safe_text
from stagelift.evals.records import Passport
from stagelift.reports.formats.model_index import (
    eval_results,
    metric_title,
    read_rows,
    shown_metrics,
)
from stagelift.reports.numbers.families import BESIDE_THE_MAIN
from stagelift.reports.numbers.headline import is_accuracy_again
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import RunReport, build_report
from stagelift.reports.tables.table import NOTHING
from stagelift.reports.words import counting, formatting
from stagelift.reports.words.escaping import (
    fenced,
    folded,
    inline,
    last_part,
    paragraph,
    table_line,
    without_folders,
    yaml_without_folders,
)
from stagelift.reports.words.illness import illness_sentences
from stagelift.reports.words.provenance import (
    dtype_words,
    export_line,
    is_in_four_bits,
    passport_lines,
)
from stagelift.reports.words.summary import export_sentences
from stagelift.reports.words.trajectory import trajectory_sentence

_BOLD = ("improved", "regressed")
_FILL_IN = "FILL-IN"
_BUNDLED_BASE = "from stagelift.evals.bundled import bundled_model\n\nbase = str(bundled_model())"
_FACTS = (
    "stage",
    "data",
    "steps",
    "tokens",
    "time",
    "trainable parameters",
    "peak memory",
    "on",
    "seed",
)
_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]*/)?[A-Za-z0-9_][A-Za-z0-9_.-]*")


def render_card(run: RunRecord, stage: StageRecord) -> str:
    """Return the card of a trained stage of a run, ending in a newline.

    Raises ValueError where the stage trained nothing.
    """
    if stage.training is None:
        raise ValueError(
            f"Stage '{stage.name}' of run '{run.name}' trained nothing, so it has no model card."
        )
    chain = run.chain(stage)
    exports = tuple(export for export in run.exports if export.parent == stage.name)
    alone = replace(
        run, stages=chain, missing=[], chains=(), lattice=False, repeats=(), exports=exports
    )
    (report,) = build_report([alone]).runs
    judge = report.passport
    parts = [
        _front_matter(run, chain, judge),
        f"# {inline(_name(run, stage))}",
        _summary(run, chain),
        *_headline(report, chain),
        f"## How to load it\n\n{_loading(run, stage)}",
        f"## What was measured\n\n{_contract(stage)}",
        _table(report, chain),
        _reading(stage),
    ]
    if judge is not None:
        parts.append(_judge(judge))
    parts.append(f"## Training\n\n{_training(chain)}")
    parts += [paragraph(trajectory_sentence(curve)) for curve in report.trajectories]
    parts += [_illness(member) for member in chain if illness_sentences(member)]
    if exports:
        said = " ".join(map(inline, export_sentences(report)))
        parts.append(f"## Deployed\n\n{inline(export_line(report.record))}.\n\n{said}")
    if run.recipe:
        parts.append(_recipe(run, stage))
    parts.append(f"## Limits\n\n{_limits(stage)}")
    parts.append(f"## Licence\n\n{_licence(run, chain)}")
    return "\n\n".join(parts) + "\n"


def _name(run: RunRecord, stage: StageRecord) -> str:
    return f"{run.name}-{stage.name}"


def _in_four_bits(chain: list[StageRecord]) -> bool:
    return is_in_four_bits(chain[-1].evaluation.contract)


def _front_matter(run: RunRecord, chain: list[StageRecord], judge: Passport | None) -> str:
    """Return the YAML block.

    What only the user knows is a comment in it, for the Hub refuses a made-up value.
    """
    from huggingface_hub import ModelCardData

    base = _hub_name(run.base_model)
    kinds = [one_line(stage.kind) for stage in chain if stage.training is not None]
    data = ModelCardData(
        base_model=base,
        datasets=_hub_datasets(chain) or None,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=["stagelift", "trl", "lora", *kinds, *(["4-bit"] if _in_four_bits(chain) else [])],
        model_name=one_line(_name(run, chain[-1])),
        eval_results=eval_results(chain[-1], chain, None if judge is None else judge.fit),
    )
    comments = [
        "# stagelift writes this file anew when a run with this stage is run again: fill it in on "
        "the Hub, or in a copy.",
        "# license: to be filled in by you; the licences of the base model and of the training "
        "data apply.",
    ]
    if base is None:
        comments.append("# base_model: to be filled in by you; it was a local folder.")
    return "\n".join(["---", *comments, data.to_yaml(line_break="\n"), "---"])


def _hub_name(name: str | None) -> str | None:
    """Return the name where the Hub could have such a repository; it refuses cards with others."""
    if name is None or len(name) > 96 or not _REPOSITORY.fullmatch(name):
        return None
    return name


def _hub_datasets(chain: list[StageRecord]) -> list[str]:
    trained = [stage for stage in chain if stage.training is not None]
    rows = [read_rows(_data(stage)) for stage in trained]
    names = [_hub_name(dataset.type) for dataset in rows if dataset.on_hub]
    return list(dict.fromkeys(name for name in names if name is not None))


def _data(stage: StageRecord) -> str:
    """Return the fingerprint of a stage's training data; empty where it has none."""
    return str(stage.identity.get("data", ""))


def _summary(run: RunRecord, chain: list[StageRecord]) -> str:
    names = " → ".join(inline(stage.name) for stage in chain)
    stage = chain[-1]
    return (
        f"A LoRA adapter for {_model(run, stage)}, as it was after stage **{inline(stage.name)}** "
        f"of {names}. {_what_it_holds(run, stage)} Made by run **{inline(run.name)}** of "
        "stagelift, which measures the model after every stage, under one contract."
    )


def _what_it_holds(run: RunRecord, stage: StageRecord) -> str:
    if not stage.merged and run.weights(stage).given:
        return "It is put on these weights by itself."
    if not stage.merged:
        return (
            "One adapter is carried through all stages: this one holds them all and is put on the "
            "base model by itself."
        )
    return (
        f"It is not enough by itself: the adapters of {inline(', '.join(stage.merged))} must be "
        "merged into the base model before, in float32, because later stages have other LoRA "
        "settings."
    )


def _model(run: RunRecord, stage: StageRecord) -> str:
    name, weights = _hub_name(run.base_model), run.weights(stage)
    if weights.given:
        return f"the weights of stage **{inline(weights.name)}** ({inline(weights.given)})"
    if name is None:
        return f"**{inline(run.model)}** (a model in a local folder)"
    if _is_exact(run, stage):
        return _link(name)
    return f"**{inline(run.model)}**, which derives from {_link(name)}"


def _link(name: str) -> str:
    return f"[{inline(name)}](https://huggingface.co/{name})"


def _is_exact(run: RunRecord, stage: StageRecord) -> bool:
    """Say whether the stages trained on the very weights that lie on the Hub under `base_model`."""
    return str(run.weights(stage).identity.get("model", "")).startswith("hub:")


def _headline(report: RunReport, chain: list[StageRecord]) -> list[str]:
    """Say first what most visitors look for: accuracy without this adapter and with it."""
    base, stage = chain[0], chain[-1]
    name = leading(stage.evaluation.metrics) or "accuracy"
    comparison = report.find(name, stage, base.name)
    if comparison is None:
        return []
    before = formatting.value(name, base.evaluation.metrics[name])
    now = formatting.value(name, stage.evaluation.metrics[name])
    problems = f"{comparison.n} test problems of {inline(str(stage.evaluation.contract['task']))}"
    difference = " ".join(formatting.difference(comparison))
    verdict = inline(formatting.verdict(comparison))
    title = "Accuracy" if name == "accuracy" else f"Score {inline(measure(name).title)}"
    unit = " percentage points" if measure(name).unit == "share" else ""
    return [
        f"{title} on {problems}: **{now}**, the base model {before}; difference {difference}"
        f"{unit}, {verdict}."
    ]


def _loading(run: RunRecord, stage: StageRecord) -> str:
    contract = stage.evaluation.contract
    code = [
        *(["import torch"] if is_in_four_bits(contract) else []),
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer"
        + (", BitsAndBytesConfig" if is_in_four_bits(contract) else ""),
        "",
        *_model_code(run, stage),
        "",
        *_question_code(contract),
    ]
    return "\n\n".join([fenced("\n".join(code), "python"), *_loading_notes(run, stage)])


def _model_code(run: RunRecord, stage: StageRecord) -> list[str]:
    name, dtype = _hub_name(run.base_model), stage.evaluation.contract["dtype"]
    if dtype == OF_THE_SERVER:
        # as the weights are stored
        dtype = "auto"
    base = f'base = "{_FILL_IN}"  # the base model: a folder, or its name on the Hub'
    revision = ""
    if name is not None:
        base = f"base = {json.dumps(name)}"
        if run.base_revision:
            revision = f", revision={json.dumps(run.base_revision)}"
    # other adapters are merged in float32
    loaded_in = json.dumps("float32" if stage.merged else dtype)
    in_four_bits = is_in_four_bits(stage.evaluation.contract)
    quantised = ", quantization_config=four_bits" if in_four_bits else ""
    return [
        base,
        *(_quantising_code(dtype) if in_four_bits else []),
        f'adapter = "{_FILL_IN}"  # this repository\'s name on the Hub, or the folder that this '
        "file lies in",
        f"tokenizer = AutoTokenizer.from_pretrained(base{revision})",
        f"model = AutoModelForCausalLM.from_pretrained(base{revision}, dtype={loaded_in}"
        f"{quantised})",
        *_merging_code(stage.merged, dtype),
        "model = PeftModel.from_pretrained(model, adapter).eval()",
    ]


def _quantising_code(dtype: str) -> list[str]:
    """Write how the weights were quantised; such as were saved so stay as they are."""
    return [
        'four_bits = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", '
        f"bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.{dtype})",
    ]


def _merging_code(merged: Sequence[str], dtype: str) -> list[str]:
    lines = [
        f'model = PeftModel.from_pretrained(model, "{_FILL_IN}").merge_and_unload()'
        f"  # the adapter of stage {one_line(name)}"
        for name in merged
    ]
    if merged and dtype != "float32":
        method = "half" if dtype == "float16" else "bfloat16"
        lines.append(f"model = model.{method}()")
    return lines


def _question_code(contract: dict[str, Any]) -> list[str]:
    form = "asked in this form"
    if contract["num_fewshot"]:
        form += f", here without its {contract['num_fewshot']} examples"
    arguments = f"max_new_tokens={contract['max_tokens']}, {_decoding(contract)}"
    return [
        'question = "Question: A shop has 3 boxes with 4 pens each. How many pens are there?'
        f'\\nAnswer:"  # {form}',
        'chat = [{"role": "user", "content": question}]',
        "prompt = tokenizer.apply_chat_template("
        'chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)',
        f"written = model.generate(**prompt, {arguments})",
        'print(tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], '
        "skip_special_tokens=True))",
    ]


def _decoding(contract: dict[str, Any]) -> str:
    """Write the contract's decoding as arguments of `generate`."""
    arguments = "do_sample=False"
    sampled = re.fullmatch(r"sampled at temperature ([0-9.]+)", str(contract["decoding"]))
    if sampled is not None:
        arguments = f"do_sample=True, temperature={sampled[1]}"
    end = contract.get("eos_token")
    if end is not None:
        arguments += f", eos_token_id=tokenizer.convert_tokens_to_ids({json.dumps(end)})"
    return arguments


def _loading_notes(run: RunRecord, stage: StageRecord) -> list[str]:
    """Say where this base differs from what the snippet, or PEFT on its own, would load."""
    return [*_four_bit_notes(stage), *_base_notes(run, stage)]


def _four_bit_notes(stage: StageRecord) -> list[str]:
    if not is_in_four_bits(stage.evaluation.contract):
        return []
    return [
        "It was trained and measured on weights in 4 bits (nf4, with quantised constants; package "
        "bitsandbytes). On the same weights in 16 bits, or merged into them, it is another model "
        "than the one measured below."
    ]


def _base_notes(run: RunRecord, stage: StageRecord) -> list[str]:
    if _hub_name(run.base_model) is None:
        return [
            "The base model was a local folder: name it here and as `base_model` above, and in "
            "`adapter_config.json` as `base_model_name_or_path`, where PEFT looks for it."
        ]
    if _is_exact(run, stage):
        return []
    return [
        f"It was trained and measured on {inline(run.model)}, not on the original weights: on "
        "those, the numbers below will differ. Where stagelift is installed, these are the very "
        "weights:",
        fenced(_BUNDLED_BASE, "python"),
        "`adapter_config.json` does not name a base that others have: set "
        "`base_model_name_or_path` there before loading the adapter by its name alone.",
    ]


def _contract(stage: StageRecord) -> str:
    """Say in a sentence what was asked and how."""
    contract = stage.evaluation.contract
    sentences = [_questions(stage)]
    if stage.verdicts:
        judge = inline(last_part(str(contract["judge"])))
        sentences.append(f"Win rates by judge {judge}.")
    tasks = [str(task["task"]) for task in contract.get("tasks", [])]
    if tasks:
        sentences.append(f"Tasks of lm-eval, run by lm-eval: {inline(', '.join(tasks))}.")
    sentences.append(
        f"The contract of all this has the id {inline(stage.evaluation.contract_id)}: only numbers "
        "under the same contract compare."
    )
    return " ".join(sentences)


def _questions(stage: StageRecord) -> str:
    contract, metrics = stage.evaluation.contract, stage.evaluation.metrics
    asked = []
    name = leading(metrics)
    if name is not None:
        asked.append(f"{metrics[name].n} test problems")
    if "accuracy_held_out" in metrics:
        asked.append(f"{metrics['accuracy_held_out'].n} of held-out templates")
    task = str(contract["task"])
    rows = read_rows(str(contract.get("data", "")).split(" ")[0], "test", task)
    decoding = inline(contract["decoding"])
    if contract.get("samples", 1) > 1:
        decoding += f", {contract['samples']} samples each"
    if contract.get("sampled"):
        decoding += f" and {contract['sampled']} samples each at temperature 1"
    return (
        f"{' and '.join(asked)} of {inline(task)} ({inline(rows.title)}), "
        f"{contract['num_fewshot']}-shot in the model's chat template, {decoding}, at most "
        f"{contract['max_tokens']} new tokens, {inline(dtype_words(contract))}, by the engine "
        f"{inline(str(contract.get('engine', 'not stored')))}."
    )


def _table(report: RunReport, chain: list[StageRecord]) -> str:
    """Return the table of all metrics.

    It has a metric's value before any training and now, and its differences to the stage before and
    to base.
    """
    base, stage = chain[0], chain[-1]
    earlier = [base]
    if len(chain) > 2:
        earlier.insert(0, chain[-2])
    differences = [f"difference to {inline(against.name)}" for against in earlier]
    titles = ["metric", inline(base.name), inline(stage.name), *differences]
    lines = [table_line(titles), table_line([":---"] * len(titles))]
    for name in shown_metrics(stage, chain):
        title, reading = metric_title(name, chain)
        n = stage.evaluation.metrics[name].n
        clusters = stage.evaluation.metrics[name].clusters or 0
        reading = f"{inline(reading)}, {formatting.counted(n, clusters)}"
        if is_accuracy_again(name, stage):
            reading += "; accuracy and brevity again"
        cells = [f"**{inline(title)}**<br>{reading}"]
        cells += [_value(name, base), _value(name, stage)]
        cells += [_difference(name, against, chain, report) for against in earlier]
        lines.append(table_line(cells))
    return "\n".join(lines)


def _value(name: str, stage: StageRecord) -> str:
    metric = stage.evaluation.metrics.get(name)
    if metric is None:
        return NOTHING
    lines = [formatting.value(name, metric)]
    if name in stage.evaluation.extrapolated:
        lines.append("extrapolated")
    if name in stage.evaluation.win_tie_loss:
        wins, ties, losses = stage.evaluation.win_tie_loss[name]
        lines.append(f"{wins} won, {ties} tied, {losses} lost")
    return "<br>".join(lines)


def _difference(
    name: str, against: StageRecord, chain: list[StageRecord], report: RunReport
) -> str:
    """Write a difference with its verdict.

    A win rate is against a model already: its difference is to one half, and there is no verdict
    where the judge is not fit to decide.
    """
    known = measure(name)
    comparison = report.find(name, chain[-1], against.name)
    if comparison is None or (known.against == "previous" and against is chain[0]):
        return NOTHING
    difference = " ".join(formatting.difference(comparison))
    if known.against is not None:
        difference += " to one half"
        if known.family == "win rate" and report.has_unfit_judge:
            return f"{difference}<br>judge not fit to decide"
    verdict = formatting.verdict(comparison)
    word = f"**{verdict}**" if verdict in _BOLD else inline(verdict)
    if comparison.family in BESIDE_THE_MAIN:
        word += f" {formatting.OTHER_FAMILY}"
    notes = map(inline, formatting.verdict_notes(comparison))
    return "<br>".join([difference, word, *notes])


def _reading(stage: StageRecord) -> str:
    metrics = stage.evaluation.metrics
    notes = [
        "Accuracy is read from the same responses three ways: numeric is stagelift's reading of "
        "the final number, strict and flexible are the filters of lm-eval's gsm8k task. Base is "
        "the model that the chain starts from.",
        "In brackets 95% intervals over the n prompts. Differences are paired by prompt, in "
        "percentage points (lengths: in tokens or characters). A verdict that claims a difference "
        "has p < 0.05 after Holm's adjustment over the stages up to this one, in one family of "
        "what each stage added to the one before in the main metrics and one of everything else "
        f"({formatting.OTHER_FAMILY}); otherwise no difference was shown, which is not the same as "
        "none: MDE is the smallest true one that the verdict would show with 80% power at this n. "
        "Neither longer nor shorter is better; less often cut off counts as improved; × is the "
        "ratio of geometric means.",
    ]
    if any(measure(name).equal_lengths for name in metrics):
        notes.append(
            "At equal lengths: the win rate that a regression reads off where both wrote equally "
            "much, which is not what a shorter response would have got; `extrapolated` where equal "
            "lengths were hardly seen, so that it says little."
        )
    if "preference_accuracy" in metrics:
        notes.append(
            "Preference accuracy: how often the log-probability ratio to base is higher for the "
            "better answer of a held-out pair; chance, and base itself, is 50%."
        )
    return "\n".join(f"- {note}" for note in notes)


def _judge(passport: Passport) -> str:
    """Write the judge's passport: what was measured of the judge itself."""
    lines = [
        f"- {title}: {inline(without_folders(text))}"
        for title, text in passport_lines(passport)
        if text
    ]
    if knows_targets(passport.judge):
        lines.append(
            "- This judge is no person and no model: it knows the targets, so that its win rate is "
            "accuracy and brevity again. Right beats wrong; of two right answers the one shorter "
            "by more than 10% wins."
        )
    return "\n".join(["### The judge\n", *_warning(passport), *lines])


def _warning(passport: Passport) -> list[str]:
    if knows_targets(passport.judge):
        return []
    if passport.fit is None:
        return ["- **Whether the judge is fit to decide was not checked.**"]
    if not passport.fit:
        return [
            "- **The judge is NOT FIT TO DECIDE: the win rates above say nothing about quality.**"
        ]
    return []


def _training(chain: list[StageRecord]) -> str:
    lines = [table_line(_FACTS), table_line([":---"] * len(_FACTS))]
    lines += [table_line([inline(stage.name), *_facts(stage)]) for stage in chain[1:]]
    return "\n\n".join(["\n".join(lines), *_settings(chain[-1]), *_versions(chain)])


def _illness(stage: StageRecord) -> str:
    return f"{paragraph(stage.name)}: {inline(' '.join(illness_sentences(stage)))}"


def _facts(stage: StageRecord) -> list[str]:
    training = stage.training
    if training is None:
        return [f"trained elsewhere: {inline(stage.given or 'an adapter')}", *[NOTHING] * 7]
    data = NOTHING
    if "data" in stage.identity:
        rows = read_rows(_data(stage))
        data = f"{rows.title}, {rows.split}"
    return [
        inline(data),
        f"{training.steps:,}",
        f"{training.tokens:,}",
        counting.duration(training.seconds),
        f"{training.trainable_parameters:,}",
        f"{counting.memory(training.peak_memory_bytes)} ({inline(training.peak_memory_of)})",
        inline(f"{training.device}, {training.dtype}"),
        inline(str(stage.identity.get("seed", NOTHING))),
    ]


def _reward(written: str | dict[str, Any]) -> str:
    """Name a reward; a scorer with settings has these behind its name."""
    if isinstance(written, str):
        return written
    ((name, settings),) = written.items()
    return f"{name} {json.dumps(settings, ensure_ascii=False)}"


def _settings(stage: StageRecord) -> list[str]:
    """Write the LoRA settings and this stage's own arguments.

    They decide more than anything else here.
    """
    lora: dict[str, Any] = _short(stage.identity.get("lora") or {})
    args: dict[str, Any] = _short(stage.identity.get("args") or {})
    rewards = [_reward(reward) for reward in _short(stage.identity.get("rewards") or [])]
    texts = {
        "LoRA": _arguments(lora),
        f"Arguments of {stage.name} (TRL's names)": _arguments(args),
        "Rewards": ", ".join(rewards),
    }
    return [f"{paragraph(title)}: {inline(text)}." for title, text in texts.items() if text]


def _short(value: Any) -> Any:
    """Cut the paths in settings down to their last parts."""
    match value:
        case str():
            return last_part(value)
        case list():
            return [_short(one) for one in value]
        case dict():
            return {key: _short(one) for key, one in value.items()}
    return value


def _arguments(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_argument(value)}" for name, value in values.items())


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _versions(chain: list[StageRecord]) -> list[str]:
    """Write a line for each row of stages that were trained with the same versions."""
    trained = [(stage.name, stage.training.versions) for stage in chain if stage.training]
    lines = []
    for versions, stages in groupby(trained, key=itemgetter(1)):
        names = ", ".join(inline(name) for name, _ in stages)
        texts = ", ".join(f"{package} {version}" for package, version in versions.items())
        if versions:
            lines.append(f"Versions ({names}): {inline(texts)}.")
    return lines


def _recipe(run: RunRecord, stage: StageRecord) -> str:
    """Fold the recipe away; it may go on with stages after this one."""
    text = yaml_without_folders(safe_text(run.recipe)).strip()
    title = f"The recipe of run {run.name}; this adapter is what it had after stage {stage.name}"
    return folded(title, fenced(text, "yaml"))


def _limits(stage: StageRecord) -> str:
    metrics = stage.evaluation.metrics
    notes = [
        "One training seed. The intervals cover the choice of prompts, not of the seed: another "
        "seed gives another adapter.",
        f"Measured on {inline(str(stage.evaluation.contract['task']))} and what else the table "
        "names, in this prompt form and decoding only. Nothing here says what the stages did to "
        "other tasks, to other languages, or to safety.",
    ]
    if "accuracy" in metrics:
        notes.append(
            "`accuracy` asks whether the final number is right. It does not read the reasoning, "
            "and a right number by wrong steps counts."
        )
    if "accuracy_held_out" in metrics:
        notes.append(
            "The test problems come from the templates of schoolmath's training problems, the "
            "held-out ones from others."
        )
    if any(measure(name).family == "win rate" for name in metrics):
        notes.append(
            "A win rate says how often, not by how much, and is only as good as its judge."
        )
    if any(measure(name).family == "win rate by votes" for name in metrics):
        notes.append(
            "A win rate by votes is the judge's, corrected by people's votes on a sample of its "
            "pairs (n counts these): it says what those who voted prefer."
        )
    return "\n".join(f"- {note}" for note in notes)


def _licence(run: RunRecord, chain: list[StageRecord]) -> str:
    base = _hub_name(run.base_model)
    model = "the base model" if base is None else _link(base)
    others = f"The licence of {model} and those of the training data"
    if any(stage.training is None for stage in chain[1:]):
        others += " and of the adapter it went on from"
    return (
        "Not chosen yet: whoever publishes this adapter fills in `license:` at the top of this "
        f"file. {others} apply to it."
    )
