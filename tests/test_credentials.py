"""What is a credential by its name, its form or its value; nothing else is taken for one."""

import dataclasses
import inspect
import json
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

from stagelift.evals.credential_places import check_no_credentials
from stagelift.evals.credentials import (
    credentials_in,
    is_credential_name,
    short_repr,
    without_credentials,
    words_without_credentials,
)
from stagelift.evals.data.own_rows import OwnProblem
from stagelift.evals.files import append_records, write_json
from stagelift.evals.metrics.own_scores import own_score
from stagelift.evals.metrics.rereading import read_again
from stagelift.evals.metrics.scorers.known import named, read_scorer
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Score
from stagelift.harness.errors import UsageError
from stagelift.harness.workers.log import clean_log
from tests.conftest import environment

# made up, in the forms of their issuers
TOKENS = [
    "hf_" + "aB3dE" * 7,
    "sk-proj-" + "a1B2c3D4" * 4,
    "sk-ant-api03-" + "x9Y8" * 8,
    "ghp_" + "a1B2c3" * 6,
    "github_pat_" + "11AAAA_" * 6,
    "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "AKIA" + "QWERTY0123456789",
    "xoxb-123456789012-abcdefghij",
    "AIza" + "a1B2c3D4e5" * 3 + "abcde",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "wandb_v1_" + "a1B2c3D4e5F6" * 2,
]


@pytest.mark.parametrize(
    "name",
    [
        *("hub_token", "token", "api_key", "apiKey", "api-key", "HF_TOKEN", "WANDB_API_KEY"),
        *("aws_access_key_id", "aws_secret_access_key", "MYSQL_PWD", "client_secret", "auth"),
        *("bearer", "credentials", "passwd", "password", "private_key", "key", "use_auth_token"),
        *("HFTOKEN", "APITOKEN", "PASS", "DB_PASS", "GITHUB_PAT", "COOKIE", "hub_tokens", "pw"),
        *("authorization", "stages.sft.args.hub_token", "MY_TOKEN_2"),
    ],
)
def test_a_name_says_that_it_is_one(name: str) -> None:
    assert is_credential_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("pad_token", "eos_token", "bos_token_id", "max_tokens", "max_new_tokens", "tokenizer"),
        *("num_tokens", "image_token", "mask_truncated_completions", "author", "KEYBOARD", "PWD"),
        *("OLDPWD", "TOKENIZERS_PARALLELISM", "trainable_token_indices", "token_healing"),
        *("monkey", "keys", "sort_key", "group_key", "prompt_key", "answer_key", "label_key"),
        *("pass@1", "added_tokens", "bypass", "path"),
    ],
)
def test_a_name_that_only_resembles_one_is_none(name: str) -> None:
    assert not is_credential_name(name)


def test_of_all_arguments_of_trainers_and_adapters_one_is_a_credential() -> None:
    import peft
    import transformers
    import trl

    configs = [trl.SFTConfig, trl.DPOConfig, trl.KTOConfig, trl.GRPOConfig, trl.RLOOConfig]
    others = [trl.RewardConfig, peft.LoraConfig, transformers.TrainingArguments]
    names = {field.name for config in [*configs, *others] for field in dataclasses.fields(config)}
    names |= {*inspect.signature(transformers.BitsAndBytesConfig).parameters}
    names |= {*vars(transformers.GenerationConfig())}
    assert {name for name in names if is_credential_name(name)} == {"hub_token"}


@pytest.mark.parametrize(
    "token",
    [
        *("hf_" + "abcdefghij" * 3 + "klmn", "hf_" + "ABCDEFGHIJ" * 3 + "KLMN"),
        *("sk-abcdefghijklmnopqrstuvwx", "sk-proj-abcdefghijklmnopqrstuvwx"),
    ],
)
def test_letters_of_a_token_may_be_of_one_case(token: str) -> None:
    assert without_credentials(f"No such option: --{token}") == "No such option: --[credential]"


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_of_a_known_form_is_left_out_wherever_it_stands(token: str) -> None:
    assert without_credentials(f"Use '{token}', please.") == "Use '[credential]', please."
    assert credentials_in(token)


@pytest.mark.parametrize(
    "text",
    [
        *("sk-learn", "hf_hub_download", "hf_transfer", "HF_HUB_ENABLE_HF_TRANSFER"),
        *("hf-internal-testing/tiny-random", "hf_internal_testing", "hf_checkpoints10"),
        *("task-0123456789abcdefghij", "risk-adjusted-0123456789abc", "sk-container-id-1"),
        *("9ee85dcc1c840a0b", "The answer is 5", "eyJ is odd", "ssh://git@github.com/a/b"),
        "hf://datasets/user/rows@main/train.jsonl",
        *("http://127.0.0.1:8000/v1?limit=3&page=2", "bearer of bad news, they said"),
        *("sorted(rows, key=lambda row: row.key)", "password: correct horse", "max_tokens=8"),
    ],
)
def test_text_that_only_resembles_one_is_left_alone(text: str) -> None:
    assert words_without_credentials(text) == text


@pytest.mark.parametrize(
    ("words", "left"),
    # what a test is called stands in its environment
    [
        ("at http://me:hunter2@host/v1", "at http://[credential]@host/v1"),
        ("s3://b/k?X-Amz-Signature=0f0f&page=2", "s3://b/k?X-Amz-Signature=[credential]&page=2"),
        ("https://h/x?access_token=abc", "https://h/x?access_token=[credential]"),
        ("Bearer abcdefgh01234567", "Bearer [credential]"),
        ("{'Authorization': 'Bearer tiny-key'}", "{'Authorization': 'Bearer [credential]'}"),
    ],
    ids=["user", "signed", "query", "bearer", "header"],
)
def test_words_leave_out_what_stands_where_a_credential_does(words: str, left: str) -> None:
    assert words_without_credentials(words) == left
    # what a model writes is an answer, and no request
    assert without_credentials(words) == words


def test_a_value_of_the_environment_is_left_out_in_every_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOME_PASSWORD", 'p<ss"w\\rd é/1')
    for written in (
        'p<ss"w\\rd é/1',
        r"p<ss\"w\\rd é/1",
        r"p<ss\"w\\rd \u00e9/1",
        "p%3Css%22w%5Crd%20%C3%A9%2F1",
        "p&lt;ss&quot;w\\rd é/1",
        r'p<ss"w\\rd é/1',
        r'p<ss"w\\rd \xe9/1',
        r'p<ss"w\\rd \xc3\xa9/1',
        "p%3css%22w%5crd%20%c3%a9%2f1",
        "%70%3C%73%73%22%77%5C%72%64%20%C3%A9%2F%31",
        "703c737322775c726420c3a92f31",
    ):
        assert without_credentials(f"({written})") == "([credential])"


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer ", "user:"])
def test_a_value_in_base64_is_left_out_wherever_it_begins(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "not-the-real-1?")
    written = b64encode(f"{before}not-the-real-1? and more".encode()).decode()
    part = b64encode(b"the-real").decode()[4:8]
    left = without_credentials(written)
    assert "[credential]" in left and part not in left


def test_a_value_that_is_no_utf8_is_left_out_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_SECRET", "abc\udcffdefghi1")
    for written in ("abc\udcffdefghi1", "abc\ufffddefghi1", "abc%FFdefghi1"):
        assert without_credentials(f"It is {written}.") == "It is [credential]."


def test_what_is_quoted_shortly_is_cleaned_before_it_is_cut() -> None:
    quoted = short_repr({"error": ["x" * 20 + " " + TOKENS[0]]}, 40)
    assert "hf_" not in quoted and TOKENS[0][-8:] not in quoted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SORT_KEY", "length"),
        ("SHORT_KEY", "EMPTY"),
        ("CACHE_KEY", "bundled/schoolmath"),
        ("API_KEY", "instructions"),
        ("PIN_KEY", "12345678"),
        ("SSH_KEY", sys.executable),
        ("PATH_TO_MODEL", "some-model-1"),
    ],
)
def test_a_value_that_is_a_word_a_number_a_file_or_of_another_name_is_left_alone(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert words_without_credentials(f"It is {value}.") == f"It is {value}."


def test_a_long_word_is_left_out_and_no_key_of_a_record_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "finish_reason")
    assert without_credentials('{"finish_reason":"finish_reason"}') == (
        '{"finish_reason":"[credential]"}'
    )


def test_the_password_of_an_address_in_the_environment_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter-2-2@host:5000")
    assert without_credentials("login failed: hunter-2-2") == "login failed: [credential]"


def test_records_are_written_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-the-real-1")
    write_json(tmp_path / "one.json", {"said": ["the key not-the-real-1", TOKENS[0]]})
    response = f"Log in with {TOKENS[0]} or not-the-real-1."
    generation = Generation(
        id="1", group="test", prompt="p", response=response, n_tokens=None, finish_reason=None
    )
    append_records(tmp_path / "two.jsonl", [generation])
    written = (tmp_path / "one.json").read_text() + (tmp_path / "two.jsonl").read_text()
    assert written.count("[credential]") == 4
    assert "not-the-real" not in written and "hf_" not in written


def test_an_error_holds_none() -> None:
    assert str(UsageError(f"There is no {TOKENS[0]}.")) == "There is no [credential]."


def test_what_is_printed_holds_none_and_no_traceback_does() -> None:
    code = (
        "import sys; from stagelift.harness.workers.log import print_no_credentials\n"
        "print_no_credentials(); print('first', sys.argv[1]); raise ValueError(sys.argv[1])"
    )
    command = [sys.executable, "-c", code, TOKENS[1]]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.stdout == "first [credential]\n"
    assert done.stderr.endswith("ValueError: [credential]\n") and TOKENS[1] not in done.stderr


def test_a_log_that_others_wrote_is_cleaned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"before \xff\nHF_TOKEN=" + TOKENS[0].encode() + b"\nafter\n")
    clean_log(log)
    assert log.read_bytes() == b"before \xff\nHF_TOKEN=[credential]\nafter\n"
    clean_log(tmp_path / "none")


KEY = "\n".join(["MIIEowIBAAKCAQEA" * 4] * 3)
BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    "key",
    [
        f"{BEGIN}\n{KEY}\neQ==\n{END}",
        f"{BEGIN}\n{KEY}\neQ==",
        f"{BEGIN}\n{KEY}\n{END}".replace("\n", "\\n"),
        f"{BEGIN}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n{KEY}\n{END}",
        f"{BEGIN}\nabc\n{END}",
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{KEY}\n"
        "-----END PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_a_private_key_is_left_out_to_its_end(key: str) -> None:
    assert without_credentials(f"a {key}") == "a [credential]"


def test_prose_after_the_header_of_a_key_is_no_key() -> None:
    for text in (
        f"{BEGIN} is how it begins, then follow lines of base64",
        f"It stands between {BEGIN} and {END}, as text",
    ):
        assert without_credentials(text) == text


PLANTED = "pl4ntedvalue91aaX7"


@pytest.mark.parametrize(
    "url",
    [
        *("https://h/x#access_token=VALUE", "https://h/x?sv=2020&sig=VALUE", "https://VALUE@h/x"),
        *("https://user:pa/ssVALUE@h/x", "https://user:p#aVALUE@h", "https://user:p?aVALUE@h"),
        *("https://VALUE:@h/x", "https://VALUE:x-oauth-basic@h", "https://me@x.org:VALUE@h/x"),
        *(
            "https://user%3AVALUE@h",
            "https%3A%2F%2Fuser%3AVALUE%40h%2Fx",
            "https://h?token%3DVALUE",
        ),
        *("https://h/x?%74oken=VALUE", "https://h/x?api_key[]=VALUE", "//user:VALUE@h/x"),
        *("https:\\/\\/user:VALUE@h\\/x", "redis://:VALUE@h:6379/0", "https://h/;jsessionid=VALUE"),
        *("https://hooks.slack.com/services/T0000/B0000/VALUEVALUE",),
        "https://discord.com/api/webhooks/1234567890/VALUEVALUE",
    ],
)
def test_a_url_with_one_is_left_out_and_refused(url: str) -> None:
    written = url.replace("VALUE", PLANTED)
    assert PLANTED not in words_without_credentials(f"see {written} there")
    assert credentials_in(written)


@pytest.mark.parametrize(
    "text",
    [
        *("https://github.com:443/org/repo@v1.2", "http://localhost:port", "http://[::1]:80/a@b"),
        *("git+ssh://git@github.com/a/b", "// user:name@host is a comment", "https://h/a:b@c"),
        *("https://h/x?page=12345678#key", "s3://bucket/key/of/12345678", "host:8000,other:8001"),
        *("num_tokens: 12345678, max_tokens=123456789", "pad_token: 'abc123456'", "--num-tokens 8"),
    ],
)
def test_an_address_or_setting_that_only_resembles_one_is_left_alone(text: str) -> None:
    assert words_without_credentials(text) == text


@pytest.mark.parametrize(
    "words",
    [
        *("HF_TOKEN=VALUE", '"password": "VALUE"', "aws_secret_access_key = VALUE"),
        *("--hub-token VALUE", "--token=VALUE", "X-Auth-Token: VALUE", "api_key='VALUE'"),
    ],
)
def test_what_is_said_to_be_one_is_left_out_of_words(words: str) -> None:
    assert (
        words_without_credentials(words.replace("VALUE", PLANTED))
        .strip("'\"")
        .endswith("[credential]")
    )


@pytest.mark.parametrize("cut", [*range(8, len(PLANTED) + 1)])
def test_of_a_text_that_was_cut_no_beginning_is_left(
    cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", f"{PLANTED}-3f9a")
    for text in (
        f"it said 'no {PLANTED[:cut]}' there",
        f"it said no {PLANTED[:cut]}... there",
        f"it said no {PLANTED[:cut]}",
        f"it said no {b64encode(f'{PLANTED}-3f9a'.encode()).decode()[: 2 * cut]} there",
    ):
        cleaned = words_without_credentials(text)
        assert PLANTED[:8] not in cleaned, text
        assert b64encode(PLANTED[:9].encode()).decode() not in cleaned, text
    assert without_credentials("pl4ntedvan and pl4nted") == "pl4ntedvan and pl4nted"


def test_of_a_token_of_a_known_form_that_was_cut_no_beginning_is_left() -> None:
    for token in ("hf_aB3dE7xY", "sk-proj-a1B2c3", "ghp_a1B2c3", "glpat-a1B2c3D4"):
        assert words_without_credentials(f"is {token}... in") == "is [credential]... in"
        assert words_without_credentials(f"is {token} in") == f"is {token} in"
    for text in ("hf_checkpoints10", "hf_DatasetDict", "sk-container-id-1", "npm_config_x1"):
        assert words_without_credentials(text) == text


def test_content_with_one_is_refused_by_its_key() -> None:
    with pytest.raises(ValueError, match=r"Key 'metadata\.api_key' in file 'f' holds"):
        check_no_credentials({"metadata": {"api_key": PLANTED, "hub_token": 1}}, "file 'f'")
    check_no_credentials({"metadata": {"pad_token": PLANTED}}, "file 'f'")


@pytest.mark.parametrize(
    "text",
    [
        *("models/hf_llama3_8b", "hf_Qwen2-7B-sft", "org/sk-Llama3-8B", "xai-grok3-4b-mini"),
        *("https://example.com:latest", "docker://repo:latest", "foreign_key=user_id_12345"),
        *("token=3", "layers_key=model.layers.10", "password: 12 characters", "Bearer of bad news"),
    ],
)
def test_ordinary_names_are_none(text: str) -> None:
    assert not credentials_in(text)
    assert words_without_credentials(text) == text


def test_words_of_a_passphrase_are_no_beginning_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_PASSPHRASE", "correct horse battery staple")
    monkeypatch.setenv("DB_PASSWORD", "number-of-apples")
    for text in ("The answer is correct (42).", "the number-o... of", "a number-of"):
        assert without_credentials(text) == words_without_credentials(text) == text
    assert without_credentials("correct horse battery staple") == "[credential]"


def test_one_at_the_beginning_of_a_line_is_found_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "correcthorsebattery")
    token = f"ghp_{'aB3' * 12}"
    for text in (f"Use:\n{token}", "It is\ncorrecthorsebattery!", f"\t{token}"):
        assert "[credential]" in without_credentials(json.dumps(text))


def test_long_text_of_beginnings_takes_no_time() -> None:
    started = time.process_time()
    for text in ("hf_" * 50_000, "sk-" * 50_000, f"{'a-' * 50_000}//x"):
        words_without_credentials(text)
    assert time.process_time() - started < 5


def test_a_score_is_of_what_is_stored() -> None:
    token = f"ghp_{'aB3' * 12}"
    problem = OwnProblem(
        id="secrets/0",
        task="secrets",
        group="task",
        prompt=[{"role": "user", "content": f"Where is {token}?"}],
        row={"prompt": f"Where is {token}?", "target": token},
    )
    response = Generation(
        id="secrets/0", group="task", prompt="q", response=token, n_tokens=1, finish_reason="stop"
    )
    scored = own_score(response, problem, named([read_scorer({"kind": "exact"})], None))
    stored = Score.model_validate_json(without_credentials(scored.model_dump_json()))
    assert stored == scored
    assert scored.scored["exact"].value == 1 and token not in scored.model_dump_json()


def test_what_is_stored_is_read_again_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    response = Generation(
        id="p/0",
        group="test",
        prompt="q",
        response="It is 20261127 4711.",
        n_tokens=1,
        finish_reason="stop",
    )
    before = score(response, "q", "4711")
    monkeypatch.setenv("DOOR_PASSWORD", "20261127 4711")
    assert read_again([response], [before], {}) == [before]
