"""The list of seeded bugs: reading it, and putting a bug into a source text."""

import dataclasses
import pathlib
import tomllib

FOLDER = pathlib.Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
KINDS = ("unit", "ranks", "grad", "parity", "golden", "device")  # quickest first
FIELDS = {"name", "story", "file", "old", "new", "tests"}


class ListError(Exception):
    """The list of bugs does not fit the sources."""


@dataclasses.dataclass(frozen=True)
class Bug:
    name: str
    story: str  # what a trainer with this bug does
    file: str  # a .cpp file of src/diptych
    old: str
    new: str
    tests: tuple[str, ...]  # who should notice, most likely first: a test program, or program:filter of GoogleTest

    @property
    def library(self):
        return f"libdiptych_{'_'.join(pathlib.PurePath(self.file).parts[2:-1])}.a"

    @property
    def programs(self):
        return [test.partition(":")[0] for test in self.tests]


def test_programs():
    """Names of the test programs, as tests/CMakeLists.txt makes them: <kind>_<folder>."""
    return [f"{kind}_{folder.name}" for kind in KINDS for folder in sorted((REPOSITORY / "tests" / kind).iterdir())
            if any(folder.rglob("*_test.cpp"))]


def load_bugs():
    """All bugs of *.toml; raises ListError where an entry is not what it must be."""
    bugs = []
    programs = set(test_programs())
    for file in sorted(FOLDER.glob("*.toml")):
        for entry in tomllib.loads(file.read_text())["bug"]:
            if set(entry) != FIELDS:
                raise ListError(f"{file.name}: {entry.get('name')}: expected the fields {sorted(FIELDS)}")
            bug = Bug(**{**entry, "tests": tuple(entry["tests"])})
            if not (bug.file.startswith("src/diptych/") and bug.file.endswith(".cpp")):
                raise ListError(f"{bug.name}: {bug.file} is no .cpp file of src/diptych")
            if unknown := set(bug.programs) - programs:
                raise ListError(f"{bug.name}: no test program is called {', '.join(sorted(unknown))}")
            bugs.append(bug)
    names = [bug.name for bug in bugs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ListError(f"names that occur twice: {', '.join(sorted(twice))}")
    return bugs


def with_bug(bug, root=REPOSITORY):
    """The text of bug.file below `root` with the bug in it; raises ListError unless `old` occurs exactly once."""
    text = (root / bug.file).read_text()
    count = text.count(bug.old)
    if count != 1:
        raise ListError(f"{bug.name}: the old text occurs {count} times in {bug.file}, expected once:\n{bug.old}")
    return text.replace(bug.old, bug.new)
