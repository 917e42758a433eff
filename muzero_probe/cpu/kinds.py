"""The functions that every kind of compiled nets has; the type of `sizes` says which one compiled code calls.

    weights_of(vector, sizes)                               the layers of a seed's vector [P]
    scratch_for(sizes, m)                                   with `latents` [m, padded D] and `inverses` [m]
    represent(w, sizes, observations, scratch)              h
    advance(w, sizes, states, taken, scratch, rewards)      g
    predict(w, sizes, m, scratch, values, logits)           f
    loss_and_gradient(p, sizes, batch, losses, grad)        of one seed's update

Sizes have `latent` (D) and `actions` (A).
"""

from collections.abc import Callable
from typing import Any

from numba.extending import overload

from muzero_probe.cpu import mlp, mlp_gradient, parameters, residual, residual_gradient, residual_parameters


def _by_sizes(of_mlp: Callable[..., Any], of_residual: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function for compiled code, which is one of two."""

    def function(*given: Any) -> Any:
        raise NotImplementedError("compiled code calls it")

    def choose(*given):
        kinds = {getattr(kind, "instance_class", None) for kind in given}
        chosen = of_residual if residual_parameters.Sizes in kinds else of_mlp
        return lambda *given: chosen(*given)

    overload(function)(choose)
    return function


weights_of = _by_sizes(parameters.weights_of, residual_parameters.weights_of)
scratch_for = _by_sizes(mlp.scratch_for, residual.scratch_for)
represent = _by_sizes(mlp.represent, residual.represent)
advance = _by_sizes(mlp.advance, residual.advance)
predict = _by_sizes(mlp.predict, residual.predict)
loss_and_gradient = _by_sizes(mlp_gradient.loss_and_gradient, residual_gradient.loss_and_gradient)
