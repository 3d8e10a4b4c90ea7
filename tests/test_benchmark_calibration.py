from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration import calibration


def test_what_was_found_when_and_what_was_blamed_wrongly():
    believed = np.ones((4, 3, 2))
    believed[2:, 0, 1] = 0.1  # found in the third decision
    believed[0:, 1, 1] = 0.4  # and in the first; never in the last episode
    believed[3, 2, 0] = 0.2  # one of twelve decisions blames the other
    found, decisions, alarms = calibration(believed, 1)
    assert (found, decisions) == (pytest.approx(2 / 3), 2.0)
    assert alarms == pytest.approx(1e4 / 12)
    healthy = calibration(believed, None)
    assert np.isnan(healthy.found) and healthy.false_alarms == pytest.approx(1e4 * 7 / 12)
