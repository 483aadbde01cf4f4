"""Show: what a name in the store is, as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from styx_lab.bundles.bundle import read_bundle
from styx_lab.errors import NotFoundError
from styx_lab.stores import SqliteStore

__all__ = ["show"]


def show(reference: str, *, store: str | Path | None = None) -> dict[str, Any]:
    """What a bundle, model or job is.

    Args:
        reference: `card-fraud`, `card-fraud@3`, `fraud@champion`, or a job's id.
        store: the store; the default one where none is named.

    Returns:
        `kind` (`bundle`, `model` or `job`) with its facts; a bundle with its flow as text and Mermaid.

    Raises:
        NotFoundError: when nothing has that name.
    """
    with SqliteStore(store) as kept:
        try:
            version, data = kept.get_bundle(reference)
        except NotFoundError:
            pass
        else:
            bundle = read_bundle(data)
            flow = bundle.flow()
            facts = {key: value for key, value in bundle.manifest.items() if key != "files"}
            drawing = {"text": str(flow), "mermaid": flow.mermaid()}
            return {"kind": "bundle", "version": version, "sha256": bundle.sha256, **facts, "drawing": drawing}
        try:
            model = kept.get_model(reference)
        except NotFoundError:
            pass
        else:
            facts = {key: value for key, value in asdict(model).items() if key != "pmml"}
            # The rows kept with it are for programs.
            facts["meta"] = {key: value for key, value in facts["meta"].items() if key != "sample"}
            return {"kind": "model", **facts, "bytes": len(model.pmml)}
        try:
            return {"kind": "job", **asdict(kept.get_job(reference))}
        except NotFoundError:
            names = sorted(
                {f"bundle {one.name}" for one in kept.list_bundles()}
                | {f"model {one.name}" for one in kept.list_models()}
                | {f"job {one.job}" for one in kept.list_jobs()}
            )
            raise NotFoundError(
                "nothing has that name",
                where=str(kept.path),
                got=reference,
                hint=", ".join(names) or "the store is empty",
            ) from None
