"""Which code computes given nets? Compiled code where `cpu` says that it can, torch everywhere else."""

import numpy as np
import torch

from muzero_probe.config import TrainingConfig
from muzero_probe.cpu.learner import CompiledLearner, learns
from muzero_probe.cpu.model import CompiledModel, computes
from muzero_probe.models.learned import LearnedModel
from muzero_probe.nets.loss import Nets
from muzero_probe.training.learner import Learner


def learned_model(nets: Nets, theta: torch.Tensor, row_seeds: np.ndarray, *, may_diverge: bool = False) -> LearnedModel:
    """Returns the model of S agents for rows that belong to them; arguments as in `LearnedModel`."""
    kind = CompiledModel if computes(nets, theta) else LearnedModel
    return kind(nets, theta, row_seeds, may_diverge=may_diverge)


def learner(nets: Nets, theta: torch.Tensor, config: TrainingConfig) -> Learner:
    """Returns what updates S agents; arguments as in `Learner`."""
    kind = CompiledLearner if learns(nets, theta, config) else Learner
    return kind(nets, theta, config)


def compiles(nets: Nets, theta: torch.Tensor) -> bool:
    """Returns whether compiled code computes the nets, which rounds alike on every processor."""
    return computes(nets, theta)


def check_device(name: str) -> None:
    """Refuses a torch device that is none, or that is not there.

    Raises:
        ValueError: in one line.
    """
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError):
        device = None
    if device is None or device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise ValueError(f"device is {name!r}, allowed are cpu, cuda and cuda:0, cuda:1, ...")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device is {name!r}, but torch sees {torch.cuda.device_count()} CUDA devices here")
