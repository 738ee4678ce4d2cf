# SPDX-License-Identifier: MIT
import copy

import frozenlist


def smoke():
    items = frozenlist.FrozenList([3, 1])
    items.append(2)
    items.extend(range(5))
    items.insert(0, "first")
    items[1:3] = ["x"]
    del items[-1]
    errors = []
    try:
        hash(items)
    except RuntimeError as error:
        errors.append(str(error))
    items.freeze()
    for change in (lambda: items.append(1), lambda: items.pop(), lambda: items.__setitem__(0, 1)):
        try:
            change()
        except RuntimeError as error:
            errors.append(str(error))
    return {
        "compiled": type(items).__module__,
        "items": list(items),
        "text": repr(items),
        "compared": (items == list(items), items < ["g"], items.count(2), items.index(2)),
        "hashed": hash(items) == hash(tuple(items)),
        "copied": list(copy.deepcopy(items)),
        "reversed": list(reversed(items)),
        "errors": errors,
    }
