"""The right source for a file, by what is in it and what it is called.

Law: a file is never guessed at: one that no source fits is refused with what would fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from styx_lab.connectors.csv_file import CsvSource
from styx_lab.connectors.json_lines import JsonLinesSource
from styx_lab.connectors.parquet import ParquetSource
from styx_lab.connectors.parquet_rows import is_parquet
from styx_lab.connectors.paths import first_bytes, readable_file
from styx_lab.connectors.recording import RecordingSource, is_recording
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, SchemaError

__all__ = ["FileSource", "open_source"]

FileSource = JsonLinesSource | CsvSource | ParquetSource | RecordingSource
_JSON: Final = frozenset({".jsonl", ".ndjson"})
_PACKED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip", b"BZh": "bzip2"}


def open_source(path: str | Path, schema: Schema | None = None) -> FileSource:
    """The source that reads a file: a recording, Parquet, JSON Lines or CSV.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.jsonl"
    >>> _ = path.write_text('{"amount": 3.5}')
    >>> source = open_source(path, Schema({"amount": "float"}))
    >>> source.format
    'json'
    >>> source.close()

    Args:
        path: a file. Parquet and recordings are known by their content, text by `.jsonl`, `.ndjson` or `.csv`.
        schema: the columns to take. CSV and Parquet need it; a recording carries its own.

    Raises:
        InputMissingError: there is no such file.
        DataError: it is a folder, empty, of a kind that is not known, packed, or damaged.
        SchemaError: the file has not the columns of the schema, or a schema is needed.
    """
    file = readable_file(path)
    if is_parquet(file):
        return RecordingSource(path) if is_recording(file) else ParquetSource(path, _needed(schema, path))
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        raise DataError("this is not a Parquet file", where=str(path), hint="check what wrote it, or its suffix")
    start = first_bytes(file, 4)
    for magic, packer in _PACKED.items():
        if start.startswith(magic):
            raise DataError(f"the file is packed with {packer}", where=str(path), hint="unpack it first")
    if suffix in _JSON:
        return JsonLinesSource(path)
    if suffix == ".csv":
        return CsvSource(path, _needed(schema, path))
    raise DataError(
        "no source reads files of this kind",
        where=str(path),
        got=file.suffix,
        hint="name it .jsonl (one JSON object a line), .csv (with a header) or .parquet",
    )


def _needed(schema: Schema | None, path: str | Path) -> Schema:
    if schema is None:
        raise SchemaError("this kind of file needs a schema", where=str(path), hint="give schema=Schema({...})")
    return schema
