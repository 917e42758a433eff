"""What files do these tests save: which networks, which state of a run?"""

from pathlib import Path
from typing import Any

import numpy as np

from muzero_probe import checkpoints
from muzero_probe.checkpoints import resume_folder, save_checkpoint, save_resume

REPOSITORY = Path(checkpoints.__file__).parents[1]
CONFIG = {"lr": 3e-4, "layers": (64, 64), "name": "é", "clip": None, "nested": {"b": 1, "a": True}}


def networks(offset: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "g.w": rng.standard_normal((3, 4)).astype(np.float32) + np.float32(offset),
        "g.scale": np.array(2.5, np.float32),
        "h.empty": np.zeros((0, 3), np.float32),
        "h.b": np.array([0.0, -0.0, 3e38, -3e38, 1e-45], np.float32),
    }


def save(root: Path, **changes: Any) -> Path:
    settings = {
        "agent": "cartpole",
        "profile": "tiny",
        "seed": 7,
        "step": 2000,
        "config": CONFIG,
        "arrays": networks(),
    }
    return save_checkpoint(root, **(settings | changes))


def save_state(root: Path, step: int, **changes: Any) -> Path:
    settings = {
        "agent": "cartpole",
        "profile": "tiny",
        "seeds": range(3),
        "step": step,
        "config": CONFIG,
        "arrays": {"step": np.array([step])},
        "meta": {"step": step},
    }
    settings |= changes
    folder = resume_folder(root, settings["profile"], settings["agent"], settings["seeds"])
    return save_resume(folder, **settings)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return checkpoints._bits(a) == checkpoints._bits(b) and all(a[name].dtype == b[name].dtype for name in a)
