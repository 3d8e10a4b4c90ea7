"""Figures and videos. Matplotlib and the video writer are imported on use."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from melro_gym.evaluation.records import Row, row_label

COLOURS = {"base": "#7a8794", "base-mean": "#7a8794", "base-sample": "#aab4bd", "melro": "#d1495b"}
LABELS = {
    "base": "base policy",
    "base-mean": "base policy, means",
    "base-sample": "base policy, samples",
    "melro": "MELRO",
}


def draw_returns(rows: Sequence[Row], path: str | os.PathLike[str], *, title: str) -> None:
    """Bars of mean returns with 95 % intervals and a dot per episode; one group of bars per environment."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(row_label(row) for row in rows))
    methods = list(dict.fromkeys(row.method for row in rows))
    figure = Figure(figsize=(max(6.0, 1.5 * len(names)), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    width = 0.8 / len(methods)
    rng = np.random.default_rng(0)
    for row in rows:
        offset = (methods.index(row.method) - (len(methods) - 1) / 2.0) * width
        place = names.index(row_label(row)) + offset
        first = row_label(row) == names[0]
        axes.bar(
            place,
            row.mean,
            width * 0.92,
            color=COLOURS.get(row.method),
            label=LABELS.get(row.method) if first else None,
        )
        error = [[row.mean - row.ci95[0]], [row.ci95[1] - row.mean]]
        axes.errorbar(place, row.mean, error, color="black", capsize=3, linewidth=1.2)
        jitter = rng.uniform(-0.25, 0.25, len(row.returns)) * width
        axes.scatter(place + jitter, row.returns, s=8, color="black", alpha=0.35, linewidths=0)
    axes.set_xticks(range(len(names)), [name.replace("-", "\n", 1) for name in names], fontsize="small")
    axes.set_ylabel("return")
    axes.set_ylim(0.0, None)
    axes.set_title(title)
    figure.legend(frameon=False, loc="outside lower center", ncols=len(methods))
    axes.spines[["top", "right"]].set_visible(False)
    save_atomically(path, lambda target: figure.savefig(target, dpi=150, format="png"))


def write_video(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: int) -> None:
    """Write uint8 frames `(height, width, 3)`, sizes divisible by 16, to an mp4 file."""
    import imageio_ffmpeg

    frames = iter(frames)
    first = next(frames)
    height, width = first.shape[:2]

    def encode(target: str) -> None:
        with warnings.catch_warnings():  # the writer forks to start ffmpeg, and the child does nothing but exec
            warnings.filterwarnings("ignore", message=r"os\.fork", category=RuntimeWarning)
            stream(target)

    def stream(target: str) -> None:
        writer: Any = imageio_ffmpeg.write_frames(
            target, (width, height), fps=fps, codec="libx264", macro_block_size=16, output_params=["-f", "mp4"]
        )
        writer.send(None)
        try:
            writer.send(np.ascontiguousarray(first))
            for frame in frames:
                writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()

    save_atomically(path, encode)


def save_atomically(path: str | os.PathLike[str], write: Any) -> None:
    """Call `write` with the name of a temporary file, which then takes the place of `path`; folders are made."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    try:
        write(str(temporary))
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
