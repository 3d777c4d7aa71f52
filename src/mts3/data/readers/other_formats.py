"""Formats that are not read here, and the library and call that turn them into one that is."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from mts3.errors import UserError

SHEET = "save the sheet as CSV, or with pandas: pandas.read_excel(FILE).to_csv('log.csv', index=False)"
JSON = "with pandas: pandas.read_json(FILE, lines=True).to_parquet('log.parquet')"
PACKED_TEXT = "unpack it, or with pandas: pandas.read_csv(FILE).to_parquet('log.parquet')"
ROS = "with rosbags: rosbags.highlevel.AnyReader, and pandas' to_parquet of the messages of one topic"
# Not their as_dataframe and to_dataframe: channels of several rates come out side by side, or joined by straight lines.
TDMS = "with npTDMS: nptdms.TdmsFile.read(FILE)[GROUP][CHANNEL] has time_track() and [:], channel by channel"
MDF = "with asammdf: asammdf.MDF(FILE).get(CHANNEL) has timestamps and samples, channel by channel"
WHOLE_JSON = JSON.replace(", lines=True", "")
# Ending -> how to convert; contents of these would pass for another format.
MISTAKEN = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".ods"), SHEET),
    **dict.fromkeys((".jsonl", ".ndjson"), JSON),
    ".json": WHOLE_JSON,
}
CONVERTERS = {
    **MISTAKEN,
    **dict.fromkeys((".bag", ".db3"), ROS),
    **dict.fromkeys((".mf4", ".mdf"), MDF),
    **dict.fromkeys((".feather", ".arrow"), "with pandas: pandas.read_feather(FILE).to_parquet('log.parquet')"),
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".zip"), PACKED_TEXT),
    ".xls": SHEET,
    ".mat": "with scipy: scipy.io.loadmat(FILE), and numpy.savez('log.npz', obs=.., actions=..); version 7.3 with h5py",
    ".mcap": "with mcap: mcap.reader.make_reader(open(FILE, 'rb')).iter_messages(), and pandas' to_parquet",
    ".ulg": "with pyulog: ulog2csv FILE writes a CSV file a topic",
    ".tdms": TDMS,
    ".7z": "unpack it",
    ".nc": "with xarray: xarray.open_dataset(FILE).to_dataframe().reset_index().to_parquet('log.parquet')",
    ".zarr": "with xarray: xarray.open_zarr(FOLDER).to_dataframe().reset_index().to_parquet('log.parquet')",
    ".npy": "with numpy: numpy.savez('log.npz', obs=numpy.load(FILE))",
    ".log": "write it as CSV: a line with the names of the columns, then one row a step, as pandas' to_csv does",
}
# What files of a format start with, and what to do about it.
SIGNS = {
    b"MATLAB 5.0 MAT-file": "a MATLAB file of version 5; save(NAME, '-v7.3', ..) of MATLAB writes one that is read, or "
    "in Python scipy.io.loadmat reads it and numpy.savez saves its arrays",
    (b"CDF\x01", b"CDF\x02", b"CDF\x05"): "a NetCDF-3 file; `nccopy -k nc4` makes a NetCDF-4 file of it, which is read",
    b"\x93NUMPY": "a single array; save the arrays of observations and actions under these names: "
    "numpy.savez(NAME, obs=.., actions=..)",
}
# Files that tell a folder.
FOLDERS = {"zarr.json": ".zarr", ".zgroup": ".zarr", ".zarray": ".zarr", "metadata.yaml": ".db3"}
# Folders in the archives that office programs write.
OFFICE = ("xl/", "content.xml")


def conversion(path: Path, endings: Mapping[str, str] = CONVERTERS) -> str:
    """How to convert a file of such an ending, to follow an error; "" for another one."""
    how = endings.get(path.suffix.lower())
    return f"; convert it: {how}" if how else ""


def refuse_sign(path: Path, start: bytes) -> None:
    """Nothing for a file that starts like none of a known library.

    Raises:
        UserError: for one that does.
    """
    found = next((words for sign, words in SIGNS.items() if start.startswith(sign)), None)
    if found is not None:
        raise UserError(f"{path} is {found}")


def refuse_folder(path: Path) -> None:
    """Nothing for a folder of no known library.

    Raises:
        UserError: for one of Zarr or of ROS, with how to convert it.
    """
    ending = next((ending for name, ending in FOLDERS.items() if (path / name).exists()), path.suffix.lower())
    if ending in FOLDERS.values():
        library = "Zarr" if ending == ".zarr" else "ROS"
        raise _refused(path, f"folders of {library} are not read here", CONVERTERS[ending])


def refuse_contents(path: Path, start: bytes) -> None:
    """Nothing for a file whose contents pass for no other format.

    Raises:
        UserError: for JSON, an archive of an office program, or one that holds other files alone.
    """
    if start.startswith(b"PK\x03\x04"):
        _refuse_archive(path)
    elif start.lstrip().startswith((b'{"', b'[{"')):  # its commas look like those of a table
        raise _refused(path, "it is JSON, which is not read here", JSON if start.startswith(b"{") else WHOLE_JSON)


def _refuse_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return  # the reader of npz says what is wrong
    if not names or any(name.endswith(".npy") for name in names):
        return
    if any(name.startswith(OFFICE) for name in names):
        raise _refused(path, "it is a spreadsheet, which is not read here", SHEET)
    raise _refused(path, f"it is a ZIP archive ({names[0][:60]}, ..) without arrays of numpy", PACKED_TEXT)


def _refused(path: Path, what: str, how: str) -> UserError:
    return UserError(f"{path}: {what}; convert it: {how}")
