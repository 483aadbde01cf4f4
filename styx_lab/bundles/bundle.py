"""A bundle: flow, models, tables, module sources, a golden recording and its golden output, with a manifest of hashes.

Laws: nothing in a bundle is pickled: it is JSON, PMML, Parquet and source text. Every file is named in the manifest
with its SHA-256; one more, one less or one other byte is refused.
"""

from __future__ import annotations

import io
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

import polars as pl

from styx_lab.bundles.answers import GoldenAnswers, pack_answers
from styx_lab.bundles.archive import pack_files, unpack_files
from styx_lab.core.events import canonical_json
from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.errors import BundleError
from styx_lab.flow.flow import Flow
from styx_lab.models import open_scorer
from styx_lab.models.profile import with_profile
from styx_lab.operators.build import OpenModel

__all__ = ["Bundle", "environment", "pack_bundle", "read_bundle"]

_FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_ENGINE: Final = "native"
"""What scores a bundle that is promoted now."""
_FIRST_ENGINE: Final = "pypmml"
"""What scored those that do not say: their golden output may differ from the native engine's in a last bit."""


def environment() -> dict[str, str]:
    """What a golden output may depend on: the versions it was made with."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("styx-lab", "polars", "numpy", "numba", "msgspec")},
    }


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle, every byte of it checked.

    Attributes:
        manifest: name, flow hash, versions, models, golden recordings, and each file's hash.
        files: the files by name.
        sha256: hash of the whole.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    sha256: str

    @property
    def name(self) -> str:
        """The flow's name."""
        return str(self.manifest["name"])

    def flow(self) -> Flow:
        """The flow, with its tables' rows."""
        tables = {
            digest: pl.read_parquet(io.BytesIO(self.files[file])) for digest, file in self.manifest["tables"].items()
        }
        flow = Flow.from_json(self.files["flow.json"], tables)
        if flow.hash != self.manifest["flow"]:
            raise BundleError("the flow is not the one that was promoted", where=f"bundle {self.name!r}", got=flow.hash)
        return flow

    def models(self) -> dict[str, ModelRecord]:
        """The models by the reference that the flow uses."""
        return {
            reference: ModelRecord(
                entry["name"],
                entry["version"],
                self.files[entry["file"]],
                entry["sha256"],
                entry["created"],
                entry["meta"],
            )
            for reference, entry in self.manifest["models"].items()
        }

    def open_model(self) -> OpenModel:
        """Opens the bundle's own models; each once."""
        records, opened = self.models(), dict[str, Scorer]()

        def open_one(reference: str) -> Scorer:
            if reference not in records:
                raise BundleError("the model is not in the bundle", where=f"bundle {self.name!r}", got=reference)
            if reference not in opened:
                record = records[reference]
                engine = self.manifest["models"][reference].get("engine", _FIRST_ENGINE)
                opened[reference] = with_profile(open_scorer(record, engine), record.meta)
            return opened[reference]

        return open_one

    def golden_answers(self) -> GoldenAnswers:
        """What was answered from outside when the golden output was made."""
        return GoldenAnswers({step: self.files[file] for step, file in self.manifest.get("answers", {}).items()})

    def golden_output(self, output: str) -> bytes:
        """The JSON lines that an output must give on the golden recordings."""
        return self.files[f"golden/out/{output}.jsonl"]

    def golden_recording(self, source: str) -> bytes:
        """The golden recording of a source, a Parquet file."""
        return self.files[self.manifest["golden"][source]]


def pack_bundle(
    flow: Flow,
    *,
    models: Mapping[str, ModelRecord],
    golden: Mapping[str, bytes],
    outputs: Mapping[str, Iterable[bytes]],
    modules: Mapping[str, str],
    created: str,
    answers: Mapping[str, pl.DataFrame] | None = None,
) -> bytes:
    """The bytes of a bundle.

    Args:
        flow: what is promoted.
        models: by the reference that the flow uses.
        golden: a recording's bytes for each source.
        outputs: the golden output: canonical JSON lines of each output, dead letters included.
        modules: source text by module name: where the flow is written down, and the callables it uses.
        created: when, ISO 8601.
        answers: what was answered from outside to each `lookup` step, while the golden output was made.
    """
    files = {"flow.json": flow.to_json().encode()}
    entries: dict[str, Any] = {}
    for reference, record in models.items():
        file = f"models/{record.name}@{record.version}.pmml"
        files[file] = record.pmml
        entries[reference] = {
            "name": record.name,
            "version": record.version,
            "file": file,
            "sha256": record.sha256,
            "created": record.created,
            "engine": _ENGINE,
            # The training rows that the store keeps with a model are for looking at it, and stay there.
            "meta": {name: value for name, value in record.meta.items() if name != "sample"},
        }
    tables = {}
    for table in flow.tables:
        buffer = io.BytesIO()
        table.frame.write_parquet(buffer)
        tables[table.sha256] = file = f"tables/{table.name}-{table.sha256[:12]}.parquet"
        files[file] = buffer.getvalue()
    recordings = {}
    for source, data in golden.items():
        recordings[source] = file = f"golden/{source}.recording.parquet"
        files[file] = data
    for output, lines in outputs.items():
        files[f"golden/out/{output}.jsonl"] = b"".join(line + b"\n" for line in lines)
    for module, text in modules.items():
        files[f"modules/{module}.py"] = text.encode()
    answered = {}
    for step, rows in (answers or {}).items():
        answered[step] = file = f"golden/answers/{step}.arrow"
        files[file] = pack_answers(rows)
    manifest = {
        "format": _FORMAT,
        "name": flow.name,
        "flow": flow.hash,
        "created": created,
        "environment": environment(),
        "models": entries,
        "tables": tables,
        "golden": recordings,
        "signature": None,
        "files": {
            name: {"bytes": len(data), "sha256": sha256(data).hexdigest()} for name, data in sorted(files.items())
        },
    }
    if answered:
        manifest["answers"] = answered
    files[_MANIFEST] = canonical_json(manifest)
    return pack_files(files)


def read_bundle(data: bytes) -> Bundle:
    """Open a bundle, checking every byte against its manifest.

    Raises:
        BundleError: naming the file that is missing, added or changed.
    """
    files = unpack_files(data)
    hint = "promote the flow again"
    try:
        manifest = json.loads(files.pop(_MANIFEST))
        named = manifest["files"]
    except (KeyError, ValueError, TypeError) as error:
        raise BundleError("the bundle has no manifest that can be read", where="bundle", hint=hint) from error
    if manifest.get("format") != _FORMAT:
        raise BundleError("a bundle of an unknown format", where="bundle", got=manifest.get("format"))
    for name in sorted(named.keys() | files.keys()):
        if name not in files:
            raise BundleError("a file of the bundle is missing", where=f"bundle file {name!r}", hint=hint)
        if name not in named:
            raise BundleError("a file was added to the bundle", where=f"bundle file {name!r}", hint=hint)
        if sha256(files[name]).hexdigest() != named[name]["sha256"]:
            raise BundleError("a file of the bundle was changed", where=f"bundle file {name!r}", hint=hint)
    return Bundle(manifest, files, sha256(data).hexdigest())
