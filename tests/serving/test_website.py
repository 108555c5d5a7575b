"""The page in a real browser: sign in, ask, read, compare with the route; three languages; keyboard; small and dark."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from serving.words import CLOSING, REASONS, SAFETY

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "serving" / "pages"
CATALOGUES = {path.suffixes[0][1:]: json.loads(path.read_text()) for path in PAGES.glob("texts.*.json")}
CHROMIUM = shutil.which("chromium")


def test_every_language_has_every_text_and_the_same_blanks():
    assert set(CATALOGUES) == {"en", "es", "de"}
    english = CATALOGUES["en"]
    for catalogue in CATALOGUES.values():
        assert set(catalogue) == set(english)
        for name, text in catalogue.items():
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", english[name])), name


def test_every_reason_has_its_words_and_they_are_those_of_the_service():
    assert {name: CATALOGUES["en"][f"reason.{name}"] for name in REASONS} == dict(REASONS)


def test_what_is_said_of_safety_is_the_same_everywhere():
    assert {status: CATALOGUES["en"][f"safety.{status}"] for status in SAFETY} == dict(SAFETY)
    assert CATALOGUES["en"]["closing"] == CLOSING


def test_every_error_that_has_words_of_its_own_is_one_the_service_tells():
    code = "".join(path.read_text() for path in (ROOT / "serving").glob("*.py"))
    told = {name.removeprefix("error.") for name in CATALOGUES["en"] if name.startswith("error.")}
    assert len(told) > 20
    assert {name for name in told if f'"{name}"' not in code} == set()


def test_every_text_the_page_names_exists():
    named = set(re.findall(r'data-text="([\w.]+)"', (PAGES / "page.html").read_text()))
    named |= set(re.findall(r'data-label="([\w.]+)"', (PAGES / "page.html").read_text()))
    for script in PAGES.glob("*.js"):
        named |= set(re.findall(r'say\("([\w.]+)"', script.read_text()))
    assert named
    assert named <= set(CATALOGUES["en"])


def test_the_page_loads_nothing_from_elsewhere_and_stores_nothing():
    source = "".join(path.read_text() for path in PAGES.iterdir() if path.suffix in (".html", ".js", ".css"))
    outside = set(re.findall(r"https?://[^\"'\s]+", source)) - {"http://www.w3.org/2000/svg"}
    assert not outside
    assert not re.search(r"localStorage|sessionStorage|document\.cookie|innerHTML|eval\(", source)


def test_every_field_has_a_label():
    html = (PAGES / "page.html").read_text()
    fields = set(re.findall(r'<(?:input|select|textarea)[^>]* id="([\w-]+)"', html))
    fields |= set(re.findall(r'<(?:input|select|textarea) id="([\w-]+)"', html))
    assert fields
    assert fields == set(re.findall(r'<label for="([\w-]+)"', html))


def test_the_page_is_open_but_its_policy_is_closed(server):
    reply = httpx.get(server.url + "/ui")
    assert reply.status_code == 200
    assert reply.headers.get_list("content-security-policy") == [reply.headers["content-security-policy"]]
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert httpx.get(server.url + "/ui/texts/fr").status_code == 404


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        running = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser, server):
    contexts = []

    def act(**options):
        contexts.append(browser.new_context(**{"locale": "en-GB", **options}))
        tab = contexts[-1].new_page()
        tab.faults = []
        tab.on("pageerror", lambda fault: tab.faults.append(str(fault)))
        tab.on("console", lambda line: tab.faults.append(line.text) if line.type == "error" else None)
        tab.goto(server.url + "/ui")
        tab.wait_for_selector("#sign-in h2:not(:empty)")
        return tab

    yield act
    for context in contexts:
        context.close()


def sign_in(tab, server):
    tab.fill("#key", server.key)
    tab.press("#key", "Enter")
    tab.wait_for_selector("#patient:not([hidden])")


def ask_about(tab, person):
    tab.fill("#id", "p-1")
    tab.fill("#score", str(person["baseline"]["score"]))
    tab.fill("#weeks", "8")
    tab.select_option("#intervention", person["intervention"])
    for name, value in person["lifestyle"].items():
        if isinstance(value, str):
            tab.select_option(f"#life-{name}", value)
        elif value is not None:
            tab.fill(f"#life-{name}", str(value))
    tab.fill("#taxa", "taxon\tcount\n" + "\n".join(f"{t}\t{n:g}" for t, n in person["microbiome"]["taxa"].items()))
    tab.click("#predict")
    tab.wait_for_selector("#answer:not([hidden])")


@pytest.mark.slow
def test_a_clinician_signs_in_asks_and_reads_what_the_route_answers(visit, server, person):
    tab = visit()
    sign_in(tab, server)
    ask_about(tab, person(4))
    with server.client() as client:
        told = client.post("/predict", json={"patients": [person(4)]}).json()["predictions"][0]
    text = tab.inner_text("#answer")
    assert f"Expected change: {told['change']:+.1f} points" in text.replace("−", "-")
    assert f"Baseline severity alone predicts {told['floor_change']:+.1f} points" in text.replace("−", "-")
    assert text.index("self-harm item was not assessed") < text.index("Expected change")
    assert tab.get_attribute("#answer svg", "role") == "img"
    assert "dashed line" in tab.get_attribute("#answer svg", "aria-label")
    with tab.expect_download() as saved:
        tab.click("#answer a[download]")
    command = [sys.executable, str(ROOT / "training" / "audit" / "verify_receipt.py"), str(saved.value.path())]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert tab.faults == []


@pytest.mark.slow
def test_a_positive_item_is_the_first_thing_and_a_refusal_has_no_number(visit, server, person):
    tab = visit()
    sign_in(tab, server)
    tab.check("#flag-pregnancy")
    tab.fill("#items", "2 2 2 2 2 2 1 0 1")
    broken = person(4)
    broken["baseline"]["score"] = 14
    ask_about(tab, broken)
    assert tab.inner_text("#answer [role=alert]").startswith("SAFETY")
    text = tab.inner_text("#answer")
    assert "No prediction is given" in text
    assert "outside the intended use" in text
    assert tab.locator("#answer svg").count() == 0


@pytest.mark.slow
def test_a_wrong_key_and_a_wrong_field_are_told_in_place(visit, server):
    tab = visit()
    tab.fill("#key", "wrong")
    tab.click("#sign-in button")
    tab.wait_for_selector("#problem:not(:empty)")
    assert "no valid key" in tab.inner_text("#problem")
    tab.fill("#key", "")
    sign_in(tab, server)
    tab.fill("#id", "p")
    tab.fill("#score", "99")
    tab.click("#predict")
    tab.wait_for_selector("#problem:not(:empty)")
    assert "baseline.score" in tab.inner_text("#problem")


@pytest.mark.slow
def test_an_error_is_told_in_the_language_of_the_page(visit):
    tab = visit(locale="de-DE")
    tab.fill("#key", "falsch")
    tab.click("#sign-in button")
    tab.wait_for_selector("#problem:not(:empty)")
    assert "kein gültiger Schlüssel" in tab.inner_text("#problem")


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "title"), [("de-DE", "Anmelden"), ("es-ES", "Entrar"), ("fr-FR", "Sign in")])
def test_the_page_speaks_the_reader_s_language(visit, locale, title):
    tab = visit(locale=locale)
    assert tab.inner_text("#sign-in h2") == title
    tab.select_option("#language", "en")
    tab.wait_for_selector("html[lang=en]")
    assert tab.inner_text("#sign-in h2") == "Sign in"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_at_360_pixels(visit, server, person, scheme):
    tab = visit(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    sign_in(tab, server)
    ask_about(tab, person(4))
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    ink, paper = tab.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    dark = sum(map(int, re.findall(r"\d+", paper)[:3])) < 200
    assert dark == (scheme == "dark")
    assert ink != paper


@pytest.mark.slow
def test_the_keyboard_alone_reaches_the_answer(visit, server):
    tab = visit()
    tab.focus("#key")
    tab.keyboard.type(server.key)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#patient:not([hidden])")
    assert tab.evaluate("document.activeElement.id") == "id"
    tab.keyboard.type("p-1")
    for _ in range(2):
        tab.keyboard.press("Tab")
    tab.keyboard.type("14")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#answer:not([hidden])")
    assert tab.evaluate("document.activeElement.id") == "answer"


def show(tab, view):
    tab.click(f'[data-view="{view}"]')
    tab.wait_for_selector(f"#{view}:not([hidden])")


@pytest.fixture
def receipt(server, person, tmp_path):
    with server.client() as client:
        text = client.post("/predict", json={"patients": [person(4)]}).text
    start = text.index('"receipt":') + len('"receipt":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    path = tmp_path / "receipt.json"
    path.write_text(text[start:end], encoding="utf-8")
    return path


def checked(tab, path, key=""):
    tab.fill("#trusted", key)
    tab.set_input_files("#receipt-file", path)
    tab.evaluate("document.getElementById('checked').textContent = ''")
    tab.click("#check button")
    tab.wait_for_selector("#checked:not(:empty)")
    return tab.inner_text("#checked")


@pytest.mark.slow
def test_a_receipt_is_checked_in_the_browser_without_a_key(visit, receipt):
    tab = visit()
    show(tab, "check")
    signer = json.loads(receipt.read_text())["public_key"]
    assert "The receipt holds" in checked(tab, receipt)
    assert "the key you trust" in checked(tab, receipt, signer)
    assert "another key" in checked(tab, receipt, "ed25519:" + "0" * 64)
    assert tab.faults == []


def another_start(digits: str) -> str:
    """The same random hex with another first digit: one that is never the digit it had."""
    return ("1" if digits[0] == "0" else "0") + digits[1:]


@pytest.mark.slow
def test_every_altered_part_of_a_receipt_is_seen_in_the_browser(visit, receipt, tmp_path):
    tab = visit()
    show(tab, "check")
    whole = receipt.read_text()
    told = json.loads(whole)
    altered = {
        "answer": whole.replace('"answered":true', '"answered":false', 1),
        "salt": whole.replace(told["salt"], another_start(told["salt"])),
        "private": whole.replace(told["private"]["nonce"], another_start(told["private"]["nonce"])),
        "entry": whole.replace(told["entry"]["time"], "2001" + told["entry"]["time"][4:]),
        "index": whole.replace(f'"index":{told["index"]}', f'"index":{told["index"] + 1}'),
        "checkpoint": whole.replace("time ", "time 9", 1),
        "key": whole.replace(told["public_key"], "ed25519:" + "1" * 64),
        "spaces": json.dumps(told),
        "cut": whole[:-1],
    }
    for part, text in altered.items():
        assert text != whole, part
        path = tmp_path / f"{part}.json"
        path.write_text(text, encoding="utf-8")
        assert "does NOT hold" in checked(tab, path), part


@pytest.mark.slow
def test_the_monitoring_tab_shows_what_the_route_says(visit, server, person):
    tab = visit()
    sign_in(tab, server)
    ask_about(tab, person(4))
    show(tab, "monitor")
    tab.wait_for_selector("#monitor-found p")
    with server.client() as client:
        told = client.get("/monitor").json()
    text = tab.inner_text("#monitor-found")
    assert f"{told['answered']:,} predictions given, {told['refused']:,} declined" in text
    assert told["weeks"][0]["week"] in text
    assert tab.get_attribute("#monitor-found svg", "role") == "img"
    assert tab.is_hidden("#answer")
    assert tab.faults == []


PROFILE = "clade_name\tp1\tp2\n" + "".join(
    f"k__Bacteria{rest}\t{first}\t{second}\n"
    for rest, first, second in (
        ("", 100, 100), ("|p__Firmicutes", 100, 100), ("|p__Firmicutes|g__Blautia|s__Blautia_obeum", 40.5, 75),
        ("|p__Firmicutes|g__Blautia|s__Blautia_wexlerae", 59.5, 25),
    )
)  # fmt: skip


@pytest.mark.slow
def test_a_laboratory_file_fills_the_field_of_taxa_sample_by_sample(visit, server, tmp_path):
    tab = visit()
    sign_in(tab, server)
    path = tmp_path / "profile.txt"
    path.write_text(PROFILE, encoding="utf-8")
    tab.set_input_files("#file", path)
    tab.wait_for_selector("#lab-read:not(:empty)")
    assert tab.inner_text("#lab-read") == "Read as MetaPhlAn: samples 2, unit percent."
    assert tab.input_value("#unit") == "percent"
    amounts = [one.split("\t")[1] for one in tab.input_value("#taxa").splitlines()]
    assert sorted(amounts) == ["40.5", "59.5"]
    tab.select_option("#sample", label="p2")
    assert sorted(one.split("\t")[1] for one in tab.input_value("#taxa").splitlines()) == ["25", "75"]
    path.write_text("taxon\tp1\ng__A\t1\ng__B\tCANARY\n", encoding="utf-8")
    tab.set_input_files("#file", [])
    tab.set_input_files("#file", path)
    tab.wait_for_selector("#problem:not(:empty)")
    assert "line 3" in tab.inner_text("#problem")
    assert "CANARY" not in tab.inner_text("body")


@pytest.mark.slow
def test_a_pasted_profile_is_read_as_a_file_is(visit, server):
    tab = visit()
    sign_in(tab, server)
    paste = """(text) => { const data = new DataTransfer(); data.setData("text", text);
      document.getElementById("taxa").dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })); }"""
    tab.evaluate(paste, PROFILE)
    tab.wait_for_selector("#lab-read:not(:empty)")
    assert tab.is_visible("#sample")
    assert len(tab.input_value("#taxa").splitlines()) == 2
    assert tab.faults == []


@pytest.mark.slow
def test_a_cohort_is_answered_as_a_table_that_can_be_saved(visit, server, person, tmp_path):
    people = [person(i) for i in (3, 4, 5)]
    fields = ["age_years", "sex"]
    head = [
        "id",
        "intervention",
        "weeks",
        "baseline.instrument",
        "baseline.score",
        "flags",
        *(f"lifestyle.{f}" for f in fields),
    ]
    rows = [[p["id"], p["intervention"], "8", "PHQ-9", f"{p['baseline']['score']:g}", "",
             *("" if p["lifestyle"][f] is None else str(p["lifestyle"][f]) for f in fields)] for p in people]  # fmt: skip
    rows[2][5] = "pregnancy"
    path = tmp_path / "people.csv"
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in [head, *rows]), encoding="utf-8")
    tab = visit(accept_downloads=True)
    sign_in(tab, server)
    show(tab, "cohort")
    tab.set_input_files("#cohort-file", path)
    tab.click("#cohort-form button")
    tab.wait_for_selector("#cohort-found table")
    assert "Predictions given: 2 of 3." in tab.inner_text("#cohort-found")
    with tab.expect_download() as saved:
        tab.click("#cohort-found a")
    lines = [one.split("\t") for one in Path(saved.value.path()).read_text().splitlines()]
    told = [dict(zip(lines[0], one, strict=True)) for one in lines[1:]]
    assert [one["id"] for one in told] == [p["id"] for p in people]
    assert told[2]["reasons"].split(",")[0] == "pregnancy"
    patients = [{**p, "microbiome": None, "lifestyle": {f: p["lifestyle"][f] for f in fields}} for p in people[:2]]
    with server.client() as client:
        expected = client.post("/predict", json={"patients": patients}).json()["predictions"]
    assert [float(one["change"]) for one in told[:2]] == [one["change"] for one in expected]
    assert tab.faults == []
