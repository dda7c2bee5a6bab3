"""Tests of building: a checkpoint gives the module back, and nothing in it is run."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import composing
import pytest
import torch
from refusing import refusal

from agegender.data.datamodule import UTKFaceDataModule
from agegender.jobs import build
from agegender.labels import age_groups
from agegender.system.errors import InputError
from agegender.training import trainers
from agegender.training.precision import choose_precision

SIZE = 35  # pixels; levi_hassner's smallest


def composed(*overrides: str) -> dict[str, Any]:
    return composing.composed("model=levi_hassner", f"data.image_size={SIZE}", *overrides)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], torch.nn.Module]:
    """A checkpoint, its content, and the module that it was made of."""
    config = composed("loss=weighted", "seed=5")
    module = build.make_module(config).eval()
    counts = torch.arange(121)
    module.method.prepare(counts, torch.from_numpy(age_groups("closed").group_of_age))
    content = {"state_dict": module.state_dict(), "agegender_config": config, "epoch": 1}
    path = tmp_path_factory.mktemp("checkpoints") / "best.ckpt"
    torch.save(content, path)
    return path, content, module


Saved = tuple[Path, dict[str, Any], torch.nn.Module]


def with_config(content: dict[str, Any], path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The checkpoint with another configuration."""
    config = copy.deepcopy(content["agegender_config"])
    change(config)
    torch.save({**content, "agegender_config": config}, path)
    return path


def test_a_module_loaded_from_its_checkpoint_gives_the_same_outputs(saved: Saved) -> None:
    path, _, original = saved
    images = torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    with torch.inference_mode():
        expected = original(images)
        found = build.load_module(path)(images)
    assert torch.equal(found.age, expected.age) and torch.equal(found.gender, expected.gender)


def test_a_module_loaded_from_its_checkpoint_knows_the_training_set(saved: Saved) -> None:
    path, _, original = saved
    outputs = torch.eye(8)
    expected = original.method.decode(outputs).years  # pyright: ignore
    assert torch.equal(build.load_module(path).method.decode(outputs).years, expected)
    assert expected.unique().numel() == 8


def test_a_loaded_module_is_in_evaluation_mode(saved: Saved) -> None:
    assert not any(module.training for module in build.load_module(saved[0]).modules())


def test_loading_needs_no_file_of_pretrained_weights(saved: Saved, tmp_path: Path) -> None:
    path = with_config(saved[1], tmp_path / "a.ckpt", lambda config: config["model"].update(weights="/gone.pth"))
    assert build.load_module(path).state_dict().keys() == saved[1]["state_dict"].keys()


def test_a_checkpoints_weights_are_a_jobs_start_if_the_configuration_says_so(saved: Saved) -> None:
    module = build.make_module(composed("seed=6", f"ckpt_path={saved[0]}"))
    assert all(torch.equal(value, saved[1]["state_dict"][name]) for name, value in module.state_dict().items())


def test_weights_of_another_architecture_are_refused_as_a_jobs_start(saved: Saved) -> None:
    told = refusal(lambda: build.make_module(composed("model=resnet18", f"ckpt_path={saved[0]}")))
    assert f"ckpt_path={saved[0]} is of another architecture" in told


def test_a_checkpoint_of_another_method_is_refused_with_what_takes_its_weights(saved: Saved) -> None:
    told = refusal(lambda: build.make_module(composed("loss=ldl", f"ckpt_path={saved[0]}")))
    assert f"ckpt_path={saved[0]} is of another method (loss=)" in told and f"model.weights={saved[0]} instead" in told
    build.make_module(composed("loss=ldl", f"model.weights={saved[0]}"))


def test_a_checkpoint_whose_configuration_names_another_architecture_is_refused(saved: Saved, tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        config["model"] = {"_target_": "agegender.models.baselines.TorchvisionNet", "name": "resnet18", "dropout": 0.0}

    path = with_config(saved[1], tmp_path / "a.ckpt", change)
    assert "is of another architecture" in refusal(lambda: build.load_module(path))


def test_a_checkpoint_of_another_image_size_is_refused_by_the_tensor_that_differs(saved: Saved, tmp_path: Path) -> None:
    path = with_config(saved[1], tmp_path / "a.ckpt", lambda config: config["data"].update(image_size=99))
    told = refusal(lambda: build.load_module(path))
    assert "data.image_size" in told and "network.hidden.1.weight" in told


@pytest.mark.parametrize("size", [0, 1, 4, 1000, -100])
def test_a_truncated_checkpoint_is_refused(saved: Saved, tmp_path: Path, size: int) -> None:
    (tmp_path / "cut.ckpt").write_bytes(saved[0].read_bytes()[:size])
    assert "cut.ckpt is not a checkpoint that can be read safely" in refusal(
        lambda: build.load_module(tmp_path / "cut.ckpt")
    )


@pytest.mark.parametrize(
    "content",
    [b"\x80\x02M.", b"\x80\x02.", b"\x80\x02(", b"\x80\x02X\xff\xff\xff\x7fa."],
    ids=["half a number", "nothing", "a mark", "a string cut off"],
)
def test_bytes_that_are_no_checkpoint_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    assert "x.ckpt" in refusal(lambda: build.load_module(tmp_path / "x.ckpt"))


class _Other:
    """No plain container."""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it was not written by PyTorch"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "it was not written by PyTorch"),
        (b"PK\x03\x04" + bytes(50), "it is cut off"),
        (pickle.dumps(_Other(), protocol=2), "it holds more than tensors and plain containers, which could run code"),
    ],
)
def test_what_is_wrong_with_a_checkpoint_is_said_without_pytorchs_own_words(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    expected = f"{path} is not a checkpoint that can be read safely ({reason}); give a run's checkpoints/best.ckpt"
    assert refusal(lambda: build.load_module(path)) == expected


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["a directory", "nothing"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "best.ckpt")
    assert refusal(lambda: build.load_module(tmp_path / "best.ckpt")).startswith(
        f"ckpt_path={tmp_path / 'best.ckpt'} is not a file"
    )


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {}},
        {"agegender_config": 5},
        {"agegender_config": {"model": {}}},
        {"agegender_config": {"model": 5, "loss": {}, "data": {}}},
        [1, 2],
    ],
)
def test_a_checkpoint_of_another_project_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    assert "not a checkpoint of a run of this project" in refusal(lambda: build.load_module(tmp_path / "other.ckpt"))


def calls(folder: Path) -> list[dict[str, Any]]:
    """Configurations that would each leave a file if they were instantiated."""
    trace = folder / "called"
    return [
        {"_target_": "os.system", "_args_": [f"touch {trace}"]},
        {"_target_": "builtins.eval", "_args_": [f"open({str(trace)!r}, 'w')"]},
        {"_target_": "os.mkdir", "_args_": [str(trace)]},
        {"_target_": "pathlib.Path.touch", "_args_": [str(trace)]},
        {"_target_": "agegender.records.record.write_atomically", "path": str(trace), "text": ""},
    ]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("place", ["model", "loss"])
def test_a_checkpoint_that_names_a_function_to_call_is_refused_and_it_is_not_called(
    saved: Saved, tmp_path: Path, place: str, number: int
) -> None:
    call = calls(tmp_path)[number]
    path = with_config(saved[1], tmp_path / "evil.ckpt", lambda config: config.update({place: call}))
    assert f"_target_={call['_target_']}" in refusal(lambda: build.load_module(path))
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("place", ["model", "loss"])
def test_a_function_to_call_is_not_called_inside_an_argument_either(
    saved: Saved, tmp_path: Path, place: str, number: int
) -> None:
    call = calls(tmp_path)[number]
    path = with_config(saved[1], tmp_path / "evil.ckpt", lambda config: config[place].update(extra=call))
    assert "unexpected keyword argument 'extra'" in refusal(lambda: build.load_module(path))
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("number", range(5))
def test_a_data_source_that_is_none_is_refused_and_not_called(tmp_path: Path, number: int) -> None:
    config = composed()
    call = calls(tmp_path)[number]
    config["data"]["source"] = call
    assert f"_target_={call['_target_']} is not a source of faces" in refusal(lambda: build.make_datamodule(config))
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("target", ["torch.nn.Linear", "collections.OrderedDict"])
def test_a_class_of_another_kind_is_refused_as_a_loss(target: str) -> None:
    assert refusal(lambda: build.make_method({"loss": {"_target_": target}})) == f"_target_={target} is not a Method"


@pytest.mark.parametrize("target", ["agegender.losses.cross_entropy.CrosEntropy", "no.such.Thing", "", None, 5])
def test_a_target_that_does_not_exist_is_refused_by_its_name(target: object) -> None:
    assert f"_target_={target} " in refusal(lambda: build.make_method({"loss": {"_target_": target}}))


def test_a_target_whose_import_fails_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lossy.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)
    told = refusal(lambda: build.make_method({"loss": {"_target_": "lossy.Loss"}}))
    assert "_target_=lossy.Loss cannot be imported" in told and "No module named 'no_such_package'" in told


def test_a_mistake_inside_a_class_is_told_as_it_was_raised() -> None:
    told = refusal(lambda: build.make_method(composed("loss.normalization=foo")))
    assert told == "loss.normalization=foo: choose one of images, weights"


def test_an_image_that_is_too_small_is_refused_before_anything_is_built() -> None:
    told = refusal(lambda: build.make_module(composed("data.image_size=34")))
    assert "data.image_size=34 is too small" in told and told.endswith("35")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("model=small_cnn", "data.image_size=128", "augment.start_size=64"), "model=SmallCNN built for 128 pixels"),
        (("augment.start_size=64", "data.image_size=48"), "augment.start_size=64 is larger than data.image_size=48"),
        (("model=compact_pair", "data.image_size=48", "model.shared=4"), "model.shared=4"),
        (("model=compact_pair", "data.image_size=48", "model.branches=0"), "model.branches=0"),
        (("model=compact", "data.image_size=48", "model.blocks=[1]"), "model.blocks=[1] must have equal length"),
    ],
)
def test_sizes_and_stages_that_a_network_cannot_have_are_refused(overrides: tuple[str, ...], told: str) -> None:
    assert told in refusal(lambda: build.make_module(composed(*overrides)))


def test_a_data_module_is_given_the_configurations_values(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    module = build.make_datamodule(composed(f"data.root={tmp_path / 'faces'}", "data.batch_size=7", "seed=3"))
    assert isinstance(module, UTKFaceDataModule)
    assert (module.batch_size, module.image_size, module.seed) == (7, SIZE, 3)


@pytest.mark.parametrize("precision", ["32-true", "16-mixed", 16])
@pytest.mark.parametrize("accelerator", ["cpu", "gpu", "auto"])
def test_a_precision_that_is_asked_for_is_taken(precision: str | int, accelerator: str) -> None:
    assert choose_precision(precision, accelerator) == precision


@pytest.mark.parametrize(
    ("accelerator", "cuda", "cuda_bfloat16", "cpu_bfloat16", "expected"),
    [
        ("cpu", False, False, True, "bf16-mixed"),
        ("cpu", False, False, False, "32-true"),
        ("cpu", True, True, False, "32-true"),
        ("auto", True, True, False, "bf16-mixed"),
        ("auto", True, False, True, "32-true"),
        ("auto", False, False, True, "bf16-mixed"),
        ("auto", False, False, False, "32-true"),
        ("gpu", True, True, False, "bf16-mixed"),
        ("cuda", True, False, True, "32-true"),
        ("gpu", False, True, True, "32-true"),
    ],
)
def test_the_automatic_precision_is_bfloat16_where_the_hardware_that_is_used_computes_in_it(
    monkeypatch: pytest.MonkeyPatch,
    accelerator: str,
    cuda: bool,
    cuda_bfloat16: bool,
    cpu_bfloat16: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: cuda_bfloat16 or including_emulation
    )
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: cpu_bfloat16, raising=False)
    assert choose_precision("auto", accelerator) == expected


@pytest.mark.parametrize(
    "override", ["trainer.accelerator=foo", "trainer.strategy=foo", "trainer.devices=-5", "+trainer.foo=1"]
)
def test_what_lightning_refuses_is_told_as_the_users_mistake(tmp_path: Path, override: str) -> None:
    settings = composed("trainer=cpu", override)["trainer"]
    with pytest.raises(InputError, match=r"^trainer: "):
        trainers.make_trainer(settings, folder=tmp_path, callbacks=[], logger=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told_as_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^trainer: "):
        trainers.make_trainer(composed("trainer=gpu")["trainer"], folder=tmp_path, callbacks=[], logger=False)


@pytest.mark.parametrize(("option", "expected"), [("cpu", True), ("gpu", False)])
def test_the_automatic_determinism_holds_on_the_cpu_and_gives_way_to_speed_on_a_gpu(
    tmp_path: Path, option: str, expected: bool
) -> None:
    given: dict[str, Any] = {}
    kind: Any = lambda **arguments: given.update(arguments)  # noqa: E731
    settings = composed(f"trainer={option}", "trainer.deterministic=auto")["trainer"]
    trainers.make_trainer(settings, folder=tmp_path, callbacks=[], logger=False, kind=kind)
    assert given["deterministic"] is expected
