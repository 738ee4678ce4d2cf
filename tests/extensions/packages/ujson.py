# SPDX-License-Identifier: MIT
import io

import ujson


class Custom:
    def __json__(self):
        return '{"custom": true}'


def smoke():
    value = {"text": "grün </b>", "numbers": [1, -(2**63), 2**64 - 1, 0.1, 1e300], "nothing": None, "yes": True}
    errors = []
    for broken in ("[1,", '{"a" 1}', "nope", '"\\u12"'):
        try:
            ujson.loads(broken)
        except ujson.JSONDecodeError as error:
            errors.append(str(error))
    try:
        ujson.dumps({"x": 1j})
    except TypeError as error:
        errors.append(str(error))
    file = io.StringIO()
    ujson.dump([1, {"a": 2}], file)
    return {
        "dumped": ujson.dumps(value),
        "same": ujson.loads(ujson.dumps(value)) == value,
        "plain": ujson.dumps(value, ensure_ascii=False, escape_forward_slashes=False, encode_html_chars=True),
        "indented": ujson.dumps({"b": [1], "a": {}}, indent=2, sort_keys=True),
        "custom": ujson.dumps([Custom()]),
        "default": ujson.dumps({1, 2}, default=sorted),
        "file": file.getvalue(),
        "many": len(ujson.dumps([{"key": each, "text": str(each)} for each in range(5000)])),
        "errors": errors,
    }
