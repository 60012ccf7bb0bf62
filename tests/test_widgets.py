"""The slider figure has two faces: frames for the site, a live control elsewhere."""

import base64
import io
import re

import ipywidgets
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from medgen_utils import widgets


def draw(value: float) -> plt.Figure:
    figure, axis = plt.subplots(figsize=(2, 1))
    axis.plot([0, value])
    return figure


ARGUMENTS = {"label": "Gain <of the scanner>", "alt": lambda v: f"a line up to {v}", "start": 1}


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("MEDGEN_STATIC", "1")


def test_the_site_gets_every_frame_with_its_words(static):
    page = widgets.explore(draw, [1, 2, 3], **ARGUMENTS).data
    assert re.findall(r'alt="([^"]*)"', page) == ["a line up to 1", "a line up to 2", "a line up to 3"]
    assert re.findall(r'margin:0;display:(\w+)"', page) == ["none", "block", "none"]
    assert 'value="1"' in page and "<output>2</output>" in page
    assert "Gain &lt;of the scanner&gt;" in page
    frames = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", page)
    assert all(Image.open(io.BytesIO(base64.b64decode(frame))).format == "WEBP" for frame in frames)
    assert "http" not in page and "<script" not in page


def test_frames_that_are_too_heavy_are_refused(static, monkeypatch):
    monkeypatch.setattr(widgets, "MAX_FRAMES_BYTES", 100)
    with pytest.raises(ValueError, match="weigh"):
        widgets.explore(draw, [1, 2], **ARGUMENTS)


def test_a_person_gets_a_control_that_draws_when_moved_and_only_once():
    drawn = []

    def note(value):
        drawn.append(value)
        return draw(value)

    box = widgets.explore(note, [1, 2, 3], **ARGUMENTS)
    slider, picture, words = box.children
    first = picture.value
    assert drawn == [2] and "line up to 2" in words.value
    slider.value = 2
    assert drawn == [2, 3] and picture.value != first
    slider.value = 1
    assert drawn == [2, 3] and picture.value == first
    assert isinstance(slider, ipywidgets.SelectionSlider)
    assert not plt.get_fignums()


def test_start_outside_the_values_is_named():
    with pytest.raises(ValueError, match="start=1"):
        widgets.explore(draw, [], **ARGUMENTS)
