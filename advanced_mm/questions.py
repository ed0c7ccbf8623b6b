"""Questions of the scripts that set something up: each has a default, and may be left out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.prompt import FloatPrompt, Prompt

from advanced_mm.errors import InputError

__all__ = ["Ask", "write_new"]

Given = TypeVar("Given")


class Ask:
    """Asks on the console, or takes each default without asking.

    Piped answers, one a line, will do in place of a terminal; an empty line takes the default.

    Parameters
    ----------
    console
        Where questions are shown.
    defaults
        Ask nothing.
    """

    def __init__(self, console: Console, *, defaults: bool) -> None:
        self._console, self._defaults = console, defaults

    def text(
        self,
        question: str,
        default: str,
        choices: Sequence[str] = (),
        check: Callable[[str], object] = str,
    ) -> str:
        """Return a text, one of the choices if there are any.

        ``check`` raises `InputError` for one that will not do; its message is shown, and the
        question is put again.

        Raises
        ------
        InputError
            The piped answers end here.
        """
        words = list(choices) or None
        while not self._defaults:
            given = self._answer(
                question,
                lambda: Prompt.ask(question, default=default, choices=words, console=self._console),
            ).strip()
            try:
                check(given)
            except InputError as error:
                self._console.print(str(error))
            else:
                return given
        return default

    def number(self, question: str, default: float, most: float, least: float = 0.0) -> float:
        """Return a positive number from ``least`` to ``most``.

        Raises
        ------
        InputError
            The piped answers end here.
        """
        while not self._defaults:
            given = self._answer(
                question, lambda: FloatPrompt.ask(question, default=default, console=self._console)
            )
            if 0 < given <= most and given >= least:
                return given
            low = f"at least {least:g}" if least else "above 0"
            self._console.print(f"It must be {low} and at most {most:g}.")
        return default

    @staticmethod
    def _answer(question: str, ask: Callable[[], Given]) -> Given:
        try:
            return ask()
        except EOFError:
            raise InputError(
                f"The answers end at {question!r}: give one line for each question, or --defaults."
            ) from None


def write_new(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file that is not there yet.

    Raises
    ------
    InputError
        It is there and is not to be overwritten, or it cannot be written.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already: name another, or replace it with --force.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from None
