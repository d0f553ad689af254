"""The report and the atlas in a real browser; needs what `headless_browser` says."""

import re

import fake_study
import headless_browser
import pytest
import recorded_sweep

from phi_kit.plots import row_flow
from phi_kit.study.atlas import atlas_page
from phi_kit.study.report import study_report

pytestmark = pytest.mark.lab
LOOKS = [("light", 390), ("dark", 390), ("light", 1200), ("dark", 1200)]


@pytest.fixture
def browser(tmp_path):
    with headless_browser.chromium(tmp_path) as driver:
        # axe is put into the page by a script, which the page's own policy forbids.
        driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
        yield driver


@pytest.fixture
def report(runs):
    folder = fake_study.build(runs)
    figure = row_flow.draw({"read": 3, "kept": 2, "dropped": {"sealed": 1}})
    figures = folder / "math/02_collect_seeds/figures"
    figures.mkdir()
    figure.savefig(figures / "flow.png", metadata={"Description": figure.words})
    (figures / "flow.svg").write_text(figure.svg())
    return study_report.write("demo")


@pytest.fixture
def atlas(runs):
    recorded_sweep.build(
        runs, rates=[1, 2, 3], ranks=[4, 16], epochs=[1, 2], seeds=[1, 2]
    )
    return atlas_page.write("recorded").page


def opened(driver, page):
    driver.get(page.as_uri())
    ready = "return document.body.dataset.ready"
    if page.name == "atlas.html":
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(driver, 60).until(lambda one: one.execute_script(ready))


def texts(driver, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText)"
    return driver.execute_script(script, selector)


def faults(driver):
    return [line for line in driver.get_log("browser") if line["level"] != "INFO"]


@pytest.mark.parametrize("name", ["report", "atlas"])
def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(name, request, browser):
    page = request.getfixturevalue(name)
    for scheme, width in LOOKS:
        headless_browser.prefer(browser, scheme, width=width)
        opened(browser, page)
        across = "return document.documentElement.scrollWidth"
        assert browser.execute_script(across) <= width
        assert headless_browser.violations(browser) == []
    assert faults(browser) == []


def test_a_figure_follows_the_screen(report, browser):
    """The corner of the SVG has the page's own colour, light or dark."""
    pixel = (
        "const image = document.querySelector('figure img');"
        "const canvas = document.createElement('canvas');"
        "const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0);"
        "return [...pen.getImageData(2, 2, 1, 1).data].slice(0, 3)"
    )
    for scheme, light in (("light", True), ("dark", False)):
        headless_browser.prefer(browser, scheme, width=1200)
        opened(browser, report)
        assert all((value > 200) == light for value in browser.execute_script(pixel))


def test_the_atlas_sorts_filters_compares_and_opens(atlas, browser):
    browser.execute_cdp_cmd("Page.setBypassCSP", {"enabled": False})
    opened(browser, atlas)
    assert len(texts(browser, "#table tbody tr")) == 24

    # A click on a heading sorts, another one turns it round.
    heading = "[...document.querySelectorAll('#table thead button')].find("
    heading += "b => b.innerText.startsWith('gain'))"
    gains = "return [...document.querySelectorAll('#table tbody tr')].map("
    gains += "r => parseFloat(r.cells[7].innerText.replace('−', '-')))"
    for way, turned in (("descending", True), ("ascending", False)):
        browser.execute_script(f"{heading}.click()")
        found = [gain for gain in browser.execute_script(gains) if gain is not None]
        assert len(found) == 21  # three have failed and stand last
        assert found == sorted(found, reverse=turned)
        state = browser.execute_script(f"return {heading}.parentNode.ariaSort")
        assert state == way

    write = "const box = document.getElementById('filter'); box.value = arguments[0];"
    write += "box.dispatchEvent(new Event('input'))"
    browser.execute_script(write, "rank=16 epochs=2")
    assert len(texts(browser, "#table tbody tr")) == 6
    browser.execute_script(write, "failed")
    assert len(texts(browser, "#table tbody tr")) == 3
    browser.execute_script(write, "")

    for side, rate in (("a", 1), ("b", 3)):
        name = f"rate-{rate}--rank-16--epochs-2--seed-1 as {side.upper()}"
        browser.find_element("css selector", f'[aria-label="{name}"]').click()
    (said,) = texts(browser, "#pair > p")
    assert "B over A: +" in said
    assert "n = 100 items. better" in said
    rows = texts(browser, "#pair .scroll:last-child tbody tr")
    counts = [int(n) for n in re.findall(r"(?:better on|worse on) (\d+)", said)]
    assert len(rows) == sum(counts) > 10

    link = browser.find_element("css selector", "#table tbody a")
    place = link.get_attribute("href")
    assert place.startswith(atlas.parent.as_uri())
    assert place.endswith("/math/04_probe_sft/notebook.ipynb")
    browser.get(place)  # the browser shows it or offers it; it is there
    assert (atlas.parent / place.removeprefix(f"{atlas.parent.as_uri()}/")).is_file()
    assert faults(browser) == []
