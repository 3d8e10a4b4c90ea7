"""Pictures of recorded mazes. Matplotlib is imported on use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.maze_figures.records import MazeData, Panel, PlanPanel, Scene
from melro_gym.evaluation.figures import COLOURS

WALL, BLOCK, GOAL = "#dfe3e6", "#4a5560", "#edae49"
HEXAGONS = 20
"""Across the free width of the maze."""
_MARGIN = 0.12
"""Metres of wall that are shown around the free space."""


def draw_paths(data: MazeData) -> Any:
    """Figure of all episodes' paths: a row per agent and maze, a column per controller; titles tell mean returns."""
    figure, axes = _grid(data)
    for axis, panel in zip(axes, data.panels, strict=True):
        _draw_scene(axis, data.scene(panel.env_id))
        _draw_lines(axis, panel.positions, _colour(panel), alpha=0.35)
        axis.set_title(f"return {panel.mean:.0f}, success {panel.success:.0%}", fontsize=8)
    _name_rows_and_columns(axes, data.panels)
    return figure


def draw_entropy(data: MazeData) -> Any:
    """Figure of the mean entropy of the executed distributions by position, on one colour scale for all panels."""
    figure, axes = _grid(data)
    maps = []
    for axis, panel in zip(axes, data.panels, strict=True):
        scene = data.scene(panel.env_id)
        maps.append(entropy_map(axis, scene, panel))
        _draw_scene(axis, scene)
        axis.set_title(f"mean {np.nanmean(np.asarray(panel.entropies, np.float64)):.2f} nats", fontsize=8)
    values = np.concatenate([item.get_array().compressed() for item in maps])
    for item in maps:
        item.set_clim(values.min(), values.max())
    _name_rows_and_columns(axes, data.panels)
    label = "mean entropy of the action distribution (nats)"
    bar = figure.colorbar(maps[0], ax=axes, shrink=0.8, aspect=30, pad=0.01)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def draw_plans(data: MazeData) -> Any:
    """Figure of imagined paths before and after planning.

    A row per state, a column per entropy weight. The first column shows the state, on the path of the episode that it
    is taken from, and the window that the others show. The model knows no blocks, so plans may lead into them.
    """
    from matplotlib.lines import Line2D

    bands = list(dict.fromkeys(panel.agent for panel in data.plans))
    groups = [[panel for panel in data.plans if panel.agent == agent] for agent in bands]
    rows = sum(len(group[0].base) for group in groups)
    figure, axes = _subplots(rows, 1 + len(groups[0]), size=1.7)
    row = 0
    for agent, group in zip(bands, groups, strict=True):
        axes[row][0].set_ylabel(agent, fontsize=9)
        for state, window in enumerate(plan_windows(group)):
            _draw_place(axes[row][0], data, group[0], state, window)
            for axis, panel in zip(axes[row][1:], group, strict=True):
                _draw_fans(axis, data.scene(panel.env_id), panel, state, window)
                entropies = panel.base_entropies[state], panel.entropies[state]
                title = "{:.1f} \N{RIGHTWARDS ARROW} {:.1f} nats".format(*entropies)
                axis.set_title(f"{_name(panel)}\n{title}" if row == 0 else title, fontsize=8)
            row += 1
    axes[0][0].set_title("state", fontsize=8)
    names = {"base-mean": "base policy's plan", "melro": "optimised plan"}
    handles = [Line2D([], [], color=COLOURS[name], label=label) for name, label in names.items()]
    figure.legend(handles=handles, frameon=False, loc="outside lower center", ncols=2, fontsize=8)
    return figure


def plan_windows(group: Sequence[PlanPanel]) -> list[tuple[float, float, float]]:
    """Per state, the middle `(x, y)` and half the size of a square around all its fans; one size for all states."""
    points = [np.stack([panel.base[k], panel.planned[k]]) for panel in group for k in range(len(panel.base))]
    states = len(group[0].base)
    boxes = [np.concatenate(points[k::states]).reshape(-1, 2) for k in range(states)]
    size = max(0.1, max(float(np.max(np.ptp(box, axis=0))) for box in boxes))
    middles = [(box.min(axis=0) + box.max(axis=0)) / 2.0 for box in boxes]
    return [(float(x), float(y), 0.6 * size) for x, y in middles]


def _draw_place(axis: Any, data: MazeData, panel: PlanPanel, state: int, window: tuple[float, float, float]) -> None:
    from matplotlib.patches import Rectangle

    scene, (x, y, half) = data.scene(panel.env_id), window
    _frame(axis, scene)
    _draw_scene(axis, scene)
    _draw_lines(axis, panel.episode[None], COLOURS["melro"], alpha=0.6)
    axis.add_patch(Rectangle((x - half, y - half), 2 * half, 2 * half, fill=False, linewidth=0.8, zorder=6))
    axis.scatter(*panel.base[state, 0, 0], s=14, color="black", zorder=5, linewidths=0)
    axis.spines[:].set_visible(False)


def _draw_fans(axis: Any, scene: Scene, panel: PlanPanel, state: int, window: tuple[float, float, float]) -> None:
    x, y, half = window
    axis.set(xlim=(x - half, x + half), ylim=(y - half, y + half), xticks=[], yticks=[], aspect="equal")
    _draw_scene(axis, scene)
    _draw_lines(axis, panel.base[state], COLOURS["base-mean"], alpha=0.6, zorder=2.0)
    _draw_lines(axis, panel.planned[state], COLOURS["melro"], alpha=0.6, zorder=3.0)
    axis.scatter(*panel.base[state, 0, 0], s=26, color="black", zorder=5, linewidths=0)


def entropy_map(axis: Any, scene: Scene, panel: Panel) -> Any:
    """Mean entropy per hexagon over all decisions taken in it; hexagons without any are left out."""
    where = np.asarray(panel.positions[:, :-1], np.float64).reshape(-1, 2)
    entropies = np.asarray(panel.entropies, np.float64).reshape(-1)
    taken = np.isfinite(entropies) & np.isfinite(where).all(axis=1)
    left, right, bottom, top = _extent(scene)
    rows = max(1, round(HEXAGONS * (top - bottom) / (right - left) / np.sqrt(3.0)))
    return axis.hexbin(
        *where[taken].T,
        C=entropies[taken],
        gridsize=(HEXAGONS, rows),
        extent=(left, right, bottom, top),
        reduce_C_function=np.mean,
        cmap="viridis",
        linewidths=0.2,
    )


def _grid(data: MazeData) -> tuple[Any, list[Any]]:
    """Figure and one axis per panel, row by row; a row is an agent in a maze."""
    rows = len({(panel.agent, panel.env_id) for panel in data.panels})
    figure, axes = _subplots(rows, len(data.panels) // rows, size=1.9)
    flat = [axis for row in axes for axis in row]
    for axis, panel in zip(flat, data.panels, strict=True):
        _frame(axis, data.scene(panel.env_id))
        axis.spines[:].set_visible(False)
    return figure, flat


def _subplots(rows: int, columns: int, size: float) -> tuple[Any, Any]:
    """Figure and axes `(rows, columns)`, each of about `size` inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size * columns + 0.4, (size + 0.1) * rows + 0.35), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _frame(axis: Any, scene: Scene) -> None:
    left, right, bottom, top = _extent(scene)
    axis.set(xlim=(left - _MARGIN, right + _MARGIN), ylim=(bottom - _MARGIN, top + _MARGIN))
    axis.set(xticks=[], yticks=[], aspect="equal")


def _name_rows_and_columns(axes: list[Any], panels: Sequence[Panel]) -> None:
    columns = sum((panel.agent, panel.env_id) == (panels[0].agent, panels[0].env_id) for panel in panels)
    for index, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
        if index % columns == 0:
            axis.set_ylabel(f"{panel.agent}\n{panel.env_id.removesuffix('-v0')}", fontsize=9)
        if index < columns:
            axis.set_title(f"{_name(panel)}\n{axis.get_title()}", fontsize=8)


def _name(panel: Panel | PlanPanel) -> str:
    if panel.entropy_weight is None:
        return "base policy"
    return f"MELRO, $\\eta = {panel.entropy_weight:g}$"


def _colour(panel: Panel) -> str:
    return COLOURS["base-mean" if panel.entropy_weight is None else "melro"]


def _extent(scene: Scene) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the space within the outer walls."""
    x, y, half_width, half_height = scene.walls.T
    return (
        float(np.min(x + half_width)),
        float(np.max(x - half_width)),
        float(np.min(y + half_height)),
        float(np.max(y - half_height)),
    )


def _draw_scene(axis: Any, scene: Scene) -> None:
    from matplotlib.patches import Rectangle

    for boxes, colour, edge in ((scene.walls, WALL, WALL), (scene.blocks, BLOCK, "white")):
        for x, y, half_width, half_height in boxes:
            corner = (x - half_width, y - half_height)
            axis.add_patch(Rectangle(corner, 2 * half_width, 2 * half_height, facecolor=colour, edgecolor=edge))
    axis.scatter(*scene.start, s=22, facecolor="white", edgecolor="black", linewidths=0.8, zorder=4)
    axis.scatter(*scene.goal, s=90, marker="*", facecolor=GOAL, edgecolor="black", linewidths=0.6, zorder=4)


def _draw_lines(axis: Any, paths: np.ndarray, colour: str, *, alpha: float, zorder: float = 2.0) -> None:
    """Lines through the points of paths `(P, T, 2)`, up to their first NaN."""
    from matplotlib.collections import LineCollection

    points = [path[np.isfinite(path).all(axis=1)] for path in np.asarray(paths, np.float64)]
    axis.add_collection(LineCollection(points, colors=colour, linewidths=0.7, alpha=alpha, zorder=zorder))
