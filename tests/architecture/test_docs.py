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
    """Row 38 of the checklist: no page loads anything from another host."""
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


def test_the_safeguards_are_those_that_tests_show():
    """docs/security.md names a test for each row of the checklist that a test is named after, and no other."""
    tests = {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.glob("tests/**/test_*.py")}
    shown = {
        (int(row), path)
        for path, text in tests.items()
        for rows in re.findall(r'"""Rows? ([\d, and]+) of the checklist:', text)
        for row in re.findall(r"\d+", rows)
    }
    said = set()
    for line in (ROOT / "docs/security.md").read_text().splitlines():
        rows = [int(row) for words in re.findall(r"rows? (\d+(?: and \d+)*)", line) for row in words.split(" and ")]
        named = [path for path in re.findall(r"`(tests/[\w/]+\.py)`", line)]
        assert set(named) <= set(tests), line
        said |= {(row, path) for row in rows for path in named if (row, path) in shown}
        assert not rows or any((row, path) in shown for row in rows for path in named), line
    assert said == shown


def test_each_requirement_of_the_asvs_has_its_state_and_what_is_named_is_there():
    lines = re.findall(
        r"^\| (\d[\d., –]+) \| (met|partly|not met|n/a) \| (.+) \|$", (ROOT / "docs/asvs.md").read_text(), re.MULTILINE
    )
    numbers = [number for line in lines for number in numbers_of(line[0])]
    named = {path for line in lines for path in re.findall(r"`([\w/]+(?:/[\w.]+))`", line[2])}

    assert len(numbers) == len(set(numbers)) == ASVS_REQUIREMENTS
    assert [path for path in named if not (ROOT / path).exists()] == []


ASVS_REQUIREMENTS = 253  # of the levels 1 (70) and 2 (183), version 5.0.0


def numbers_of(text: str) -> list[str]:
    """Each number of a list that may hold ranges."""
    numbers = []
    for part in text.split(", "):
        first, _, last = part.partition("–")
        section, _, start = first.rpartition(".")
        end = last.rpartition(".")[2] or start
        numbers += [f"{section}.{number}" for number in range(int(start), int(end) + 1)]
    return numbers


def test_links_between_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", page.read_text()):
            assert not target or (page.parent / target).exists(), f"{page.name}: {target}"
