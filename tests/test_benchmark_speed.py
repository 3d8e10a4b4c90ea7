"""What the benchmarks of speed make of their numbers, and of a busy machine."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks import load, pages
from benchmarks.__main__ import main
from benchmarks.gains import Gain
from benchmarks.gains import table as gains_table
from benchmarks.load import Report, Watch
from benchmarks.options import ENVS, cell_name
from benchmarks.profile import Kind, classes, operations
from benchmarks.quality import CHEAPER, DEFAULT, LADDERS, against
from benchmarks.quality import table as quality_table
from benchmarks.tdmpc2 import tdmpc2_plan


class Others(Watch):
    """A machine of which other programs use so many cores."""

    def __init__(self, cores):
        self._cores = cores

    def others(self):
        return self._cores


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(load, "RESULTS", tmp_path)
    return tmp_path


def report(cores):
    rows = [{"robots": 1, "ms": 5.25}, {"robots": 64, "ms": 123.4}]
    return Report("many", rows, {"64 robots / single": (2.7182, "at least 4")}, Others(cores))


@pytest.mark.parametrize("cores", [0.16, 1.0, None])
def test_a_busy_or_unknown_machine_gets_no_ratios_and_writes_nothing(results, capsys, cores):
    assert not report(cores).finish(write=True)
    printed = capsys.readouterr().out
    assert "123" in printed and "2.72" not in printed and "no ratios" in printed
    assert not list(results.iterdir())


def test_a_quiet_machine_s_numbers_become_a_table(results, capsys):
    assert report(0.02).finish(write=True)
    assert "64 robots / single" in capsys.readouterr().out
    content = json.loads((results / "speed-many.json").read_text())
    assert (content["others"], content["ratios"][0]["ratio"]) == (0.02, 2.718)
    begin = "<!-- speed-many: written by `python -m benchmarks --write` -->\n"
    page = f"before\n{begin}old\n<!-- end -->\nafter\n"
    text = pages.filled(page, results)
    assert "| 64 | 123 |" in text and "| 64 robots / single | 2.72 | at least 4 |" in text
    assert text.startswith(f"before\n{begin}") and text.endswith("<!-- end -->\nafter\n") and "old" not in text
    assert pages.filled(text, results) == text


def test_the_page_shows_what_was_measured():
    text = pages.PAGE.read_text(encoding="utf-8")
    assert pages.filled(text) == text, "run `python -m benchmarks.pages`"
    assert text.count("<!-- speed-") == len(set(pages.NAMES))


def test_a_watch_sees_what_another_process_uses_and_not_this_one(monkeypatch):
    clocks = iter([load._Clocks(10.0, 1.0, 100.0), load._Clocks(14.0, 5.0, 110.0)])
    monkeypatch.setattr(load, "_clocks", lambda: next(clocks))
    assert Watch().others() == pytest.approx((10.0 - 4.0) / 4.0)


def test_an_unknown_benchmark_is_named(capsys):
    assert main(["planing"]) == 1
    assert "planing" in capsys.readouterr().err


def test_an_operation_in_a_loop_is_counted_as_often_as_it_runs():
    step = lambda _, x: jnp.sin(jnp.cumsum(x))
    call, x = jax.jit(lambda x: jax.lax.fori_loop(0, 7, step, x)), jnp.ones(3000)
    call(x).block_until_ready()
    found = operations(lambda: call(x), 3)
    assert 7.0 in [kind.runs for kind in found]
    assert [kind.microseconds for kind in found] == sorted((kind.microseconds for kind in found), reverse=True)


def test_kinds_of_operation_fall_into_classes():
    names = (
        "ynn_fusion",
        "reduce_fusion",
        "wrapped_tanh",
        "copy_fusion",
        "dot",
        "multiply_add_fusion",
        "wrapped_transpose",
    )
    kinds = [Kind(name, 2.0**place, 1.0) for place, name in enumerate(names)]
    found = {"matrix products": 17.0, "reductions": 2.0, "elementwise": 36.0, "copies and moves": 72.0}
    assert classes(kinds) == found
    assert list(classes(kinds)) == ["copies and moves", "elementwise", "matrix products", "reductions"]


def test_gains_are_shares_of_the_default_s_robot_by_robot():
    usual, half = [Gain(0.2, 0.3, 10.0), Gain(4.0, 0.1, 10.0)], [Gain(0.1, 0.5, 3.0), Gain(3.0, 0.3, 4.0)]
    lines = gains_table({DEFAULT: usual, "half": half})
    assert lines[2:] == [f"| {DEFAULT} | 10.0 | 1.00 | 0.20 |", "| half | 3.5 | 0.62 | 0.40 |"]


def test_rungs_are_compared_with_the_default_episode_by_episode():
    returns = {DEFAULT: ([10.0, 30.0], [100.0, 200.0]), "more": ([15.0, 35.0], [107.0, 207.0])}
    records = {
        cell_name(name, env): {"returns": values}
        for name, both in returns.items()
        for env, values in zip(ENVS, both, strict=False)
    }
    more = against(records, "more", ENVS[:2])
    assert (more.mean, more.low, more.high) == pytest.approx((6.0, 6.0, 6.0))  # 5 and 7 in every episode
    lines = quality_table(records, {DEFAULT: (3.0, 4.0, 6.0), "more": (1.0, 2.0, 2.5)}, ENVS[:2])
    assert lines[2:] == [
        f"| {DEFAULT} | 4.00 | 6.00 | 1.00 | 85 |  |",
        "| more | 2.00 | 2.50 | 0.50 | 91 | +6 [+6, +6] |",
    ]


def test_every_ladder_has_the_default_and_each_name_once():
    for rungs in LADDERS.values():
        names = [rung.name for rung in rungs]
        assert DEFAULT in names and len(set(names)) == len(names)
    assert not next(rung for rung in CHEAPER if rung.name == DEFAULT).settings


def test_a_folder_without_td_mpc2_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="clone of github.com/nicklashansen/tdmpc2"):
        tdmpc2_plan(tmp_path)
