# SPDX-License-Identifier: MIT
from lxml import etree, html, objectify

SHEET = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><names><xsl:for-each select="//item"><xsl:sort select="@name"/>
<name><xsl:value-of select="@name"/></name></xsl:for-each></names></xsl:template></xsl:stylesheet>"""
SCHEMA = """<element name="root" xmlns="http://relaxng.org/ns/structure/1.0">
<oneOrMore><element name="item"><attribute name="name"/><text/></element></oneOrMore></element>"""


class Titled(etree.ElementBase):
    def title(self):
        return self.get("name").title()


def double(context, nodes):
    return 2 * len(nodes)


def smoke():
    source = "<root><item name='beta'>2</item><item name='alpha'>1</item></root>"
    tree = etree.fromstring(source)
    lookup = etree.ElementNamespaceClassLookup()
    lookup.get_namespace(None)["item"] = Titled
    parser = etree.XMLParser()
    parser.set_element_class_lookup(lookup)
    functions = etree.FunctionNamespace("urn:of-the-test")
    functions["double"] = double
    try:
        etree.fromstring("<a><b></a>")
    except etree.XMLSyntaxError as error:
        refused = (error.lineno, error.msg)
    schema = etree.RelaxNG(etree.fromstring(SCHEMA))
    page = html.fromstring("<p>Some <b>bold</b> &amp; <a href='/x'>link</a>")
    page.make_links_absolute("http://localhost/")
    return {
        "found": [each.get("name") for each in tree.iterfind("item")],
        "xpath": tree.xpath("string(//item[@name='alpha'])"),
        "function": tree.xpath("t:double(//item)", namespaces={"t": "urn:of-the-test"}),
        "transformed": str(etree.XSLT(etree.fromstring(SHEET))(tree)),
        "valid": [schema.validate(tree), schema.validate(etree.fromstring("<root/>"))],
        "schema says": schema.error_log.last_error.message,
        "events": [(event, each.tag) for event, each in etree.iterwalk(tree, events=("start", "end"))],
        "titles": [each.title() for each in etree.fromstring(source, parser)],
        "objects": objectify.fromstring(source).item[1] + 1,
        "page": html.tostring(page, encoding="unicode"),
        "canonical": etree.tostring(tree, method="c14n").decode(),
        "built": etree.tostring(etree.Element("{urn:x}a", {"b": "c"}, nsmap={"n": "urn:x"})).decode(),
        "refused": refused,
    }
