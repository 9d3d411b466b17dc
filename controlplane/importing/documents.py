"""Which of several documents is meant, who reads it, and what its workload serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from controlplane.domain import catalog
from controlplane.domain.json_object import FieldError
from controlplane.importing import hpa, scaled_object
from controlplane.importing.imported import Choice, Imported
from controlplane.importing.served_model import catalog_name, served_model

Document = Mapping[str, object]

READERS: Mapping[str, Callable[[Document, Choice], Imported]] = {
    hpa.KIND: hpa.from_hpa,
    scaled_object.KIND: scaled_object.from_scaled_object,
}
"""By kind."""


def items(loaded: Iterable[object]) -> list[Document]:
    """The objects of a file's documents: each itself, or those of a List."""
    return [each for one in loaded for each in _items(one)]


def _items(document: object) -> list[Document]:
    if not isinstance(document, Mapping):
        return []
    inner = document.get("items")
    return [one for one in inner if isinstance(one, Mapping)] if isinstance(inner, list) else [document]


def name_of(document: Document) -> object:
    """`metadata.name`, whatever stands there; None where nothing does."""
    return mapping(document.get("metadata")).get("name")


def mapping(value: object) -> Document:
    """The value, or an empty object where it is none."""
    return value if isinstance(value, Mapping) else {}


def target_of(document: Document) -> tuple[str, str, str]:
    """apiVersion, kind and name of what it scales; the name is empty where it does not say."""
    given = mapping(mapping(document.get("spec")).get("scaleTargetRef"))
    return (
        str(given.get("apiVersion") or "apps/v1"),
        str(given.get("kind") or "Deployment"),
        str(given.get("name") or ""),
    )


def workload_of(document: Document, documents: Iterable[Document]) -> Document | None:
    """What it scales, where that is among the documents too."""
    wanted = target_of(document)[1:]
    return next((one for one in documents if (one.get("kind"), name_of(one)) == wanted), None)


def in_namespace(document: Document, namespace: str) -> Document:
    """The document with that namespace where it says none."""
    return {**document, "metadata": {"namespace": namespace, **mapping(document.get("metadata"))}}


def the_one(documents: Sequence[Document], name: str | None) -> Document:
    """The document that can be imported; of several, the one of that name.

    Raises:
        FieldError: if there is none, or it is not said which.
    """
    known = [one for one in documents if one.get("kind") in READERS]
    found = known if name is None else [one for one in known if name_of(one) == name]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{one.get('kind')} {name_of(one)}" for one in documents[:20]) or "nothing"
    which = f"of name {name}" if name is not None else "(name says which, where there are several)"
    raise FieldError(f"manifest: it holds {there}; allowed: one {' or '.join(READERS)} {which}")


def model_of(workload: Document | None, field: str) -> str:
    """The catalog's name of the model that the workload serves; `field` is where it may be said instead.

    Raises:
        FieldError: if its command line names none, or one that the catalog does not hold. It is not guessed.
    """
    served = served_model(workload)
    name = catalog_name(served) if served else None
    if name is None:
        found = (
            f"{served!r}, which the workload serves, is not in the catalog" if served else "no command line names one"
        )
        raise FieldError(f"{field} is absent, and {found}; allowed: {', '.join(catalog.MODELS)}")
    return name
