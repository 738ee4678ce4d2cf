# SPDX-License-Identifier: MIT
"""How an interpreter loads extension modules: what `extensions` of Interpreter and Pool says."""

import sys
from collections.abc import Mapping

import _interlock

POLICIES = ("private", "shared", "home", "refuse")

own = {}  # of the calling interpreter: module, or "*" for all others -> policy
home = None  # where modules with the policy "home" are: a Proxy of a Home; None in the main interpreter


def settings(extensions):
    """What apply() takes in a new interpreter. None: as in the calling one."""
    policies = dict(own) if extensions is None else _checked(extensions)
    return policies, _reach_home() if "home" in policies.values() else None


def _checked(extensions):
    if isinstance(extensions, str):
        extensions = {"*": extensions}
    if not isinstance(extensions, Mapping):
        raise TypeError(f"extensions must be a str, a dict or None, not {type(extensions).__name__}")
    for module, policy in extensions.items():
        if not isinstance(module, str) or not isinstance(policy, str):
            raise TypeError(f"extensions: a policy is a str for the name of a module, not {module!r}: {policy!r}")
        if policy not in POLICIES:
            raise ValueError(f"extensions: {policy!r} is no policy: {', '.join(POLICIES)}")
        if policy == "home" and module == "*":
            raise ValueError("extensions: 'home' needs the names of modules")
    return dict(extensions)


def _reach_home():
    if home is not None:
        return home
    if _interlock.interpreter_id() == 0:
        from ._home import Home
        from ._proxy import proxy

        return proxy(Home())
    raise RuntimeError("extensions: an interpreter that the runtime did not start has no way home")


def apply(policies, way_home):
    """In a new interpreter, before anything is imported from files that may be extension modules."""
    global home
    own.update(policies)
    home = way_home
    _interlock.set_extension_policies(policies)
    if home is not None:
        from ._home import Finder

        modules = [module for module, policy in policies.items() if policy == "home"]
        others = [module for module in policies if module not in modules]
        sys.meta_path.insert(0, Finder(home, modules, others))
