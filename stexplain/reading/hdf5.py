"""HDF5 files that stay within themselves: what leads into other files is refused."""

from typing import Any


def check_within(file: Any) -> None:
    """Refuses an open HDF5 file of which a part lies in another file: what is read would not be what was given.

    Refused are external links, external storage and virtual datasets. Links inside of the file are followed.

    Args:
        file: of `h5py`, open.

    Raises:
        ValueError: naming the first part that lies elsewhere, and where.

    Example:
        >>> import h5py, io
        >>> with h5py.File(io.BytesIO(), "w") as file:
        ...     file["speed"] = h5py.ExternalLink("elsewhere.h5", "/speed")
        ...     check_within(file)
        Traceback (most recent call last):
        ...
        ValueError: 'speed' lies in another file ('elsewhere.h5'); expected all parts in this one
    """
    import h5py

    def link(name: bytes, about: Any) -> tuple[str, str] | None:
        if about.type == h5py.h5l.TYPE_EXTERNAL:
            return name.decode("utf-8", "replace"), file.id.links.get_val(name)[0].decode("utf-8", "replace")
        return None

    def dataset(name: str, one: Any) -> tuple[str, str] | None:
        if not isinstance(one, h5py.Dataset):
            return None
        elsewhere = [str(source[0]) for source in one.external or ()]
        # "." is the file itself.
        if one.is_virtual:
            elsewhere += [source.file_name for source in one.virtual_sources() if source.file_name != "."]
        return (name, elsewhere[0]) if elsewhere else None

    # Neither visit follows a link into another file.
    found = file.id.links.visit(link, info=True) or file.visititems(dataset)
    if found:
        name, other = found
        raise ValueError(f"{name!r} lies in another file ({other!r}); expected all parts in this one")
