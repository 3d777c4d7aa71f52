import sys

import pytest

from mts3.errors import UserError
from mts3.registry import Registry, import_all


def test_a_name_leads_to_what_was_registered():
    shapes: Registry[type] = Registry("shape")

    @shapes.register("round")
    class Round:
        pass

    assert shapes["round"] is Round
    assert list(shapes) == ["round"]
    shapes.register("round")(Round)  # the same again is no quarrel


def test_an_unknown_name_is_answered_with_the_nearest():
    shapes: Registry[int] = Registry("shape")
    shapes.register("round")(1)
    with pytest.raises(UserError, match="unknown shape 'ruond': did you mean round"):
        shapes["ruond"]


def test_a_name_is_given_once():
    shapes: Registry[int] = Registry("shape")
    shapes.register("round")(1)
    with pytest.raises(ValueError, match="there is a shape 'round' already"):
        shapes.register("round")(2)


def test_a_file_of_its_own_is_enough(tmp_path, monkeypatch):
    """The folder's own file imports all others: a new one needs no line anywhere."""
    folder = tmp_path / "shapes_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from mts3.registry import Registry, import_all\nSHAPES = Registry('shape')\nimport_all(__name__, __path__)\n"
    )
    (folder / "square.py").write_text("from shapes_of_a_test import SHAPES\nSHAPES.register('square')(4)\n")
    monkeypatch.syspath_prepend(tmp_path)
    shapes = __import__("shapes_of_a_test").SHAPES
    assert dict(shapes) == {"square": 4}
    import_all("shapes_of_a_test", [str(folder)])
    for name in ("shapes_of_a_test", "shapes_of_a_test.square"):
        sys.modules.pop(name)
