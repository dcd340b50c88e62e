"""What libtiff says while Pillow's decoder calls it: errors are raised, and no line of it goes to stderr."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pixelgauge.files.reading import shown
from pixelgauge.images.tiff import RefusedError

if TYPE_CHECKING:
    from PIL import Image


class _Listener:
    """libtiff's handler of errors for as long as anyone decodes: it keeps what is said in a thread that listens.

    libtiff has one handler for the process, which writes to stderr. What other threads decode goes to the one that was
    there before, and that one is put back when no thread listens.
    """

    def __init__(self) -> None:
        self._lock, self._heard, self._listening = threading.Lock(), threading.local(), 0
        self._set: Callable[[Any], Any] | None = None
        self._before: Any = None
        handler = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
        self._handler_type = handler
        self._handler = handler(self._hear)

    def _find(self) -> Callable[[Any], Any] | None:
        """Look up the function of the libtiff that Pillow's decoder is linked with; None where it does not show it."""
        from PIL import _imaging

        try:
            library = ctypes.CDLL(_imaging.__file__)
            found = library.TIFFSetErrorHandler
            self._print = ctypes.CDLL(None).vsnprintf
        except (AttributeError, OSError, TypeError):
            return None
        found.restype, found.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        return found

    def _hear(self, module: int | None, form: int | None, arguments: int | None) -> None:
        said: list[str] | None = getattr(self._heard, "said", None)
        if said is None:
            if self._before:
                self._handler_type(self._before)(module, form, arguments)
        elif len(said) < 10:
            text = ctypes.create_string_buffer(400)
            self._print(text, ctypes.c_size_t(len(text)), ctypes.c_void_p(form), ctypes.c_void_p(arguments))
            said.append(text.value.decode("utf-8", "replace"))

    @contextlib.contextmanager
    def listening(self) -> Iterator[list[str]]:
        said: list[str] = []
        with self._lock:
            if self._set is None:
                self._set = self._find()
            if self._set is not None and self._listening == 0:
                self._before = self._set(ctypes.cast(self._handler, ctypes.c_void_p))
            self._listening += 1
        self._heard.said = said
        try:
            yield said
        finally:
            self._heard.said = None
            with self._lock:
                self._listening -= 1
                if self._set is not None and self._listening == 0:
                    self._set(self._before)


_LISTENER = _Listener()


@contextlib.contextmanager
def libtiff_errors_raised(image: Image.Image | None) -> Iterator[None]:
    """Raise what libtiff reports as an error while it decodes an image in this thread, even if it goes on regardless.

    Of an image that another decoder reads nothing is listened for.

    Where libtiff cannot be reached (it is within Pillow's library, and hidden), its lines go to stderr as before, and
    only what stops it is an error.
    """
    if not getattr(image, "use_load_libtiff", False):
        yield
        return
    with _LISTENER.listening() as said:
        try:
            yield
        except RefusedError:
            raise
        except Exception as error:
            raise ValueError(f"is damaged: libtiff says {shown(said[0])!r}" if said else str(error)) from error
    if said:
        raise ValueError(f"is damaged: libtiff says {shown(said[0])!r}")
