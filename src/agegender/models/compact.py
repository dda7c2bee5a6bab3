"""Compact residual networks for faces of 64 to 128 pixels, for two CPU cores as well as for a GPU: this project's own.

The first 3 x 3 convolution has stride 2 and few channels, as at full resolution a CPU spends its time on moving memory;
each further stage starts with a convolution of stride 2, which halves the side, and has more channels. Then follow
residual blocks (He et al. 2016) of plain 3 x 3 convolutions: depthwise ones need fewer multiplications but more time.
The mean over all positions feeds both heads. Several networks can be trained as an ensemble that shares its first
stages (TreeNet, Lee et al. 2015, https://arxiv.org/abs/1511.06314).
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from agegender.models.heads import FaceOutputs, TwoHeads, average
from agegender.models.weights import load_pretrained
from agegender.system.errors import InputError


def _convolution(num_in: int, num_out: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(num_in, num_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(num_out))


class _Block(nn.Module):
    """Two convolutions with a shortcut; initialized as the identity, Goyal et al. 2017."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.first = _convolution(num_channels, num_channels)
        self.second = _convolution(num_channels, num_channels)
        nn.init.zeros_(self.second[1].weight)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        residual = self.second(functional.relu(self.first(images), inplace=True))
        return functional.relu(images + residual, inplace=True)


def _check_stages(channels: Sequence[int], blocks: Sequence[int]) -> None:
    if len(channels) != len(blocks):
        raise InputError(f"model.channels={list(channels)}, model.blocks={list(blocks)} must have equal length")


def _stages(channels: Sequence[int], blocks: Sequence[int]) -> nn.Sequential:
    """Make the stages between successive numbers of channels, of which the first is the input's."""
    layers: list[nn.Module] = []
    for num_in, num_channels, num_blocks in zip(channels[:-1], channels[1:], blocks, strict=True):
        layers += [_convolution(num_in, num_channels, stride=2), nn.ReLU(inplace=True)]
        layers += [_Block(num_channels) for _ in range(num_blocks)]
    return nn.Sequential(*layers)


class CompactNet(nn.Module):
    """Stages of a convolution with stride 2 and residual blocks.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; the network pools to a fixed size, so any size works.
        channels: of each stage.
        blocks: number of residual blocks of each stage, after the convolution.
        dropout: before the heads.
        weights: a file of pretrained weights.
        num_in: channels of the input.

    Raises:
        InputError: `channels` and `blocks` differ in length.
    """

    def __init__(
        self,
        num_outputs: int,
        image_size: int = 64,
        *,
        channels: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] = (0, 1, 1, 1),
        dropout: float = 0.0,
        weights: str | None = None,
        num_in: int = 3,
    ) -> None:
        super().__init__()
        _check_stages(channels, blocks)
        self.image_size = image_size
        self.features = _stages((num_in, *channels), blocks)
        self.dropout = nn.Dropout(dropout)
        self.heads = TwoHeads(channels[-1], num_outputs)
        load_pretrained(self, weights)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        return self.heads(self.dropout(self.features(images).mean(dim=(2, 3))))


class CompactBranches(nn.Module):
    """An ensemble of compact networks, which may share their first stages; its outputs are the mean of theirs.

    Args:
        num_outputs, image_size, channels, blocks, dropout, weights: see `CompactNet`; for each network.
        branches: number of networks; each is trained with its own loss.
        shared: number of stages that all networks share.

    Raises:
        InputError: as for `CompactNet`, or there is no branch, or no stage is left for the branches.
    """

    def __init__(
        self,
        num_outputs: int,
        image_size: int = 64,
        *,
        channels: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] = (0, 1, 1, 1),
        branches: int = 2,
        shared: int = 0,
        dropout: float = 0.0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        _check_stages(channels, blocks)
        if branches < 1 or not 0 <= shared < len(channels):
            raise InputError(
                f"model.branches={branches}, model.shared={shared}: give at least one branch, and fewer shared stages "
                f"than the {len(channels)} in total"
            )
        self.image_size = image_size
        widths = (3, *channels)
        self.shared = _stages(widths[: shared + 1], blocks[:shared])
        own = {"channels": channels[shared:], "blocks": blocks[shared:], "num_in": widths[shared], "dropout": dropout}
        self.branches = nn.ModuleList(CompactNet(num_outputs, image_size, **own) for _ in range(branches))
        load_pretrained(self, weights)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        features = self.shared(images)
        outputs = [branch(features) for branch in self.branches]
        return average(outputs)._replace(members=tuple(outputs) if self.training else ())
