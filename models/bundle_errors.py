"""Every way in which a folder is not the bundle that it should be. Each is refused; trying again changes nothing."""

from models.errors import MainlineError


class BundleError(MainlineError):
    """The bundle is refused."""

    exit_code = 3


class NotABundle(BundleError):  # noqa: N818
    """No readable bundle.json, or one that does not say what a bundle says."""


class UnknownFormat(BundleError):  # noqa: N818
    """A format version that this code does not read."""


class DigestMismatch(BundleError):  # noqa: N818
    """bundle.json is not the one that was asked for."""


class FileMissing(BundleError):  # noqa: N818
    """A file that the bundle needs or lists is not there."""


class FileUnexpected(BundleError):  # noqa: N818
    """A file is there that bundle.json does not list."""


class FileTruncated(BundleError):  # noqa: N818
    """A file is shorter than bundle.json says."""


class FileTampered(BundleError):  # noqa: N818
    """A file's bytes are not those that were written."""


class PathEscapes(BundleError):  # noqa: N818
    """A file's name or a link leads out of the bundle's folder."""


class SelfTestFailed(BundleError):  # noqa: N818
    """The graph does not answer the golden rows as it did when it was written."""
