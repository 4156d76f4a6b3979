"""The code of released packs, kept beside their record, run under a name of its own once the program has moved on."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.resources import files
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

FOLDER: Final = "released"
_ANY_DAY: Final = (1980, 1, 1, 0, 0, 0)


def archive_of(code: Mapping[str, str]) -> bytes:
    """A ZIP file with code by module: equal code, equal bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for module, text in sorted(code.items()):
            archive.writestr(zipfile.ZipInfo(f"{module}.py", _ANY_DAY), text, zipfile.ZIP_DEFLATED, 9)
    return made.getvalue()


def path_of(name: str) -> Path:
    """Where the archive of a pack is in a checkout."""
    return Path(__file__).with_name(FOLDER) / f"{name}.zip"


@cache
def code_kept(name: str) -> Mapping[str, str]:
    """The code by module, `compliance/permit`, of a released pack; empty where none is kept."""
    file = files("compliance.rulebook") / FOLDER / f"{name}.zip"
    if not file.is_file():
        return {}
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
        return {each.removesuffix(".py"): archive.read(each).decode() for each in archive.namelist()}


def fingerprints(name: str) -> dict[str, str]:
    """SHA-256, lower-case hex, of each module that is kept, named as the parts of a pack are."""
    return {
        f"source of {module}": hashlib.sha256(code.encode()).hexdigest() for module, code in code_kept(name).items()
    }


class NotKept(LookupError):
    """The code of a released pack is not there."""


@cache
def module_of(pack: str, module: str) -> ModuleType:
    """A module of a released pack, `compliance.assessment`, as it was released: it sees the modules that were released
    with it, and this program's for what decides nothing. Raises NotKept."""
    if not code_kept(pack):
        raise NotKept(f"the code of {pack} is not kept in this program: nothing decided by it can be decided again")
    root = "released_" + re.sub(r"\W", "_", pack)
    if not any(isinstance(finder, _Kept) and finder.root == root for finder in sys.meta_path):
        sys.meta_path.append(_Kept(root, code_kept(pack)))
    return import_module(f"{root}.{module}")


class _Kept(MetaPathFinder, InspectLoader):
    """Imports the modules of one pack below `root`."""

    def __init__(self, root: str, code: Mapping[str, str]) -> None:
        self.root = root
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.root and not self._is_kept(self._inner(fullname)):
            return None
        return spec_from_loader(fullname, self, origin=self.root, is_package=self.is_package(fullname))

    def is_package(self, fullname: str) -> bool:
        return self._inner(fullname) not in self._code

    def get_source(self, fullname: str) -> str:
        return self._code.get(self._inner(fullname) or "", "")

    def get_code(self, fullname: str) -> CodeType:
        """Its code, with imports of what was released with it from there."""
        tree = ast.parse(self.get_source(fullname))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and self._is_kept(node.module.replace(".", "/")):
                node.module = f"{self.root}.{node.module}"
        return compile(tree, fullname, "exec", dont_inherit=True)

    def _inner(self, fullname: str) -> str | None:
        below = fullname.removeprefix(f"{self.root}.")
        return None if below == fullname else below.replace(".", "/")

    def _is_kept(self, module: str | None) -> bool:
        return module is not None and any(each == module or each.startswith(f"{module}/") for each in self._code)
