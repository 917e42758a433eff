"""Updates of S agents: gradient, per-seed clipping, Adam.

On a CPU every group of seeds is a task of its own that runs all updates of a block, so that nothing waits
between updates; a seed's arithmetic does not depend on its group. On another device all seeds are one group.
"""

from typing import Any

import numpy as np
import torch

from muzero_probe import threads
from muzero_probe.config import TrainingConfig
from muzero_probe.nets import kernels, mlp
from muzero_probe.nets.mlp import Mlp
from muzero_probe.training.replay import Batch

GROUP = 2  # seeds per task on a CPU


class Learner:
    """Holds parameters [S, P] and their optimiser."""

    def __init__(self, nets: Mlp, theta: torch.Tensor, config: TrainingConfig) -> None:
        """Takes over `theta`, on the device to train on; it is updated in place."""
        self.nets = nets
        self.theta = theta
        self.config = config
        self.step = 0  # updates made
        S = len(theta)
        size = GROUP if theta.device.type == "cpu" else S
        self.groups = [slice(a, min(a + size, S)) for a in range(0, S, size)]
        # a group's parameter shares memory with its rows of theta, and so do the optimiser's, one per seed: Adam's
        # vectors end with the parameter, and what is left over is rounded otherwise
        self.parameters = [torch.nn.Parameter(theta[group], requires_grad=True) for group in self.groups]
        self.rows = [[torch.nn.Parameter(row) for row in theta[group]] for group in self.groups]
        self.optimisers = [
            torch.optim.Adam(rows, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
            for rows in self.rows
        ]

    def update(self, batch: Batch) -> dict[str, np.ndarray]:
        """Makes one update per leading entry of the batch.

        Returns:
            Means over the updates, each [S]: reward_loss, value_loss, policy_loss, gradient_norm (before
            clipping), and skipped: the number of updates whose gradient was not finite and not applied.
        """
        updates = len(batch.actions)
        metrics = threads.run([lambda g=g: self._update_group(g, batch, updates) for g in range(len(self.groups))])
        self.step += updates
        joined = np.concatenate(metrics)
        names = ("reward_loss", "value_loss", "policy_loss", "gradient_norm", "skipped")
        return {name: joined[:, i] for i, name in enumerate(names)}

    def _update_group(self, g: int, batch: Batch, updates: int) -> np.ndarray:
        parameter, optimiser = self.parameters[g], self.optimisers[g]
        total = np.zeros((len(parameter), 5))
        for u in range(updates):
            part = Batch(*(field[u, self.groups[g]] for field in batch))
            losses, gradient = self._gradient(parameter, part)
            norms = gradient.norm(dim=1)
            finite = norms.isfinite()
            factor = torch.where(finite, (self.config.gradient_norm / (norms + 1e-6)).clamp(max=1.0), 0.0)
            gradient.nan_to_num_(0.0, 0.0, 0.0).mul_(factor[:, None])
            for row, slope in zip(self.rows[g], gradient, strict=True):
                row.grad = slope
            optimiser.param_groups[0]["lr"] = self.config.learning_rate_at(self.step + u)
            optimiser.step()
            total[:, :3] += losses
            total[:, 3] += norms.cpu().numpy() / updates
            total[:, 4] += ~finite.cpu().numpy()
        total[:, :3] /= updates
        return total

    def _gradient(self, parameter: torch.nn.Parameter, part: Batch) -> tuple[np.ndarray, torch.Tensor]:
        part = part._replace(observations=part.observations.reshape(*part.observations.shape[:2], -1))
        if parameter.device.type == "cpu":
            losses = np.empty((len(parameter), 3))
            gradient = np.empty(parameter.shape, np.float32)
            kernels.loss_and_gradient(
                parameter.detach().numpy(),
                self.nets.dims,
                self.nets.value_support.low,
                self.nets.reward_support.low,
                part.observations,
                part.actions,
                part.rewards,
                part.values,
                part.policies,
                part.reward_weights,
                part.value_weights,
                part.policy_weights,
                losses,
                gradient,
            )
            return losses, torch.from_numpy(gradient)
        losses = mlp.losses(self.nets, parameter, *(torch.as_tensor(x, device=parameter.device) for x in part))
        (gradient,) = torch.autograd.grad(losses.sum(), parameter)
        return losses.detach().cpu().numpy(), gradient

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns parameters and Adam's moments, [S, P] each, and the step."""
        moments = {"exp_avg": torch.zeros_like(self.theta), "exp_avg_sq": torch.zeros_like(self.theta)}
        for group, rows, optimiser in zip(self.groups, self.rows, self.optimisers, strict=True):
            for name, tensor in moments.items():
                if optimiser.state:
                    tensor[group] = torch.stack([optimiser.state[row][name] for row in rows])
        arrays = {"theta": self.theta, **moments}
        named: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in arrays.items()}
        return {**named, "step": np.array(self.step)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result."""
        self.step = int(state["step"])
        with torch.no_grad():
            self.theta.copy_(torch.as_tensor(state["theta"]))
        if self.step == 0:
            return
        for group, rows, optimiser in zip(self.groups, self.rows, self.optimisers, strict=True):
            for row, first, second in zip(rows, state["exp_avg"][group], state["exp_avg_sq"][group], strict=True):
                optimiser.state[row] = {
                    "step": torch.tensor(float(self.step), device=row.device),
                    "exp_avg": torch.tensor(first, device=row.device),
                    "exp_avg_sq": torch.tensor(second, device=row.device),
                }
