"""Sweeps on a real Slurm, and what clusters do to them: make test-slurm."""

import os
import signal

import pytest

pytestmark = pytest.mark.slurm

SCORES = ("val", "test", "best_epoch")
EPOCHS = "trainer.max_epochs=4"


def test_killed_requeued_and_timed_out_jobs_end_as_if_nothing_had_happened_and_a_failed_one_tells_why(cluster):
    trap = cluster.trap(9, "error")
    sweep = ("experiment=table2", "model=slow", "loss=plain", "seed=0,1,2,3,4,5,6,7,8,9", EPOCHS)
    options = ("name=hurt", "logger=wandb", "logger.wandb.mode=offline", "hydra.launcher.array_parallelism=4")
    process = cluster.start(*sweep, *options, "hydra.launcher.signal_delay_s=10")
    cluster.wait(lambda: cluster.in_epoch("hurt", 0, 2), "epoch 2 of the first job")
    os.kill(cluster.pid("hurt", 0), signal.SIGKILL)
    cluster.wait(lambda: cluster.in_epoch("hurt", 1, 3), "epoch 3 of the second job")
    cluster.slurm("scontrol", "requeue", cluster.number("hurt", 1))
    cluster.slurm("scontrol", "update", f"JobId={cluster.number('hurt', 2)}", "TimeLimit=1")
    output, _ = process.communicate(timeout=240)

    assert process.returncode == 1, output
    assert f"10 jobs submitted as {cluster.number('hurt', 0).partition('_')[0]};" in output, "what scancel ends all by"
    assert "10 jobs: 9 trained, 1 failed." in output
    assert "there is a trap at runs/trap-9" in output, "the reason, not only where to look"
    failed = cluster.record("hurt", 9)
    assert failed["status"] == "failed" and "there is a trap" in failed["error"]
    assert "raise RuntimeError" in (cluster.job("hurt", 9) / "train.log").read_text()
    for seed in range(10):
        found = {path.name.rpartition("-")[2] for path in cluster.job("hurt", seed).glob("wandb/offline-run-*")}
        assert found == {cluster.record("hurt", seed)["wandb_id"]}, "one W&B run, however often the job began"

    trap.unlink()
    code, output = cluster.sweep(*sweep, *options)
    assert code == 0, output
    assert "10 jobs: 1 trained, 9 complete before, skipped." in output

    code, output = cluster.sweep(*sweep[:3], "seed=0,1,2", EPOCHS, "name=whole")
    assert code == 0, output
    for seed, restarted in ((0, True), (1, True), (2, None)):
        hurt = cluster.record("hurt", seed)
        whole = cluster.record("whole", seed)
        assert {key: hurt[key] for key in SCORES} == {key: whole[key] for key in SCORES}
        if restarted:
            assert hurt["time"]["resumed"] and not whole["time"]["resumed"]


def test_a_preempted_job_comes_back_and_completes(cluster):
    process = cluster.start("seed=0", EPOCHS, "name=low", "hydra.launcher.partition=low")
    cluster.wait(lambda: cluster.in_epoch("low", 0, 2), "epoch 2")
    cluster.slurm("sbatch", "--partition=high", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 5")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert cluster.record("low", 0)["time"]["resumed"]


def test_a_job_whose_node_fails_comes_back_and_completes(cluster):
    process = cluster.start("seed=0", EPOCHS, "name=node")
    cluster.wait(lambda: cluster.in_epoch("node", 0, 2), "epoch 2")
    node = cluster.slurm("squeue", "--noheader", "--format=%N").strip()
    cluster.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert cluster.record("node", 0)["time"]["resumed"]


def test_a_cancelled_job_is_told_and_the_same_command_goes_on(cluster):
    process = cluster.start("seed=0,1", EPOCHS, "name=some")
    cluster.wait(lambda: cluster.in_epoch("some", 0, 2), "epoch 2")
    cluster.slurm("scancel", cluster.number("some", 0))
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1, output
    assert "2 jobs: 1 trained, 1 interrupted." in output and "the same command resumes" in output
    code, output = cluster.sweep("seed=0,1", EPOCHS, "name=some")
    assert code == 0 and "2 jobs: 1 trained, 1 complete before, skipped." in output, output
    assert cluster.record("some", 0)["time"]["resumed"]


def test_a_detached_sweep_is_picked_up_nothing_is_submitted_twice_and_its_cache_lies_on_the_nodes(cluster):
    cluster.environment["TMPDIR"] = f"{cluster.folder}/login"
    on_node = f"'export TMPDIR={cluster.folder}/node-$SLURM_ARRAY_TASK_ID'"
    cache = ("data.cache_dir=${oc.env:TMPDIR,/tmp}", f"hydra.launcher.setup=[{on_node},'mkdir -p $TMPDIR']")
    sweep = ("seed=0,1", EPOCHS, "name=away", *cache)
    code, output = cluster.sweep(*sweep, "hydra.launcher.detach=true")
    assert code == 0 and "2 jobs: 2 submitted." in output, output
    code, output = cluster.sweep(*sweep)
    assert code == 0, output
    assert output.count("in the queue already") == 2 and "2 jobs: 2 trained." in output
    found = {path.parent.name for path in cluster.folder.rglob("*.npy")}
    assert found == {"node-0", "node-1"}, "each where its job's TMPDIR is; neither the login node's, nor the default"


def test_a_job_that_is_out_of_memory_each_time_is_given_up_and_a_cancelled_one_told(cluster_without_accounting):
    cluster = cluster_without_accounting
    cluster.trap(1, "memory")
    limits = ("hydra.launcher.mem_gb=2", "hydra.launcher.max_retries=1")
    process = cluster.start("seed=0,1,2", EPOCHS, "name=bare", *limits)
    cluster.wait(lambda: cluster.in_epoch("bare", 2, 2), "epoch 2 of the third job")
    cluster.slurm("scancel", cluster.number("bare", 2))
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 1, output
    assert "3 jobs: 1 trained, 1 failed, 1 interrupted." in output
    killed = cluster.record("bare", 1)
    assert killed["status"] == "failed"
    assert "ended by SIGKILL 2 times without getting further; out of memory? (mem_gb asks for more" in killed["error"]
    assert killed["error"] in output
    told = (cluster.folder / "runs" / "bare" / ".slurm" / f"{cluster.number('bare', 1)}_0_log.out").read_text()
    assert told.count("exceeded memory limit") >= 2, "it was Slurm that killed it"


def test_what_slurm_refuses_is_told_in_its_words(cluster):
    code, output = cluster.sweep("seed=0", "hydra.launcher.partition=none")
    assert code == 2 and "Traceback" not in output, output
    assert output.splitlines()[-1].startswith("error: hydra/launcher=slurm: sbatch: error: invalid partition"), output
