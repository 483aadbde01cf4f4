"""The notebook: what a flow looks like while it runs. Only this room loads anywidget, ipywidgets and IPython."""

from __future__ import annotations

__all__: list[str] = []
