"""Train one job, or sweep many: python train.py model=small_cnn loss=weighted data.root=UTKFace.tar."""

import sys

import hydra
from omegaconf import DictConfig

from agegender.overrides import quote_arguments


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(config: DictConfig) -> str:
    """Run one job; its status is the return value."""
    from agegender.run import run_job

    return run_job(config)


if __name__ == "__main__":
    sys.argv[1:] = quote_arguments(sys.argv[1:])  # a path needs no quotes of Hydra's
    main()
