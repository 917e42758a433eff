"""Updates of S agents: gradient, per-seed clipping, Adam.

On a CPU every seed is a task of its own that runs all updates of a block in compiled code, so that nothing
waits between updates. On another device torch makes one update of all seeds at a time.
"""

from functools import partial

import numpy as np
import torch
from torch.optim.adam import adam

from muzero_probe import threads
from muzero_probe.config import TrainingConfig
from muzero_probe.nets import mlp, updates
from muzero_probe.nets.mlp import Mlp
from muzero_probe.training.replay import Batch


class Learner:
    """Holds parameters [S, P] and Adam's moments."""

    compiled = True  # on a CPU

    def __init__(self, nets: Mlp, theta: torch.Tensor, config: TrainingConfig) -> None:
        """Takes over `theta`, on the device to train on; it is updated in place."""
        self.nets = nets
        self.theta = theta
        self.config = config
        self.compiled = self.compiled and theta.device.type == "cpu"
        self.step = 0  # updates made
        self.first = torch.zeros_like(theta)  # Adam's moments
        self.second = torch.zeros_like(theta)

    def update(self, batch: Batch) -> dict[str, np.ndarray]:
        """Makes one update per leading entry of the batch.

        Returns:
            Means over the updates, each [S]: reward_loss, value_loss, policy_loss, gradient_norm (before
            clipping), and skipped: the number of updates whose gradient was not finite and not applied.
        """
        U, seeds = batch.observations.shape[:2]
        batch = batch._replace(observations=batch.observations.reshape(*batch.observations.shape[:3], -1))
        rates = np.array([self.config.learning_rate_at(self.step + u) for u in range(U)])
        if self.compiled:
            metrics = np.empty((seeds, 5))
            state = (self.theta.numpy(), self.first.numpy(), self.second.numpy(), self.step, rates)
            limits = (self.config.weight_decay, self.config.gradient_norm)
            nets = (self.nets.dims, self.nets.value_support.low, self.nets.reward_support.low)
            threads.run([partial(updates.update, s, *state, *limits, *nets, batch, metrics) for s in range(seeds)])
        else:
            metrics = np.sum([self._update_all(u, batch, rates[u]) for u in range(U)], 0)
        self.step += U
        metrics[:, :4] /= U
        names = ("reward_loss", "value_loss", "policy_loss", "gradient_norm", "skipped")
        return {name: metrics[:, i] for i, name in enumerate(names)}

    def _update_all(self, u: int, batch: Batch, rate: float) -> np.ndarray:
        """One update of all seeds in torch operations, on any device; the same arithmetic up to rounding."""
        device = self.theta.device
        fields = (torch.as_tensor(field[u], device=device) for field in batch)
        theta = self.theta.detach().requires_grad_()
        losses = mlp.losses(self.nets, theta, *fields)
        (gradient,) = torch.autograd.grad(losses.sum(), theta)
        norms = gradient.norm(dim=1)
        finite = norms.isfinite()
        factor = torch.where(finite, (self.config.gradient_norm / (norms + 1e-6)).clamp(max=1.0), 0.0)
        gradient.nan_to_num_(0.0, 0.0, 0.0).mul_(factor[:, None])
        step = torch.tensor(float(self.step + u))
        with torch.no_grad():
            adam(
                [self.theta], [gradient], [self.first], [self.second], [], [step],
                amsgrad=False, maximize=False, lr=rate, weight_decay=self.config.weight_decay,
                beta1=updates.BETA1, beta2=updates.BETA2, eps=updates.ADAM_EPSILON,
            )  # fmt: skip
        return torch.cat([losses.detach(), norms[:, None], ~finite[:, None]], 1).double().cpu().numpy()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns parameters and Adam's moments, [S, P] each, and the step."""
        tensors = {"theta": self.theta, "exp_avg": self.first, "exp_avg_sq": self.second}
        return {**{name: x.cpu().numpy().copy() for name, x in tensors.items()}, "step": np.array(self.step)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result."""
        self.step = int(state["step"])
        for name, tensor in (("theta", self.theta), ("exp_avg", self.first), ("exp_avg_sq", self.second)):
            tensor.copy_(torch.as_tensor(state[name]))
