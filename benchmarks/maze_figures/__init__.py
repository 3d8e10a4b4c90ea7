"""Figures of the maze: paths, entropy and plans of base policies and MELRO (Bok et al. 2025, Figures 2, 3, 21 and 22).

Run `python -m benchmarks.maze_figures --help`.
"""
