"""How can a Box2D world be put back, bit for bit?

Box2D offers no copy of a world, and bodies rebuilt from positions and velocities lack the warm-started
impulses, the contact order and the sleep timers. But all that a world remembers between two steps lies in
few places of memory: the `b2World` struct, the 16-KiB chunks of its block allocator, and the node array of
its broad-phase tree. While no body is created or destroyed, those bytes copied away and back are the state.

An image is the difference to a base, the same world right after its creation: shapes, terrain and unused
blocks never change, so they are stored once per world. Lines are 64 bytes.

The offsets are those of Box2D 2.3 on 64-bit machines. `Memory` checks them against what the Python
binding says of the same world; whoever uses images must prove them besides (`lunar_lander`).
"""

import ctypes
import functools
import warnings
from typing import Any

import numpy as np

with warnings.catch_warnings():  # of SWIG, about the types of the binding
    warnings.simplefilter("ignore", DeprecationWarning)
    import Box2D
    from Box2D import _Box2D  # pyright: ignore[reportAttributeAccessIssue]

from muzero_probe.compiled import jit
from muzero_probe.envs.lunar_lander.memory import integers, words

CHUNK = 16 * 1024  # bytes of a chunk of the block allocator
SIZE_CLASSES = 14  # block sizes that the allocator keeps lists of free blocks for
FREE_LISTS = 16  # offset of those lists in the world; the allocator is its first member
TAIL = 103_064  # offset behind the stack allocator, whose contents do not outlive a step
NODE = 40  # bytes of a node of the tree
# [offset behind TAIL, bytes): flags, tree and proxies; contacts; time step. Left out are the move and pair
# buffers, which may be allocated anew and hold nothing between steps, and timings.
TAIL_PARTS = ((0, 56), (96, 16), (192, 8))
LINE = 8  # words of a line


class LayoutError(Exception):
    """This build of Box2D lays a world out in another way."""


class Memory:
    """Where the state of one world lies, and its image right after creation.

    Args:
        world: with all its bodies; none may be created or destroyed from now on.
        record: int64 words that belong to the state as well, in memory that stays where it is.

    Raises:
        LayoutError: if the world is not laid out as expected.
    """

    def __init__(self, world: Box2D.b2World, record: np.ndarray) -> None:
        self.world = address(world)
        tail = self.world + TAIL
        self._check(world, tail)
        _reserve(self.world, contact_bytes())
        segments = [(record.ctypes.data, record.nbytes), (self.world + FREE_LISTS, 8 * SIZE_CLASSES)]
        segments += [(tail + offset, size) for offset, size in TAIL_PARTS]
        capacity = _int32(tail + 28)
        segments.append((_word(tail + 16), NODE * capacity))
        contacts = contact_bytes()
        for size, start in _chunks(self.world):
            segments.append((start, CHUNK // size * size if size == contacts else _used(self.world, size, start)))
        self.addresses = np.array([start for start, _ in segments])
        self.lengths = np.array([size // 8 for _, size in segments])
        total = -(-int(self.lengths.sum()) // LINE) * LINE
        self.base = np.zeros(total, np.int64)
        gather(self.addresses, self.lengths, self.base)
        self.expected = np.array([self.world + 8, tail + 28, _int32(self.world + 8), capacity])

    @staticmethod
    def _check(world: Box2D.b2World, tail: int) -> None:
        counts = (_int32(tail + 152), _int32(tail + 156), _int32(tail + 48), _int32(tail + 104))
        known = (world.bodyCount, world.jointCount, world.proxyCount, world.contactCount)
        gravity = np.frombuffer(ctypes.string_at(tail + 160, 8), np.float32)
        if counts != known or tuple(gravity) != tuple(np.float32(x) for x in world.gravity):
            raise LayoutError(f"a world of Box2D {Box2D.__version__} is not laid out as expected")


@jit
def gather(addresses, lengths, image):
    """Copies the segments to image [N] int64."""
    at = 0
    for segment in range(addresses.size):
        n = lengths[segment]
        image[at : at + n] = words(addresses[segment], n)
        at += n


@jit
def take(addresses, lengths, base, expected):
    """The state of a world as lines [n, 9] int64: index, then content, of the lines that differ from the base.

    Index -1 in a single line says that the world has grown, so that the image would be incomplete.
    """
    if integers(expected[0], 1)[0] != expected[2] or integers(expected[1], 1)[0] != expected[3]:
        return np.full((1, LINE + 1), -1)
    image = np.zeros(base.size, np.int64)
    gather(addresses, lengths, image)
    changed = np.empty(base.size // LINE, np.int64)
    n = 0
    for line in range(changed.size):
        difference = 0
        for i in range(line * LINE, (line + 1) * LINE):
            difference |= image[i] ^ base[i]
        changed[n] = line
        n += difference != 0
    lines = np.empty((n, LINE + 1), np.int64)
    for k in range(n):
        line = changed[k]
        lines[k, 0] = line
        lines[k, 1:] = image[line * LINE : (line + 1) * LINE]
    return lines


@jit
def restore(addresses, lengths, base, lines):
    """Puts the world into the state of the lines."""
    image = base.copy()
    for k in range(lines.shape[0]):
        line = lines[k, 0]
        image[line * LINE : (line + 1) * LINE] = lines[k, 1:]
    at = 0
    for segment in range(addresses.size):
        n = lengths[segment]
        words(addresses[segment], n)[:] = image[at : at + n]
        at += n


def address(thing: Any) -> int:
    """Returns where an object of the Python binding lies in memory."""
    return int(thing.this)


@functools.cache
def library() -> ctypes.CDLL:
    """Box2D's own functions, by their C++ names."""
    return ctypes.CDLL(_Box2D.__file__)


def function(name: str) -> int:
    """Returns the address of a function of Box2D.

    Raises:
        LayoutError: if this build does not show it.
    """
    try:
        return ctypes.cast(library()[name], ctypes.c_void_p).value or 0
    except AttributeError:
        raise LayoutError(f"Box2D {Box2D.__version__} does not show {name}") from None


@functools.cache
def contact_bytes() -> int:
    """Bytes of a contact between an edge and a polygon, rounded up to a block, seen in a world of its own."""
    world = Box2D.b2World(gravity=(0, -10))
    world.CreateStaticBody(shapes=Box2D.b2EdgeShape(vertices=[(-1, 0), (1, 0)]))
    world.CreateDynamicBody(position=(0, 0), shapes=Box2D.b2PolygonShape(box=(0.5, 0.5)))
    Memory._check(world, address(world) + TAIL)
    world.Step(0.01, 1, 1)
    contact = _word(address(world) + TAIL + 96)
    for size, start in _chunks(address(world)):
        if start <= contact < start + CHUNK:
            return size
    raise LayoutError(f"contacts of Box2D {Box2D.__version__} are not where they are expected")


def _reserve(world: int, size: int) -> None:
    """Makes the allocator have blocks of that size, so that no later contact adds a chunk."""
    allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(
        function("_ZN16b2BlockAllocator8AllocateEi")
    )
    free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)(
        function("_ZN16b2BlockAllocator4FreeEPvi")
    )
    free(world, allocate(world, size), size)


def _chunks(world: int) -> list[tuple[int, int]]:
    """Block size and address of every chunk."""
    table, count = _word(world), _int32(world + 8)
    chunks = [(_int32(table + 16 * k), _word(table + 16 * k + 8)) for k in range(count)] if 0 < count < 64 else []
    if not chunks or any(not 16 <= size <= 640 or size % 16 for size, _ in chunks):
        raise LayoutError(f"the allocator of Box2D {Box2D.__version__} is not laid out as expected")
    return chunks


def _used(world: int, size: int, start: int) -> int:
    """Bytes of a chunk up to its first block that was never in use; all of them where that cannot be told."""
    everything = CHUNK // size * size
    for k in range(SIZE_CLASSES):
        head = _word(world + FREE_LISTS + 8 * k)
        if start <= head < start + everything:
            last = start + everything - size
            blocks = range(head, last, size)
            if all(_word(block) == block + size for block in blocks) and _word(last) == 0:
                return head - start
    return everything


def _word(at: int) -> int:
    return ctypes.c_int64.from_address(at).value


def _int32(at: int) -> int:
    return ctypes.c_int32.from_address(at).value
