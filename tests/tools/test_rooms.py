from pathlib import Path

import pytest
from paths import ROOT
from rooms import floors, imports_of_rooms


def test_the_house_stays_small_enough_to_be_seen_at_a_glance() -> None:
    rooms = imports_of_rooms(ROOT / "src")
    assert len(rooms) <= 16
    assert max(floors(rooms).values()) <= 6
    assert sum(map(len, rooms.values())) <= 60


def test_rooms_and_their_imports_are_found_in_every_form(tmp_path: Path) -> None:
    files = {
        "src/agegender/a/x.py": "from agegender.b import y\nimport agegender.c.z\n",
        "src/agegender/b/y.py": "def f():\n    from agegender import c\n",
        "src/agegender/c.py": "import os\n",
        "src/agegender/__init__.py": "",
        "train.py": "from agegender.a.x import main\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    rooms = imports_of_rooms(tmp_path / "src")
    assert rooms == {"a": {"b", "c"}, "b": {"c"}, "c": set(), "train.py": {"a"}}
    assert floors(rooms) == {"c": 1, "b": 2, "a": 3, "train.py": 4}


def test_a_circle_is_an_error() -> None:
    with pytest.raises(ValueError, match="cycle"):
        floors({"a": {"b"}, "b": {"a"}})
