"""Is the memory of the rings what their fields take?"""

import pytest

from benchmarks import memory


@pytest.mark.parametrize(
    ("title", "positions", "of_observation", "screen", "actions", "seeds"),
    [
        ("Cart Pole `paper`", 8 * 6_000, 4 * 4, 4 * 4, 2, 30),
        ("Breakout (ALE) `desk`", 32 * 3_000, 4 * 48 * 48, 48 * 48, 4, 4),  # four screens, kept once
    ],
)
def test_bytes(title: str, positions: int, of_observation: int, screen: int, actions: int, seeds: int):
    # reach; action; reward, value; terminated, final; policy; priority
    of_position = screen + 1 + 8 + 4 + 4 + 1 + 1 + 4 * actions + 8
    all_seeds = f"{of_position * positions * seeds / 1e9:.3g}"
    assert (
        f"| {title} | {seeds} | {positions:,} | {of_position:,} | {of_observation:,} | {all_seeds} |" in memory.lines()
    )
