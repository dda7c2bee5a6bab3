"""The sources of faces that a configuration names: the user's files, or synthetic faces."""

import os
from collections.abc import Sequence
from pathlib import Path

from agegender.data.labelled import LabelledSource
from agegender.data.sources.base import Source
from agegender.data.sources.label_files import LabelFiles
from agegender.data.sources.sets.reading import ANY_TABLE, NAMED_AS_UTKFACE, read_labels
from agegender.data.sources.utkface import FolderSource, open_source
from agegender.data.synthetic.folder import synthetic_folder
from agegender.system.errors import InputError

_MARGIN = 0.25  # as FairFace's crops; Karkkainen & Joo 2021


def open_faces(
    root: str | Sequence[str] | None,
    *,
    num_synthetic: int,
    synthetic_seed: int,
    cache_dir: str,
    set_name: str | None = None,
    labels: str | None = None,
    margin: float | None = None,
) -> Source:
    """Open the user's files, or synthetic faces if `root` is None.

    Args:
        root: a folder, an archive, or several of them.
        num_synthetic: of the synthetic faces.
        synthetic_seed: likewise.
        cache_dir: where they are drawn.
        set_name: of the data set whose files of labels are in `root`, such as adience; None: the labels are in the
            images' names, as in UTKFace, or in `labels`.
        labels: a file of labels, in `root` or elsewhere: a table as `sets.faces_csv` reads it, or the set's own; or a
            folder of the set's files.
        margin: share of a labelled box to add on each side; None: 0.25.

    Raises:
        InputError: there are no such files, or they are not what the set needs.
    """
    if root is None:
        return draw_faces(
            None,
            num_synthetic=num_synthetic,
            synthetic_seed=synthetic_seed,
            cache_dir=cache_dir,
            set_name=set_name,
            labels=labels,
            margin=margin,
        )
    return open_files(root, set_name=set_name, labels=labels, margin=margin)


def open_files(
    root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    set_name: str | None = None,
    labels: str | None = None,
    margin: float | None = None,
) -> Source:
    """Open the user's files; arguments and errors as for `open_faces`."""
    source = open_source(root)
    if labels is None and set_name in (None, NAMED_AS_UTKFACE):
        return source
    if set_name == NAMED_AS_UTKFACE:
        raise InputError(
            f"data.set={set_name} has its labels in the names, but data.labels={labels} is set; remove one"
        )
    files = LabelFiles(source, labels)
    found = read_labels(set_name if set_name is not None else ANY_TABLE, files)
    return LabelledSource(source, found, margin=_MARGIN if margin is None else margin)


def draw_faces(
    root: str | Sequence[str] | None,
    *,
    num_synthetic: int,
    synthetic_seed: int,
    cache_dir: str | os.PathLike[str],
    set_name: str | None = None,
    labels: str | None = None,
    margin: float | None = None,
) -> Source:
    """Draw synthetic faces into the cache directory, unless they are there already, and open them.

    Raises:
        InputError: `root` is set too, or labels, which synthetic faces do not need.
    """
    if set_name is not None or labels is not None:
        given = f"data.set={set_name}" if set_name is not None else f"data.labels={labels}"
        raise InputError(f"{given} needs the images too: set data.root to their folder or archive")
    if root is not None:
        raise InputError(
            f"data=synthetic draws its own faces, but data.root={root} is set; use data=utkface, or remove data.root"
        )
    source = FolderSource(synthetic_folder(num_synthetic, synthetic_seed, Path(cache_dir).expanduser()))
    source.label = f"{num_synthetic:,} synthetic faces, seed {synthetic_seed}"
    return source
