"""Write tests/slow.txt from what pytest measured: `list_slow_tests.py LOG [--seconds 0.15]`.

LOG is the output of `pytest --durations=0 --durations-min=0.1`. A test is slow where one of its
cases takes longer than that, its fixtures too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

SLOW = Path(__file__).parents[2] / "tests" / "slow.txt"
_LINE = re.compile(r"^([0-9.]+)s (?:setup|call|teardown) +(\S+?)(?:\[.*)?$")


def slow_tests(log: str, seconds: float) -> list[str]:
    """Names of tests without their cases, sorted."""
    longest: dict[str, float] = defaultdict(float)
    for line in log.splitlines():
        if match := _LINE.match(line):
            longest[match[2]] = max(longest[match[2]], float(match[1]))
    return sorted(name for name, time in longest.items() if time >= seconds)


def main() -> int:
    """Write the list; print how much it saves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--seconds", type=float, default=0.15)
    asked = parser.parse_args()
    names = slow_tests(asked.log.read_text(), asked.seconds)
    SLOW.write_text("".join(f"{name}\n" for name in names))
    print(f"{len(names)} tests are slow: {SLOW}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
