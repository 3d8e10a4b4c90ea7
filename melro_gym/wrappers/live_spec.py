"""The specification of an environment whose wrappers were given objects: it remakes them, but is no JSON."""

from __future__ import annotations

from collections.abc import Sequence

from gymnasium.envs.registration import EnvSpec


class LiveSpec(EnvSpec):
    """An `EnvSpec` for `gymnasium.make` in this process alone; `to_json` says why."""

    # run-time type checkers cannot read the annotations of the inherited constructor
    __no_type_check__ = True
    objects: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Always raises.

        Raises:
            ValueError: naming the arguments that are objects, and what to give instead.
        """
        raise ValueError(
            f"No JSON can be made of {', '.join(self.objects)}: MELROController was given objects. Give names instead; "
            "save an agent with `melro_gym.save_agent(file, agent)`, and give the file."
        )


def live_spec(spec: EnvSpec, objects: Sequence[str]) -> LiveSpec:
    """The same specification, which refuses to be JSON for the sake of these arguments."""
    live = object.__new__(LiveSpec)
    vars(live).update(vars(spec), objects=tuple(objects))
    return live
