"""The rewards of a stage, each shown what its rows show."""

from stagelift.stages.rewards import Reward, load_rewards, shown_texts
from stagelift.stages.rows.training import were_texts
from stagelift.stages.settings import StageSettings


def rewards_of(settings: StageSettings) -> list[Reward]:
    """Return a stage's rewards, in order, as its trainer calls them.

    Where the rows' texts became turns they are shown texts. Raises ValueError where there is no
    such reward.
    """
    rewards = load_rewards(settings.rewards)
    if were_texts(settings):
        return [shown_texts(reward) for reward in rewards]
    return rewards
