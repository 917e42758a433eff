"""An episode as a GIF: pictures of its states, and beside them what the model expected and what came."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from muzero_probe import files
from muzero_probe.envs.drawing import DARK, GREY, HEIGHT, PALE, WHITE, Canvas
from muzero_probe.probes.foresight import Foresight

EXPECTED, REAL = "#de8f05", "#029e73"  # as in the figures: what is learned, what is true
PALE_EXPECTED, PALE_REAL = "#f5dfb8", "#b6e0d3"

BYTES = 1_000_000  # of a file, at most
FRAMES = 300  # at most
SECONDS = 12.0  # that an animation takes, if its frames then last from 40 to 120 ms
LAST = 2_000  # ms of the last frame
SAMPLES = 12  # pictures that the palette is made from
PICTURE_COLOURS = 32

TITLE = 26  # pixels of the line above
PANEL = 280  # pixels, its width
LEFT, RIGHT = 42, 270  # of both plots in the panel
VALUE = (132, 214)  # lower and upper edge of the plots, from below
REWARD = (28, 90)
SIZE = 12  # of letters

Pictures = Callable[[np.ndarray], np.ndarray]  # times [n] in 0..T -> [n, height, width, 3] uint8


@dataclass(frozen=True, kw_only=True)
class Episode:
    """What is shown.

    Attributes:
        agent: who plays.
        title: of the animation.
        end: how the episode ended.
        cut: whether a time limit ended it, so that the return is not known beyond.
        pictures: of its T + 1 states.
        seen: what the model expected, and what came.
    """

    agent: str
    title: str
    end: str
    cut: bool
    pictures: Pictures
    seen: Foresight


def write(episode: Episode, path: Path) -> tuple[int, int]:
    """Writes the GIF, of as many frames as a MB holds; returns their number and the number of bytes.

    Raises:
        OSError: if the file cannot be written.
    """
    frames = FRAMES
    while True:
        chosen = times(len(episode.seen.values), frames)
        data = files.sealed(encode(drawn(episode, chosen)), episode.agent)
        if len(data) <= BYTES or len(chosen) == 2:
            files.replace(path, [data])
            return len(chosen), len(data)
        frames = len(chosen) * 2 // 3


def times(steps: int, frames: int) -> np.ndarray:
    """Returns the times that are shown of an episode: evenly from 0 on, and its end; at most `frames`."""
    every = math.ceil(steps / (frames - 1))
    return np.append(np.arange(0, steps, every), steps)


def drawn(episode: Episode, chosen: np.ndarray) -> list[Any]:
    """Returns the frames as images of Pillow's, all with the same palette."""
    pictures = [_fitted(picture) for picture in episode.pictures(chosen)]
    palette = _palette(pictures[:: math.ceil(len(pictures) / SAMPLES)])
    panel = _Panel(episode)
    frames = []
    for time, picture in zip(chosen.tolist(), pictures, strict=True):
        frame = Image.new("RGB", (picture.width + PANEL, TITLE + HEIGHT), WHITE)
        frame.paste(picture, (0, TITLE + (HEIGHT - picture.height) // 2))
        frame.paste(panel.at(time), (picture.width, TITLE))
        ImageDraw.Draw(frame).text((8, 6), episode.title, DARK, ImageFont.load_default(SIZE + 1))
        frames.append(_indexed(frame, palette))
    return frames


def encode(frames: list[Any]) -> bytes:
    """Returns frames as a GIF that repeats for ever."""
    each = round(min(max(SECONDS / len(frames), 0.04), 0.12) * 100) * 10
    file = io.BytesIO()
    durations = [each] * (len(frames) - 1) + [LAST]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return file.getvalue()


def _fitted(picture: np.ndarray) -> Any:
    """A picture no higher than the panel."""
    image = Image.fromarray(picture)
    if image.height > HEIGHT:
        image = image.resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT), Image.Resampling.BOX)
    return image


def _palette(pictures: list[Any]) -> np.ndarray:
    """The commonest colours of the pictures, and those of the panel with their mixtures with white: [n, 3] uint8."""
    sheet = Image.new("RGB", (pictures[0].width, sum(picture.height for picture in pictures)))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (0, i * picture.height))
    found = np.array(sheet.quantize(PICTURE_COLOURS, Image.Quantize.MEDIANCUT).getpalette("RGB")).reshape(-1, 3)
    named = [ImageColor.getrgb(colour) for colour in (WHITE, PALE, PALE_EXPECTED, PALE_REAL)]
    strong = np.array([ImageColor.getrgb(colour) for colour in (EXPECTED, REAL, DARK, GREY)])
    mixed = [255 + share * (strong - 255) for share in (0.25, 0.5, 0.75, 1.0)]
    return np.unique(np.rint(np.concatenate([named, *mixed, found])).astype(np.uint8), axis=0)


def _indexed(image: Any, palette: np.ndarray) -> Any:
    """The image in the nearest colours of a palette; Pillow's own search for them is approximate."""
    pixels = np.asarray(image).astype(np.int64) @ [65_536, 256, 1]
    colours, at = np.unique(pixels, return_inverse=True)
    parts = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1).astype(np.float32)
    wanted = palette.astype(np.float32)
    nearest = ((wanted**2).sum(1) - 2 * parts @ wanted.T).argmin(1)  # whole numbers, exact below 2^24
    indexed = Image.fromarray(nearest[at].reshape(pixels.shape).astype(np.uint8))
    indexed.putpalette(palette.tobytes())
    return indexed


class _Panel:
    """The two plots beside the pictures: the value over time, and the next rewards."""

    def __init__(self, episode: Episode) -> None:
        self._seen = seen = episode.seen
        self._end = episode.end
        self._steps = len(seen.values)
        both = np.concatenate([seen.values, seen.returns, [0.0]])
        self._low, self._high = float(both.min()), float(both.max())
        self._come = "return to the time limit" if episode.cut else "return to come"
        # smaller rewards than this fill no plot: what a model says of nothing would look like something
        largest = np.nanmax(np.abs([seen.predicted, seen.real]))
        self._least = min(1.0, float(largest)) or 1.0
        self._negative = bool(np.nanmin([seen.predicted, seen.real]) < -self._least / 10)

    def at(self, time: int) -> Any:
        """Returns the panel at a time in 0..T."""
        canvas = Canvas(PANEL, HEIGHT, WHITE)
        self._curves(canvas, time)
        top = self._bars(canvas, time)
        image = canvas.image()
        self._words(image, time, top)
        return image

    def _curves(self, canvas: Canvas, time: int) -> None:
        low, high = VALUE
        at = np.linspace(LEFT, RIGHT, self._steps + 1)[:-1]
        span = self._high - self._low or 1.0
        zero = low + (high - low) * -self._low / span
        canvas.line([(LEFT, zero), (RIGHT, zero)], GREY, 1)
        canvas.line([(LEFT, low), (LEFT, high)], GREY, 1)
        for numbers, pale, strong in (
            (self._seen.returns, PALE_REAL, REAL),
            (self._seen.values, PALE_EXPECTED, EXPECTED),
        ):
            points = list(zip(at, low + (high - low) * (numbers - self._low) / span, strict=True))
            canvas.line(points, pale, 2)
            canvas.line(points[: time + 1], strong, 2)
            if time < self._steps:
                canvas.disc(points[time], 4, strong)
        now = LEFT + (RIGHT - LEFT) * time / self._steps
        canvas.line([(now, low), (now, high)], DARK, 1)

    def _bars(self, canvas: Canvas, time: int) -> float:
        """Draws the next rewards; returns the number at the upper end of their axis."""
        low, high = REWARD
        middle = (low + high) / 2 if self._negative else low
        K = self._seen.predicted.shape[1]
        slot = (RIGHT - LEFT) / K
        pairs = np.full((K, 2), np.nan)
        if time < self._steps:
            pairs = np.stack([self._seen.predicted[time], self._seen.real[time]], 1)
        top = _round_up(float(np.nanmax(np.abs(pairs), initial=self._least)))
        for k, pair in enumerate(pairs):
            for number, side, colour in zip(pair, (-1, 1), (EXPECTED, REAL), strict=True):
                if not math.isnan(number):
                    x = LEFT + (k + 0.5) * slot
                    height = middle + number / top * (high - middle)
                    ends = sorted((x, x + side * 0.36 * slot))
                    canvas.box(ends[0], min(middle, height), ends[1], max(middle, height), colour)
        canvas.line([(LEFT, middle), (RIGHT, middle)], GREY, 1)
        canvas.line([(LEFT, low), (LEFT, high)], GREY, 1)
        return top

    def _words(self, image: Any, time: int, top: float) -> None:
        K = self._seen.predicted.shape[1]
        draw = ImageDraw.Draw(image)
        font, small = ImageFont.load_default(SIZE), ImageFont.load_default(SIZE - 2)

        def write(x: float, y: float, parts: list[tuple[str, str]]) -> None:
            for text, colour in parts:
                draw.text((x, HEIGHT - y), text, colour, font, anchor="ls")
                x += draw.textlength(text, font)

        write(LEFT, VALUE[1] + 11, [("value expected", EXPECTED), (", ", DARK), (self._come, REAL)])
        write(
            LEFT, REWARD[1] + 16, [(f"next {K} rewards ", DARK), ("expected", EXPECTED), (", ", DARK), ("real", REAL)]
        )
        ended = time == self._steps
        write(LEFT, 8, [(self._end if ended else f"step {time} of {self._steps}", DARK)])
        least = -top if self._negative else 0.0
        for (low, high), first, last in ((VALUE, self._low, self._high), (REWARD, least, top)):
            for y, number in ((low, first), (high, last)):
                number = number if abs(number) > (last - first) / 1000 else 0.0
                draw.text((LEFT - 6, HEIGHT - y), f"{number:.3g}", DARK, small, anchor="rm")


def _round_up(number: float) -> float:
    """Returns the next larger of 1, 2, 5, 10, 20, 50, ...; also where the number is up to a fifth larger."""
    scale = 10.0 ** math.floor(math.log10(number))
    return next(m * scale for m in (1, 2, 5, 10) if number <= 1.2 * m * scale)
