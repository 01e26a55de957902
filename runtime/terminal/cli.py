"""Shared by both command lines: lazy commands, common options, exit codes of errors."""

from __future__ import annotations

import functools
import importlib
import io
import json
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import (
    EXIT_BAD_INPUT,
    EXIT_CHECK_FAILED,
    EXIT_INTERRUPTED,
    EdgeError,
    InputError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from click.shell_completion import CompletionItem

_REPORT_HINT = "this is a bug; run it again with --debug and report what it prints"


@dataclass(frozen=True, slots=True)
class Output:
    """Output of a command: data on stdout, everything else on stderr.

    Attributes:
        as_json: print one stable JSON object (or JSON lines) instead of text.
        quiet: print no remarks.

    Example:
        >>> Output(as_json=True).data({"verdict": "pass"}, "pass")
        {"verdict": "pass"}
        >>> Output().data({"verdict": "pass"}, "pass")
        pass
    """

    as_json: bool = False
    quiet: bool = False

    @property
    def interactive(self) -> bool:
        """Whether stderr is a terminal: progress bars are drawn only then."""
        return not self.quiet and sys.stderr is not None and sys.stderr.isatty()

    def data(self, value: Any, text: str) -> None:
        """Print a result on stdout.

        Args:
            value: the result as JSON values.
            text: the result as text.
        """
        click.echo(json.dumps(value, ensure_ascii=False) if self.as_json else text)

    def say(self, text: str) -> None:
        """Print a remark on stderr, unless ``quiet``.

        Args:
            text: the remark.
        """
        if not self.quiet:
            click.echo(text, err=True)

    def next(self, command: str) -> None:
        """Print the next command.

        Args:
            command: as the user would type it.
        """
        self.say(f"\nNext: {command}")


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json``, ``--quiet`` and ``--debug``; the command gets an :class:`Output`.

    Args:
        command: a function with a parameter ``output``.

    Example::

        @click.command()
        @output_options
        def command(output):
            output.data({"path": "a.tflite"}, "a.tflite")
    """

    @click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
    @click.option("--quiet", "-q", is_flag=True, help="Print no remarks and no progress.")
    @click.option("--debug", is_flag=True, help="Show the log, and the traceback of an error.")
    @functools.wraps(command)
    def wrapper(*args: Any, as_json: bool, quiet: bool, debug: bool, **kwargs: Any) -> Any:
        del debug  # LazyGroup.invoke reads it
        return command(*args, output=Output(as_json, quiet), **kwargs)

    return wrapper


class Names(click.types.StringParamType):
    """A text option whose values a shell can complete; its value is checked where it is used.

    Example::

        @click.option("--fit", type=Names(fits), default="stretch")
    """

    def __init__(self, known: Callable[[], Iterable[str]]) -> None:
        """Store the function that returns the names.

        Args:
            known: called only for completion.
        """
        self._known = known

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that start with the typed text."""
        del ctx, param
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self._known() if name.startswith(incomplete)]


class Existing(click.Path):
    """A file or folder that has to exist; checked before anything slow begins.

    Example::

        @click.argument("model", type=Existing())
    """

    def __init__(self) -> None:
        """Convert to :class:`~pathlib.Path`."""
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path.

        Raises:
            InputError: no such file or folder; the message suggests a similar name.
        """
        from runtime.errors import did_you_mean

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.exists():
            raise InputError(f"no such file or folder: {path}{did_you_mean(path)}")
        return path


class LazyGroup(click.Group):
    """A group that imports a command only when it is run, and prints an error as one line.

    A command called ``predict`` is the attribute ``command`` of the module ``predict``
    in the package of commands.

    Example::

        @click.group(cls=LazyGroup, package="runtime.commands", lazy={"info": "Show a model file."})
        def main():
            ...
    """

    def __init__(self, *args: Any, package: str, lazy: Mapping[str, str], **kwargs: Any) -> None:
        """Store the commands.

        Args:
            *args: passed to click.
            package: import name of the package of commands.
            lazy: name and one-line help of each command, in the order of ``--help``.
            **kwargs: passed to click.
        """
        super().__init__(*args, **kwargs)
        self._package = package
        self._lazy = lazy

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; an encoding without ``…`` or ``█`` prints ``?`` instead."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in their given order."""
        del ctx
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self._lazy:
            return None
        module = importlib.import_module(f"{self._package}.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(self._lazy.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the closest command for an unknown one."""
        name = args[0]
        if name not in self._lazy:
            from difflib import get_close_matches

            if close := get_close_matches(name, self._lazy, n=1):
                ctx.fail(f"No such command '{name}'. Did you mean '{close[0]}'?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command and convert its exceptions into one line and an exit code."""
        debug = "--debug" in ctx.args  # also if another argument is wrong
        if debug:
            from runtime.terminal.log import log_on_stderr

            ctx.with_resource(log_on_stderr())
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place for it
            if debug:
                traceback.print_exc()
            raise _exit(error) from None


def _interrupted(error: BaseException | None) -> bool:
    """Whether an error was caused by Ctrl-C: numpy converts it into an ImportError."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _exit(error: BaseException) -> click.ClickException:
    """Convert an error into the one that click prints, with its exit code."""
    if isinstance(error, EdgeError):
        message, code = str(error), error.exit_code
    elif _interrupted(error):
        own = isinstance(error, KeyboardInterrupt)
        message, code = (str(error) if own else "") or "interrupted", EXIT_INTERRUPTED
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        message, code = f"{where}{error.strerror or error}", EXIT_BAD_INPUT
    else:
        message, code = f"{type(error).__name__}: {error} ({_REPORT_HINT})", EXIT_CHECK_FAILED
    # click reads the code from the class, so each code gets its own
    kind: type[click.ClickException] = type(
        "OneLineError", (click.ClickException,), {"exit_code": code}
    )
    return kind(" ".join(message.split()))
