from typing import Any

import pytest

from setpoint import ParamError, Secret
from setpoint.testing import ResourceSuite
from setpoint_value import Value


class TestValue(ResourceSuite):
    checks = False
    watches = False

    @pytest.fixture
    def resource(self, host: Any) -> Value:
        return Value("port", value=8080, _host=host)


@pytest.mark.parametrize("value", ["text", 0, 1.5, False, [1, [2]], {"a": {"b": 1}}])
async def test_it_sends_what_it_has(value: object) -> None:
    assert Value("any", value=value).send() == Value.Sends(value=value)


def test_a_value_is_required() -> None:
    with pytest.raises(ParamError, match="value is required"):
        Value("any")


def test_a_secret_is_sent_as_one() -> None:
    sent = Value("any", value=Secret("hunter22")).send()
    assert sent is not None
    assert "hunter22" not in repr(sent)
