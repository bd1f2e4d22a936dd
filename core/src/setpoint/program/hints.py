"""The types of what is given to a resource, as `setpoint stubs` writes them for type checkers."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from setpoint.graph import Policy
from setpoint.program.declared import Declared
from setpoint.program.terms import Expression
from setpoint.resource import Meta
from setpoint.values import Secret

T = TypeVar("T")

# A param, which becomes secret by a secret; and one that always is.
Given: TypeAlias = T | Expression[T] | Expression[Secret[T]]
Hidden: TypeAlias = T | Secret[T] | Expression[Secret[T]]
Name: TypeAlias = str | Expression[str]
References: TypeAlias = Declared | str | Sequence[Declared | str]
Listeners: TypeAlias = References | Mapping[Declared | str, Policy]
MetaParams: TypeAlias = Meta | Mapping[str, Any]
