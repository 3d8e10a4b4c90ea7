"""Who plays in a study: agents and policies by words of the command line, as plain data that every process can read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from melro_gym.checkpoint import load_agent
from melro_gym.control.options import read_settings
from melro_gym.evaluation.controllers import METHODS, PLANNING
from melro_gym.evaluation.provenance import file_sha256, training_facts
from melro_gym.models import Agent
from melro_gym.planning.paper import paper_settings
from melro_gym.settings import flatten
from melro_gym.values import did_you_mean, parse_json

Load = Callable[[str], Any]
"""Makes a policy of a word; by default `load_agent`. A function of a module, so that other processes find it."""
POLICY = "policy"
"""Method of whatever is no agent."""
_PAPER = "melro-paper"
_GENERIC = ("best", "last", "latest", "agent", "policy", "model")
_UNUSABLE = {
    "deadline": "what is played would depend on the machine's speed",
    "warm_start": "nobody proposes actions in an evaluation",
}


@dataclass(frozen=True)
class Player:
    """An agent played by a method with its settings, or a policy from elsewhere."""

    agent: str
    """Name; several training runs may share one."""
    source: str
    """Word that the policy is loaded by."""
    sha256: str
    """Of its file."""
    method: str
    """Among the methods for agents, or `policy`."""
    variant: str
    """The method as it was asked for."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Every setting of planner and controller, as JSON; empty where nothing is planned."""
    training: dict[str, Any] = field(default_factory=dict)
    """Of `training_facts`."""

    @property
    def name(self) -> str:
        """What `EpisodeRecord.player` says."""
        return f"{self.agent} {self.variant}"


def read_players(
    agents: Sequence[str],
    methods: Sequence[str],
    policies: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    load: Load = load_agent,
) -> list[Player]:
    """Every agent by every method, then the policies.

    Args:
        agents: words, each the name of a shipped agent, a file, or `NAME=WORD` to give it a name in the results.
        methods: `METHOD`, `METHOD:setting=value,...` or either with `@AGENT` behind it, a name among `agents` or a
            word of its own, which is then played by that agent alone. `melro-paper` is the paper's planner:
            `melro-fixed` without what this package adds.
        policies: words for `load`, with `NAME=` before them or not.
        settings: of every method that plans; those of a method itself go before them.
        load: makes policies of words.

    Raises:
        ValueError: an unknown method, agent or setting, a policy given as an agent, or one player twice.
    """
    players = []
    for spec in methods:
        method, _, own = spec.partition("@")
        for word in _meant(own, agents) if own else agents:
            players.append(_agent_player(word, method, settings or {}, load))
    for word in policies:
        name, source = _named(word)
        policy = load(source)
        if isinstance(policy, Agent):
            raise ValueError(f"{source} is an agent, which is played by methods: give it as an agent.")
        players.append(Player(name, source, file_sha256(source), POLICY, POLICY))
    _check_distinct(players)
    return players


def _meant(name: str, agents: Sequence[str]) -> Sequence[str]:
    """The words that have this name, or the name as a word."""
    return [word for word in agents if _named(word)[0] == name] or [name]


def read_player(word: str, players: Sequence[Player], load: Load = load_agent) -> Player:
    """The player that a word means: one of those given, by name or method; or a policy, an agent by its means."""
    for player in players:
        if word in (player.name, player.variant, player.agent, f"{player.variant}@{player.agent}"):
            return player
    method, _, own = word.partition("@")
    if own or method.partition(":")[0] in (*METHODS, _PAPER):
        if not own:
            raise ValueError(f"The method {word!r} is played by none. Add it to the methods, or say {word}@AGENT.")
        return _agent_player(own, method, {}, load)
    name, source = _named(word)
    if isinstance(load(source), Agent):
        return _agent_player(word, "base-mean", {}, load)
    return Player(name, source, file_sha256(source), POLICY, POLICY)


def _agent_player(word: str, spec: str, common: Mapping[str, Any], load: Load) -> Player:
    name, source = _named(word)
    agent = load(source)
    if not isinstance(agent, Agent):
        raise ValueError(f"{source} is no agent, and has no methods: give it as a policy.")
    method, own = _parse(spec)
    given = ({**paper_settings(), "paper_discount": True} if method == _PAPER else {}) | dict(common) | own
    method = "melro-fixed" if method == _PAPER else method
    if own and method not in PLANNING:
        raise ValueError(f"{method} does not plan, and has no settings; got {', '.join(own)}.")
    settings = _whole(agent, given) if method in PLANNING else {}
    return Player(name, source, file_sha256(source), method, spec, settings, training_facts(agent.metadata))


def _whole(agent: Agent, given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of planner and controller."""
    for name, reason in _UNUSABLE.items():
        if name in given:
            raise ValueError(f"`{name}` cannot be set in an evaluation: {reason}.")
    config, options = read_settings(agent, given)
    rest = {name: value for name, value in flatten(options).items() if name not in _UNUSABLE}
    return flatten(config) | rest


def _parse(spec: str) -> tuple[str, dict[str, Any]]:
    """A method's name and its own settings."""
    method, _, rest = spec.partition(":")
    if method not in (*METHODS, _PAPER):
        known = (*METHODS, _PAPER)
        raise ValueError(f"Unknown method {method!r}.{did_you_mean(method, known)} Choices: {', '.join(known)}.")
    settings = {}
    for pair in filter(None, rest.split(",")):
        name, separator, text = pair.partition("=")
        if not separator:
            raise ValueError(f"A method's settings are given as METHOD:name=value,...; got {spec!r}.")
        settings[name] = parse_json(text, default=text)
    return method, settings


def _named(word: str) -> tuple[str, str]:
    """Name and source of `NAME=WORD`, or of a word: a file's name, with its folder where that tells more."""
    name, separator, source = word.partition("=")
    if separator and name and os.sep not in name:
        return name, source
    path = Path(word)
    if path.suffix not in (".safetensors", ".zip"):
        return word, word
    return (f"{path.parent.name}/{path.stem}" if path.stem in _GENERIC and path.parent.name else path.stem), word


def _check_distinct(players: Sequence[Player]) -> None:
    seen: set[tuple[str, str, Any]] = set()
    for player in players:
        key = (player.name, player.sha256, player.source)
        if key in seen:
            raise ValueError(f"{player.name} is there twice.")
        seen.add(key)
