"""Models for a run: opened from the store by reference, each once."""

from __future__ import annotations

from pathlib import Path

from styx_lab.core.ports import ModelRecord, Scorer
from styx_lab.flow.flow import Flow
from styx_lab.models import open_scorer
from styx_lab.models.profile import with_profile
from styx_lab.operators.build import OpenModel
from styx_lab.stores import SqliteStore

__all__ = ["flow_models", "store_models"]


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
