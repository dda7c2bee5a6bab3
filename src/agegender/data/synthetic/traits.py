"""The traits by which a cartoon face shows age, gender and race: random numbers for the drawing code.

Every trait has a mean that depends on age and gender, and a spread by which neighbouring ages overlap, as in
photographs: no single number determines the label. Lengths are in units of half the head's height, with the origin in
the middle of the head, x to the right and y down: the top of the skull is y = -1 and the chin y = 1.
"""

import math
from dataclasses import dataclass

import numpy as np

Color = tuple[int, int, int]

# From the lightest to the darkest skin; tones in between are mixed.
SKIN_PALETTE = ((252, 226, 210), (236, 194, 162), (205, 152, 114), (146, 98, 70), (88, 58, 44))
# Overlapping ranges on that palette, in [0, 1], for the five race labels of UTKFace.
TONE_RANGES = ((0.0, 0.38), (0.55, 1.0), (0.08, 0.42), (0.32, 0.75), (0.12, 0.65))
HAIR_PALETTE = ((24, 20, 20), (48, 34, 28), (84, 56, 38), (122, 84, 50), (190, 150, 92), (150, 74, 38))
# Probabilities of these hair colours for race 0 and for all others.
HAIR_CHANCES = ((0.14, 0.22, 0.24, 0.18, 0.16, 0.06), (0.56, 0.27, 0.10, 0.04, 0.02, 0.01))


@dataclass(frozen=True)
class Traits:
    """One person's looks; lengths in half head heights, shares and strengths from 0 to 1."""

    width: float  # half width of the head at the cheeks
    jaw: float  # how square the lower half of the outline is: about 1.8 (pointed) to 3.5 (square)
    jowl: float
    eye_y: float
    eye_gap: float  # from the middle of the face to the middle of an eye
    eye_size: float  # half the width of an eye
    eye_open: float  # height of an eye by its width
    brow: float  # half thickness
    nose: float  # length
    nose_width: float
    mouth_y: float
    mouth_width: float
    lip: float  # fullness
    lip_red: float
    lashes: float
    wrinkles: float
    bags: float
    spots: int
    pimples: int
    hair_end: float  # y where the hair at the sides ends
    hair_volume: float
    hair_curl: float
    hair_cover: float  # opacity: a baby's hair is thin
    hairline: float  # y of the middle of the hairline
    bald: float
    beard: float  # opacity; below 0.4 it is stubble
    moustache: bool
    glasses: bool
    earrings: bool
    bow: bool
    smile: float  # -0.4 to 1
    skin: Color
    hair: Color
    brow_color: Color


def mix(first: Color, second: Color, share: float) -> Color:
    """Mix two colours; `share`, in [0, 1], is that of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _ramp(value: float, start: float, end: float) -> float:
    """Rise smoothly from 0 at `start` to 1 at `end`."""
    share = min(max((value - start) / (end - start), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _jitter(rng: np.random.Generator, color: Color, spread: float) -> Color:
    red, green, blue = (int(min(max(c + rng.normal(0, spread), 8), 255)) for c in color)
    return red, green, blue


def _skin(rng: np.random.Generator, race: int) -> Color:
    tone = rng.uniform(*TONE_RANGES[race]) * (len(SKIN_PALETTE) - 1)
    step = min(int(tone), len(SKIN_PALETTE) - 2)
    return _jitter(rng, mix(SKIN_PALETTE[step], SKIN_PALETTE[step + 1], tone - step), 6)


def _hair_colors(rng: np.random.Generator, look: float, gender: int, race: int) -> tuple[Color, Color]:
    """Draw the colours of the hair and of the brows, which go grey later; some people dye their hair."""
    natural = _jitter(rng, HAIR_PALETTE[rng.choice(len(HAIR_PALETTE), p=HAIR_CHANCES[min(race, 1)])], 8)
    grey = 1 / (1 + math.exp(-(look - 53 + rng.normal(0, 6)) / 5.5))
    dyed = look > 35 and rng.random() < (0.3 if gender else 0.06)
    silver = _jitter(rng, (206, 205, 204), 10)
    brows = mix(mix(natural, (40, 30, 26), 0.3), silver, 0.75 * grey * _ramp(look, 45, 75))
    return mix(natural, silver, 0.15 * grey if dyed else grey), brows


def _hair(rng: np.random.Generator, look: float, gender: int, adult: float) -> dict[str, float]:
    """Draw length, volume and loss of the hair; women's is long more often, most of all between 5 and 50 years."""
    grown = _ramp(look, 0.3, 4.5)
    chance_long = (0.8 - 0.45 * _ramp(look, 42, 75)) if gender else 0.07
    long_hair = rng.random() < chance_long * (0.25 + 0.75 * grown) * (0.8 + 0.2 * adult)
    end = rng.uniform(0.45, 1.5) if long_hair else rng.uniform(-0.4, 0.15) + (0.1 if gender else 0.0)
    bald = 0.0
    if rng.random() < (0.1 if gender else 0.72):
        bald = _ramp(look, 26, 85 + rng.normal(0, 12)) * rng.uniform(0.5, 1.5) * (0.3 if gender else 1.0)
    volume = (0.03 + 0.12 * grown) * rng.uniform(0.5, 1.5) * (1.3 if gender and grown > 0.5 else 1.0)
    return {
        "hair_end": end - 0.25 * (1 - grown),
        "hair_volume": volume * (1 - 0.35 * _ramp(look, 45, 85)),
        "hair_curl": rng.random() ** 2,
        "hair_cover": min(1.0, 0.1 + 0.95 * grown + abs(rng.normal(0, 0.18))),
        "hairline": rng.normal(-0.56, 0.07) - 0.1 * (1 - grown),
        "bald": min(bald, 1.0),
    }


def _wear(rng: np.random.Generator, look: float) -> dict[str, float]:
    """Draw how the skin has aged."""
    wear = _ramp(look, 22, 80) ** 0.85
    return {
        "jowl": max(0.0, wear * rng.normal(1.0, 0.25)),
        "wrinkles": min(max(wear * rng.normal(1.15, 0.2), 0.0), 1.0),
        "bags": min(max(0.08 + wear * rng.normal(0.95, 0.25) + rng.normal(0, 0.06), 0.0), 1.0),
    }


def _beard(rng: np.random.Generator, look: float, gender: int) -> tuple[float, bool]:
    """Draw the opacity of the beard, which many men shave or trim to stubble, and whether there is a moustache."""
    grown = 0.0 if gender else _ramp(look, 14, 27)
    kind = rng.random()
    beard = rng.uniform(0.55, 0.95) if kind < 0.28 else rng.uniform(0.1, 0.38) if kind < 0.65 else 0.0
    moustache = kind < 0.28 or rng.random() < 0.15
    return beard * grown, bool(moustache and grown > 0.35)


def _proportions(rng: np.random.Generator, look: float, gender: int, race: int) -> dict[str, float]:
    """Draw positions and sizes of the parts of the face: babies' eyes are large and low, their jaws small."""
    baby = math.exp(-look / 7.5)
    adult = _ramp(look, 8, 19)
    wear = _ramp(look, 28, 85)
    male = rng.normal(-1 if gender else 1, 0.5) * (0.2 + 0.8 * adult)
    makeup = adult * rng.uniform(0.1, 1.0) if gender else 0.0
    return {
        "width": 0.76 + 0.17 * baby + 0.02 * male + rng.normal(0, 0.025),
        "jaw": max(1.7, 2.35 + 0.4 * male + 0.25 * baby + rng.normal(0, 0.18)),
        "eye_y": -0.04 + 0.26 * baby + rng.normal(0, 0.02),
        "eye_gap": 0.33 + 0.06 * baby + rng.normal(0, 0.012),
        "eye_size": 0.135 + 0.06 * baby - 0.008 * male - 0.012 * wear + rng.normal(0, 0.007),
        "eye_open": 0.52 + 0.32 * baby - 0.05 * male - 0.14 * wear + rng.normal(0, 0.05),
        "brow": max(0.008, 0.032 + 0.013 * male - 0.016 * baby + rng.normal(0, 0.005)),
        "nose": 0.36 - 0.17 * baby + 0.025 * male + 0.05 * wear + rng.normal(0, 0.02),
        "nose_width": 0.125 - 0.025 * baby + 0.017 * male + 0.02 * (wear + (race == 1)) + rng.normal(0, 0.01),
        "mouth_y": 0.56 + 0.07 * baby + rng.normal(0, 0.02),
        "mouth_width": 0.29 - 0.09 * baby + 0.015 * male + rng.normal(0, 0.018),
        "lip": max(0.3, 1.0 - 0.2 * male - 0.45 * wear + (race == 1) * 0.2 + rng.normal(0, 0.12)),
        "lip_red": min(1.0, max(0.1, 0.3 + 0.45 * makeup + rng.normal(0, 0.08))),
        "lashes": max(0.0, 0.25 - 0.12 * male + 0.6 * makeup + rng.normal(0, 0.08)),
    }


def draw_traits(rng: np.random.Generator, age: int, gender: int, race: int) -> Traits:
    """Draw one person of `age` years; `gender` 0 is male and 1 female, `race` 0 to 4 as in UTKFace."""
    look = max(0.0, age + rng.normal(0, 0.25 + 0.05 * age))  # some look younger or older than they are
    adult = _ramp(look, 8, 19)
    hair_color, brow_color = _hair_colors(rng, look, gender, race)
    beard, moustache = _beard(rng, look, gender)
    return Traits(
        spots=int(rng.poisson(7 * _ramp(look, 45, 85))),
        pimples=int(rng.poisson(2.5)) if 11.5 < look < 21 else 0,
        beard=beard,
        moustache=moustache,
        glasses=bool(rng.random() < 0.03 + 0.1 * adult + 0.32 * _ramp(look, 28, 85)),
        earrings=bool(rng.random() < (0.06 + 0.32 * adult if gender else 0.02 * adult)),
        bow=bool(gender == 1 and rng.random() < 0.22 * (1 - adult)),
        smile=float(np.clip(rng.normal(0.35, 0.4), -0.4, 1.0)),
        skin=_skin(rng, race),
        hair=hair_color,
        brow_color=brow_color,
        **_proportions(rng, look, gender, race),
        **_hair(rng, look, gender, adult),
        **_wear(rng, look),
    )
