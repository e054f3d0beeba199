"""The trained Keras network as a LiteRT file (formerly TensorFlow Lite), for phones: by Keras' own export."""

import contextlib
import io
from pathlib import Path

from lacuna.errors import LacunaError
from lacuna.export.convert import INPUT_NAME, quiet_converters
from lacuna.features.backend import keras, silence_native_stderr
from lacuna.inference.runtimes import OUTPUTS, RUNTIMES, load_network
from lacuna.training.model import TrainedNetwork


def export_litert(network: TrainedNetwork, folder: Path) -> None:
    """Write the network to `folder`, float32, with the input and the outputs of the other formats under their names.

    Any number of images at a time. Two processes that build the same network write the same bytes; one that built
    others before names layers otherwise. Raises LacunaError when the network has an operation that LiteRT lacks.
    """
    names = (*OUTPUTS, *network.layout.map_names)
    named = keras.Model(network.image, dict(zip(names, network.with_maps.outputs, strict=True)))
    images = keras.InputSpec(dtype=network.image.dtype, shape=network.image.shape)
    images.name = INPUT_NAME
    path = folder / RUNTIMES["litert"].files[0]
    said = io.StringIO()
    try:
        with quiet_converters(), silence_native_stderr(), contextlib.redirect_stdout(said):
            named.export(str(path), format="litert", verbose=False, input_signature=[images])
            load_network(folder, "litert")  # says which operations of TensorFlow it lacks
    except OSError:
        raise
    except Exception as error:  # the converter's own are of many kinds
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise LacunaError(f"export.litert: LiteRT cannot hold this network ({first[:300]}); write false") from error
