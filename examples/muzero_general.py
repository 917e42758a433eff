"""Two agents that others trained with muzero-general, opened to the probes: `--agent examples.muzero_general:cartpole`.

An adapter reads a file and computes its nets; the rest is settings. The file is a pickle, which may call anything when
it is loaded. `read` does not load it: it follows the opcodes and builds plain containers and tensors, nothing else.
"""

import copy
import pickletools
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from muzero_probe import FunctionModel, ProbedAgent
from muzero_probe.exact.elementary import exp
from muzero_probe.exact.products import dense  # a row's result depends on the row alone

FOLDER = Path(__file__).parents[1] / "checkpoints/foreign/muzero_general"
# opcodes that push their argument; GLOBAL is a function or class, whose name stays text and is never looked up
LITERALS = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "GLOBAL")
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "EMPTY_LIST": [], "EMPTY_DICT": {}}
# opcodes that take items: how many; 0: all since the last mark
GATHERING = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "APPEND": 1, "SETITEM": 2, "TUPLE": 0, "APPENDS": 0, "SETITEMS": 0}
DTYPES = {"torch FloatStorage": "f4", "torch LongStorage": "i8"}
STATISTICS = ("numpy.core.multiarray scalar", "numpy dtype", "_codecs encode")  # of episodes, as numpy scalars
NETS = ("dynamics_encoded_state", "dynamics_reward", "prediction_value", "prediction_policy")  # of two layers
LAYERS = ["representation_network.module.0", *(f"{net}_network.module.{place}" for net in NETS for place in (0, 2))]
NARROW = np.float32(1e-5)  # is added to widths below it


def read(path: Path) -> dict[str, Any]:
    """Returns what `torch.save` wrote, with arrays for tensors and None for numpy scalars. Executes nothing.

    Raises:
        ValueError: if the file holds no `weights`, or more than tensors, such scalars and plain values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = _build(archive)
        if not isinstance(content.get("weights"), dict):
            raise ValueError("it holds no weights")
        return content
    except Exception as error:  # a file from elsewhere can be wrong in any way
        raise ValueError(f"{path}: no checkpoint of tensors ({' '.join(str(error).split()):.200})") from error


def _build(archive: zipfile.ZipFile) -> Any:
    """Follows the opcodes with a stack of its own; refuses those that `torch.save` does not write."""
    if any(member.compress_type for member in archive.infolist()):  # torch compresses nothing: small files stay small
        raise ValueError("it is compressed")
    (root,) = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
    load = cache(archive.read)  # storages may be shared
    order = ">" if f"{root}byteorder" in archive.namelist() and load(f"{root}byteorder") == b"big" else "<"
    stack, marks, memo = list[Any](), list[int](), dict[Any, Any]()  # a mark is a height of the stack
    for opcode, argument, _ in pickletools.genops(load(f"{root}data.pkl")):
        name = opcode.name
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(copy.copy(CONSTANTS[name]))
        elif name.endswith("BINPUT"):
            memo[argument] = stack[-1]
        elif name.endswith("BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name in GATHERING:
            items = [stack.pop() for _ in range(GATHERING[name] or len(stack) - marks.pop())][::-1]
            if name.startswith("TUPLE"):
                stack.append(tuple(items))
            elif name.startswith("APPEND"):
                stack[-1].extend(items)
            else:  # to hash a deep nest of tuples would crash Python
                keys = [key if type(key) is int else _text(key) for key in items[::2]]
                stack[-1].update(zip(keys, items[1::2], strict=True))
        elif name == "BINPERSID":
            _, dtype, key, _, count = stack.pop()
            stack.append(np.frombuffer(load(f"{root}data/{_text(key)}"), order + DTYPES[_text(dtype)], count))
        elif name == "REDUCE":
            arguments, function = stack.pop(), _text(stack.pop())
            stack.append(_made(function, arguments))
        elif name == "BUILD":
            stack.pop()  # attributes, which nobody asks for
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"its pickle has the opcode {name}")


def _made(function: str, arguments: Any) -> Any:
    """Returns a tensor, an empty dict, or None for a statistic; refuses other calls."""
    if function == "torch._utils _rebuild_tensor_v2":
        storage, offset, shape, strides, *_ = arguments
        size = storage.itemsize  # numpy refuses what reaches beyond the storage
        return np.ndarray(shape, storage.dtype, storage, offset * size, [stride * size for stride in strides])
    if function in STATISTICS:
        return None
    if function == "collections OrderedDict" and arguments == ():
        return {}
    raise ValueError(f"it calls {function}")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"a {type(value).__name__} where a name is needed")
    return value


def functions(weights: dict[str, np.ndarray], unit: float) -> tuple[Any, Any, int]:
    """Returns compiled initial and recurrent inference, and the number of actions.

    h is one affine map, each other net two with an ELU between them. The reward is read from the next latent before it
    is scaled, value and policy from the scaled one. A reward of 1 in the nets is worth `unit` in the environment.
    """
    if weights.keys() != {f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")}:
        raise ValueError(f"not the layers of such an agent: {[*weights]}")
    numbers = {name: np.ascontiguousarray(array.T, np.float32) for name, array in weights.items()}
    h, (rows, biases), g, *heads = [(numbers[f"{name}.weight"], numbers[f"{name}.bias"]) for name in LAYERS]
    of_states, of_actions = rows[: len(h[1])], rows[len(h[1]) :] + biases  # a one-hot picks a row
    none = np.zeros_like(biases)
    reward, value, policy = (heads[i] + heads[i + 1] for i in (0, 2, 4))  # weights, bias, weights, bias

    @njit(nogil=True)
    def elu(x):
        for i in np.ndindex(x.shape):
            x[i] = x[i] if x[i] > 0 else np.float32(exp(np.float64(x[i])) - 1)
        return x

    @njit(nogil=True)
    def scaled(x):
        out = np.empty_like(x)
        for i in range(len(x)):
            low, width = x[i].min(), x[i].max() - x[i].min()
            out[i] = (x[i] - low) / (width + NARROW if width < NARROW else width)
        return out

    @njit(nogil=True)
    def head(x, net):
        return dense(elu(dense(x, net[0], net[1])), net[2], net[3])

    @njit(nogil=True)
    def scalars(logits):
        out = np.empty(len(logits), np.float32)
        for b, row in enumerate(logits):
            total, mean, top = 0.0, 0.0, row.max()
            for i in range(len(row)):
                weight = exp(np.float64(row[i] - top))
                total += weight
                mean += weight * (i - len(row) // 2)
            # h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x of the mean over the atoms is inverted
            root = (np.sqrt(1.004004 + 0.004 * abs(mean / total)) - 1) * 500
            out[b] = np.copysign(root * root - 1, mean) * unit
        return out

    @njit(nogil=True)
    def initial(observations):
        states = scaled(dense(observations.astype(np.float32), h[0], h[1]))
        return states, scalars(head(states, value)), head(states, policy)

    @njit(nogil=True)
    def recurrent(states, actions):
        hidden = dense(states, of_states, none)
        for b in range(len(actions)):
            hidden[b] += of_actions[actions[b]]
        latents = dense(elu(hidden), g[0], g[1])
        states = scaled(latents)
        return states, scalars(head(latents, reward)), scalars(head(states, value)), head(states, policy)

    return initial, recurrent, len(of_actions)


def _agent(name: str, title: str, unit: float, **settings: Any) -> ProbedAgent:
    content = read(FOLDER / f"{name}_model.checkpoint")
    initial, recurrent, num_actions = functions(content["weights"], unit)
    models = {content["training_step"]: FunctionModel(initial, recurrent, num_actions=num_actions)}
    settings |= {"name": f"muzero_general_{name}", "title": f"{title} (muzero-general)", "models": models}
    return ProbedAgent(profile="foreign", simulations=50, horizon=10, **settings)


def cartpole() -> ProbedAgent:
    """Returns the Cart Pole agent, half way through its training of 10,000 steps."""
    return _agent("cartpole", "Cart Pole", unit=1, environment="cartpole", discount=0.997, temperature=0.5)


def lunar_lander() -> ProbedAgent:
    """Returns the lander, which knows flat ground only. Its nets' rewards are divided by 3: along 40 episodes, without
    the bonuses of 100 that end them, true rewards are 3.06, 3.03 and 2.97 times those that the nets predict 1, 5 and 10
    steps ahead (regressions, r = 0.8).
    """
    from muzero_probe.envs.lunar_lander import LunarLander  # loads Box2D, which Cart Pole does not need

    env, plans = LunarLander(flat_terrain=True), {"horizon": 128}
    env.time_limit = 700
    planning = {**plans, "episodes": 1, "budgets": (4, 16, 32)}  # who hovers to the limit plans for minutes
    analyses = {"own_policy": {"samples": 64}, "prior_effect": plans, "planning": planning}
    how = {"discount": 0.999, "temperature": 0.35, "analyses": analyses, "return_range": (-200, 300)}
    return _agent("lunarlander", "Lunar Lander", unit=3, environment=env, **how)
