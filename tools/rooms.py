"""Count the package's rooms, floors and imports between rooms: python tools/rooms.py [SOURCE_DIRECTORY].

A room is a module or package directly in `agegender`, an entry point (train.py, eval.py) or `hydra_plugins`. The floor
of a room is one above the highest floor that it imports from.
"""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

_PACKAGE = "agegender"
_ENTRY_POINTS = ("train.py", "eval.py")


def imports_of_rooms(source: Path) -> dict[str, set[str]]:
    """Map each room to the rooms that it imports from.

    Args:
        source: the directory of `agegender` and `hydra_plugins`; the entry points are in its parent directory.
    """
    rooms: dict[str, set[str]] = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        room = parts[1] if parts[0] == _PACKAGE else parts[0]
        if room != "__init__":
            rooms.setdefault(room, set()).update(_imported(path, source))
    for name in _ENTRY_POINTS:
        path = source.parent / name
        if path.exists():
            rooms[name] = set(_imported(path, source))
    return {room: {other for other in imported if other != room and other in rooms} for room, imported in rooms.items()}


def _imported(path: Path, source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == _PACKAGE and len(parts) > 1:
                yield parts[1]


def floors(rooms: dict[str, set[str]]) -> dict[str, int]:
    """Number the floors from 1.

    Raises:
        graphlib.CycleError: the imports between rooms form a cycle.
    """
    found: dict[str, int] = {}
    for room in TopologicalSorter(rooms).static_order():
        found[room] = 1 + max((found[other] for other in rooms[room]), default=0)
    return found


def main() -> int:
    """Print the rooms by floor, highest first."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "src"
    rooms = imports_of_rooms(source)
    print(f"{len(rooms)} rooms, {sum(map(len, rooms.values()))} arrows")
    try:
        found = floors(rooms)
    except CycleError as error:
        print(f"a cycle: {' -> '.join(error.args[1])}")
        return 1
    for floor in sorted(set(found.values()), reverse=True):
        print(f"{floor}  {'  '.join(sorted(room for room in rooms if found[room] == floor))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
