"""The studio's page in Debian's Chromium, whose only network is this machine."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

CHROMIUM = shutil.which("chromium")
SLOW = 40_000
"""Milliseconds that a busy machine may take."""
OPTIONS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

CANCELLED = "cancelled; what was finished is in the gallery"
STATUS = "[...document.querySelectorAll('textarea, input')]"


def microphone(file):
    """Return options with which a file is heard again and again from a microphone."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}",
    ]


def has_playwright():
    with suppress(ImportError):
        import playwright.sync_api

        return bool(playwright)
    return False


def open_page(browser, server, *, width=1280, theme="light"):
    """Return a page whose requests and errors are noted as `asked` and `faults`."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(SLOW)
    page.asked, page.faults = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.goto(f"{server.url}/?__theme={theme}")
    page.get_by_label("Prompt", exact=True).wait_for()
    return page


def choose_tab(page, name):
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=name).click()
    else:
        tab.click()


def wait_for(page, name, text):
    """Wait until a text box holds a text; return all of it."""
    box = page.locator(f"#{name} textarea:visible, #{name} input:visible")
    until = time.monotonic() + SLOW / 1000
    while text not in box.input_value():
        assert time.monotonic() < until, f"#{name}: {box.input_value()!r} lacks {text!r}"
        time.sleep(0.05)
    return box.input_value()


def fill(page, name, text):
    page.locator(f"#{name} textarea, #{name} input").first.fill(text)


def pick(page, name, text):
    """Choose from a list that drops down, by what is written there."""
    page.locator(f"#{name} input").click()
    page.get_by_role("option", name=re.compile(text)).first.click()


def make(page, prompt, seconds="2"):
    """Make a clip on the first tab; return its facts."""
    fill(page, "make-prompt", prompt)
    fill(page, "make-seconds", seconds)
    return press(page, "make")


def press(page, tab):
    """Press the main button of a tab; return the facts of the clip that comes of it."""
    before = page.locator(f"#{tab}-facts textarea").input_value()
    page.locator(f"#{tab}-button").click()
    page.wait_for_function(
        "([id, before]) => { const facts = document.querySelector(`#${id}-facts textarea`).value;"
        " return facts && facts !== before }",
        arg=[tab, before],
    )
    return page.locator(f"#{tab}-facts textarea").input_value()


def cancel(page, tab):
    """Cancel what a tab makes, as soon as some of it is done."""
    page.wait_for_function("[...document.querySelectorAll('progress')].some(it => it.value > 0)")
    page.locator(f"#{tab}-cancel").click()
    page.wait_for_function(f"() => ({STATUS}).some(it => it.value === {CANCELLED!r})")


def press_after_cancel(page, tab):
    """Press a main button until something begins: Gradio hears of an end a moment late."""
    while page.evaluate(f"() => ({STATUS}).some(it => it.value === {CANCELLED!r})"):
        page.locator(f"#{tab}-button").click()
        time.sleep(0.2)


def bring(page, name, file):
    """Choose a file to be uploaded; wait until it is there."""
    chooser = page.locator(f"#{name} input[type=file]")
    chooser.set_input_files(str(file))
    chooser.wait_for(state="detached")


def take(page, button):
    """Press a button that downloads; return the file."""
    with page.expect_download() as taken:
        button.click()
    return taken.value


def told(page):
    """Return the error that the page shows, and close it."""
    toast = page.get_by_test_id("toast-body").first
    text = toast.get_by_test_id("toast-text").inner_text()
    toast.get_by_test_id("toast-close").click()
    page.wait_for_function("!document.querySelector('[data-testid=toast-body]')")  # it fades
    return text


def serious_faults(page):
    """Return what axe says of a page that hinders people, with the HTML of the first place."""
    import axe_core_python

    if page.evaluate("typeof axe") == "undefined":
        page.evaluate((Path(axe_core_python.__file__).parent / "axe.min.js").read_text())
    result = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']})")
    serious = [it for it in result["violations"] if it["impact"] in ("serious", "critical")]
    return [(it["id"], it["nodes"][0]["html"]) for it in serious]
