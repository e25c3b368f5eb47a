"""What is installed is locked with its hash, and an operator can have the list of it."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Found = dict[tuple[str, str], set[str]]


@pytest.fixture(scope="module")
def locked() -> list[dict[str, Any]]:
    """All packages of uv.lock but ourselves."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return [package for package in packages if package["name"] != "telehealth"]


def hashes(package: dict[str, Any]) -> set[str]:
    files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
    return {file["hash"].removeprefix("sha256:") for file in files}


def needed_to_run(locked: list[dict[str, Any]]) -> Found:
    """Name and version of what ``dependencies`` of pyproject.toml lead to, with the hashes of its files."""
    own = next(p for p in tomllib.loads((ROOT / "uv.lock").read_text())["package"] if p["name"] == "telehealth")
    found: Found = {}
    looked_at: set[tuple[str, str, str]] = set()
    to_look_at = list(own["dependencies"])
    while to_look_at:
        wanted = to_look_at.pop()
        for package in locked:
            if package["name"] != wanted["name"] or wanted.get("version", package["version"]) != package["version"]:
                continue
            found[package["name"], package["version"]] = hashes(package)
            for extra in ("", *wanted.get("extra", ())):
                if (package["name"], package["version"], extra) not in looked_at:
                    looked_at.add((package["name"], package["version"], extra))
                    to_look_at += (
                        package.get("optional-dependencies", {}).get(extra, ())
                        if extra
                        else package.get("dependencies", ())
                    )
    return found


def test_whatever_is_locked_is_locked_by_its_hash(locked):
    """Row 36 of the checklist: nothing is installed but the very files that were locked."""
    for package in locked:
        assert "registry" in package["source"], f"{package['name']} comes from elsewhere"
        files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
        assert files, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    assert "sync --frozen" in (ROOT / "telehealth" / "setup.sh").read_text(), "which checks them"


def test_the_bill_of_materials_names_each_package_with_version_and_hashes(locked):
    """Row 36 of the checklist: an SBOM of what runs."""
    said = subprocess.run([ROOT / "telehealth" / "setup.sh", "sbom"], check=True, capture_output=True).stdout
    sbom = json.loads(said)

    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.5")
    assert sbom["metadata"]["component"]["name"] == "telehealth"
    named: Found = {}
    for component in sbom["components"]:
        assert component["purl"].startswith("pkg:pypi/"), component["name"]
        named[component["name"], component["version"]] = {
            digest["content"] for file in component["externalReferences"] for digest in file.get("hashes", ())
        }
    needed = needed_to_run(locked)
    assert ("django", next(p["version"] for p in locked if p["name"] == "django")) in needed
    assert named == needed
    assert "pytest" not in {name for name, _version in named}
