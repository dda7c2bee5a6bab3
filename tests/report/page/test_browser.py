"""The page in a real Chromium: what a reader sees and can do, on a phone and on a desk, in light and in dark."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import HOSTILE, hostile, realistic
from page_scripts import COLUMN, CONTRASTS, GREEN_SHARE

from agegender.report.page.document import Document
from agegender.report.page.html import render

pytest.importorskip("selenium", reason="the page in a browser needs the package selenium")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")
if CHROMIUM is None or CHROMEDRIVER is None:
    pytest.skip("the page in a browser needs chromium and chromedriver on the PATH", allow_module_level=True)

from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
PHONE = (390, 844)
DESK = (1440, 900)  # CSS pixels
Open = Callable[..., Chrome]


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options, ChromeService(str(CHROMEDRIVER))) as driver:
        yield driver


@pytest.fixture
def show(chrome: Chrome, tmp_path: Path) -> Open:
    """Open a document in a window of a size, in CSS pixels."""

    def show(document: Document, size: tuple[int, int] = DESK, scheme: str = "light", inserted: str = "") -> Chrome:
        path = tmp_path / "index.html"
        path.write_text(render(document).replace("</body>", f"{inserted}</body>"), encoding="utf-8")
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        chrome.get_log("browser")  # of the page before
        chrome.get(path.as_uri())
        return chrome

    return show


def column(driver: Chrome, title: str) -> list[str]:
    """What stands in a column of the first table, first lines of the cells, marks left out."""
    return driver.execute_script(COLUMN, title)


def heading(driver: Chrome, title: str) -> Any:
    return next(b for b in driver.find_elements(By.CSS_SELECTOR, "thead button") if b.text.strip() == title)


def sorted_by(driver: Chrome) -> dict[str, str]:
    heads = driver.find_elements(By.CSS_SELECTOR, "th[aria-sort]")
    return {head.text.strip(): head.get_attribute("aria-sort") for head in heads}


AGES = ["57.91", "50.30", "60.12", "62.05", "61.88", "62.16", "55.87", "61.40", "-"]


@pytest.mark.parametrize("size", [PHONE, (320, 640), (768, 1024), DESK])
@pytest.mark.parametrize("document", [realistic(), hostile()], ids=["realistic", "hostile"])
def test_the_page_never_scrolls_sideways(show: Open, document: Document, size: tuple[int, int]) -> None:
    driver = show(document, size)
    for folded in driver.find_elements(By.CSS_SELECTOR, "summary"):
        driver.execute_script("arguments[0].click()", folded)
    assert driver.execute_script("return innerWidth") == size[0]
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]


def test_a_wide_table_scrolls_in_its_box_while_the_names_of_its_rows_stay(show: Open) -> None:
    driver = show(realistic(), PHONE)
    script = """
    const box = document.querySelector(".scroll"), name = box.querySelector("tbody th");
    const left = () => Math.round(name.getBoundingClientRect().left);
    const before = left();
    box.scrollLeft = 300;
    return [box.scrollLeft, left() - before];
    """
    assert driver.execute_script(script) == [300, 0]


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_verdict_warnings_and_the_first_rows_are_on_the_first_screen(show: Open, size: tuple[int, int]) -> None:
    driver = show(realistic(), size)
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom"
    assert [driver.execute_script(script, part) < size[1] for part in (".verdict", ".warnings", "tbody tr")] == [
        True
    ] * 3


@pytest.mark.parametrize("document", [realistic(), hostile()], ids=["realistic", "hostile"])
def test_the_console_has_no_errors(show: Open, document: Document) -> None:
    driver = show(document)
    assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_hostile_text_shows_as_text_and_runs_nothing(show: Open) -> None:
    driver = show(hostile())
    assert driver.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert driver.execute_script("return document.querySelector('tbody th').innerText").startswith(f"★ {HOSTILE}")
    assert driver.execute_script("return window.ran") is None
    assert len(driver.find_elements(By.TAG_NAME, "script")) == 1


def test_a_script_that_slipped_in_would_not_run(show: Open) -> None:
    driver = show(realistic(), inserted="<script>window.ran = 1</script><img src='x' onerror='window.ran = 1' alt=''>")
    assert driver.execute_script("return window.ran") is None
    assert [entry["level"] for entry in driver.get_log("browser")].count("SEVERE") >= 2  # both were refused


def test_a_click_sorts_numbers_from_high_to_low_another_from_low_to_high_with_missing_ones_last(show: Open) -> None:
    driver = show(realistic())
    assert column(driver, "Age %") == AGES
    heading(driver, "Age %").click()
    assert column(driver, "Age %") == [*sorted(AGES[:-1], reverse=True), "-"]
    assert sorted_by(driver) == {"Age %": "descending"}
    heading(driver, "Age %").click()
    assert column(driver, "Age %") == [*sorted(AGES[:-1]), "-"]
    assert sorted_by(driver) == {"Age %": "ascending"}


def test_numbers_of_unlike_length_are_not_sorted_as_text(show: Open) -> None:
    driver = show(realistic())
    heading(driver, "Img/s").click()
    assert column(driver, "Img/s") == ["2,511", "2,507", "1,842", "1,838", "1,490", "1,050", "517", "174", "-"]


def test_rows_with_equal_values_keep_their_order(show: Open) -> None:
    driver = show(realistic())
    heading(driver, "Age %").click()
    heading(driver, "Seeds").click()
    others = [age for age in sorted(AGES[:-1], reverse=True) if age != "61.88"]
    assert column(driver, "Age %") == [*others, "61.88", "-"]  # 5/5, then 3/5, then 0/5
    assert sorted_by(driver) == {"Seeds": "descending"}


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE], ids=["enter", "space"])
def test_the_keyboard_sorts(show: Open, key: str) -> None:
    driver = show(realistic())
    heading(driver, "Configuration").send_keys(key)
    assert column(driver, "Configuration") == sorted(column(driver, "Configuration"))
    assert sorted_by(driver) == {"Configuration": "ascending"}


def test_a_heading_is_described_by_its_help(show: Open) -> None:
    driver = show(realistic())
    node = driver.execute_cdp_cmd("DOM.getDocument", {})["root"]["nodeId"]
    place = {"nodeId": node, "selector": "thead th:nth-child(3) button"}
    found = driver.execute_cdp_cmd("DOM.querySelector", place)["nodeId"]
    tree = driver.execute_cdp_cmd("Accessibility.getPartialAXTree", {"nodeId": found, "fetchRelatives": False})
    described = tree["nodes"][0]
    assert (described["role"]["value"], described["name"]["value"]) == ("button", "Age %")
    assert described["description"]["value"] == realistic().table.headings[2].help


def test_a_folded_section_opens_when_its_title_is_clicked(show: Open) -> None:
    driver = show(realistic())
    text = driver.find_element(By.CSS_SELECTOR, "#appendix table")
    assert not text.is_displayed()
    driver.find_element(By.CSS_SELECTOR, "#appendix summary").click()
    assert text.is_displayed()


def test_a_link_to_a_folded_section_opens_it(show: Open) -> None:
    driver = show(realistic())
    driver.find_element(By.CSS_SELECTOR, "nav a[href='#appendix']").click()
    assert driver.find_element(By.CSS_SELECTOR, "#appendix table").is_displayed()


def test_every_picture_is_drawn_in_its_reserved_size_and_has_a_text(show: Open) -> None:
    driver = show(realistic())
    images = driver.execute_script(
        "return [...document.images].map((i) => [i.complete && i.naturalWidth > 0, i.alt, i.width, i.height])"
    )
    figures = realistic().figures
    assert [image[:2] for image in images] == [[True, figure.alt] for figure in figures]
    assert [image[2:] for image in images] == [[640, 360], [400, 400], [400, 225], [600, 200]]


def test_a_style_sheet_inside_a_figure_is_not_refused(show: Open) -> None:
    bars = 28 * 50 * sum(range(1, 8)) / (640 * 360)
    assert show(realistic()).execute_script(GREEN_SHARE) == pytest.approx(bars + 12 * 12 / (640 * 360), rel=0.02)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(show: Open, scheme: str) -> None:
    driver = show(realistic(), scheme=scheme)
    for selector in ("p, li, h1, h2, figcaption, a, summary, dd", "td, th, small, thead button", ".mark"):
        contrasts = driver.execute_script(CONTRASTS, selector)
        assert len(contrasts) > 5 and min(contrasts) >= 4.5  # WCAG 2, AA


def test_dark_is_dark_and_figures_stay_on_white(show: Open) -> None:
    driver = show(realistic(), scheme="dark")
    script = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert driver.execute_script(script, ".card") == "rgb(255, 255, 255)"
    assert driver.execute_script(script, "body") == "rgb(21, 23, 26)"


def test_without_scripts_the_tables_and_folded_sections_are_plain_html(show: Open) -> None:
    driver = show(realistic())
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.refresh()
        assert driver.find_elements(By.TAG_NAME, "button") == []
        assert driver.find_element(By.CSS_SELECTOR, "thead th:nth-child(3)").text == "Age %"
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
