"""From a typed function to its command line and manual page, by jsonargparse."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import sys
import types
import typing
from argparse import ArgumentError, RawDescriptionHelpFormatter
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import docstring_parser
from jsonargparse import ArgumentParser

from vis.errors import UsageError
from vis.ops.field_help import field_help

if typing.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SHORT = {"output": "-o", "config": "-c"}


@dataclass(frozen=True, slots=True)
class Command:
    """A command: positional-only parameters are positional, keyword-only ones are options.

    The function's docstring is the manual page: summary, description and one line per argument. A
    parameter whose type is a dataclass gives an option for each field, with the text under it.
    """

    function: Callable[..., int]
    examples: str
    """Shown at the end of the manual page."""
    settings_help: Callable[[], str] | None = None
    """Of settings `--section.name VALUE`; with it, the function gets them as `settings`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands under one word, such as `vis weights convert`."""

    summary: str
    commands: Mapping[str, Command]


def overview(group: Group, prog: str) -> str:
    """The manual page of a group: its commands, a line each."""
    pages = {name: _page(command).short_description for name, command in group.commands.items()}
    width = max(map(len, pages))
    lines = "".join(f"  {name:<{width}}  {line}\n" for name, line in pages.items())
    usage = f"usage: {prog} COMMAND [ARGUMENTS]\n\n{group.summary}\n\ncommands:\n{lines}"
    return f"{usage}\n`{prog} COMMAND --help` is the manual page of a command.\n"


def parse(command: Command, prog: str, arguments: list[str]) -> inspect.BoundArguments | None:
    """The arguments for the command's function, or None if help was asked for.

    Raises:
        UsageError: the arguments are wrong; the message names the argument and the manual page.
    """
    parser = parser_of(command, prog)
    if "-h" in arguments or "--help" in arguments:
        sys.stdout.write(parser.format_help())
        return None
    settings: list[str] = []
    if command.settings_help is not None:
        arguments, settings = _divided(arguments)
    try:
        values = vars(parser.parse_args(arguments))
    except ArgumentError as error:
        raise UsageError(_readable(str(error), parser), remedy=f"See {prog} --help") from error
    if command.settings_help is not None:
        values["settings"] = settings
    signature = inspect.signature(command.function)
    for name, group in _groups(command).items():
        values[name] = group(**{field.name: values.pop(field.name) for field in _flags(group)})
    positional = [name for name, p in signature.parameters.items() if p.kind is p.POSITIONAL_ONLY]
    return signature.bind(*[values.pop(name) for name in positional], **values)


def _divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Arguments and settings: a setting has a dot in its name, and one value."""
    rest: list[str] = []
    settings: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, _ = word.partition("=")
        if not name.startswith("--") or "." not in name:
            rest.append(word)
            continue
        settings.append(word)
        if not equals:
            settings += [value for value in [next(words, None)] if value is not None]
    return rest, settings


def parser_of(command: Command, prog: str) -> ArgumentParser:
    """The parser of a command's arguments, which writes its manual page too."""
    page = _page(command)
    sentences = {argument.arg_name: argument.description or "" for argument in page.params}
    table = "" if command.settings_help is None else f"settings:\n{command.settings_help()}\n"
    parser = ArgumentParser(
        prog=prog,
        description=f"{page.short_description}\n\n{page.long_description or ''}".rstrip(),
        epilog=f"{table}examples:\n{indent(inspect.cleandoc(command.examples), '  ')}",
        formatter_class=RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    kinds = typing.get_type_hints(command.function)
    groups = _groups(command)
    for name, parameter in inspect.signature(command.function).parameters.items():
        if name == "settings" and command.settings_help is not None:
            continue
        if name in groups:
            _add_group(parser, groups[name])
        else:
            _add(parser, parameter, kinds[name], sentences[name])
    return parser


def _groups(command: Command) -> dict[str, type[Any]]:
    """Parameters whose types are dataclasses."""
    kinds = typing.get_type_hints(command.function)
    return {
        name: kind
        for name, kind in kinds.items()
        if name != "return" and dataclasses.is_dataclass(kind) and isinstance(kind, type)
    }


def _flags(group: type[Any]) -> list[dataclasses.Field[Any]]:
    return [one for one in dataclasses.fields(group) if one.metadata.get("flag", True)]


def _add_group(parser: ArgumentParser, group: type[Any]) -> None:
    """An option for each field of a dataclass; for one that is on by default, `--no-NAME`."""
    sentences = field_help(group)
    # the types of fields without an option may be ones that need torch
    kinds = {one.name: _type_of(one.type, group) for one in _flags(group)}
    for field in _flags(group):
        name = field.name
        if kinds[name] is bool and field.default is True:
            text = f"Turn off: {sentences[name]}".replace("%", "%%")
            flag = f"--no-{name.replace('_', '-')}"
            parser.add_argument(flag, dest=name, action="store_false", default=True, help=text)
            continue
        parameter = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=kinds[name]
        )
        _add(parser, parameter, kinds[name], sentences[name])


def _type_of(kind: Any, group: type[Any]) -> Any:
    """The type that an annotation names in the module of its class."""
    reference = typing.ForwardRef(kind) if isinstance(kind, str) else kind
    hints = typing.get_type_hints(
        types.SimpleNamespace(__annotations__={"kind": reference}),
        vars(sys.modules[group.__module__]),
    )
    return hints["kind"]


def _words(text: str | tuple[str, ...]) -> tuple[str, ...]:
    """A list with commas; the parser asks a second time, with what the first call gave."""
    if not isinstance(text, str):
        return text
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _page(command: Command) -> docstring_parser.Docstring:
    return docstring_parser.parse(inspect.getdoc(command.function) or "")


def _add(parser: ArgumentParser, parameter: inspect.Parameter, kind: Any, sentence: str) -> None:
    if parameter.default not in (inspect.Parameter.empty, None, False):
        sentence = f"{sentence} (default: {parameter.default})"
    kind = next((k for k in typing.get_args(kind) if typing.get_origin(k) is list), kind)
    is_list = typing.get_origin(kind) is list
    if any(typing.get_origin(one) is tuple for one in (kind, *typing.get_args(kind))):
        kind = _words
    settings: dict[str, Any] = {"help": sentence.replace("%", "%%")}
    if kind is bool:
        settings["action"] = "store_true"
    elif is_list:
        settings |= {"nargs": "+", "type": typing.get_args(kind)[0]}
    else:
        settings["type"] = kind
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        parser.add_argument(parameter.name, metavar=parameter.name.upper(), **settings)
        return
    if parameter.default is inspect.Parameter.empty:
        settings["required"] = True
    elif kind is not bool:
        settings["default"] = parameter.default
    flags = [f"--{parameter.name.replace('_', '-')}"]
    if parameter.name in _SHORT:
        flags.insert(0, _SHORT[parameter.name])
    parser.add_argument(*flags, dest=parameter.name, **settings)


def _readable(message: str, parser: ArgumentParser) -> str:
    """The parser's complaint in one line, with the nearest option where one was misspelt."""
    line = " ".join(message.split())
    flags = [flag for action in parser._actions for flag in action.option_strings]
    for word in line.replace(":", " ").split():
        near = difflib.get_close_matches(word, flags, n=1) if word.startswith("--") else []
        if near and word not in flags:
            return f"{line}; did you mean {near[0]}?"
        if re.fullmatch(r"-[^-=]+\.\w+", word):
            return f"{line}; a file of that name is written ./{word}"
    return line
