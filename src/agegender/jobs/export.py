"""Export a network with its method to ONNX, https://onnx.ai: uint8 images in, probabilities and years out."""

import copy
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from agegender import labels
from agegender.jobs import build
from agegender.records.job_folder import JobFolder
from agegender.system.errors import InputError, first_line
from agegender.training.module import AgeGenderModule

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch.onnx import ONNXProgram

INPUT = "images"
OUTPUTS = ("age_group", "years", "gender")
# torch.onnx writes its operators for opset 18 and converts to later ones; whatever runs those runs 18 as well.
_OPSET = 18
_BATCHES = (1, 3)  # sizes that the file is tried with: one image is a special case in many kernels
# Of a probability, or a share of the years; float32 sums in another order move those of conf/model by 1e-5 at most.
_TOLERANCE = 1e-4
_MAX_BYTES = 3 * 2**29  # 1.5 GiB: from there on torch.onnx splits a model in two files, as protobuf ends at 2 GiB


@dataclass(frozen=True)
class Exported:
    """A file that was written and agrees with PyTorch.

    Attributes:
        path: of the file.
        num_bytes: its size.
        difference: the largest between onnxruntime and PyTorch on drawn images, of a probability or a share of years.
    """

    path: Path
    num_bytes: int
    difference: float


class FaceGraph(nn.Module):
    """What is exported: a copy of a module, in float32 on the CPU, with its method's reading of the outputs."""

    def __init__(self, module: AgeGenderModule) -> None:
        super().__init__()
        # Without the trainer that a fitted module holds, and so that the caller's stays as it is.
        network = copy.deepcopy(module.network)
        method = copy.deepcopy(module.method)
        at_test = {"test_time_flip": module.test_time_flip, "test_time_shift": module.test_time_shift}
        self.module = AgeGenderModule(network, method, **at_test).float().cpu()
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map uint8 images (B, 3, H, W), RGB, to (B, G) probabilities, (B,) years and (B, 2) probabilities."""
        outputs = self.module(images)
        age = self.module.method.decode(outputs.age)
        return age.group, age.years.float(), outputs.gender.softmax(dim=1)


def export_checkpoint(checkpoint: Path, path: Path | None = None, *, opset: int | None = None) -> Exported:
    """Export a run's checkpoint, with the names of its groups and what is known of the run as metadata.

    Args:
        checkpoint: of a run.
        path: file to write; None: beside the checkpoint, with the suffix .onnx.
        opset: as for `export`.

    Raises:
        InputError: no such checkpoint, or as for `export`.
    """
    trained = build.load_trained(checkpoint)
    path = path or checkpoint.with_suffix(".onnx")
    if path.exists() and path.samefile(checkpoint):
        raise InputError(f"{path} is the checkpoint itself; give another file with --out")
    metadata = _describe(trained, checkpoint)
    return export(trained.module, path, image_size=trained.image_size, opset=opset, metadata=metadata)


def export(
    module: AgeGenderModule,
    path: Path,
    *,
    image_size: int,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Exported:
    """Export a module and try the file with onnxruntime; it appears at its path once it agrees with PyTorch.

    It reads `images`, uint8 (B, 3, image_size, image_size), RGB, any B; normalization is inside. It gives, in float32,
    `age_group` (B, G) probabilities, `years` (B,) and `gender` (B, 2) probabilities.

    Args:
        module: stays as it is, on its device and in its mode.
        path: file to write; one that is there is replaced.
        image_size: pixels of a side.
        opset: version of ONNX's operators; None: 18.
        metadata: goes into the file beside `genders` and `image_size`.

    Raises:
        InputError: the extra is missing, the opset or the path will not do, the network is too large, its outputs are
            not finite, or onnxruntime computes something else than PyTorch.
    """
    opset = _OPSET if opset is None else opset
    _check_extra()
    _check_opset(opset)
    if path.is_dir():
        raise InputError(f"{path} is a directory; give the file to write, such as {path / 'best.onnx'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = FaceGraph(module)
    program = _trace(graph, image_size, opset)
    program.model.metadata_props.update(
        {"genders": json.dumps(labels.GENDERS), "image_size": str(image_size), **(metadata or {})}
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        program.save(temporary)
        difference = _largest_difference(graph, temporary, image_size)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return Exported(path, path.stat().st_size, difference)


def onnx_session(path: Path, num_threads: int | None = None) -> "InferenceSession":
    """Open an exported file on the CPU.

    Args:
        path: of the file.
        num_threads: of an operator; None: one per core.

    Returns:
        A session: `session.run(list(OUTPUTS), {INPUT: images})` reads and gives NumPy arrays.

    Raises:
        InputError: the extra is missing, or onnxruntime cannot read the file.
    """
    _check_extra()
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors  # pyright: ignore[reportAttributeAccessIssue]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads or 0
    unreadable = (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NoSuchFile, errors.NotImplemented)
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except unreadable as error:
        reason = first_line(error)
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} cannot read {path} ({reason}); export it again"
        ) from error


def _check_extra() -> None:
    try:
        for package in ("onnx", "onnxscript", "onnxruntime"):
            import_module(package)
    except ImportError as error:
        raise InputError(f"ONNX needs the extra: pip install 'agegender[export]' ({error})") from error


def _check_opset(opset: int) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if not _OPSET <= opset <= newest:
        raise InputError(
            f"opset={opset}: give one from {_OPSET} to {newest}, which PyTorch and onnx {onnx.__version__} know"
        )


def _describe(trained: build.TrainedNetwork, checkpoint: Path) -> dict[str, str]:
    """Collect what a file should say of its origin; lists are JSON."""
    try:
        run = JobFolder.of_checkpoint(checkpoint).read()
    except InputError:  # not a record of this version: then the classes' names must do
        run = None
    choices = run.choices if run is not None else {}
    chosen = {
        "model": str(choices.get("model", trained.model_name)),
        "loss": str(choices.get("loss", trained.loss_name)),
    }
    return {"age_groups": json.dumps(trained.groups.names), **chosen, "checkpoint": checkpoint.name}


def _trace(graph: FaceGraph, image_size: int, opset: int) -> "ONNXProgram":
    num_bytes = sum(tensor.nbytes for tensor in graph.state_dict().values())
    if num_bytes > _MAX_BYTES:
        raise InputError(
            f"the network's {num_bytes / 1e9:.1f} GB of weights are too many for one ONNX file, which holds "
            f"{_MAX_BYTES / 1e9:.1f} GB; train it with a smaller data.image_size"
        )
    images = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8)  # of 1 image it would keep the 1
    # It tells each way that it tries to get to an opset; whether it got there is checked.
    logging.getLogger("onnxscript.version_converter").setLevel(logging.CRITICAL)
    program = torch.onnx.export(
        graph,
        (images,),
        dynamo=True,
        verbose=False,
        input_names=[INPUT],
        output_names=list(OUTPUTS),
        dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
        opset_version=opset,
    )
    assert program is not None, "torch.onnx.export gives a program with dynamo=True"
    if program.model.opset_imports[""] != opset:
        raise InputError(f"opset={opset}: onnx cannot convert this network to it; leave it out for {_OPSET}")
    for node in program.model.graph.all_nodes():
        node.metadata_props.pop("pkg.torch.onnx.stack_trace", None)  # paths of this machine
    return program


def _largest_difference(graph: FaceGraph, path: Path, image_size: int) -> float:
    """Compare a file with the graph that it was made of, on drawn images."""
    session = onnx_session(path)
    largest = 0.0
    for batch in _BATCHES:
        images = _draw(batch, image_size)
        with torch.inference_mode():
            expected = graph(images)
        found = session.run(list(OUTPUTS), {INPUT: images.numpy()})
        for name, ours, theirs in zip(OUTPUTS, expected, found, strict=True):
            if not ours.isfinite().all():
                raise InputError(f"the network's {name} is not finite; its training diverged, so train it again")
            difference = ((torch.from_numpy(theirs) - ours).abs() / ours.abs().clamp(min=1)).max().item()
            if not difference <= _TOLERANCE:  # NaN is a difference as well
                raise InputError(
                    f"onnxruntime's {name} differs from PyTorch's by {difference:.1e} on {batch} images, more than "
                    f"{_TOLERANCE:.0e}, so nothing was written; try another --opset, or the versions of constraints.txt"
                )
            largest = max(largest, difference)
    return largest


def _draw(number: int, image_size: int) -> Tensor:
    """Draw uint8 (number, 3, H, W): soft patches of colour, since noise looks the same to a network each time."""
    generator = torch.Generator().manual_seed(number)
    patches = torch.rand(number, 3, 4, 4, generator=generator) * 255
    return functional.interpolate(patches, size=(image_size, image_size), mode="bicubic").clamp(0, 255).byte()
