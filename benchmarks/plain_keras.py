"""The plain Keras recipe that Lacuna is measured against, in one file.

Photos are decoded and augmented in every epoch, and the whole backbone runs in `fit`. Backbone, loss, split and
batch size are Lacuna's, read from the project in the current folder after `dvc repro prepare`.

    python -m benchmarks.plain_keras PREDICTIONS.npz
"""

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from lacuna.config.load import load_params
from lacuna.core.manifest import Manifest
from lacuna.core.predictions import Predictions
from lacuna.core.targets import Targets
from lacuna.features.backbones import build_backbone
from lacuna.features.freeze_boundary import cut
from lacuna.training.losses import MaskedLoss
from lacuna.training.model import build_head, start_at_prior
from lacuna.training.statistics import load_statistics

params = load_params(Path("params.yaml"))
size, train, augment = params.data.image_size, params.train, params.augment
keras.utils.set_random_seed(train.seed)
targets = Targets.load(Path("data/prepared/targets.json"))
statistics = load_statistics(Path("data/prepared/class_weights.json"), targets)
manifest = Manifest.load(Path("data/prepared/manifest.csv"), targets)


def read(path: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    image = tf.image.resize_with_pad(255 - tf.cast(image, tf.float32), size, size, antialias=True)
    return 255 - image, labels


def dataset(part: Manifest, *, shuffle: bool) -> tf.data.Dataset:
    paths = [str(Path(params.data.path) / name) for name in part.image]
    data = tf.data.Dataset.from_tensor_slices((paths, part.labels.astype(np.int32)))
    if shuffle:
        data = data.shuffle(len(paths), seed=train.seed)
    return data.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(train.batch_size).prefetch(tf.data.AUTOTUNE)


backbone = build_backbone(params.backbone, size)
head = build_head(backbone.output_shape[-1], targets, params.head)
start_at_prior(head, targets, statistics)
images = keras.Input((size, size, 3))
x = keras.layers.RandomFlip("horizontal", seed=1)(images)
x = keras.layers.RandomRotation(augment.rotation, fill_mode="nearest", seed=2)(x)
x = keras.layers.RandomZoom(augment.zoom, fill_mode="nearest", seed=3)(x)
x = keras.layers.RandomBrightness(augment.brightness, seed=4)(x)
x = keras.layers.RandomContrast(augment.contrast, seed=5)(x)
x = backbone(keras.ops.cast(x, "uint8"))
model = keras.Model(images, head(keras.layers.GlobalAveragePooling2D()(x)))

loss = MaskedLoss(targets, statistics, train)
train_data = dataset(manifest.part("train"), shuffle=True)
val_data = dataset(manifest.part("val"), shuffle=False)

backbone.trainable = False
model.compile(keras.optimizers.Adam(params.warmup.learning_rate), loss, jit_compile=False)
model.fit(train_data, validation_data=val_data, epochs=params.warmup.epochs, verbose=2)

backbone.trainable = True
cut(backbone, params.finetune.unfreeze)  # freezes what is below
best = keras.callbacks.EarlyStopping(
    patience=params.finetune.patience, restore_best_weights=True, start_from_epoch=0, monitor="val_loss"
)
model.compile(keras.optimizers.Adam(params.finetune.learning_rate), loss, jit_compile=False)
model.fit(train_data, validation_data=val_data, epochs=params.finetune.epochs, callbacks=[best], verbose=2)

val = manifest.part("val")
Predictions(model.predict(val_data, verbose=0), val.labels, val.image, val.group).save(Path(sys.argv[1]))
