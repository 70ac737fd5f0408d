"""Reads files that others wrote: whatever is in them, an error is a `DataError` that names the file.

Every reader of the package goes through these: `contents` for bytes and JSON, `text` for text, `npy` for numpy's
files, `table` for CSV, `shape` for JSON of a known form, `child_process` for libraries in C that crash or hang,
`hdf5` for files that lead into others. What a library raises on a broken file is turned by `readable`; nothing is
allocated that the file does not hold, and a pipe or a device is refused before it is opened.
"""

from stexplain.reading.contents import given_path as given_path
from stexplain.reading.contents import is_there as is_there
from stexplain.reading.contents import naming as naming
from stexplain.reading.contents import read_bytes as read_bytes
from stexplain.reading.contents import read_json_value as read_json_value
from stexplain.reading.contents import readable as readable
from stexplain.reading.contents import regular_file as regular_file
from stexplain.reading.text import is_json as is_json
from stexplain.reading.text import read_text as read_text
from stexplain.reading.text import text_file as text_file
