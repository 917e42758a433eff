"""Files of named arrays: safetensors whose bytes are given by their content alone, with a digest of the whole.

The library's own writer orders the header at random, ignores strides, denies reading to all but the owner, and leaves
temporary files of unknown names.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from muzero_probe import files

Arrays = Mapping[str, np.ndarray]

DIGEST = "digest"  # the header's field
_DTYPES = {"bool": "BOOL", "float16": "F16", "float32": "F32", "float64": "F64"}
_DTYPES |= {f"int{n}": f"I{n}" for n in (8, 16, 32, 64)}
_DTYPES |= {f"uint{n}": f"U{n}" for n in (8, 16, 32, 64)}
_NO_DIGEST = "0" * 64
_MAX_HEADER = 100_000_000  # bytes; safetensors refuses to read more


class ArrayFileError(ValueError):
    """No file of arrays, or a damaged one; says what it is, without its name."""


def save(path: Path, arrays: Arrays, fields: Mapping[str, str]) -> None:
    """Writes a file that appears complete or not at all.

    Args:
        path: where.
        arrays: of bool, integer, or float up to 64 bits.
        fields: of the header, beside its digest.

    Raises:
        TypeError: if an array cannot be stored.
        ValueError: if the header grows beyond 100 MB.
        OSError: if the file cannot be written.
    """
    entries: dict[str, Any] = {}
    blocks: list[Any] = []
    end = 0
    # Widest dtype first: every array is aligned.
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        code = _DTYPES.get(array.dtype.name)
        if code is None or name == "__metadata__":
            raise TypeError(f"{name}: an array of {array.dtype} cannot be stored under this name")
        array = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        start, end = end, end + array.nbytes
        entries[name] = {"dtype": code, "shape": array.shape, "data_offsets": [start, end]}
        blocks.append(array.reshape(-1).view(np.uint8))

    def head(digest: str) -> bytes:
        text = json.dumps({"__metadata__": {**fields, DIGEST: digest}, **entries}).encode()
        text += b" " * (-len(text) % 8)
        if len(text) > _MAX_HEADER:
            raise ValueError(f"{path}: {len(text)} bytes of header; put large data into arrays")
        return len(text).to_bytes(8, "little") + text

    whole = hashlib.sha256(head(_NO_DIGEST))
    for block in blocks:
        whole.update(block)
    files.replace(path, (head(whole.hexdigest()), *blocks))


def fields(path: Path) -> dict[str, str]:
    """Returns the header's fields, cheaply: the digest is *not* verified, offsets, shapes and the length are.

    Raises:
        ArrayFileError: if the file is none of this format.
        OSError: if it cannot be read.
    """
    files.check(path)
    try:
        with safe_open(path, framework="np") as content:
            return content.metadata() or {}
    except SafetensorError as error:
        raise ArrayFileError(f"is half-written, damaged or not a safetensors file ({error})") from None


def verify(path: Path, stored: str) -> None:
    """Raises `ArrayFileError` unless the file has the digest that its header says."""
    if digest(path, stored) != stored:
        raise ArrayFileError("was altered, its digest does not match")


def digest(path: Path, stored: str) -> str:
    """Returns the SHA-256 of a file whose digest's place holds zeros."""
    with path.open("rb") as file:
        size = file.read(8)
        head = size + file.read(int.from_bytes(size, "little"))
        head = head.replace(stored.encode(), _NO_DIGEST.encode(), 1)
        return hashlib.file_digest(file, lambda: hashlib.sha256(head)).hexdigest()


def load(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a file that was verified: writable, sorted by name."""
    return dict(sorted(load_file(path).items()))
