"""What is the file of an agent that a user has written?"""

from pathlib import Path

CARD = """
from muzero_probe.agents import SMOKE, Agent, Profile
from muzero_probe.config import NetsConfig, SearchConfig, TrainingConfig
from muzero_probe.envs.planted import chain


def environment(length=5):
    return chain(length)


AGENT = Agent(
    title="A chain",
    environment=environment,
    profiles={
        "smoke": Profile(
            nets=NetsConfig(latent=8, hidden=8),
            search=SearchConfig(simulations=4, discount=0.9),
            training=TrainingConfig(**SMOKE),
            seeds=2,
            environment={"length": 7},
        )
    },
)
"""


def write(folder: Path, *changes: tuple[str, str], name: str = "mine.py") -> str:
    """Writes the card with some of its text replaced; returns its path."""
    text = CARD
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / name).write_text(text)
    return str(folder / name)
