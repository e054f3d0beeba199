import io
import os
import pickle
import sys

import numpy as np
import pytest

from lacuna.errors import LacunaError
from lacuna.features.torch_weights import MAGIC_NUMBER, read_torch_weights


class Stride:
    """Pickles as torch's legacy format stores a tensor: a call of _rebuild_tensor_v2 on a persistent id."""

    def __init__(self, key, offset, size, stride):
        self.key, self.arguments = key, (offset, size, stride, False, {})


class LegacyPickler(pickle._Pickler):
    """Writes torch's legacy pickles without torch."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012, as in the class it extends

    def save_tensor(self, tensor):
        self.write(pickle.GLOBAL + b"torch._utils\n_rebuild_tensor_v2\n" + pickle.MARK + pickle.MARK)
        self.save("storage")
        self.write(pickle.GLOBAL + b"torch\nFloatStorage\n")
        for part in (tensor.key, "cpu", 6, None):
            self.save(part)
        self.write(pickle.TUPLE + pickle.BINPERSID)
        for part in tensor.arguments:
            self.save(part)
        self.write(pickle.TUPLE + pickle.REDUCE)

    dispatch[Stride] = save_tensor


def checkpoint(tensors, storages):
    file = io.BytesIO()
    for part in (MAGIC_NUMBER, 1001, {"little_endian": True}):
        pickle.dump(part, file, protocol=2)
    LegacyPickler(file, protocol=2).dump(tensors)
    pickle.dump(list(storages), file, protocol=2)
    for values in storages.values():
        file.write(len(values).to_bytes(8, "little") + np.asarray(values, "<f4").tobytes())
    return file.getvalue()


def test_non_contiguous_strides_are_laid_out(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(checkpoint({"w": Stride("a", 1, (2, 2), (1, 2))}, {"a": [9, 0, 1, 2, 3, 9]}))
    assert read_torch_weights(path)["w"].tolist() == [[0, 2], [1, 3]]


def test_a_tensor_outside_of_its_storage_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(checkpoint({"w": Stride("a", 4, (2, 2), (2, 1))}, {"a": [0.0] * 6}))
    with pytest.raises(LacunaError, match="outside of its storage"):
        read_torch_weights(path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Attack(), protocol=2))
    with pytest.raises(LacunaError, match="refused to load"):
        read_torch_weights(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps(12), b"PK\x03\x04 a zip"])
def test_another_format_is_a_clear_error(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(LacunaError, match=r"weights\.pth"):
        read_torch_weights(path)


def test_truncated_storage_is_a_clear_error(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(checkpoint({"w": Stride("a", 0, (6,), (1,))}, {"a": [0.0] * 6})[:-3])
    with pytest.raises(LacunaError, match="not a readable torch checkpoint"):
        read_torch_weights(path)


def test_torch_itself_is_not_needed():
    from lacuna.features.backbones.efficientnet_lite import checkpoint as lite_checkpoint

    tensors = lite_checkpoint(0)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert "torch" not in sys.modules
