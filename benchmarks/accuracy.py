"""Whether speed costs accuracy: the same seeds trained by this project's pipeline and by the reference, then tested."""

import statistics
from functools import partial
from typing import Any

from agegender.training import trainers
from benchmarks.fit import build_job
from benchmarks.measure import Row
from benchmarks.reference import Reference
from benchmarks.subject import Settings, faces, job


def agreement(settings: Settings, model: str, num_images: int, max_epochs: int, seeds: tuple[int, ...]) -> list[Row]:
    """Train and test with both pipelines on the same images and the same initial weights.

    Returns:
        Test accuracy in %, one value per seed, of both tasks and both pipelines.
    """
    root = faces(settings, num_images)
    scores: dict[str, list[dict[str, float]]] = {"reference": [], "ours": []}
    for seed in seeds:
        limits = (f"trainer.max_epochs={max_epochs}", "trainer.limit_train_batches=1.0", f"seed={seed}")
        config = job(settings, model, root, *limits)
        scores["ours"].append(_ours(config, settings))
        scores["reference"].append(_reference(config, settings, max_epochs))
    rows = []
    for task in ("age", "gender"):
        for pipeline, of_seeds in scores.items():
            values = [100 * score[f"{task}_accuracy"] for score in of_seeds]
            note = f"mean {statistics.mean(values):.2f}, standard deviation {statistics.stdev(values):.2f}"
            title = f"{task} accuracy, {model}, {settings.image_size} px, {num_images:,} images, {max_epochs} epochs"
            rows.append(Row(title, pipeline, "%", values, note=note))
    return rows


def _ours(config: dict[str, Any], settings: Settings) -> dict[str, float]:
    module, datamodule = build_job(config)
    trainer = trainers.make_trainer(config["trainer"], folder=settings.folder, callbacks=[], logger=False)
    trainer.fit(module, datamodule=datamodule)
    trainer.test(module, datamodule=datamodule, verbose=False)
    return module.test_scores


def _reference(config: dict[str, Any], settings: Settings, max_epochs: int) -> dict[str, float]:
    reference = Reference(config, settings, num_workers=1)
    trainer = reference.trainer([], max_epochs=max_epochs)
    module = reference.module()
    load = partial(reference.loader, num_workers=reference.num_workers)
    trainer.fit(module, load(reference.train, shuffle=True))
    (scores,) = trainer.test(module, load(reference.test), verbose=False)
    return dict(scores)
