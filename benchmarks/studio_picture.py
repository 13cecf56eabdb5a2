"""Draw docs/images/studio.png: the page in Chromium, with a clip that was made there.

python benchmarks/studio_picture.py
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from studio_soak import free_port, wait_for_port

OUT = Path(__file__).parents[1] / "docs" / "images" / "studio.png"
PATIENCE = 300_000


def main() -> None:
    """Make a clip on the page, and take its picture."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--out", type=Path, default=OUT)
    words.add_argument("--prompt", default="Symphonic Metal")
    asked = words.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = ["--headless", "--port", str(port), "--gallery", f"{folder}/gallery"]
        server = subprocess.Popen(
            [sys.executable, "-m", "mousai_kit", "studio", *options], env=dict(os.environ)
        )
        try:
            wait_for_port(port)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 1100, "height": 900})
                page.set_default_timeout(PATIENCE)
                page.goto(f"http://127.0.0.1:{port}/?__theme=light")
                page.locator("#make-prompt textarea").fill(asked.prompt)
                page.locator("#make-button").click()
                page.locator("#make-picture img").wait_for()
                page.locator("#make-audio canvas, #make-audio .waveform-container").first.wait_for()
                page.wait_for_timeout(3000)
                page.screenshot(path=asked.out, full_page=True)
                browser.close()
        finally:
            server.terminate()
            server.wait()
    print(asked.out)


if __name__ == "__main__":
    main()
