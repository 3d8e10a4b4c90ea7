"""Which planner settings a search's returns depend on (Bok et al. 2025, Appendix D)."""

# Optional libraries, which need not be installed where types are checked.
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from melro_gym.evaluation.tuning import Trial

LEAST_TRIALS = 20
"""Fewer say nothing."""
_TREES = 200
_FOLDS = 5


class Importance(NamedTuple):
    """Of one setting."""

    impurity: float
    """Mean decrease of impurity in the forest, a share of all settings' (the paper's Figure 16). It favours settings of
    many values, whether or not they matter."""
    permutation: float
    """How much of the explained variance of trials that the forest has not seen is lost when this setting is shuffled
    among them; around 0, also below, for one that does not matter."""


def importances(studies: Mapping[str, Sequence[Trial]], *, seed: int = 0) -> dict[str, Importance]:
    """Importances of all settings that vary, the largest impurity first, by a random forest over all trials.

    Deviation: the paper's target is the return; here it is the return in standard deviations of its study, so that the
    forest need not know which perturbation a trial was of.

    Args:
        studies: trials by the study's name; those given up are left out.
        seed: of forest and shuffling.

    Raises:
        ImportError: scikit-learn is not installed; the message names the extra.
        ValueError: fewer than 20 trials, or nothing that varies.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import KFold
    except ImportError as error:
        raise ImportError('Importances need scikit-learn: pip install "melro-gym[tune]".') from error
    names, inputs, targets = _table(studies)
    make = lambda: RandomForestRegressor(_TREES, random_state=seed)
    impurity = make().fit(inputs, targets).feature_importances_
    losses = []
    for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(inputs):
        forest = make().fit(inputs[train], targets[train])
        found = permutation_importance(forest, inputs[test], targets[test], n_repeats=10, random_state=seed)
        losses.append(found["importances_mean"])
    pairs = zip(names, impurity, np.mean(losses, axis=0), strict=True)
    found = {name: Importance(float(one), float(other)) for name, one, other in pairs}
    return dict(sorted(found.items(), key=lambda item: -item[1].impurity))


def _table(studies: Mapping[str, Sequence[Trial]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, settings `(trials, names)` and standardised returns `(trials,)`."""
    groups = [[trial for trial in trials if not trial.pruned] for trials in studies.values()]
    trials = [trial for group in groups for trial in group]
    if len(trials) < LEAST_TRIALS:
        raise ValueError(
            f"Importances need at least {LEAST_TRIALS} trials that were played to the end; got {len(trials)}."
        )
    numbers = [{name: value for name, value in trial.settings.items() if _is_number(value)} for trial in trials]
    shared = [name for name in numbers[0] if all(name in item for item in numbers)]
    names = [name for name in shared if len({item[name] for item in numbers}) > 1]
    if not names:
        raise ValueError("No setting varies among the trials.")
    targets = [_standardised(np.array([trial.mean for trial in group])) for group in groups if group]
    return names, np.array([[item[name] for name in names] for item in numbers], np.float64), np.concatenate(targets)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0.0 else 1.0)
