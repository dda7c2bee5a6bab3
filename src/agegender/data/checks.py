"""Warnings about the data before a training: unusable files, and photographs with several crops."""

import logging

from agegender.data.photographs import count_in_several_parts
from agegender.data.sources.base import FaceTable
from agegender.data.split import PARTS, Split
from agegender.system.errors import InputError

log = logging.getLogger(__name__)


def check_skipped(table: FaceTable, label: str, max_skipped: float) -> None:
    """Warn about files that cannot be used.

    Args:
        table: all files.
        label: name of their source.
        max_skipped: largest share of them that may be unusable.

    Raises:
        InputError: more files are unusable.
    """
    skipped = table.skipped_by_name
    if not skipped:
        return
    name, reason = next(iter(skipped.items()))
    message = f"{len(skipped):,} of {len(table):,} files of {label} cannot be used, {name!r} first: {reason}"
    if len(skipped) == len(table):
        raise InputError(f"{message}; nothing is left: is this UTKFace? (agegender audit lists them all)")
    if len(skipped) / len(table) > max_skipped:
        raise InputError(
            f"{message}; that is more than data.max_skipped={max_skipped:g} allows: raise it, or fix the files "
            "(agegender audit lists them all)"
        )
    log.warning("%s (record.json lists all of them)", message)


def report_labels(counts: dict[str, object], label: str) -> None:
    """Log how many faces are labelled, and what was left out of the images and of the rows of labels.

    Args:
        counts: as `LabelledSource.describe` returns them.
        label: name of the source.
    """
    left_out = [
        f"{number:,} {key.replace('_', ' ')}"
        for key, number in counts.items()
        if isinstance(number, int) and number and key != "faces"
    ]
    message = f"{label}: {counts['faces']:,} faces are labelled by {counts['name']}"
    log.info("%s%s", message, f"; {', '.join(left_out)}" if left_out else "")


def report_photographs(table: FaceTable, split: Split, label: str) -> None:
    """Log how many photographs have several crops, and warn about those in more than one part."""
    if split.joined.get("photographs"):
        log.info(
            "%s: %s files are crops of %s photographs, by the age, gender, race and date in their names; all crops of "
            "a photograph are in one part",
            label,
            f"{split.joined['files']:,}",
            f"{split.joined['photographs']:,}",
        )
    num_leaking = count_in_several_parts(table, [split.rows(part) for part in PARTS])
    if num_leaking:
        log.warning(
            "%s: %s photographs are in more than one of training, validation and test; a new split with "
            "data.leak_control=true keeps each photograph in one part",
            label,
            f"{num_leaking:,}",
        )
