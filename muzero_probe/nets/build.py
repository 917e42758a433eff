"""From a config and an environment to nets."""

import numpy as np

from muzero_probe.config import ImageNetsConfig, NetsConfig, ResidualNetsConfig
from muzero_probe.envs.base import Environment
from muzero_probe.nets.categorical import Support
from muzero_probe.nets.loss import Nets
from muzero_probe.nets.mlp import WINDOW, Mlp
from muzero_probe.nets.residual import Residual

Config = NetsConfig | ResidualNetsConfig


def build(config: Config, env: Environment) -> Nets:
    """Returns the nets of a config for an environment.

    Raises:
        ValueError: if the nets take images and the observations are none, or too small.
    """
    common = {
        "actions": env.num_actions,
        "value_support": Support(low=config.value_low, high=config.value_high),
        "reward_support": Support(low=config.reward_low, high=config.reward_high),
    }
    if isinstance(config, ResidualNetsConfig):
        image = _image(env, config.shrinks)
        return Residual(
            image=image, screens=env.screens, channels=config.channels, head_planes=config.head_planes,
            head_hidden=config.head_hidden, shrinks=config.shrinks, backdrop=_first_screen(env), **common,
        )  # fmt: skip
    sizes = {"observation": int(np.prod(env.observation_shape)), "latent": config.latent, "hidden": config.hidden}
    if isinstance(config, ImageNetsConfig):
        return Mlp(image=_image(env, WINDOW), filters=config.filters, **sizes, **common)
    return Mlp(**sizes, **common)


def _first_screen(env: Environment) -> np.ndarray:
    """The screen that an episode starts with."""
    _, (observation,) = env.reset(np.array([0]))
    return observation[-1] if env.screens > 1 else observation


def _image(env: Environment, least: int) -> tuple[int, int, int]:
    shape = env.observation_shape[1:] if env.screens > 1 else env.observation_shape
    if len(shape) != 3 or min(shape[:2]) < least:
        raise ValueError(
            f"these nets take images of at least {least} x {least} with planes, "
            f"{env.name} shows {list(env.observation_shape)}"
        )
    return shape
