"""Make `.venv` and install what a task needs, showing progress; needs the standard library alone. `make` calls it.

Law: the environment is a function of pyproject.toml, constraints.txt, the Python version and this folder. When none of
them has changed there is nothing to do; when one has, or a set-up was cut short, it is done again. Nothing is retried.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "styx-setup.json"
BEGUN = VENV / "styx-setup.begun"
LOCK = ROOT / ".cache" / "setup.lock"

LEVELS = {
    "demo": ("what the demo needs", ["-e", ".[train]", "streamz"], "about 40 seconds"),
    "lab": ("JupyterLab and everything a notebook needs", ["-e", ".[lab,train]"], "about a minute"),
    "dev": ("everything, with the tools that check and test", ["-e", ".[dev]"], "a minute or two"),
}
"""What each level installs; a later one holds the earlier ones."""

MADE = (".venv", ".cache", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis")
"""The folders that `clean` removes: all of them can be made again. A user's own data (`.styx`) is not among them."""


def main(arguments: list[str]) -> int:
    """Do the set-up that the command line names; the exit code is 0, or 1 with one message."""
    if arguments == ["clean"]:
        return clean()
    if len(arguments) != 1 or arguments[0] not in LEVELS:
        return complain(f"say one of: {', '.join(LEVELS)}, clean")
    level = arguments[0]
    LOCK.parent.mkdir(exist_ok=True)
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this folder: waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        drop_stale_kernels()
        return set_up(level)


def set_up(level: str) -> int:
    """Bring `.venv` to a level: nothing when it is there, else make it and install."""
    done = read_stamp()
    now = digest()
    order = list(LEVELS)
    if done.get("digest") == now and done.get("level") in order[order.index(level) :]:
        return 0
    what, packages, long = LEVELS[level]
    began = time.monotonic()
    say(f"Setting up .venv: {what} ({long} on a fast line; later runs skip this)")
    # A pip that was killed may leave a package that looks whole and is not.
    if BEGUN.exists() or not pip_works(now, done):
        say(f"[1/2] a virtual environment with Python {sys.version.split()[0]}")
        shutil.rmtree(VENV, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
        if made.returncode:
            return complain(
                f"{sys.executable} cannot make a virtual environment:\n{indent(made.stdout + made.stderr)}\n"
                "Install its venv and ensurepip modules (on Debian and Ubuntu: apt-get install python3-venv)."
            )
    say("[2/2] the packages, from the index that pip is set to use on this machine")
    STAMP.unlink(missing_ok=True)
    BEGUN.touch()
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    code, lines = watch([*command, "-c", "constraints.txt", *packages])
    BEGUN.unlink()
    if code:
        return complain(
            f"pip ended with {code}; its last lines were:\n{indent(chr(10).join(lines[-25:]))}\n"
            "Mend what they say (the line, the disk, pip's settings) and run the same command again."
        )
    STAMP.write_text(json.dumps({"digest": now, "level": level}))
    say(f"Set-up done in {time.monotonic() - began:.0f} s")
    return 0


def drop_stale_kernels() -> None:
    """Remove compiled kernels that are older than a source file beside them.

    Numba looks at the file that holds a kernel and not at those whose functions it compiled into it.
    """
    for folder in (ROOT / "styx_lab").rglob("__pycache__"):
        kernels = [*folder.glob("*.nbi"), *folder.glob("*.nbc")]
        changed = max((source.stat().st_mtime for source in folder.parent.glob("*.py")), default=0.0)
        if any(kernel.stat().st_mtime < changed for kernel in kernels):
            say(f"compiling {folder.parent.relative_to(ROOT)} anew at its next use: its sources changed")
            for kernel in kernels:
                kernel.unlink()


def digest() -> str:
    """What the environment depends on, as one hash."""
    parts = [str(ROOT), sys.version, (ROOT / "pyproject.toml").read_text(), (ROOT / "constraints.txt").read_text()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read_stamp() -> dict[str, str]:
    """What the last finished set-up wrote; nothing when there was none."""
    try:
        found = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def pip_works(now: str, done: dict[str, str]) -> bool:
    """Whether `.venv` can be built upon: it runs, it has pip, it is of this Python and of this folder."""
    if done.get("digest") == now:
        return True
    probe = "import sys, pip; print(sys.version); print(sys.prefix)"
    try:
        found = subprocess.run([str(PYTHON), "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and found.stdout == f"{sys.version}\n{VENV}\n"


def watch(command: list[str]) -> tuple[int, list[str]]:
    """Run pip and show that it lives: one line that is rewritten on a terminal, else a line every ten seconds."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    heard: queue.Queue[str | None] = queue.Queue()

    def listen(stream: object = process.stdout) -> None:
        for line in stream:  # type: ignore[attr-defined]
            heard.put(line.rstrip())
        heard.put(None)

    threading.Thread(target=listen, daemon=True).start()
    terminal = sys.stdout.isatty()
    began = shown = time.monotonic()
    lines: list[str] = []
    found, doing = 0, "asking for packages"
    while True:
        try:
            line = heard.get(timeout=0.5)
            if line is None:
                break
            lines.append(line)
            first, _, rest = line.strip().partition(" ")
            if first == "Collecting":
                found, doing = found + 1, rest.split(" ")[0]
            elif first == "Installing":
                doing = "unpacking and compiling (the longest part)"
        except queue.Empty:
            pass
        now = time.monotonic()
        if now - shown > (0.2 if terminal else 10):
            shown = now
            text = f"      {now - began:4.0f} s  {found} packages found: {doing}"
            print(f"\r\033[K{text[: shutil.get_terminal_size().columns - 1]}" if terminal else text, end="", flush=True)
            if not terminal:
                print(flush=True)
    if terminal:
        print("\r\033[K", end="", flush=True)
    return process.wait(), lines


def clean() -> int:
    """Remove all that the tasks made; a user's own data stays."""
    for name in (*MADE, "build", "dist"):
        if (ROOT / name).exists():
            say(f"removing {name}")
            shutil.rmtree(ROOT / name)
    for room in ("styx_lab", "tests", "tools"):
        for folder in list((ROOT / room).rglob("__pycache__")):
            shutil.rmtree(folder, ignore_errors=True)
    if (ROOT / ".styx").exists():
        say("left alone: .styx, your store and runs; remove it yourself if you mean to")
    return 0


def say(text: str) -> None:
    print(text, flush=True)


def indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines())


def complain(text: str) -> int:
    print(f"set-up failed: {text}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    os.chdir(ROOT)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nset-up interrupted; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
