"""The page as HTML: what is in it, that every value is text, and that it needs nothing from elsewhere."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from documents import HOSTILE, hostile, png, realistic, svg
from html_tree import Element, parse

from agegender.report.page.document import Cell, Document, Figure, Grid, Heading, Section
from agegender.report.page.html import render


def page(document: Document, *, public: bool = False) -> Element:
    return parse(render(document, public=public))


def with_figures(*figures: Figure) -> Document:
    return Document("t", "v", (), Grid("c", (Heading("Run"),), ()), (Section("s", "S", (), figures),))


def with_table(*cells: Cell, numeric: bool = True) -> Document:
    headings = (Heading("Run"), Heading("Value", numeric=numeric))
    rows = tuple((Cell(f"run {number}"), cell) for number, cell in enumerate(cells))
    return Document("t", "v", (), Grid("c", headings, rows))


def ranks(document: Document) -> list[str | None]:
    return [cell.attributes.get("data-rank") for cell in page(document).all("td")]


@pytest.fixture(scope="module")
def tree() -> Element:
    return page(realistic())


def test_title_verdict_warnings_and_comparison_come_first_in_this_order(tree: Element) -> None:
    document = realistic()
    text = tree.all("body")[0].text
    texts = [document.title, document.verdict, *document.warnings, document.table.caption, document.sections[0].title]
    positions = [text.rindex(part) if part == document.sections[0].title else text.index(part) for part in texts]
    assert positions == sorted(positions)


def test_every_value_of_the_comparison_is_a_cell_of_the_first_table(tree: Element) -> None:
    grid = realistic().table
    rows = tree.all("table")[0].all("tbody")[0].all("tr")
    shown = [[cell.text for cell in row.all("th", "td")] for row in rows]
    assert [len(row) for row in shown] == [len(grid.headings)] * len(grid.rows)
    for texts, cells in zip(shown, grid.rows, strict=True):
        for text, cell in zip(texts, cells, strict=True):
            assert cell.text in text and cell.note in text


def test_the_first_cell_of_a_row_names_it(tree: Element) -> None:
    for row in tree.all("tbody")[0].all("tr"):
        assert row.all("th", "td")[0].tag == "th" and row.all("th")[0].attributes["scope"] == "row"


def test_marks_are_told_by_symbol_and_words_not_by_colour_alone() -> None:
    cells = (Cell("3", 3.0, "best"), Cell("2", 2.0, "tied"), Cell("1", 1.0, "worst"), Cell("0", 0.0))
    root = page(with_table(*cells))
    assert [cell.text for cell in root.all("td")] == [
        "★ 3 (highest (lowest for errors))",
        "≈ 2 (not significantly lower, which is not the same as equal)",
        "▼ 1 (worst off)",
        "0",
    ]
    legend = next(p for p in root.all("p") if "legend" in p.classes)
    assert (
        legend.text
        == "★ highest (lowest for errors) ≈ not significantly lower, which is not the same as equal ▼ worst off"
    )


def test_a_table_without_marks_has_no_legend() -> None:
    assert not [p for p in page(with_table(Cell("1"))).all("p") if "legend" in p.classes]


def test_numbers_are_ranked_as_numbers_and_missing_ones_have_no_rank() -> None:
    cells = (Cell("9", 9.0), Cell("10", 10.0), Cell("-"), Cell("nan", float("nan")), Cell("-1", -1.0), Cell("9.0", 9.0))
    assert ranks(with_table(*cells)) == ["1", "2", None, None, "0", "1"]


def test_text_is_ranked_without_regard_to_case() -> None:
    assert ranks(with_table(Cell("b", "b"), Cell("A", "A"), Cell("C", "C"), numeric=False)) == ["1", "0", "2"]


def test_numbers_are_sorted_from_high_to_low_first_and_text_from_a_to_z() -> None:
    first = [head.attributes.get("data-first") for head in page(realistic()).all("thead")[0].all("th")]
    assert first == ["ascending", *["descending"] * 11, None]  # nothing to sort the status by


def test_help_of_a_heading_is_its_title_and_stands_below_the_table(tree: Element) -> None:
    headings = realistic().table.headings
    assert [head.attributes["title"] for head in tree.all("thead")[0].all("th")] == [head.help for head in headings]
    entries = tree.all("dl")[0].all("div")
    assert [entry.text for entry in entries] == [f"{head.title}{head.help}" for head in headings]


def test_ids_are_unique_and_every_reference_leads_somewhere(tree: Element) -> None:
    ids = [element.attributes["id"] for element in tree.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    for element in tree.all():
        assert element.attributes.get("aria-labelledby", ids[0]) in ids
    links = [link.attributes["href"] for link in tree.all("a")]
    assert links == ["#tests", "#figures", "#fairness", "#appendix"]
    assert {link[1:] for link in links} <= set(ids)


def test_a_folded_section_is_closed_and_the_others_are_not_folded(tree: Element) -> None:
    folded = [element for element in tree.all("details") if "folded" in element.classes]
    assert [element.all("h2")[0].text for element in folded] == ["Every run"]
    assert "open" not in folded[0].attributes


def test_a_figure_has_its_vector_picture_alt_text_and_size() -> None:
    figure = Figure("age", "Ages", "Bars.", png(1281, 400), svg(), 640)
    image = page(with_figures(figure)).all("img")[0].attributes
    kind, content = image["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).decode() == svg()
    assert (image["alt"], image["width"], image["height"]) == ("Bars.", "640", "200")  # 640 * 400 / 1281 = 199.8


def test_a_figure_of_photographs_is_a_png() -> None:
    figure = Figure("faces", "Faces", "Faces.", png(80, 40), None, 40)
    kind, content = page(with_figures(figure)).all("img")[0].attributes["src"].split(",")
    assert (kind, base64.b64decode(content)) == ("data:image/png;base64", figure.png)


def test_a_public_page_has_no_faces_and_says_so_in_one_line() -> None:
    faces = replace(realistic().sections[2].blocks[1], title="Secret title", alt="Secret alt")
    other = Figure("age", "Ages", "Bars.", png(80, 40), None, 40)
    document = with_figures(faces, other)
    html = render(document, public=True)
    root = parse(html)
    assert [image.attributes["alt"] for image in root.all("img")] == ["Bars."]
    assert "Secret" not in html and base64.b64encode(faces.png).decode() not in html
    lines = [p.text for p in root.all("p") if "machine that drew them" in p.text]
    assert lines == ["Figures of faces are left out: they stay on the machine that drew them."]


def test_figures_have_the_same_numbers_on_the_public_page() -> None:
    faces = Figure("faces", "Faces", "Faces.", png(80, 40), None, 40, local=True)
    document = with_figures(faces, Figure("age", "Ages", "Bars.", png(80, 40), None, 40))
    for public in (False, True):
        assert page(document, public=public).all("figcaption")[-1].text == "Figure 2. Ages"


def test_a_page_with_faces_says_that_it_must_stay_on_its_machine(tree: Element) -> None:
    assert "keep this page on this machine" in tree.text
    assert "keep this page on this machine" not in page(realistic(), public=True).text


def test_hostile_text_is_shown_letter_by_letter_wherever_a_document_has_text() -> None:
    root = page(hostile())
    head = 3  # title, verdict, a warning
    table = 9  # caption, a heading and its entry in the key, two cells, a note of one, a line below, two columns' help
    section = 4  # link, title, paragraph, title of a figure
    assert root.all("body")[0].text.count(HOSTILE) == head + 3 * table + 2 * section
    assert root.all("title")[0].text == f"{HOSTILE} - agegender report"
    assert {image.attributes["alt"] for image in root.all("img")} == {HOSTILE}
    assert {column.attributes.get("title") for column in root.all("thead")[0].all("th")} == {HOSTILE}


def test_hostile_text_adds_no_script_no_link_and_no_handler() -> None:
    root = parse(render(hostile()))
    assert [len(root.all(tag)) for tag in ("script", "style", "img")] == [1, 1, 2]
    assert {link.attributes["href"] for link in root.all("a")} == {"#section", "#folded"}
    assert not [name for element in root.all() for name in element.attributes if name.startswith("on")]


def test_nothing_comes_from_outside() -> None:
    root = page(realistic())
    for element in root.all():
        for name in ("src", "href", "srcset", "action", "data", "poster", "style"):
            assert re.match(r"data:|#|$", element.attributes.get(name, "")), (element.tag, name)
    style = root.all("style")[0].children[0]
    script = root.all("script")[0].children[0]
    assert isinstance(style, str) and isinstance(script, str)
    assert "url(" not in style and "@import" not in style and "http" not in style + script


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_pictures_in_it_alone() -> None:
    root = page(realistic())
    hashes = []
    for tag in ("style", "script"):
        (content,) = root.all(tag)[0].children
        hashes.append(base64.b64encode(hashlib.sha256(str(content).encode()).digest()).decode())
    meta = next(m for m in root.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy")
    assert meta.attributes["content"].split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{hashes[0]}'",
        f"script-src 'sha256-{hashes[1]}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_same_document_gives_the_same_page() -> None:
    assert render(realistic()) == render(realistic())


def test_names_of_files_that_are_no_text_can_still_be_written() -> None:
    html = render(with_table(Cell("face\udcff.jpg"), Cell("\ud800")))
    assert "face\ufffd" in html
    html.encode()


def test_a_sweep_without_runs_and_sections_is_a_page_too() -> None:
    root = page(
        Document("empty", "Nothing was measured.", (), Grid("No runs.", (Heading("Run"), Heading("Age %")), ()))
    )
    assert root.all("td")[0].attributes["colspan"] == "2"
    assert root.all("nav") == [] and "Before you compare" not in root.text


def test_a_table_longer_than_a_screen_says_how_many_rows_it_has(tree: Element) -> None:
    hints = [p.text for p in tree.all("p") if "hint" in p.classes]
    assert hints == ["40 rows; the table scrolls in its box."]


def test_a_page_without_the_comparison_numbers_its_tables_from_one_and_names_no_sweep_to_rebuild() -> None:
    root = page(replace(realistic(), table=None))
    assert root.all("figcaption")[0].text == "Table 1. Differences of age accuracy."
    assert root.all("footer") == [] and "Comparison" not in [h2.text for h2 in root.all("h2")]


def test_the_footer_says_how_to_rebuild_the_page() -> None:
    assert page(realistic()).all("footer")[0].all("code")[0].text == "agegender report runs/table2"


def test_the_command_of_a_name_with_spaces_can_be_pasted_into_a_shell() -> None:
    document = replace(realistic(), title="my sweep; rm x")
    assert page(document).all("footer")[0].all("code")[0].text == "agegender report 'runs/my sweep; rm x'"
