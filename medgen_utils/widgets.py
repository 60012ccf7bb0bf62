"""One function for every figure with a slider: frames on the site, a live control in Jupyter and Colab.

First used in chapter generalization_gap.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from medgen_utils.machine import is_static

MAX_FRAMES_BYTES = 150_000

_SHOW = (
    "const box=this.closest('.medgen-explore');"
    "box.querySelectorAll('figure').forEach((frame,i)=>{frame.style.display=i==this.value?'block':'none'});"
    "const text=box.querySelectorAll('figure')[this.value].dataset.value;"
    "box.querySelector('output').textContent=text;this.setAttribute('aria-valuetext',text)"
)


def explore(
    draw: Callable[[Any], Figure],
    values: Sequence[Any],
    *,
    label: str,
    alt: Callable[[Any], str],
    start: int = 0,
    show: Callable[[Any], str] = str,
):
    """A figure with a slider: ``draw(value)`` for each of ``values``, beginning at position ``start``.

    On the site (MEDGEN_STATIC=1) all frames are drawn ahead and travel in the page, so the slider works without a
    kernel, without a library and by keyboard, and a print shows every frame; elsewhere the result is an ipywidgets
    control that draws when it is moved. ``label`` names what is moved, ``show(value)`` writes a value, ``alt(value)``
    says in words what its frame shows. ValueError where there are no values or the frames weigh over 150 kB.
    Returns an object for the notebook to display.
    """
    if not 0 <= start < len(values):
        raise ValueError(f"start={start} is no position among {len(values)} values")
    if is_static():
        from IPython.display import HTML

        return HTML(_slider_html([_encode(draw(v), "WEBP") for v in values], values, label, alt, start, show))
    return _live_control(draw, values, label, alt, start, show)


def _encode(figure: Figure, file_format: str) -> bytes:
    """The figure as an image file; the figure is closed."""
    canvas = io.BytesIO()
    figure.savefig(canvas, format="png", dpi=110)
    plt.close(figure)
    if file_format == "PNG":
        return canvas.getvalue()
    out = io.BytesIO()
    Image.open(canvas).convert("RGB").save(out, format=file_format, quality=82, method=6)
    return out.getvalue()


def _slider_html(frames: list[bytes], values, label: str, alt, start: int, show) -> str:
    weight = sum(map(len, frames))
    if weight > MAX_FRAMES_BYTES:
        raise ValueError(f"{len(frames)} frames weigh {weight} bytes: use fewer values or a smaller figure")
    width, height = Image.open(io.BytesIO(frames[0])).size
    figures = "".join(
        f'<figure data-value="{html.escape(show(value), quote=True)}" '
        f'style="margin:0;display:{"block" if i == start else "none"}">'
        f'<img alt="{html.escape(alt(value), quote=True)}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto" src="data:image/webp;base64,{base64.b64encode(frame).decode()}"></figure>'
        for i, (frame, value) in enumerate(zip(frames, values, strict=True))
    )
    now = html.escape(show(values[start]), quote=True)
    return (
        f'<div class="medgen-explore"><label style="display:flex;flex-wrap:wrap;gap:.6em;align-items:center">'
        f"<span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" value="{start}" step="1" autocomplete="off" '
        f'aria-valuetext="{now}" style="flex:1 1 10em" oninput="{html.escape(_SHOW, quote=True)}">'
        f"<output>{now}</output></label>{figures}</div>"
    )


def _live_control(draw, values, label: str, alt, start: int, show):
    import ipywidgets

    picture, frames = ipywidgets.Image(format="png"), {}
    words = ipywidgets.HTML()
    options = [(show(value), i) for i, value in enumerate(values)]
    slider = ipywidgets.SelectionSlider(
        options=options, value=start, description=label, continuous_update=False,
        style={"description_width": "initial"}, layout=ipywidgets.Layout(width="95%"),
    )  # fmt: skip

    def move(change: dict) -> None:
        i = change["new"]
        if i not in frames:
            frames[i] = _encode(draw(values[i]), "PNG")
        picture.value, words.value = frames[i], html.escape(alt(values[i]))

    slider.observe(move, names="value")
    move({"new": start})
    return ipywidgets.VBox([slider, picture, words])
