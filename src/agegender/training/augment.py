"""Random augmentation of training images: a whole batch at once, on its device, drawn for each image.

Flips and shifts as in cifar10-airbench (Jordan 2024), random erasing of Zhong et al. 2020, mixup of Zhang et al. 2018.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_SIZE_STEP = 16  # pixels, as a compact network halves the side four times
_ERASED_SIDE = (0.15, 0.45)  # shortest and longest side of an erased rectangle, as a share of the image's


def shifted(images: Tensor, share: float) -> list[Tensor]:
    """Shift images along both diagonals by whole pixels; the edge is repeated.

    Args:
        images: (B, C, H, W).
        share: length of the shift along each axis, as a share of the side.

    Returns:
        Four tensors of the same shape.
    """
    height, width = images.shape[2:]
    by = max(1, round(share * width))
    padded = functional.pad(images, (by, by, by, by), mode="replicate")
    return [padded[:, :, top : top + height, left : left + width] for top in (0, 2 * by) for left in (0, 2 * by)]


class Augment(nn.Module):
    """Augments images in training; an option of 0 is off.

    Draws from PyTorch's generator of the images' device, which the module seeds before each training batch.

    Args:
        flip: probability of the mirror image.
        shift: largest shift along each axis, as a share of the side; the edge is repeated.
        rotate: largest rotation, in degrees.
        scale: largest change of size, as a share.
        brightness: largest change, in standard deviations of a pixel.
        contrast: largest change, as a share.
        erase: probability that a rectangle is replaced by the mean colour.
        mixup: alpha of the Beta distribution that mixes each image, and its loss, with another's.
        start_size: pixels of a side in the first epoch; it then grows in steps of 16 (progressive learning, Tan & Le
            2021). None: full size in all epochs.
        full_size_from: share of the epochs after which images have full size.

    Attributes:
        progress: share of the epochs that are finished.
    """

    def __init__(
        self,
        *,
        flip: float = 0.0,
        shift: float = 0.0,
        rotate: float = 0.0,
        scale: float = 0.0,
        brightness: float = 0.0,
        contrast: float = 0.0,
        erase: float = 0.0,
        mixup: float = 0.0,
        start_size: int | None = None,
        full_size_from: float = 0.5,
    ) -> None:
        super().__init__()
        self.flip = flip
        self.shift = shift
        self.rotate = rotate
        self.scale = scale
        self.brightness = brightness
        self.contrast = contrast
        self.erase = erase
        self.mixup = mixup
        self.start_size = start_size
        self.full_size_from = full_size_from
        self.progress = 0.0

    @property
    def _warps(self) -> bool:
        return self.rotate > 0 or self.scale > 0

    def move(self, images: Tensor) -> Tensor:
        """Flip and shift by whole pixels, uint8 (B, 3, H, W); returned as they are if `change` warps them."""
        if self._warps or not (self.flip or self.shift):
            return images
        num_images, _, height, width = images.shape
        rows = self._shifted_indices(num_images, height, images.device)
        columns = self._shifted_indices(num_images, width, images.device)
        mirrored = torch.rand(num_images, 1, device=images.device) < self.flip
        columns = torch.where(mirrored, width - 1 - columns, columns)
        index = torch.arange(num_images, device=images.device)[:, None, None]
        moved = images.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]  # (B, H, W, 3)
        return moved.permute(0, 3, 1, 2)

    def _shifted_indices(self, num_images: int, side: int, device: torch.device) -> Tensor:
        """Draw the source row, or column, of each row, or column, of the shifted images: int64 (B, side)."""
        largest = round(self.shift * side)
        by = torch.randint(-largest, largest + 1, (num_images, 1), device=device)
        return (torch.arange(side, device=device) + by).clamp(0, side - 1)

    def change(self, images: Tensor) -> Tensor:
        """Warp, shrink, recolour and erase normalized images (B, 3, H, W), channels last in memory."""
        side = self.side(images.shape[3])
        if self._warps:
            images = self._warp(images, side)
        elif side < images.shape[3]:
            images = functional.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
        if self.brightness or self.contrast:
            images = images * (1 + self._between(images, self.contrast)) + self._between(images, self.brightness)
        return self._erase(images) if self.erase else images

    def side(self, full: int) -> int:
        """Return the pixels of a side in this epoch, for images of full size `full`."""
        if self.start_size is None or self.progress >= self.full_size_from:
            return full
        grown = (full - self.start_size) * self.progress / self.full_size_from
        return self.start_size + int(grown) // _SIZE_STEP * _SIZE_STEP

    def _between(self, images: Tensor, largest: float) -> Tensor:
        """Draw a number in [-largest, largest] for each image: (B, 1, 1, 1)."""
        return (2 * torch.rand(len(images), 1, 1, 1, **_like(images)) - 1) * largest

    def _warp(self, images: Tensor, side: int) -> Tensor:
        """Rotate, scale, flip, shift and resize in one interpolation.

        In float32, since the positions would be rounded to other pixels in bfloat16.
        """
        dtype = images.dtype
        images = images.float()
        angle = self._between(images, math.radians(self.rotate)).flatten()
        size = 1 / (1 + self._between(images, self.scale).flatten())
        mirror = torch.where(torch.rand_like(size) < self.flip, -1.0, 1.0)
        matrix = torch.zeros(len(images), 2, 3, **_like(images))
        matrix[:, 0, 0] = angle.cos() * size * mirror
        matrix[:, 0, 1] = -angle.sin() * size
        matrix[:, 1, 0] = angle.sin() * size * mirror
        matrix[:, 1, 1] = angle.cos() * size
        matrix[:, :, 2] = 2 * self.shift * (2 * torch.rand(len(images), 2, **_like(images)) - 1)
        with torch.autocast(images.device.type, enabled=False):
            grid = functional.affine_grid(matrix, [*images.shape[:2], side, side], align_corners=False)
            warped = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return warped.to(dtype).contiguous(memory_format=torch.channels_last)

    def _erase(self, images: Tensor) -> Tensor:
        num_images, _, height, width = images.shape
        chosen = torch.rand(num_images, 1, device=images.device) < self.erase
        rows = self._interval(num_images, height, images)
        columns = self._interval(num_images, width, images)
        inside = (rows & chosen)[:, None, :, None] & columns[:, None, None, :]  # (B, 1, H, W)
        return images.masked_fill(inside, 0.0)

    def _interval(self, num_images: int, side: int, images: Tensor) -> Tensor:
        """Draw an interval of a side for each image: bool (B, side), whether a pixel is inside."""
        shortest, longest = _ERASED_SIDE
        length = side * (shortest + (longest - shortest) * torch.rand(num_images, 1, device=images.device))
        middle = side * torch.rand(num_images, 1, device=images.device)
        return (torch.arange(side, device=images.device) - middle).abs() < length / 2

    def mix(self, images: Tensor) -> tuple[Tensor, Tensor, float]:
        """Mix each image with another of the batch.

        Args:
            images: normalized (B, 3, H, W).

        Returns:
            The mixed images; the partner of each image, int64 (B,); each image's own share, in [0, 1].
        """
        strength = torch.tensor(self.mixup, dtype=torch.float32)
        share = float(torch.distributions.Beta(strength, strength).sample())
        partner = torch.randperm(len(images), device=images.device)
        return images * share + images[partner] * (1 - share), partner, share


def _like(images: Tensor) -> dict[str, Any]:
    """Return the device and dtype of images, to draw numbers in: the default dtype depends on Lightning's precision."""
    return {"device": images.device, "dtype": images.dtype}
