"""What several commands ask for: lists of numbers, names of the catalog, a model."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from controlplane.domain import catalog
from controlplane.domain.catalog import Accelerator
from controlplane.planning.model_config import read_config
from controlplane.planning.model_shape import ModelShape, shape_of

CONFIG_NAME = "config.json"
CONFIG_MAX_BYTES = 16 * 1024 * 1024
"""A config.json has some kilobytes; a weight file given by mistake is not read to its end."""


class OptionError(ValueError):
    """An option that cannot be used; the message names it, its value and what is allowed."""


def positive(option: str, value: float) -> float:
    """`value`, which must be a finite number above 0.

    Raises:
        OptionError: if it is not.
    """
    if not (math.isfinite(value) and value > 0):
        raise OptionError(f"{option} is {value!r}; allowed: a finite number above 0")
    return value


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Numbers above 0 from `1,2.5,4`.

    Raises:
        OptionError: if one is not.
    """
    try:
        return tuple(positive(option, float(part)) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} is {text!r}; allowed: numbers above 0, as in 1,2.5,4") from error


def counts(option: str, text: str) -> tuple[int, ...]:
    """Integers of 1 or more from `1,2,4`.

    Raises:
        OptionError: if one is not.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= 1 for part in parts):
        raise OptionError(f"{option} is {text!r}; allowed: integers of 1 or more, as in 1,2,4")
    return tuple(dict.fromkeys(int(part) for part in parts))


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """Names that were typed apart, repeated, or as `one,two`."""
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def accelerators(names: Sequence[str], prices: Sequence[str]) -> tuple[Accelerator, ...]:
    """Those of the catalog by name (all without names), at the prices given as `NAME=USD`.

    Raises:
        OptionError: if a name is not in the catalog, or a price is no number.
    """
    known = {name.lower(): gpu for name, gpu in catalog.ACCELERATORS.items()}
    chosen = [_known(known, "--accelerator", name) for name in names] or list(known.values())
    asked = dict(_price(known, text) for text in prices)
    return tuple(replace(gpu, usd_per_hour=asked.get(gpu.name, gpu.usd_per_hour)) for gpu in dict.fromkeys(chosen))


def _known(known: dict[str, Accelerator], option: str, name: str) -> Accelerator:
    if name.lower() not in known:
        raise OptionError(f"{option} is {name!r}; allowed: {', '.join(gpu.name for gpu in known.values())}")
    return known[name.lower()]


def _price(known: dict[str, Accelerator], text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        return _known(known, "--price", name).name, positive("--price", float(amount))
    except ValueError as error:
        if isinstance(error, OptionError):
            raise
        raise OptionError(f"--price is {text!r}; allowed: NAME=USD per GPU hour, as in H100=2.49") from error


def model_shape(model: str) -> ModelShape:
    """The model of a catalog name, or of a config.json (or the folder that has one).

    Raises:
        OptionError: if it is neither, or the file is no JSON.
        FieldError: if the config.json lacks a field or has an architecture that is not covered.
    """
    if model in catalog.MODELS:
        return shape_of(catalog.MODELS[model])
    path = Path(model).expanduser()
    file = path / CONFIG_NAME if path.is_dir() else path
    if not file.is_file():
        names = ", ".join(catalog.MODELS)
        raise OptionError(f"MODEL is {model!r}; allowed: a config.json, a folder with one, or one of {names}")
    name = file.resolve().parent.name if file.name == CONFIG_NAME else file.stem
    return read_config(read_json(file, CONFIG_MAX_BYTES), name)


def read_json(file: Path, max_bytes: int) -> object:
    """The JSON document in `file`.

    Raises:
        OptionError: if it is too large, not UTF-8, or not JSON.
    """
    size = file.stat().st_size
    if size > max_bytes:
        raise OptionError(f"{file} has {size} bytes; allowed: at most {max_bytes}")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise OptionError(f"{file} is not JSON: {error}") from error
