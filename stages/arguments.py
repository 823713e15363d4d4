"""Which of TRL's arguments change what is trained, and which only how it is reported and saved."""

from typing import Any

# of transformers' TrainingArguments and of TRL's configs. Not `log_completions`: it draws from
# Python's random numbers, as a reward may. Not `save_only_model`: a killed training would go on
# without its optimizer's state.
_REPORTING = {
    "disable_tqdm",
    "include_num_input_tokens_seen",
    "log_completions_hub_repo",
    "log_level",
    "log_level_replica",
    "log_multimodal",
    "log_on_each_node",
    "log_unique_prompts",
    "logging_first_step",
    "logging_nan_inf_filter",
    "logging_steps",
    "logging_strategy",
    "project",
    "report_to",
    "run_name",
    "skip_memory_metrics",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
}
_SAVING = {"save_on_each_node", "save_steps", "save_strategy"}
# a stage that ends when it is ill ends by the rows that it logs, which it does where it saves, too
_STOPPING = {
    "logging_first_step",
    "logging_steps",
    "logging_strategy",
    "save_steps",
    "save_strategy",
}
_PUBLISHING = {
    "hub_always_push",
    "hub_model_id",
    "hub_private_repo",
    "hub_revision",
    "hub_strategy",
    "hub_token",
    "push_to_hub",
}
# nothing is uploaded while a stage is trained
UPLOADING = frozenset(
    {
        "log_completions_hub_repo",
        "trackio_bucket_id",
        "trackio_space_id",
        "trackio_static_space_id",
        *_PUBLISHING,
    }
)
CHANGE_NOTHING = frozenset(_REPORTING | _SAVING | _PUBLISHING)


def arguments_that_train(args: dict[str, Any], *, stop_when_ill: bool = False) -> dict[str, Any]:
    """Leave out the arguments that do not change what is trained."""
    changing_nothing = CHANGE_NOTHING - _STOPPING if stop_when_ill else CHANGE_NOTHING
    training = {name: value for name, value in args.items() if name not in changing_nothing}
    # other than the rest, this one chooses which of the saved models is kept
    if args.get("save_strategy") == "best":
        training["save_strategy"] = "best"
    return training
