"""Pictures of the page in Chromium, of a simulated person of `make demo`, into a folder outside git with an index page.

python scripts/screenshots.py BUNDLE PATIENT.json OUT
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

from ask_demo import wait
from playwright.sync_api import Page, sync_playwright

WIDE, SMALL = {"width": 1100, "height": 800}, {"width": 360, "height": 740}
#: Name of a round -> language, colours, size.
ROUNDS: dict[str, dict[str, Any]] = {
    "en-light": {"locale": "en-GB", "viewport": WIDE},
    "de-dark": {"locale": "de-DE", "color_scheme": "dark", "viewport": WIDE},
    "es-small": {"locale": "es-ES", "viewport": SMALL},
}


@contextmanager
def served(bundle: Path, folder: Path) -> Iterator[str]:
    """Serve a bundle on a free loopback port, without keys; yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("vagus")), "serve", "--model", str(bundle), "--port", str(port), "--no-auth",
               "--log", str(folder / "log"), "--state", str(folder / "state")]  # fmt: skip
    with (folder / "server.log").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            wait(f"http://127.0.0.1:{port}", str(server.pid))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def walk(tab: Page, url: str, person: dict[str, Any], folder: Path) -> Iterator[str]:
    """Go through the views; yield the name of each when it can be seen."""
    tab.goto(url + "/ui")
    tab.wait_for_selector("#sign-in h2:not(:empty)")
    yield "signed-out"
    tab.click("#sign-in button")
    tab.wait_for_selector("#patient:not([hidden])")
    tab.fill("#id", person["id"])
    tab.fill("#score", f"{person['baseline']['score']:g}")
    tab.fill("#weeks", f"{person['weeks']:g}")
    lab = folder / "profile.tsv"
    lab.write_text(
        "taxon\tsample\n" + "".join(f"{taxon}\t{n:g}\n" for taxon, n in person["microbiome"]["taxa"].items())
    )
    tab.set_input_files("#file", lab)
    tab.wait_for_selector("#lab-read:not(:empty)")
    yield "patient"
    tab.click("#predict")
    tab.wait_for_selector("#answer h2")
    yield "answer"
    people = folder / "people.csv"
    rows = "".join(f"p-{i},fermented_food,8,PHQ-9,{score}\n" for i, score in enumerate((9, 14, 19), start=1))
    people.write_text("id,intervention,weeks,baseline.instrument,baseline.score\n" + rows)
    for view, ready in (("cohort", "#cohort"), ("monitor", "#monitor-found p"), ("check", "#check")):
        tab.click(f'[data-view="{view}"]')
        tab.wait_for_selector(f"{ready}:visible")
        if view == "cohort":
            tab.set_input_files("#cohort-file", people)
            tab.click("#cohort-form button")
            tab.wait_for_selector("#cohort-found table")
        yield view


def main(bundle: Path, patient: Path, out: Path) -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed (Debian: apt install chromium)")
    out.mkdir(parents=True, exist_ok=True)
    person = json.loads(patient.read_text())["patients"][0]
    shown = []
    with tempfile.TemporaryDirectory() as name, served(bundle, Path(name)) as url, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for label, look in ROUNDS.items():
            tab = browser.new_context(**look).new_page()
            for i, view in enumerate(walk(tab, url, person, Path(name)), start=1):
                shown.append(f"{label}-{i}-{view}.png")
                tab.screenshot(path=out / shown[-1], full_page=True)
        browser.close()
    figures = "".join(f'<h2>{escape(one)}</h2><img src="{one}" alt="{escape(one)}">' for one in shown)
    (out / "index.html").write_text(f'<!doctype html><html lang="en"><title>The page of Vagus</title>{figures}</html>')
    print(f"{len(shown)} pictures in {out}, all on {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*map(Path, sys.argv[1:])))
