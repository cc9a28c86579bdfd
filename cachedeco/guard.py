"""What stands between stored bytes and a value where not everybody who can write to the cache is trusted.

Bytes are verified before anything is made of them, and it is the verified bytes that are loaded: a file is read once,
into memory of this process, as a map of it would show what another process writes to it afterwards.
"""

from __future__ import annotations

import io
import os
import stat
from hashlib import sha256

from cachedeco.errors import OptionError, UntrustedCacheError
from cachedeco.files.tree import entries
from cachedeco.settings import KEY_FILE_VARIABLE, KEY_VARIABLE
from cachedeco.values import table
from cachedeco.values.contract import UnstorableError
from cachedeco.values.reading import open_value, read_whole
from cachedeco.values.signing import LENGTH, Signer, content_digest, file_digest, tree_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash as Hash
    from typing import BinaryIO

    from cachedeco.values.contract import Serializer
    from cachedeco.values.signing import Fact

_CHUNK = 1 << 20
_READ_BY_ALL, _WRITTEN_BY_ALL = stat.S_IROTH, stat.S_IWOTH


class Stored:
    """What the registry says of the bytes of an item: all that a signature covers, and where they are.

    Args:
        key: 16 bytes.
        version: of the key.
        form: as the registry has it.
        serializer: its name.
        compression: its name and the size of the content.
        filename: in the item's folder.
        code: digest of the code that made it.
        mac: the signature.
        data: the bytes where the registry itself has them.
        path: of the file or folder where it has not.
    """

    __slots__ = ("compression", "data", "facts", "mac", "path", "serializer")

    def __init__(
        self,
        *,
        key: bytes,
        version: int,
        form: str,
        serializer: str | None = None,
        compression: str | None = None,
        filename: str | None = None,
        code: bytes | None = None,
        mac: bytes | None = None,
        data: bytes | None = None,
        path: str = "",
    ) -> None:
        self.compression = compression
        self.facts: list[Fact] = [key, version, form, serializer, compression, filename, code]
        self.serializer = serializer
        self.mac = mac
        self.data = data
        self.path = path


class Guard:
    """Signs what is stored and verifies what is loaded, or refuses what runs code.

    A pickle of it does not hold the key: in another process that is taken from the key file or the environment.

    Args:
        signer: None where nothing is signed.
        key_file: that the key was read from.
        allow_pickle: whether values may be stored in ways that run code when they are loaded.
    """

    __slots__ = ("_key_file", "allow_pickle", "signer")

    def __init__(self, signer: Signer | None, *, allow_pickle: bool, key_file: str | None = None) -> None:
        self.signer = signer
        self.allow_pickle = allow_pickle
        self._key_file = key_file

    def __reduce__(self) -> tuple[Callable[..., Guard], tuple[bool, str | None, bool]]:
        return _reopened, (self.signer is not None, self._key_file, self.allow_pickle)

    def choose(self, value: object) -> Serializer:
        """The serializer for a value."""
        return table.choose(value) if self.allow_pickle else table.choose_without_code(value)

    def refuse_pickle(self, what: str) -> None:
        """Raise where what needs pickle is not to be stored.

        Raises:
            UnstorableError: pickles are not allowed.
        """
        if not self.allow_pickle:
            raise UnstorableError(f"{what} can be kept by pickle alone, and the cache has allow_pickle=False")

    def hash(self, data: bytes = b"") -> Hash:
        """The digest of content that is signed, to be fed with what is written."""
        return sha256(data)

    def sign(self, stored: Stored, content: bytes) -> bytes | None:
        """The signature of bytes with this SHA-256; None where nothing is signed."""
        return None if self.signer is None else self.signer.sign("value", stored.facts, content)

    def sign_files(self, stored: Stored) -> bytes | None:
        """The signature of an output file or folder."""
        return None if self.signer is None else self.sign(stored, _tree(stored.path))

    def load(self, stored: Stored, *, mmap: bool = True) -> object:
        """The value, once its bytes are verified.

        Args:
            stored: what is said of it.
            mmap: whether its memory may be a map of the file, where nothing is signed.

        Raises:
            UntrustedCacheError: they are not signed with this key for this item, or loading them could run code.
        """
        content: bytes | bytearray | memoryview
        if stored.data is not None:
            content = stored.data
        elif self.signer is None and stored.compression is None:
            return self._serializer(stored).load(stored.path, mmap=mmap)
        else:
            content = read_whole(stored.path, mmap=False)
        if self.signer is not None:
            self._verify(stored, content_digest(content))
        serializer = self._serializer(stored)
        if stored.compression is None:
            return serializer.unpack(content)
        from cachedeco.values import compression

        bounded = self.signer is None
        return compression.load(serializer, stored.compression, content, len(content), bounded=bounded)

    def open_stream(self, stored: Stored) -> BinaryIO:
        """The items of a generator, verified as a whole.

        Raises:
            UntrustedCacheError: as `load`.
        """
        if not self.allow_pickle:
            raise UntrustedCacheError(
                "the items of a generator are pickles, and the cache has allow_pickle=False"
            )
        if stored.data is not None:
            self.check(stored)
            return io.BytesIO(stored.data)
        file = open_value(stored.path)
        if self.signer is None:
            return io.BufferedReader(file)
        import tempfile

        # It is read for as long as the consumer likes: from a copy that nobody else can reach.
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
        try:
            with file:
                while chunk := file.read(_CHUNK):
                    copy.write(chunk)
            copy.seek(0)
            self._verify(stored, file_digest(copy))
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return copy

    def check(self, stored: Stored) -> None:
        """Verify bytes without loading them.

        Raises:
            UntrustedCacheError: they are not signed with this key for this item, or loading them could run code.
            OSError: they cannot be read.
        """
        if stored.serializer is not None:
            self._refuse_code(stored)
        if self.signer is None:
            return
        if stored.data is not None:
            content = content_digest(stored.data)
        else:
            content = _tree(stored.path) if stored.serializer is None else _digest(stored.path)
        self._verify(stored, content)

    def seal(self, pickled: bytes, *facts: Fact) -> bytes:
        """Pickled arguments as they are kept: behind their signature, if things are signed."""
        if self.signer is None:
            return pickled
        return self.signer.sign("arguments", facts, content_digest(pickled)) + pickled

    def unseal(self, kept: bytes, *facts: Fact) -> bytes:
        """The inverse of `seal`.

        Raises:
            UntrustedCacheError: they are not signed with this key for these facts, or pickles are not allowed.
        """
        if not self.allow_pickle:
            raise UntrustedCacheError("stored arguments are pickles, and the cache has allow_pickle=False")
        if self.signer is None:
            return kept
        signature, pickled = kept[:LENGTH], kept[LENGTH:]
        if not self.signer.is_right(signature, "arguments", facts, content_digest(pickled)):
            raise UntrustedCacheError("the stored arguments are not signed with this key for this item")
        return pickled

    def _verify(self, stored: Stored, content: bytes) -> None:
        if self.signer is None or self.signer.is_right(stored.mac, "value", stored.facts, content):
            return
        reason = (
            "it is not signed" if stored.mac is None else "its signature is not that of this key and item"
        )
        raise UntrustedCacheError(f"{reason}, so it is not loaded")

    def _serializer(self, stored: Stored) -> Serializer:
        self._refuse_code(stored)
        return table.stored(stored.serializer)

    def _refuse_code(self, stored: Stored) -> None:
        if not self.allow_pickle and (
            stored.serializer == "stream" or table.runs_code(table.stored(stored.serializer))
        ):
            raise UntrustedCacheError(
                f"it is stored by the serializer {stored.serializer!r}, which may run code, and the cache has "
                "allow_pickle=False"
            )


def guard_of(
    folder: str | None, *, signing_key: bytes | str | None, signing_key_file: object, allow_pickle: bool
) -> Guard | None:
    """The guard of a cache folder; None where everything that lies there is trusted.

    Args:
        folder: the cache folder; None where its key file is known to lie outside.
        signing_key: None for the one in the environment, if there is one.
        signing_key_file: path of a file that holds the key.
        allow_pickle: whether values may be pickles.

    Raises:
        OptionError: two keys are given, one is of a wrong type or empty, or its file lies in the cache.
        UntrustedCacheError: others can read the key file or write to it.
    """
    if signing_key is not None and signing_key_file is not None:
        raise OptionError("Cache(signing_key=..., signing_key_file=...): give one of them")
    if signing_key is None and signing_key_file is None:
        signing_key = os.environ.get(KEY_VARIABLE) or None
        signing_key_file = os.environ.get(KEY_FILE_VARIABLE) or None if signing_key is None else None
    key_file = None
    if signing_key_file is not None:
        key_file = _path(signing_key_file)
        signing_key = _key_in(key_file, folder)
    if signing_key is None:
        return None if allow_pickle else Guard(None, allow_pickle=False)
    if not isinstance(signing_key, (bytes, str)) or not signing_key:
        raise OptionError("Cache(signing_key=...): a key is bytes or text that is not empty")
    key = signing_key if isinstance(signing_key, bytes) else signing_key.encode("utf-8", "surrogateescape")
    return Guard(Signer(key), allow_pickle=allow_pickle, key_file=key_file)


def _path(given: object) -> str:
    try:
        name = os.fspath(given)  # type: ignore[call-overload]  # what is no path is a TypeError
    except TypeError:
        name = b""
    if not isinstance(name, str) or not name:
        raise OptionError("Cache(signing_key_file=...): a path is a str or Path that is not empty")
    return os.path.realpath(os.path.expanduser(name))


def _key_in(path: str, folder: str | None) -> bytes:
    if folder is not None and os.path.join(path, "").startswith(os.path.join(os.path.realpath(folder), "")):
        raise OptionError(
            f"the key file {path} lies in the cache folder, where who forges values reads it; move it out"
        )
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            if hasattr(os, "geteuid") and (
                found.st_uid not in {os.geteuid(), 0} or found.st_mode & (_READ_BY_ALL | _WRITTEN_BY_ALL)
            ):
                raise UntrustedCacheError(
                    f"the key file {path} can be read or written to by other users; make it yours: chmod 600 {path}"
                )
            key = file.read().rstrip(b"\r\n")  # an editor or `echo` ends the line
    except UntrustedCacheError:
        raise
    except OSError as error:
        raise OptionError(f"the key file {path} cannot be read: {error}") from error
    if not key:
        raise OptionError(f"the key file {path} is empty")
    return key


def _reopened(signed: bool, key_file: str | None, allow_pickle: bool) -> Guard:
    guard = guard_of(None, signing_key=None, signing_key_file=key_file, allow_pickle=allow_pickle)
    if signed and (guard is None or guard.signer is None):
        raise UntrustedCacheError(
            f"this cache is signed, and its key does not travel with it; set {KEY_VARIABLE} or {KEY_FILE_VARIABLE} "
            "in this process too, or open the cache with signing_key_file="
        )
    return guard or Guard(None, allow_pickle=allow_pickle)


def _tree(place: str) -> bytes:
    """What stands for an output file or folder."""
    return tree_digest(entries(place, _digest))


def _digest(path: str) -> bytes:
    with open_value(path) as file:
        return file_digest(file)
