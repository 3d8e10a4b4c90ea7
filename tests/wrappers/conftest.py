"""What the tests of the wrappers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def compilations() -> Iterator[list[str]]:
    """Grows by one name with every compilation; starts after what is compiled anyway is forgotten."""
    import jax

    names: list[str] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        del duration_secs
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(str(kwargs.get("fun_name", "")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)
