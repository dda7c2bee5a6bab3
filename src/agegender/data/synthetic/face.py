"""Cartoon faces, drawn with Pillow at twice the size, then shrunk, lit, blurred and made noisy like photographs."""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from agegender.data.synthetic import parts as parts
from agegender.data.synthetic.pen import Pen, oval
from agegender.data.synthetic.traits import Traits, draw_traits

SIZE = 200  # pixels: the size of UTKFace's aligned and cropped faces
SCALE = 2  # shapes are drawn at twice the size: Pillow's polygons have hard edges
BLACK_AND_WHITE_SHARE = 0.05  # of the images
SHADE_SIZE = 50  # pixels: shading is soft, so a small image of it is enough


def draw_face(rng: np.random.Generator, age: int, gender: int, race: int) -> Image.Image:
    """Draw one face, which depends only on the arguments and the state of `rng`.

    Args:
        rng: source of all randomness; its state changes.
        age: years, 0 to 116.
        gender: 0 male, 1 female.
        race: 0 to 4, as in UTKFace.

    Returns:
        An RGB image of 200 x 200 pixels.
    """
    traits = draw_traits(rng, age, gender, race)
    pose = rng.normal((0, 0, 0.41, 0.5, 0.53), (0.1, 0.6, 0.025, 0.025, 0.025))  # see Pen
    picture = _background(rng)
    pen = Pen(picture, pose, traits.width)
    parts.draw_behind(pen, rng, traits)
    pen.fill(parts.head_outline(traits), traits.skin)
    parts.draw_beard(pen, rng, traits)
    parts.draw_eyes(pen, rng, traits)
    parts.draw_nose_and_mouth(pen, rng, traits)
    parts.draw_age_marks(pen, rng, traits)
    parts.draw_hair(pen, rng, traits)
    parts.draw_glasses(pen, rng, traits)
    return _photograph(picture.reduce(SCALE), _shades(rng, traits, pose), rng)


def _background(rng: np.random.Generator) -> Image.Image:
    """Draw blurred spots, coarse or fine, with some sharp ellipses and boxes in front."""
    cells = int(rng.choice((2, 3, 4, 6, 9, 14)))
    base = rng.uniform(20, 235, 3)
    base = base + (base.mean() - base) * rng.uniform(0, 0.9)  # few rooms have bright colours
    grid = rng.normal(base, 14, (cells, cells, 3)) + rng.normal(0, rng.uniform(15, 70), (cells, cells, 1))
    picture = Image.fromarray(np.clip(grid, 0, 255).astype(np.uint8))
    picture = picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    picture = picture.resize((SIZE * SCALE, SIZE * SCALE), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(rng.integers(0, 7)):
        x, y = rng.uniform(-0.1, 1.0, 2) * SIZE * SCALE
        width, height = rng.uniform(0.05, 0.5, 2) * SIZE * SCALE
        color = (*parts.random_color(rng), int(rng.uniform(60, 200)))
        shape: Callable[..., None] = draw.ellipse if rng.random() < 0.4 else draw.rectangle
        shape((x, y, x + width, y + height), fill=color)
    return picture


def _shades(rng: np.random.Generator, t: Traits, pose: np.ndarray) -> Image.Image:
    """Draw soft light and shadow on the head; 128 leaves a pixel unchanged."""
    picture = Image.new("L", (SHADE_SIZE, SHADE_SIZE), 128)
    pen = Pen(picture, pose, t.width)
    outline = parts.head_outline(t)
    pen.shade(outline, -0.22)
    pen.shade(outline * [0.86, 0.93], 0.02)
    sag = 0.3 * t.bags
    for side in parts.SIDES:
        pen.shade(oval(side * t.eye_gap, t.eye_y, t.eye_size * 1.4, 0.14), -0.06 - 0.3 * sag)
        pen.shade(oval(side * 0.4, t.eye_y + 0.34 + 0.1 * t.jowl, 0.16, 0.12), 0.12)
        pen.shade(oval(side * 0.45, t.mouth_y + 0.02, 0.07, 0.2), -0.28 * min(t.jowl, 1.2))
    pen.shade(oval(0, t.eye_y - 0.4, 0.3, 0.12), 0.1)
    pen.shade(oval(0, t.eye_y + 0.5 * t.nose, 0.05, t.nose * 0.5), 0.12)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.9, 1.5)))
    return picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR)


def _photograph(picture: Image.Image, shades: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light the picture from one side, and add the contrast, tint, blur and noise of a camera."""
    if rng.random() < 0.6:
        picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.1, 1.2)))
    side = np.linspace(-1, 1, SIZE, dtype=np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    strength = abs(rng.normal(0, 0.22))
    contrast = rng.uniform(0.7, 1.15)
    bright = rng.normal(0, 14)
    light = 1 + strength * (math.cos(angle) * side[None, :] + math.sin(angle) * side[:, None])
    light *= np.asarray(shades, dtype=np.float32) * np.float32(contrast / 128)
    noise = rng.standard_normal((SIZE, SIZE), dtype=np.float32) * np.float32(abs(rng.normal(0, 5)))
    noise += np.float32(128 * (1 - contrast) + bright)
    tint = rng.normal(1, 0.035, 3).astype(np.float32)
    if rng.random() < BLACK_AND_WHITE_SHARE:
        picture = picture.convert("L").convert("RGB")
        tint = np.ones(3, dtype=np.float32)
    planes = []  # one colour at a time, since NumPy is several times slower if the last axis has length 3
    for plane, share in zip(picture.split(), tint, strict=True):
        pixels = (np.asarray(plane) * light + noise) * share
        planes.append(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
    return Image.merge("RGB", planes)
