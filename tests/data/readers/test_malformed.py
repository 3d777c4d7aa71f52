"""Files that are damaged or made to do harm: one clear line each, no code runs, memory stays under 1 GiB.

All are read in one process of its own, which reports what each gave and its memory at the peak.
"""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mts3.data import load_dataset

h5py = pytest.importorskip("h5py")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

CANARY = "canary"
GIB = 2**30
READ_ALL = """
import json, resource, sys
from mts3.data.readers import read_with_notes as read_file
from mts3.data import Columns
from mts3.errors import UserError
import h5py, pyarrow.parquet

def peak():
    # Not getrusage: there a process starts with the peak of the one that started it.
    try:
        status = open("/proc/self/status").read()
    except OSError:
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

for line in sys.stdin:
    name, columns = json.loads(line)
    try:
        read_file(name, Columns.parse(columns))
        result = ["read", ""]
    except UserError as error:
        result = ["UserError", str(error)]
    except BaseException as error:
        result = [type(error).__name__, str(error)]
    print(json.dumps([name, *result, peak()]), flush=True)
"""
ONES = np.ones((2, 4, 1))
KEYS = ("train_obs", "train_act", "test_obs", "test_act")
OFFICIAL = dict.fromkeys(KEYS, ONES)


class Calls:
    """Pickles to a call of a function, by its name, with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _global(module: str, name: str, *arguments: str) -> bytes:
    """A pickle that calls any name with texts, whether or not it exists here; protocol 4, as dotted names need."""

    def text(word: str) -> bytes:
        return b"\x8c" + bytes([len(word)]) + word.encode()

    put = b"".join(text(word) for word in arguments)
    return b"\x80\x04" + text(module) + text(name) + b"\x93(" + put + b"tR."


def _npz(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


def _member(path, content: bytes, method=zipfile.ZIP_STORED, name="obs.npy"):
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)


def _header(shape: str, dtype: str = "<f8", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\x01\x00" else "<I", len(text)) + text


def _halved(path, write):
    write(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def _linked(path, link):
    with h5py.File(path, "w") as file:
        file["obs"] = link


def _virtual(path):
    layout = h5py.VirtualLayout(shape=(9, 1), dtype="f8")
    layout[:] = h5py.VirtualSource("secret.h5", "x", shape=(9, 1))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("obs", layout)


def _stored_outside(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("obs", (9, 1), "u1", external=[("/etc/hostname", 0, 9)])


def _declared(path, shape, name="obs", **how):
    with h5py.File(path, "w") as file:
        file.create_dataset(name, shape, "f8", **how)


def _packed_zeros(mebibytes: int, raw: bool) -> bytes:
    """A zlib or deflate stream of zeros, without its end; made of copies, for a gigabyte takes long to compress."""
    packer = zlib.compressobj(9, wbits=-15 if raw else 15)
    first, other = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + other * (mebibytes - 1)


def _bomb(path):
    """An archive whose directory says, rightly, that a member of 300 KB unpacks to 300 MiB."""
    _member(path, _packed_zeros(300, raw=True))
    written = bytearray(path.read_bytes())
    entry = written.index(b"PK\x01\x02")
    written[entry + 10 : entry + 12] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    written[entry + 24 : entry + 28] = struct.pack("<I", 300 * 2**20)
    path.write_bytes(written)


def _swelling(path):
    """A chunk that unpacks to 1.1 GiB where 1 KiB was declared."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("obs", (1024, 1), "u1", chunks=(1024, 1), compression="gzip")
        dataset.id.write_direct_chunk((0, 0), _packed_zeros(1100, raw=False))


def _twice_packed(path):
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_chunk((64, 1))
    settings.set_deflate(9)
    settings.set_deflate(9)
    with h5py.File(path, "w") as file:
        h5py.h5d.create(file.id, b"obs", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((64, 1)), settings)


def _many_rows(path):
    table = pa.table({"obs_x": np.zeros(2**20, np.int8)})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(40):
            writer.write_table(table)


def _long_word(path):
    """One word, a hundred thousand times; written once."""
    words = pa.DictionaryArray.from_arrays(np.zeros(10**5, np.int32), ["9" * 10**5])
    pq.write_table(pa.table({"obs_x": words}), path, store_schema=False)


def _lerobot(folder, info=None, data=True, **columns):
    (folder / "meta").mkdir(parents=True)
    names = ("observation.state", "action", "episode_index", "frame_index")
    good = {"fps": 10, "features": {name: {"dtype": "float32"} for name in names}}
    (folder / "meta" / "info.json").write_text(info if isinstance(info, str) else json.dumps(good | (info or {})))
    if data:
        (folder / "data").mkdir()
        rows = {"observation.state": [[1.0], [2.0], [3.0]], "action": [[0.0]] * 3,
                "episode_index": [0, 0, 0], "frame_index": [0, 1, 2]}  # fmt: skip
        rows = {name: cells for name, cells in (rows | columns).items() if cells is not None}
        pq.write_table(pa.table(rows), folder / "data" / "file-000.parquet")


def _minari(folder, described="{}", episode=None):
    (folder / "data" / "0").mkdir(parents=True)
    (folder / "data" / "metadata.json").write_text(described)
    if episode is not None:
        (folder / "data" / "0" / "part-0.arrow").write_bytes(episode)


def _arrow_halved():
    sink = io.BytesIO()
    table = pa.table({"observations": [1.0, 2.0], "actions": [1.0, 2.0], "rewards": [0.0, 0.0]})
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()[:-60]


def _torch_evil(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(Calls(os.system, f"touch {CANARY}"), 2))
        archive.writestr("x/version", "3\n")


def _torch_keys(path):
    """A key of 2^60 parts: to look at all of them takes longer than there is time."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}N" + (b"q\x01h\x01" + b"\x86") * 60 + b"Ns.")
        archive.writestr("x/version", "3\n")


def _torch_swelling(path):
    """A tensor that repeats four bytes a hundred thousand million times."""
    torch.save({key: torch.zeros(1).expand(10**4, 10**4, 10**3) for key in KEYS}, path)


def _torch_packed(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"\x80\x02}.")
        archive.writestr("x/data/0", bytes(2**20))


def _official(**change):
    return pickle.dumps({key: value for key, value in (OFFICIAL | change).items() if value is not None})


def _recorded(path, **change):
    arrays = {"mts3_dataset": 1, "obs": np.ones((4, 1)), "actions": np.ones((4, 1)), "lengths": [4], "names": ["a"],
              "test_names": np.array([], "U1"), "obs_names": ["x"], "action_names": ["u"], "obs_units": [""],
              "action_units": [""], "name": "n", "attribution": "", "sample_time": 1.0}  # fmt: skip
    _npz(path, **(arrays | change))


# What a pickle of evil intent would do, as a command and as an expression.
WRITE = "open('canary', 'w').close()"
EVIL = f"touch {CANARY}"
INNER = pickle.dumps(Calls(os.system, EVIL))
TIMED = {"obs": "x", "time": "t"}
# name -> (write, column mapping, words of the line)
FILES = {
    # npz
    "half.npz": (lambda p: _halved(p, lambda q: _npz(q, obs=np.eye(90))), None, "no readable npz"),
    "text.npz": (lambda p: p.write_text("hello"), None, "no readable npz"),
    "bomb.npz": (_bomb, None, "declares 300 MiB of data"),
    "huge.npz": (lambda p: _member(p, _header("(1000000000000, 2)") + bytes(64)), None, "holds 64; the file"),
    "overflow.npz": (lambda p: _member(p, _header("(4294967296, 4294967296)")), None, "the file is damaged"),
    "negative.npz": (lambda p: _member(p, _header("(-2, -4)") + bytes(64)), None, "the file is damaged"),
    "code.npz": (lambda p: _npz(p, obs=np.array([Calls(os.system, EVIL)], object)), None, "pickled objects"),
    "header.npz": (lambda p: _member(p, _header("__import__('os').system('touch canary')") + bytes(8)), None,
                   "no readable npz"),
    "longheader.npz": (lambda p: _member(p, b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 99), None, "no readable npz"),
    "version.npz": (lambda p: _member(p, b"\x93NUMPY\x09\x00" + bytes(200)), None, "format 9.0; expected 1.0 or 2.0"),
    "bzip.npz": (lambda p: _member(p, _header("(8, 1)") + bytes(64), zipfile.ZIP_BZIP2), None, "numpy does not write"),
    "keys.npz": (lambda p: _npz(p, speed=np.ones((5, 2))), None, "no array 'obs'; it has speed"),
    "words.npz": (lambda p: _npz(p, obs=np.array([["a"], ["b"]])), None, "type <U1; expected numbers"),
    "nan_time.npz": (lambda p: _npz(p, x=np.ones((3, 1)), t=np.array([0.0, np.nan, 2.0])), TIMED, "time in data row 2"),
    "version_of_ours.npz": (lambda p: _recorded(p, mts3_dataset="new"), None, "mts3_dataset"),
    "lengths_of_ours.npz": (lambda p: _recorded(p, lengths=[6, -2], names=["a", "b"]), None, "lengths"),
    "names_of_ours.npz": (lambda p: _recorded(p, sample_time=[1.0, 2.0]), None, "sample_time"),
    # pickles
    "system.pkl": (lambda p: p.write_bytes(INNER), None, "names posix.system, which could run code; nothing"),
    "eval.pkl": (lambda p: p.write_bytes(_global("builtins", "eval", WRITE)), None, "names builtins.eval"),
    "exec.npz": (lambda p: p.write_bytes(_global("builtins", "exec", WRITE)), None, "names builtins.exec"),
    "old.pkl": (lambda p: p.write_bytes(b"cos\nsystem\n(S'touch canary'\ntR."), None, "names os.system"),
    "inst.pkl": (lambda p: p.write_bytes(b"(S'touch canary'\nios\nsystem\n."), None, "names os.system"),
    "numpy_like.pkl": (lambda p: p.write_bytes(_global("numpy.testing._private.utils", "runstring", WRITE)),
                       None, "names numpy.testing._private.utils.runstring"),
    "numpy_load.pkl": (lambda p: p.write_bytes(_global("numpy", "load", "x.npy")), None, "names numpy.load"),
    "numpy_path.pkl": (lambda p: p.write_bytes(_global("numpy._core.multiarray", "_reconstruct.__class__", "x")), None,
                       "_reconstruct.__class__"),
    "getattr.pkl": (lambda p: p.write_bytes(_global("builtins", "getattr", "x", "y")), None, "names builtins.getattr"),
    "nested.pkl": (lambda p: p.write_bytes(_official(train_obs=Calls(os.system, EVIL))), None, "names posix.system"),
    "storage.pkl": (lambda p: p.write_bytes(pickle.dumps(Calls(torch.storage._load_from_bytes, INNER))), None,
                    "torch tensors (torch.storage._load_from_bytes)"),
    "tensor.pkl": (lambda p: p.write_bytes(_official(train_obs=torch.ones(2, 4, 1))), None, "write it with torch.save"),
    "extension.pkl": (lambda p: p.write_bytes(b"\x80\x02\x82\x01."), None, "no readable pickle"),
    "half.pkl": (lambda p: p.write_bytes(_official()[:-60]), None, "no readable pickle, or it is truncated"),
    "long.pkl": (lambda p: p.write_bytes(b"\x80\x04\x8e" + struct.pack("<Q", 2**40)), None, "no readable pickle"),
    "slots.pkl": (lambda p: p.write_bytes(b"\x80\x04Nr\xff\xff\xff\x7f."), None, "instructions or objects"),
    "deep.pkl": (lambda p: p.write_bytes(b"\x80\x04N" + b"\x85" * 10**6 + b"."), None, "more than 20000 instructions"),
    "keys_of_tuples.pkl": (lambda p: p.write_bytes(b"\x80\x04}N" + b"2\x86" * 60 + b"Ns."), None, "tuples of more"),
    "keys_of_tuples.pt": (_torch_keys, None, "tuples of more than"),
    "deep_key.pkl": (lambda p: p.write_bytes(b"\x80\x04}N" + b"\x85" * 9999 + b"Ns."), None, "holds a dict; expected"),
    "list.pkl": (lambda p: p.write_bytes(pickle.dumps([1, 2])), None, "holds a list; expected a dictionary"),
    "keys.pkl": (lambda p: p.write_bytes(_official(test_act=None)), None, "expected a dictionary with the keys"),
    "objects.pkl": (lambda p: p.write_bytes(_official(train_obs=np.array([None]))), None, "'train_obs' of"),
    "number.pkl": (lambda p: p.write_bytes(_official(train_obs=5)), None, "is no array of numbers (it is a int)"),
    "shape.pkl": (lambda p: p.write_bytes(_official().replace(b"K\x02K\x04K\x01\x87", b"K\x02K\x04K\xff\x87")), None,
                  "declares shape (2, 4, 255)"),
    "lines.pkl": (lambda p: p.write_bytes(pickle.dumps({"a\nb": 1})), None, "holds a b; expected a dictionary"),
    "flat.pkl": (lambda p: p.write_bytes(_official(train_obs=np.ones((4, 1)))), None, "train_obs (4, 1)"),
    "evil.pt": (_torch_evil, None, "without running code"),
    "repeated.pt": (_torch_swelling, None, "declares"),
    "packed.pt": (_torch_packed, None, "torch.save does not compress"),
    "half.pt": (lambda p: _halved(p, lambda q: torch.save({}, q)), None, "no file of torch.save"),
    # HDF5
    "half.h5": (lambda p: _halved(p, lambda q: _hdf5(q, obs=np.ones((900, 3)))), None, "no readable HDF5"),
    "text.hdf5": (lambda p: p.write_text("hello"), None, "no readable HDF5"),
    "external.h5": (lambda p: _linked(p, h5py.ExternalLink("secret.h5", "x")), None, "is a link, perhaps into another"),
    "soft.h5": (lambda p: _linked(p, h5py.SoftLink("/obs")), None, "is a link, perhaps into another"),
    "virtual.h5": (_virtual, None, "lies in other files"),
    "outside.h5": (_stored_outside, None, "lies in other files"),
    "huge.h5": (lambda p: _declared(p, (10**12, 2), chunks=(1024, 2)), None, "declares 14.6 TiB of data"),
    "huge_chunk.h5": (lambda p: _declared(p, (4, 1), chunks=(2**27, 1), maxshape=(None, 1)), None, "declares 1 GiB"),
    "huge_contiguous.h5": (lambda p: _declared(p, (10**9, 2)), None, "declares 14.9 GiB"),
    "swelling.h5": (_swelling, None, "unpacks to more than its size"),
    "twice.h5": (_twice_packed, None, "HDF5 filters [1, 1]"),
    "words.h5": (lambda p: _hdf5(p, obs=np.array([b"a", b"b"], object)), None, "type object; expected numbers"),
    "pairs.h5": (lambda p: _hdf5(p, obs=np.zeros(5, [("a", "f8"), ("b", "f8")])), None, "expected numbers"),
    "keys.h5": (lambda p: _hdf5(p, speed=np.ones((5, 2))), None, "has no 'obs'; it has speed"),
    "d4rl.h5": (lambda p: _hdf5(p, observations=np.ones((5, 2)), actions=np.ones((4, 1))), None, "(5, 2)"),
    "minari.h5": (lambda p: _hdf5(p, **{"episode_0/actions": np.ones((5, 1))}), None, "has no 'observations'"),
    "demo.h5": (lambda p: _declared(p, (10**12, 1), name="data/demo_0"), None, "without observations; expected obs in"),
    "demos.h5": (lambda p: _hdf5(p, **{"data/demo_0/obs/x": np.ones((4, 1)), "data/demo_0/actions": np.ones((4, 1)),
                                          "data/demo_1": np.ones(3)}), None,
                 "has no 'obs'; it has nothing"),
    "episode.h5": (lambda p: _declared(p, (10**12, 1), name="episode_0"), None, "has no 'observations'"),
    "nan_time.h5": (lambda p: _hdf5(p, x=np.ones((3, 1)), t=np.array([0, np.nan, 2])), TIMED, "time in data row 2 is"),
    # Tables
    "half.parquet": (lambda p: _halved(p, lambda q: pq.write_table(pa.table({"obs_x": [1.0, 2.0]}), q)), None,
                     "no readable Parquet"),
    "rows.parquet": (_many_rows, None, "declares 320 MiB of data"),
    "word.parquet": (_long_word, None, "a cell of 100000 letters"),
    "list.parquet": (lambda p: pq.write_table(pa.table({"obs_x": [[1.0], [2.0, 3.0]]}), p), None, "expected a number"),
    "bytes.csv": (lambda p: p.write_bytes(bytes(range(256))), None, "no readable CSV"),
    "field.csv": (lambda p: p.write_text("obs_x\n" + "9" * 200_000 + "\n"), None, "field larger than field limit"),
    "cell.csv": (lambda p: p.write_text("obs_x\n" + "a" * 10**5 + "\n1" * 10**5), None, "a cell of 100000 letters"),
    "ragged.csv": (lambda p: p.write_text("obs_x,obs_y\n1,2\n3\n"), None, "1 cells in data row 2"),
    "nan_time.csv": (lambda p: p.write_text("t,x\n0,1\nnan,2\n2,3\n"), TIMED, "time in data row 2 is"),
    "no_date.csv": (lambda p: p.write_text("t,x\nnoon,1\ndusk,2\n"), TIMED, "'noon' in data row 1; expected seconds"),
    "id.csv": (lambda p: p.write_text("t,x\na,1\n,2\n"), {"obs": "x", "trajectory": "t"}, "empty in data row 2"),
    "unknown.bin": (lambda p: p.write_bytes(b"\x00\x01\x02"), None, "ends in '.bin'; expected one of .npz"),
    # Folders
    "empty_folder": (lambda p: p.mkdir(), None, "is a folder; expected"),
    "json_lerobot": (lambda p: _lerobot(p, info="{"), None, "no description of a LeRobot"),
    "deep_lerobot": (lambda p: _lerobot(p, info="[" * 10**6), None, "no description of a LeRobot"),
    "fps_lerobot": (lambda p: _lerobot(p, info={"fps": 0}), None, "fps is 0"),
    "old_lerobot": (lambda p: _lerobot(p, info={"features": {"action": {}}}), None, "no feature 'episode_index'"),
    "empty_lerobot": (lambda p: _lerobot(p, data=False), None, "no data/**/*.parquet"),
    "column_lerobot": (lambda p: _lerobot(p, action=None), None, "no readable Parquet"),
    "ragged_lerobot": (lambda p: _lerobot(p, action=[[0.0], [0.0, 1.0], []]), None, "lists of one length"),
    "words_lerobot": (lambda p: _lerobot(p, action=[["a"]] * 3), None, "expected numbers"),
    "frames_lerobot": (lambda p: _lerobot(p, frame_index=[0, 5, 6]), None, "irregular times"),
    "json_minari": (lambda p: _minari(p, "{"), None, "no description of a Minari"),
    "list_minari": (lambda p: _minari(p, "[]"), None, "no description of a Minari"),
    "empty_minari": (_minari, None, "holds no .arrow or .parquet file"),
    "half_minari": (lambda p: _minari(p, episode=_arrow_halved()), None, "no readable Parquet or Arrow"),
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What reading each file gave: {name: [kind of result, its text, bytes of memory at the peak]}."""
    folder = tmp_path_factory.mktemp("malformed")
    for name, (write, _, _) in FILES.items():
        write(folder / name)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_ALL],
        input="".join(json.dumps([name, columns]) + "\n" for name, (_, columns, _) in FILES.items()),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
    )
    results = {name: rest for name, *rest in map(json.loads, done.stdout.splitlines())}
    assert results.keys() == FILES.keys(), done.stderr  # else the process died at the next one
    results[CANARY] = list(map(str, Path(folder).rglob(CANARY)))
    return results


@pytest.mark.parametrize("name", FILES)
def test_one_clear_line(outcome, name):
    kind, text, *_ = outcome[name]
    assert kind == "UserError", text
    assert "\n" not in text
    assert len(text) < 600
    assert name.split(".")[0] in text
    assert FILES[name][2] in text


def test_no_code_ran(outcome):
    assert outcome[CANARY] == []


def test_memory_stays_under_a_gibibyte(outcome):
    peaks = {name: rest[2] for name, rest in outcome.items() if name != CANARY}
    assert max(peaks.values()) < GIB, max(peaks, key=peaks.get)


def test_a_minari_set_that_names_code_is_read_without_it(tmp_path):
    """The package minari makes the environment of a set that does not say its spaces, whatever its entry point is."""
    spec = json.dumps({"id": "x-v0", "entry_point": "os:system", "kwargs": {"command": f"touch {tmp_path / CANARY}"}})
    _minari(tmp_path / "toy-v0", json.dumps({"env_spec": spec, "data_format": "hdf5"}))
    episode = {"episode_0/observations": np.ones((4, 2)), "episode_0/actions": np.ones((3, 1))}
    _hdf5(tmp_path / "toy-v0" / "data" / "main_data.hdf5", **episode)
    assert load_dataset(None, tmp_path / "toy-v0").obs_dim == 2
    assert not (tmp_path / CANARY).exists()


def test_zeros_that_compress_well_are_still_read(tmp_path):
    """The bounds are for absurd sizes; a long recording of a system at rest is none."""
    np.savez_compressed(tmp_path / "rest.npz", obs=np.zeros((200_000, 2)), actions=np.zeros((200_000, 1)))
    assert len(load_dataset(None, tmp_path / "rest.npz").trajectories[0]) == 200_000
    with h5py.File(tmp_path / "rest.h5", "w") as file:
        file.create_dataset("obs", data=np.zeros((200_000, 2)), compression="gzip", chunks=(200_000, 2), shuffle=True)
    assert len(load_dataset(None, tmp_path / "rest.h5").trajectories[0]) == 200_000


def test_large_chunks_that_are_sound_are_read(tmp_path):
    noise = np.random.default_rng(0).normal(size=(100_000, 2))
    with h5py.File(tmp_path / "log.h5", "w") as file:
        file.create_dataset("obs", data=noise, compression="gzip", chunks=noise.shape, shuffle=True)
    np.testing.assert_array_equal(load_dataset(None, tmp_path / "log.h5").trajectories[0].obs, noise.astype(np.float32))


def test_the_canary_would_have_appeared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number, written in enumerate((INNER, _global("builtins", "eval", WRITE))):
        pickle.loads(written)
        assert (tmp_path / CANARY).exists(), number
        (tmp_path / CANARY).unlink()


def test_there_are_forty_of_them():
    assert len(FILES) >= 40
