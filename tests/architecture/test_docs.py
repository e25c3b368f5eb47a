"""What the documents promise is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_documented_and_every_documented_setting_exists():
    sources = ["telehealth/settings.py", "telehealth/env.py", "telehealth/relays.py", "visits/relay/config.py"]
    used = {
        name for source in sources for name in re.findall(r"""["'](TELEHEALTH_\w+)["']""", (ROOT / source).read_text())
    }
    documented = set(re.findall(r"^\| `(TELEHEALTH_\w+)`", (ROOT / "docs/operations.md").read_text(), re.MULTILINE))

    assert used == documented


def test_no_page_loads_anything_from_another_host():
    pages = [*ROOT.glob("templates/**/*.html"), *ROOT.glob("static/**/*.css"), *ROOT.glob("static/**/*.js")]
    for page in pages:
        if page.is_relative_to(ROOT / "templates/emails"):
            continue
        elsewhere = r"""(?:src|href|url\(|from|import)\s*[=(]?\s*["']?(?:https?:)?//[^"')\s]+"""
        loads = re.findall(elsewhere, page.read_text())
        assert not loads, f"{page.relative_to(ROOT)}: {loads}"


def test_no_page_has_inline_scripts_or_styles():
    for page in ROOT.glob("templates/**/*.html"):
        if page.is_relative_to(ROOT / "templates/emails"):
            continue
        text = page.read_text()
        assert not re.search(r"\sstyle=|<style|\son\w+=[\"']|javascript:", text), page.relative_to(ROOT)
        for tag in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in tag or "application/json" in tag, page.relative_to(ROOT)
