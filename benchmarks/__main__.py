"""Run the benchmarks: `python -m benchmarks NAME`, `make bench FASHION=FOLDER` for all of them.

gaps         unknown labels masked against filled and dropped, with 0 to 90 % of them hidden
speed        Lacuna against the plain Keras recipe, time and quality
experiments  seconds of a changed threshold and of 20 corrected labels
intervals    seconds of figures with intervals, on simulated predictions (--images)
bags         whether intervals from bags of groups hold the truth as often as those of all groups
duplicates   seconds, memory and comparisons of the search for duplicates, on images made up (--images)
labels       seconds and memory of reading a large label file, of prepare and of init (--rows)
head         passes, seconds and memory of the exact head, on features made up on disk (--rows, --columns)
listing      processor seconds of predict --listing beside predict --out (--bundle, --images), of cutting (--rows)
memory       peak anonymous memory with 1,000 and 10,000 images
mlsmote      warm-up with and without MLSMOTE, on the data in the working folder (after `dvc repro`)
promises     whether --min-precision keeps its promise, on the data in the working folder (after `dvc repro featurize`)
truth        whether the intervals on the default data cover the withheld truth (after `dvc repro`)
inference    time of the exported networks against Keras, and what fewer digits cost (after `dvc repro`)
backbones    quality and speed of those whose weights need no download
out_of_distribution  which distance from the training images finds images of another kind
verdicts     how often verdicts and intervals err on simulated targets
selective    figures for all images where labels are missing for a reason, on simulated targets
selective_picture  the picture of docs/reading-the-result.md
selective_products  the same on attributes and columns of the fashion products
selective_promises  whether --min-precision keeps its promise there
shuffling    rates of reading in random order and in windows (--images), and what windows cost in learning
counts       whether the intervals of `count` hold the true number of images, on simulated folders
service      the HTTP service under load, beside twenty lines of FastAPI (--bundle)
decoding     what decoding in processes costs, and what hostile images cost (--images)
largest_uploads  memory of a service under the costliest uploads (--bundle)
hostile      1,000 hostile uploads to the service: its answers and its memory (--bundle)
"""

import argparse
from pathlib import Path

from benchmarks.backbones import backbones
from benchmarks.bags import bags
from benchmarks.counts import counts
from benchmarks.duplicates import duplicates
from benchmarks.head import head
from benchmarks.inference import inference
from benchmarks.intervals import intervals
from benchmarks.labels import labels
from benchmarks.listing import listing
from benchmarks.memory import memory
from benchmarks.promises import promises
from benchmarks.selective import selective
from benchmarks.selective_picture import selective_picture
from benchmarks.shuffling import shuffling
from benchmarks.speed import experiments, speed
from benchmarks.truth import truth
from benchmarks.verdicts import verdicts

NAMES = [line.split()[0] for line in (__doc__ or "").splitlines()[2:]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "name",
        choices=["all", *NAMES],
    )
    parser.add_argument("--fashion", type=Path, help="folder with styles.csv and images/ of the fashion products")
    parser.add_argument("--chest", type=Path, help="out_of_distribution: folder of the X-rays' class folders")
    parser.add_argument("--aimonk", type=Path, help="out_of_distribution: folder with images/ of the garment photos")
    parser.add_argument("--rows", type=int, default=1_000_000, help="labels, head, listing")
    parser.add_argument("--columns", type=int, default=2912, help="head: of the features")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=128, help="backbones: side of the images in pixels")
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/bundle"), help="service, hostile, listing: the model"
    )
    arguments = parser.parse_args()
    needs_fashion = arguments.name not in (
        "decoding",
        "largest_uploads",
        "duplicates",
        "head",
        "hostile",
        "inference",
        "intervals",
        "bags",
        "labels",
        "listing",
        "mlsmote",
        "promises",
        "counts",
        "selective",
        "selective_picture",
        "service",
        "shuffling",
        "truth",
        "verdicts",
    )
    if needs_fashion and not (arguments.fashion and (arguments.fashion / "styles.csv").exists()):
        parser.error("--fashion must name the folder that holds styles.csv and images/")
    if arguments.name in ("truth", "all"):
        truth(Path())
    if arguments.name in ("inference", "all"):
        inference(Path())
    if arguments.name in ("promises", "all"):
        promises(Path())
    if arguments.name in ("mlsmote", "all"):
        from benchmarks.mlsmote import mlsmote  # loads Keras

        mlsmote(Path(), arguments.seeds)
    if arguments.name in ("verdicts", "all"):
        verdicts()
    if arguments.name in ("selective", "all"):
        selective()
    if arguments.name in ("selective_picture", "all"):
        selective_picture()
    if arguments.name in ("selective_products", "all"):
        from benchmarks.selective_products import selective_products  # loads Keras

        selective_products(arguments.fashion.resolve(), arguments.seeds)
    if arguments.name in ("selective_promises", "all"):
        from benchmarks.selective_promises import selective_promises  # loads Keras

        selective_promises(arguments.fashion.resolve())
    if arguments.name in ("intervals", "all"):
        intervals(arguments.images)
    if arguments.name in ("bags", "all"):
        bags(arguments.seeds)
    if arguments.name in ("duplicates", "all"):
        duplicates(arguments.images)
    if arguments.name in ("labels", "all"):
        labels(arguments.rows)
    if arguments.name in ("head", "all"):
        head(arguments.rows, arguments.columns)
    if arguments.name in ("shuffling", "all"):
        shuffling(arguments.images, arguments.seeds)
    if arguments.name in ("listing", "all"):
        listing(arguments.bundle, arguments.images, arguments.rows)
    if arguments.name in ("counts", "all"):
        counts()
    if arguments.name in ("service", "all"):
        from benchmarks.service import service  # needs requirements-dev.txt

        service(arguments.bundle)
    if arguments.name in ("decoding", "all"):
        from benchmarks.decoding import decoding

        decoding(arguments.images)
    if arguments.name in ("largest_uploads", "all"):
        from benchmarks.largest_uploads import largest_uploads

        largest_uploads(arguments.bundle)
    if arguments.name in ("hostile", "all"):
        from benchmarks.hostile import hostile  # needs requirements-dev.txt

        hostile(arguments.bundle)
    if arguments.name in ("gaps", "all"):
        from benchmarks.gaps import gaps  # loads Keras

        gaps(arguments.fashion.resolve())
    if arguments.name in ("experiments", "all"):
        experiments(arguments.fashion.resolve(), arguments.images)
    if arguments.name in ("memory", "all"):
        memory(arguments.fashion.resolve(), (1000, 10_000))
    if arguments.name in ("out_of_distribution", "all"):
        from benchmarks.out_of_distribution import out_of_distribution  # loads Keras

        out_of_distribution(arguments.fashion, arguments.chest, arguments.aimonk)
    if arguments.name in ("backbones", "all"):
        backbones(arguments.fashion.resolve(), arguments.images, arguments.size)
    if arguments.name in ("speed", "all"):
        speed(arguments.fashion.resolve(), arguments.images, arguments.seeds)


if __name__ == "__main__":
    main()
