"""Any backbone of timm (PyTorch Image Models, Wightman 2019) with the two heads; it needs the extra `timm`."""

import difflib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from agegender.models.heads import FaceOutputs, TwoHeads
from agegender.models.normalization import IMAGENET, Normalization
from agegender.models.weights import UNREADABLE, load_pretrained
from agegender.system.errors import InputError, first_line

_DEFAULT = "DEFAULT"  # as in torchvision; here the weights of the tag in the name, or timm's default ones


class TimmNet(nn.Module):
    """A backbone of timm without its classifier, with the two heads on its pooled features.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; architectures of a fixed size, such as ViTs, are built for it.
        name: timm's name of the architecture, such as resnet18. A tag after it, as in resnet18.a1_in1k, defines which
            weights DEFAULT means; the tag alone loads no weights.
        dropout: before the heads.
        options: further arguments of timm's constructor, such as drop_path_rate.
        weights: a file of pretrained weights, or timm's tag of published ones, such as a1_in1k, or DEFAULT.

    Attributes:
        normalization: of the images: ImageNet's from scratch; with weights, the one that timm states for them.

    Raises:
        InputError: timm is not installed, it has no such architecture, or the weights cannot be loaded.
        ValueError: the architecture cannot be built for this size.
    """

    def __init__(
        self,
        num_outputs: int,
        image_size: int = 128,
        *,
        name: str,
        dropout: float = 0.0,
        options: dict[str, Any] | None = None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        timm = _import_timm()
        _check_name(timm, name)
        self.image_size = image_size
        is_tag = weights is not None and not Path(weights).expanduser().is_file()
        if weights is not None and is_tag:
            self.backbone = _fetch(timm, name, weights, image_size, options or {})
        else:
            self.backbone = _create(timm, name, image_size, options or {})
        self.dropout = nn.Dropout(dropout)
        self.heads = TwoHeads(self.backbone.head_hidden_size, num_outputs)
        if not is_tag:
            load_pretrained(self, weights, convert=self._adapt)
        self.normalization = IMAGENET if weights is None else _normalization_of(self.backbone)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        return self.heads(self.dropout(self.backbone(images)))

    def _adapt(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Rename and resize tensors as timm does for its own files, so that a ViT's weights fit another image size."""
        adapt = getattr(sys.modules[type(self.backbone).__module__], "checkpoint_filter_fn", None)
        if adapt is None or any("backbone." in name for name in state):  # a checkpoint of this project
            return state
        try:
            return adapt(state, self.backbone)
        except UNREADABLE:  # the file is of another architecture; loading then reports the first missing tensor
            return state


def _normalization_of(backbone: Any) -> Normalization:
    """Return the normalization for timm's weights under the backbone's name; ImageNet's if timm publishes none."""
    published = backbone.pretrained_cfg
    if published.get("tag") in (None, "", "untrained"):
        return IMAGENET
    source = f"timm {published['architecture']}.{published['tag']}"
    return Normalization(tuple(published["mean"]), tuple(published["std"]), source)


def _import_timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        raise InputError("model=timm needs the extra: pip install 'agegender[timm]'") from error
    return timm


def _check_name(timm: ModuleType, name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=4)
        suggestion = f"did you mean {', '.join(close)}" if close else "timm.list_models() lists all names"
        raise InputError(f"model.name={name} is not an architecture of timm {timm.__version__}; {suggestion}")
    if tag and tag not in _tags(timm, architecture):
        raise InputError(f"model.name={name}: timm {timm.__version__} {_published_tags(timm, architecture)}")


def _tags(timm: ModuleType, architecture: str) -> list[str]:
    return [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]


def _published_tags(timm: ModuleType, architecture: str) -> str:
    tags = _tags(timm, architecture)
    return f"publishes for {architecture} only {', '.join(tags)}" if tags else f"publishes nothing for {architecture}"


def _create(timm: ModuleType, name: str, image_size: int, options: dict[str, Any], pretrained: bool = False) -> Any:
    published = timm.get_pretrained_cfg(name)
    if published is not None and published.fixed_input_size:
        options = {"img_size": image_size, **options}
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except (AssertionError, ArithmeticError) as error:  # raised by some architectures of a fixed size
        raise ValueError(f"{name} does not accept images of {image_size} pixels ({first_line(error)})") from error


def _fetch(timm: ModuleType, name: str, tag: str, image_size: int, options: dict[str, Any]) -> Any:
    architecture = name.partition(".")[0]
    tags = _tags(timm, architecture)
    if tag != _DEFAULT and tag not in tags:
        published = _published_tags(timm, architecture)
        raise InputError(f"model.weights={tag} is not a file, and timm {published}; check the path")
    if not tags:
        raise InputError(f"model.weights={tag}: timm {_published_tags(timm, architecture)}; give a file")
    from huggingface_hub.errors import EntryNotFoundError

    full = name if tag == _DEFAULT else f"{architecture}.{tag}"
    try:
        return _create(timm, full, image_size, options, pretrained=True)
    except (OSError, RuntimeError, EntryNotFoundError) as error:
        raise InputError(
            f"model.weights={tag} of {architecture} cannot be fetched ({first_line(error, limit=120).rstrip('. ')}); "
            "give the path of a file instead"
        ) from error
