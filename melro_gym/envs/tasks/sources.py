"""Where the rows' numbers come from.

Ranges, step sizes and MJCF edits marked RWRL are those of the Real-World RL suite (`google-research/realworldrl_suite`,
`realworldrl_suite/environments/<domain>.py`); lengths are the numbers of the model source, not the lengths of links.
Grids are this package's own and lie inside those ranges, because MELRO prints its grids only in figures.
"""

RWRL = "realworldrl_suite@be7a51c"
ROBUST_MPO = "Robust MPO (Mankowitz et al. 2020), Table 3"
MELRO = "Bok et al. 2025 (MELRO)"
CHOSEN = "range and grid chosen by this package"
