"""A folder on the import path with packages as pip would install them."""

import sys
from importlib.metadata import distributions
from itertools import count
from textwrap import dedent

from mousai_kit.core.plugins import discover

HEAD = '''\
import mousai_kit.api as mk

class Made(mk.Schedule):
    """A schedule."""

    name = "{name}"

    def weights(self, sigma):
        return sigma, sigma

'''
GOOD = (
    HEAD
    + """\
@mk.hookimpl
def mousai_kit_components():
    return [Made]
"""
)
NUMBERS = count()


class Shelf:
    """Packages of one module each, which can be loaded with nothing else beside them."""

    def __init__(self, folder):
        self.folder = folder
        self.modules = []

    def put(self, code, *, package="theirs", name="p", group="mousai_kit.v1", value="{module}"):
        """Install a package of one module; return the module's name."""
        module = f"plug_{next(NUMBERS)}"
        self.modules.append(module)
        (self.folder / f"{module}.py").write_text(dedent(code))
        self.describe(package, f"[{group}]\n{name} = {value.format(module=module)}\n")
        return module

    def describe(self, package, entry_points, metadata="Name: {package}\nVersion: 1.2\n"):
        """Write a package's metadata; return its folder."""
        info = self.folder / f"{package.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        told = f"Metadata-Version: 2.1\n{metadata.format(package=package)}"
        (info / "METADATA").write_bytes(told.encode("latin-1"))
        (info / "entry_points.txt").write_text(entry_points)
        (info / "RECORD").write_text(f"{info.name}/entry_points.txt,,\n")
        return info

    def discover(self):
        """Load what is on this shelf alone."""
        found = distributions(path=[str(self.folder)])
        points = [point for it in found for point in it.entry_points]
        return discover([point for point in points if point.group == "mousai_kit.v1"])

    def clear(self):
        """Forget what was imported."""
        for module in self.modules:
            sys.modules.pop(module, None)
