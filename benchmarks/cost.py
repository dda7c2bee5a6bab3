"""The cost of training: one step of each network in turn, as a job computes it, on one resident batch."""

from collections.abc import Callable
from functools import partial

from agegender.jobs import build
from agegender.labels import NUM_GROUPS
from agegender.models import measure
from benchmarks.fit import make_step, steps_per_second
from benchmarks.measure import Row, compare
from benchmarks.subject import Settings, faces, job

PAPER_SIZE = 256  # pixels of a side


def side_by_side(settings: Settings) -> list[Row]:
    """Compare the training rates of networks, as ratios to the first one, at the paper's image size and at another.

    Parameters and GMAC are in the note. All networks of a size are in memory at once, so that their repeats can
    alternate.
    """
    sizes = sorted({PAPER_SIZE, settings.image_size})
    return [row for size in sizes for row in _at_one_size(settings.at(size))]


def _at_one_size(settings: Settings) -> list[Row]:
    root = faces(settings, settings.num_images)
    rates = {}
    notes = {}
    for model in settings.models:
        config = job(settings, model, root)
        step, num_params = make_step(config, settings)
        gmacs = measure.gmacs(build.network_builder(config, NUM_GROUPS), settings.image_size)
        rates[model] = partial(_images_per_second, step, settings)
        notes[model] = f"{num_params:,} parameters, {gmacs:.3f} GMAC"
    return compare(
        f"cost of training, {settings.image_size} px, batch {settings.batch_size}",
        rates,
        unit="images/s",
        base=settings.models[0],
        repeats=settings.repeats,
        notes=notes,
    )


def _images_per_second(step: Callable[[], None], settings: Settings) -> float:
    return settings.batch_size * steps_per_second(step, settings.steps)
