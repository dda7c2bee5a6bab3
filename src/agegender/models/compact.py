"""Compact residual networks for faces of 64 to 128 pixels, on two CPU cores as well as on a GPU: this project's own.

A 3 x 3 convolution of stride 2 reads the pixels with few channels, as full resolution is where a CPU spends its time on
moving memory; further ones of stride 2 halve the side and widen. Between them residual blocks (He et al. 2016) of plain
3 x 3 convolutions, which keep the multipliers busy: depthwise ones have fewer multiplications and take longer. A mean
over the positions feeds both heads. Several may be trained as one, an ensemble that can share its first stages
(TreeNet, Lee et al. 2015, https://arxiv.org/abs/1511.06314).
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
    """Two convolutions beside a shortcut; begins as the identity, Goyal et al. 2017."""

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.first = _convolution(num_channels, num_channels)
        self.second = _convolution(num_channels, num_channels)
        nn.init.zeros_(self.second[1].weight)  # pyright: ignore[reportArgumentType]

    def forward(self, images: Tensor) -> Tensor:
        change = self.second(functional.relu(self.first(images), inplace=True))
        return functional.relu(images + change, inplace=True)


def _check_stages(channels: Sequence[int], blocks: Sequence[int]) -> None:
    if len(channels) != len(blocks):
        raise InputError(f"model.channels={list(channels)}, model.blocks={list(blocks)}: give as many of both")


def _stages(channels: Sequence[int], blocks: Sequence[int]) -> nn.Sequential:
    """Make the stages between these numbers of channels, one fewer than they are."""
    layers: list[nn.Module] = []
    for num_in, num_channels, num_blocks in zip(channels[:-1], channels[1:], blocks, strict=True):
        layers += [_convolution(num_in, num_channels, stride=2), nn.ReLU(inplace=True)]
        layers += [_Block(num_channels) for _ in range(num_blocks)]
    return nn.Sequential(*layers)


class CompactNet(nn.Module):
    """Stages of a halving convolution and residual blocks.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; the network pools to a fixed size, so that any will do.
        channels: of each stage.
        blocks: residual blocks of each stage, after the convolution that halves the side.
        dropout: before the heads.
        weights: a file of pretrained weights.
        num_in: channels of what it reads.

    Raises:
        InputError: there is not a number of blocks for each number of channels.
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
    """Compact networks side by side, which may share their first stages; the mean of their outputs predicts.

    Args:
        num_outputs, image_size, channels, blocks, dropout, weights: as of `CompactNet`, of each of them.
        branches: how many; each is trained with its own loss.
        shared: number of stages before the branches.

    Raises:
        InputError: as for `CompactNet`, or there is no branch, or no stage left for one.
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
                f"model.branches={branches}, model.shared={shared}: give at least one branch, and less shared stages "
                f"than there are, {len(channels)}"
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
