"""Formats of other libraries are refused in one line, with the call that converts them."""

import zipfile

import numpy as np
import pytest

from mts3.data import load_dataset
from mts3.errors import UserError

CALLS = {
    "log.xlsx": "pandas.read_excel",
    "log.xls": "pandas.read_excel",
    "log.ods": "save the sheet as CSV",
    "log.json": "pandas.read_json(FILE).to",
    "log.jsonl": "pandas.read_json(FILE, lines=True)",
    "log.mat": "scipy.io.loadmat",
    "log.bag": "rosbags",
    "log.db3": "rosbags",
    "log.mcap": "mcap.reader",
    "log.ulg": "pyulog",
    "log.tdms": "nptdms.TdmsFile",
    "log.mf4": "asammdf.MDF",
    "log.feather": "pandas.read_feather",
    "log.csv.gz": "pandas.read_csv",
    "log.csv.zst": "pandas.read_csv",
    "log.nc": "xarray.open_dataset",
    "log.npy": "numpy.savez",
    "log.LOG": "pandas' to_csv",
}


@pytest.mark.parametrize("name", CALLS)
def test_the_call_that_converts_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8b\x01\x02 whatever")
    with pytest.raises(UserError) as error:
        load_dataset(None, tmp_path / name)
    assert CALLS[name] in str(error.value)
    assert "; expected one of .npz, .csv, " in str(error.value)
    assert "; convert it: " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "member", "words"),
    [
        ("log.csv", "xl/workbook.xml", "it is a spreadsheet"),
        ("log.dat", "content.xml", "it is a spreadsheet"),
        ("log.zip", "monday.csv", "ZIP archive (monday.csv, ..) without arrays of numpy"),
    ],
)
def test_archives_are_known_by_what_they_hold(tmp_path, name, member, words):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr(member, "x,y\n1,2\n")
    with pytest.raises(UserError) as error:
        load_dataset(None, tmp_path / name)
    assert words in str(error.value)


def test_json_is_no_table_whatever_its_ending(tmp_path):
    (tmp_path / "log.txt").write_text('{"x": 1, "y": 2}\n{"x": 3, "y": 4}\n')
    with pytest.raises(UserError, match=r"it is JSON, which is not read here.*lines=True"):
        load_dataset(None, tmp_path / "log.txt")


@pytest.mark.parametrize(("member", "words"), [(".zgroup", "xarray.open_zarr"), ("metadata.yaml", "rosbags")])
def test_folders_of_zarr_and_ros(tmp_path, member, words):
    (tmp_path / member).write_text("")
    with pytest.raises(UserError, match=words):
        load_dataset(None, tmp_path)


def test_what_was_read_whatever_its_ending_still_is(tmp_path):
    (tmp_path / "table.log").write_text("obs_x;u_1\n1;2\n3;4\n")
    assert load_dataset(None, tmp_path / "table.log").obs_names == ("obs_x",)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "model.nc", "w") as file:  # NetCDF 4 is HDF5
        file["obs"] = np.ones((4, 2))
    assert load_dataset(None, tmp_path / "model.nc").obs_dim == 2
