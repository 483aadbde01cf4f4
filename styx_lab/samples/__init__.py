"""Sample data: seeded generators of events with a known truth.

Law: the same arguments give the same bytes on every machine and for ever; a test pins their hash.
"""

from __future__ import annotations

from styx_lab.samples.cards import CARDS_SCHEMA, CardsSample, generate_cards
from styx_lab.samples.page_visits import VISITS_DELAY_MS, VISITS_SCHEMA, PageVisits, generate_page_visits

__all__ = [
    "CARDS_SCHEMA",
    "VISITS_DELAY_MS",
    "VISITS_SCHEMA",
    "CardsSample",
    "PageVisits",
    "generate_cards",
    "generate_page_visits",
]
