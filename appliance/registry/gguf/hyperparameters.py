"""The numbers of a model: read, typed, and inside the range that makes sense.

llama.cpp takes a key of another type for an error, a number out of range for a fact: it divides by
some, and indexes arrays of 512 with others.
"""

import math

from appliance.registry.gguf.family import COMMON, EPSILONS, Family, Number
from appliance.registry.gguf.finding import Finding, Rule
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.types import ValueType

MOST_BLOCKS = 512
"""`LLAMA_MAX_LAYERS`; also the length of llama.cpp's arrays of numbers per block."""
ROPE_SCALING = ("none", "linear", "yarn", "longrope")
PATTERN = "attention.sliding_window_pattern"

_INTEGERS = (ValueType.UINT32, ValueType.INT32)
_FLAGS = (*_INTEGERS, ValueType.BOOL)


class Hyperparameters:
    """What `{architecture}.…` holds, and everything that is wrong with it."""

    def __init__(self, metadata: Metadata, architecture: str, family: Family) -> None:
        self.metadata = metadata
        self.architecture = architecture
        self.family = family
        self.findings: list[Finding] = []
        self._scalars: dict[str, float] = {}
        self._series: dict[str, tuple[int, ...]] = {}
        own = {number.name for number in family.numbers}
        for number in (*(n for n in COMMON if n.name not in own), *family.numbers):
            self._read(number)
        for epsilon in EPSILONS:
            self._read(Number(epsilon, 1e-15, 0.1, epsilon == family.epsilon, ValueType.FLOAT32))
        self._check_words()
        self._check_finite()
        self.sliding = self._pattern()
        """Which blocks attend to a window only; empty if the file does not say."""
        self._check_series()

    def refuse(self, name: str, what: str) -> None:
        """Note that a number is wrong."""
        where = f"{self.architecture}.{name}"
        self.findings.append(Finding(rule=Rule.HYPERPARAMETER, where=where, what=what))

    def __contains__(self, name: str) -> bool:
        return name in self._scalars or name in self._series

    def whole(self, name: str, default: int = 0) -> int:
        """Return a scalar integer."""
        return int(self._scalars.get(name, default))

    def each(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return one integer for each block."""
        if name in self._series:
            return self._series[name]
        return (self.whole(name),) * self.blocks if name in self._scalars else default

    @property
    def blocks(self) -> int:
        """Number of blocks; 0 if the file does not say."""
        return self.whole("block_count")

    def _read(self, number: Number) -> None:
        key = f"{self.architecture}.{number.name}"
        value = self.metadata.value(key)
        if value is None:
            if number.required:
                self.refuse(number.name, "is missing")
            return
        if value.type is ValueType.ARRAY and number.per_block:
            self._read_series(number)
            return
        if value.type is not number.type:
            text = f"is of type {value.type.name.lower()} and not {number.type.name.lower()}"
            self.refuse(number.name, text)
            return
        scalar = self.metadata.number(key)
        if scalar is None or not math.isfinite(scalar):
            self.refuse(number.name, "is not a finite number")
        elif not number.least <= scalar <= number.most:
            text = f"is {scalar:g}; {number.least:g} to {number.most:g} is accepted"
            self.refuse(number.name, text)
        else:
            self._scalars[number.name] = scalar

    def _integers(self, name: str, accepted: tuple[ValueType, ...]) -> tuple[int, ...] | None:
        """Return an array of integers, refused if it is of other elements or too long."""
        key = f"{self.architecture}.{name}"
        value = self.metadata.value(key)
        if value is None or value.element not in accepted:
            self.refuse(name, "is an array of something other than 32-bit integers")
            return None
        if value.count > MOST_BLOCKS:
            self.refuse(name, f"has {value.count} elements; at most {MOST_BLOCKS} are accepted")
            return None
        array = self.metadata.numbers(key)
        return () if array is None else tuple(int(item) for item in array.tolist())

    def _read_series(self, number: Number) -> None:
        values = self._integers(number.name, _INTEGERS)
        if values is None:
            return
        if any(not number.least <= item <= number.most for item in values):
            text = f"has an element outside {number.least:g} to {number.most:g}"
            self.refuse(number.name, text)
        self._series[number.name] = values

    def _check_words(self) -> None:
        key = f"{self.architecture}.rope.scaling.type"
        if key in self.metadata and self.metadata.text(key) not in ROPE_SCALING:
            self.refuse("rope.scaling.type", f"is not one of {', '.join(ROPE_SCALING)}")

    def _check_finite(self) -> None:
        """Numbers without a row of their own are at least finite."""
        prefix = f"{self.architecture}."
        known = {finding.where for finding in self.findings}
        for key in self.metadata:
            scalar = self.metadata.number(key) if key.startswith(prefix) else None
            if scalar is not None and not math.isfinite(scalar) and key not in known:
                self.refuse(key.removeprefix(prefix), "is not a finite number")

    def _pattern(self) -> tuple[bool, ...]:
        value = self.metadata.value(f"{self.architecture}.{PATTERN}")
        if value is not None and value.type is ValueType.ARRAY:
            flags = self._integers(PATTERN, _FLAGS)
            if flags is None:
                return ()
            if len(flags) != self.blocks or any(flag not in (0, 1) for flag in flags):
                self.refuse(PATTERN, f"is not one yes or no for each of {self.blocks} blocks")
                return ()
            sliding = tuple(bool(flag) for flag in flags)
            self._check_kinds(sliding)
            return sliding
        if self.family.per_block:
            self.refuse(PATTERN, "is not there as an array with one element for each block")
            return ()
        period = self.family.period if value is None else value.scalar
        if value is not None and value.type is not ValueType.UINT32:
            self.refuse(PATTERN, "is neither an array nor a uint32")
        elif not isinstance(period, int) or period > MOST_BLOCKS:
            self.refuse(PATTERN, f"is a period of more than {MOST_BLOCKS} blocks")
        else:
            self._check_kinds(
                tuple(not period or block % period < period - 1 for block in range(self.blocks))
            )
        return ()

    def _check_kinds(self, sliding: tuple[bool, ...]) -> None:
        window = self.whole("attention.sliding_window", 1)
        needed = self.family.per_block or (self.family.period > 0 and window > 0)
        if needed and not any(sliding):
            self.refuse(PATTERN, "leaves no block that sees a window, without which loading aborts")
        if self.family.needs_full and all(sliding):
            self.refuse(PATTERN, "leaves no block that sees all, without which loading aborts")

    def _check_series(self) -> None:
        for name, series in self._series.items():
            if len(series) != self.blocks:
                self.refuse(name, f"has {len(series)} elements for {self.blocks} blocks")
            elif not self.family.per_block and len(set(series)) > 1:
                self.refuse(name, "differs between blocks, which this architecture does not")
