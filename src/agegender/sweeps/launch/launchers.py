"""The launchers `local` and `slurm`: run a sweep's jobs as processes of their own and return how each ended."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from agegender.jobs.outcomes import Outcome
from agegender.sweeps.launch.gpus import visible_gpus
from agegender.sweeps.launch.local import LocalRun, advise_mps, make_slots
from agegender.sweeps.launch.plan import PlannedJob, plan
from agegender.sweeps.launch.slurm import SlurmRun
from agegender.system.cores import available_cores
from agegender.system.errors import InputError, end


def launch_local(
    options: dict[str, Any], config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Run a sweep's jobs on this machine, several at once; options as in `conf/hydra/launcher/local.yaml`."""
    jobs = _plan(config, context, overrides, first)
    try:
        gpus = visible_gpus(str(config.trainer.accelerator))
        slots = make_slots(options["n_jobs"], options["jobs_per_gpu"], gpus, available_cores())
    except InputError as error:
        end(error)
    advise_mps(slots)
    LocalRun(jobs, slots, max_retries=options["max_retries"], stop_on_error=config.on_error == "stop").run()
    return _report(jobs)


def launch_slurm(
    options: dict[str, Any], config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Submit a sweep's jobs to Slurm and follow them; options as in `conf/hydra/launcher/slurm.yaml`."""
    jobs = _plan(config, context, overrides, first)
    run = SlurmRun(jobs, Path(config.hydra.sweep.dir) / ".slurm", options)
    try:
        run.submit()
    except (InputError, OSError) as error:
        end(error)
    if options["detach"]:
        run.leave()
    else:
        run.follow()
    return _report(jobs)


def _plan(config: DictConfig, context: Any, overrides: Sequence[Sequence[str]], first: int) -> list[PlannedJob]:
    try:
        return plan(config, context, overrides, first)
    except (InputError, OSError) as error:
        end(error)


def _report(jobs: list[PlannedJob]) -> list[JobReturn]:
    return [
        JobReturn(
            overrides=job.overrides,
            cfg=job.config,
            status=JobStatus.COMPLETED,
            _return_value=Outcome(job.folder, job.state, job.reason),
        )
        for job in jobs
    ]
