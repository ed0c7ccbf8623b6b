"""Run a command with the values that files hold, as Freqtrade reads none from files itself.

For each variable FREQTRADE__…_FILE, the command gets FREQTRADE__… with the content of the file that
it names. A file that is missing or empty, or that everybody can read, is an error, and nothing is
run. The command takes this program's place.
"""

import argparse
import os
import sys

from advanced_mm.cli import run
from advanced_mm.errors import InputError
from advanced_mm.key_files import with_values_of_files

PREFIX = "FREQTRADE__"


def main(argv: list[str] | None = None) -> int:
    """Become the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="the program's own")
    options = parser.parse_args(argv)
    command = [options.program, *options.arguments]
    environment, failed = with_values_of_files(os.environ, PREFIX)
    if failed:
        raise failed[0]
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        raise InputError(f"{command[0]} cannot be run: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(run(main))
