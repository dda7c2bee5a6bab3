"""Tests of the export to ONNX: the file computes what its checkpoint does, and nothing else appears at its path."""

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from composing import composed
from paths import CONF
from torch import Tensor, nn

from agegender import cli
from agegender.jobs import build
from agegender.jobs.export import INPUT, OUTPUTS, export, export_checkpoint, onnx_session
from agegender.labels import age_groups
from agegender.losses.cross_entropy import CrossEntropy
from agegender.models import measure
from agegender.models.heads import FaceOutputs, TwoHeads
from agegender.records.record import Record, write
from agegender.system.errors import InputError
from agegender.training.module import AgeGenderModule

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
LOSSES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))
SIZE = 35  # pixels; levi_hassner's smallest
_LOOKS = 40  # with fewer, half-known statistics blow rounding up in deep networks


def small_size(builder: Callable[[int], nn.Module]) -> int:
    """The first of 32, 64, 128 and 256 pixels that the network takes."""
    for size in (32, 64, 128):
        with suppress(InputError):
            measure.check_image_size(builder, size, "a network")
            return size
    return 256


def faces(number: int, size: int) -> Tensor:
    """Noise of another colour and strength for each image, so that a network tells them apart."""
    generator = torch.Generator().manual_seed(0)
    low, high = torch.rand(2, number, 3, 1, 1, generator=generator).sort(dim=0).values * 255
    return (low + torch.rand(number, 3, size, size, generator=generator) * (high - low)).byte()


def narrow(network: nn.Module) -> nn.Module:
    """Give AlexNet's and VGG11's fully connected layers 64 units: 4,096 are 0.5 GB that prove nothing more."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.Linear) and 4096 in (layer.in_features, layer.out_features):
            num_in, num_out = (64 if side == 4096 else side for side in (layer.in_features, layer.out_features))
            network.set_submodule(name, nn.Linear(num_in, num_out))
    return network


def opinionated(module: AgeGenderModule, size: int) -> AgeGenderModule:
    """Scale the heads until the outputs of the images differ: a network at its start calls every group as likely."""
    images = faces(4, size)
    heads = [layer for layer in module.network.modules() if isinstance(layer, TwoHeads)]
    with torch.no_grad():
        for _ in range(_LOOKS):
            module.train()(images)  # batch normalization learns of them
        outputs = module.eval()(images)
        for task in ("age", "gender"):
            raw = getattr(outputs, task)
            scale = 2 / raw.std(dim=0).mean()  # logits that differ by 2 are a clear opinion
            for head in (getattr(both, task) for both in heads):  # one, or those of an ensemble, whose mean is `raw`
                head.bias.sub_(raw.mean(dim=0)).mul_(scale)
                head.weight.mul_(scale)
    return module


def make(model: str, loss: str = "plain") -> tuple[AgeGenderModule, int]:
    """A module with the network and method of conf/, which knows a training set; and its image size."""
    config = composed(f"model={model}", f"loss={loss}")
    method = build.make_method(config)
    method.prepare(torch.arange(121), torch.from_numpy(age_groups("closed").group_of_age))
    builder = build.network_builder(config, method.num_outputs)
    size = small_size(builder)
    torch.manual_seed(0)
    return opinionated(AgeGenderModule(narrow(builder(size)), method, config=config), size), size


def reading(module: AgeGenderModule, images: Tensor) -> list[Tensor]:
    """What a module says of images: (B, 8) probabilities, (B,) years, (B, 2) probabilities."""
    with torch.inference_mode():
        outputs = module(images)
        age = module.method.decode(outputs.age)
        return [age.group, age.years, outputs.gender.softmax(dim=1)]


def assert_agrees(path: Path, module: AgeGenderModule, size: int) -> None:
    images = faces(4, size)
    expected = reading(module, images)
    found = onnx_session(path, num_threads=1).run(list(OUTPUTS), {INPUT: images.numpy()})
    apart = expected[0].argmax(dim=1).unique().numel() > 1
    if not module.method.coarse_years:  # a wide group may hold all that an untrained age head says
        apart = apart or (expected[0][1:] - expected[0][0]).abs().max() > 0.05
    assert apart, "the network does not tell the images apart: a void test"
    for ours, theirs in zip(expected, found, strict=True):
        torch.testing.assert_close(torch.from_numpy(theirs), ours, rtol=1e-4, atol=1e-4)  # float32 both


def refusal(action: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as refused:
        action()
    assert "\n" not in str(refused.value)
    return str(refused.value)


class Small(nn.Module):
    """The mean colour of an image, read by the two heads; the exporter sees the gender's outputs times a factor."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.heads = TwoHeads(3, 8)
        self.factor = factor

    def forward(self, images: Tensor) -> FaceOutputs:
        outputs = self.heads(images.mean(dim=(2, 3)))
        if torch.compiler.is_exporting():
            outputs = outputs._replace(gender=outputs.gender * self.factor)
        return outputs


def small_module(**options: float) -> AgeGenderModule:
    method = CrossEntropy()
    method.prepare(torch.arange(121), torch.from_numpy(age_groups("closed").group_of_age))
    torch.manual_seed(0)
    return opinionated(AgeGenderModule(Small(**options), method), 16)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AgeGenderModule]:
    """A checkpoint in the directory of a run, and the module that it was made of."""
    config = composed("model=levi_hassner", "loss=weighted", "data.age_groups=strict", f"data.image_size={SIZE}")
    module = build.make_module(config)
    module.method.prepare(torch.arange(121), torch.from_numpy(age_groups("strict").group_of_age))
    opinionated(module, SIZE)
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoints").mkdir()
    checkpoint = folder / "checkpoints" / "best.ckpt"
    torch.save({"state_dict": module.state_dict(), "agegender_config": config}, checkpoint)
    choices = {"model": "levi_hassner", "loss": "weighted"}
    write(folder, Record(status="complete", name="try", choices=choices, config=config, seed=0))
    return checkpoint, module


Run = tuple[Path, AgeGenderModule]


@pytest.mark.parametrize("model", MODELS)
def test_the_file_of_every_network_computes_what_its_module_does(model: str, tmp_path: Path) -> None:
    module, size = make(model)
    made = export(module, tmp_path / "a.onnx", image_size=size)
    assert made.difference < 1e-4
    assert_agrees(made.path, module, size)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"], "one file, weights included"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_file_of_every_method_reads_the_outputs_as_the_method_does(loss: str, tmp_path: Path) -> None:
    module, size = make("levi_hassner", loss)
    assert_agrees(export(module, tmp_path / "a.onnx", image_size=size).path, module, size)


def test_the_command_exports_beside_the_checkpoint_and_says_so_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, module = run
    assert cli.main(["export", str(checkpoint)]) == 0
    told = capsys.readouterr()
    path = checkpoint.with_name("best.onnx")
    assert told.err == "" and len(told.out.splitlines()) == 1
    assert f"{path}: {path.stat().st_size / 1e6:.1f} MB, differs from PyTorch by at most " in told.out
    assert_agrees(path, module, SIZE)


def test_the_file_tells_its_interface_and_its_origin(run: Run, tmp_path: Path) -> None:
    session = onnx_session(export_checkpoint(run[0], tmp_path / "new" / "face.onnx").path)
    assert [(value.name, value.type, value.shape) for value in (*session.get_inputs(), *session.get_outputs())] == [
        ("images", "tensor(uint8)", ["batch", 3, SIZE, SIZE]),
        ("age_group", "tensor(float)", ["batch", 8]),
        ("years", "tensor(float)", ["batch"]),
        ("gender", "tensor(float)", ["batch", 2]),
    ]
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known.pop("age_groups")) == list(age_groups("strict").names)
    assert json.loads(known.pop("genders")) == ["male", "female"]
    assert known == {"image_size": "35", "model": "levi_hassner", "loss": "weighted", "checkpoint": "best.ckpt"}


def test_without_a_record_the_file_tells_the_classes_of_network_and_method(run: Run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "moved.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(run[0].read_bytes())
    (tmp_path / "record.json").write_text("something else")
    known = onnx_session(export_checkpoint(checkpoint).path).get_modelmeta().custom_metadata_map
    assert (known["model"], known["loss"]) == ("LeviHassner", "CrossEntropy")


def test_a_file_names_no_path_of_this_machine(tmp_path: Path) -> None:
    content = export(small_module(), tmp_path / "a.onnx", image_size=16).path.read_bytes()
    assert b"/agegender/" not in content and str(Path.home()).encode() not in content


@pytest.mark.parametrize("opset", [18, 20, 26])
def test_a_file_has_the_opset_that_was_asked_for(opset: int, tmp_path: Path) -> None:
    module = small_module()
    path = export(module, tmp_path / "a.onnx", image_size=16, opset=opset).path
    assert [(entry.domain, entry.version) for entry in onnx.load(path).opset_import] == [("", opset)]
    assert_agrees(path, module, 16)


def test_an_export_leaves_the_module_as_it_was(tmp_path: Path) -> None:
    module = small_module().train()
    module.trainer = object()  # pyright: ignore  # stands for one that cannot be copied
    before = {key: value.clone() for key, value in module.state_dict().items()}
    export(module, tmp_path / "a.onnx", image_size=16)
    assert module.training and module.network.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_a_file_that_computes_something_else_is_refused_and_the_one_that_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_text("the one before")
    told = refusal(lambda: export(small_module(factor=1.1), path, image_size=16))
    assert "onnxruntime's gender differs from PyTorch's by" in told and "nothing was written" in told
    assert path.read_text() == "the one before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.onnx"]


def test_a_network_whose_training_diverged_is_refused(tmp_path: Path) -> None:
    module = small_module()
    nn.init.constant_(module.network.heads.age.weight, float("nan"))  # pyright: ignore
    assert "age_group is not finite" in refusal(lambda: export(module, tmp_path / "a.onnx", image_size=16))
    assert list(tmp_path.iterdir()) == []


def test_a_network_too_large_for_one_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agegender.jobs.export._MAX_BYTES", 100)
    told = refusal(lambda: export(small_module(), tmp_path / "a.onnx", image_size=16))
    assert "too many for one ONNX file" in told and "data.image_size" in told


@pytest.mark.parametrize("opset", [0, 17, 99])
def test_an_opset_that_cannot_be_written_is_refused(opset: int, tmp_path: Path) -> None:
    told = refusal(lambda: export(small_module(), tmp_path / "a.onnx", image_size=16, opset=opset))
    assert told.startswith(f"opset={opset}: give one from 18 to ")


def test_a_directory_is_no_file_to_write(tmp_path: Path) -> None:
    assert "is a directory" in refusal(lambda: export(small_module(), tmp_path, image_size=16))


def test_a_file_that_is_no_onnx_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("no graph")
    for path in (tmp_path / "a.onnx", tmp_path / "gone.onnx"):
        assert f"cannot read {path}" in refusal(lambda path=path: onnx_session(path))


def test_the_command_refuses_to_write_over_the_checkpoint(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = run[0].read_bytes()
    assert cli.main(["export", str(run[0]), "--out", str(run[0])]) == 2
    assert "is the checkpoint itself" in capsys.readouterr().err
    assert run[0].read_bytes() == before


def test_the_command_says_that_a_checkpoint_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", str(tmp_path / "nowhere.ckpt")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and told[0].startswith(f"error: ckpt_path={tmp_path / 'nowhere.ckpt'} is not a file")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_the_command_says_which_extra_is_missing(
    package: str, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert cli.main(["export", str(run[0])]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and "needs the extra: pip install 'agegender[export]'" in told[0] and package in told[0]
