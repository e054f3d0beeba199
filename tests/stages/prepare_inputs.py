"""What ingest leaves of 60 images, and labels for them, for the tests of prepare."""

from pathlib import Path

from lacuna.io.csv_files import write_csv

CHANGES = {
    "data.labels": "labels.csv",
    "data.targets": {"red": "binary", "kind": "categorical"},
    "data.group_column": "",
    "split.val": 0.2,
    "split.test": 0.2,
}

N = 60


def write_ingested(folder: Path) -> None:
    """Images 0 to 59, of which 0 and 1 are duplicates, and a rejected one."""
    folder.mkdir(parents=True)
    write_files(folder, [f"{number:02}.png" for number in range(N)], list(range(N)))
    write_csv(folder / "rejected.csv", ("image", "reason"), [("bad.png", "truncated image")])
    write_csv(folder / "left_out.csv", ("image",), [("left.png",)])


def write_files(folder: Path, names: list[str], contents: list[int]) -> None:
    """The table of ingest: these images in order, of which contents 0 and 1 are near duplicates."""
    group = [contents.index(min(contents)) if content < 2 else row for row, content in enumerate(contents)]
    files = zip(names, range(len(names)), group, (f"{content:064x}" for content in contents), strict=True)
    write_csv(folder / "files.csv", ("image", "row", "group", "sha256"), list(files))


def good_rows() -> list[list[str]]:
    """A label for every image: red where 3 divides, unknown where 7 does; a boot, a shoe or a hat."""
    return [
        [
            f"{number:02}.png",
            "NA" if number % 7 == 0 else str(int(number % 3 == 0)),
            ("boot", "shoe", "hat")[number % 3],
        ]
        for number in range(N)
    ]


def write_labels(rows: list[list[str]], header: tuple[str, ...] = ("image", "red", "kind")) -> None:
    write_csv(Path("labels.csv"), header, rows)
