"""The parts of a cartoon face, drawn by a person's traits: head, hair, eyes, mouth, beard and marks of age.

Lengths are in half head heights, with the origin in the middle of the head, x to the right and y down.
"""

import math

import numpy as np

from agegender.data.synthetic.pen import Pen, Shape, arc, oval
from agegender.data.synthetic.traits import Color, Traits, mix

BLACK: Color = (0, 0, 0)
WHITE: Color = (250, 250, 248)
SIDES = (-1.0, 1.0)


def head_outline(t: Traits) -> Shape:
    """Return the outline of the head: half an ellipse above, and below it cheeks that narrow to the chin."""
    down = np.sin(np.linspace(-math.pi / 2, math.pi / 2, 36))
    half = t.width * np.where(down < 0, np.sqrt(1 - down**2), (1 - np.abs(down) ** t.jaw) ** 0.62)
    half = half + 0.07 * t.jowl * np.exp(-(((down - 0.66) / 0.16) ** 2))
    return np.concatenate((np.column_stack((half, down)), np.column_stack((-half, down))[::-1]))


def random_color(rng: np.random.Generator) -> Color:
    """Draw a random colour."""
    red, green, blue = rng.integers(10, 245, 3).tolist()
    return red, green, blue


def _wavy(rng: np.random.Generator, count: int, curl: float) -> np.ndarray:
    """Draw a random outline around 1: slow waves, and fast ones for curly hair."""
    along = np.linspace(0, 1, count)
    slow = sum(rng.normal(0, 0.22 / k) * np.sin(math.pi * k * along + rng.uniform(0, 6.3)) for k in (1, 2, 3))
    fast = 0.3 * curl * np.sin(2 * math.pi * rng.uniform(7, 14) * along + rng.uniform(0, 6.3))
    return np.clip(1 + slow + fast, 0.15, 2.2)


def draw_behind(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw the hair behind the head, then neck, clothes and ears."""
    if t.hair_end > 0.3:
        y = np.linspace(-0.6, t.hair_end, 14)
        tips = 1 - rng.uniform(0.1, 0.6) * np.linspace(0, 1, 14) ** 8  # round or straight cut
        flare = t.width + t.hair_volume * 1.5 + 0.1 * rng.normal(0.3, 1) * (y + 0.6)
        left, right = (flare + 0.6 * t.hair_volume * (_wavy(rng, 14, t.hair_curl) - 1) for _ in SIDES)
        shape = np.concatenate((np.column_stack((right * tips, y)), np.column_stack((-left * tips, y))[::-1]))
        pen.fill(shape, mix(t.hair, BLACK, 0.3))
    neck = t.width * rng.uniform(0.58, 0.72)
    shoulder = rng.uniform(1.1, 1.5)
    pen.fill(np.array([(-neck, 0.4), (neck, 0.4), (neck, 2.2), (-neck, 2.2)]), mix(t.skin, BLACK, 0.22))
    cloth = mix(random_color(rng), mix(BLACK, WHITE, rng.random()), 0.5 * float(rng.random() < 0.5))
    top = rng.uniform(1.08, 1.3)
    pen.fill(np.array([(-shoulder, top + 0.25), (-neck, top), (0, top + 0.2), (neck, top),
                       (shoulder, top + 0.25), (2.5, 3), (-2.5, 3)]), cloth)  # fmt: skip
    for side in SIDES:
        pen.fill(oval(side * t.width * 0.99, t.eye_y + 0.16, 0.1, 0.2), mix(t.skin, BLACK, 0.1))
        if t.earrings:
            ring = oval(side * (t.width + 0.04), t.eye_y + 0.42, 0.04, rng.uniform(0.04, 0.09))
            pen.fill(ring, (225, 205, 130))


def draw_hair(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw the hair on top: an outer outline, and a hairline that recedes with baldness."""
    count = 33
    angle = np.linspace(math.pi, 2 * math.pi, count)
    end = min(t.hair_end, 0.45) if t.hair_end > 0.3 else t.hair_end
    thick = t.hair_volume * _wavy(rng, count, t.hair_curl)
    top = 1.0 - t.bald * np.clip(1.6 * np.sin(-angle), 0, 1)
    outer = np.column_stack((np.cos(angle) * (t.width + thick), np.sin(angle) * (1 + thick * top) - 0.02))
    across = np.linspace(-0.93, 0.93, count)
    part = rng.uniform(-0.5, 0.5)
    line = t.hairline + 0.1 * rng.normal() * (across - part) + 0.12 * rng.normal() * np.abs(across - part)
    line = line + 0.07 * (_wavy(rng, count, t.hair_curl) - 1) - 0.2 * np.abs(across) ** 2
    line = line - t.bald * (0.75 * np.clip(1.25 - across**2, 0, 1) + 0.25 * np.abs(across))
    skull = -np.sqrt(1 - (across * 0.99) ** 2) - 0.01
    hairline = np.column_stack((across * t.width, np.maximum(line, skull)))
    low = [(side * (t.width + thick[-1]), end) for side in (1, -1)]
    inner = [(side * t.width * 0.92, end) for side in (1, -1)]
    cap = np.concatenate((outer, [low[0], inner[0]], hairline[::-1], [inner[1], low[1]]))
    pen.fill(cap, t.hair, t.hair_cover)
    for _ in range(round(14 * t.hair_cover * (1 - t.bald))):
        place = rng.integers(3, count - 3)
        middle = (outer[place] + hairline[place]) / 2 + rng.normal(0, 0.03, 2)
        pen.line(
            np.array([outer[place], middle, hairline[place]]),
            0.025,
            mix(t.hair, BLACK if rng.random() < 0.6 else WHITE, 0.35),
            0.5 * t.hair_cover,
        )
    if t.bow:
        x = rng.choice(SIDES) * rng.uniform(0.2, 0.5)
        y = -0.85
        bow = random_color(rng)
        for side in SIDES:
            wing = np.array([(x, y), (x + side * 0.2, y - 0.12), (x + side * 0.2, y + 0.12)])
            pen.fill(wing, bow)


def draw_eyes(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw eyes, lids, lashes and brows."""
    iris = mix((70, 45, 30), (90, 130, 160), rng.random() ** 2 if t.hair[0] > 70 else 0.1 * rng.random())
    look = rng.normal(0, 0.12) * t.eye_size
    lift = rng.normal(0, 0.03)
    arch = 0.05 + 0.25 * max(0.0, 0.05 - t.brow)
    for side in SIDES:
        x = side * t.eye_gap
        y = t.eye_y
        size = t.eye_size
        height = size * max(0.15, t.eye_open)
        pen.fill(oval(x, y, size, height), mix(WHITE, t.skin, 0.12))
        pen.fill(oval(x + look, y, min(size * 0.5, height), height * 0.96), iris)
        pen.fill(oval(x + look, y, size * 0.24, min(size * 0.24, height)), (15, 12, 12))
        pen.fill(oval(x + look + 0.02, y - 0.03, 0.014, 0.014, 8), WHITE)
        lid = arc(x, y, size * 1.08, -height * 1.05)
        lid[0 if side < 0 else -1, 1] += 0.03 * t.wrinkles
        pen.line(lid, 0.016 + 0.03 * t.lashes, mix(t.skin, BLACK, 0.6 + 0.35 * min(t.lashes, 1)))
        for lash in np.linspace(0.3, 1, 4) if t.lashes > 0.35 else ():
            root_x = x + side * lash * size
            root_y = y - height * (1 - lash**2) - 0.01
            hair = np.array([(root_x, root_y), (root_x + side * 0.05, root_y - 0.06)])
            pen.line(hair, 0.014, (25, 20, 20), t.lashes)
        pen.line(arc(x, y, size, height * 1.05), 0.01, mix(t.skin, BLACK, 0.4), 0.7)
        crease = arc(x, y - height - 0.045, size, -0.03)
        pen.line(crease, 0.012, mix(t.skin, BLACK, 0.45), 0.35 + 0.4 * t.wrinkles)
        brow = arc(x, y - height - 0.1 - lift, size * 1.35, -arch)
        thick = t.brow * np.linspace(1.2, 0.5, 9)[:: -1 if side < 0 else 1, None] * [0, 1]
        pen.fill(np.concatenate((brow - thick, (brow + thick)[::-1])), t.brow_color, 0.5 + 6 * t.brow)


def draw_nose_and_mouth(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw the lines of the nose, and a mouth that may smile."""
    dark = mix(t.skin, BLACK, 0.45)
    tip = t.eye_y + 0.06 + t.nose
    for side in SIDES:
        pen.fill(oval(side * t.nose_width * 0.5, tip, 0.035, 0.02, 10), mix(t.skin, BLACK, 0.6))
        pen.line(arc(side * t.nose_width, tip - 0.03, 0.02, 0.06, 5), 0.014, dark, 0.7)
    lit = rng.choice(SIDES) * t.nose_width
    bridge = [
        (0.4 * lit, tip - 0.85 * t.nose),
        (0.55 * lit, tip - 0.4 * t.nose),
        (0.9 * lit, tip - 0.15 * t.nose),
    ]
    pen.line(np.array(bridge), 0.016, dark, 0.5)
    pen.line(arc(0, tip + 0.01, t.nose_width * 0.6, 0.035), 0.016, dark, 0.7)
    bend = 0.1 * t.smile
    half = t.mouth_width
    color = mix(mix(t.skin, (150, 60, 60), 0.3), (176, 32, 50), t.lip_red)
    middle = arc(0, t.mouth_y, half, bend)
    across = np.linspace(-1, 1, 9)
    bow = 0.05 * t.lip * (1 - across**2) * (1 - 0.35 * np.exp(-((across / 0.2) ** 2)))
    below = 0.075 * t.lip * (1 - across**2)
    gap = max(0.0, t.smile - 0.55 + rng.normal(0, 0.15)) * 0.22 * (1 - across**2)
    shape = np.concatenate((middle - bow[:, None] * [0, 1], (middle + (gap + below)[:, None] * [0, 1])[::-1]))
    pen.fill(shape, color)
    if gap.max() > 0.02:
        teeth = np.concatenate((middle, (middle + gap[:, None] * [0, 1])[::-1]))
        pen.fill(teeth, mix(WHITE, (90, 30, 30), 0.1))
    pen.line(middle, 0.016, mix(color, BLACK, 0.55), 0.9)
    pen.line(arc(0, t.mouth_y + 0.17 + bend, half * 0.35, 0.02), 0.02, dark, 0.3)


def draw_age_marks(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw wrinkles of forehead, eyes and cheeks, more and darker with age; age spots and pimples."""
    dark = mix(t.skin, BLACK, 0.5)
    ink = 0.85 * t.wrinkles
    thick = 0.014 + 0.016 * t.wrinkles
    for row in range(round(4.4 * t.wrinkles + rng.normal(0, 0.5))):
        furrow = arc(rng.normal(0, 0.03), t.eye_y - 0.34 - 0.085 * row, rng.uniform(0.28, 0.44), -0.035)
        pen.line(furrow, thick, dark, ink)
    tip = t.eye_y + 0.06 + t.nose
    for side in SIDES:
        for ray in range(round(4 * t.wrinkles + rng.normal(0, 0.4))):
            start = t.eye_gap + t.eye_size * 1.15
            foot = [
                (side * start, t.eye_y + 0.03),
                (side * (start + 0.13), t.eye_y + 0.03 + 0.07 * (ray - 1.2)),
            ]
            pen.line(np.array(foot), thick * 0.8, dark, ink)
        fold = np.array([(t.nose_width + 0.04, tip - 0.04), (t.mouth_width * 0.95, t.mouth_y - 0.12),
                         (t.mouth_width + 0.07, t.mouth_y + 0.05)])  # fmt: skip
        pen.line(fold * [side, 1], thick * 1.2, dark, 0.1 + ink + 0.15 * max(t.smile, 0))
        if t.wrinkles > 0.45:
            corner = side * (t.mouth_width + 0.02)
            pen.line(np.array([(corner, t.mouth_y + 0.08), (corner, t.mouth_y + 0.26)]), thick, dark, ink * 0.9)
            pen.line(np.array([(side * 0.05, t.eye_y - 0.2), (side * 0.04, t.eye_y - 0.06)]), thick, dark, ink)
        bag = arc(side * t.eye_gap, t.eye_y + t.eye_size * t.eye_open + 0.03, t.eye_size, 0.065)
        pen.line(bag, 0.016 + 0.02 * t.bags, dark, 0.65 * t.bags)
    brown = mix(t.skin, (90, 50, 20), 0.6)
    for count, color, reach in ((t.spots, brown, 0.03), (t.pimples, (190, 70, 60), 0.022)):
        for _ in range(count):
            x = rng.uniform(-0.6, 0.6)
            y = rng.uniform(-0.6, 0.6)
            pen.fill(oval(x, y, reach * rng.uniform(0.5, 1.2), reach, 9), color, 0.6)


def draw_beard(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw a beard or stubble below the cheeks and around the mouth."""
    if t.beard < 0.05:
        return
    outline = head_outline(t)
    low = outline[outline[:, 1] > t.mouth_y - 0.3]
    edge = low[0, 0] * 0.98
    grow = 1.0 + (0.06 * rng.random() if t.beard > 0.5 else 0.0)
    cheek = t.mouth_y - rng.uniform(0.12, 0.3)
    inner = np.array([(-0.8 * edge, cheek), (-t.mouth_width - 0.06, t.mouth_y + 0.02), (0, t.mouth_y + 0.13),
                      (t.mouth_width + 0.06, t.mouth_y + 0.02), (0.8 * edge, cheek)])  # fmt: skip
    color = mix(t.brow_color, t.hair, 0.6)
    pen.fill(np.concatenate((low * [0.995, grow], inner)), color, t.beard)
    if t.moustache:
        base = t.mouth_y - 0.035
        half = t.mouth_width * 0.95
        shape = np.concatenate((arc(0, base - 0.02, half, -0.11), arc(0, base, half, -0.02)[::-1]))
        pen.fill(shape, color, t.beard)


def draw_glasses(pen: Pen, rng: np.random.Generator, t: Traits) -> None:
    """Draw glasses with round or square frames, thin or thick."""
    if not t.glasses:
        return
    color = mix(BLACK, WHITE, rng.random() ** 2 * 0.6)
    thick = rng.uniform(0.015, 0.045)
    square = rng.uniform(0.5, 1.0)
    angle = np.linspace(0, 2 * math.pi, 25)
    across, down = (0.22 * np.sign(wave) * np.abs(wave) ** square for wave in (np.cos(angle), np.sin(angle)))
    for side in SIDES:
        frame = np.column_stack((across + side * max(t.eye_gap, 0.3), 0.85 * down + t.eye_y + 0.02))
        pen.fill(frame, WHITE, 0.1)
        pen.line(frame, thick, color)
        pen.line(np.array([(side * 0.56, t.eye_y), (side * t.width, t.eye_y - 0.04)]), thick, color)
    pen.line(arc(0, t.eye_y, 0.09, -0.04), thick, color)
