# SPDX-License-Identifier: MIT
"""Types that interpreters look at for the first time at the same time: their caches must not take one for another."""

import interlock
import support


def look_at_types(barrier):
    """For an interpreter of its own, with others that do the same."""
    barrier.wait(60)
    import array
    import collections
    import datetime
    import decimal
    import hashlib
    import itertools
    import re
    import struct

    return [
        datetime.time.fromisoformat("10:11:12").hour,
        datetime.UTC.utcoffset(None) == datetime.timedelta(0),
        datetime.timedelta(days=1).total_seconds(),
        datetime.date(2020, 1, 1).isoformat(),
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC).tzname(),
        collections.deque([1]).pop(),
        collections.OrderedDict(a=1).popitem(),
        re.compile("a").match("a").group(),
        decimal.Decimal("1.5").as_tuple().exponent,
        next(itertools.count(1)),
        array.array("i", [1]).tolist(),
        struct.Struct("i").size,
        hashlib.sha256(b"").hexdigest(),
    ]


class TypeVersions(support.TestCase):
    def test_interpreters_look_at_the_same_types_at_the_same_time(self):
        # In a process in which the main interpreter has not looked at them.
        program = f"""
import interlock, sys
sys.path.insert(0, {support.__file__.rpartition("/")[0]!r})
from test_type_versions import look_at_types
found = set()
for _ in range(2):
    barrier = interlock.Barrier(4)
    interpreters = [interlock.Interpreter() for _ in range(4)]
    for each in [each.submit(look_at_types, barrier) for each in interpreters]:
        found.add(repr(each.result(60)))
    for each in interpreters:
        each.close()
print(*found)
"""
        for _ in range(8 if support.SLOWER == 1 else 2):
            out, err = self.run_program(program)
            self.assertEqual(out.strip(), repr(look_at_types(interlock.Barrier(1))), err)


if __name__ == "__main__":
    support.main()
