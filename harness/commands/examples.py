"""Examples in the help of every command: what one wants, and the command that does it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A command as it is typed, and what it is for."""

    what: str
    command: str


def example_lines(name: str) -> str:
    """Write the examples of a command, as a shell would take them."""
    return "\n".join(f"# {example.what}\n{example.command}" for example in EXAMPLES[name])


# by the command's name; "" are those of `stagelift` itself
EXAMPLES: dict[str, tuple[Example, ...]] = {
    "": (
        Example("first try, about ten minutes on two CPU cores", "stagelift run quickstart"),
        Example("the options and examples of one command", "stagelift run -h"),
    ),
    "plan": (
        Example("what would it take, and what could it show?", "stagelift plan quickstart"),
        Example(
            "the same with one setting changed",
            "stagelift plan recipe.yaml --set evals.accuracy.limit=256",
        ),
        Example("what do the rewards pay for?", "stagelift plan recipe.yaml --audit-rewards"),
    ),
    "run": (
        Example("the bundled recipe", "stagelift run quickstart"),
        Example(
            "a recipe of your own, with two settings changed",
            "stagelift run recipe.yaml --set lora.r=16 --set stages.sft.args.max_steps=100",
        ),
        Example("check everything, run nothing", "stagelift run recipe.yaml --dry-run"),
    ),
    "report": (
        Example("in the terminal", "stagelift report quickstart"),
        Example("as a page to send", "stagelift report quickstart --output page.html"),
        Example("two runs side by side", "stagelift report first second"),
    ),
    "runs": (
        Example("the runs in ./runs", "stagelift runs"),
        Example("those of another folder", "stagelift runs --runs /data/runs"),
    ),
    "vote": (
        Example("a page with 50 pairs to vote on", "stagelift vote quickstart"),
        Example(
            "of one stage against the one before",
            "stagelift vote quickstart --stage dpo --against previous",
        ),
        Example("read the votes back", "stagelift vote quickstart --import votes.json"),
    ),
    "baseline": (
        Example("bless a run", "stagelift baseline set quickstart"),
        Example("what is blessed now?", "stagelift baseline show"),
    ),
    "baseline set": (
        Example("as `main`, the usual baseline", "stagelift baseline set quickstart"),
        Example(
            "accuracy may fall by 2 points, and nothing else is asked",
            "stagelift baseline set quickstart --margin accuracy=2",
        ),
    ),
    "baseline show": (
        Example("all of them", "stagelift baseline show"),
        Example("one of them", "stagelift baseline show main"),
    ),
    "baseline history": (
        Example("every file of `main`, the newest last", "stagelift baseline history"),
        Example("of another baseline", "stagelift baseline history release"),
    ),
    "check": (
        Example("against a blessed baseline", "stagelift check candidate --baseline main"),
        Example(
            "against another run, accuracy may fall by 2 points",
            "stagelift check candidate --baseline quickstart --margin accuracy=2",
        ),
        Example(
            "would the gates notice?", "stagelift check candidate --self-test --margin accuracy=2"
        ),
    ),
    "evaluate": (
        Example(
            "one model, measured as a recipe says",
            "stagelift evaluate ./my-model --recipe recipe.yaml",
        ),
        Example(
            "a chain that you trained yourself",
            "stagelift evaluate base=./model sft=./out-sft --recipe recipe.yaml",
        ),
        Example(
            "the best checkpoint of a training",
            "stagelift evaluate --checkpoints ./out-sft --recipe recipe.yaml",
        ),
    ),
    "import": (
        Example(
            "results of lm-eval, stage by stage",
            "stagelift import base=base.jsonl sft=sft.jsonl --name ours",
        ),
        Example("everything in a folder", "stagelift import ./results --name ours"),
        Example(
            "a table whose columns have other names",
            "stagelift import out.csv --name ours --columns response=output,target=gold",
        ),
    ),
    "judge": (
        Example("train a reward model", "stagelift judge train --output ./judge"),
        Example("its options", "stagelift judge train -h"),
    ),
    "judge train": (
        Example("on the bundled pairs", "stagelift judge train --output ./judge"),
        Example(
            "on pairs of your own",
            "stagelift judge train --dataset ./pairs.jsonl --output ./judge",
        ),
    ),
    "rescore": (
        Example("after a new version of stagelift", "stagelift rescore quickstart"),
        Example("a run in another folder", "stagelift rescore quickstart --runs /data/runs"),
    ),
    "verify": (
        Example("is everything as it was written?", "stagelift verify quickstart"),
        Example("for a script", "stagelift verify quickstart --format json"),
    ),
    "prune": (
        Example("show what no run needs, then ask", "stagelift prune"),
        Example("delete it without asking", "stagelift prune --yes"),
    ),
    "delete": (
        Example("show what goes, then ask", "stagelift delete quickstart"),
        Example(
            "with the trained stages that no other run needs", "stagelift delete quickstart --nodes"
        ),
    ),
    "export": (
        Example(
            "as lm-eval would have written it",
            "stagelift export quickstart ./out --format lm-eval",
        ),
        Example(
            "for Every Eval Ever",
            "stagelift export quickstart ./out --format every-eval-ever --organization us",
        ),
    ),
    "push": (
        Example(
            "what would be uploaded?",
            "stagelift push quickstart --stage dpo --to us/our-model --dry-run",
        ),
        Example(
            "upload it, for everyone to see",
            "stagelift push quickstart --stage dpo --to us/our-model --public",
        ),
    ),
}
