"""The sources of faces that a configuration names: the user's files, or synthetic faces."""

import os
from collections.abc import Sequence
from pathlib import Path

from agegender.data.sources.base import Source
from agegender.data.sources.utkface import FolderSource, open_source
from agegender.data.synthetic.folder import synthetic_folder
from agegender.system.errors import InputError


def open_faces(root: str | Sequence[str] | None, *, num_synthetic: int, synthetic_seed: int, cache_dir: str) -> Source:
    """Open the user's files, or synthetic faces if `root` is None."""
    if root is not None:
        return open_source(root)
    return draw_faces(None, num_synthetic=num_synthetic, synthetic_seed=synthetic_seed, cache_dir=cache_dir)


def draw_faces(
    root: str | Sequence[str] | None, *, num_synthetic: int, synthetic_seed: int, cache_dir: str | os.PathLike[str]
) -> Source:
    """Draw synthetic faces into the cache directory, unless they are there already, and open them.

    Raises:
        InputError: `root` is set too.
    """
    if root is not None:
        raise InputError(
            f"data=synthetic draws its own faces, but data.root={root} is set; use data=utkface, or remove data.root"
        )
    source = FolderSource(synthetic_folder(num_synthetic, synthetic_seed, Path(cache_dir).expanduser()))
    source.label = f"{num_synthetic:,} synthetic faces, seed {synthetic_seed}"
    return source
