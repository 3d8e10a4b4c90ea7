"""The report's page and tables, against numbers computed from the same rows with NumPy alone."""

from __future__ import annotations

import base64
import csv
import itertools
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import melro_gym
from melro_gym import cli
from melro_gym.report.build import FIGURES, PAPERS, build_report, judge_all
from melro_gym.report.evidence import Evidence
from melro_gym.report.players import describe_agent
from melro_gym.report.reading import read_evidence

ROOT = Path(melro_gym.__file__).parents[1]
HARD = "imagined actuators"
JOINTS = ("RightHip", "LeftKnee")
EPISODES = 8
PLAIN = {"name": "plain", "env_steps": 120_000}
RANDOMISED = {"name": "drawn", "env_steps": 90_000, "met": "disabled joint, drawn anew"}


def returns(name: str, joint: str, level: float) -> list[float]:
    rng = np.random.default_rng([ord(letter) for letter in name + joint])
    return [float(value) for value in level + 10.0 * rng.standard_normal(EPISODES)]


def row(method: str, joint: str, values: list[float]) -> dict:
    return {"env_id": f"WalkerWalk-Disabled{joint}-v0", "env_kwargs": {}, "method": method, "returns": values}


def write(path, agent, levels: dict[str, float]) -> dict[tuple[str, str], np.ndarray]:
    """A file of `melro-gym evaluate --json`; returns what it holds, by method and joint."""
    name = f"{agent['name']}{agent.get('seed', 0)}"
    held = {(m, j): returns(name + m, j, level) for m, level in levels.items() for j in JOINTS}
    path.write_text(json.dumps({"agent": agent, "rows": [row(m, j, held[m, j]) for m, j in held]}))
    return {key: np.array(values) for key, values in held.items()}


class Page(HTMLParser):
    """What the tests look at."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.images, self.claims, self.tags, self.words = [], [], {}, Counter(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags[tag] += 1
        self.links += [values[name] for name in ("src", "href", "srcset", "poster") if name in values]
        if tag == "img":
            self.images.append(values)
        if "data-claim" in values:
            self.claims[values["data-claim"]] = values["data-status"]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    held = write(folder / "plain.json", PLAIN, {"base-mean": 400.0, "base-sample": 380.0, "melro": 450.0})
    drawn = write(folder / "drawn.json", RANDOMISED, {"base-mean": 420.0})
    (folder / "broken.json").write_text('{"rows": [')
    (folder / "other.json").write_text('{"description": {}}')
    page = build_report([folder], folder / "out")
    return folder / "out", held, drawn, Page(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def committed() -> Evidence:
    names = (
        "walker-disabled-joints",
        "walker-hardened-joints",
        "walker-hardened-joints-seed1",
        "walker-hardened-joints-seed2",
    )
    return read_evidence([ROOT / "docs" / "results" / f"{name}.json" for name in names])


def read_table(folder, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_everything_that_the_page_shows_is_inside_it(made):
    folder, _, _, page = made
    assert all(link.startswith(("data:", "#")) for link in page.links)
    assert page.tags["script"] == 0 and page.tags["link"] == 1  # the icon, which is empty
    assert len(page.images) >= 4 and all(image["alt"] for image in page.images)
    for image in page.images:
        assert base64.b64decode(image["src"].partition("base64,")[2]).lstrip().startswith(b"<?xml")
    assert len(list((folder / "figures").glob("*.png"))) == len(list((folder / "figures").glob("*.pdf")))
    assert len(list((folder / "figures").glob("*.png"))) == len(page.images)


def test_every_claim_has_its_row_and_what_cannot_be_tested_says_so(made):
    folder, _, _, page = made
    assert list(page.claims) and sorted(page.claims) == sorted(c.key for claims in PAPERS.values() for c in claims)
    status = {line["claim"]: line for line in read_table(folder, "claims")}
    assert len(status) == len(page.claims)
    assert page.claims["gain"] == page.claims["everywhere"] == page.claims["randomised-joints"] == "reproduced"
    assert page.claims["entropy"] == page.claims["robust"] == page.claims["maze-blocks"] == "not tested"
    assert page.claims["own-most"] == page.claims["own-most-WalkerWalk"] == "reproduced"
    assert page.claims["own-most-CheetahRun"] == page.claims["own-hardened-most-WalkerWalk"] == "not tested"
    assert all(line["numbers"] for line in status.values())


def test_the_numbers_are_those_of_the_rows(made):
    folder, held, drawn, _ = made
    lines = {(line["policy"], line["perturbation"]): line for line in read_table(folder, "returns")}
    assert len(lines) == 8
    for joint, words in zip(JOINTS, ("right hip", "left knee"), strict=True):
        line = lines["MELRO", words]
        assert float(line["mean"]) == pytest.approx(held["melro", joint].mean())
        assert float(line["worst"]) == held["melro", joint].min()
        assert float(lines["base policy, randomised disabled joint, means ◆", words]["mean"]) == pytest.approx(
            drawn["base-mean", joint].mean()
        )
        assert float(line["low"]) < float(line["mean"]) < float(line["high"])
    gains = {line["perturbation"]: float(line["difference"]) for line in read_table(folder, "gains")}
    assert gains["left knee"] == pytest.approx((held["melro", "LeftKnee"] - held["base-mean", "LeftKnee"]).mean())
    (gain,) = [line["numbers"] for line in read_table(folder, "claims") if line["where"].startswith("Fig. 6, 7, 23")]
    means = [(held["melro", joint] - held["base-mean", joint]).mean() for joint in JOINTS]
    assert f"MELRO minus base policy, means: {np.mean(means):+.1f} [" in gain


def test_agents_that_met_a_change_are_marked_with_their_steps(made):
    folder, _, _, page = made
    text = " ".join(page.words)
    assert "drawn ◆" in text and "disabled joint, drawn anew" in text and "90,000" in text and "plain ◆" not in text
    marked = {line["policy"] for line in read_table(folder, "returns") if "◆" in line["policy"]}
    assert marked == {"base policy, randomised disabled joint, means ◆"}
    assert {line["trained for"] for line in read_table(folder, "returns")} == {"90k steps", "120k steps"}


def test_damaged_files_are_named_before_anything_else_and_skipped_figures_have_reasons(made):
    _, _, _, page = made
    text = "\n".join(page.words)
    assert text.index("broken.json is damaged") < text.index("Who played")
    assert "other.json: a form of its own" in text
    counterparts = [part.of for parts in FIGURES.values() for part in parts]
    assert all(of in text for of in counterparts)
    assert "Figure 8: prediction errors on perturbed robots - no record has the measure `model_error`" in text


def verdicts_of(folder) -> dict:
    return {claim.key: verdict for part in judge_all(read_evidence([folder])) for claim, verdict in part.claims}


@pytest.mark.parametrize(
    ("gains", "status"),
    [([40.0, 60.0], "reproduced"), ([12.0, -10.0], "not reproduced"), ([-40.0, -60.0], "not reproduced")],
)
def test_a_claim_turns_with_the_numbers(tmp_path, gains, status):
    base = np.array(returns("base", "RightHip", 400.0))
    rows = [
        row(method, joint, list(base + shift))
        for joint in JOINTS
        for method, shift in (("base-mean", 0.0), ("melro", np.tile(gains, EPISODES // 2)))
    ]
    (tmp_path / "a.json").write_text(json.dumps({"agent": PLAIN, "rows": rows}))
    verdict = verdicts_of(tmp_path)["gain"]
    assert verdict.status == status and verdict.values["mean"] == pytest.approx(np.mean(gains))
    assert verdicts_of(tmp_path)["own-most"].status == ("reproduced" if np.mean(gains) > 0 else "not reproduced")


def test_training_runs_are_the_unit_where_there_are_several(tmp_path):
    groups = [write(tmp_path / f"{s}.json", {**PLAIN, "seed": s}, {"base-mean": 300.0 + 40 * s}) for s in range(3)]
    evidence = read_evidence([tmp_path])
    (series,) = evidence.series
    cell = next(cell for cell in evidence.cells if cell.name == "right hip")
    means = [group["base-mean", "RightHip"].mean() for group in groups]
    interval = evidence.mean(series, [cell])
    every = [np.mean(draw) for draw in itertools.product(means, repeat=3)]  # all that a bootstrap can draw
    assert interval.mean == pytest.approx(np.mean(means))
    assert interval.low == pytest.approx(np.quantile(every, 0.025, method="inverted_cdf"))
    assert interval.high == pytest.approx(np.quantile(every, 0.975, method="inverted_cdf"))
    assert evidence.table.keys() == {(series, cell) for cell in evidence.cells}


def test_agents_that_imagined_faults_are_compared_with_those_of_the_same_recipe(tmp_path):
    kept = {"name": "kept", "met": f"{HARD} (healthy policy kept)", "env_steps": 9}
    write(tmp_path / "kept.json", kept, {"base-adapted": 700.0})
    write(
        tmp_path / "hard.json", {"name": "hard", "met": HARD, "env_steps": 9}, {"base-adapted": 500.0, "melro": 600.0}
    )
    verdicts = {c.key: v for part in judge_all(read_evidence([tmp_path])) for c, v in part.claims}
    gain = verdicts["own-hardened-gain"]
    assert gain.status == "reproduced" and 80.0 < gain.values["mean"] < 120.0
    assert verdicts["own-hardened-most-WalkerWalk"].status == "reproduced"
    assert verdicts["own-kept-most-WalkerWalk"].status == "not tested"


def test_one_number_per_environment_decides_nothing(tmp_path):
    content = {"agent": PLAIN, "rows": [row("base-mean", "LeftHip", [1.0]), row("melro", "LeftHip", [2.0])]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    evidence = read_evidence([tmp_path])
    verdict = verdicts_of(tmp_path)["gain"]
    assert verdict.status == "not tested" and "single number" in verdict.numbers
    assert np.isnan(evidence.mean(evidence.series[0], evidence.cells).low)


def problems(tmp_path, *contents: dict) -> tuple[Evidence, str]:
    for index, content in enumerate(contents):
        (tmp_path / f"{index}.json").write_text(json.dumps(content))
    evidence = read_evidence([tmp_path])
    return evidence, " ".join(evidence.problems)


def test_contradictions_and_rows_that_are_none_are_named_and_not_averaged(tmp_path):
    good, other = row("melro", "LeftHip", [1.0, 2.0]), row("melro", "LeftHip", [5.0, 6.0])
    bad = [{**good, "env_id": "WalkerWalk-v0", "returns": [1.0, float("nan")]}, {"method": "melro"}]
    evidence, text = problems(tmp_path, {"agent": PLAIN, "rows": [good, *bad]}, {"agent": PLAIN, "rows": [other]})
    assert [sample.returns.mean() for sample in evidence.samples] == [1.5]
    assert "found twice with different returns" in text and "no numbers" in text and "a row that is none" in text


def test_other_settings_of_the_planner_stand_behind_the_method(tmp_path):
    rows = [row("melro:kl_weight=0", "LeftHip", [1.0, 2.0]), row("melro", "LeftHip", [5.0, 6.0])]
    evidence, _ = problems(tmp_path, {"agent": PLAIN, "rows": rows})
    assert {s.variant: s.returns.mean() for s in evidence.samples} == {"kl_weight=0": 1.5, "": 5.5}


def test_the_same_rows_twice_are_no_problem_and_an_unknown_agent_is_one(tmp_path):
    same = {"agent": PLAIN, "rows": [row("melro", "LeftHip", [1.0, 2.0])]}
    evidence, text = problems(tmp_path, same, same)
    assert len(evidence.samples) == 1 and not text
    evidence, text = problems(tmp_path, same, {"rows": [row("melro", "LeftKnee", [1.0, 2.0])]})
    assert "does not say which agent played" in text
    assert [series.kind for series in evidence.series] == ["policy", "maxent"]


@pytest.mark.parametrize(
    ("metadata", "kind", "met"),
    [
        ({"env": "WalkerWalk-v0", "training": {"entropy_weight": 0.05}}, "maxent", ""),
        ({"env": "WalkerWalk-v0", "training": {"entropy_weight": 0}}, "no entropy", ""),
        ({"env": "WalkerWalk-v0", "training": {"entropy_weight": "auto"}}, "maxent", ""),
        ({"env": "WalkerWalk-DisabledJoint-v0"}, "no entropy", "disabled joint, drawn anew"),
        (
            {"env": "CartpoleBalance-PoleLength-v0", "env_kwargs": {"value": 0.5}, "training": {"algorithm": "e-mpo"}},
            "e-mpo",
            "",
        ),
        (
            {"env": "A-v0", "training": {"algorithm": "re-mpo", "members": [0.5, 2], "backup": "worst"}},
            "re-mpo",
            "simulators at 0.5, 2",
        ),
    ],
)
def test_what_an_agent_is_and_has_met_follows_from_its_record(metadata, kind, met):
    trained = describe_agent("x", metadata)
    assert trained.met == met
    assert trained.kind == ("randomised" if "drawn" in met else kind)


def test_a_folder_without_episodes_is_one_line_and_nothing_is_written(tmp_path, capsys):
    assert cli.main(["report", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("melro-gym: No episodes in ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_first_table_of_a_page_is_what_the_committed_rows_say(page, committed):
    text = (ROOT / page).read_text(encoding="utf-8")
    for first, second in (
        ("base policy, means", "MELRO"),
        (f"base policy, {HARD}, told the estimate ◆", f"MELRO, {HARD} ◆"),
    ):
        by_label = {series.label: series for series in committed.series}
        one, two = by_label[first], by_label[second]
        cells = [cell for cell in committed.cells if cell.family == ("WalkerWalk", "disabled joints")]
        before, after = (np.mean([committed.episodes(item, cell).mean() for cell in cells]) for item in (one, two))
        interval = committed.difference(one, two, cells).interval
        assert interval.mean == pytest.approx(after - before)
        row = re.search(rf"\| {before:.0f} \| {after:.0f} \| \{after - before:+.0f} \[(.+), (.+)\] \|", text)
        assert row and [float(end) for end in row.groups()] == pytest.approx(interval[1:], abs=1.0)


def test_every_committed_result_can_be_read():
    evidence = read_evidence([ROOT / "docs" / "results"])
    assert not evidence.problems and len({sample.trained.name for sample in evidence.samples}) > 10
