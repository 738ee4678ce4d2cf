# SPDX-License-Identifier: MIT
"""The table of check_packages.py: as it grows, and in a document."""

PHASES = {"main": "in the main interpreter", "two": "in two at once", "cycles": "in 20 one after another"}
BEGIN, END = "<!-- make check-extensions writes from here -->", "<!-- to here -->"
HEADINGS = (
    "package", "version", "main", "two at once", "20 cycles", "CPython", "import, ms", "images, kB", "growth, kB"
)  # fmt: skip
WIDTHS = (23, 11, 8, 15, 15, 26, 16, 10, 10)


def cells(row):
    """As text, one for each of HEADINGS."""
    stock = dict.fromkeys(row.get(phase, "-").replace("ok", "works") for phase in ("stock_two", "stock_cycles"))
    times = " / ".join(number(row.get(each)) for each in ("main_ms", "first_ms", "later_ms"))
    sizes = (number(row.get(each), 1e3) for each in ("image_bytes", "growth"))
    return row["name"], row["version"], *(row[phase] for phase in PHASES), ", ".join(stock), times, *sizes


def number(value, unit=1):
    return "-" if value is None else f"{value / unit:.0f}"


def line(values):
    return " ".join(f"{each:{width}}" for each, width in zip(values, WIDTHS)).rstrip()


def failed_phases(row):
    return [phase for phase in PHASES if row[phase] != "ok"]


def markdown(rows, absent, nothing, known):
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(cells(row) for row in rows)]
    text = "\n".join(f"| {' | '.join(each)} |" for each in lines)
    for name, why in absent.items():
        text += f"\n\n{name} is not in the table: {why}."
    for row in rows:
        if phases := failed_phases(row):
            where = " and ".join(PHASES[each] for each in phases)
            text += f"\n\n{row['name']} fails {where}: {known.get(row['name'], row[phases[0]])}."
    return text + f"\n\nGrowth without any package: {number(nothing, 1e3)} kB."


def write_into(page, text):
    """Replaces what stands between the markers of a page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")
