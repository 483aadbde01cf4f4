"""Models for a run: opened from the store by reference, each once."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.flow.flow import Flow
from styx_lab.models import open_scorer
from styx_lab.models.guard import read_pmml
from styx_lab.models.profile import with_profile
from styx_lab.operators.build import OpenModel
from styx_lab.stores import SqliteStore

__all__ = ["find_model", "flow_models", "store_models"]


def find_model(model: str | Path, *, store: str | Path | None = None, file: bool = False) -> ModelRecord:
    """A model of the store by its reference, or in a file: then its version is 0.

    Args:
        model: `fraud`, `fraud@3`, `fraud@champion`, or the path of a `.pmml` file.
        store: the store; the default one where none is named.
        file: whether it can only be a file.

    Raises:
        InputMissingError: when there is no such file.
        ModelError: when it is bigger than a model file may be.
        NotFoundError: when the store has no such model.
    """
    path = Path(model)
    if file or path.suffix == ".pmml" or path.exists():
        pmml = read_pmml(path)
        return ModelRecord(path.stem, 0, pmml, sha256(pmml).hexdigest(), "", {})
    with SqliteStore(store) as kept:
        return kept.get_model(str(model))


def store_models(store: str | Path | None) -> OpenModel:
    """Opens models of a store; the default store where none is named."""
    opened: dict[str, Scorer] = {}

    def open_one(reference: str) -> Scorer:
        if reference not in opened:
            with SqliteStore(store) as kept:
                record = kept.get_model(reference)
            opened[reference] = with_profile(open_scorer(record), record.meta)
        return opened[reference]

    return open_one


def flow_models(flow: Flow, store: SqliteStore) -> dict[str, ModelRecord]:
    """The models a flow scores with, by the reference it uses, each pinned to a version.

    Raises:
        NotFoundError: when one is not in the store.
    """
    return {reference: store.get_model(reference) for reference in flow.models}
