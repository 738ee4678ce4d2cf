# SPDX-License-Identifier: MIT
import regex


def smoke():
    try:
        regex.compile("(a")
    except regex.error as error:
        refused = str(error)
    nested = regex.compile(r"\((?:[^()]|(?R))*\)")
    named = regex.match(r"(?:(?P<word>\w+) (?P<digits>\d+)\n)+", "one 1\ntwo 2\nthree 3\n")
    long = "ab" * 5000 + "c"
    try:
        regex.match(r"(?:a|aa)+c", "a" * 60 + "bc", timeout=0.05)
        timed_out = False
    except TimeoutError:
        timed_out = True
    return {
        "nested": nested.findall("f(a(b)c) (d) ((e"),
        "captures": named.capturesdict(),
        "fuzzy": regex.search(r"(?:cats){e<=1}", "two cuts").fuzzy_counts,
        "properties": regex.findall(r"\p{Lu}\p{Script=Greek}*", "Ab Ωδ É"),
        "graphemes": regex.findall(r"\X", "e\u0301a"),
        "overlapped": regex.findall(r"\w{3}", "abcde", overlapped=True),
        "replaced": regex.sub(r"(?i)(\w)(\w*)", lambda m: m[1].upper() + m[2].lower(), "hELLO wORLD"),
        "split": regex.splititer(r"(?V1)(?=[A-Z])", "aBcD").__class__.__name__,
        "lookbehind": regex.findall(r"(?<=a+)b", "aab b"),
        "sets": regex.findall(r"(?V1)[[a-z]--[aeiou]]+", "abcde"),
        "list": regex.findall(r"\L<words>", "one two three", words=["one", "three"]),
        "partial": regex.fullmatch(r"\d{4}", "12", partial=True).partial,
        "reversed": regex.findall(r"(?r)\d\d", "12345"),
        "long": regex.fullmatch("(?:ab)*+c", long).end(),
        "concurrent": regex.compile(r"(\d+)").sub(r"<\1>", "1 22 333", concurrent=True),
        "timed out": timed_out,
        "refused": refused,
    }
