"""A page that mounts the monitor's view with a model that is not Jupyter's, for a browser to look at.

`monitor_page(drawing, state)` gives the whole page as text. In it `push(state)` is what a new state of the kernel does,
`unmount()` what closing the output does; `document.body.dataset.ready` is set once the view stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

__all__ = ["monitor_page"]

_LIGHT = {
    "--jp-layout-color0": "white",
    "--jp-layout-color1": "white",
    "--jp-ui-font-color1": "rgba(0,0,0,.87)",
    "--jp-ui-font-color2": "rgba(0,0,0,.54)",
    "--jp-border-color1": "#bdbdbd",
    "--jp-border-color2": "#e0e0e0",
}
_DARK = {
    "--jp-layout-color0": "#111",
    "--jp-layout-color1": "#212121",
    "--jp-ui-font-color1": "rgba(255,255,255,.87)",
    "--jp-ui-font-color2": "rgba(255,255,255,.54)",
    "--jp-border-color1": "#616161",
    "--jp-border-color2": "#424242",
}


def monitor_page(drawing: str, state: Mapping[str, Any], *, dark: bool = False) -> str:
    """The page, with JupyterLab's colours of one of its two themes."""
    static = files("styx_lab.lab") / "static"
    script = (static / "monitor.js").read_text(encoding="utf-8")
    style = (static / "monitor.css").read_text(encoding="utf-8")
    colours = ";".join(f"{name}:{value}" for name, value in (_DARK if dark else _LIGHT).items())
    # No text of these may end the page's own script.
    traits = json.dumps({"drawing": drawing, "state": dict(state)}).replace("<", "\\u003c")
    source = json.dumps(script).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Monitor</title>
<style>:root{{{colours}}} body{{background:var(--jp-layout-color0);margin:16px}} {style}</style></head>
<body><div id="view"></div>
<script type="module">
const source = {source};
const traits = {traits};
const listeners = new Map();
const model = {{
  get: (name) => traits[name],
  set: (name, value) => {{ traits[name] = value; }},
  save_changes: () => {{}},
  on: (event, call) => listeners.set(event, [...(listeners.get(event) ?? []), call]),
  off: (event, call) => listeners.set(event, (listeners.get(event) ?? []).filter((one) => one !== call)),
}};
const view = await import(URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }})));
const close = await view.default.render({{ model, el: document.getElementById("view") }});
window.push = (state) => {{ traits.state = state; (listeners.get("change:state") ?? []).forEach((call) => call()); }};
window.listening = () => [...listeners.values()].flat().length;
window.unmount = () => {{ close(); document.getElementById("view").replaceChildren(); }};
document.body.dataset.ready = "yes";
</script></body></html>
"""
