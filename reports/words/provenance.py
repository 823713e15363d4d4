"""Where a report's numbers come from: model, data, how was asked, the judge's passport, versions,
device, time.
"""

from collections.abc import Mapping
from typing import Any

from stagelift.evals.contract import EACH_ITS_OWN, OF_THE_SERVER
from stagelift.evals.judges.passport import knows_targets
from stagelift.evals.records import Passport, Usage
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report
from stagelift.reports.words import counting, formatting


def provenance_lines(report: Report) -> list[tuple[str, str]]:
    """Return what a reader must know before the numbers: model, data, contract, judge, versions,
    device, wall clock.
    """
    lines = []
    for part in report.runs:
        run, judged = part.record, part.passport
        lines += [
            (
                "run",
                run.name
                + (f" (unfinished: {', '.join(run.missing)} missing)" if run.missing else ""),
            ),
            ("model", f"{run.model}{', in 4 bits' if is_in_four_bits(run.contract) else ''}"),
            ("checkpoints", _checkpoints(run)),
            ("exports", export_line(run)),
            ("adapters", _adapters(run)),
            ("chat templates", _own(run, "chat_template")),
            ("tokenizers", _own(run, "tokenizers")),
            ("data", run.data),
            ("stages from", _sources(run)),
            ("import", "; ".join(run.notes)),
            ("graph", _graph(run)),
            ("evaluation", _asked(run)),
            ("engine", _engine(run)),
            *([] if judged is None else passport_lines(judged)),
            ("contract", run.contract_id),
            ("device", run.device),
            ("repairs", "; ".join(run.repairs)),
            ("wall clock", _wall_clock(run.wall_clock_seconds, run.sittings)),
            ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        ]
    return [(name, text) for name, text in lines if text]


def _checkpoints(run: RunRecord) -> str:
    """Say what each stage is that was trained elsewhere."""
    given = [f"{stage.name}: {stage.given}" for stage in run.stages if stage.given]
    return "; ".join(given)


def _adapters(run: RunRecord) -> str:
    """Say where in the folder of runs the adapter of each trained stage lies."""
    kept = [f"{stage.name}: {stage.adapter}" for stage in run.stages if stage.adapter is not None]
    return "; ".join([*kept, "from the folder of runs on"]) if kept else ""


def export_line(run: RunRecord) -> str:
    """Say what each export is, in which dtype it was measured, and how large it is."""
    said = []
    for export in run.exports:
        measured, size = "", ""
        if export.exported is not None:
            measured = f", measured in {run.contract['dtype']}"
            size = f", {export.exported.bytes / 1e9:.2f} GB"
        said.append(f"{export.name}: {export.given}{measured}{size}")
    return "; ".join(said)


def _own(run: RunRecord, field: str) -> str:
    """Say which stages share a chat template, or a tokenizer, where not all of them do."""
    if run.contract.get(field) != EACH_ITS_OWN:
        return ""
    sharing: dict[str, list[str]] = {}
    for stage in run.stages:
        asked_with = stage.evaluation
        own = asked_with.tokenizer if field == "tokenizers" else asked_with.chat_template
        sharing.setdefault(str(own), []).append(stage.name)
    written = [f"{', '.join(names)} ({own})" for own, names in sharing.items()]
    lengths = ", so lengths are compared in characters" if field == "tokenizers" else ""
    return f"{EACH_ITS_OWN}: {'; '.join(written)}{lengths}"


def _graph(run: RunRecord) -> str:
    """Say how many trainings a study was, and how many it would be chain by chain."""
    if not run.chains:
        return ""
    trained = [stage for stage in run.stages if stage.training is not None]
    names = {stage.name for stage in trained}
    apart = sum(name in names for chain in run.chains for name in chain.stages.values())
    seconds = sum(stage.training.seconds for stage in trained if stage.training is not None)
    measured = sum(stage.evaluation.seconds or 0.0 for stage in (*run.stages, *run.repeats))
    evaluated = sum(len(chain.stages) for chain in run.chains)
    return (
        f"{len(run.stages)} models in {len(run.chains)} chains: {len(trained)} trainings and "
        f"{len(run.stages)} evaluations, where the chains one by one would be {apart} and "
        f"{evaluated}; {counting.duration(seconds)} of training and "
        f"{counting.duration(measured)} of evaluation in all, in this run or before"
    )


def brief_provenance(report: Report) -> list[tuple[str, str]]:
    """Return what a summary must say of it: model, evaluation, contract, and whether the judge is
    fit.
    """
    wanted = (
        "model",
        "checkpoints",
        "chat templates",
        "tokenizers",
        "graph",
        "import",
        "evaluation",
        "judge's fitness",
        "contract",
        *(["run"] if len(report.runs) > 1 else []),
    )
    return [(name, text) for name, text in provenance_lines(report) if name in wanted]


def passport_lines(passport: Passport) -> list[tuple[str, str]]:
    """Write a judge's passport: who, what it did on the run's pairs, how it agrees with gold pairs,
    and what it cost.
    """
    prompt = f" (prompt {passport.prompt_hash})" if passport.prompt_hash else ""
    return [
        ("judge", f"{passport.judge}{prompt}"),
        ("judge's pairs", _behaviour(passport) if passport.pairs else ""),
        (
            "judge's fitness",
            "not checked: no gold pairs" if passport.gold is None else _fitness(passport),
        ),
        ("judge's cost", "" if passport.usage is None else _usage(passport.usage)),
    ]


def dtype_words(contract: Mapping[str, Any]) -> str:
    """Say which dtype a model was measured in, and whether its weights were in 4 bits."""
    dtype = str(contract["dtype"])
    if dtype == OF_THE_SERVER:
        return "in the server's dtype"
    return f"{dtype} on weights in 4 bits" if is_in_four_bits(contract) else dtype


def is_in_four_bits(contract: Mapping[str, Any]) -> bool:
    """Say whether the weights of a run's models were held in 4 bits."""
    return contract.get("quantization") is not None


def _sources(run: RunRecord) -> str:
    """Say which file each stage is from, as what it was read, and its hash; empty of what ran."""
    sources = [(stage.name, stage.source) for stage in run.stages if stage.source is not None]
    return "; ".join(
        f"{name}: {source.file} ({source.format}, sha256 {source.sha256[:12]})"
        for name, source in sources
    )


def _asked(run: RunRecord) -> str:
    """Say what was asked and how; of an imported run, where it came from."""
    contract = run.contract
    if "imported" in contract:
        prompts = max(metric.n for metric in run.stages[0].evaluation.metrics.values())
        return f"imported from {contract['imported']}, {prompts} prompts"
    if contract.get("scorers"):
        return _asked_of_mine(run)
    accuracy = run.stages[0].evaluation.metrics["accuracy"].n
    held_out = f" and {contract['held_out']} of held-out templates" if contract["held_out"] else ""
    samples = f", {contract['samples']} samples each" if contract["samples"] > 1 else ""
    if contract.get("sampled"):
        samples = f" and {contract['sampled']} samples each at temperature 1"
    return (
        f"{contract['task']}, {accuracy} test problems{held_out}; {contract['num_fewshot']}-shot "
        f"chat, {contract['decoding']}{samples}, at most {contract['max_tokens']} tokens, "
        f"{dtype_words(contract)}{_further(contract)}"
    )


def _asked_of_mine(run: RunRecord) -> str:
    """Say the same of a user's own main task."""
    contract = run.contract
    prompts = len({score.id for score in run.stages[0].scores if score.group == "test"})
    samples = f", {contract['samples']} samples each" if contract["samples"] > 1 else ""
    if contract.get("sampled"):
        samples = f" and {contract['sampled']} samples each at temperature 1"
    return (
        f"a task of your own, {prompts} prompts; chat, {contract['decoding']}{samples}, at most "
        f"{contract['max_tokens']} tokens, {dtype_words(contract)}{_further(contract)}"
    )


def _further(contract: Mapping[str, Any]) -> str:
    """Name the further tasks of the user's own."""
    names = [str(task["task"]) for task in contract.get("own", [])]
    return f"; beside it {counting.listed(names)}" if names else ""


def _engine(run: RunRecord) -> str:
    """Name the engine, and what its server called itself; empty where that is not stored."""
    engine = run.contract.get("engine")
    versions = run.stages[0].evaluation.versions
    server = [f"{name} {versions[name]}" for name in ("vllm", "server") if name in versions]
    return f"{engine} ({server[0]})" if engine and server else str(engine or "")


def _behaviour(passport: Passport) -> str:
    rates = {
        "same verdict in both orders": passport.position_consistency,
        "first slot": passport.first_slot_rate,
        "prefers the longer": passport.prefers_longer,
    }
    written = [
        f"{name} {formatting.share_with_n(rate)}"
        for name, rate in rates.items()
        if rate is not None
    ]
    return "; ".join([f"{passport.pairs} judged, {passport.failures} without a verdict", *written])


def _fitness(passport: Passport) -> str:
    gold = passport.gold
    assert gold is not None, "a judge that was not checked has no fitness"
    kappa, control = gold.kappa, formatting.share(gold.control)
    return (
        f"{_decision(passport)}; agrees with {gold.pairs} "
        f"{formatting.share_with_n(gold.agreement)}, longest control {control}, "
        f"kappa {kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}], "
        f"{gold.failures} without a verdict"
    )


def _decision(passport: Passport) -> str:
    if knows_targets(passport.judge):
        return (
            "fit by construction, which checks nothing: the gold pairs are made from the targets "
            "that it decides by"
        )
    if passport.fit:
        return "FIT TO DECIDE"
    return "NOT FIT TO DECIDE: it does not beat the longest control"


def _usage(usage: Usage) -> str:
    cost = "cost not known" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    asked = f"; asked {' and '.join(usage.asked)}" if usage.asked else ""
    requests = f"{usage.requests} requests ({usage.cached} answers from the cache)"
    return f"{requests}, {tokens}, {cost}{asked}"


def _wall_clock(seconds: float, sittings: int) -> str:
    if not sittings:
        return ""
    several = f" in {sittings} sittings" if sittings > 1 else ""
    return f"{counting.duration(seconds)}{several}"
