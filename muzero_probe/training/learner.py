"""Updates of S agents: gradient, per-seed clipping, Adam.

On a CPU every seed is a task of its own that runs all updates of a block, so that nothing waits between updates:
of MLPs in compiled code, of other nets in torch. On another device torch makes one update of all seeds at a time; on
CUDA the many small kernels of a gradient are captured in one graph.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.optim.adam import adam

from muzero_probe import threads
from muzero_probe.config import TrainingConfig
from muzero_probe.cpu import updates
from muzero_probe.cpu.parameters import sizes_of
from muzero_probe.nets.loss import Nets, losses
from muzero_probe.nets.mlp import Mlp
from muzero_probe.training.replay import Batch


class Learner:
    """Holds parameters [S, P] and Adam's moments."""

    compiled = True  # where they can be

    def __init__(self, nets: Nets, theta: torch.Tensor, config: TrainingConfig) -> None:
        """Takes over `theta`, on the device to train on; it is updated in place."""
        self.nets = nets
        self.theta = theta
        self.config = config
        on_cpu = theta.device.type == "cpu"
        self._mlp = nets if on_cpu and self.compiled and isinstance(nets, Mlp) else None
        self._by_seed = on_cpu  # whether seeds are tasks
        self.step = 0  # updates made
        self.first = torch.zeros_like(theta)  # Adam's moments
        self.second = torch.zeros_like(theta)
        self._gradient = partial(clipped_gradient, nets, config.gradient_norm)
        if theta.device.type == "cuda":
            torch.backends.cudnn.deterministic = True  # a resumed run comes to its checkpoints again
            self._gradient = captured(self._gradient, backend="cudagraphs")

    def update(self, batch: Batch) -> dict[str, np.ndarray]:
        """Makes one update per leading entry of the batch.

        Returns:
            Means over the updates, each [S]: reward_loss, value_loss, policy_loss, gradient_norm (before
            clipping), and skipped: the number of updates whose gradient was not finite and not applied.
        """
        U, seeds = batch.observations.shape[:2]
        batch = batch._replace(observations=batch.observations.reshape(*batch.observations.shape[:3], -1))
        rates = np.array([self.config.learning_rate_at(self.step + u) for u in range(U)])
        if self._mlp:
            metrics = np.empty((seeds, 5))
            batch = batch._replace(observations=batch.observations.astype(np.float32, copy=False))
            state = updates.Adam(self.theta.numpy(), self.first.numpy(), self.second.numpy())
            settings = (self.step, rates, self.config.weight_decay, self.config.gradient_norm, sizes_of(self._mlp))
            threads.run([partial(updates.update, s, state, *settings, batch, metrics) for s in range(seeds)])
        else:
            parts = [slice(s, s + 1) for s in range(seeds)] if self._by_seed else [slice(0, seeds)]
            done = threads.run([partial(self._update_part, part, batch, rates) for part in parts])
            metrics = np.concatenate(done)
        self.step += U
        metrics[:, :4] /= U
        names = ("reward_loss", "value_loss", "policy_loss", "gradient_norm", "skipped")
        return {name: metrics[:, i] for i, name in enumerate(names)}

    def _update_part(self, part: slice, batch: Batch, rates: np.ndarray) -> np.ndarray:
        """All updates of some seeds in torch operations, on any device; the same arithmetic up to rounding.

        The batches go to the device together and the metrics come back together: between, the host waits for nothing.
        """
        device = self.theta.device
        # pixels travel as bytes; `losses` makes numbers of them
        fields = [torch.as_tensor(field[:, part], device=device) for field in batch]
        theta, first, second = self.theta[part], self.first[part], self.second[part]
        total = torch.zeros(len(theta), 5, dtype=torch.float64, device=device)
        torch.set_flush_denormal(device.type == "cpu")  # of this thread: numbers too small to matter cost most
        try:
            for u, rate in enumerate(rates):
                gradient, terms, norms = self._gradient(theta, *(field[u] for field in fields))
                step = torch.tensor(float(self.step + u))
                adam(
                    [theta], [gradient], [first], [second], [], [step],
                    amsgrad=False, maximize=False, lr=float(rate), weight_decay=self.config.weight_decay,
                    beta1=updates.BETA1, beta2=updates.BETA2, eps=updates.ADAM_EPSILON,
                )  # fmt: skip
                total += torch.cat([terms, norms[:, None], ~norms.isfinite()[:, None]], 1)
        finally:
            torch.set_flush_denormal(False)
        return total.cpu().numpy()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns parameters and Adam's moments, [S, P] each, and the step."""
        tensors = {"theta": self.theta, "exp_avg": self.first, "exp_avg_sq": self.second}
        return {**{name: x.cpu().numpy().copy() for name, x in tensors.items()}, "step": np.array(self.step)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result."""
        self.step = int(state["step"])
        for name, tensor in (("theta", self.theta), ("exp_avg", self.first), ("exp_avg_sq", self.second)):
            tensor.copy_(torch.as_tensor(state[name]))


def clipped_gradient(
    nets: Nets, limit: float, theta: torch.Tensor, *fields: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the gradient of one update, clipped seed by seed; one that is not finite is 0.

    Args:
        nets: sizes.
        limit: largest norm.
        theta: [S, P].
        fields: one update's part of `Batch`, [S, ...] each.

    Returns:
        Gradient [S, P], losses [S, 3], norms before clipping [S].
    """
    leaf = theta.detach().clone().requires_grad_()  # other threads write to other rows of the same memory
    terms = losses(nets, leaf, *fields)
    (gradient,) = torch.autograd.grad(terms.sum(), leaf)
    norms = gradient.norm(dim=1)
    factor = torch.where(norms.isfinite(), (limit / (norms + 1e-6)).clamp(max=1.0), 0.0)
    return gradient.nan_to_num(0.0, 0.0, 0.0) * factor[:, None], terms.detach(), norms


def captured(gradient: Callable, backend: str) -> Callable:
    """Returns `gradient` as one graph of torch operations, for a backend of `torch.compile`."""
    torch._dynamo.config.trace_autograd_ops = True  # a graph may hold its own backward pass
    return torch.compile(gradient, backend=backend, fullgraph=True, dynamic=False)
