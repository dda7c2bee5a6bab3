"""Build a team's dashboard of a sweep in Weights & Biases: curves, results, the comparison table, the pictures.

    pip install "agegender[dashboard]"
    python docs/wandb_dashboard.py --entity TEAM --project agegender --sweep NAME

Run it once per sweep; it saves a new view of the project and prints its address. `--dry-run` prints the view as JSON
and asks no server. Exit code 2: the package is missing, or W&B refuses.

Verified with wandb-workspaces 0.4.13 and wandb 0.31: the view is built and serialized, without a network, and holds
the keys that runs log (tests/tracking/test_comparison.py, skipped without the package). Not verified: how a server
shows it.
"""

import argparse
import sys
from typing import Any

CURVES = ("train/loss", "train/lr", "train/grad_norm", "val/loss", "val/age_accuracy", "val/gender_accuracy")
BEST = ("best/mean_accuracy", "best/age_accuracy", "best/gender_accuracy", "best/epoch")
HYPERPARAMETERS = ("optimizer.lr", "model.dropout", "data.batch_size")  # of a run's configuration
RESULTS = ("test/age_accuracy", "test/gender_accuracy", "test/age_one_off_accuracy", "test/age_mae_years")
COSTS = ("num_params", "time/fit_seconds", "time/images_per_second", "time/peak_memory_bytes")
COLUMNS = ("model_name", "loss_name", "seed", "age_groups", "split_hash", "image_size")  # of a run's configuration
NUM_RUNS = 100  # that a plot shows; W&B shows 10 unless told


def build(entity: str, project: str, sweep: str) -> Any:
    """Make the view, without a network.

    Args:
        entity: user or team.
        project: of the runs (logger.wandb.project).
        sweep: their group (name).

    Raises:
        ImportError: wandb-workspaces is not installed.
    """
    from wandb_workspaces import expr, workspaces

    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=f"Sweep {sweep}",
        sections=_sections(),
        settings=workspaces.WorkspaceSettings(x_axis="epoch", max_runs=NUM_RUNS),
        runset_settings=workspaces.RunsetSettings(
            filters=[expr.Metric("Group") == sweep],
            pinned_columns=[*(f"config:{key}" for key in COLUMNS), *(f"summary:{key}" for key in (*BEST, *RESULTS))],
        ),
        auto_generate_panels=True,  # what has no panel below, the report's pictures among it, gets one by its prefix
    )


def _sections() -> list[Any]:
    from wandb_workspaces import workspaces
    from wandb_workspaces.reports import v2 as panels

    by_model = [
        panels.BarPlot(title=key, metrics=[key], groupby=panels.Config("model_name"), groupby_aggfunc="mean")
        for key in RESULTS
    ]
    size = panels.ScatterPlot(
        title="accuracy by size",
        x=panels.Config("num_params"),
        y=panels.SummaryMetric("test/age_accuracy"),
        log_x=True,
    )
    costs = [panels.BarPlot(title=key, metrics=[key]) for key in COSTS if "/" in key]
    curves = [panels.LinePlot(title=key, x="epoch", y=[key], max_runs_to_show=NUM_RUNS) for key in CURVES]
    table = panels.WeavePanelSummaryTable(table_name="comparison")
    axes = [panels.Config(key) for key in HYPERPARAMETERS] + [panels.SummaryMetric(BEST[0])]
    columns = [panels.ParallelCoordinatesPlotColumn(metric=axis) for axis in axes]
    search = [
        panels.ParallelCoordinatesPlot(title="hyperparameters", columns=columns),
        panels.ParameterImportancePlot(with_respect_to=BEST[0]),
        panels.RunComparer(diff_only=True),
    ]
    return [
        workspaces.Section(name="Comparison", panels=[table], is_open=True, pinned=True),
        workspaces.Section(name="Test", panels=[*by_model, size], is_open=True),
        workspaces.Section(name="Curves", panels=curves, is_open=True),
        workspaces.Section(name="Search", panels=search),
        workspaces.Section(name="Cost", panels=costs),
    ]


def as_json(view: Any) -> str:
    """Serialize a view as it would be sent."""
    return view._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2)


def main(arguments: list[str] | None = None) -> int:
    """Build the view and save it."""
    parser = argparse.ArgumentParser(description="A dashboard of a sweep in Weights & Biases.")
    parser.add_argument("--entity", required=True, help="user or team")
    parser.add_argument("--project", default="agegender", help="of the runs (default: %(default)s)")
    parser.add_argument("--sweep", required=True, help="name of the sweep")
    parser.add_argument("--dry-run", action="store_true", help="print the view as JSON; ask no server")
    options = parser.parse_args(arguments)
    try:
        view = build(options.entity, options.project, options.sweep)
    except ImportError as error:
        print(f"error: no wandb-workspaces ({error}); pip install wandb-workspaces", file=sys.stderr)
        return 2
    if options.dry_run:
        print(as_json(view))
        return 0
    try:
        view.save()
    except Exception as error:  # W&B raises many kinds: no key, no such project, no network
        print(f"error: W&B did not take the view ({' '.join(str(error).split())[:200]})", file=sys.stderr)
        return 2
    print(view.url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
