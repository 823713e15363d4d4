import pytest

from stagelift.stages.optimizers import check_optimizer


def test_an_optimiser_of_bitsandbytes_is_refused_where_that_is_not_installed() -> None:
    with pytest.raises(
        ValueError, match="'sft': optim is 'paged_adamw_8bit', which needs the pack"
    ):
        check_optimizer("sft", {"optim": "paged_adamw_8bit"}, installed=False)


def test_other_optimisers_need_nothing() -> None:
    check_optimizer("sft", {"optim": "paged_adamw_8bit"}, installed=True)
    check_optimizer("sft", {"optim": "adamw_torch_8bit"}, installed=False)
    check_optimizer("sft", {}, installed=False)
