"""The command line: `vis COMMAND ...`; one file a command, a thin shell over a public function.

Only the named command's module is imported, so that help and errors come at once.
"""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
import traceback
import warnings
from typing import TYPE_CHECKING

from vis.cli.arguments import Command, Group, overview, parse
from vis.errors import (
    EXIT_DAMAGED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TEMPORARY,
    EXIT_TERMINATED,
    DamageWarning,
    DeviceError,
    UsageError,
    VisError,
    VisWarning,
    printable,
)
from vis.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

COMMANDS = {
    "completion": "print what makes a shell complete commands and options",
    "data": "check data sets, convert them, split them, look at them",
    "draw": "draw a result or annotation file onto its video",
    "evaluate": "measure results, or a model on a data set, and write a report",
    "export": "write a model as files that run without vis: ONNX, torch.export",
    "models": "list the models there are, their licences, and how to get them",
    "predict": "write what a model detects in a data set, with or without truth",
    "probe": "tell what a video is and whether it is whole",
    "submit": "check results and write the zip that a test server takes",
    "track": "find, name and follow every object in videos",
    "train": "train a model, or go on with a run",
    "web": "serve a page that tracks videos in the browser",
    "weights": "get or convert published weights, or tell what a weight file holds",
}

_HELP = """\
vis {version}: video instance segmentation. Find, outline, name and follow every object in a video.

usage: vis COMMAND [ARGUMENTS]

first:
  vis track my.mp4    follows every object; writes my-tracked.mp4 beside it

commands:
{commands}

`vis COMMAND --help` is the manual page of a command.
Everywhere: --debug shows the traceback of an error. `vis --version` prints the version; with
--verbose also those of its libraries and the devices, as a bug report needs them.

exit codes:
  0   done                              70  a fault of vis itself: please report it
  1   done, but parts of the input      74  an output cannot be written
      were damaged (see the warnings)   75  stopped early; running again goes on
  64  the command line is wrong         130 interrupted
  65  the content of a file is wrong    143 terminated
  66  an input is missing
  69  a device or library is missing
"""

_INSTALL = "Install vis again, which fetches it: pip install --upgrade vis-kit."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    damage = _Warnings()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", VisWarning)
            warnings.showwarning = damage.show  # type: ignore[assignment]
            code = _run(arguments)
        return code or (EXIT_DAMAGED if damage.damaged else EXIT_OK)
    except VisError as error:
        _complain(str(error), debug)
        return error.exit_code
    except (KeyboardInterrupt, _Terminated) as stop:
        words = ["interrupted" if isinstance(stop, KeyboardInterrupt) else "terminated"]
        _complain(". ".join([*words, *getattr(stop, "__notes__", [])]) + ".", debug)
        return EXIT_INTERRUPTED if isinstance(stop, KeyboardInterrupt) else EXIT_TERMINATED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # silences Python's exit
        return EXIT_OK
    except MemoryError:
        _complain("out of memory. Close other programs or take a smaller input.", debug)
        return EXIT_TEMPORARY
    except ModuleNotFoundError as error:
        _complain(f"the library {error.name} is not installed. {_INSTALL}", debug)
        return DeviceError.exit_code
    except Exception as error:  # noqa: BLE001 - the last line of defence; --debug shows all
        what = f"a fault of vis itself ({type(error).__name__}: {error})"
        _complain(f"{what}. Run again with --debug and report what it prints.", debug)
        return VisError.exit_code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = [f"  {name:<{width}}  {line}" for name, line in COMMANDS.items()]
        print(_HELP.format(version=__version__, commands="\n".join(lines)), end="")  # noqa: T201
        return EXIT_OK
    if arguments[0] in ("-V", "--version"):
        print(_version(verbose="--verbose" in arguments), end="")  # noqa: T201
        return EXIT_OK
    name, *rest = arguments
    _check_command(name, COMMANDS, "vis")
    command: Command | Group = importlib.import_module(f"vis.cli.{name}").COMMAND
    prog = f"vis {name}"
    if isinstance(command, Group):
        if not rest or rest[0] in ("-h", "--help"):
            print(overview(command, prog), end="")  # noqa: T201
            return EXIT_OK
        _check_command(rest[0], command.commands, prog)
        prog, command, rest = f"{prog} {rest[0]}", command.commands[rest[0]], rest[1:]
    bound = parse(command, prog, rest)
    return EXIT_OK if bound is None else command.function(*bound.args, **bound.kwargs)


def _version(*, verbose: bool) -> str:
    if not verbose:
        return f"vis {__version__}\n"
    from vis.cli.about import about  # it loads torch and FFmpeg

    return about()


def _check_command(name: str, commands: Mapping[str, object], prog: str) -> None:
    if name not in commands:
        near = difflib.get_close_matches(name, commands, n=1)
        raise UsageError(
            f"{prog} has no command {name!r}",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Take one of {', '.join(commands)}",
        )


class _Warnings:
    """Prints our warnings as one line each and remembers whether one was of damage."""

    def __init__(self) -> None:
        self.damaged = False

    def show(self, message: Warning | str, category: type[Warning], *_: object) -> None:
        self.damaged |= issubclass(category, DamageWarning)
        colour = ("\033[33m", "\033[0m") if sys.stderr.isatty() else ("", "")
        print(f"{colour[0]}warning: {printable(str(message))}{colour[1]}", file=sys.stderr)  # noqa: T201


def _complain(line: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    colour = ("\033[31m", "\033[0m") if sys.stderr.isatty() else ("", "")
    print(f"{colour[0]}vis: {line}{colour[1]}", file=sys.stderr)  # noqa: T201


class _Terminated(BaseException):
    """SIGTERM, so that every `with` on the way closes its files."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _Terminated
