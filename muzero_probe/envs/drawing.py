"""How does a state look? Pictures for people, drawn with Pillow; no number depends on them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 360, 240  # pixels of the pictures drawn here
SMOOTH = 4  # a pixel is the mean of so many a side

Point = Sequence[float]  # x, y

WHITE, PALE, GREY, DARK, NIGHT = "#ffffff", "#eef0f3", "#a8adb5", "#404040", "#12141c"
BLUE, VIOLET, YELLOW = "#0173b2", "#8f7fe0", "#ffd166"

TRACK = 2.4  # m, where the cart leaves it
CART = (0.25, 0.12)  # m, half its width and height
POLE = 1.0  # m
WORLD = 20.0  # width of the lander's world
CELL = 24  # pixels of a cell of MinAtar
# by plane: paddle, ball, its trail, bricks
CELL_COLOURS = ((86, 180, 233), (255, 255, 255), (110, 114, 126), (204, 121, 167))


class Canvas:
    """A picture in units of its own, y upwards, smooth at all edges.

    Args:
        width: pixels.
        height: pixels.
        background: colour.
        scale: pixels a unit.
        left: x of the left edge.
        bottom: y of the lower edge.

    Raises:
        ImportError: if Pillow is not installed.
    """

    def __init__(
        self, width: int, height: int, background: str, *, scale: float = 1.0, left: float = 0.0, bottom: float = 0.0
    ) -> None:
        try:
            from PIL import Image, ImageDraw
        except ImportError:
            raise ImportError("pictures need the package pillow: pip install 'muzero-probe[train]'") from None
        self._image = Image.new("RGB", (width * SMOOTH, height * SMOOTH), background)
        self._draw = ImageDraw.Draw(self._image)
        self._scale = scale * SMOOTH
        self._corner = np.array([left, bottom])

    def polygon(self, points: Iterable[Point], colour: str) -> None:
        """Fills a polygon."""
        self._draw.polygon(self._placed(points), fill=colour)

    def box(self, left: float, bottom: float, right: float, top: float, colour: str) -> None:
        """Fills a rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

    def line(self, points: Iterable[Point], colour: str, width: float) -> None:
        """Draws a line of a width in pixels, with round corners and ends."""
        placed = self._placed(points)
        thick = max(1, round(width * SMOOTH))
        self._draw.line(placed, fill=colour, width=thick, joint="curve")
        for x, y in (placed[0], placed[-1]):
            r = (thick - 1) / 2
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def disc(self, centre: Point, radius: float, colour: str) -> None:
        """Fills a circle of a radius in units."""
        ((x, y),) = self._placed([centre])
        r = radius * self._scale
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def image(self) -> Any:
        """Returns what was drawn as an image of Pillow's."""
        return self._image.reduce(SMOOTH)

    def pixels(self) -> NDArray[np.uint8]:
        """Returns what was drawn, [height, width, 3]."""
        return np.array(self.image())

    def _placed(self, points: Iterable[Point]) -> list[tuple[float, float]]:
        x, y = ((np.array(list(points), np.float64) - self._corner) * self._scale).T
        return list(zip(x.tolist(), (self._image.height - y).tolist(), strict=True))


def stacked(pictures: Sequence[np.ndarray]) -> NDArray[np.uint8]:
    """Returns pictures [height, width, 3] as one batch, also where there are none."""
    return np.stack(pictures) if pictures else np.empty((0, HEIGHT, WIDTH, 3), np.uint8)


def cart_pole(position: float, angle: float) -> NDArray[np.uint8]:
    """Draws cart and pole.

    Args:
        position: of the cart, m.
        angle: of the pole, rad, to the right.
    """
    canvas = Canvas(WIDTH, HEIGHT, WHITE, scale=WIDTH / 5.4, left=-2.7, bottom=-1.3)
    canvas.box(-2.7, -1.3, 2.7, -0.2, PALE)
    canvas.line([(-TRACK, -0.2), (TRACK, -0.2)], GREY, 3)
    for end in (-TRACK, TRACK):
        canvas.line([(end, -0.3), (end, -0.1)], GREY, 3)
    half, high = CART
    canvas.box(position - half, -high, position + half, high, DARK)
    for side in (-0.6, 0.6):
        canvas.disc((position + side * half, -high), 0.08, GREY)
    tip = (position + POLE * np.sin(angle), high + POLE * np.cos(angle))
    canvas.line([(position, high), tip], BLUE, 8)
    canvas.disc((position, high), 0.035, PALE)
    return canvas.pixels()


class Scene(NamedTuple):
    """What is to be seen of a flight, in units of its world."""

    ground: Sequence[Point]  # line of the terrain, from the left to the right
    pad: tuple[float, float, float]  # left and right end, height
    lander: Sequence[Point]  # corners
    legs: Sequence[Sequence[Point]]  # corners of both
    angle: float  # of the lander, rad, counter-clockwise
    action: int | None  # the last one: 1 left, 2 main, 3 right engine


def lunar_lander(scene: Scene) -> NDArray[np.uint8]:
    """Draws terrain, pad and lander, and the flame of the engine that fired last."""
    canvas = Canvas(WIDTH, HEIGHT, NIGHT, scale=WIDTH / WORLD, bottom=1.0)  # flights start at the top of the world
    canvas.polygon([(0.0, -1.0), *scene.ground, (WORLD, -1.0)], GREY)
    left, right, height = scene.pad
    canvas.line([(left, height), (right, height)], WHITE, 2)
    for x in (left, right):
        top = height + 1.4
        canvas.line([(x, height), (x, top)], WHITE, 1.5)
        canvas.polygon([(x, top), (x, top - 0.5), (x + 0.7, top - 0.25)], YELLOW)
    centre = np.mean(scene.lander, axis=0)
    across = np.array([np.cos(scene.angle), np.sin(scene.angle)])
    upwards = np.array([-across[1], across[0]])
    if scene.action == 2:
        foot = centre - 0.4 * upwards
        canvas.polygon([foot - 0.25 * across, foot + 0.25 * across, foot - 1.1 * upwards], YELLOW)
    elif scene.action in (1, 3):  # the left engine fires to the left
        outwards = across * (scene.action - 2)
        nozzle = centre + 0.45 * outwards + 0.15 * upwards
        canvas.polygon([nozzle - 0.12 * upwards, nozzle + 0.12 * upwards, nozzle + 0.6 * outwards], YELLOW)
    for leg in scene.legs:
        canvas.polygon(leg, VIOLET)
    canvas.polygon(scene.lander, VIOLET)
    canvas.disc(centre + 0.12 * upwards, 0.16, WHITE)
    return canvas.pixels()


def minatar(planes: ArrayLike) -> NDArray[np.uint8]:
    """Draws planes [B, 10, 10, 4] as cells, [B, 240, 240, 3]; of several things in a cell the first plane shows."""
    planes = np.asarray(planes, bool)
    cells = np.full((*planes.shape[:-1], 3), (34, 38, 50), np.uint8)
    for plane, colour in reversed([*enumerate(CELL_COLOURS)]):
        cells[planes[..., plane]] = colour
    pictures = cells.repeat(CELL, 1).repeat(CELL, 2)
    pictures[:, ::CELL] = pictures[:, :, ::CELL] = (18, 20, 28)  # lines between the cells
    return pictures
