# SPDX-License-Identifier: MIT
import yaml
import yaml._yaml

SOURCE = """
base: &base {name: first, list: [1, 2.5, yes, null, 0x1f]}
derived:
  <<: *base
  text: |
    two
    lines
  folded: >-
    one
    line
  when: 2024-02-29
  "quoted \\u00e4": !!binary aGVsbG8=
---
- !point [1, 2]
"""


class Loader(yaml.CSafeLoader):
    pass


Loader.add_constructor("!point", lambda loader, node: tuple(loader.construct_sequence(node)))


def smoke():
    first, second = yaml.load_all(SOURCE, Loader)
    first["derived"]["when"] = first["derived"]["when"].isoformat()
    errors = []
    for broken in ("a: [1", "a: b: c", "\t- x", "*unknown", "!!python/object:os.system {}"):
        try:
            yaml.load(broken, Loader)
        except yaml.YAMLError as error:
            errors.append((type(error).__name__, error.problem_mark.line, error.problem_mark.column))
    return {
        "compiled": yaml.CSafeLoader.__mro__[1].__module__,
        "version": yaml._yaml.get_version_string(),
        "first": first,
        "second": second,
        "dumped": yaml.dump(first, Dumper=yaml.CSafeDumper, sort_keys=True),
        "unicode": yaml.dump(["ä", "\N{SNOWMAN}"], Dumper=yaml.CDumper, allow_unicode=True),
        "events": [type(each).__name__ for each in yaml.parse("[a, {b: c}]", Loader=yaml.CLoader)],
        "tokens": len(list(yaml.scan(SOURCE, Loader=yaml.CLoader))),
        "many": len(yaml.load(yaml.dump(list(range(2000)), Dumper=yaml.CDumper), yaml.CLoader)),
        "errors": errors,
    }
