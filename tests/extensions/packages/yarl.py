# SPDX-License-Identifier: MIT
import pickle

import yarl
import yarl._quoting


def smoke():
    url = yarl.URL("https://us%65r:p@ss@exämple.org:8080/a b/../ü?q=1&q=ä&r=x+y#frag ment")
    try:
        yarl.URL("http://[::1/")
    except ValueError as error:
        refused = str(error)
    return {
        "compiled": yarl._quoting._Quoter.__module__,
        "url": str(url),
        "parts": (url.scheme, url.user, url.host, url.raw_host, url.port, url.path, url.raw_path, url.fragment),
        "query": list(url.query.items()),
        "built": str(yarl.URL.build(scheme="http", host="localhost", path="/%25 ü", query={"a": "b&c", "n": 1})),
        "joined": str(url.join(yarl.URL("../other?x=y"))),
        "changed": str((url / "deeper" / "ü").with_query({"k": ["1", "2"]}).with_port(None)),
        "human": url.human_repr(),
        "relative": yarl.URL("/x").is_absolute(),
        "pickled": pickle.loads(pickle.dumps(url)) == url,
        "quoted": yarl._quoting._Quoter(safe="/")("a/ü%zz%41"),
        "unquoted": yarl._quoting._Unquoter()("%C3%BC%ff+"),
        "refused": refused,
    }
