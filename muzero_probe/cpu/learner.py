"""Updates of agents on a CPU in compiled code, a task a seed."""

from functools import partial

import numpy as np
import torch

from muzero_probe import threads
from muzero_probe.config import TrainingConfig
from muzero_probe.cpu import updates
from muzero_probe.cpu.model import KNOWN, computes, sizes_of
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.residual import Residual
from muzero_probe.training.batch import Batch
from muzero_probe.training.learner import Learner


def learns(nets: Nets, theta: torch.Tensor, config: TrainingConfig) -> bool:
    """Returns whether the compiled code knows these nets, where they lie, and all terms of their loss."""
    return computes(nets, theta) and not config.loss_terms


class CompiledLearner(Learner):
    """What `Learner` does, sooner, up to rounding; the same bits on every processor.

    Raises:
        TypeError: if the compiled code does not know the nets or the loss.
    """

    def __init__(self, nets: Nets, theta: torch.Tensor, config: TrainingConfig) -> None:
        if not isinstance(nets, KNOWN) or not learns(nets, theta, config):
            raise TypeError("compiled code knows Mlp and Residual nets on a CPU and MuZero's own loss terms")
        super().__init__(nets, theta, config)
        self._sizes = sizes_of(nets)

    def _update(self, batch: Batch, rates: np.ndarray) -> np.ndarray:
        sums = np.empty((len(self.theta), len(self.metrics)))
        if not isinstance(self.nets, Residual) or batch.observations.dtype != np.uint8:  # pixels stay bytes
            batch = batch._replace(observations=batch.observations.astype(np.float32, copy=False))
        adam = updates.Adam(self.theta.numpy(), self.mean.numpy(), self.variance.numpy())
        schedule = updates.Schedule(self.step, rates, self.config.weight_decay, self.config.gradient_norm)
        work = (adam, schedule, self._sizes, batch, sums)
        threads.run([partial(updates.update, s, *work) for s in range(len(sums))])
        return sums
