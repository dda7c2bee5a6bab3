"""Disturb sweeps, and print whether the same command came to the same result: python tests/faults [kills] [disks]."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from full_disks import fill_disks
from kills import kill_at_random_moments
from table import HEADER, Row


def main() -> int:
    """Run the campaigns; 1 if a sweep came to another result, or told its end otherwise than it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaigns", nargs="*", default=["kills", "disks"], help="kills, disks, or both")
    parser.add_argument("--kills", type=int, default=20, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of their moments")
    parser.add_argument("--keep", type=Path, help="a directory for what the sweeps leave; default: a temporary one")
    options = parser.parse_args()
    if "disks" in options.campaigns and os.geteuid() != 0:
        print("error: full disks are mounted, which needs root; or choose the campaign kills alone", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="agegender-faults-") as temporary:
        folder = options.keep or Path(temporary)
        is_same = True
        if "kills" in options.campaigns:
            print(f"\nkill -9 at {options.kills} random moments, seed {options.seed}\n")
            is_same &= _print(kill_at_random_moments(folder, options.kills, options.seed))
        if "disks" in options.campaigns:
            print("\nFull disks\n")
            is_same &= _print(fill_disks(folder))
    return 0 if is_same else 1


def _print(rows: Iterable[Row]) -> bool:
    print(HEADER)
    is_same = True
    for row in rows:
        print(row.line(), flush=True)
        is_same &= not row.differences
    return is_same


if __name__ == "__main__":
    sys.exit(main())
