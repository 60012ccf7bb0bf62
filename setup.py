"""Puts files that lie beside the chapters into the package that is built. Everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARRIED = ("chapters/evidence", "chapters/_static/patients")  # what `medgen_utils.data.released` is asked for


class WithFiles(build_py):
    """Builds the package with the folders `CARRIED` inside ``medgen_utils/carried``."""

    def run(self) -> None:
        super().run()
        for folder in () if self.editable_mode else CARRIED:  # an editable package reads them where they lie
            target = Path(self.build_lib) / "medgen_utils" / "carried" / folder
            shutil.copytree(folder, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithFiles})
