"""Services of the machine: `doctor` looks at what Styx stands on, `Cluster` starts and ends real servers on it."""

from __future__ import annotations

from styx_lab.services.cluster import SERVERS, Cluster, ServerState, default_cluster_folder
from styx_lab.services.doctor import Finding, checkup

__all__ = ["SERVERS", "Cluster", "Finding", "ServerState", "checkup", "default_cluster_folder"]
