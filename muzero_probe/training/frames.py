"""Observations in rings, every screen stored once.

An observation may be the last F screens side by side: the next one of the same game then repeats all but its oldest
screen. Only the newest screen of each slot is stored; an observation is put together from the slots before it.
"""

import numpy as np


class Frames:
    """Rings [S, E, C] of observations.

    Args:
        shape: S, E, C.
        observation_shape: of one observation, screens along its last axis, oldest first.
        dtype: of the observations.
        screens: F; 1 where observations share nothing.
    """

    def __init__(
        self, shape: tuple[int, int, int], observation_shape: tuple[int, ...], dtype: type, screens: int
    ) -> None:
        """Allocates empty rings."""
        self.screens = screens
        self.observation_shape = observation_shape
        *sides, planes = observation_shape
        self.newest = np.zeros((*shape, *sides, planes // screens), dtype)
        # how many slots an observation reaches back; where a game is younger than F, its first screen is repeated
        self.reach = np.zeros(shape, np.uint8)

    def write(self, slot: int, observations: np.ndarray) -> None:
        """Writes slot number `slot` (from 0, over all rounds) of every ring. observations: [S, E, ...].

        Raises:
            ValueError: if an observation neither moves the one before on by a screen nor repeats a single screen.
        """
        C = self.reach.shape[2]
        planes = self.newest.shape[-1]
        if self.screens > 1:
            pixels = tuple(range(2, observations.ndim))
            first = (observations[..., planes:] == observations[..., :-planes]).all(pixels)
            goes_on = np.zeros_like(first)
            if slot:
                s, e = np.indices(first.shape)
                before = self.read(s, e, np.full_like(s, (slot - 1) % C))
                goes_on = (observations[..., :-planes] == before[..., planes:]).all(pixels)
            if not (first | goes_on).all():
                raise ValueError("an observation is no stack of screens: it does not follow from the one before")
            reached = np.minimum(self.reach[:, :, (slot - 1) % C] + 1, self.screens - 1)
            self.reach[:, :, slot % C] = np.where(goes_on, reached, 0)
        self.newest[:, :, slot % C] = observations[..., -planes:]

    def read(self, s: np.ndarray | int, e: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Returns the observations at positions s, e, c [...] of the rings, [..., *observation_shape]."""
        if self.screens == 1:
            return self.newest[s, e, c]
        C = self.reach.shape[2]
        planes = self.newest.shape[-1]
        reach = self.reach[s, e, c].astype(np.int64)
        out = np.empty((*reach.shape, *self.observation_shape), self.newest.dtype)
        for f in range(self.screens):
            back = np.minimum(self.screens - 1 - f, reach)
            out[..., f * planes : (f + 1) * planes] = self.newest[s, e, (c - back) % C]
        return out

    def torn(self, slot: int) -> list[tuple[int, np.ndarray]]:
        """Which observations lost a screen when `slot` was written: ring indices, and for each [S, E] bool."""
        C = self.reach.shape[2]
        return [((slot + ahead) % C, self.reach[:, :, (slot + ahead) % C] >= ahead) for ahead in range(1, self.screens)]
