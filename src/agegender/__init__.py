"""Age-group and gender classification of faces: data, networks, methods and one comparison table.

In a notebook: `agegender.load(checkpoint).predict(images)`, `agegender.read_runs(folder)`,
`agegender.read_predictions(folder)`. These are imported on first use, as torch and pandas take seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agegender.jobs.predict import load as load
    from agegender.records.frames import read_predictions as read_predictions
    from agegender.records.frames import read_runs as read_runs

__version__ = "0.1.0"
_PUBLIC = {
    "load": "agegender.jobs.predict",
    "read_predictions": "agegender.records.frames",
    "read_runs": "agegender.records.frames",
}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
