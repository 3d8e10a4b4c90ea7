"""Compiled programs are kept where the operating system keeps caches, for the command line, unless switched off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from melro_gym import cli, compilation
from melro_gym.compilation import cache_folder, use_compilation_cache

COMPILE = """
import jax, melro_gym
found = []
jax.monitoring.register_event_listener(lambda name, **_: found.append(name))
print(melro_gym.use_compilation_cache())
jax.jit(lambda x: x * 3.0 + 1.0)(2.0).block_until_ready()
print(found.count("/jax/compilation_cache/cache_hits"), found.count("/jax/compilation_cache/cache_misses"))
"""


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch):
    """Without the caches of whoever runs the tests, as if JAX were not imported; what is set is gone afterwards."""
    ours = ("JAX_COMPILATION_CACHE", "JAX_PERSISTENT_CACHE", "MELRO_GYM_CACHE")
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if not name.startswith(ours)})
    monkeypatch.setattr(sys, "modules", {name: item for name, item in sys.modules.items() if name != "jax"})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another convention")
def test_the_folder_is_that_of_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder().parent == tmp_path / "melro_gym"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the XDG specification says to ignore
    assert cache_folder().is_relative_to(Path.home())


@pytest.mark.parametrize("word", ["off", "0", "OFF"])
def test_it_can_be_switched_off(monkeypatch, tmp_path, word):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MELRO_GYM_CACHE", word)
    assert use_compilation_cache() is None
    assert not list(tmp_path.iterdir())


def test_the_variable_names_another_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MELRO_GYM_CACHE", str(tmp_path / "mine"))
    assert use_compilation_cache() == tmp_path / "mine"
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "mine")


def test_jax_own_variable_goes_before(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "theirs"))
    assert use_compilation_cache(tmp_path / "ours") == tmp_path / "theirs"
    assert not (tmp_path / "ours").exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert use_compilation_cache(tmp_path / "file" / "folder") is None
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_what_was_used_last_is_left_when_there_is_too_much(monkeypatch, tmp_path):
    for age, name in enumerate(("newest", "middle", "oldest")):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    compilation._prune(tmp_path, most=250)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["middle", "newest"]


def test_the_command_line_says_where_programs_are_kept_when_the_first_ones_are(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MELRO_GYM_CACHE", str(tmp_path))
    program = tmp_path / "program"
    monkeypatch.setattr("melro_gym.cli.envs.Envs.run", lambda self: program.touch())
    assert cli.main(["envs"]) == 0
    said = capsys.readouterr().err
    assert str(tmp_path) in said and "MELRO_GYM_CACHE=off" in said
    assert cli.main(["envs"]) == 0
    assert capsys.readouterr().err == ""


def test_the_second_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "MELRO_GYM_CACHE": str(tmp_path)}
    lines = []
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        lines.append(run.stdout.split())
    assert lines == [[str(tmp_path), "0", "1"], [str(tmp_path), "1", "0"]]
