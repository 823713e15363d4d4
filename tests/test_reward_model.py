"""A reward model on the tiny model: trained by TRL through the command, used as a judge, resumed
after a kill.
"""

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.data.source import Source
from stagelift.evals.files import read_record
from stagelift.evals.judges.reward_model import (
    RewardModelJudge,
    check_reward_model,
    reward_model_judge,
)
from stagelift.evals.models.model import load_tokenizer
from stagelift.evals.records import Passport
from stagelift.evals.strict_json import read_json
from stagelift.harness.cli import app
from stagelift.stages.reward import reward_rows
from tests.judges import pair, said
from tests.shared import copied


def train(model: Path, output: Path, *overrides: str) -> Result:
    """Do it through the command, which starts one worker."""
    settings = [
        part
        for text in ("max_steps=3", "per_device_train_batch_size=4", *overrides)
        for part in ("--set", text)
    ]
    words = ["--model", str(model), "--dataset", "bundled/instructions", "--output", str(output)]
    return CliRunner().invoke(app, ["judge", "train", *words, *settings])


def test_training_leaves_a_model_a_record_and_a_passport(reward_model: Path) -> None:
    passport = read_record(reward_model / "passport.json", Passport)
    assert passport.gold is not None and passport.gold.agreement.n == 400
    assert passport.gold.pairs == "bundled/instructions, test"
    history = read_json(reward_model / "stage.json")["history"]
    assert len(history) == 3 and all("loss" in row for row in history)
    assert not (reward_model / "checkpoints").exists()
    check_reward_model(RewardModelJudge(path=str(reward_model / "model")))


def test_the_same_command_again_trains_nothing_and_another_is_refused(
    reward_model: Path, tiny_model: Path, tmp_path: Path
) -> None:
    again = copied(reward_model, tmp_path / "rm")
    before = {file: file.stat().st_mtime_ns for file in (again / "model").iterdir()}
    done = train(tiny_model, again)
    assert done.exit_code == 0, done.output
    assert "judge's fitness" in done.stdout and f"path: {again / 'model'}" in done.stdout
    assert {file: file.stat().st_mtime_ns for file in (again / "model").iterdir()} == before
    refused = train(tiny_model, again, "learning_rate=1e-5")
    assert refused.exit_code == 2 and "other settings" in refused.stderr


def test_it_judges_each_response_on_its_own(reward_model: Path) -> None:
    judge = reward_model_judge(
        RewardModelJudge(path=str(reward_model / "model"), batch_size=2), "cpu"
    )
    pairs = [
        pair(said("Yes, of course."), said("No")),
        pair(said("No"), said("Yes, of course.")),
        pair(said("a"), said("a")),
    ]
    scores = [opinion.score for opinion in judge.decide(pairs)]
    assert scores[0] is not None and scores[1] == 1 - scores[0] and scores[2] == 0.5


def test_training_and_judging_read_the_same_tokens(reward_model: Path, tiny_model: Path) -> None:
    from stagelift.evals.judges.reward_model import chat_text

    tokenizer = load_tokenizer(str(tiny_model), None, None)
    row = reward_rows(Source(path="bundled/instructions", limit=1))[0]
    shown = chat_text(tokenizer, row["chosen"][0]["content"], row["chosen"][1]["content"])
    theirs = tokenizer.apply_chat_template(row["chosen"], return_dict=True)["input_ids"]
    assert tokenizer(shown, add_special_tokens=False)["input_ids"] == list(theirs)
    assert (reward_model / "model" / "chat_template.jinja").exists() or tokenizer.chat_template


def test_a_language_model_is_no_reward_model(tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="is no reward model: it is LlamaForCausalLM"):
        check_reward_model(RewardModelJudge(path=str(tiny_model)))


def test_an_unknown_argument_is_refused_before_anything_is_written(
    tiny_model: Path, tmp_path: Path
) -> None:
    done = train(tiny_model, tmp_path / "rm", "max_step=3")
    assert done.exit_code == 2 and "did you mean 'max_steps'" in done.stderr
    assert not (tmp_path / "rm").exists()
