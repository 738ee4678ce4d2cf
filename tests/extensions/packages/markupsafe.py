# SPDX-License-Identifier: MIT
import markupsafe
import markupsafe._speedups


class Item:
    def __html__(self):
        return "<b>item</b>"


def smoke():
    text = markupsafe.escape("<a href='x'>\"&ä\N{SNOWMAN}\N{GRINNING FACE}</a>")
    return {
        "compiled": markupsafe._escape_inner is markupsafe._speedups._escape_inner,
        "escaped": [
            str(markupsafe.escape(each)) for each in ("<", "ä>", "\N{SNOWMAN}&", "\N{GRINNING FACE}'", "plain", 5)
        ],
        "text": str(text),
        "again": str(markupsafe.escape(text)),
        "item": str(markupsafe.escape(Item())),
        "formatted": str(markupsafe.Markup("<i>%s</i> {}").format("<") % ">"),
        "joined": str(markupsafe.Markup("<br>").join(["<", Item()])),
        "stripped": markupsafe.Markup("<p>a &amp; b</p>").striptags(),
        "many": len(markupsafe.escape("<&>" * 10000)),
        "nothing": str(markupsafe.escape_silent(None)),
    }
