"""One job of two processes on two nodes of a real Slurm."""

import os
import signal

import pytest

pytestmark = pytest.mark.slurm


def test_a_job_of_two_nodes_trains_and_comes_back_when_one_of_its_processes_is_killed(cluster):
    ddp = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=1", "trainer.num_nodes=2")
    # The two nodes are one machine, whose name leads nowhere.
    process = cluster.start(
        "seed=0", "trainer.max_epochs=3", *ddp, "name=two", "hydra.launcher.setup=['export MASTER_ADDR=127.0.0.1']"
    )
    cluster.wait(lambda: cluster.in_epoch("two", 0, 2), "epoch 2")
    os.kill(cluster.pid("two", 0), signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    record = cluster.record("two", 0)
    assert record["status"] == "complete" and record["environment"]["num_devices"] == 2
    assert record["time"]["resumed"]
    assert sum(map(sum, record["test"]["age_confusion"])) == record["data"]["counts"]["test"]
