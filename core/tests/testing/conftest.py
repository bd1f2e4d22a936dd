from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from setpoint.testing.namespaces import Namespaces


@pytest.fixture
def private_parts() -> Callable[..., object]:
    """A context in which parts of the machine are private."""

    @contextmanager
    def within(*directories: str, **more: bool) -> Iterator[Callable[..., None]]:
        namespaces = Namespaces()
        try:
            namespaces.private(*directories, **more)
            yield namespaces.private
        finally:
            namespaces.close()

    return within
