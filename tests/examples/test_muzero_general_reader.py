"""Does the adapter's reader of checkpoints find what torch finds, and execute nothing?"""

import hashlib
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._utils import _rebuild_tensor_v2

from examples import muzero_general
from examples.muzero_general import FOLDER, read

SOURCE = Path(muzero_general.__file__)
SIZES = {  # observation, actions, latent, hidden, unit of rewards
    "cartpole": (4, 2, 8, 16, 1.0),
    "lunarlander": (8, 4, 10, 64, 3.0),
}
of_both = pytest.mark.parametrize("name", SIZES)


class Statistic:
    """Takes the place of what the files call to make numpy scalars."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


# of the files' whole contents, as torch's own reader found them when they were taken over
CONTENTS = {
    "cartpole": "6276381de5539e14a2b6bcc03e3381acb2dc87cecd3ddbce506cdc9308fda210",
    "lunarlander": "0827782b07f921a0c8c83fe5d180930013f549a310a9f8867bc9bef065aa5651",
}


def digest(content: Any) -> str:
    """SHA-256 over names, types, shapes and values of everything in a file."""
    found = hashlib.sha256()

    def add(x: Any, at: str) -> None:
        if isinstance(x, dict):
            for key in sorted(x, key=str):
                add(x[key], f"{at}/{key}")
        elif isinstance(x, list | tuple):
            for i, item in enumerate(x):
                add(item, f"{at}/{i}")
        elif isinstance(x, np.ndarray):
            found.update(f"{at} {x.dtype} {x.shape}".encode() + np.ascontiguousarray(x).tobytes())
        else:
            found.update(f"{at} {x!r}".encode())

    add(content, "")
    return found.hexdigest()


@of_both
def test_the_reader_finds_what_torch_found(name: str):
    content = read(FOLDER / f"{name}_model.checkpoint")
    assert digest(content) == CONTENTS[name]
    content["weights"] = {weight: array + 1 for weight, array in content["weights"].items()}
    assert digest(content) != CONTENTS[name]


def saved(content: Any, path: Path, *, change: Any = lambda name, data: data) -> Path:
    """Writes as torch does, then changes the members of the zip."""
    written = io.BytesIO()
    torch.save(content, written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w") as out:
        for name in source.namelist():
            out.writestr(name, change(name, source.read(name)))
    return path


def test_views_of_storages(tmp_path: Path):
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {
        "transposed": base.T[1:, ::2],
        "whole": base,
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "numbers": torch.tensor([[-1, 2**40]]),
    }
    path = saved({"weights": tensors, "plain": [1, -2, 2**40, 0.5, None, True, (1, "ä"), {}, ()]}, tmp_path / "file")
    found = read(path)
    assert found["weights"].keys() == tensors.keys()
    for name, expected in tensors.items():
        assert found["weights"][name].dtype == expected.numpy().dtype
        np.testing.assert_array_equal(found["weights"][name], expected.numpy())
    assert found["plain"] == [1, -2, 2**40, 0.5, None, True, (1, "ä"), {}, ()]
    assert np.shares_memory(found["weights"]["whole"], found["weights"]["transposed"])


def test_the_byte_order_of_the_file_is_kept(tmp_path: Path):
    def swap(name: str, data: bytes) -> bytes:
        if name.endswith("/byteorder"):
            return b"big"
        return np.frombuffer(data, "<f4").astype(">f4").tobytes() if "/data/" in name else data

    path = saved({"weights": {"w": torch.tensor([1.0, -2.5])}}, tmp_path / "file", change=swap)
    assert read(path)["weights"]["w"].tolist() == [1, -2.5]


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Storage:
    """Pickles as a reference to the storage of four numbers."""

    def __init__(self, dtype: Any = torch.FloatStorage, count: int = 4) -> None:
        self.id = ("storage", dtype, "0", "cpu", count)


class Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return getattr(obj, "id", None)


def pickled(content: Any, protocol: int = 2) -> bytes:
    written = io.BytesIO()
    Pickler(written, protocol).dump(content)
    return written.getvalue()


def crafted(content: Any, path: Path, **options: Any) -> Path:
    """Writes any pickle, or bytes in its place, beside a storage of four float32."""
    with zipfile.ZipFile(path, "w", **options) as out:
        out.writestr("archive/data.pkl", content if isinstance(content, bytes) else pickled(content))
        out.writestr("archive/data/0", np.arange(4, dtype="<f4").tobytes())
    return path


def refused(path: Path) -> str:
    """What `read` says of a file that it refuses: one short line that names the file."""
    with pytest.raises(ValueError) as error:
        read(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and len(message) < len(str(path)) + 250
    return message


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Call:
    return Call(_rebuild_tensor_v2, storage, offset, shape, strides, False, OrderedDict())


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("harmful", ["os.system", "builtins.exec", "key", "state"])
def test_nothing_is_called(harmful, protocol, tmp_path: Path):
    folder = tmp_path / "harm"
    call = Call(os.system, f"mkdir {folder}")
    if harmful == "builtins.exec":
        call = Call(exec, f"import os; os.mkdir({str(folder)!r})")
    content = {"key": {call: 1}, "state": Call(Statistic, call)}.get(harmful, call)
    harm = pickled({"weights": {}, "more": content}, protocol)
    refused(crafted(harm, tmp_path / "file"))
    assert not folder.exists()
    pickle.loads(harm)
    assert folder.exists()  # so the file would have done it


def test_the_crafted_files_are_read_where_they_are_sound(tmp_path: Path):
    content = {"weights": {"w": tensor(Storage(), 1, (3, 1), (1, 1))}, "more": OrderedDict()}
    found = read(crafted(content, tmp_path / "file"))
    assert found["weights"]["w"].tolist() == [[1], [2], [3]] and found["more"] == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([1, 2], id="a list"),
        pytest.param({"nets": {}}, id="no weights"),
        pytest.param({"weights": 3}, id="weights are a number"),
        pytest.param(tensor(Storage(count=5), 0, (4,), (1,)), id="storage too short"),
        pytest.param(tensor(Storage(torch.HalfStorage), 0, (4,), (1,)), id="unknown type"),
        pytest.param(tensor(Storage(), 1, (4,), (1,)), id="offset beyond the end"),
        pytest.param(tensor(Storage(), 0, (2, 2), (3, 1)), id="strides beyond the end"),
        pytest.param(tensor(Storage(), 0, (2,), (-1,)), id="strides before the start"),
        pytest.param(tensor(Storage(), -1, (2,), (1,)), id="offset before the start"),
        pytest.param(tensor(Storage(), 0, (-2,), (1,)), id="negative shape"),
        pytest.param(tensor(Storage(), 0, (2**62, 2**62), (0, 0)), id="shape too large"),
        pytest.param(tensor([1, 2], 0, (2,), (1,)), id="a list as storage"),
        pytest.param(Call(OrderedDict, [("a", 1)]), id="a dict of pairs"),
        pytest.param(b"", id="empty pickle"),
        pytest.param(b"\x80\x02}q\x00", id="no end"),
        pytest.param(b"\x80\x02u.", id="no mark"),
        pytest.param(b"\x80\x02\x87.", id="empty stack"),
        pytest.param(b"\x80\x02h\x07.", id="empty memo"),
        pytest.param(b"\x80\x02})" + b"\x85" * 200_000 + b"K\x01s.", id="a deep key"),
        pytest.param(b"\x80\x02)q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b")R.", id="a name of 2^60 parts"),
    ],
)
def test_what_is_no_checkpoint_is_refused(content, tmp_path: Path):
    if not isinstance(content, bytes | list | dict):
        content = {"weights": {"w": content}}
    refused(crafted(content, tmp_path / "file"))


def test_a_file_that_is_no_such_zip_is_refused(tmp_path: Path):
    path = tmp_path / "file"
    refused(path)
    path.write_bytes(b"no zip")
    refused(path)
    with zipfile.ZipFile(path, "w"):
        pass
    refused(path)
    refused(crafted({"weights": {}}, path, compression=zipfile.ZIP_DEFLATED))


def test_a_cut_file_is_refused(tmp_path: Path):
    whole = (FOLDER / "cartpole_model.checkpoint").read_bytes()
    for length in np.linspace(0, len(whole) - 1, 20).astype(int):
        (tmp_path / "file").write_bytes(whole[:length])
        refused(tmp_path / "file")
    weights = {"weights": {"w": torch.zeros(8)}}
    refused(saved(weights, tmp_path / "file", change=lambda name, data: data[:-4] if "/data/" in name else data))
