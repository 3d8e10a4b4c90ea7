"""Command line `melro-gym`: one file per verb, which holds its arguments and what it does; `app` puts them together."""

from melro_gym.cli.app import main

__all__ = ["main"]
