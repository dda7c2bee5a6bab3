"""How the trainer is made: cuDNN's autotuner, and how often the progress bar is drawn."""

from pathlib import Path
from typing import Any

import pytest
from composing import composed
from lightning.pytorch.callbacks import RichProgressBar

from agegender.training import trainers


def arguments_of(folder: Path, *overrides: str) -> dict[str, Any]:
    """Return what Lightning's trainer is made with."""
    given: dict[str, Any] = {}
    kind: Any = lambda **arguments: given.update(arguments)  # noqa: E731
    settings = composed(*overrides)["trainer"]
    trainers.make_trainer(settings, folder=folder, callbacks=[], logger=False, kind=kind)
    return given


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (("trainer=gpu",), True),
        (("trainer=gpu", "trainer.deterministic=true"), None),
        (("trainer=gpu", "trainer.deterministic=warn"), None),
        (("trainer=gpu", "+trainer.benchmark=false"), False),
        (("trainer=cpu",), None),
    ],
)
def test_cudnn_looks_for_the_fastest_algorithms_on_a_gpu_that_need_not_be_deterministic(
    overrides: tuple[str, ...], expected: bool | None, tmp_path: Path
) -> None:
    assert arguments_of(tmp_path, *overrides).get("benchmark") is expected


def test_the_progress_bar_is_drawn_at_every_fifth_step(tmp_path: Path) -> None:
    (bar,) = (one for one in arguments_of(tmp_path, "trainer=cpu")["callbacks"] if isinstance(one, RichProgressBar))
    assert bar.refresh_rate == 5
