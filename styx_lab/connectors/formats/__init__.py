"""How payloads become typed columns: JSON, CSV text, and frames that are typed already.

Law: what a payload means depends on that payload and the schema alone, never on the payloads around it; and each one is
either decoded or a dead letter with a reason.
"""

from __future__ import annotations

from styx_lab.connectors.formats.columns import conform, nan_to_null
from styx_lab.connectors.formats.csv import decode_csv
from styx_lab.connectors.formats.decode import decode
from styx_lab.connectors.formats.decoded import Decoded
from styx_lab.connectors.formats.json import decode_json

__all__ = ["Decoded", "conform", "decode", "decode_csv", "decode_json", "nan_to_null"]
