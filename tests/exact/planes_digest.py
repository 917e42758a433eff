"""A program: digests of what is computed on images, in tiles of the height that this processor does not take.

Run in a process of its own, since code is compiled for one processor in each.
"""

import hashlib
import json

import llvmlite.binding as llvm
import numpy as np


def digests() -> dict[str, str]:
    """Of everything that `cpu.planes` writes, forwards and back."""
    from muzero_probe.cpu import planes

    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    found = {}

    def note(name: str, *arrays: np.ndarray) -> None:
        found[name] = hashlib.sha256(b"".join(x.tobytes() for x in arrays)).hexdigest()

    zero = np.float32(0)
    for C, N, H, W in ((3, 8, 5, 4), (16, 16, 3, 3), (8, 24, 6, 7)):
        x, weights = np.pad(normal(3, H, W, C), ((0, 0), (1, 1), (1, 1), (0, 0))), normal(3, 3 * C, N)
        y, inverses = np.empty((3, H, W, N), np.float32), np.empty(3, np.float32)
        planes.convolve(x, 3, 1, weights, y, (H, W))
        out, image = (np.zeros((3, H + 2, W + 2, N), np.float32) for _ in range(2))
        note(f"convolve {N}", y)
        scale, shift = normal(2, N)
        planes.normalise(y, inverses, 3, N, scale, shift, None, zero, out)
        note(f"normalise {N}", y, inverses, out)
        dout, gradients = normal(*out.shape), (np.zeros(N, np.float32), np.zeros(N, np.float32))
        planes.normalise_backward(y, inverses, 3, N, scale, out, dout, image, gradients)
        note(f"normalise_backward {N}", image, *gradients)
        dweights = np.zeros_like(weights)
        planes.add_weights(x, 3, 1, image, dweights, (H, W))
        note(f"add_weights {N}", dweights)
        half = ((H + 1) // 2, (W + 1) // 2)
        pooled = np.zeros((3, half[0] + 2, half[1] + 2, N), np.float32)
        planes.pool(out, 3, pooled, half)
        planes.pool_backward(out, 3, pooled, normal(*pooled.shape), image, half)
        note(f"pool {N}", pooled, image)
    return found


def main() -> None:
    """Prints the digests as JSON."""
    features = {**llvm.get_host_cpu_features()}
    llvm.get_host_cpu_features = lambda: {**features, "avx512f": not features.get("avx512f")}
    print(json.dumps(digests()))


if __name__ == "__main__":
    main()
