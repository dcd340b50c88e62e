"""What the browser's checks install is pinned, by version and by hash, and no address of a registry is committed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.browser.make_reports import HOSTILE, REPORTS

HERE = Path(__file__).parent


def test_packages_are_pinned_without_an_address() -> None:
    asked = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert all(version[0].isdigit() for version in asked.values()), asked
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert lock[""]["dependencies"] == asked
    for name, package in lock.items():
        if name:
            assert package["integrity"].startswith("sha512-"), name
            assert "resolved" not in package, name


def test_every_kind_of_hostile_name_is_tried() -> None:
    together = "".join(HOSTILE)
    for part in ("<", ">", "&", '"', "'", "\n", "\u202e", "ש", "\udcff", "{{", "${", "javascript:", "-->"):
        assert part in together
    assert {"compare", "distance", "auroc", "demo"} <= REPORTS.keys()
