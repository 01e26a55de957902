"""ARCHITECTURE.md names files that exist, and every room of the three packages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PACKAGES = ("runtime", "exporters", "toolkit")
ENTRIES = {"__init__", "__main__", "cli"}  # of every package: not worth a name


def names(text):
    """Names in backticks, in their order."""
    return re.findall(r"`([^`\s]+)`", text)


def paragraph(package):
    """What the section of the rooms says of a package."""
    rooms = TEXT.split("\n## The rooms\n")[1].split("\n## ")[0]
    (found,) = [part for part in rooms.split("\n\n") if part.strip().startswith(f"**{package}")]
    return found


def full_paths():
    """Paths of the tables and rules; `b.py` after `a/x.py` is `a/b.py`."""
    for line in TEXT.splitlines():
        folder = None
        for name in names(line):
            if re.match(r"(runtime|exporters|toolkit|tests)/", name) or name == "pyproject.toml":
                folder = str(Path(name).parent)
                yield name
            elif folder and re.search(r"\w\.py$|/$", name):
                yield f"{folder}/{name}"


def test_the_page_names_files():
    assert len(set(full_paths())) > 50


@pytest.mark.parametrize("path", sorted(set(full_paths())))
def test_a_path_that_is_named_exists(path):
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.exists()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_named_and_every_name_is_a_room(package):
    home = ROOT / package
    modules = {path.stem for path in home.glob("*.py")} - ENTRIES
    folders = {f"{path.parent.name}/" for path in home.rglob("__init__.py")} - {f"{package}/"}
    named = {name for name in names(paragraph(package)) if re.fullmatch(r"\w+/?", name)}
    assert named == folders | modules


def test_every_folder_of_code_is_in_a_package():
    found = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in found)
