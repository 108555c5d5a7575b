"""Every failure Vagus shows on purpose, and the exit code each one ends in.

    VagusError                 1  internal fault
    ├── InvalidInput           2  bad usage or bad input; carries a list of Problem
    ├── Refused                3  a promotion gate, a leak found, too few people
    └── VerificationFailed     4  a seal, digest or proof does not hold

A message says what, where and what to do. It never quotes a value that came from a patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with an input, where it is, and how to mend it.

    `code` is stable (scripts match on it); `row` is the 1-based line of the file, header included.
    """

    code: str
    message: str
    remedy: str
    file: str = ""
    row: int | None = None
    column: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the problem as a JSON object."""
        return asdict(self)

    def __str__(self) -> str:
        """Return one line: place, message, remedy, code."""
        place = ":".join(str(part) for part in (self.file, self.row, self.column) if part not in ("", None))
        return f"{place + ': ' if place else ''}{self.message}. {self.remedy} [{self.code}]"


MOST = 20  # problems of one kind that are shown


class VagusError(Exception):
    """Base of all failures that are shown as one message, without a traceback."""

    exit_code = 1

    @property
    def lines(self) -> list[str]:
        """Return what is shown of the failure."""
        return [str(self)]


class InvalidInput(VagusError):
    """Bad usage or bad input, with every problem found."""

    exit_code = 2

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def lines(self) -> list[str]:
        """Return a line per problem, of those alike the first MOST: what thousands of columns have in common is said once."""
        seen: Counter[str] = Counter()
        lines = []
        for problem in self.problems:
            seen[problem.code] += 1
            if seen[problem.code] <= MOST:
                lines.append(str(problem))
        return lines + [f"and {n - MOST} more [{code}]" for code, n in seen.items() if n > MOST]


class Refused(VagusError):
    """The request is understood and declined: `code` is stable, the message says why."""

    exit_code = 3

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class VerificationFailed(VagusError):
    """A seal, digest or proof does not hold; the message names the first item that differs."""

    exit_code = 4


def invalid(
    code: str, message: str, remedy: str, *, file: str = "", row: int | None = None, column: str = ""
) -> InvalidInput:
    """Return an InvalidInput with a single problem."""
    return InvalidInput([Problem(code, message, remedy, file, row, column)])
