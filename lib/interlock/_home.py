# SPDX-License-Identifier: MIT
"""Modules that live in the main interpreter, for the policy "home"; others have a stand-in of each."""

import importlib.machinery
import importlib.util
import sys
import types

from ._proxy import proxy

_PLAIN = (type(None), bool, int, float, complex, str, bytes)


class Home:
    """In the main interpreter; called by proxy."""

    def find(self, name):
        """None if there is no such module; else where what is in it lies, if it is a package."""
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            return None
        except ValueError:  # its __spec__ is None
            return tuple(getattr(sys.modules[name], "__path__", ()))
        if spec is None:
            return None
        return () if spec.submodule_search_locations is None else tuple(spec.submodule_search_locations)

    def load(self, name):
        importlib.import_module(name)

    def get(self, module, name):
        """(value, None), or (None, name) of what is a module."""
        value = getattr(importlib.import_module(module), name)
        if isinstance(value, types.ModuleType):
            return None, value.__name__
        return value if type(value) in _PLAIN else proxy(value), None

    def names(self, module):
        return dir(importlib.import_module(module))

    def public_names(self, module):
        found = importlib.import_module(module)
        return list(getattr(found, "__all__", [name for name in vars(found) if not name.startswith("_")]))


class HomeModule(types.ModuleType):
    """Stands for a module of the main interpreter: plain values are copied, all else is a Proxy, but for modules.

    Each access asks there, so it sees what others change. What is set here stays here.
    """

    def __getattr__(self, name):
        if name in ("__path__", "__spec__", "__wrapped__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        home = object.__getattribute__(self, "_interlock_home")
        if name == "__all__":
            return home.public_names(self.__name__)
        value, module = home.get(self.__name__, name)
        if module is None:
            return value
        try:
            return importlib.import_module(module)
        except ImportError:  # one that is no file, and has no name to import it by
            raise AttributeError(
                f"module {self.__name__!r} has a module {name!r} that cannot be imported", name=name, obj=self
            ) from None

    def __dir__(self):
        return sorted({*self.__dict__, *self._interlock_home.names(self.__name__)})

    def __repr__(self):
        return f"<module {self.__name__!r} of the main interpreter>"


class Finder:
    """Of sys.meta_path, before all others. modules: with what is in them, but for what is in `others`."""

    def __init__(self, home, modules, others):
        self._home = home
        self._modules = frozenset(modules)
        self._others = frozenset(others)

    def find_spec(self, name, path=None, target=None):
        if not self._is_home(name):
            return None
        places = self._home.find(name)
        if places is None:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin="main interpreter", is_package=bool(places))
        if places:
            spec.submodule_search_locations.extend(places)  # for what has another policy
        return spec

    def _is_home(self, name):
        while name:
            if name in self._modules or name in self._others:
                return name in self._modules
            name = name.rpartition(".")[0]
        return False

    def create_module(self, spec):
        self._home.load(spec.name)
        module = HomeModule(spec.name)
        module._interlock_home = self._home
        return module

    def exec_module(self, module):
        """It has been, at home."""
