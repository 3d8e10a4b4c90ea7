"""Figures and videos. Matplotlib and the video writer are imported on use."""

from __future__ import annotations

import io
import itertools
import os
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.evaluation.records import Row, row_label
from melro_gym.files import write_bytes

COLOURS = {"base-mean": "#7a8794", "base-sample": "#aab4bd", "base-adapted": "#66a182", "melro": "#d1495b"}
OTHER_COLOURS = ("#7a8794", "#d1495b", "#66a182", "#edae49", "#00798c", "#30638e")
"""Of methods without a colour of their own, in turn."""
LABELS = {
    "base-mean": "base policy, means",
    "base-sample": "base policy, samples",
    "base-adapted": "base policy, told the estimate",
    "melro": "MELRO",
}


def draw_returns(rows: Sequence[Row], path: str | os.PathLike[str], *, title: str) -> None:
    """Write `returns_figure` to a PNG file."""
    save_figure(returns_figure(rows, title=title), path)


def returns_figure(rows: Sequence[Row], *, title: str) -> Any:
    """Matplotlib figure of mean returns with 95 % intervals and a dot per episode; bars grouped by environment."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row_label(row) for row in rows))
    methods = list(dict.fromkeys(row.method for row in rows))
    figure = Figure(figsize=(max(6.0, 1.5 * len(names)), 4.4), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(methods)
    rng = np.random.default_rng(0)
    spare = itertools.cycle(OTHER_COLOURS)
    colours = {method: COLOURS.get(method) or next(spare) for method in methods}
    for row in rows:
        offset = (methods.index(row.method) - (len(methods) - 1) / 2.0) * width
        _draw_row(axes, row, names.index(row_label(row)) + offset, width, colours[row.method], rng)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(names)), [name.replace("-", "\n", 1) for name in names], fontsize="small")
    axes.set_ylabel("return")
    axes.set_title(title)
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(reversed(labels), reversed(handles), strict=True))
    order = [LABELS.get(method, method) for method in methods]
    figure.legend([first[name] for name in order], order, frameon=False, loc="outside lower center", ncols=len(methods))
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    return figure


def _draw_row(axes: Any, row: Row, place: float, width: float, colour: str, rng: np.random.Generator) -> None:
    label = LABELS.get(row.method, row.method)
    axes.bar(place, row.mean, width * 0.92, color=colour, label=label)
    error = [[row.mean - row.ci95[0]], [row.ci95[1] - row.mean]]
    axes.errorbar(place, row.mean, error, color="black", capsize=3, linewidth=1.2)
    jitter = rng.uniform(-0.25, 0.25, len(row.returns)) * width
    axes.scatter(place + jitter, row.returns, s=8, color="black", alpha=0.35, linewidths=0)


def save_figure(figure: Any, path: str | os.PathLike[str], *, dpi: int = 150) -> None:
    """Write a Matplotlib figure to a PNG file, atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=dpi, format="png")
    write_bytes(path, buffer.getvalue())


def write_video(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: int) -> None:
    """Write uint8 frames `(height, width, 3)`, sizes divisible by 16, to an mp4 file."""
    import imageio_ffmpeg

    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        writer: Any = imageio_ffmpeg.write_frames(
            str(film), (width, height), fps=fps, codec="libx264", macro_block_size=16, output_params=["-f", "mp4"]
        )
        with warnings.catch_warnings():  # the writer forks to start ffmpeg, and the child does nothing but exec
            warnings.filterwarnings("ignore", message=r"os\.fork", category=RuntimeWarning)
            writer.send(None)
        try:
            for frame in itertools.chain([first], frames):
                writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()
        write_bytes(path, film.read_bytes())
