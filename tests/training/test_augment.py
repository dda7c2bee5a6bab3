"""Random augmentation of training images."""

import pytest
import torch
from torch import Tensor

from agegender.training.augment import Augment, shifted


@pytest.fixture
def images() -> Tensor:
    """Return 64 images of 20 x 20 random pixels, channels last in memory."""
    torch.manual_seed(0)
    return torch.randint(0, 256, (64, 20, 20, 3), dtype=torch.uint8).permute(0, 3, 1, 2)


def normalized(images: Tensor) -> Tensor:
    return (images.float() / 64 - 2).contiguous(memory_format=torch.channels_last)


def same(some: Tensor, others: Tensor) -> Tensor:
    """Return bool (B,), whether the images are the same."""
    return (some == others).flatten(1).all(dim=1)


def test_without_any_change_images_stay_as_they_are(images: Tensor) -> None:
    augment = Augment()
    assert augment.move(images) is images
    pixels = normalized(images)
    assert augment.change(pixels) is pixels


def test_a_flip_mirrors_left_and_right_for_about_its_share_of_the_images(images: Tensor) -> None:
    moved = Augment(flip=0.5).move(images)
    mirrored = same(moved, images.flip(3))
    kept = same(moved, images)
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48  # 32 expected, standard deviation 4
    assert moved.dtype == torch.uint8 and moved.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_of_probability_1_mirrors_every_image(images: Tensor) -> None:
    assert torch.equal(Augment(flip=1.0).move(images), images.flip(3))


def test_a_shift_moves_each_image_by_its_own_whole_pixels_and_repeats_the_edge(images: Tensor) -> None:
    moved = Augment(shift=0.1).move(images)  # by 2 of 20 pixels at most
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2), mode="replicate").to(torch.uint8)
    found = []
    for index in range(len(images)):
        matches = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(moved[index], padded[index, :, y : y + 20, x : x + 20])
        ]
        assert len(matches) == 1
        found += matches
    assert len(set(found)) > 12  # of 25 shifts


def test_brightness_adds_one_number_to_an_image_and_contrast_multiplies_by_one(images: Tensor) -> None:
    pixels = normalized(images)
    brighter = Augment(brightness=0.4).change(pixels) - pixels
    assert brighter.flatten(1).std(dim=1).max() < 1e-5
    assert 0.2 < brighter.flatten(1).mean(dim=1).abs().max() <= 0.4
    ratio = Augment(contrast=0.3).change(pixels).flatten(1).std(dim=1) / pixels.flatten(1).std(dim=1)
    assert 0.7 <= ratio.min() < 0.85 and 1.15 < ratio.max() <= 1.3


def test_erasing_blanks_one_rectangle_of_about_its_share_of_the_images(images: Tensor) -> None:
    pixels = normalized(images) + 10  # nothing is 0
    blank = (Augment(erase=0.5).change(pixels) == 0).all(dim=1)  # (B, H, W)
    erased = blank.flatten(1).any(dim=1)
    assert 16 < erased.sum() < 48
    for mask in blank[erased]:
        rows = mask.any(dim=1)
        columns = mask.any(dim=0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])
        assert rows.sum() <= 10 and columns.sum() <= 10  # 0.45 of 20, and a pixel more where it lies between two


def test_a_warp_of_a_mirror_image_alone_is_the_mirror_image(images: Tensor) -> None:
    pixels = normalized(images)
    augment = Augment(flip=1.0, rotate=1e-6)
    assert augment.move(images) is images, "flipped twice"
    torch.testing.assert_close(augment.change(pixels), pixels.flip(3), atol=1e-3, rtol=0)


def test_a_rotation_turns_an_image_about_its_middle(images: Tensor) -> None:
    pixels = torch.zeros(400, 3, 21, 21)
    pixels[:, :, 10, 18] = 1.0  # 8 pixels right of the middle
    turned = Augment(rotate=90.0).change(pixels)[:, 0]
    rows, columns = torch.meshgrid(torch.arange(21.0) - 10, torch.arange(21.0) - 10, indexing="ij")
    radius = (turned * (rows**2 + columns**2).sqrt()).sum(dim=(1, 2)) / turned.sum(dim=(1, 2))
    torch.testing.assert_close(radius, torch.full((400,), 8.0), atol=0.6, rtol=0)
    up = (turned * rows).sum(dim=(1, 2)) / turned.sum(dim=(1, 2))
    assert up.min() < -7 and up.max() > 7
    assert (turned * columns).sum(dim=(1, 2)).min() > -0.7  # by 90 degrees at most


def test_a_scale_changes_the_size_within_its_share() -> None:
    pixels = torch.zeros(200, 3, 40, 40)
    pixels[:, :, 10:30, 10:30] = 1.0
    area = Augment(scale=0.2).change(pixels)[:, 0].sum(dim=(1, 2)) / 400
    assert 0.8**2 * 0.97 <= area.min() < 0.75 and 1.3 < area.max() <= 1.2**2 * 1.03


def test_mixed_images_are_the_stated_shares_of_themselves_and_their_partners(images: Tensor) -> None:
    pixels = normalized(images)
    shares = set()
    for _ in range(20):
        mixed, partner, share = Augment(mixup=0.4).mix(pixels)
        torch.testing.assert_close(mixed, share * pixels + (1 - share) * pixels[partner])
        assert sorted(partner.tolist()) == list(range(64)) and 0 <= share <= 1
        shares.add(round(share, 3))
    assert len(shares) > 10


def test_the_same_seed_draws_the_same_changes(images: Tensor) -> None:
    augment = Augment(flip=0.5, shift=0.1, rotate=10, scale=0.1, brightness=0.3, contrast=0.2, erase=0.5)
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        drawn.append(augment.change(normalized(augment.move(images))))
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("progress", "side"), [(0.0, 32), (0.14, 32), (0.16, 48), (0.29, 48), (0.32, 64), (0.59, 80), (0.6, 96), (1.0, 96)]
)
def test_images_grow_in_steps_of_16_pixels_to_their_own_size(progress: float, side: int) -> None:
    augment = Augment(start_size=32, full_size_from=0.6)
    augment.progress = progress
    pixels = torch.randn(2, 3, 96, 96).contiguous(memory_format=torch.channels_last)
    changed = augment.change(pixels)
    assert augment.side(96) == side and changed.shape == (2, 3, side, side)
    assert (changed is pixels) == (side == 96)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_warp_places_pixels_as_exactly_in_mixed_precision(images: Tensor, dtype: torch.dtype) -> None:
    augment = Augment(rotate=20, scale=0.2, shift=0.1)
    warped = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype, enabled=enabled):
            warped.append(augment.change(normalized(images)))
    assert torch.equal(*warped)


def test_a_shrunken_image_is_the_same_picture_with_and_without_a_warp(images: Tensor) -> None:
    smooth = torch.nn.functional.interpolate(normalized(images), size=(64, 64), mode="bicubic")
    expected = torch.nn.functional.interpolate(smooth, size=(32, 32), mode="area")
    for options in ({}, {"scale": 1e-6}):
        shrunken = Augment(start_size=32, **options).change(smooth)
        assert shrunken.is_contiguous(memory_format=torch.channels_last)
        assert (shrunken - expected).abs().mean() < 0.2 * expected.std()


def test_images_are_shifted_along_both_diagonals_and_the_edge_is_repeated() -> None:
    image = torch.arange(25.0).view(1, 1, 5, 5)
    views = [view[0, 0] for view in shifted(image, 0.2)]  # by 1 of 5 pixels
    rows = torch.tensor([[0, 0, 1, 2, 3], [1, 2, 3, 4, 4]])
    columns = torch.tensor([[0, 0, 1, 2, 3], [1, 2, 3, 4, 4]])
    expected = [image[0, 0][row][:, column] for row in rows for column in columns]
    assert all(torch.equal(view, other) for view, other in zip(views, expected, strict=True))
    assert not torch.equal(shifted(image, 0.01)[0], image), "by a pixel at least"
