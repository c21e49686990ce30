"""What a mutant is: one small wrong change, and the tests that must see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
"""The work tree. Nothing here ever writes into it."""


class MutantRottenError(Exception):
    """The text that a mutant changes is not there exactly once: the code has moved on, the mutant must follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One wrong change to one file.

    Attributes:
        name: What it is called by.
        breaks: The rule that no longer holds, in a sentence.
        file: The file, from the root of the repository.
        text: What is changed; found in the file exactly once.
        replacement: What it is changed to.
        tests: Ids of the tests that must turn red, each of them; of a test with cases, at least one case.
    """

    name: str
    breaks: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]

    @property
    def language(self) -> str:
        """Its file's suffix: "lua", "py" or "rs"."""
        return self.file.rpartition(".")[2]

    def original(self, root: Path = ROOT) -> str:
        """The file as it is."""
        return (root / self.file).read_text(encoding="utf-8")

    def mutated(self, root: Path = ROOT) -> str:
        """The file with the change.

        Raises:
            MutantRottenError: The text is not there, or more than once.
        """
        source = self.original(root)
        found = source.count(self.text)
        if found != 1 or self.text == self.replacement:
            raise MutantRottenError(f"{self.name}: its text is {found} times in {self.file}")
        return source.replace(self.text, self.replacement)
