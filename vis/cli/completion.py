"""`vis completion`: commands, options and their values, for the shell to complete."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from vis.cli.arguments import Command, Group, parser_of
from vis.errors import EXIT_OK

if TYPE_CHECKING:
    from argparse import Action
    from collections.abc import Callable, Iterator, Mapping, Sequence

_Words = dict[str, list[str]]
"""Command, or nothing -> the words that may follow."""

# without these two lines zsh knows no `complete`
_ZSH = """\
autoload -Uz compinit bashcompinit
compinit && bashcompinit
"""
# file names are completed where `words` are none of what is typed (-o default)
_BASH = """\
_vis() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="${{COMP_WORDS[1]}}" words=""
    case "$command" in
        {groups}) (( COMP_CWORD > 2 )) && command="$command ${{COMP_WORDS[2]}}" ;;
    esac
    if (( COMP_CWORD == 1 )); then
        words="{commands}"
    else
        case "$command $prev" in
{values}
            *)
                if [[ "$cur" == -* ]]; then
                    case "$command" in
{flags}
                    esac
                else
                    case "$command" in
{words}
                    esac
                fi ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _vis vis
"""


@dataclass(frozen=True, slots=True)
class _Option:
    """One option of a command, or an argument without a flag."""

    flags: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...]
    """That it may have, where these are few."""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print what makes a shell complete commands, options and their values.

    File names are completed wherever neither an option nor one of few values is typed. What is
    printed belongs to this version: print it again after an upgrade.

    Args:
        shell: bash, zsh or fish.
    """
    scripts: dict[str, Callable[[_Words, dict[str, list[_Option]]], str]] = {
        "bash": _bash,
        "zsh": lambda words, options: _ZSH + _bash(words, options),
        "fish": _fish,
    }
    words, options = _tree()
    sys.stdout.write(scripts[shell](words, options))
    return EXIT_OK


def _tree() -> tuple[_Words, dict[str, list[_Option]]]:
    """Words that follow a word or none, and the options of each command, by the real parsers."""
    from vis.cli import COMMANDS

    words: _Words = {"": list(COMMANDS)}
    options: dict[str, list[_Option]] = {}
    for name in COMMANDS:
        command: Command | Group = importlib.import_module(f"vis.cli.{name}").COMMAND
        if isinstance(command, Group):
            words[name] = list(command.commands)
            for part, inner in command.commands.items():
                options[f"{name} {part}"] = list(_options(inner, f"vis {name} {part}"))
        else:
            options[name] = list(_options(command, f"vis {name}"))
    return words, options


def _options(command: Command, prog: str) -> Iterator[_Option]:
    for action in parser_of(command, prog)._actions:
        sentence = " ".join((action.help or "").replace("%%", "%").split())
        yield _Option(tuple(action.option_strings), sentence, action.nargs != 0, _values(action))


def _values(action: Action) -> tuple[str, ...]:
    """The words of a `Literal`, also of one that may be None."""
    kind: Any = getattr(action, "_typehint", None)
    kinds = [one for one in (kind, *get_args(kind)) if get_origin(one) is Literal]
    return tuple(map(str, get_args(kinds[0]))) if kinds else ()


def _bash(words: _Words, options: dict[str, list[_Option]]) -> str:
    follow = {name: list(after) for name, after in words.items() if name}
    values, flags = {}, {}
    for command, some in options.items():
        flags[command] = [flag for option in some for flag in option.flags]
        for option in some:
            if not option.flags and option.values:
                follow[command] = list(option.values)
            for flag in option.flags if option.values else ():
                values[f"{command} {flag}"] = option.values
    return _BASH.format(
        groups="|".join(name for name in words if name),
        commands=" ".join(words[""]),
        values=_cases(values, 12),
        flags=_cases(flags, 24),
        words=_cases(follow, 24),
    )


def _cases(table: Mapping[str, Sequence[str]], indent: int) -> str:
    lines = (f'"{key}") words="{" ".join(words)}" ;;' for key, words in table.items())
    return "\n".join(" " * indent + line for line in lines)


def _fish(words: _Words, options: dict[str, list[_Option]]) -> str:
    from vis.cli import COMMANDS

    lines = [
        f"complete -c vis -n __fish_use_subcommand -f -a {name} -d {_quoted(text)}"
        for name, text in COMMANDS.items()
    ]
    for name, parts in words.items():
        if name:
            inner = " ".join(parts)
            when = (
                f"__fish_seen_subcommand_from {name}; and not __fish_seen_subcommand_from {inner}"
            )
            lines.append(f"complete -c vis -n {_quoted(when)} -f -a {_quoted(inner)}")
    for command, some in options.items():
        when = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.split())
        begin = f"complete -c vis -n {_quoted(when)}"
        # an argument of any kind is a file name, which fish completes by itself
        lines += [f"{begin} {_fish_option(one)}" for one in some if one.flags or one.values]
    return "\n".join(lines) + "\n"


def _fish_option(option: _Option) -> str:
    flags = [f"-l {f[2:]}" if f.startswith("--") else f"-s {f[1:]}" for f in option.flags]
    # -x: one of the values and no file; -r: a value, which may be a file
    values = f"-x -a {_quoted(' '.join(option.values))}" if option.values else "-r"
    value = [values] if option.takes_value else []
    sentence = option.help.partition(". ")[0].rstrip(".")
    return " ".join([*flags, *value, f"-d {_quoted(sentence)}"])


def _quoted(text: str) -> str:
    """In single quotes, as fish reads them."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


COMMAND = Command(
    completion,
    """
    eval "$(vis completion bash)"      # in ~/.bashrc
    eval "$(vis completion zsh)"       # in ~/.zshrc
    vis completion fish > ~/.config/fish/completions/vis.fish
    """,
)
