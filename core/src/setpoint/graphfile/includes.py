"""`include:`: other files as parts of this one, as they are or as modules with inputs of their own."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from setpoint.declarations import MODULE, Map, key_at, value_at
from setpoint.declarations.types import show
from setpoint.errors import suggest
from setpoint.expressions import UNKNOWN
from setpoint.graphfile.conditions import is_wanted, items_of
from setpoint.graphfile.files import File
from setpoint.graphfile.ids import pattern, patterns
from setpoint.graphfile.inputs import inputs_of

if TYPE_CHECKING:
    from setpoint.graphfile.form import Form

KEYS = ("use", "as", "with", "when", "for_each")
MOST = 10_000  # modules of one graph
NOWHERE = "?"  # a module of which nobody knows yet what it is called
_NAME = re.compile(r"[^\s/*?\[\]][^\s*?\[\]]*")
_ANY: Mapping[str, Any] = {"key": UNKNOWN, "value": UNKNOWN}  # the item, if those are not known


class Include:
    """One entry of `include:`.

    Args:
        form: the file that includes.
        file: what it includes.
        body: what is written.
        at: where.

    """

    def __init__(self, form: "Form", file: File, body: Map, at: int) -> None:
        self._form, self._context = form, form.context
        self._file, self._body, self._at = file, body, at
        self._inputs = inputs_of(file)
        self._forms: dict[str, Form] = {}
        self._stem = os.path.splitext(os.path.basename(file.source.file))[0]

    @property
    def written(self) -> str:
        """What is written for the name of the module."""
        return str(self._body.get("as", self._stem))

    @property
    def name(self) -> str:
        """What tells it from other entries, as far as it is written."""
        return f"{self._file.source.file} {self._body.get('as', '')}"

    @property
    def forms(self) -> "list[Form]":
        """What is included now: one for each item of `for_each`."""
        return list(self._forms.values())

    def declare(self) -> None:
        """Decide which modules there are, and what their inputs are."""
        into = self._context.into
        before, self._forms = self._forms, {}
        items = items_of(self._form, self._told, self._body)
        for each in [_ANY] if items is None else items:
            with self._form.beside(each):
                wanted = is_wanted(self._form, self._told, self._body) if each is not _ANY else None
                if wanted is not False:
                    self._include(before, is_decided=wanted is True)
        if not {"when", "for_each"}.isdisjoint(self._body):
            into.absent.update(patterns(self._file))
            references = into.undecided if items is None else into.absent
            references.add(pattern(MODULE + self._context.qualified(self.written)))

    @property
    def _told(self) -> str:
        return f"the include of {self._file.source.file}"

    def _include(self, before: "Mapping[str, Form]", *, is_decided: bool) -> None:
        """Include the file once."""
        from setpoint.graphfile.form import Form  # a form has includes, and they have forms

        name = self._name()
        is_decided = is_decided and name != NOWHERE
        if name in self._forms:
            at = value_at(self._body, "as", self._at)
            what = f"{self._told}: there are two modules {name!r}; tell them apart by 'as'"
            self._context.wrong(at, what)
            return
        form = before.get(name)
        if form is None or form.is_decided != is_decided:
            known = self._context.known
            known.modules += 1
            if known.modules > MOST:
                self._context.wrong(self._at, f"more than {MOST:,} modules; include fewer")
                return
            form = Form(self._file, known, self._context.qualified(name), is_decided=is_decided)
        self._forms[name] = form
        self._context.into.included.append(self._context.qualified(name))
        self._give(form)

    def _name(self) -> str:
        """Return what the module is called here."""
        written, at = self._body.get("as", self._stem), value_at(self._body, "as", self._at)
        name = self._form.value(written, at)
        if name is UNKNOWN:
            return NOWHERE
        if isinstance(name, str) and _NAME.fullmatch(name):
            return name
        if name is not msgspec.UNSET:
            what = f"{self._told}: a module is named by one word, not {show(name)}"
            self._context.wrong(at, f"{what}; write it under 'as'")
        return NOWHERE

    def _give(self, form: "Form") -> None:
        """Give `form` its inputs, and report those that are wrong or missing."""
        at = value_at(self._body, "with", self._at)
        form.origins[""] = self._form, self._context.cell
        given = self._body.get("with")
        given = self._form.map_of(given, at, f"{self._told}: with", "inputs")
        for name, written, name_at, place in given.entries():
            if name not in self._inputs:
                hint = suggest(name, self._inputs) or "it has no inputs"
                self._context.wrong(name_at, f"{self._told}: unknown input {name!r}; {hint}")
                continue
            value = self._form.value(written, place)
            rule = self._inputs[name].refusal(value)
            if rule:
                self._context.wrong(place, f"{self._told}: the input {name} {rule}")
                value = UNKNOWN if self._context.is_lenient else msgspec.UNSET
            form.origins[f"inputs.{name}"] = self._form, self._context.cell
            form.give(name, value, is_live=self._context.cell.is_live)
        is_map = isinstance(self._body.get("with"), Map | None)
        for name, wanted in self._inputs.items() if is_map else ():
            if name not in given and not wanted.has_default:
                at = key_at(self._body, "with", self._at)
                what = f"{self._told}: the input {name} is missing; add it below with:"
                self._context.wrong(at, what)
