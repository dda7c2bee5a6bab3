"""What a user should know of the data before a training: unusable files, and photographs in several crops."""

import logging

from agegender.data.photographs import count_in_several_parts
from agegender.data.sources.base import FaceTable
from agegender.data.split import PARTS, Split
from agegender.system.errors import InputError

log = logging.getLogger(__name__)


def check_skipped(table: FaceTable, label: str, max_skipped: float) -> None:
    """Warn of files that cannot be used.

    Args:
        table: all files.
        label: what their source is called.
        max_skipped: share of them that may be unusable.

    Raises:
        InputError: they are more than that.
    """
    skipped = table.skipped_by_name
    if not skipped:
        return
    name, reason = next(iter(skipped.items()))
    told = f"{len(skipped):,} of {len(table):,} files of {label} cannot be used, {name!r} first: {reason}"
    if len(skipped) == len(table):
        raise InputError(f"{told}; nothing is left: is this UTKFace? (agegender audit lists them all)")
    if len(skipped) / len(table) > max_skipped:
        raise InputError(
            f"{told}; that is more than data.max_skipped={max_skipped:g} allows: raise it, or mend the files "
            "(agegender audit lists them all)"
        )
    log.warning("%s (the others are listed in the record)", told)


def report_photographs(table: FaceTable, split: Split, label: str) -> None:
    """Report photographs of which there are several crops, and warn where they stand in more than one part."""
    if split.joined.get("photographs"):
        log.info(
            "%s: %s files show %s photographs in several crops, by the age, gender, race and date in their names; each "
            "photograph stays in one part",
            label,
            f"{split.joined['files']:,}",
            f"{split.joined['photographs']:,}",
        )
    num_leaking = count_in_several_parts(table, [split.rows(part) for part in PARTS])
    if num_leaking:
        log.warning(
            "%s: %s photographs stand in more than one of training, validation and test; a new split with "
            "data.leak_control=true keeps each in one part",
            label,
            f"{num_leaking:,}",
        )
