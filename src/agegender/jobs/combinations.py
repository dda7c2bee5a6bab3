"""What of the configuration the framework decides, and which keys exclude each other."""

from agegender.jobs.schema import Config, Trainer
from agegender.system.errors import InputError

RECIPES = frozenset({"experiment", "debug", "without", "hparams_search"})  # groups whose options may set any key
# Lightning's arguments that the framework gives itself, and what to do instead.
_DECIDED = {
    "callbacks": "the framework's own keep, time and log a run; leave it out",
    "logger": "choose it with logger=wandb, csv or none",
    "default_root_dir": "a run's directory follows from name= and runs_dir=",
    "use_distributed_sampler": "the data module divides the batches among devices; leave it out",
    "model_registry": "checkpoints stay in the run's directory; leave it out",
    "plugins": "trainer.precision and trainer.strategy choose them; leave it out",
}


def check_decided(trainer: Trainer) -> None:
    """Refuse arguments of Lightning's trainer that the framework gives itself.

    Raises:
        InputError: names the argument, and what to do instead.
    """
    added = trainer.model_extra or {}  # behind a plus on the command line
    for key, mend in _DECIDED.items():
        if key in added:
            raise InputError(f"trainer.{key}={added[key]} is decided by the framework: {mend}")
    if not added.get("enable_checkpointing", True):
        raise InputError(
            "trainer.enable_checkpointing=False: the test needs best.ckpt, and a job that was stopped last.ckpt; leave "
            "it out, or use trainer.fast_dev_run=true, which writes none"
        )


def is_lower_better(score: str) -> bool:
    """Whether a lower value of a score is the better one: `val/loss` and its parts, `val/age_mae_years`."""
    return score.endswith(("loss", "mae_years"))


def why_not_validated(config: Config) -> str | None:
    """Return the setting for which no epoch of a training is validated; None where one is."""
    trainer = config.trainer
    if config.data.train_part == "trainval":
        return "data.train_part=trainval"
    if trainer.limit_val_batches == 0:
        return f"trainer.limit_val_batches={trainer.limit_val_batches}"
    every = trainer.check_val_every_n_epoch or 1
    return f"trainer.check_val_every_n_epoch={every}" if every > trainer.max_epochs else None


def check_validated(config: Config) -> None:
    """Refuse what needs a validation where there is none.

    Raises:
        InputError: names both keys.
    """
    reason = why_not_validated(config)
    is_trial = config.search.trial is not None
    if reason is not None and (is_trial or config.early_stopping is not None):
        what = "a search" if is_trial else f"early_stopping={config.early_stopping}"
        raise InputError(f"{reason} leaves no validation, which {what} needs; leave one of them out")
