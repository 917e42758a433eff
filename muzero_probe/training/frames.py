"""Observations in rings, every screen stored once.

An observation may be the last F screens, [F, ...]: the next one of the same game then repeats all but its oldest
screen. Only the newest screen of each slot is stored; an observation is put together from the slots before it.
"""

import numpy as np


class Frames:
    """Rings [S, E, C] of observations.

    Args:
        shape: S, E, C.
        observation_shape: of one observation; its first axis are the screens, oldest first, where there are some.
        dtype: of the observations.
        screens: F; 1 where observations share nothing.
    """

    def __init__(
        self, shape: tuple[int, int, int], observation_shape: tuple[int, ...], dtype: type, screens: int
    ) -> None:
        """Allocates empty rings."""
        self.screens = screens
        self.observation_shape = observation_shape
        self.newest = np.zeros((*shape, *(observation_shape[1:] if screens > 1 else observation_shape)), dtype)
        # how many slots an observation reaches back; where a game is younger than F, its first screen is repeated
        self.reach = np.zeros(shape, np.uint8)

    def write(self, slot: int, observations: np.ndarray) -> None:
        """Writes slot number `slot` (from 0, over all rounds) of every ring. observations: [S, E, ...].

        Raises:
            ValueError: if an observation neither moves the one before on by a screen nor repeats a single screen.
        """
        C = self.reach.shape[2]
        if self.screens == 1:
            self.newest[:, :, slot % C] = observations
            return
        within = tuple(range(2, observations.ndim))
        first = (observations[:, :, 1:] == observations[:, :, :-1]).all(within)
        goes_on = np.zeros_like(first)
        if slot:
            s, e = np.indices(first.shape)
            before = self.read(s, e, np.full_like(s, (slot - 1) % C))
            goes_on = (observations[:, :, :-1] == before[:, :, 1:]).all(within)
        if not (first | goes_on).all():
            raise ValueError("an observation is no stack of screens: it does not follow from the one before")
        reached = np.minimum(self.reach[:, :, (slot - 1) % C] + 1, self.screens - 1)
        self.reach[:, :, slot % C] = np.where(goes_on, reached, 0)
        self.newest[:, :, slot % C] = observations[:, :, -1]

    def read(self, s: np.ndarray, e: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Returns the observations at positions s, e, c [...] of the rings, [..., *observation_shape]."""
        if self.screens == 1:
            return self.newest[s, e, c]
        back = np.minimum(np.arange(self.screens - 1, -1, -1), self.reach[s, e, c][..., None])
        s, e, c = (x[..., None] for x in np.broadcast_arrays(s, e, c))
        return self.newest[s, e, (c - back) % self.reach.shape[2]]

    def invalidated(self, slot: int) -> list[tuple[int, np.ndarray]]:
        """Which observations lost a screen when `slot` was written: ring indices, and for each [S, E] bool."""
        C = self.reach.shape[2]
        return [((slot + ahead) % C, self.reach[:, :, (slot + ahead) % C] >= ahead) for ahead in range(1, self.screens)]
