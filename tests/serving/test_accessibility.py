"""axe-core finds nothing serious on any view of the page: AXE_CORE names the file `axe.min.js` of the npm package axe-core."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

AXE = Path(os.environ.get("AXE_CORE", ""))
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AXE.is_file(), reason="AXE_CORE does not name axe.min.js (npm pack axe-core)"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (Debian: apt install chromium)"),
]
BARRED = ("serious", "critical")
DARK_AND_SMALL = {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=["en-GB", "de-DE"])
def language(request):
    return request.param


@pytest.fixture(params=[{}, {"color_scheme": "dark"}, DARK_AND_SMALL], ids=["light", "dark", "small"])
def tab(browser, server, language, request):
    # The page's own policy lets nothing foreign run; axe has to.
    context = browser.new_context(locale=language, bypass_csp=True, **request.param)
    page = context.new_page()
    page.goto(server.url + "/ui")
    page.wait_for_selector("#sign-in h2:not(:empty)")
    yield page
    context.close()


def findings(tab, view):
    """Return what axe finds of a view that bars people, with the elements concerned."""
    if not tab.evaluate("typeof axe === 'object'"):
        tab.add_script_tag(path=AXE)
    told = tab.evaluate("axe.run(document)")
    assert len(told["passes"]) > 15, "axe looked at next to nothing"
    found = told["violations"]
    return [(view, one["id"], one["impact"], [node["html"][:120] for node in one["nodes"]]) for one in found]


def ask(tab, person, flag=""):
    tab.fill("#id", "p-1")
    tab.fill("#score", str(person["baseline"]["score"]))
    tab.fill("#weeks", "8")
    tab.fill("#taxa", "\n".join(f"{name}\t{n:g}" for name, n in person["microbiome"]["taxa"].items()))
    if flag:
        tab.check(f"#flag-{flag}")
    with tab.expect_response("**/predict"):
        tab.click("#predict")
    tab.wait_for_selector("#answer h2")


def answer_cohort(tab, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(
        "id,intervention,weeks,baseline.instrument,baseline.score\na,placebo,8,PHQ-9,14\nb,placebo,8,PHQ-9,9\n"
    )
    tab.click('[data-view="cohort"]')
    tab.set_input_files("#cohort-file", path)
    tab.click("#cohort-form button")
    tab.wait_for_selector("#cohort-found table")


def test_no_view_has_a_serious_finding(tab, server, person, tmp_path):
    found = findings(tab, "sign-in")
    tab.fill("#key", server.key)
    tab.press("#key", "Enter")
    tab.wait_for_selector("#patient:not([hidden])")
    found += findings(tab, "patient")
    ask(tab, person(4))
    found += findings(tab, "answer")
    if tab.is_visible("#compare"):
        tab.click("#compare")
        tab.wait_for_selector("#answer tr:nth-child(3)")
        found += findings(tab, "comparison")
    ask(tab, person(4), flag="pregnancy")
    found += findings(tab, "refusal")
    answer_cohort(tab, tmp_path)
    found += findings(tab, "cohort")
    for view in ("monitor", "check"):
        tab.click(f'[data-view="{view}"]')
        tab.wait_for_selector("#monitor-found p" if view == "monitor" else "#check:not([hidden])")
        found += findings(tab, view)
    print(*sorted({(view, rule, impact) for view, rule, impact, _ in found}), sep="\n")  # noqa: T201  (-s shows minor ones)
    assert [one for one in found if one[2] in BARRED] == []
