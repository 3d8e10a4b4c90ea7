from __future__ import annotations

import itertools
import json

import imageio_ffmpeg
import numpy as np
import pytest

from melro_gym import cli
from melro_gym.evaluation.figures import write_video


@pytest.mark.slow
def test_the_demo_writes_table_figure_and_numbers(tmp_path, capsys):
    path = tmp_path / "numbers.json"
    arguments = ["demo", "--episodes", "2", "--out", str(tmp_path / "demo"), "--json", str(path), "--no-video"]
    assert cli.main(arguments) == 0
    rows = json.loads(path.read_text())["rows"]
    ids = ("WalkerWalk-v0", "WalkerWalk-DisabledKnee-v0", "WalkerWalk-DisabledLeftHip-v0")
    labels = ("plain, base policy", "hardened, MELRO")
    assert [(row["env_id"], row["method"]) for row in rows] == list(itertools.product(ids, labels))
    for row in rows:
        assert len(row["returns"]) == 2
        assert row["mean"] == pytest.approx(np.mean(row["returns"]))
        assert row["ci95"][0] <= row["mean"] <= row["ci95"][1]
    assert rows[0]["mean"] > 700.0 and rows[1]["mean"] > 700.0
    assert rows[5]["mean"] > rows[4]["mean"] + 100.0
    assert (tmp_path / "demo" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "DisabledKnee" in capsys.readouterr().out


def test_a_video_has_as_many_frames_as_were_written(tmp_path):
    path = tmp_path / "film.mp4"
    levels = (0, 120, 240)
    write_video(path, [np.full((32, 48, 3), level, np.uint8) for level in levels], fps=10)
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert (count, seconds) == (3, pytest.approx(0.3))
    assert [item.name for item in tmp_path.iterdir()] == ["film.mp4"]
