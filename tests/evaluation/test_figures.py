from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from melro_gym.evaluation import make_row
from melro_gym.evaluation.figures import draw_returns, returns_figure

ROWS = [
    make_row("FrankaReach-v0", {}, "base-mean", [-0.3, -0.1, -0.2]),
    make_row("FrankaReach-v0", {}, "policy", [-2.5, -1.5, -2.0]),
]


def test_bars_of_any_sign_are_in_sight_and_named():
    figure = returns_figure(ROWS, title="arm")
    (axes,) = figure.axes
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([-0.2, -2.0])
    low, high = axes.get_ylim()
    assert low < -2.5 and high >= 0.0
    dots = [
        np.asarray(item.get_offsets())[:, 1].tolist() for item in axes.collections if isinstance(item, PathCollection)
    ]
    assert [-2.5, -1.5, -2.0] in dots
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["base policy, means", "policy"]


def test_an_older_figure_stays_where_a_new_one_cannot_be_drawn(tmp_path):
    path = tmp_path / "returns.png"
    draw_returns(ROWS, path, title="arm")
    before = path.read_bytes()
    assert before.startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="mathtext|Parse"):
        draw_returns(ROWS, path, title=r"$\nonsense{$")
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["returns.png"]


def test_methods_of_any_name_have_colours_that_differ():
    rows = [make_row("Walker-v0", {}, method, [1.0, 2.0]) for method in ("plain", "hardened", "robust")]
    colours = [bar.get_facecolor() for bar in returns_figure(rows, title="").axes[0].patches]
    assert len(set(colours)) == len(rows)
