"""Commands printed in the documentation and on the agents' cards are understood: verbs, options, settings and ids."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import gymnasium as gym
import pytest

from melro_gym import cli
from melro_gym.cli.app import VERBS
from melro_gym.cli.evaluate import Evaluate, expand_envs
from melro_gym.cli.parsing import parse_object, parse_settings
from melro_gym.cli.train import Train
from melro_gym.evaluation.controllers import METHODS
from melro_gym.evaluation.players import read_players
from melro_gym.planning import PlanConfig
from melro_gym.suites import suite_names
from melro_gym.training import make_config

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "melro_gym" / "agents").glob("*.md")]
COMMAND = re.compile(r"`((?:melro-gym [a-z]|python -m )[^`]*)`|^ *((?:melro-gym [a-z]|python -m ).*)$", re.MULTILINE)


def commands(program: str) -> list[str]:
    """Those that begin with `program`, of all pages; words in capitals and `...` stand for something else."""
    found = {
        " ".join((quoted or line).split())
        for page in sorted(PAGES)
        for quoted, line in COMMAND.findall(page.read_text(encoding="utf-8").replace("\\\n", " "))
    }
    return sorted(item for item in found if item.startswith(program) and not re.search(r"\.\.\.|\b[A-Z]{2,}\b", item))


@pytest.fixture
def understood(monkeypatch):
    """The arguments that `melro-gym` was given, instead of what it does with them."""
    calls: list = []
    for verb in VERBS:
        monkeypatch.setattr(verb, "run", lambda self: calls.append(self))
    return calls


@pytest.mark.parametrize("command", commands("melro-gym"))
def test_a_printed_command_is_understood(command, understood):
    words = shlex.split(command, comments=True)[1:]
    if len(words) == 1:  # named in passing
        assert words[0] in {verb.__name__.lower() for verb in VERBS}
        return
    if words[0] in ("train", "tune") and "--out" not in words:
        words += ["--out", "runs/x"]
    assert cli.main(words) == 0
    (args,) = understood
    if isinstance(args, Train):
        options = {"env": args.env, "env_kwargs": parse_object(args.env_kwargs, "--env-kwargs"), "seed": args.seed}
        options |= {"algorithm": args.algorithm} if args.algorithm and args.set else {}
        make_config(args.preset, **{**options, "num_envs": args.num_envs, **parse_settings(args.set)})
        assert args.env in gym.registry
    if isinstance(args, Evaluate):
        PlanConfig(**parse_settings(args.set))
        if args.out:
            read_players(args.agent or ("walker-walk",), args.method, settings=parse_settings(args.set))
        else:
            assert set(args.method) <= set(METHODS)
        assert set(args.suite) <= set(suite_names())
        for env_id in expand_envs(args.env or ("WalkerWalk-v0",)):
            gym.make(env_id, **parse_object(args.env_kwargs, "--env-kwargs")).close()


@pytest.mark.parametrize("command", commands("python -m "))
def test_a_printed_module_exists(command):
    module = shlex.split(command)[2]
    assert importlib.util.find_spec(module) is not None
