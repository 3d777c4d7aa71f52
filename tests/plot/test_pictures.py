"""The pictures of the documentation: drawn by one command, and all there."""

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mts3.data.sets.generators import GENERATED

DOCS = Path(__file__).parents[2] / "docs"
# Those that need no simulator and little time.
QUICK = ("bouncing_balls", "pendulum_images", "quadrotor", "three_scales", "truck_load")


@pytest.fixture
def script():
    return runpy.run_path(str(DOCS / "pictures.py"))


def test_every_generated_set_has_a_picture_that_the_page_shows(script):
    pictures = script["PICTURES"]
    alone = {name for name in GENERATED if not name.startswith("halfcheetah_")}  # one picture for all three
    assert pictures.keys() == alone
    shown = re.findall(r"!\[(.+)\]\((\w+)\.png\)", (DOCS / "data.md").read_text(encoding="utf-8"))
    assert {name for _, name in shown} == alone
    for name in alone:
        picture = DOCS / f"{name}.png"
        assert picture.stat().st_size < 120_000
        with Image.open(picture) as image:
            assert image.format == "PNG"
            assert 900 <= image.width <= 1900
            assert np.asarray(image.convert("L")).std() > 10


@pytest.mark.parametrize("name", QUICK)
def test_a_picture_drawn_twice_has_the_same_bytes(script, tmp_path, monkeypatch, capsys, name):
    monkeypatch.setattr(sys, "argv", ["pictures.py", name])
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        monkeypatch.setitem(script["main"].__globals__, "FOLDER", tmp_path / folder)
        script["main"]()
        files.append((tmp_path / folder / f"{name}.png").read_bytes())
    assert files[0] == files[1]
    assert f"{name}.png" in capsys.readouterr().out
    with Image.open(tmp_path / "a" / f"{name}.png") as new, Image.open(DOCS / f"{name}.png") as kept:
        assert new.size == kept.size
