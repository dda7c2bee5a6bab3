"""The campaign on a machine without network: what travels, how it is cut and joined, and time limits."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import campaign_pack
import gpu_campaign
import pytest
from campaign_pack import PackError, choose_wheels, cut, read_list, write_parts
from gpu_campaign import DONE, FAILED, TIME_IS_UP, CampaignError, Home, Limit, bring_home, install_wheel, restore, setup
from made_runs import random_predictions, write_run
from paths import ROOT


def test_a_list_of_packages_is_read_in_every_form(tmp_path: Path) -> None:
    listed = tmp_path / "have.txt"
    listed.write_text(
        "Package   Version\n------- ---------\ntorch   2.11.0+cu130\nPyYAML==6.0.2\n"
        "ImageHash @ file:///somewhere\nnumpy, pillow\n"
    )
    assert read_list(listed) == {
        "torch": "2.11.0+cu130",
        "pyyaml": "6.0.2",
        "imagehash": None,
        "numpy": None,
        "pillow": None,
    }


def test_what_the_machine_lacks_travels_with_what_it_needs_in_turn() -> None:
    have = {"torch": "2.11.0", "numpy": None, "scipy": "1.17", "pillow": "12.0", "packaging": "25.0", "pyyaml": "6.0.2"}
    wanted = ["torch>=2.11", "wandb>=0.30", "hydra-core>=1.3.2", "imagehash>=4.3"]
    chosen = choose_wheels(wanted, have, "3.12")
    assert set(chosen.versions) == {"hydra-core", "omegaconf", "antlr4-python3-runtime", "imagehash", "pywavelets"}


def test_a_package_that_is_too_old_there_travels_too() -> None:
    chosen = choose_wheels(["filelock>=3.30"], {"filelock": "3.20"}, "3.12")
    assert chosen.reasons == {"filelock": "there as 3.20, not >=3.30"}


@pytest.mark.parametrize("have", [{}, {"torch": "2.10.0+cu128"}])
def test_a_machine_without_a_new_enough_pytorch_is_refused(have: dict[str, str | None]) -> None:
    with pytest.raises(PackError, match="too large to travel"):
        choose_wheels(["torch>=2.11"], have, "3.12")


def test_a_package_without_a_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_pack, "_pip", lambda *arguments: None)
    with pytest.raises(PackError, match="of only-as-source"):
        campaign_pack.fetch_wheels({"only-as-source": "1.0"}, "3.12", tmp_path / "wheels")


def test_parts_are_full_but_for_the_last_one() -> None:
    assert cut({"a": 5, "b": 3, "c": 7}, limit=6) == ({"a": 0, "b": 5, "c": 8}, [6, 6, 3])


def campaign(folder: Path, images: bytes, python: str = f"3.{sys.version_info[1]}") -> list[Path]:
    """Write the parts of a campaign with a source of one file, a wheel, and these bytes as images."""
    folder.mkdir()
    (folder / "hello.py").write_text("print('hello')\n")
    with tarfile.open(folder / "source.tar.gz", "w:gz") as archive:
        archive.add(folder / "hello.py", "hello.py")
    with zipfile.ZipFile(folder / "one-1.0-py3-none-any.whl", "w") as file:
        file.writestr("one/__init__.py", "")
        file.writestr("one-1.0.data/purelib/two.py", "")
        file.writestr("one-1.0.data/scripts/three", "")
    with tarfile.open(folder / "wheels.tar", "w") as archive:
        archive.add(folder / "one-1.0-py3-none-any.whl", "one-1.0-py3-none-any.whl")
    (folder / "faces.tar").write_bytes(images)
    campaign_pack.pack_images(folder / "faces.tar", folder / "images.tar.gz")
    files = [folder / name for name in ("source.tar.gz", "wheels.tar", "images.tar.gz")]
    return write_parts(
        files, folder / "out", campaign_pack._FOR_TOOLS + 20_000, {"images": "faces.tar", "python": python}
    )


def test_wheels_for_another_python_are_refused(tmp_path: Path) -> None:
    parts = campaign(tmp_path / "packed", b"images", "3.99")
    with pytest.raises(CampaignError, match=r"wheels are for 3\.99"):
        setup(Home(tmp_path / "home"), parts)


def test_parts_that_arrive_one_after_the_other_are_unpacked_as_soon_as_a_file_is_whole(tmp_path: Path) -> None:
    images = os.urandom(50_000)
    parts = campaign(tmp_path / "packed", images)
    assert len(parts) == 4
    home = Home(tmp_path / "home")
    assert setup(home, [parts[0]]) == TIME_IS_UP
    assert (home.code / "hello.py").exists()
    assert not home.images.exists()
    assert setup(home, [parts[2], parts[1]]) == TIME_IS_UP
    assert (home.site / "one" / "__init__.py").exists() and (home.site / "two.py").exists()
    assert home.data() is None
    assert setup(home, [parts[3]]) == DONE
    assert home.data() == home.images / "faces.tar"
    assert (home.images / "faces.tar").read_bytes() == images
    assert setup(home, parts) == DONE


def test_a_damaged_part_and_another_campaign_are_refused(tmp_path: Path) -> None:
    parts = campaign(tmp_path / "packed", b"images")
    with (parts[0] / "part-01").open("r+b") as file:
        file.write(b"x")
    with pytest.raises(CampaignError, match="damaged"):
        setup(Home(tmp_path / "home"), [parts[0]])
    others = campaign(tmp_path / "others", b"other images")
    setup(Home(tmp_path / "home-2"), [others[0]])
    with pytest.raises(CampaignError, match="another campaign"):
        setup(Home(tmp_path / "home-2"), [parts[0]])


def test_every_part_says_what_belongs_together(tmp_path: Path) -> None:
    for part in campaign(tmp_path / "packed", os.urandom(30_000)):
        manifest = json.loads((part / "campaign.json").read_text())
        size, digest = {entry["name"]: (entry["size"], entry["sha256"]) for entry in manifest["parts"]}[part.name]
        content = (part / part.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
        assert (part / "gpu_campaign.sh").exists() and (part / "gpu_campaign.py").exists()


def test_scripts_of_a_wheel_are_left_out(tmp_path: Path) -> None:
    wheel = tmp_path / "one-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("one.py", "")
        file.writestr("one-1.0.data/scripts/three", "")
    install_wheel(wheel, tmp_path / "site")
    assert [path.name for path in (tmp_path / "site").rglob("*")] == ["one.py"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a campaign's directory with code that does nothing."""
    made = Home(tmp_path / "home")
    made.code.mkdir(parents=True)
    (made.path / "campaign.json").write_text(json.dumps({"images": "faces.tar"}))
    return made


def test_at_the_end_of_the_time_a_command_is_asked_to_stop_and_then_ended(home: Home) -> None:
    polite = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(143)); print('up', flush=True); time.sleep(60)"
    )
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    started = time.monotonic()
    assert Limit(2.0, 1.0).run(home, "try", "polite", [sys.executable, "-c", polite]) == 128 + signal.SIGTERM
    assert Limit(1.5, 0.5).run(home, "try", "stubborn", [sys.executable, "-c", stubborn]) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 10
    assert (home.logs / "try-polite.log").read_text() == "up\n"
    assert [note["code"] for note in home.notes() if "code" in note] == [143, 143]


def test_a_signal_to_the_campaign_stops_its_command(home: Home) -> None:
    command = [sys.executable, "-c", f"import os, time; os.kill({os.getpid()}, 15); time.sleep(60)"]
    started = time.monotonic()
    assert Limit(60.0, 1.0).run(home, "try", "one", command) == 128 + signal.SIGTERM
    assert time.monotonic() - started < 10


def test_what_has_been_done_is_not_done_again(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    commands = {
        "good": [sys.executable, "-c", "print('good ran')"],
        "bad": [sys.executable, "-c", "print('bad ran'); raise SystemExit(1)"],
    }
    assert gpu_campaign._all(home, "try", commands, Limit(30, 1), again=True) == FAILED
    commands["bad"] = [sys.executable, "-c", "print('mended')"]
    capfd.readouterr()
    assert gpu_campaign._all(home, "try", commands, Limit(30, 1), again=True) == DONE
    out = capfd.readouterr().out
    assert "good ran" not in out and "mended" in out


def test_without_time_the_rest_is_left_for_the_next_call(home: Home) -> None:
    commands = {"late": [sys.executable, "-c", ""]}
    assert gpu_campaign._all(home, "try", commands, Limit(0, 0), again=True) == TIME_IS_UP
    assert home.notes() == []


def test_tests_with_the_mark_are_run_alone_and_without_any_those_that_are_skipped_for_want_of_a_gpu(
    tmp_path: Path,
) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    (tmp_path / "pyproject.toml").write_text('markers = ["e2e: whole commands"]')
    reason = " ".join(["needs", "a", "GPU"])  # not in one text: this file has no such test
    (tests / "test_a.py").write_text(f'skipif(True, reason="{reason}")')
    (tests / "test_b.py").write_text("import optuna")
    assert gpu_campaign.gpu_tests(tmp_path) == ["-m", "not slurm", "tests/test_a.py"]
    (tmp_path / "pyproject.toml").write_text('markers = ["gpu: needs one"]')
    (tests / "test_c.py").write_text("@pytest.mark.gpu")
    assert gpu_campaign.gpu_tests(tmp_path) == ["-m", "gpu", "tests/test_c.py"]


def test_the_lock_of_a_job_that_was_killed_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    monkeypatch.setattr(gpu_campaign.time, "sleep", waited.append)
    gpu_campaign._await_leases(tmp_path)
    lease = tmp_path / "table2" / "vgg11" / ".job.lease"
    lease.parent.mkdir(parents=True)
    lease.touch()
    os.utime(lease, (time.time() - 20, time.time() - 20))
    gpu_campaign._await_leases(tmp_path)
    assert waited == [pytest.approx(11, abs=1)]


def test_the_table_trains_the_longest_networks_first_and_takes_overrides(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.images.mkdir()
    (home.images / "faces.tar").touch()
    commands = []
    monkeypatch.setattr(Limit, "run", lambda self, home, step, name, command: commands.append(command) or 143)
    assert gpu_campaign.table(home, "gpu", Limit(10, 1), []) == TIME_IS_UP
    assert "model=densenet161,vgg11,resnet18,small_cnn,alexnet" in commands[0] and "trainer=gpu" in commands[0]
    gpu_campaign.table(home, "cpu", Limit(10, 1), ["model=vgg11", "seed=1"])
    assert [item for item in commands[1] if item.startswith(("model", "seed", "trainer="))] == [
        "trainer=cpu",
        "model=vgg11",
        "seed=1",
    ]


def test_records_come_home_without_images_or_checkpoints_and_are_put_back(tmp_path: Path, home: Home) -> None:
    home.code.rmdir()
    home.code.symlink_to(ROOT)
    job = write_run(home.runs / "table2", random_predictions(1, 40), model="small_cnn", seed=1)
    for name in ("checkpoints/best.ckpt", "face.jpg"):
        path = job / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"not to travel")
    (home.bench / "small_cnn").mkdir(parents=True)
    head = {"gpu": "A GPU", "python": "3.12.3", "versions": {"torch": "2.11.0"}}
    (home.bench / "small_cnn" / "gpu.json").write_text(json.dumps({"head": head, "rows": []}))
    assert bring_home(home, tmp_path / "out", 16) == DONE
    packed = tmp_path / "out" / "campaign-home.tar.xz"
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("campaign-home/") for name in archive.getnames()}
    results = f"results/{job.relative_to(home.runs)}"
    assert {f"{results}/record.json", f"{results}/predictions.csv.xz", "bench/small_cnn.json", "campaign.json"} <= names
    assert not any(name.endswith((".ckpt", ".jpg")) for name in names)
    fresh = Home(tmp_path / "fresh")
    fresh.path.mkdir()
    assert restore(fresh, packed) == DONE
    again = fresh.runs / job.relative_to(home.runs)
    assert (again / "record.json").exists() and (again / "predictions.csv").read_text().startswith("image,")
    assert [note["name"] for note in fresh.notes()] == ["small_cnn"]


def test_the_script_lists_its_commands_without_any_package(tmp_path: Path) -> None:
    for name in campaign_pack.TOOLS:
        (tmp_path / name).write_bytes((Path(gpu_campaign.__file__).parent / name).read_bytes())
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    command = ["sh", str(tmp_path / "gpu_campaign.sh"), "--help"]
    environment = {**os.environ, "PYTHON": str(bare)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in ("pack", "setup", "check", "rates", "table", "bring-home", "restore"))
