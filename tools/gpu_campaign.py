"""Checks, rates and Table 2 on a machine that has a GPU but no network, from packing to the way home.

Here: `pack`. There, each with a time limit of its own and safe to repeat: `setup`, `check`, `rates`, `table`,
`bring-home`. What a step has done is not done again; `table` resumes from its jobs' checkpoints. Exit codes: 0 all is
done; 3 the time was up, and the same command continues; 1 something failed. There it needs nothing beside Python.
"""

import argparse
import gzip
import hashlib
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DONE, FAILED, TIME_IS_UP = 0, 1, 3
MANIFEST = "campaign.json"
MODELS = ("densenet161", "vgg11", "resnet18", "small_cnn", "alexnet")  # longest first
_SECONDS = 540  # of a call: machines that end a command after ten minutes are common
_GRACE_SECONDS = 60  # of it, for the last checkpoint (1.5 GB for VGG11) and the report
_LEASE_SECONDS = 31  # for which the lock of a job that was killed holds
_COMPILE_FIRST = ("small_cnn", "resnet18", "alexnet", "vgg11", "densenet161")
_CHUNK = 1 << 20


class CampaignError(Exception):
    """Something that a person has to mend."""


@dataclass(frozen=True)
class Home:
    """The campaign's directory on the machine with the GPU.

    Attributes:
        path: of the directory.
    """

    path: Path

    @property
    def parts(self) -> Path:
        return self.path / "parts"

    @property
    def code(self) -> Path:
        return self.path / "code"

    @property
    def site(self) -> Path:
        """The unpacked wheels."""
        return self.path / "site"

    @property
    def images(self) -> Path:
        return self.path / "images"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def bench(self) -> Path:
        return self.path / "bench"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def history(self) -> Path:
        """A line of JSON for each command that was run."""
        return self.path / "history.jsonl"

    def manifest(self) -> dict[str, Any]:
        """Read what has been packed."""
        path = self.path / MANIFEST
        if not path.is_file():
            raise CampaignError(f"{self.path} holds no campaign; run setup first, or give another --home")
        return json.loads(path.read_text(encoding="utf-8"))

    def data(self) -> Path | None:
        """Return the images; None where they have not arrived."""
        path = self.images / self.manifest()["images"]
        return path if path.is_file() else None

    def environment(self) -> dict[str, str]:
        paths = [str(self.site), str(self.code / "src"), os.environ.get("PYTHONPATH", "")]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
            "AGEGENDER_CACHE": str(self.path / "cache"),
        }

    def note(self, **values: Any) -> None:
        with self.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def notes(self) -> list[dict[str, Any]]:
        """Read the history; a last line that was cut off is left out."""
        if not self.history.is_file():
            return []
        found = []
        for line in self.history.read_text(encoding="utf-8").splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found


# What has to be done ---------------------------------------------------------------------------------------------


def setup(home: Home, folders: list[Path]) -> int:
    """Take parts, and unpack every file that is whole by now."""
    home.parts.mkdir(parents=True, exist_ok=True)
    here = ".".join(map(str, sys.version_info[:2]))
    for folder in folders:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["python"] != here:
            raise CampaignError(
                f"this is Python {here}, and the wheels are for {manifest['python']}; name that Python with PYTHON=, "
                f"or pack with --python {here}"
            )
        known = home.path / MANIFEST
        if known.is_file() and json.loads(known.read_text(encoding="utf-8")) != manifest:
            raise CampaignError(f"{home.path} holds another campaign; remove it, or give another --home")
        for part in manifest["parts"]:
            source = folder / part["name"]
            target = home.parts / part["name"]
            if not source.is_file() or target.is_file():
                continue
            if _sha256(source) != part["sha256"]:
                raise CampaignError(f"{source} is damaged: its SHA-256 is not the manifest's; copy it again")
            shutil.copy(source, target.with_suffix(".tmp"))
            target.with_suffix(".tmp").rename(target)
        known.write_text(json.dumps(manifest))
    manifest = home.manifest()
    missing = [part["name"] for part in manifest["parts"] if not (home.parts / part["name"]).is_file()]
    for file in manifest["files"]:
        _unpack(home, file, manifest["parts"])
    print(f"{home.path}: {', '.join(missing)} still to come" if missing else f"{home.path}: complete")
    return TIME_IS_UP if missing else DONE


def _unpack(home: Home, file: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    done = home.parts / f"{file['name']}.done"
    joined = home.parts / file["name"]
    if done.exists() or not _join(home, file, parts, joined):
        return
    if _sha256(joined) != file["sha256"]:
        raise CampaignError(f"{joined} is not what was packed; remove {home.path} and start again")
    if file["name"] == "source.tar.gz":
        _extract(joined, home.code)
    elif file["name"] == "wheels.tar":
        _extract(joined, home.path / "wheels")
        for wheel in sorted((home.path / "wheels").glob("*.whl")):
            install_wheel(wheel, home.site)
    else:
        home.images.mkdir(exist_ok=True)
        target = home.images / home.manifest()["images"]
        with gzip.open(joined, "rb") as source, target.with_suffix(".tmp").open("wb") as out:
            shutil.copyfileobj(source, out, _CHUNK)
        target.with_suffix(".tmp").rename(target)
    joined.unlink()
    done.touch()


def _join(home: Home, file: dict[str, Any], parts: list[dict[str, Any]], target: Path) -> bool:
    """Copy a file out of its parts; False where one of them has not arrived."""
    start = 0
    pieces = []
    for part in parts:
        first, last = max(start, file["offset"]), min(start + part["size"], file["offset"] + file["size"])
        if first < last:
            pieces.append((home.parts / part["name"], first - start, last - first))
        start += part["size"]
    if not all(path.is_file() for path, _, _ in pieces):
        return False
    with target.open("wb") as out:
        for path, offset, size in pieces:
            with path.open("rb") as source:
                source.seek(offset)
                while size:
                    chunk = source.read(min(size, _CHUNK))
                    out.write(chunk)
                    size -= len(chunk)
    return True


def _extract(archive: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")


def install_wheel(wheel: Path, site: Path) -> None:
    """Unpack a wheel's modules, as `pip install --target` would; its scripts are left out."""
    with zipfile.ZipFile(wheel) as file:
        for member in file.infolist():
            first, _, rest = member.filename.partition("/")
            if first.endswith(".data"):
                kind, _, member.filename = rest.partition("/")
                if kind not in ("purelib", "platlib") or not member.filename:
                    continue
            file.extract(member, site)


def check(home: Home, device: str, limit: "Limit", tiny_size: int) -> int:
    """Check the environment, that the project runs, and the tests that need a GPU."""
    python = sys.executable
    tests = gpu_tests(home.code)
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--numprocesses=0", "--timeout=150"]
    # Another PyTorch than the one that the suite is kept clean for may warn of other things.
    pytest += ["-o", "filterwarnings=default", *tests]
    commands = {
        "environment": [python, "tools/campaign_environment.py", device, "."],
        "configuration": [python, "train.py", "--cfg", "job", "--package", "trainer"],
        "job": [
            python,
            "train.py",
            "name=check",
            "data=synthetic",
            "data.source.num_synthetic=160",
            f"data.image_size={tiny_size}",
            "trainer.max_epochs=1",
            *_common(home, device),
        ],
        "tests": pytest,
    }
    return _all(home, "check", commands, limit, again=True)


def gpu_tests(code: Path) -> list[str]:
    """Return pytest's arguments for the tests that need a GPU: those with the mark, or with that reason to be skipped.

    Only their files are named: others may import what the machine does not have.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((code / "tests").rglob("test_*.py"))}
    if '"gpu: ' in (code / "pyproject.toml").read_text(encoding="utf-8"):  # pytest refuses a mark that is not listed
        return ["-m", "gpu", *(str(path.relative_to(code)) for path, text in texts.items() if "mark.gpu" in text)]
    return ["-m", "not slurm", *(str(path.relative_to(code)) for path, text in texts.items() if "needs a GPU" in text)]


def rates(home: Home, device: str, limit: "Limit", options: argparse.Namespace) -> int:
    """Measure rates and kernels of each network, then jobs that share the GPU, then compiled networks."""
    data = home.data()
    common = ["--device", device, "--work", str(home.path / "bench-work"), "--steps", str(options.steps)]
    common += ["--repeats", str(options.repeats), "--image-size", str(options.image_size)]
    common += ["--batch-size", str(options.batch_size), *(["--root", str(data)] if data is not None else [])]
    bench = [sys.executable, "-m", "agegender.cli", "bench"]
    models = [model for model in _COMPILE_FIRST if model in options.models]
    models += [model for model in options.models if model not in models]
    commands = {}
    for model in models:
        commands[model] = [*bench, "gpu", "--models", model, *common, "--out", str(home.bench / model)]
    commands["jobs"] = [*bench, "gpu_jobs", "--models", models[0], *common, "--out", str(home.bench / "jobs")]
    if not options.no_compile:
        for model in models:
            out = str(home.bench / f"{model}-compiled")
            commands[f"{model}-compiled"] = [*bench, "gpu", "--compiled", "--models", model, *common, "--out", out]
    code = _all(home, "rates", commands, limit, again=options.again)
    print(_rates_table(home))
    return code


def _rates_table(home: Home) -> str:
    command = [sys.executable, "tools/campaign_rates.py", str(home.bench)]
    return subprocess.run(command, cwd=home.code, capture_output=True, text=True, check=True).stdout


def table(home: Home, device: str, limit: "Limit", overrides: list[str]) -> int:
    """Train Table 2, or resume it, until all jobs are complete or the time is up."""
    data = home.data()
    if data is None:
        raise CampaignError("the images have not arrived; run setup with all parts first")
    _await_leases(home.runs)
    given = {override.partition("=")[0].lstrip("+~") for override in overrides}
    default = {"model": ",".join(MODELS), "data.root": str(data)}
    chosen = [f"{key}={value}" for key, value in default.items() if key not in given]
    chosen += [item for item in _common(home, device) if item.partition("=")[0] not in given]
    command = [sys.executable, "train.py", "experiment=table2", *chosen, *overrides]
    code = limit.run(home, "table", "table", command)
    return TIME_IS_UP if code == 128 + signal.SIGTERM else DONE if code == 0 else FAILED


def _await_leases(runs: Path) -> None:
    """Wait until the lock of a job that was killed has expired: a job would be refused before."""
    times = [path.stat().st_mtime for path in runs.rglob(".job.lease")]
    if times:
        time.sleep(min(max(0.0, max(times) + _LEASE_SECONDS - time.time()), _LEASE_SECONDS))


def _common(home: Home, device: str) -> list[str]:
    cache = f"data.cache_dir={home.path / 'cache'}"
    bar = "trainer.enable_progress_bar=false"
    return [f"runs_dir={home.runs}", cache, "logger=none", f"trainer={device}", bar]


def bring_home(home: Home, out: Path, limit_mb: float) -> int:
    """Pack complete records and predictions, rates, logs and history: no images, no checkpoints."""
    folder = home.path / "home"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for runs in sorted(path for path in home.runs.glob("*") if path.name != "check"):
        command = [sys.executable, "-m", "agegender.cli", "archive", str(runs), str(folder / "results" / runs.name)]
        subprocess.run(command, cwd=home.code, env=home.environment(), check=False)  # it says if nothing is complete
    for path in sorted(home.bench.glob("*/*.json")):
        target = folder / "bench" / f"{path.parent.name}.json"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    if home.bench.is_dir():
        (folder / "rates.md").write_text(_rates_table(home), encoding="utf-8")
    for path in (home.history, home.path / MANIFEST):
        if path.is_file():
            shutil.copy(path, folder)
    if home.logs.is_dir():
        shutil.copytree(home.logs, folder / "logs")
    out.mkdir(parents=True, exist_ok=True)
    packed = out / "campaign-home.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        archive.add(folder, "campaign-home")
    size = packed.stat().st_size
    num_records = len(list((folder / "results").rglob("record.json")))
    print(f"{packed}: {num_records} complete jobs, {size / 1e6:.2f} MB")
    if size > limit_mb * 1e6:
        raise CampaignError(f"{packed} is larger than {limit_mb:g} MB; cut it with: split -b {limit_mb:g}MB {packed}")
    return DONE


def restore(home: Home, packed: Path) -> int:
    """Put the complete jobs of an earlier machine back, so that `table` skips them and `rates` its measurements."""
    with tarfile.open(packed) as archive:
        archive.extractall(home.path / "restored", filter="data")
    folder = home.path / "restored" / "campaign-home"
    num_jobs = 0
    for record in sorted((folder / "results").rglob("record.json")):
        target = home.runs / record.parent.relative_to(folder / "results")
        if (target / "record.json").exists():
            continue
        target.mkdir(parents=True, exist_ok=True)
        for path in record.parent.glob("*.xz"):
            (target / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
        shutil.copy(record, target)
        num_jobs += 1
    for path in sorted((folder / "bench").glob("*.json")):
        (home.bench / path.stem).mkdir(parents=True, exist_ok=True)
        name = "gpu_jobs.json" if path.stem == "jobs" else "gpu.json"
        shutil.copy(path, home.bench / path.stem / name)
        home.note(step="rates", name=path.stem, code=0, seconds=0, started=time.time(), limit=0, restored=True)
    print(f"{home.runs}: {num_jobs} complete jobs restored")
    return DONE


# Commands within a time limit ------------------------------------------------------------------------------------


class Limit:
    """The time of a call, which its commands share.

    Args:
        seconds: of the call.
        grace: of them, between the signal to stop and the end by force.
    """

    def __init__(self, seconds: float, grace: float) -> None:
        self._end = time.monotonic() + seconds
        self._grace = min(grace, seconds / 2)
        self._asked = threading.Event()

    def is_over(self) -> bool:
        return self.seconds_left() <= 0

    def seconds_left(self) -> float:
        """Seconds before a command is asked to stop."""
        return 0.0 if self._asked.is_set() else self._end - self._grace - time.monotonic()

    def run(self, home: Home, step: str, name: str, command: list[str]) -> int:
        """Run a command until its end or that of the time.

        Returns:
            Its exit code; 128 more than a signal's number where it ended by one, or because of one.
        """
        home.logs.mkdir(parents=True, exist_ok=True)
        started = time.time()
        about = {"step": step, "name": name, "command": command, "started": started, "limit": self.seconds_left()}
        print(f"== {step}: {name}", flush=True)
        home.note(**about)
        before = signal.signal(signal.SIGTERM, lambda *_: self._asked.set())
        try:
            code = self._run(home, home.logs / f"{step}-{name}.log", command)
        finally:
            signal.signal(signal.SIGTERM, before)
        seconds = time.time() - started
        home.note(**about, code=code, seconds=round(seconds, 2))
        print(f"== {step}: {name}: exit code {code} after {seconds:.0f} s", flush=True)
        return code

    def _run(self, home: Home, log: Path, command: list[str]) -> int:
        process = subprocess.Popen(
            command,
            cwd=home.code,
            env=home.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=_copy_output, args=(process, log), daemon=True)
        reader.start()
        was_asked = False
        try:
            while process.poll() is None and time.monotonic() < self._end:
                time.sleep(0.1)
                if self.is_over() and not was_asked:
                    was_asked = True
                    print(f"== the time is up: {process.pid} is asked to stop", flush=True)
                    process.send_signal(signal.SIGTERM)
        finally:
            with suppress(ProcessLookupError):  # also processes that it has started
                os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        reader.join(timeout=5)
        return 128 + signal.SIGTERM if was_asked and code != 0 else code if code >= 0 else 128 - code


def _copy_output(process: "subprocess.Popen[bytes]", log: Path) -> None:
    assert process.stdout is not None
    with process.stdout as lines, log.open("ab") as file:
        for line in lines:
            file.write(line)
            file.flush()
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()


def _all(home: Home, step: str, commands: dict[str, list[str]], limit: Limit, *, again: bool) -> int:
    """Run commands one after the other; those that succeeded in an earlier call are left out.

    Args:
        home: of the campaign.
        step: they belong to.
        commands: by name.
        limit: of the call.
        again: whether those that failed earlier are run again, too.
    """
    ended: dict[str, int] = {}
    for note in home.notes():
        if note.get("step") == step and "code" in note:
            ended[note["name"]] = note["code"]
    for name, command in commands.items():
        code = ended.get(name)
        if code == 0 or (code not in (None, 128 + signal.SIGTERM) and not again):
            print(f"== {step}: {name}: {'done' if code == 0 else f'failed with {code}'} before")
            continue
        if limit.is_over():
            break
        ended[name] = limit.run(home, step, name, command)
    codes = [ended.get(name) for name in commands]
    if any(code is None or code == 128 + signal.SIGTERM for code in codes):
        return TIME_IS_UP
    return FAILED if any(codes) else DONE


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# The command line ------------------------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Run a subcommand and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except CampaignError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gpu_campaign.sh", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    packing = commands.add_parser("pack", help="here: write the parts")
    packing.add_argument("--data", type=Path, required=True, metavar="DIR_OR_ARCHIVE", help="the images")
    packing.add_argument("--have", type=Path, required=True, metavar="FILE", help="`pip list` of the machine, or names")
    packing.add_argument("--python", default="3.12", help="its Python (default: %(default)s)")
    packing.add_argument("--out", type=Path, default=Path("build", "campaign"), help="default: %(default)s")
    packing.add_argument("--part-mb", type=float, default=60, help="megabytes of a part (default: %(default)s)")
    packing.set_defaults(run=_pack)
    default = os.environ.get("AGEGENDER_CAMPAIGN", str(Path.home() / "agegender-campaign"))
    there = argparse.ArgumentParser(add_help=False)
    there.add_argument("--home", type=Path, default=Path(default), help="default: $AGEGENDER_CAMPAIGN, or %(default)s")
    limited = argparse.ArgumentParser(add_help=False)
    limited.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: to try it without a GPU")
    limited.add_argument("--seconds", type=float, default=_SECONDS, help="of this call (default: %(default)s)")
    limited.add_argument("--grace", type=float, default=_GRACE_SECONDS, help="of them for stopping: %(default)s")
    command = commands.add_parser("setup", parents=[there], help="there: take parts and unpack what is whole")
    command.add_argument("folders", type=Path, nargs="*", metavar="PART", help="default: the one that this file is in")
    command.set_defaults(run=_setup)
    command = commands.add_parser("check", parents=[there, limited], help="there: environment, a tiny job, GPU tests")
    command.add_argument("--image-size", type=int, default=128, help="of the tiny job (default: %(default)s)")
    command.set_defaults(run=lambda options: check(_home(options), options.device, _limit(options), options.image_size))
    command = commands.add_parser(
        "rates", parents=[there, limited], help="there: rates, kernels, jobs that share a GPU"
    )
    command.add_argument("--models", nargs="+", default=list(MODELS), metavar="MODEL")
    command.add_argument("--image-size", type=int, default=256)
    command.add_argument("--batch-size", type=int, default=32)
    command.add_argument("--steps", type=int, default=200)
    command.add_argument("--repeats", type=int, default=1)
    command.add_argument("--again", action="store_true", help="also what failed in an earlier call")
    command.add_argument("--no-compile", action="store_true", help="without torch.compile, which takes minutes")
    command.set_defaults(run=lambda options: rates(_home(options), options.device, _limit(options), options))
    command = commands.add_parser("table", parents=[there, limited], help="there: experiment=table2, a piece of it")
    command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of train.py: model=vgg11, seed=1,2 ...")
    command.set_defaults(run=lambda options: table(_home(options), options.device, _limit(options), options.overrides))
    command = commands.add_parser("bring-home", parents=[there], help="there: pack records, predictions, rates, logs")
    command.add_argument("out", type=Path, metavar="DIR")
    command.add_argument("--limit-mb", type=float, default=16, help="of the file (default: %(default)s)")
    command.set_defaults(run=lambda options: bring_home(_home(options), options.out, options.limit_mb))
    command = commands.add_parser("restore", parents=[there], help="on a fresh machine: put complete jobs back")
    command.add_argument("packed", type=Path, metavar="FILE", help="campaign-home.tar.xz")
    command.set_defaults(run=lambda options: restore(_home(options), options.packed))
    return parser


def _home(options: argparse.Namespace) -> Home:
    home = Home(options.home.resolve())
    home.manifest()  # refuses a directory without a campaign
    return home


def _setup(options: argparse.Namespace) -> int:
    return setup(Home(options.home.resolve()), options.folders or [Path(__file__).parent])


def _limit(options: argparse.Namespace) -> Limit:
    return Limit(options.seconds, options.grace)


def _pack(options: argparse.Namespace) -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    import campaign_pack

    try:
        have = campaign_pack.read_list(options.have)
        campaign_pack.pack(options.data, have, options.python, options.out, int(options.part_mb * 1e6))
    except campaign_pack.PackError as error:
        raise CampaignError(str(error)) from error
    return DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
