import shlex
import sys

import yaml
from paths import ROOT

from agegender.records import identity


def test_a_search_prunes_and_leaves_an_experiment_that_can_be_run(shell):
    # This seed gives weights of 13, 4 and 510: the loss grows with them, and the median says so after an epoch.
    ended = shell.train(
        *("hparams_search=optuna", "loss.gender_weight=tag(log, interval(1, 1000))", "model.dropout=0", "augment=none"),
        *("optimizer.lr=1e-3", "hydra.sweeper.sampler=random", "hydra.sweeper.seed=41", "monitor=val/loss"),
        *("hydra.sweeper.warmup_trials=2", "hydra.sweeper.warmup_epochs=0", "hydra.sweeper.n_trials=3"),
    )
    assert ended.code == 0, ended.output
    assert "3 jobs: 2 trained, 1 pruned." in ended.output
    assert "3 trials: 2 with a score, 1 pruned; trial 1 has the best val/loss" in ended.output
    jobs = {path.name: path for path in (shell.folder / "runs/search/tiny/plain/0").iterdir()}
    assert sorted(jobs) == [f"loss.gender_weight-{weight}" for weight in ("13.2973", "3.56831", "510.264")]
    best, pruned = (shell.record(f"search/tiny/plain/0/loss.gender_weight-{key}") for key in ("3.56831", "510.264"))
    assert (best["status"], len(best["history"])) == ("complete", 2)
    assert (pruned["status"], len(pruned["history"]), pruned["test"]) == ("pruned", 1, {})
    assert "pruned after epoch 1 of 2" in (shell.folder / "runs/search/report/runs.csv").read_text()

    command = shlex.split(ended.output.splitlines()[-1].partition("to train it: python train.py ")[2])
    composed = shell.run(sys.executable, str(ROOT / "train.py"), *command, "--cfg", "job", "--resolve")
    assert composed.code == 0, composed.output
    config = yaml.safe_load(composed.output)
    assert config["name"] == "best_of_search"
    assert identity.differences(best["config"], config) == []
