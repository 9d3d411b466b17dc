"""A JSON object read field by field: what is missing or of the wrong kind is named, with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


class FieldError(ValueError):
    """A field that cannot be used; the message names the document, the field, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class JsonObject:
    """One object of a document. `where` is how messages call it, e.g. `config.json` or `bench.json: metrics`.

    A field that is null counts as absent, as the writers of these documents mean it.
    """

    where: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, where: str, value: object) -> JsonObject:
        """`value`, which must be an object.

        Raises:
            FieldError: if it is none.
        """
        if not isinstance(value, dict):
            raise FieldError(f"{where} is {_short(value)}; allowed: a JSON object")
        return cls(where, value)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None

    def number(self, name: str) -> float | None:
        """A finite number of 0 or more, or None where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
            raise self.bad(name, "a finite number of 0 or more")
        return float(value)

    def count(self, name: str) -> int | None:
        """An integer of 1 or more, or None where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.bad(name, "an integer of 1 or more")
        return value

    def needed_count(self, name: str) -> int:
        """As `count`, but it must be there."""
        value = self.count(name)
        if value is None:
            raise FieldError(f"{self.where}: {name} is absent; allowed: an integer of 1 or more")
        return value

    def needed_number(self, name: str) -> float:
        """As `number`, but it must be there."""
        value = self.number(name)
        if value is None:
            raise FieldError(f"{self.where}: {name} is absent; allowed: a finite number of 0 or more")
        return value

    def text(self, name: str) -> str | None:
        """A string, or None where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.bad(name, "a string")
        return value

    def flag(self, name: str) -> bool | None:
        """True or false, or None where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        value = self.values.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.bad(name, "true or false")
        return value

    def child(self, name: str) -> JsonObject | None:
        """The object in that field, or None where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        return JsonObject.of(f"{self.where}: {name}", self.values[name]) if self.has(name) else None

    def items(self, name: str) -> tuple[object, ...]:
        """The list in that field; empty where it is absent.

        Raises:
            FieldError: if it is anything else.
        """
        value = self.values.get(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise self.bad(name, "a list")
        return tuple(value)

    def bad(self, name: str, allowed: str) -> FieldError:
        """The error that says that this field cannot be used."""
        return FieldError(f"{self.where}: {name} is {_short(self.values.get(name))}; allowed: {allowed}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
