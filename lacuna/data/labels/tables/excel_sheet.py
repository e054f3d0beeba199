"""Sheets of Excel files, read by calamine: the values, as they were last computed."""

import io
import re
import zipfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, load_workbook

from lacuna.data.labels.tables.table_file import MOST_ABOVE, TableFile, find_header, table_of_values, text_of
from lacuna.data.labels.tables.text_file import MOST_FILE_BYTES, read_unpacked
from lacuna.errors import LacunaError
from lacuna.io.names import listed, shortened

EXCEL_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")

MOST_UNPACKED = MOST_FILE_BYTES // 4
MOST_SHEET_CELLS = 50_000_000
"""Of a sheet, empty ones between others included: calamine holds them all."""

_FORMULA_WITHOUT_VALUE = re.compile(rb"</f>\s*</c>|<f[^>]*/>\s*</c>")


def sheet_names(path: Path) -> list[str]:
    """The names of the sheets; none where it is no Excel file that can be read."""
    try:
        return _open_book(path).sheet_names
    except LacunaError:
        return []


def open_excel(path: Path, sheet: str, image_columns: Collection[str] = ()) -> TableFile:
    """The sheet of this name, or the only one for ""; titles above the row that names the columns are skipped.

    Raises LacunaError at what is no Excel file, at a sheet that is not there or empty, and at formulas without a value.
    """
    book = _open_book(path)
    names = book.sheet_names
    if sheet not in names and (sheet or len(names) != 1):
        said = f"no sheet {shortened(sheet)}" if sheet else f"{len(names)} sheets"
        raise LacunaError(f"{path}: {said}; data.sheet must name one of {listed(names)}")
    try:
        rows = book.get_sheet_by_name(sheet or names[0]).to_python(skip_empty_area=False)
    except (CalamineError, ValueError, OSError) as error:
        raise _not_excel(path, error) from None
    above = next((number for number, row in enumerate(rows) if any(cell != "" for cell in row)), None)
    if above is None:
        raise LacunaError(f"{path}: the sheet {shortened(sheet or names[0])} is empty, expected a header and rows")
    first_rows = [[text_of(cell).strip() for cell in row] for row in rows[above : above + MOST_ABOVE]]
    top = above + find_header(first_rows, image_columns)
    header = [text_of(cell).strip() for cell in rows[top]]
    while not header[-1]:
        header.pop()

    def pick(places: Sequence[int]) -> Iterator[list[object]]:
        return ([row[place] for place in places] for row in rows[top + 1 :])

    return table_of_values(path, header, pick, top + 2)


def _open_book(path: Path) -> CalamineWorkbook:
    content = read_unpacked(path)
    if content.startswith(b"PK"):
        _check_archive(path, content)
    try:
        return load_workbook(io.BytesIO(content))
    except (CalamineError, ValueError, OSError) as error:
        raise _not_excel(path, error) from None


def _not_excel(path: Path, error: Exception) -> LacunaError:
    return LacunaError(f"{path}: not an Excel file that can be read: {' '.join(str(error).split())[:200]}")


def _check_archive(path: Path, content: bytes) -> None:
    """Refuse what would fill the memory, and formulas whose value no program has computed."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_UNPACKED:
                raise LacunaError(f"{path}: unpacks to more than {MOST_UNPACKED >> 30} GiB, too large for a label file")
            if not any(entry.filename.startswith("xl/") for entry in archive.infolist()):
                raise LacunaError(
                    f"{path}: no Excel file, but another archive, such as a table of LibreOffice (.ods) or a ZIP file; "
                    "save the table as .xlsx or CSV, or unpack it"
                )
            for entry in archive.infolist():
                if re.match(r"xl/worksheets/[^/]*\.xml$", entry.filename):
                    _check_sheet(path, entry.filename, archive.read(entry))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise LacunaError(f"{path}: not an Excel file, or one that is cut off: {str(error)[:100]}") from None


def _check_sheet(path: Path, name: str, content: bytes) -> None:
    if _FORMULA_WITHOUT_VALUE.search(content):
        raise LacunaError(
            f"{path}: {name} holds formulas without a value; open the file in a spreadsheet and save it, or save the "
            "table as CSV"
        )
    rows = max(map(int, re.findall(rb"<row[^>]* r=\"(\d{1,9})\"", content)), default=0)
    columns = max(
        (_column_number(letters) for letters in set(re.findall(rb'<c[^>]* r="([A-Z]{1,3})', content))), default=0
    )
    if rows * columns > MOST_SHEET_CELLS:
        raise LacunaError(f"{path}: {name} reaches to row {rows}, too large for a label file; save the table as CSV")


def _column_number(letters: bytes) -> int:
    """The place of a column by its letters: A is 1, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
