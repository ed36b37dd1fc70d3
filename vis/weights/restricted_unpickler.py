"""Read a pickle without obeying it: allowed names become plain values, the rest is refused.

A pickle is a program for a small machine. Python's own readers, also the restricted ones, call
what the program names; numpy's part of that is not memory-safe even for "harmless" names. This
machine calls only what `vis.weights.pickle_allow_list` lists: a class becomes a record, an array
becomes checked bytes.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.weights.pickle_allow_list import (
    ALLOW_LIST,
    AllowedName,
    ArrayRecord,
    DtypeRecord,
    Record,
    Storage,
    fill_array,
    key_of,
)

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

MAX_OPERATIONS = 1_000_000
"""A detector with its optimiser needs about 50 000."""
MAX_NAME = 200
"""Bytes of a module's or a class's name."""
MAX_DEPTH = 1_000
"""Open marks; real checkpoints stay below 10."""

Operation = tuple[str, object]
_CODES = {opcode.code: opcode for opcode in pickletools.opcodes}


def read_pickle(stream: io.BytesIO) -> tuple[object, dict[str, Storage]]:
    """The value of the pickle at the stream's position, and the storages that it points to.

    The stream is left behind the pickle's last byte. Values are built of None, bool, int, float,
    str, bytes, tuple, list, dict, set and the records of `vis.weights.pickle_allow_list`.

    Raises:
        DataError: anything that weight files do not need, malformed or out of bounds.
    """
    start = stream.tell()
    # protocol 2 makes bytes out of a text and then an array out of the bytes
    machine = _Machine(budget=2 * (stream.seek(0, 2) - start))
    stream.seek(start)
    for name, argument in _scan(stream):
        _OPERATIONS[name](machine, argument)
    return machine.result(), machine.storages


def _scan(stream: io.BytesIO) -> list[Operation]:
    """The whole program, every operation known, before the first one is looked at."""
    operations: list[Operation] = []
    while not operations or operations[-1][0] != "STOP":
        code = stream.read(1)
        if not code:
            raise DataError("the pickle ends in the middle")
        opcode = _CODES.get(code.decode("latin-1"))
        if opcode is None or opcode.name not in _OPERATIONS:
            what = opcode.name if opcode else f"byte {code[0]:#04x}"
            raise DataError(f"the pickle uses {what}, which weight files do not")
        if len(operations) >= MAX_OPERATIONS:
            raise DataError(f"the pickle has more than {MAX_OPERATIONS} operations")
        operations.append((opcode.name, _argument(opcode, stream)))
    return operations


def _argument(opcode: pickletools.OpcodeInfo, stream: io.BytesIO) -> object:
    if opcode.arg is None:
        return None
    try:
        if opcode.name == "GLOBAL":
            return _line(stream), _line(stream)
        value: object = opcode.arg.reader(stream)
    except ValueError as error:
        raise DataError(f"the pickle's {opcode.name} cannot be read ({error})") from None
    return value


def _line(stream: io.BytesIO) -> str:
    """One line of plain letters; the standard reader would decode escapes in it."""
    line = stream.readline(MAX_NAME)
    if not line.endswith(b"\n"):
        raise ValueError("a name without an end")
    return line[:-1].decode("ascii")


@dataclass(slots=True)
class _Machine:
    """The state of a pickle program: a stack with marks, and numbered memories."""

    budget: int
    """Bytes that may still be made; every byte of an honest file is made into a value once."""
    stack: list[object] = field(default_factory=list)
    marked: list[list[object]] = field(default_factory=list)
    memo: dict[object, object] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)

    def result(self) -> object:
        value = self.pop()
        if self.stack or self.marked:
            raise DataError("the pickle leaves things on its stack")
        return value

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if not self.stack:
            raise DataError("the pickle takes from an empty stack")
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise DataError("the pickle looks at an empty stack")
        return self.stack[-1]

    def mark(self) -> None:
        if len(self.marked) >= MAX_DEPTH:
            raise DataError(f"the pickle is nested more than {MAX_DEPTH} deep")
        self.marked.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        if not self.marked:
            raise DataError("the pickle ends a group that it never began")
        values, self.stack = self.stack, self.marked.pop()
        return values

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def remember(self, index: object) -> None:
        self.memo[index] = self.top()

    def recall(self, index: object) -> None:
        if index not in self.memo:
            raise DataError(f"the pickle recalls number {index}, which it never stored")
        self.push(self.memo[index])

    def append(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, list):
            raise DataError("the pickle appends to something that is not a list")
        # by the memo a list may come to hold itself: no reader may follow it without a bound
        target.extend(values)

    def set_items(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, dict) or len(values) % 2:
            raise DataError("the pickle sets items of something that is not a dictionary")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[key_of(key)] = value

    def add_items(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, set):
            raise DataError("the pickle adds to something that is not a set")
        target.update(key_of(value) for value in values)

    def name(self, module: object, name: object) -> None:
        full_name = f"{module}.{name}"
        if not isinstance(module, str) or not isinstance(name, str) or full_name not in ALLOW_LIST:
            raise DataError(f"it asks for {full_name[:100]!r}, which weight files do not need")
        self.push(AllowedName(full_name))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        build = ALLOW_LIST[function.name] if isinstance(function, AllowedName) else None
        if build is None or not isinstance(arguments, tuple):
            name = (
                function.name
                if isinstance(function, AllowedName)
                else f"a {type(function).__name__}"
            )
            raise DataError(f"it calls {name}, which is not to be called")
        value = build(arguments)
        # a call can make much out of one remembered value, and be repeated a million times
        self.spend(value)
        self.push(value)

    def build(self) -> None:
        state, target = self.pop(), self.top()
        self.spend(state)
        if isinstance(target, Record) and isinstance(state, dict):
            target.fields.update({str(key): value for key, value in state.items()})
        elif isinstance(target, DtypeRecord) and isinstance(state, tuple):
            target.check(state)
        elif isinstance(target, ArrayRecord) and isinstance(state, tuple):
            fill_array(target, state)
            self.spend(target)
        elif not (isinstance(target, dict) and isinstance(state, dict)):
            # a dictionary's own attributes (torch writes version numbers there) are left out
            raise DataError(f"it gives a state to a {type(target).__name__}, which has none")

    def spend(self, value: object) -> None:
        if isinstance(value, ArrayRecord):
            self.budget -= value.array.nbytes if value.array is not None else 0
        elif isinstance(value, bytes | dict | set):
            self.budget -= len(value)
        if self.budget < 0:
            raise DataError("the pickle makes more out of its content than it holds")

    def point(self) -> None:
        storage = Storage.of(self.pop())
        if self.storages.setdefault(storage.key, storage) != storage:
            raise DataError(f"storage {storage.key[:40]!r} is described in two ways")
        self.push(storage)


def _global(machine: _Machine, argument: object) -> None:
    assert isinstance(argument, tuple)
    machine.name(*argument)


def _stack_global(machine: _Machine, _: object) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _protocol(_: _Machine, argument: object) -> None:
    if argument not in (2, 3, 4, 5):
        raise DataError(f"it is a pickle of protocol {argument}; 2 to 5 are known")


_VALUES = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINSTRING", "SHORT_BINSTRING"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
)
_OPERATIONS: dict[str, Callable[[_Machine, object], object]] = {
    "PROTO": _protocol,
    # how much a reader may fetch ahead: nothing to obey
    "FRAME": lambda *_: None,
    "STOP": lambda *_: None,
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.pop(),
    "POP_MARK": lambda machine, _: machine.since_mark(),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.add_items(machine.since_mark()),
    "MEMOIZE": lambda machine, _: machine.remember(len(machine.memo)),
    "BINPUT": lambda machine, index: machine.remember(index),
    "LONG_BINPUT": lambda machine, index: machine.remember(index),
    "BINGET": lambda machine, index: machine.recall(index),
    "LONG_BINGET": lambda machine, index: machine.recall(index),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.call(),
    # like a call, as no allowed class has a `__new__` of its own
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.point(),
    **dict.fromkeys(_VALUES, lambda machine, value: machine.push(value)),
}
