"""The documentation's pages, as far as building them with warnings as errors does not check them."""

from __future__ import annotations

import doctest
import pkgutil
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


def formulas(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block or inline for block, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", text, flags=re.DOTALL)]


def quoted(pattern: str) -> list[tuple[str, str]]:
    """Page and text of what stands in backticks and has this form, but for the targets of links."""
    pages = [*DOCS.parent.glob("*.md"), *PAGES]
    return sorted(
        {(page.name, text) for page in pages for text in re.findall(rf"(?<!}})`({pattern})`", page.read_text("utf-8"))}
    )


def test_files_that_a_page_names_are_there():
    root = DOCS.parent
    named = quoted(r"[\w./-]+/[\w.-]+\.(?:py|pyi|md|yaml|cfg)") + quoted(r"(?:tests|examples|benchmarks|envs)/[\w./-]*")
    assert len(named) > 5
    assert [item for item in named if not any((top / item[1]).exists() for top in (root, root / "melro_gym"))] == []


def test_names_of_the_package_that_a_page_gives_exist():
    named = quoted(r"melro_gym(?:\.\w+)+")
    assert len(named) > 15
    for _, name in named:
        pkgutil.resolve_name(name)


def test_formulas_become_mathml_without_a_trace_of_tex():
    convert = pytest.importorskip("latex2mathml.converter").convert
    found = [formula for page in PAGES for formula in formulas(page)]
    assert len(found) > 20
    for formula in found:
        assert not re.search(r"[\\^_{}$]", convert(formula).replace("&#x0005E;", "")), formula


def test_pages_load_nothing_from_the_network():
    settings: dict = {}
    pytest.importorskip("latex2mathml")
    exec((DOCS / "conf.py").read_text(encoding="utf-8"), settings)
    assert settings["html_math_renderer"] == "mathml"  # Sphinx's default is MathJax from a content delivery network
    assert not [page.name for page in PAGES if re.search(r"!\[[^]]*\]\(https?:|<script", page.read_text("utf-8"))]


def test_the_table_of_planner_settings_is_complete_and_agrees_with_the_papers_names():
    from melro_gym.planning import PlanConfig
    from melro_gym.planning.paper import TABLE_2
    from melro_gym.settings import settings_of

    page = (DOCS / "planning.md").read_text(encoding="utf-8").split("## Where this differs")[0]
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    names = {name for cells in rows for name in re.findall(r"`(\w+)`", cells[0])}
    assert names == set(settings_of(PlanConfig))
    paper = {theirs.strip(" `"): ours.strip(" `") for ours, _, theirs in rows if theirs.strip()}
    assert paper == {theirs: ours for theirs, (ours, _) in TABLE_2.items()}


def test_the_table_of_diagnostics_has_every_entry():
    import gymnasium as gym
    from toys import TINY_PLAN, tiny_agent

    from melro_gym import MELROController

    env = MELROController(gym.make("Pendulum-v1"), tiny_agent(obs_size=3, action_size=1), **TINY_PLAN)
    _, info = env.reset(seed=0)
    rows = re.findall(r"^\| (`.*?) \|", (DOCS / "diagnostics.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(info["melro"])


@pytest.mark.slow
def test_the_first_steps_print_what_the_page_says():
    text = re.sub(r"^```.*$", "", (DOCS / "tutorial.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"array\(.*\)", "array(...)", text)  # a hundred steps with contacts differ between machines
    steps = doctest.DocTestParser().get_doctest(text, {}, "first steps", "docs/tutorial.md", 0)
    assert len(steps.examples) > 15
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(steps, out=report.append)
    assert not report, "".join(report)
