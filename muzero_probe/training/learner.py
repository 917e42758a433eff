"""Updates of S agents in torch, for any nets, loss terms and device: gradient, per-seed clipping, Adam.

On a CPU every seed is a task of its own that runs all updates of a block, so that nothing waits between updates. On
another device torch makes one update of all seeds at a time; on CUDA the many small kernels of a gradient are captured
in one graph. `engine` knows a faster learner for some nets.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from torch.optim.adam import adam

from muzero_probe import door, threads
from muzero_probe.config import TrainingConfig
from muzero_probe.nets.loss import MUZERO, Nets, Targets, check_terms, losses
from muzero_probe.training.batch import Batch

TENSORS = ("theta", "exp_avg", "exp_avg_sq")  # of a state: parameters, Adam's first and second moments
BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba 2015)


class Learner:
    """Holds parameters [S, P] and Adam's moments.

    Args:
        nets: what is trained.
        theta: [S, P] parameters, on the device to train on; updated in place.
        config: how.

    Raises:
        ValueError: if the config weighs a loss term that is not there.
    """

    def __init__(self, nets: Nets, theta: torch.Tensor, config: TrainingConfig) -> None:
        check_terms(config.loss_terms)
        self.nets = nets
        self.theta = theta
        self.config = config
        self.step = 0  # updates made
        self.mean = torch.zeros_like(theta)  # Adam's moments
        self.variance = torch.zeros_like(theta)
        self._by_seed = theta.device.type == "cpu"  # whether seeds are tasks
        self._gradient = partial(clipped_gradient, nets, config.gradient_norm, config.loss_terms)
        if theta.device.type == "cuda":
            torch.backends.cudnn.deterministic = True  # a resumed run comes to its checkpoints again
            self._gradient = Captured(self._gradient)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what `update` returns."""
        terms = (f"{name}_loss" for name in (*MUZERO, *self.config.loss_terms))
        return (*terms, "gradient_norm", "skipped")

    def update(self, batch: Batch) -> dict[str, np.ndarray]:
        """Makes one update per leading entry of the batch.

        Returns:
            [S] each: the loss terms and gradient_norm (before clipping), means over the updates, and skipped: the
            number of updates whose gradient was not finite and not applied.

        Raises:
            TypeError: if the batch holds something of another kind.
            ValueError: if its shapes do not fit together, the seeds and the nets, or an action is none of theirs.
                Numbers may be not finite.
        """
        U, S = self._check(batch)
        batch = batch._replace(observations=batch.observations.reshape(*batch.observations.shape[:3], -1))
        rates = np.array([self.config.learning_rate_at(self.step + u) for u in range(U)])
        sums = self._update(batch, rates)
        assert sums.shape == (S, len(self.metrics))
        self.step += U
        sums[:, :-1] /= U
        return dict(zip(self.metrics, sums.T, strict=True))

    def _check(self, batch: Batch) -> tuple[int, int]:
        """Returns U and S."""
        S, A = len(self.theta), self.nets.actions
        given = door.instance("batch", batch, Batch)
        actions = door.array("actions", given.actions, ("U", S, "K", "B"), door.INTEGERS, low=0, high=A - 1)
        U, _, K, B = actions.shape
        shapes = {"rewards": (K, B), "values": (K + 1, B), "policies": (K + 1, B, A), "reward_weights": (K, B)}
        shapes |= {"value_weights": (K + 1, B), "policy_weights": (K + 1, B)}
        for name, shape in shapes.items():
            door.same(name, getattr(given, name), np.float32, (U, S, *shape), finite=False)
        door.array("observations", given.observations, given.observations.shape, finite=False)
        wanted = self.nets.observation_shape
        seen = given.observations.shape
        if seen[:3] != (U, S, B) or math.prod(seen[3:]) != math.prod(wanted):
            raise ValueError(f"observations must have shape {[U, S, B, *wanted]}, not {list(seen)}")
        return U, S

    def _update(self, batch: Batch, rates: np.ndarray) -> np.ndarray:
        """Makes updates with the given learning rates [U]; returns the sums of all metrics [S, len(metrics)]."""
        S = len(self.theta)
        parts = [slice(s, s + 1) for s in range(S)] if self._by_seed else [slice(0, S)]
        return np.concatenate(threads.run([partial(self._update_part, part, batch, rates) for part in parts]))

    def _update_part(self, part: slice, batch: Batch, rates: np.ndarray) -> np.ndarray:
        """All updates of some seeds.

        The batches go to the device together and the metrics come back together: between, the host waits for nothing.
        """
        device = self.theta.device
        # pixels travel as bytes; the loss makes numbers of them
        fields = [torch.as_tensor(field[:, part], device=device) for field in batch]
        theta, mean, variance = self.theta[part], self.mean[part], self.variance[part]
        total = torch.zeros(len(theta), len(self.metrics), dtype=torch.float64, device=device)
        torch.set_flush_denormal(device.type == "cpu")  # of this thread: numbers too small to matter cost most
        try:
            for u, rate in enumerate(rates):
                gradient, terms, norms = self._gradient(theta, *(field[u] for field in fields))
                step = torch.tensor(float(self.step + u))
                adam(
                    [theta], [gradient], [mean], [variance], [], [step],
                    amsgrad=False, maximize=False, lr=float(rate), weight_decay=self.config.weight_decay,
                    beta1=BETA1, beta2=BETA2, eps=ADAM_EPSILON,
                )  # fmt: skip
                total += torch.cat([terms, norms[:, None], ~norms.isfinite()[:, None]], 1)
        finally:
            torch.set_flush_denormal(False)
        return total.cpu().numpy()

    def state_dict(self) -> dict[str, np.ndarray]:
        """Returns parameters and Adam's moments, [S, P] each, and the step."""
        tensors = dict(zip(TENSORS, (self.theta, self.mean, self.variance), strict=True))
        return {**{name: x.cpu().numpy().copy() for name, x in tensors.items()}, "step": np.array(self.step)}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Restores `state_dict`'s result; a seed's numbers may be not finite.

        Raises:
            KeyError: if something is missing.
            TypeError: if something is of another kind.
            ValueError: if it does not fit the nets and seeds, or second moments are below 0.
        """
        shape = tuple(self.theta.shape)
        step = door.scalar("step", state["step"], 0, self.config.steps)
        given = {name: door.same(name, state[name], np.float32, shape, finite=False) for name in TENSORS}
        if (given["exp_avg_sq"] < 0).any():
            raise ValueError("exp_avg_sq must be 0 or more")
        self.step = step
        for name, tensor in zip(TENSORS, (self.theta, self.mean, self.variance), strict=True):
            tensor.copy_(torch.as_tensor(given[name]))


def clipped_gradient(
    nets: Nets, limit: float, further: Mapping[str, float], theta: torch.Tensor, *fields: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns the gradient of one update, clipped seed by seed; one that is not finite is 0.

    Args:
        nets: what is trained.
        limit: largest norm.
        further: weights of loss terms beside MuZero's.
        theta: [S, P].
        fields: those of `nets.loss.Targets`.

    Returns:
        Gradient [S, P], loss terms [S, terms], norms before clipping [S].
    """
    leaf = theta.detach().clone().requires_grad_()  # other threads write to other rows of the same memory
    terms = torch.stack(list(losses(nets, leaf, Targets(*fields), further).values()), -1)
    (gradient,) = torch.autograd.grad(terms.sum(), leaf)
    norms = gradient.norm(dim=1)
    factor = torch.where(norms.isfinite(), (limit / (norms + 1e-6)).clamp(max=1.0), 0.0)
    return gradient.nan_to_num(0.0, 0.0, 0.0) * factor[:, None], terms.detach(), norms


class Captured:
    """A function of CUDA tensors as a graph of kernels, recorded at the first call and replayed from then on.

    Nothing in the function may read a tensor's values on the host or bring tensors from it. The results are
    overwritten by the next call.

    Args:
        function: tensors -> tuple of tensors.
    """

    WARM_UP = 3  # calls before recording: libraries choose their kernels and take their workspaces then

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]]) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[torch.Tensor] = []
        self._outputs: tuple[torch.Tensor, ...] = ()

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Returns the function's results for inputs of the first call's shapes and types."""
        if self._graph is None:
            self._graph = self._recorded(inputs)
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given)
        self._graph.replay()
        return self._outputs

    def _recorded(self, inputs: tuple[torch.Tensor, ...]) -> torch.cuda.CUDAGraph:
        self._inputs = [given.clone() for given in inputs]
        current, beside = torch.cuda.current_stream(), torch.cuda.Stream()
        beside.wait_stream(current)
        with torch.cuda.stream(beside):
            for _ in range(self.WARM_UP):
                self._function(*self._inputs)
        current.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._outputs = self._function(*self._inputs)
        return graph
