"""Evaluate a checkpoint: python eval.py ckpt_path=runs/default/small_cnn/plain/0/checkpoints/best.ckpt."""

import sys

from agegender.system.platforms import check_platform

check_platform()  # before what other platforms cannot import

import hydra  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

from agegender.jobs.overrides import normalize_arguments  # noqa: E402


@hydra.main(version_base="1.3", config_path="conf", config_name="eval")
def main(config: DictConfig) -> None:
    """Evaluate and write a record."""
    from agegender.jobs.evaluate import run_evaluation

    run_evaluation(config)


if __name__ == "__main__":
    sys.argv[1:] = normalize_arguments(sys.argv[1:], file_key="ckpt_path")  # a path needs no quotes of Hydra's
    main()
