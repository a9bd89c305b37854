"""What a person wears: garments, outfits, and the attribute ids that the drawing can show."""

from dataclasses import dataclass, field

from fashion_mmdet.synthetic.textures import Colour, Texture


class Category:
    """Ids of the categories that are drawn, see `classes.CATEGORIES`."""

    SHIRT, TOP, SWEATER, CARDIGAN, JACKET, VEST, PANTS, SHORTS, SKIRT, COAT, DRESS, JUMPSUIT, CAPE = range(13)
    GLASSES, HAT, HEADBAND, TIE, GLOVE, WATCH, BELT, LEG_WARMER = range(13, 21)
    TIGHTS, SOCK, SHOE, BAG, SCARF, UMBRELLA = range(21, 27)
    HOOD, COLLAR, LAPEL, EPAULETTE, SLEEVE, POCKET, NECKLINE, BUCKLE, ZIPPER = range(27, 36)
    BOW, FLOWER, FRINGE, RUFFLE, TASSEL = 38, 39, 40, 43, 45


class Attribute:
    """Ids of the attributes that the drawing can show, see `classes.ATTRIBUTES`; more are in `FITS` and `LENGTHS`."""

    SINGLE_BREASTED, DOUBLE_BREASTED, ZIP_UP, FLY, TOGGLED, NO_OPENING = 10, 11, 14, 15, 17, 18
    SYMMETRICAL, FLARE, FIT_AND_FLARE, BELL_BOTTOM = 20, 23, 24, 29
    PENCIL, STRAIGHT, A_LINE, TENT, WIDE_LEG = 32, 33, 34, 35, 37
    QUILTED, PLEAT, TIERED = 51, 52, 55
    HIGH_WAIST, NORMAL_WAIST, NO_WAIST = 87, 88, 91


FITS = {'tight': (40, 0.005, 0.1), 'regular': (41, 0.013, 0.5), 'loose': (42, 0.028, 1.0)}  # id, ease, boxiness
LENGTHS = {  # id, the hem's y
    'above-the-hip': (0, 0.425), 'hip': (1, 0.500), 'mini': (3, 0.595), 'above-the-knee': (4, 0.660),
    'knee': (5, 0.730), 'below the knee': (6, 0.785), 'midi': (7, 0.835), 'maxi': (8, 0.905),
}  # fmt: skip


@dataclass
class Garment:
    """One main garment (category 0 to 12), as chosen.

    Attributes:
        category: 0 to 12.
        texture: its cloth.
        attributes: ids of what the drawing shows.
        hem: y of the lower edge.
        ease: distance from the body, figure heights.
        boxy: 0 follows the waist, 1 falls straight.
        flare: half width gained per figure height below the hips.
        sleeve: part of the arm that is covered, 0 to 1.
        neck: 'round', 'vee', 'boat' or 'turtle'.
        gap: half width of the front opening at the hem.
        parts: names of what is drawn on it ('pocket', 'zipper', 'lapel', ...).
    """

    category: int
    texture: Texture
    attributes: set[int]
    hem: float
    ease: float = 0.012
    boxy: float = 0.5
    flare: float = 0.0
    sleeve: float = 0.0
    neck: str = 'round'
    gap: float = 0.0
    parts: set[str] = field(default_factory=set)


@dataclass
class Outfit:
    """What one person wears; None and absent names are not worn."""

    inner: Garment | None = None
    lower: Garment | None = None
    whole: Garment | None = None
    outer: Garment | None = None
    tucked: bool = False
    extras: set[str] = field(default_factory=set)
    colours: list[Colour] = field(default_factory=list)
