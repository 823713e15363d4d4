"""A trained stage's model card: the README.md of its adapter folder, in the Hub's convention, for
`hf upload`.

The comparisons are those of the chain up to this stage, so that what was trained after it changes
no verdict. No dates, no model output, and no path of this machine but what the user wrote into the
recipe. The licence is left to the user.
"""

import json
import re
from dataclasses import replace
from itertools import groupby
from typing import Any

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Passport
from stagelift.reports.formats.model_index import (
    eval_results,
    metric_title,
    read_rows,
    shown_metrics,
)
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import RunReport, build_report
from stagelift.reports.tables.table import NOTHING
from stagelift.reports.words import formatting
from stagelift.reports.words.escaping import fenced, folded, inline, table_line, without_folders
from stagelift.reports.words.provenance import passport_lines
from stagelift.stages.records import StageResult

_BOLD = ("improved", "regressed")
_FILL_IN = "FILL-IN"
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
    alone = replace(run, stages=chain, missing=[], chains=(), lattice=False, repeats=())
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
        *([] if judge is None else [_judge(judge)]),
        f"## Training\n\n{_training(chain)}",
        *([] if not run.recipe else [_recipe(run, stage)]),
        f"## Limits\n\n{_limits(stage)}",
        f"## Licence\n\n{_licence(run, chain)}",
    ]
    return "\n\n".join(parts) + "\n"


def _name(run: RunRecord, stage: StageRecord) -> str:
    return f"{run.name}-{stage.name}"


def _front_matter(run: RunRecord, chain: list[StageRecord], judge: Passport | None) -> str:
    """Return the YAML block.

    What only the user knows is a comment in it, for the Hub refuses a made-up value.
    """
    from huggingface_hub import ModelCardData

    data = ModelCardData(
        base_model=_hub_name(run.base_model),
        datasets=_hub_datasets(chain) or None,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=["stagelift", "trl", "lora", *(one.kind for one in chain if one.training is not None)],
        model_name=" ".join(formatting.safe_text(_name(run, chain[-1])).split()),
        eval_results=eval_results(chain[-1], chain, None if judge is None else judge.fit),
    )
    comments = [
        "# stagelift writes this file anew when a run with this stage is run again: fill it in on "
        "the Hub, or in a copy.",
        "# license: to be filled in by you; the licences of the base model and of the training "
        "data apply.",
        *(
            []
            if _hub_name(run.base_model)
            else ["# base_model: to be filled in by you; it was a local folder."]
        ),
    ]
    return "\n".join(["---", *comments, data.to_yaml(line_break="\n"), "---"])


def _hub_name(name: str | None) -> str | None:
    """Return the name where the Hub could have such a repository; it refuses a card with
    another.
    """
    return name if name is not None and len(name) <= 96 and _REPOSITORY.fullmatch(name) else None


def _hub_datasets(chain: list[StageRecord]) -> list[str]:
    rows = [
        read_rows(str(stage.identity.get("data", "")))
        for stage in chain
        if stage.training is not None
    ]
    return list(dict.fromkeys(name for one in rows if one.on_hub and (name := _hub_name(one.type))))


def _summary(run: RunRecord, chain: list[StageRecord]) -> str:
    names = " → ".join(inline(one.name) for one in chain)
    merged = chain[-1].merged
    holds = (
        "One adapter is carried through all stages: this one holds them all and is put on the base "
        "model by itself."
        if not merged
        else f"It is not enough by itself: the adapters of {inline(', '.join(merged))} must be "
        "merged into the base model before, in float32, because later stages have other LoRA "
        "settings."
    )
    return (
        f"A LoRA adapter for {_model(run)}, as it was after stage **{inline(chain[-1].name)}** of "
        f"{names}. {holds} Made by run **{inline(run.name)}** of stagelift, which measures the "
        "model after every stage, under one contract."
    )


def _headline(report: RunReport, chain: list[StageRecord]) -> list[str]:
    """Say first what most visitors look for: accuracy without this adapter and with it."""
    base, stage = chain[0], chain[-1]
    found = report.find("accuracy", stage, base.name)
    if found is None:
        return []
    before, now = (
        formatting.value("accuracy", one.evaluation.metrics["accuracy"]) for one in (base, stage)
    )
    problems = f"{found.n} test problems of {inline(str(stage.evaluation.contract['task']))}"
    verdict = inline(formatting.verdict(found))
    return [
        f"Accuracy on {problems}: **{now}**, the base model {before}; difference "
        f"{' '.join(formatting.difference(found))} percentage points, {verdict}."
    ]


def _model(run: RunRecord) -> str:
    name = _hub_name(run.base_model)
    if name is None:
        return f"**{inline(run.model)}** (a model in a local folder)"
    link = f"[{inline(name)}](https://huggingface.co/{name})"
    return link if _is_exact(run) else f"**{inline(run.model)}**, which derives from {link}"


def _is_exact(run: RunRecord) -> bool:
    """Say whether the stages trained on the very weights that lie on the Hub under `base_model`."""
    return str(run.stages[0].identity.get("model", "")).startswith("hub:")


def _loading(run: RunRecord, stage: StageRecord) -> str:
    merged = "".join(
        f'model = PeftModel.from_pretrained(model, "{_FILL_IN}").merge_and_unload()'
        f"  # the adapter of stage {' '.join(formatting.safe_text(name).split())}\n"
        for name in stage.merged
    )
    base, contract = _hub_name(run.base_model), stage.evaluation.contract
    dtype = json.dumps("float32" if merged else contract["dtype"])
    if merged and contract["dtype"] != "float32":
        merged += f"model = model.{'half' if contract['dtype'] == 'float16' else 'bfloat16'}()\n"
    revision = f", revision={json.dumps(run.base_revision)}" if base and run.base_revision else ""
    shots = (
        f", here without its {contract['num_fewshot']} examples" if contract["num_fewshot"] else ""
    )
    code = f"""
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = {json.dumps(base or _FILL_IN)}{"" if base else "  # the base model: a folder, or its name on the Hub"}
adapter = "{_FILL_IN}"  # this repository's name on the Hub, or the folder that this file lies in
tokenizer = AutoTokenizer.from_pretrained(base{revision})
model = AutoModelForCausalLM.from_pretrained(base{revision}, dtype={dtype})
{merged}model = PeftModel.from_pretrained(model, adapter).eval()

question = "Question: A shop has 3 boxes with 4 pens each. How many pens are there?\\nAnswer:"  # asked in this form{shots}
chat = [{{"role": "user", "content": question}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**prompt, max_new_tokens={contract["max_tokens"]}, {_decoding(contract)})
print(tokenizer.decode(written[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))
"""
    return "\n\n".join([fenced(code.strip(), "python"), *_loading_notes(run)])


def _decoding(contract: dict[str, Any]) -> str:
    """Write the contract's decoding as arguments of `generate`."""
    sampled = re.fullmatch(r"sampled at temperature ([0-9.]+)", str(contract["decoding"]))
    sampling = f"do_sample=True, temperature={sampled[1]}" if sampled else "do_sample=False"
    end = contract.get("eos_token")
    return (
        sampling
        if end is None
        else f"{sampling}, eos_token_id=tokenizer.convert_tokens_to_ids({json.dumps(end)})"
    )


def _loading_notes(run: RunRecord) -> list[str]:
    """Say where this base differs from what the snippet, or PEFT on its own, would load."""
    if _hub_name(run.base_model) is None:
        return [
            "The base model was a local folder: name it here and as `base_model` above, and in "
            "`adapter_config.json` as `base_model_name_or_path`, where PEFT looks for it."
        ]
    if _is_exact(run):
        return []
    return [
        f"It was trained and measured on {inline(run.model)}, not on the original weights: on "
        "those, the numbers below will differ. Where stagelift is installed, these are the very "
        "weights:",
        fenced("from evals.bundled import bundled_model\n\nbase = str(bundled_model())", "python"),
        "`adapter_config.json` names the base by the folder it lay in: change "
        "`base_model_name_or_path` there before loading the adapter by its name alone.",
    ]


def _contract(stage: StageRecord) -> str:
    """Say in a sentence what was asked and how."""
    contract, metrics = stage.evaluation.contract, stage.evaluation.metrics
    asked = [f"{metrics['accuracy'].n} test problems"] if "accuracy" in metrics else []
    asked += (
        [f"{metrics['accuracy_held_out'].n} of held-out templates"]
        if "accuracy_held_out" in metrics
        else []
    )
    rows = read_rows(str(contract.get("data", "")).split(" ")[0], "test", str(contract["task"]))
    samples = f", {contract['samples']} samples each" if contract.get("samples", 1) > 1 else ""
    tasks = [one["task"] for one in contract.get("tasks", [])]
    sentences = [
        f"{' and '.join(asked)} of {inline(str(contract['task']))} ({inline(rows.title)}), "
        f"{contract['num_fewshot']}-shot in the model's chat template, "
        f"{inline(contract['decoding'])}{samples}, at most {contract['max_tokens']} new tokens, "
        f"{inline(contract['dtype'])}, unmerged.",
        f"Win rates by judge {inline(without_folders(str(contract['judge'])))}."
        if stage.verdicts
        else "",
        f"Tasks of lm-eval, run by lm-eval: {inline(', '.join(map(str, tasks)))}." if tasks else "",
        f"The contract of all this has the id {inline(stage.evaluation.contract_id)}: only numbers "
        "under the same contract compare.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _table(report: RunReport, chain: list[StageRecord]) -> str:
    """Return the table: a metric's value before any training and now, and the differences to the
    stage before and to base.
    """
    base, previous, stage = chain[0], chain[-2], chain[-1]
    others = [base] if previous is base else [previous, base]
    titles = [
        "metric",
        inline(base.name),
        inline(stage.name),
        *(f"difference to {inline(o.name)}" for o in others),
    ]
    lines = [table_line(titles), table_line([":---"] * len(titles))]
    unfit = report.has_unfit_judge
    for name in shown_metrics(stage, chain):
        title, how = metric_title(name, chain)
        first = f"**{inline(title)}**<br>{inline(how)}, n={stage.evaluation.metrics[name].n}"
        differences = [
            _difference(report.find(name, stage, one.name), one, name, base, unfit)
            for one in others
        ]
        lines.append(table_line([first, _value(name, base), _value(name, stage), *differences]))
    return "\n".join(lines)


def _value(name: str, stage: StageRecord) -> str:
    metric = stage.evaluation.metrics.get(name)
    if metric is None:
        return NOTHING
    notes = ["extrapolated"] if name in stage.evaluation.extrapolated else []
    if name in stage.evaluation.win_tie_loss:
        wins, ties, losses = stage.evaluation.win_tie_loss[name]
        notes.append(f"{wins} won, {ties} tied, {losses} lost")
    return "<br>".join([formatting.value(name, metric), *notes])


def _difference(
    found: Comparison | None,
    other: StageRecord,
    name: str,
    base: StageRecord,
    has_unfit_judge: bool,
) -> str:
    """Write a difference; a win rate is one against one model already, and its difference is to one
    half.

    Of a judge that is not fit to decide there is no verdict.
    """
    known = measure(name)
    if found is None or (known.against == "previous" and other is base):
        return NOTHING
    half = " to one half" if known.family == "win rate" else ""
    if half and has_unfit_judge:
        return "<br>".join(
            [" ".join(formatting.difference(found)) + half, "judge not fit to decide"]
        )
    word = formatting.verdict(found)
    lines = [
        f"**{word}**" if word in _BOLD else inline(word),
        *map(inline, formatting.verdict_notes(found)),
    ]
    return "<br>".join([" ".join(formatting.difference(found)) + half, *lines])


def _reading(stage: StageRecord) -> str:
    metrics = stage.evaluation.metrics
    notes = [
        "Accuracy is read from the same responses three ways: numeric is stagelift's reading of "
        "the final number, strict and flexible are the filters of lm-eval's gsm8k task. Base is "
        "the model without an adapter.",
        "In brackets 95% intervals over the n prompts. Differences are paired by prompt, in "
        "percentage points (lengths: in tokens or characters). `improved` and `regressed` mean "
        "Holm-adjusted p < 0.05 over all comparisons of the stages up to this one; otherwise no "
        "difference was shown, which is not the same as none: MDE is the smallest that this n "
        "would show with 80% power. Shorter and less often cut off count as improved; × is the "
        "ratio of geometric means.",
    ]
    if any(measure(name).equal_lengths for name in metrics):
        notes.append(
            "At equal lengths: the win rate if both wrote equally much, by regression; "
            "`extrapolated` where equal lengths were hardly seen, so that it says little."
        )
    if "preference_accuracy" in metrics:
        notes.append(
            "Preference accuracy: how often the log-probability ratio to base is higher for the "
            "better answer of a held-out pair; chance, and base itself, is 50%."
        )
    return "\n".join(f"- {note}" for note in notes)


def _judge(passport: Passport) -> str:
    lines = [
        f"- {title}: {inline(without_folders(text))}"
        for title, text in passport_lines(passport)
        if text
    ]
    if str(passport.judge).startswith("reference"):
        lines.append(
            "- This judge is no person and no model: it knows the answers. Right beats wrong; of "
            "two right answers the one shorter by more than 10% wins."
        )
    if passport.fit is False:
        lines.insert(
            0,
            "- **The judge is NOT FIT TO DECIDE: the win rates above say nothing about quality.**",
        )
    if passport.fit is None:
        lines.insert(0, "- **Whether the judge is fit to decide was not checked.**")
    return "\n".join(["### The judge\n", *lines])


def _training(chain: list[StageRecord]) -> str:
    titles = [
        "stage",
        "data",
        "steps",
        "tokens",
        "time",
        "trainable parameters",
        "peak memory",
        "on",
        "seed",
    ]
    lines = [table_line(titles), table_line([":---"] * len(titles))]
    lines += [table_line([inline(one.name), *_facts(one, one.training)]) for one in chain[1:]]
    trained = [(one.name, one.training.versions) for one in chain if one.training is not None]
    versions = [
        f"Versions ({', '.join(inline(name) for name, _ in same)}): {_versions(found)}."
        for found, group in groupby(trained, key=lambda pair: pair[1])
        if found and (same := list(group))
    ]
    return "\n\n".join(["\n".join(lines), *_settings(chain[-1]), *versions])


def _facts(stage: StageRecord, training: StageResult | None) -> list[str]:
    if training is None:
        return ["an adapter that was trained elsewhere", *[NOTHING] * 7]
    rows = read_rows(str(stage.identity.get("data", "")))
    return [
        inline(f"{rows.title}, {rows.split}" if "data" in stage.identity else NOTHING),
        f"{training.steps:,}",
        f"{training.tokens:,}",
        formatting.duration(training.seconds),
        f"{training.trainable_parameters:,}",
        f"{formatting.memory(training.peak_memory_bytes)} ({inline(training.peak_memory_of)})",
        inline(f"{training.device}, {training.dtype}"),
        inline(str(stage.identity.get("seed", NOTHING))),
    ]


def _settings(stage: StageRecord) -> list[str]:
    """Write the LoRA settings and this stage's own arguments, which decide more than anything else
    here.
    """
    lora: dict[str, Any] = stage.identity.get("lora") or {}
    args: dict[str, Any] = stage.identity.get("args") or {}
    rewards: list[str] = stage.identity.get("rewards") or []
    texts = {
        "LoRA": _arguments(lora),
        f"Arguments of {stage.name} (TRL's names)": _arguments(args),
        "Rewards": ", ".join(rewards),
    }
    return [f"{inline(title)}: {inline(text)}." for title, text in texts.items() if text]


def _arguments(values: dict[str, Any]) -> str:
    written = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
    return ", ".join(f"{name} {without_folders(value)}" for name, value in written.items())


def _versions(versions: dict[str, str]) -> str:
    return inline(", ".join(f"{name} {version}" for name, version in versions.items()))


def _recipe(run: RunRecord, stage: StageRecord) -> str:
    """Fold the recipe away; it may go on with stages after this one."""
    text = formatting.safe_text(run.recipe).strip()
    said = f"The recipe of run {run.name}; this adapter is what it had after stage {stage.name}"
    return folded(said, fenced(text, "yaml"))


def _limits(stage: StageRecord) -> str:
    metrics = stage.evaluation.metrics
    notes = [
        "One training seed. The intervals cover the choice of prompts, not of the seed: another "
        "seed gives another adapter.",
        f"Measured on {inline(str(stage.evaluation.contract['task']))} and what else the table "
        "names, in this prompt form and decoding only. Nothing here says what the stages did to "
        "other tasks, to other languages, or to safety.",
        "`accuracy` asks whether the final number is right. It does not read the reasoning, and a "
        "right number by wrong steps counts.",
    ]
    if "accuracy_held_out" in metrics:
        notes.append(
            "The test problems come from the templates of schoolmath's training problems, the "
            "held-out ones from others."
        )
    if any(measure(name).family == "win rate" for name in metrics):
        notes.append(
            "A win rate says how often, not by how much, and is only as good as its judge."
        )
    return "\n".join(f"- {note}" for note in notes)


def _licence(run: RunRecord, chain: list[StageRecord]) -> str:
    base = _hub_name(run.base_model)
    named = f"of [{inline(base)}](https://huggingface.co/{base})" if base else "of the base model"
    elsewhere = (
        "" if all(one.training for one in chain[1:]) else " and of the adapter it went on from"
    )
    return (
        "Not chosen yet: whoever publishes this adapter fills in `license:` at the top of this "
        f"file. The licence {named} and those of the training data{elsewhere} apply to it."
    )
