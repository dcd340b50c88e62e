"""Writers on a disk that fails: killed before every step, full after any byte, read-only. The old or the new is whole.

`WRITERS` lists whatever writes files or folders: another is one entry there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pixelgauge.files import writing
from pixelgauge.files.writing import PREFIX, replacing
from pixelgauge.networks import manifest
from pixelgauge.networks import store as model_store
from pixelgauge.networks.download import download
from pixelgauge.networks.manifest import ModelMissingError
from tests.networks.lying_behaviours import whole
from tests.networks.lying_server import DATA, DIGEST, LyingServer, Talk
from tests.networks.models import MODEL, checkpoints
from tests.rights import without_roots_rights

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")


@dataclasses.dataclass(frozen=True)
class Writer:
    """What writes, within a folder of its own.

    `prepare` puts what it reads, and the old content, there; `write` is what is killed; `content` says what is there
    (None: nothing), and raises if it is not whole. `old` and `new` are what it may say.
    """

    prepare: Callable[[Path], object]
    write: Callable[[Path], object]
    content: Callable[[Path], str | None]
    old: str | None
    new: str | None


# ---- the writers --------------------------------------------------------------------------------------------------


def weights(folder: Path, seed: int) -> list[Path]:
    (folder / f"weights{seed}").mkdir(exist_ok=True)
    return checkpoints(folder / f"weights{seed}", seed=seed)


@dataclasses.dataclass(frozen=True)
class InCache:
    """Runs a function with the folder's own cache as PIXELGAUGE_CACHE."""

    call: Callable[[Path], object]

    def __call__(self, folder: Path) -> object:
        os.environ["PIXELGAUGE_CACHE"] = str(folder / "cache")
        return self.call(folder)


def seeds(digest: str) -> str:
    """Which weights these are."""
    return KNOWN[digest]


KNOWN: dict[str, str] = {}


def in_cache(folder: Path) -> str | None:
    try:
        return seeds(model_store.verify(MODEL).weights_sha256)
    except ModelMissingError:
        return None


def own_in_cache(folder: Path) -> str | None:
    found = list((folder / "cache" / "custom").glob(f"{MODEL}-*"))
    if not found:
        return None
    record = json.loads((found[0] / "origin.json").read_text())
    digest = hashlib.sha256((found[0] / "weights.bin").read_bytes()).hexdigest()
    assert digest == record["weights_sha256"]
    assert (found[0] / "model.onnx").read_bytes() == model_store.model_named(MODEL).graph_bytes()
    return seeds(digest)


def exported(folder: Path) -> str | None:
    if not (folder / "out").exists():
        return None
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["model.onnx", "origin.json", "weights.bin"]
    return seeds(hashlib.sha256((folder / "out" / "weights.bin").read_bytes()).hexdigest())


def text_of(name: str) -> Callable[[Path], str | None]:
    def content(folder: Path) -> str | None:
        return (folder / name).read_text()[:3] if (folder / name).exists() else None

    return content


def write_text(overwrite: bool) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        with replacing(folder / "a.txt", overwrite=overwrite) as file:
            for _ in range(20):
                file.write(b"new" * 5000)

    return write


def downloaded(folder: Path) -> str | None:
    if not (folder / "file").exists():
        return None
    assert (folder / "file").read_bytes() == DATA
    return "whole"


def fetch(folder: Path) -> None:
    address = (folder / "address").read_text()
    download(address, folder / "file", size=len(DATA), sha256=DIGEST, progress=False, timeout=10, attempts=2)


def serve(folder: Path) -> None:
    server = LyingServer(whole)
    SERVERS.append(server)
    (folder / "address").write_text(f"http://{server.host}/file.pth")


SERVERS: list[LyingServer] = []


@pytest.fixture(autouse=True, scope="module")
def servers() -> Iterator[None]:
    yield
    for server in SERVERS:
        server.close()


def mirror(folder: Path) -> None:
    """A server of the first weights, which the manifest then calls official."""
    both(folder)
    files = {f"/{path.name}": path.read_bytes() for path in weights_in(folder, 1)}

    def answer(talk: Talk) -> None:
        talk.head(Content_Length=len(files[talk.path]))
        talk.send(files[talk.path])

    SERVERS.append(LyingServer(answer))
    (folder / "address").write_text(f"http://{SERVERS[-1].host}")


def pull(folder: Path) -> None:
    model = manifest.model_named(MODEL)
    sources = tuple(
        dataclasses.replace(source, file=path.name, bytes=path.stat().st_size, sha256=model_store.file_sha256(path))
        for source, path in zip(model.sources, weights_in(folder, 1), strict=True)
    )
    changed = dataclasses.replace(model, sources=sources, weights_sha256=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "manifest", lambda: {MODEL: changed})
        patch.setenv("PIXELGAUGE_MIRROR", (folder / "address").read_text())
        model_store.pull(MODEL, progress=False, timeout=10)


def both(folder: Path) -> None:
    weights(folder, 1)
    weights(folder, 2)


def first(folder: Path) -> None:
    both(folder)
    model_store.add(MODEL, weights(folder, 1))


def add_without_exchange(folder: Path) -> None:
    """As on systems other than Linux: the old folder is moved aside, and a kill then leaves nothing in its place."""
    plain = writing._exchanged
    writing._exchanged = lambda *_: False
    try:
        model_store.add(MODEL, weights_in(folder, 2))
    finally:
        writing._exchanged = plain


WRITERS: dict[str, Writer] = {
    "models add": Writer(
        InCache(both), InCache(lambda folder: model_store.add(MODEL, weights_in(folder, 1))), InCache(in_cache), None, "1"
    ),
    "models add, replacing": Writer(
        InCache(first), InCache(lambda folder: model_store.add(MODEL, weights_in(folder, 2))), InCache(in_cache), "1", "2"
    ),
    "models add, replacing where folders cannot be exchanged": Writer(
        InCache(first), InCache(lambda folder: add_without_exchange(folder)), InCache(in_cache), "1", "2"
    ),
    "models pull": Writer(InCache(mirror), InCache(pull), InCache(in_cache), None, "1"),
    "models remove": Writer(
        InCache(first), InCache(lambda _: model_store.remove(MODEL)), InCache(in_cache), "1", None
    ),
    "models export": Writer(
        InCache(first), InCache(lambda folder: model_store.export(MODEL, folder / "out")), InCache(exported), None, "1"
    ),
    "weights=": Writer(
        InCache(both), InCache(lambda folder: model_store.from_files(MODEL, weights_in(folder, 1))),
        InCache(own_in_cache), None, "1",
    ),
    "a download": Writer(serve, fetch, downloaded, None, "whole"),
    "a new file": Writer(lambda _: None, write_text(False), text_of("a.txt"), None, "new"),
    "a file, replacing": Writer(
        lambda folder: (folder / "a.txt").write_text("old" * 5000), write_text(True), text_of("a.txt"), "old", "new"
    ),
}  # fmt: skip
AT_MOST_ONCE = {"models export", "a new file"}
"""Writers that refuse what is there already, so that running them again after they were done is their error."""


def weights_in(folder: Path, seed: int) -> list[Path]:
    return [folder / f"weights{seed}" / f"{role}.npz" for role in ("backbone", "heads")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each writer, to be copied for each try."""
    before = os.environ["PIXELGAUGE_CACHE"]
    folders = {}
    for number, (name, writer) in enumerate(WRITERS.items()):
        folders[name] = tmp_path_factory.mktemp("writers") / str(number)
        folders[name].mkdir(0o755)
        writer.prepare(folders[name])
    os.environ["PIXELGAUGE_CACHE"] = str(folders["models add"] / "known")
    for seed in (1, 2):
        KNOWN[model_store.add(MODEL, weights_in(folders["models add"], seed)).weights_sha256] = str(seed)
    shutil.rmtree(folders["models add"] / "known")
    os.environ["PIXELGAUGE_CACHE"] = before
    return folders


@pytest.fixture
def restored_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXELGAUGE_CACHE", os.environ["PIXELGAUGE_CACHE"])


# ---- killed -------------------------------------------------------------------------------------------------------

STEPS = frozenset(
    [
        *("os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"),
        *("shutil.rmtree", "shutil.move", "tempfile.mkstemp", "tempfile.mkdtemp", "fcntl.flock", "ctypes.dlsym"),
    ]
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def arm(step: int) -> None:
    """Kill this process right before its n-th step: whatever changes a name, opens to write, or flushes to the disk."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1
        if counted == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in STEPS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
            count()

    plain = os.fsync

    def fsync(descriptor: int) -> None:
        count()
        plain(descriptor)

    os.fsync = fsync
    sys.addaudithook(hook)


def forked(work: Callable[[], object]) -> int | None:
    """Run in a forked process; its exit code, None if it was killed."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()  # type: ignore[assignment]
            code = code if isinstance(code, int) and not isinstance(code, bool) else 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    return os.WEXITSTATUS(status)


def refused(writer: Writer, folder: Path) -> int:
    """3 if the writer names a file of the folder in an OSError, or says that it goes on in memory."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            writer.write(folder)
    except RuntimeWarning as warning:  # of weights=
        return 3 if "the cache cannot be written" in str(warning) else 4
    except OSError as error:
        return 3 if str(error.filename).startswith(str(folder)) and PREFIX not in str(error) else 5
    return 0


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(PREFIX)]


@pytest.mark.property
@pytest.mark.usefixtures("restored_cache")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_killed_before_every_step(prepared: dict[str, Path], tmp_path: Path, name: str) -> None:
    writer = WRITERS[name]
    seen = set()
    for step in range(1, 200):
        folder = tmp_path / str(step)
        shutil.copytree(prepared[name], folder, symlinks=True)

        def work(step: int = step, folder: Path = folder) -> None:
            arm(step)
            writer.write(folder)

        code = forked(work)
        assert code in (None, 0), (step, code)
        content = writer.content(folder)
        seen.add(content)
        assert content in (writer.old, writer.new), step
        if code == 0:
            break
        if content == writer.old or name not in AT_MOST_ONCE:
            writer.write(folder)
        assert writer.content(folder) == writer.new, step
        # What the kill left is swept once it is old, by whoever writes there next.
        long_ago = time.time() - 2 * 24 * 3600
        for path in left_behind(folder):
            os.utime(path, (long_ago, long_ago), follow_symlinks=False)
        if name.startswith(("models add", "weights")):
            model_store.remove(MODEL)
            model_store.add(MODEL, weights_in(folder, 1))
            shutil.rmtree(folder / "cache" / "custom", ignore_errors=True)
            assert left_behind(folder) == [], step
        shutil.rmtree(folder)
    else:
        pytest.fail("it never ends")
    assert step > 3
    assert writer.old in seen
    assert writer.content(folder) == writer.new
    assert left_behind(folder) == []


# ---- full ---------------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.usefixtures("restored_cache")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("room", [0, 1, 1000, 50_000])
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "models remove"])
def test_full_disk(prepared: dict[str, Path], tmp_path: Path, name: str, room: int) -> None:
    """No file grows beyond `room`: an OSError that names a file of the caller, the old content whole, nothing left."""
    import resource

    writer = WRITERS[name]
    folder = tmp_path / "a"
    shutil.copytree(prepared[name], folder, symlinks=True)

    def work() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        return refused(writer, folder)

    assert forked(work) == 3
    assert writer.content(folder) == writer.old
    assert left_behind(folder) == []
    writer.write(folder)
    assert writer.content(folder) == writer.new


# ---- read-only ----------------------------------------------------------------------------------------------------


@pytest.mark.boundary
@pytest.mark.usefixtures("restored_cache")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_read_only_folder(prepared: dict[str, Path], tmp_path: Path, name: str) -> None:
    """A clear OSError; what is there can be read on, as in an image whose cache another user made."""
    writer = WRITERS[name]
    folder = tmp_path / "a"
    shutil.copytree(prepared[name], folder, symlinks=True)
    below = [folder, *folder.rglob("*")]
    for path in below:
        if path.is_dir():
            path.chmod(0o555)
        elif not path.name.endswith(".lock"):
            path.chmod(0o444)

    def work() -> int:
        with without_roots_rights():
            return refused(writer, folder)

    assert forked(work) == 3
    assert writer.content(folder) == writer.old
    assert left_behind(folder) == []
    for path in below:
        path.chmod(0o755)
