"""Pictures inside of the page: figures as SVG that describes itself, recordings as data."""

import base64
import html
import re
from pathlib import Path

from matplotlib.figure import Figure

from figures import style
from muzero_probe import files


def inline(figure: Figure, text: str) -> str:
    """An SVG element as wide as its place, for a screen reader one picture with this text.

    Coordinates are rounded to a hundredth of a point, and what nothing refers to is left out.
    """
    svg = style.svg(figure)
    svg = re.sub(r"-?\d+\.\d{3,}", lambda x: f"{float(x[0]):.2f}".rstrip("0").rstrip("."), svg)
    svg = re.sub(r'<!--.*?-->|(?<=>)\s+(?=<)| transform="rotate\(-0 [^"]*"', "", svg, flags=re.DOTALL)
    svg = re.sub(r'(?<= d=")[^"]*', lambda x: re.sub(r"\s*([A-Za-z])\s*", r"\1", x[0]), svg)
    named = set(re.findall(r"#([\w.-]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda x: x[0] if x[1] in named else "", svg)
    svg = re.sub(r"<g/>|<g></g>", "", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(" ".join(text.split()))}" ', 1)


def gif(path: Path, agent: str) -> str:
    """An agent's recording as the address of an image that needs no request.

    Raises:
        ValueError: if the file is damaged, another agent's, or none that `muzero-probe play` wrote.
        OSError: if it cannot be read.
    """
    try:
        content, about = files.opened(files.read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}; `muzero-probe play {agent} --out {path}` writes one") from None
    if about != agent:
        raise ValueError(f"{path}: is a recording of {about}, not of {agent}")
    return f"data:image/gif;base64,{base64.b64encode(content).decode()}"
