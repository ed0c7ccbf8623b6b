"""Files and folders anywhere that fsspec reaches: a local path, ``s3://``, ``https://``.

S3 takes its credentials and region as every AWS program does (``AWS_ACCESS_KEY_ID``,
``AWS_PROFILE``, ``~/.aws``); ``AWS_ENDPOINT_URL`` names an S3-compatible service.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import fsspec
from fsspec.core import url_to_fs

from advanced_mm.errors import AdvancedMMError, InputError

__all__ = ["Location", "LocationError"]

_NETWORK: Final = ("aiobotocore", "aiohttp", "botocore", "urllib3")
_INSTALL: Final = {"s3": "pip install s3fs"}
_NO_CREDENTIALS: Final = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "TokenRetrievalError"}
)


class LocationError(AdvancedMMError):
    """A location cannot be reached or refuses access; a publisher tries again later."""


class Location:
    """A file or folder.

    Parameters
    ----------
    url : str
        Anything fsspec understands; a path without a scheme is local.
    requester_pays : bool
        Agree to pay for the transfer, which some buckets ask of their readers. S3 only.

    Raises
    ------
    InputError
        The scheme is unknown, or the library for it is not installed.
    """

    def __init__(self, url: str, *, requester_pays: bool = False) -> None:
        self.url = url.rstrip("/")
        scheme = fsspec.utils.get_protocol(url)
        options: dict[str, Any] = {"requester_pays": True} if requester_pays else {}
        try:
            self._fs, self._path = url_to_fs(
                self.url,
                use_listings_cache=False,
                **(options if scheme in {"s3", "s3a"} else {}),
            )
        except ImportError as error:
            remedy = _INSTALL.get(scheme, f"install the library for {scheme}")
            raise InputError(f"{url!r} needs a library that is not installed: {remedy}.") from error
        except ValueError as error:
            raise InputError(f"{url!r} is no location: {error}.") from None

    def below(self, name: str) -> str:
        """Return the URL of a name below this folder."""
        return f"{self.url}/{name}"

    def names(self, folder: str = "") -> dict[str, int | None]:
        """Return the entries of a folder and their sizes in bytes, none if it does not exist.

        Raises
        ------
        LocationError
            It cannot be reached or refuses access.
        """
        path = self._at(folder)
        with self._reaching(folder):
            try:
                entries = self._fs.ls(path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        return {
            entry["name"].rstrip("/").rpartition("/")[2]: entry.get("size")
            for entry in entries
            if entry["name"].rstrip("/") != path.rstrip("/")
        }

    def read(self, name: str = "") -> bytes:
        """Return a file's bytes.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        LocationError
            It cannot be reached or refuses access.
        """
        with self._reaching(name):
            content: bytes = self._fs.cat_file(self._at(name))
            return content

    @contextmanager
    def opened(self, name: str = "") -> Iterator[IO[bytes]]:
        """Open a file for reading, decompressed by its name's ending (lz4, gz, zip, bz2, xz).

        Raises
        ------
        FileNotFoundError
            There is no such file.
        LocationError
            It cannot be reached or refuses access.
        InputError
            It is not what its ending says.
        """
        with self._reaching(name):
            try:
                with self._fs.open(self._at(name), "rb", compression="infer") as file:
                    yield file
            except (RuntimeError, EOFError) as error:
                raise InputError(
                    f"{self._shown(name)} cannot be decompressed ({error}); fetch it again."
                ) from error

    def size(self, name: str = "") -> int | None:
        """Return a file's size in bytes, None if there is no such file or the server does not say.

        Raises
        ------
        LocationError
            It cannot be reached or refuses access.
        """
        with self._reaching(name):
            try:
                size: int | None = self._fs.info(self._at(name)).get("size")
            except FileNotFoundError:
                return None
            return size

    def put(self, name: str, content: bytes) -> None:
        """Write a file whole: a reader sees the old one or the new one, never a part.

        Object stores put objects whole; elsewhere a temporary file is renamed.

        Raises
        ------
        LocationError
            It cannot be reached or refuses access.
        """
        path = self._at(name)
        with self._reaching(name):
            if "s3" in self._fs.protocol:
                self._fs.pipe_file(path, content)
                return
            folder, _, last = path.rpartition("/")
            temporary = f"{folder}/.{last}.part"
            try:
                self._fs.makedirs(folder, exist_ok=True)
                self._fs.pipe_file(temporary, content)
                self._fs.mv(temporary, path)
            except FileNotFoundError as error:  # also of a folder that cannot be made there
                raise LocationError(
                    f"{self._shown(name)} cannot be written ({_reason(error)}): check the address."
                ) from error

    def remove(self, name: str) -> None:
        """Delete a file if it is there.

        Raises
        ------
        LocationError
            It cannot be reached or refuses access.
        """
        with self._reaching(name):
            try:
                self._fs.rm_file(self._at(name))
            except FileNotFoundError:
                return

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}" if name else str(self._path)

    def _shown(self, name: str) -> str:
        return self.below(name) if name else self.url

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        """Turn the many errors of networks and object stores into one sentence."""
        shown = self._shown(name)
        try:
            yield
        except (AdvancedMMError, FileNotFoundError):
            raise
        except PermissionError as error:
            raise LocationError(
                f"{shown} refuses access ({_reason(error)}): check the credentials "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE) and their rights."
            ) from error
        except Exception as error:
            if type(error).__name__ in _NO_CREDENTIALS:
                raise LocationError(
                    f"{shown} needs credentials and there are none: set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
                ) from error
            if isinstance(error, OSError) or type(error).__module__.startswith(_NETWORK):
                raise LocationError(
                    f"{shown} cannot be reached ({_reason(error)}): check the network and the "
                    "address."
                ) from error
            raise


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
