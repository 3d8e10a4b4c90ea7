"""MuJoCo is a compiled module without type information: everything in it is of unknown type."""

from typing import Any

def __getattr__(name: str) -> Any: ...
