"""Pairs with pictures: a card each, and beside it what the viewer opens; made one by one, so that few are in memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from pixelgauge.engine.items import Source
from pixelgauge.engine.pairing import Pairing
from pixelgauge.engine.row_columns import names_within
from pixelgauge.files.reading import shown
from pixelgauge.markup import Markup, element
from pixelgauge.metric import Metric
from pixelgauge.parallel import ordered_map
from pixelgauge.report.document import Document, json_text, package_text
from pixelgauge.report.pair_pictures import PairPictures, Photographer, as_json
from pixelgauge.report.pictures import Picture, img
from pixelgauge.report.selection import Group, Kept
from pixelgauge.report.written import MOST_WHOLE, change, counted, in_line, name, pair_name, score

_NAMES = {
    "worst": ("Worst", "by each metric in turn"),
    "moved": ("Fallen most since the baseline", "by each metric in turn"),
    "best": ("Best", "by each metric in turn"),
    "random": ("A random sample", "of all others that have a score"),
}
_ALL = ("All that have a score", "the worst by each metric in turn first")
"""Of a run of few pairs."""
_TINY = 96
"""Pixels of a thumbnail's side below which it is shown in squares."""

Found = PairPictures | str


def picture_ids(groups: Sequence[Group]) -> dict[int, str]:
    """Ids of the elements that hold pairs' pictures, by their places in the run."""
    return {kept.index: f"pair-{kept.index}" for group in groups for kept in group.pairs}


class Gallery:
    """The section of pairs with pictures.

    Parameters
    ----------
    pairing : Pairing
    metrics : mapping of str to Metric
    photographer : Photographer
    """

    def __init__(self, pairing: Pairing, metrics: Mapping[str, Metric[Any]], photographer: Photographer) -> None:
        self._pairing, self._metrics, self._photographer = pairing, metrics, photographer
        self._roots = pairing.ref_root, pairing.test_root

    def write(self, page: Document, groups: Sequence[Group], most: int, workers: int, step: Callable[[], None]) -> None:
        """Write it, in at most about `most` bytes; `step` is called after each pair."""
        all_kept = [kept for group in groups for kept in group.pairs]
        if not all_kept:
            return
        note = (
            "Differences and maps are computed from the files’ own pixels, not from the pictures that are shown here."
        )
        with closing(self._found(all_kept, most, workers)) as found, page.open_section("pairs", "Pairs", note=note):
            for group in groups:
                heading, how = _ALL if len(groups) == 1 else _NAMES[group.name]
                said = element("p", f"{counted(len(group.pairs), 'pair')}, {how}", class_="muted")
                page.add(Markup('<div class="group">'), element("h3", heading), said, Markup('<ul class="shots">'))
                for kept in group.pairs:
                    pictures = next(found)
                    page.add(self._card(kept, pictures))
                    if isinstance(pictures, PairPictures):
                        self._hold(page, kept, pictures)
                    page.add(Markup("</li>\n"))
                    step()
                page.add(Markup("</ul></div>"))
        page.add(Markup(package_text("viewer.html")))
        page.script("zoom.js", "colour.js", "viewer.js")

    def _with_sources(self, all_kept: list[Kept]) -> list[tuple[Source | None, Source | None]]:
        """Where the images of each are; rows that a run took over from a file know their paths alone."""
        lacking = {(kept.row.ref, kept.row.test) for kept in all_kept if kept.pair is None}
        pairs = {}
        if lacking:
            pairs = {paths: pair for pair in self._pairing.pairs if (paths := self._pairing.paths(pair)) in lacking}
        sources: list[tuple[Source | None, Source | None]] = []
        for kept in all_kept:
            pair = kept.pair or pairs.get((kept.row.ref, kept.row.test))
            sources.append((kept.row.ref, kept.row.test) if pair is None else self._pairing.sources(pair))
        return sources

    def _found(self, all_kept: list[Kept], most: int, workers: int) -> Generator[Found, None, None]:
        """Pictures of each; room that one leaves goes to those after it."""
        waiting: list[int] = []
        left = most - sum(map(self._overhead, all_kept))

        def shares() -> Iterator[tuple[Source | None, Source | None, int]]:
            for i, (ref, test) in enumerate(self._with_sources(all_kept)):
                share = (left - sum(waiting)) // (len(all_kept) - i)
                waiting.append(share)
                yield ref, test, share

        def made(asked: tuple[Source | None, Source | None, int]) -> Found:
            ref, test, share = asked
            if ref is None or test is None:
                return "there is no partner"
            return self._photographer(ref, test, share)

        with closing(ordered_map(made, shares(), workers, 0)) as pictures:
            for found in pictures:
                waiting.pop(0)
                left -= _size(found) if isinstance(found, PairPictures) else 0
                yield found

    def _card(self, kept: Kept, pictures: Found) -> Markup:
        names = names_within((kept.row.ref, kept.row.test), self._roots)
        if isinstance(pictures, str):
            top = element("div", "Not shown: ", name(pictures, 200), class_="blank")
        else:
            images = (_image(picture) for picture in pictures.thumbnails)
            label = f"Open {' and '.join(text for text in in_line(names) if text)}"
            top = element("button", *images, type="button", data_pair=f"pair-{kept.index}", aria_label=label[:200])
        broke = []
        if kept.problems:
            what = _broke(kept)
            whole = shown("; ".join(kept.problems), MOST_WHOLE)
            broke = [element("p", element("span", what, class_="badge fail", title=whole), class_="broke")]
        scores = element("p", *self._scores(kept), class_="scores")
        return Markup('<li class="shot">{}').format(
            Markup("").join([top, element("p", pair_name(names, 48), class_="name"), scores, *broke])
        )

    def _scores(self, kept: Kept) -> Iterator[Markup]:
        for text, metric in self._metrics.items():
            value, old = kept.row.values.get(text), None if kept.before is None else kept.before.get(text)
            moved = f" ({change(metric, value - old)})" if None not in (value, old) and value != old else ""  # type: ignore[operator]
            yield element("span", f"{metric.label} ", element("b", score(metric, value)), moved)

    def _overhead(self, kept: Kept) -> int:
        """Bytes of a card and its data beside the pictures."""
        return len(self._card(kept, "").encode()) + len(json_text(self._said(kept))) + _MARKUP

    def _hold(self, page: Document, kept: Kept, pictures: PairPictures) -> None:
        page.data(f"pair-{kept.index}", json_text({**self._said(kept), **as_json(pictures)}), data_pictures=True)

    def _said(self, kept: Kept) -> dict[str, Any]:
        names = in_line(names_within((kept.row.ref, kept.row.test), self._roots))
        scores = [
            f"{metric.label} {score(metric, kept.row.values.get(text))}" for text, metric in self._metrics.items()
        ]
        broke = [_broke(kept)] if kept.problems else []
        return {"names": [text for text in names if text is not None], "scores": " · ".join([*scores, *broke])}


def _broke(kept: Kept) -> str:
    return f"broke {counted(len(kept.problems), 'gate')}"


_MARKUP = 2_500
"""Bytes of a pair that do not depend on its names: elements, sizes, notes."""


def _size(pictures: PairPictures) -> int:
    every = [*pictures.thumbnails, *pictures.images, *(found.picture for found in pictures.maps)]
    return sum(len(picture.address) for picture in every)


def _image(picture: Picture) -> Markup:
    tiny = "tiny" if max(picture.width, picture.height) < _TINY else None
    return img(picture, "", class_=tiny)
