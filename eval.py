"""Evaluate a checkpoint: python eval.py ckpt_path=runs/default/small_cnn/plain/0/checkpoints/best.ckpt."""

import sys

import hydra
from omegaconf import DictConfig

from agegender.overrides import quote_arguments


@hydra.main(version_base="1.3", config_path="conf", config_name="eval")
def main(config: DictConfig) -> None:
    """Evaluate and write a record."""
    from agegender.evaluate import run_evaluation

    run_evaluation(config)


if __name__ == "__main__":
    sys.argv[1:] = quote_arguments(sys.argv[1:])  # a path needs no quotes of Hydra's
    main()
