"""Replay buffer of every interaction so far: NumPy, float32, grows in place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Float32 = np.ndarray


class Transition(NamedTuple):
    """Environment steps; leaves of shape `(S,)`, `(A,)` or `()`, with a leading axis of rows."""

    obs: Float32
    mean: Float32
    std: Float32
    action: Float32
    reward: Float32
    terminated: Float32
    next_obs: Float32
    episode: Float32
    """Index of the episode: a window never crosses from one to the next."""


class Outcomes(NamedTuple):
    """What the members of an uncertainty set made of the same state and action; leaves with leading rows."""

    obs: Float32
    """`(k, S)` next observations."""
    reward: Float32
    """`(k,)`."""
    terminated: Float32
    """`(k,)`."""


class Replay:
    """Fixed-capacity store of transitions in order of arrival.

    Args:
        obs_size: `S`.
        action_size: `A`.
        capacity: rows; adding more raises `IndexError`, since Algorithm 1 keeps every interaction.
        num_envs: environments that collect side by side: every `num_envs`-th row is the same one's.
        members: `k`, of the uncertainty set whose outcomes are stored too.
    """

    def __init__(self, obs_size: int, action_size: int, capacity: int, num_envs: int = 1, members: int = 0):
        state, action = (obs_size,), (action_size,)
        shapes = (state, action, action, action, (), (), state, ())
        self._rows = Transition(*(np.zeros((capacity, *shape), np.float32) for shape in shapes))
        outcomes = ((members, obs_size), (members,), (members,))
        self._outcomes = Outcomes(*(np.zeros((capacity, *shape), np.float32) for shape in outcomes))
        self._num_envs = num_envs
        self.size = 0

    @property
    def capacity(self) -> int:
        """Rows that it can hold."""
        return len(self._rows.obs)

    def __len__(self) -> int:
        return self.size

    @property
    def rows(self) -> Transition:
        """Everything stored, as views of shape `(size, ...)`."""
        return Transition(*(column[: self.size] for column in self._rows))

    @property
    def outcomes(self) -> Outcomes:
        """What the uncertainty set made of each row, as views of shape `(size, ...)`; of width 0 without a set."""
        return Outcomes(*(column[: self.size] for column in self._outcomes))

    def of_members(self) -> list[Replay]:
        """What each member of the uncertainty set made of every row, as episodes of one step."""
        replays = []
        for member in range(self._outcomes.reward.shape[1]):
            obs, reward, terminated = (column[:, member] for column in self.outcomes)
            rows = self.rows._replace(next_obs=obs, reward=reward, terminated=terminated)
            rows = rows._replace(episode=np.arange(self.size, dtype=np.float32))
            replays.append(Replay(rows.obs.shape[1], rows.action.shape[1], self.size))
            replays[-1].restore(rows)
        return replays

    def add(self, transitions: Transition, outcomes: Outcomes | None = None) -> None:
        """Append one row per environment, and what the uncertainty set made of it."""
        end = self.size + self._num_envs
        if end > len(self._rows.obs):
            raise IndexError(f"The replay buffer is full ({self.size} rows).")
        for column, items in zip((*self._rows, *self._outcomes), (*transitions, *(outcomes or ())), strict=False):
            column[self.size : end] = items
        self.size = end

    def restore(self, rows: Transition, outcomes: Outcomes | None = None) -> None:
        """Replace the contents with `rows`, and what the uncertainty set made of them."""
        self.size = len(rows.obs)
        for column, stored in zip((*self._rows, *self._outcomes), (*rows, *(outcomes or ())), strict=False):
            column[: self.size] = stored

    def sample_outcomes(self, rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[Transition, Outcomes]:
        """Rows drawn uniformly, and what the uncertainty set made of them; leaves `(*shape, ...)`."""
        index = rng.integers(self.size, size=shape)
        return Transition(*(column[index] for column in self._rows)), Outcomes(
            *(column[index] for column in self._outcomes)
        )

    def sample_states(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
        """Observations drawn uniformly, shape `(*shape, S)`."""
        return self._rows.obs[rng.integers(self.size, size=shape)]

    def sample_rows(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Transition:
        """Single steps drawn uniformly with replacement; leaves `(*shape, ...)`."""
        index = rng.integers(self.size, size=shape)
        return Transition(*(column[index] for column in self._rows))

    def sample_windows(self, rng: np.random.Generator, shape: tuple[int, ...], length: int) -> Transition:
        """Windows of `length` consecutive steps of one episode, uniform over starts; leaves `(*shape, length, ...)`.

        Raises:
            ValueError: no episode is long enough.
        """
        reach = (length - 1) * self._num_envs
        episode = self._rows.episode[: self.size]
        starts = np.flatnonzero(episode[: max(self.size - reach, 0)] == episode[reach:])
        if not len(starts):
            raise ValueError(
                f"None of the {len(np.unique(episode))} stored episodes has the {length} steps of a model's window. "
                "If the environment ends its episodes at once, training cannot learn from it; "
                "otherwise collect more initial data (`initial_decisions`) or shorten `model_window`."
            )
        first = starts[rng.integers(len(starts), size=shape)]
        index = first[..., None] + self._num_envs * np.arange(length)
        return Transition(*(column[index] for column in self._rows))
