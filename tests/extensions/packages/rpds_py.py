# SPDX-License-Identifier: MIT
import pickle

from rpds import HashTrieMap, HashTrieSet, List, Queue, Stack


def smoke():
    items = HashTrieMap({each: each * each for each in range(100)})
    more = items.insert(100, 1).remove(5).update({7: 0})
    numbers = HashTrieSet(range(10))
    queue = Queue([1, 2]).enqueue(3)
    try:
        items.remove(1000)
    except KeyError as error:
        refused = repr(error)
    return {
        "lengths": (len(items), len(more), 5 in items, 5 in more),
        "map": sorted(more.items())[:8],
        "set": sorted(numbers.union(HashTrieSet([10, 11])).difference(HashTrieSet([0]))),
        "list": list(List([1, 2]).push_front(0)),
        "stack": Stack([1, 2]).push(3).peek(),
        "queue": (queue.peek(), list(queue.dequeue())),
        "equal": items == HashTrieMap(dict(items)),
        "pickled": pickle.loads(pickle.dumps(items)) == items,
        "text": repr(List([1, "a"])),
        "keys": sum(items.keys()),
        "refused": refused,
    }
