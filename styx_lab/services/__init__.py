"""Services of the machine: `doctor` looks at what Styx stands on and says how to mend it."""

from __future__ import annotations

from styx_lab.services.doctor import Finding, checkup

__all__ = ["Finding", "checkup"]
