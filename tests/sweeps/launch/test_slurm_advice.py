"""What Slurm refuses, and which key mends it."""

import pytest

from agegender.sweeps.launch.slurm_advice import advice


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("sbatch: error: Batch job submission failed: Invalid generic resource (gres) specification", "gpus_per_node"),
        ("sbatch: error: Invalid account or account/partition combination specified", "account"),
        ("sbatch: error: invalid partition specified: gpu\nInvalid partition name specified", "partition"),
        ("sbatch: error: Requested time limit is invalid (missing or exceeds some limit)", "timeout_min"),
        ("sbatch: error: Memory specification can not be satisfied", "mem_gb"),
        ("sbatch: error: Invalid qos specification", "qos"),
        ("sbatch: error: Invalid feature specification", "constraint"),
        ("sbatch: error: CPU count per node can not be satisfied", "cpus_per_task"),
        ("sbatch: error: Requested node configuration is not available", "cpus_per_task, mem_gb"),
        ("PartitionTimeLimit", "timeout_min"),
        ("QOSMaxWallDurationPerJobLimit", "timeout_min"),
        ("QOSMaxGRESPerUser", "gpus_per_node"),
        ("MaxMemPerLimit", "mem_gb"),
        ("InvalidAccount", "account"),
        ("InvalidQOS", "qos"),
        ("BadConstraints", "constraint"),
    ],
)
def test_a_refusal_names_the_key_to_change(answer: str, key: str) -> None:
    assert advice(answer).startswith("; change hydra.launcher.") and key in advice(answer)


@pytest.mark.parametrize("reason", ["Priority", "Resources", "None", "JobArrayTaskLimit", "ReqNodeNotAvail", ""])
def test_a_job_that_only_waits_is_given_no_advice(reason: str) -> None:
    assert advice(reason) == ""
