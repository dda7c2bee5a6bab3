"""Train one job, or sweep many: python train.py model=small_cnn loss=weighted data.root=UTKFace.tar."""

import sys

from agegender.system.memory import use_huge_pages
from agegender.system.platforms import check_platform

check_platform()  # before what other platforms cannot import
use_huge_pages()  # before torch, which reads it once

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from agegender.jobs.outcomes import Outcome  # noqa: E402
from agegender.jobs.overrides import normalize_arguments  # noqa: E402


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(config: DictConfig) -> Outcome:
    """Run one job; how it ended is the return value, which a launcher of Hydra's carries to the sweep."""
    from agegender.jobs.run import run_job

    return run_job(config)


if __name__ == "__main__":
    sys.argv[1:] = normalize_arguments(sys.argv[1:])  # a path needs no quotes of Hydra's
    main()
