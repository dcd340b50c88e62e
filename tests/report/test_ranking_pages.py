"""``auroc --report`` and ``demo --report``: what the pages say, what is refused, and hostile columns that change nothing."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pixelgauge.proportions import proportion_interval
from pixelgauge.ranking.delong_tests import delong_test
from pixelgauge.report.ranked import Ranked
from tests.engine.stand_in import run

HOSTILE = "</svg><script>alert(1)</script>\u202e\"'&שלום" + "y" * 300


class Page(HTMLParser):
    """What a browser meets: elements with their attributes, and the text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def sections(self) -> list[str | None]:
        return [attrs.get("id") for tag, attrs in self.elements if tag == "section"]


def require_self_contained(page: Page) -> None:
    """Nothing is loaded, nothing runs, no style is inline, pictures and charts have names."""
    for tag, attrs in page.elements:
        assert tag not in ("script", "link", "iframe", "object", "form", "base")
        assert "style" not in attrs
        assert not [key for key in attrs if key.startswith("on")]
        for key in ("src", "href", "xlink:href"):
            assert str(attrs.get(key, "#")).startswith(("#", "data:image/"))
        if tag == "img":
            assert attrs["alt"]
        if tag == "svg":
            assert attrs["role"] == "img"
    assert "\u202e" not in page.text
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))


def write_scores(path: Path, count: int = 400, columns: tuple[str, str, str] = ("score", "other", "site")) -> None:
    random = np.random.default_rng(0)
    truth = random.random(count) < 0.3
    scores, others = random.normal(size=(2, count)) + [[1.5], [1.0]] * truth
    sites = random.choice(["day", "night", HOSTILE], count)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("label", *columns))
        writer.writerows(zip(truth.astype(int), scores.round(4), others.round(4), sites, strict=True))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_scores(tmp_path / "t.csv")
    return tmp_path


@pytest.mark.cli
def test_the_page_says_what_the_command_prints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(
        capsys, "auroc", "t.csv", "--report", "r.html", "--versus", "other", "--groups", "site", "--json"
    )
    assert (code, err) == (0, "")
    result = json.loads(out)
    page = Page(folder / "r.html")
    require_self_contained(page)
    assert page.sections == ["summary", "curves", "operating-points", "groups", "comparison", "made-with"]
    for value in (result["auroc"], result["low"], result["high"], result["average_precision"]):
        assert f"{value:.4f}" in page.text
    assert f"{result['threshold']:.6g}" in page.text
    printed = {
        "negative predictive value": "negative_predictive_value",
        "balanced accuracy": "balanced_accuracy",
        "F1": "f1",
        "MCC": "mcc",
        "Youden's J": "youden_j",
    }
    for title, key in printed.items():
        assert f"{title}{result[key]:.3f}" in page.text
    table = np.genfromtxt(folder / "t.csv", delimiter=",", skip_header=1, usecols=(0, 1, 2), encoding="utf-8")
    test = delong_test(table[:, 0], table[:, 1], table[:, 2])
    assert f"{test.z:.4g}" in page.text
    assert f"{test.difference:+.4f} [{test.low:+.4f}, {test.high:+.4f}]" in page.text
    assert (folder / "r.html").stat().st_size < 400_000


@pytest.mark.cli
@pytest.mark.parametrize("some", [False, True])
def test_groups_without_a_figure_draw_none_and_say_it_once(
    folder: Path, capsys: pytest.CaptureFixture[str], some: bool
) -> None:
    lines = ["label,score,site"]
    lines += [f"{i % 2},{i * i % 37},{'many' if some and i > 4 else f'g{i}'}" for i in range(80)]
    (folder / "g.csv").write_text("\n".join(lines))
    assert run(capsys, "auroc", "g.csv", "--groups", "site", "--report", "r.html")[0] == 0
    page = Page(folder / "r.html")
    groups = page.text[page.text.index("Groups", page.text.index("true negatives")) :]
    assert "nan" not in groups
    assert groups.count("fewer than two samples of a class") == 1
    assert ("mean of the groups" in groups) == some
    assert ("1 group of column site" in groups) == some


@pytest.mark.cli
def test_hostile_columns_change_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scores(folder / "h.csv", columns=(HOSTILE, "b'\"<", "<svg onload=alert(1)>"))
    argv = ("--score", HOSTILE, "--versus", "b'\"<", "--groups", "<svg onload=alert(1)>")
    code, _, err = run(capsys, "auroc", "h.csv", *argv, "--report", "r.html")
    assert (code, err) == (0, "")
    page = Page(folder / "r.html")
    require_self_contained(page)
    write_scores(folder / "t.csv")
    assert run(capsys, "auroc", "t.csv", "--versus", "other", "--groups", "site", "--report", "s.html")[0] == 0
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Page(folder / "s.html").elements]


@pytest.mark.boundary
@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--versus", "other"], "--versus needs --report FILE"),
        (["--groups", "site"], "--groups needs --report FILE"),
        (["--report", "r.html", "--versus", "score"], "--versus and --score are both score"),
        (["--report", "r.html", "--groups", "label"], "--groups and --label are both label"),
        (["--report", "r.html", "--versus", "absent"], "absent"),
        (["--report", "t.csv"], "is read by this very command"),
        (["--report", "there.html"], "there.html: exists and is no report of pixelgauge"),
        (["--report", "r.html", "--csv", "r.html"], "--csv and --report are both r.html"),
        (["--report", "no/r.html"], "no/r.html"),
        (["--report", "r.html", "--memory-budget", "40000000"], "leave out --report"),
    ],
)
def test_what_leads_nowhere_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    (folder / "there.html").write_text("kept")
    code, _, err = run(capsys, "auroc", "t.csv", *argv)
    assert code == 2
    assert said in err
    assert (folder / "there.html").read_text() == "kept"
    assert not (folder / "r.html").exists()


_GAPS = {
    "label": ["0", "1", "0", "1", "", "1"] * 4,
    "score": ["1", "2", "3", "", "5", "6"] * 4,
    "other": ["", "3", "1", "7", "2", "5"] * 4,
    "place": ["a", "", "b", "a", "b", "a"] * 2 + ["a", "b", "b", "a", "b", "b"] * 2,
}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "npz"])
@pytest.mark.parametrize("beside", [("other",), ("place",), ("other", "place")])
def test_rows_that_lack_a_value_anywhere_are_left_out_everywhere(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, beside: tuple[str, ...]
) -> None:
    def saved(path: str, rows: list[tuple[str, ...]]) -> None:
        if path.endswith(".csv"):
            Path(path).write_text("\n".join(map(",".join, [tuple(_GAPS), *rows])) + "\n")
            return
        columns = {
            name: [cell if name == "place" else float(cell) if cell else None for cell in cells]
            for name, cells in zip(_GAPS, zip(*rows, strict=True), strict=True)
        }
        if path.endswith(".jsonl"):
            records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            Path(path).write_text("".join(json.dumps(record) + "\n" for record in records))
        elif path.endswith(".parquet"):
            pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
            pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(columns), path)
        else:
            arrays = {n: np.array(c, str if n == "place" else float) for n, c in columns.items()}
            np.savez(path, **arrays)

    used = ("label", "score", *beside)
    rows = list(zip(*_GAPS.values(), strict=True))
    whole = [row for row in rows if all(row[list(_GAPS).index(name)] for name in used)]
    saved(f"gaps.{kind}", rows)
    saved(f"whole.{kind}", whole)
    options = [text for name in beside for text in ("--versus" if name == "other" else "--groups", name)]
    found = []
    for name in ("gaps", "whole"):
        argv = (f"{name}.{kind}", "--missing", "drop", "--json", "--report", f"{name}.html", *options)
        code, out, err = run(capsys, "auroc", *argv)
        assert (code, err) == (0, "")
        found.append(json.loads(out))
    assert found[0]["dropped"] == len(rows) - len(whole)
    assert {**found[0], "file": "", "dropped": 0} == {**found[1], "file": "", "dropped": 0}
    # the same charts and tables, but for the file's name and the time
    pages = [Path(f"{name}.html").read_text().split('<section id="made-with"')[0] for name in ("gaps", "whole")]
    sections = [re.findall(r'<section id="(?:groups|comparison)".*?</section>', page, re.S) for page in pages]
    assert sections[0] == sections[1]


@pytest.mark.boundary
def test_no_row_in_common_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "m.csv").write_text("label,score,other\n0,1,\n1,2,\n,,1\n1,,2\n")
    argv = ("auroc", "m.csv", "--missing", "drop", "--report", "r.html", "--versus", "other")
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "m.csv" in err
    assert "no row" in err


@pytest.mark.boundary
@pytest.mark.parametrize(
    "rows",
    [
        "0,1\n1,2\n",  # no interval
        "0,1\n1,1\n0,1\n1,1\n",  # all alike
        "0,-inf\n1,inf\n0,0\n1,5\n",
        "0,1e308\n1,-1e308\n0,5e-324\n1,0\n",
        "0,9007199254740993\n1,9007199254740994\n0,9007199254740992\n1,9007199254740995\n",
    ],
)
def test_odd_scores_have_a_page(folder: Path, capsys: pytest.CaptureFixture[str], rows: str) -> None:
    (folder / "odd.csv").write_text("label,score\n" + rows)
    code, _, err = run(capsys, "auroc", "odd.csv", "--report", "r.html")
    assert (code, err) == (0, "")
    page = Page(folder / "r.html")
    require_self_contained(page)
    for _, attrs in page.elements:
        assert not re.search(r"\b(nan|inf)\b", f"{attrs.get('d', '')} {attrs.get('x', '')} {attrs.get('cx', '')}")


@pytest.mark.oracle
def test_the_band_holds_wilsons_intervals(folder: Path) -> None:
    random = np.random.default_rng(1)
    truth = random.random(300) < 0.4
    ranked = Ranked.of(truth, random.normal(size=300) + truth, 0.95)
    (false, true), ((_, fpr_high), (tpr_low, _)), (precision_low, _) = ranked.limits
    for k in range(0, len(false), 17):
        assert fpr_high[k] == proportion_interval(int(false[k]), ranked.negatives, method="wilson").high
        assert tpr_low[k] == proportion_interval(int(true[k]), ranked.positives, method="wilson").low
        called = int(false[k] + true[k])
        if called:
            assert precision_low[k] == proportion_interval(int(true[k]), called, method="wilson").low


def test_a_page_of_many_scores_stays_small(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    truth = random.random(1_000_000) < 0.1
    np.savez(folder / "many.npz", label=truth, score=random.normal(size=len(truth)) + truth)
    assert run(capsys, "auroc", "many.npz", "--report", "r.html")[0] == 0
    assert (folder / "r.html").stat().st_size < 200_000


@pytest.mark.cli
def test_the_demo_ends_on_a_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "demo", "--report", "demo.html")
    assert code == 0
    assert out.endswith("the page is demo.html: open it in any browser\n")
    page = Page(folder / "demo.html")
    require_self_contained(page)
    assert {"answers", "disagreement", "pictures", "next"} <= set(page.sections)
    assert sum(tag == "img" for tag, _ in page.elements) == 6 * 6
    digits = re.findall(r"SSIM [01]\.(\d+)", page.text[page.text.index("The pictures", 2000) :])
    assert {len(one) for one in digits} == {6}
    assert not re.search(r"SSIM [01](?!\.)\b", page.text)
    (folder / "t.html").write_text("kept")
    code, _, err = run(capsys, "demo", "--report", "t.html")
    assert (code, "t.html: exists and is no report of pixelgauge" in err) == (2, True)
