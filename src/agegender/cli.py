"""The `agegender` command: audit, report, archive, sync, predict, export, bench. Heavy imports are deferred."""

import argparse
import csv
import io
import json
import math
import sys
from pathlib import Path

from agegender import __version__
from agegender.labels import SCHEMES
from agegender.system.errors import InputError, describe, exit_code
from agegender.system.memory import use_huge_pages
from agegender.system.platforms import check_platform


def main(arguments: list[str] | None = None) -> int:
    """Run a subcommand and return its exit code: 2 for wrong input, 1 for a failure."""
    check_platform()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments) if arguments[:1] != ["bench"] else None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold invalid bytes
    try:
        return _bench(arguments[1:]) if options is None else options.run(options)
    except BrokenPipeError:
        sys.stderr.close()  # the reader closed the pipe, as `| head` does
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        reason = describe(error)
        if reason is None:
            raise
        print(f"error: {reason}", file=sys.stderr)
        return exit_code(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agegender", description=__doc__, epilog="Train with train.py, test with eval.py."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    audit = commands.add_parser("audit", help="what a data set holds: counts, unusable files, duplicates, leaks")
    audit.add_argument("root", type=Path, nargs="+", metavar="DIR_OR_ARCHIVE", help="several are read as one data set")
    audit.add_argument("--set", dest="set_name", metavar="NAME", help="whose files of labels it holds, as adience")
    audit.add_argument("--labels", metavar="FILE", help="table of labels, in the folder or archive or elsewhere")
    audit.add_argument("--age-groups", choices=SCHEMES, default="closed")
    audit.add_argument("--out", type=Path, default=None, help="directory of the report (default: audit/<name>)")
    audit.add_argument(
        "--cache-dir", type=Path, default=None, help="keep the scan for later runs (train.py's cache_dir)"
    )
    audit.set_defaults(run=_audit)
    importing = commands.add_parser("import", help="write a table of pixels, as Kaggle's age_gender.csv, as images")
    importing.add_argument("table", type=Path, metavar="FILE")
    importing.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: FILE without its suffix")
    importing.set_defaults(run=_import)
    report = commands.add_parser("report", help="rebuild the report of runs/NAME: page, table, figures, tests")
    report.add_argument("folder", type=Path, metavar="runs/NAME")
    report.add_argument("--data", type=Path, metavar="DIR_OR_ARCHIVE", help="the images (default: where they were)")
    report.add_argument(
        "--threshold-age",
        type=float,
        metavar="YEARS",
        help="age below which a person is a minor (default: report.threshold_age of the last run)",
    )
    report.add_argument(
        "--challenge-age",
        type=float,
        metavar="YEARS",
        help="age to require instead, as a margin (default: report.challenge_age of the last run)",
    )
    report.add_argument(
        "--minors-passed",
        type=float,
        metavar="SHARE",
        help="share of minors of 13 or more who may reach the age chosen on validation parts (default: "
        "report.minors_passed of the last run)",
    )
    report.add_argument("--wandb", action="store_true", help="send it to the sweep's comparison run in W&B")
    report.set_defaults(run=_report)
    sync = commands.add_parser("sync", help="send the offline W&B runs of a sweep")
    sync.add_argument("folder", type=Path, metavar="runs/NAME")
    sync.add_argument("--project", metavar="NAME", help="other than the runs' own")
    sync.add_argument("--entity", metavar="NAME", help="user or team, likewise")
    sync.add_argument("--dry-run", action="store_true", help="only list what would be sent")
    sync.set_defaults(run=_sync)
    archive = commands.add_parser("archive", help="copy records and predictions, compressed: all that a report needs")
    archive.add_argument("folder", type=Path, metavar="runs/NAME")
    archive.add_argument("out", type=Path, metavar="DIR", help="runs that it already holds are kept")
    archive.set_defaults(run=_archive)
    predict = commands.add_parser("predict", help="age and gender of face crops, as CSV")
    predict.add_argument("checkpoint", type=Path, metavar="CKPT")
    predict.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders or archives of them")
    predict.set_defaults(run=_predict)
    export = commands.add_parser("export", help="a checkpoint as ONNX: uint8 images in, probabilities and years out")
    export.add_argument("checkpoint", type=Path, metavar="CKPT")
    export.add_argument("--out", type=Path, default=None, metavar="FILE", help="default: CKPT with the suffix .onnx")
    export.add_argument("--opset", type=int, default=None, metavar="N", help="default: the oldest that PyTorch writes")
    export.set_defaults(run=_export)
    commands.add_parser("bench", help="measure data path, step, epoch, start-up, inference")  # see _bench
    return parser


def _audit(options: argparse.Namespace) -> int:
    from agegender.data.audit import audit, duplicate_rows
    from agegender.data.cache import Cache
    from agegender.data.labelled import LabelledSource
    from agegender.data.source import open_files
    from agegender.labels import age_groups
    from agegender.report.tables.audit_console import print_audit
    from agegender.system.files import write_atomically

    source = open_files(options.root, set_name=options.set_name, labels=options.labels)
    table = Cache(source, image_size=None, limit=None, seed=0, folder=options.cache_dir).table()
    found = audit(table, age_groups(options.age_groups), source.label).to_dict()
    if isinstance(source, LabelledSource):
        found["labels"] = source.describe()
    folder = options.out or Path("audit") / source.label
    write_atomically(folder / "audit.json", json.dumps(found, indent=2) + "\n")
    with (folder / "duplicates.csv").open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(["set", "image", "age", "gender", "sha256"])
        for number, rows in enumerate(duplicate_rows(table)):
            writer.writerows(
                [number, table.names[row], table.ages[row], table.genders[row], table.sha256[row]] for row in rows
            )
    print_audit(found)
    print(f"Saved: {folder / 'audit.json'}, {folder / 'duplicates.csv'}")
    return 0


def _import(options: argparse.Namespace) -> int:
    from agegender.data.importing import LABELS, import_pixels

    folder = options.out or options.table.with_suffix("")
    number = import_pixels(options.table, folder)
    print(f"{number:,} images: python train.py data.root={folder} data.labels={LABELS}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from agegender.records.record import FILE_NAME
    from agegender.report.tables.console import print_table
    from agegender.sweeps.reporting import report

    if not options.folder.is_dir():
        raise InputError(f"{options.folder} is not a directory; give runs/NAME")
    limits = {key: getattr(options, key) for key in ("threshold_age", "challenge_age", "minors_passed")}
    _check_limits(limits)
    if next(options.folder.rglob(FILE_NAME), None) is None:
        raise InputError(f"{options.folder} holds no run; give runs/NAME, or the directory of an archive")
    made = report(options.folder, data=options.data, **limits)
    print_table(made.table)
    print(made.as_text())
    if options.wandb:
        from agegender.tracking.comparison import send_comparison
        from agegender.tracking.wandb_run import default_mode

        files = {"report": made.folder, "figures": made.figures}
        where = send_comparison(options.folder, *made.table.keys_and_rows(), **files, mode=default_mode())
        if where is None:
            return 1
        print(f"W&B: {where}")
    return 0


def _check_limits(limits: dict[str, float | None]) -> None:
    for key in ("threshold_age", "challenge_age"):
        age = limits[key]
        if age is not None and not 0 < age < math.inf:
            raise InputError(f"--{key.replace('_', '-')}={age:g}: must be above 0 years, such as 18")
    share = limits["minors_passed"]
    if share is not None and not 0 < share < 1:
        raise InputError(f"--minors-passed={share:g}: must be a share between 0 and 1, such as 0.05")


def _sync(options: argparse.Namespace) -> int:
    from agegender.tracking.offline import sync

    return sync(options.folder, dry_run=options.dry_run, project=options.project, entity=options.entity)


def _archive(options: argparse.Namespace) -> int:
    from agegender.records.archive import archive

    if not options.folder.is_dir():
        raise InputError(f"{options.folder} is not a directory; give runs/NAME")
    made = archive(options.folder, options.out)
    print(f"{options.out}: {made.num_runs} runs, {made.num_written} of them new, {made.num_bytes / 1e6:.2f} MB")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from agegender.jobs.predict import predict

    writer = csv.writer(sys.stdout, lineterminator="\n")
    failed = False
    for number, face in enumerate(predict(options.checkpoint, options.paths)):
        if number == 0:  # no output at all if the arguments are wrong
            writer.writerow(["image", "group", "p_group", "years", "gender", "p_gender", "error"])
        failed |= bool(face.error)
        numbers = [f"{value:.4f}" for value in (face.group_probability, face.years, face.gender_probability)]
        if face.error:
            writer.writerow([face.path, "", "", "", "", "", face.error])
        else:
            writer.writerow([face.path, face.group, numbers[0], numbers[1], face.gender, numbers[2], ""])
    return 1 if failed else 0


def _export(options: argparse.Namespace) -> int:
    from agegender.jobs.export import export_checkpoint

    made = export_checkpoint(options.checkpoint, options.out, opset=options.opset)
    print(f"{made.path}: {made.num_bytes / 1e6:.1f} MB, differs from PyTorch by at most {made.difference:.1e}")
    return 0


def _bench(arguments: list[str]) -> int:
    """Pass the arguments to `benchmarks/`, which exists only in a checkout."""
    checkout = Path(__file__).parents[2]
    if not (checkout / "benchmarks").is_dir():
        raise InputError("the benchmarks run train.py: install the project from a checkout, with pip install -e .")
    sys.path.insert(0, str(checkout))
    use_huge_pages()  # as train.py does
    from benchmarks.command import main as run_benchmarks

    return run_benchmarks(arguments)


if __name__ == "__main__":
    sys.exit(main())
