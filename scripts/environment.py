"""Sets up what the other scripts run in: the active virtual environment, or `.venv` made for it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def prepare(extras: str = "") -> str:
    """Install the project where it is not and return the path of the interpreter to run.

    Args:
        extras: such as `[dev]`.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything is checked
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    python = _interpreter()
    stamp = python.parent.parent / f".vis-kit{extras.replace('[', '-').replace(']', '')}"
    wanted = f"{ROOT}\n{_fingerprint()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"installing vis into {python.parent.parent} (once; torch is large)", flush=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-e", f"{ROOT}{extras}"]
        if subprocess.run(install, check=False).returncode:
            sys.exit("the installation failed; the lines above say why")
        stamp.write_text(wanted)
    return str(python)


def run(python: str, *arguments: str) -> int:
    """Run the interpreter in the project's folder and return its exit code."""
    return subprocess.run([python, *arguments], cwd=ROOT, check=False).returncode


def _interpreter() -> Path:
    """The active environment's interpreter, else that of `.venv`, made if need be."""
    if "VIRTUAL_ENV" in os.environ or sys.prefix != sys.base_prefix:
        return Path(os.environ.get("VIRTUAL_ENV", sys.prefix)) / _binary()
    if not (VENV / _binary()).exists():
        print(f"making a virtual environment in {VENV}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    return VENV / _binary()


def _binary() -> str:
    return "Scripts/python.exe" if os.name == "nt" else "bin/python"


def _fingerprint() -> str:
    """Changes when what must be installed changes."""
    return hashlib.sha256((ROOT / "setup.py").read_bytes()).hexdigest()
