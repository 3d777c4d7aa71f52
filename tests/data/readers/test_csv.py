"""CSV as people have it: marks of numbers, words, lines that are no steps, headers; what may be misread is refused."""

import time

import numpy as np
import pytest

from mts3.data import Columns, load_dataset
from mts3.data.readers import read_with_notes
from mts3.errors import UserError

SPACE, THIN, NARROW = "\u00a0", "\u2009", "\u202f"


def _read(tmp_path, text, **mapping):
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_with_notes(path, Columns.parse({"obs": ["*"]} | mapping))


def _column(tmp_path, cells, delimiter=";", beside="1", **mapping):
    """The first column of a file, with the words of its format after those of the delimiter."""
    text = "\n".join(["x" + delimiter + "y", *(cell + delimiter + beside for cell in cells)])
    reading = _read(tmp_path, text, **mapping)
    return reading.dataset.trajectories[0].obs[:, 0].tolist(), reading.format.partition("s and ")[2]


# --- Marks ---------------------------------------------------------------------------------------------------------

GERMAN, ENGLISH = "decimal commas", "commas for thousands"
BOTH = "decimal commas and points for thousands"


@pytest.mark.parametrize(
    ("cells", "values", "words"),
    [
        (["21,5", "-0,25", "1e1"], [21.5, -0.25, 10], GERMAN),
        (["1,5e3", ",5", "7"], [1500, 0.5, 7], GERMAN),
        (["1.234.567,75", "1.026", "999"], [1234567.75, 1026, 999], BOTH),
        (["1.234.567", "1.026", "999"], [1234567, 1026, 999], "points for thousands"),
        (["1,234,567.75", "1,026", "999"], [1234567.75, 1026, 999], ENGLISH),
        (["1,234,567", "1,026", "999"], [1234567, 1026, 999], ENGLISH),
        (["0.5", "1,026", "999"], [0.5, 1026, 999], ENGLISH),
        (["1013,125", "1,026", "999"], [1013.125, 1.026, 999], GERMAN),
        (["0,125", "1,026", "999"], [0.125, 1.026, 999], GERMAN),
        (["1 234,5", "1 026", "999"], [1234.5, 1026, 999], "decimal commas and spaces for thousands"),
        ([f"1{SPACE}234{SPACE}567", f"1{THIN}026", f"1{NARROW}999.5"], [1234567, 1026, 1999.5], "spaces for thousands"),
        (["1'234.5", "1\u2019026", "999"], [1234.5, 1026, 999], "apostrophes for thousands"),
        (["1_234", "1.5", "999"], [1234, 1.5, 999], ""),
        (["1.013", "1.026", "2.500"], [1.013, 1.026, 2.5], ""),  # three decimals everywhere, as savetxt writes them
        (["996", "999", "1026"], [996, 999, 1026], ""),
    ],
)
def test_marks_that_say_themselves_which_they_are(tmp_path, cells, values, words):
    assert _column(tmp_path, cells) == (pytest.approx(values), words)


@pytest.mark.parametrize(
    ("cells", "beside", "value", "words"),
    [
        (["1,013", "999"], "0.126", 1013, ENGLISH),
        (["1,013", "999"], "0,126", 1.013, GERMAN),
        (["1.013", "999"], "0,126", 1013, BOTH),
        (["1.013", "999"], "2.5", 1.013, ""),
    ],
)
def test_the_rest_of_the_file_settles_what_a_column_leaves_open(tmp_path, cells, beside, value, words):
    assert _column(tmp_path, cells, beside=beside) == (pytest.approx([value, 999]), words)
    # Also where the other column is not used.
    other = words if beside.startswith("2") or words == ENGLISH else words.replace("decimal commas and ", "")
    assert _column(tmp_path, cells, beside=beside, obs="x") == (pytest.approx([value, 999]), other)


def test_pressure_between_flow_and_valve(tmp_path):
    reading = _read(tmp_path, "flow;press;valve\n996;1,013;0.126\n998;999;0.130\n1003;1,026;0.140\n")
    np.testing.assert_allclose(reading.dataset.trajectories[0].obs[:, 1], [1013, 999, 1026])
    assert reading.format == "CSV with semicolons and commas for thousands"


@pytest.mark.parametrize(("cell", "mark"), [("1,013", ","), ("1.013", ".")])
def test_what_can_be_read_in_two_ways_is_refused_and_the_user_decides(tmp_path, cell, mark):
    cells = [cell, "999"]
    with pytest.raises(UserError, match=rf"has '{cell}', which is 1.013 .* and 1013 .*say decimal=\"{mark}\" or thou"):
        _column(tmp_path, cells)
    assert _column(tmp_path, cells, decimal=mark)[0] == pytest.approx([1.013, 999])
    assert _column(tmp_path, cells, thousands=mark)[0] == [1013, 999]
    assert _column(tmp_path, cells, decimal="." if mark == "," else ",")[0] == [1013, 999]


def test_commas_in_quotes_between_commas(tmp_path):
    assert _column(tmp_path, ['"1,234.5"', '"1,013"'], ",") == ([1234.5, 1013], "commas for thousands")
    assert _column(tmp_path, ['"21,5"', ' "1,013"'], ",")[0] == pytest.approx([21.5, 1.013])
    with pytest.raises(UserError, match="has '1,013', which is"):
        _column(tmp_path, ['"1,013"', "999"], ",")
    # Between commas a point is what it always was.
    assert _column(tmp_path, ["1.013", "999"], ",")[0] == pytest.approx([1.013, 999])


@pytest.mark.parametrize(
    ("cells", "mapping", "row"),
    [
        (["21,5", "21.5"], {}, 2),
        (["0,5", "1,5", "0.126"], {"decimal": ","}, 3),
        (["1,5", "2"], {"decimal": "."}, 1),
        (["1,013", "1'013"], {"thousands": ","}, 2),
        (["1,0134"], {"thousands": ","}, 1),
        (["1 013,5", "1.013"], {"decimal": ",", "thousands": " "}, 2),
    ],
)
def test_a_cell_against_the_marks_is_named_with_its_line(tmp_path, cells, mapping, row):
    expected = (
        rf"column 'x' of .*log.csv, line {row + 1}, has '{cells[row - 1]}' in data row {row}; expected numbers with"
    )
    with pytest.raises(UserError, match=expected):
        _column(tmp_path, [*cells, "7"], **mapping)


def test_times_have_marks_and_dates_and_ids_have_none(tmp_path):
    text = "run;t;x\n1,5;0,0;1\n1,5;0,5;2\n1,5;1,0;3\n"
    dataset = _read(tmp_path, text, obs="x", time="t", trajectory="run").dataset
    assert (dataset.sample_time, dataset.trajectories[0].name) == (0.5, "1,5")
    text = "t;x\n01.05.2024 12:00:00;1,5\n01.05.2024 12:00:10;2\n"
    assert _read(tmp_path, text, obs="x", time="t").dataset.sample_time == 10
    text = "t;x\n999;1,5\n1.000;2\n1.001;3\n"
    assert _read(tmp_path, text, obs="x", time="t").dataset.sample_time == 1
    with pytest.raises(UserError, match=r"column 't' of .* has '0.5' in data row 2; expected numbers with"):
        _read(tmp_path, "t;x\n0;1\n0.5;2\n", obs="x", time="t", decimal=",")


# --- Words ---------------------------------------------------------------------------------------------------------


def test_words_for_missing_are_taken_and_counted(tmp_path):
    text = "x,y\n1,NO DATA\n?,5\nBad,I/O Timeout\nbad,#N/A\n,NaN\n2,-\n"
    reading = _read(tmp_path, text)
    np.testing.assert_array_equal(
        reading.dataset.trajectories[0].obs.T, [[1, *[np.nan] * 4, 2], [np.nan, 5, *[np.nan] * 4]]
    )
    said = "'?' (1 time in x); 'Bad' (1 time in x); 'bad' (1 time in x); 'NO DATA' (1 time in y); "
    said += "'I/O Timeout' (1 time in y); '#N/A' (1 time in y); '-' (1 time in y)"
    assert reading.notes == (f"taken as missing: {said}",)


@pytest.mark.parametrize("word", ["Pump off", "over", "#DIV/0!", "12a"])
def test_another_word_is_refused_until_the_user_says_what_it_means(tmp_path, word):
    text = f"x,y\n1,2\n{word},3\n4,5\n{word.upper()},3\n"
    with pytest.raises(UserError, match=r"line 3, has .* in data row 2; expected a number, .* say missing=\[") as error:
        _read(tmp_path, text)
    assert f'missing=["{word}"]' in str(error.value)
    obs = _read(tmp_path, text, missing=[word]).dataset.trajectories[0].obs
    np.testing.assert_array_equal(obs[:, 0], [1, np.nan, 4, np.nan])


def test_infinite_words_stay_refused(tmp_path):
    with pytest.raises(UserError, match="infinite in data row 2"):
        _read(tmp_path, "x,y\n1,2\ninf,3\n4,5\n")


@pytest.mark.parametrize("pair", [("ON", "off"), ("TRUE", "FALSE"), ("yes", "No"), ("Open", "CLOSED")])
def test_pairs_of_words_are_one_and_zero(tmp_path, pair):
    true, false = pair
    reading = _read(tmp_path, f"x,valve\n1,{true}\n2,{false}\n3,?\n4,{true}\n")
    np.testing.assert_array_equal(reading.dataset.trajectories[0].obs[:, 1], [1, 0, np.nan, 1])
    assert f"valve: {true.lower()} is 1, {false.lower()} is 0" in reading.notes
    for other in ("1", "maybe"):  # the whole column, or none of it
        with pytest.raises(UserError, match=rf"column 'valve' of .* has '{true}' in data row 1; expected a number"):
            _read(tmp_path, f"x,valve\n1,{true}\n2,{other}\n3,{false}\n")


# --- Lines that are no steps ---------------------------------------------------------------------------------------


def test_lines_of_separators_are_no_steps(tmp_path):
    text = "t;x;;\n0;1;;\n;;;\n1;2;;\n2;3;;\n;;;\n;;;\n"
    reading = _read(tmp_path, text, obs="x", time="t")
    assert reading.dataset.trajectories[0].obs.ravel().tolist() == [1, 2, 3]
    assert "left out 3 lines with nothing but separators" in reading.notes


def test_a_step_in_which_nothing_was_observed_is_one(tmp_path):
    reading = _read(tmp_path, "x,y\n1,2\n,\n3,4\n,\n")
    np.testing.assert_array_equal(reading.dataset.trajectories[0].obs[:, 0], [1, np.nan, 3])
    assert reading.notes == ("left out 1 line with nothing but separators",)
    assert len(_read(tmp_path, 'x\n1\n""\n3\n').dataset.trajectories[0]) == 3  # as pandas writes it


def test_comments_between_the_rows_are_left_out_and_ids_with_the_sign_are_not(tmp_path):
    reading = _read(tmp_path, "x,y\n1,2\n# valve changed, at noon\n#9,9\n3,4\n5,6\n")
    assert reading.dataset.trajectories[0].obs[:, 0].tolist() == [1, 3, 5]
    assert reading.notes == ("left out 2 lines of comment, which start with #",)
    dataset = _read(tmp_path, "run,x\n#1,1\n#1,2\n#2,3\n#2,4\n", obs="x", trajectory="run").dataset
    assert [t.name for t in dataset.trajectories] == ["#1", "#2"]
    obs = _read(tmp_path, "x,y\n1,2\n#N/A,3\n#,\n5,6\n").dataset.trajectories[0].obs
    np.testing.assert_array_equal(obs, [[1, 2], [np.nan, 3], [5, 6]])


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_rows_are_counted_from_the_header_and_lines_from_the_top(tmp_path, ending):
    lines = ["# log", "x,y", "m,s", "1,2", "# pause", '3,"4', ' "', "oops,5", "6,7"]
    with pytest.raises(UserError, match=r"log.csv, line 8, has 'oops' in data row 3; expected a number"):
        _read(tmp_path, ending.join(lines))
    with pytest.raises(UserError, match=r"log.csv, line 5, has 1 cells in data row 2; its header has 2 columns"):
        _read(tmp_path, ending.join(["x,y", "m,s", "1,2", "# pause", "3", "4,5"]))


# --- Headers -------------------------------------------------------------------------------------------------------


def test_a_header_with_a_byte_order_mark_blanks_quotes_and_another_case(tmp_path):
    reading = _read(tmp_path, '\ufeff "x, left",  X , x\r\n1, "2",3\r\n4,5, 6\r\n')
    assert reading.dataset.obs_names == ("x, left", "X", "x")
    assert reading.dataset.trajectories[0].obs.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_what_excel_puts_first_tells_the_separator(tmp_path):
    reading = _read(tmp_path, "sep=;\nspeed, m/s;load, kg, net\n1;2\n3;4\n")
    assert reading.dataset.obs_names == ("speed, m/s", "load, kg, net")


def test_columns_without_a_name_are_left_out_and_said(tmp_path):
    reading = _read(tmp_path, ",x,,y\n0,1,a,2\n1,3,b,4\n")
    assert reading.dataset.trajectories[0].obs.tolist() == [[1, 2], [3, 4]]
    assert reading.notes == ("not used: columns number 1, 3, without a name",)


def test_columns_of_one_name_are_refused_with_their_places(tmp_path):
    with pytest.raises(UserError, match="two columns 'x', number 1 and 3; name each column differently"):
        _read(tmp_path, "x,y,x\n1,2,3\n4,5,6\n")


@pytest.mark.parametrize("first", ["1.5,2", "0,1", "2024-05-01 12:00,21.5", "-1e3;2"])
def test_a_file_without_a_header_is_refused(tmp_path, first):
    with pytest.raises(UserError, match=r"has no header: its first line holds numbers alone, .*expected the names of"):
        _read(tmp_path, f"{first}\n{first}\n{first}\n")
    with pytest.raises(UserError, match="take the # away from the line '# t,x' above it"):
        _read(tmp_path, f"# t,x\n{first}\n{first}\n{first}\n")


def test_columns_that_are_called_by_numbers_are_named(tmp_path):
    assert _read(tmp_path, "400,410\n1,2\n3,4\n", obs=[400, 410]).dataset.obs_names == ("400", "410")
    assert _read(tmp_path, "T1,2E\n1,2\n3,4\n").dataset.obs_names == ("T1", "2E")


def test_a_line_of_units_is_no_line_of_values(tmp_path):
    assert _read(tmp_path, "x,valve\n-,-\n1,2\n3,4\n").dataset.obs_units == ("-", "-")
    dataset = _read(tmp_path, "x,valve\nBad,ON\n2,OFF\n3,ON\n").dataset
    assert len(dataset.trajectories[0]) == 3
    dataset = _read(tmp_path, "x,y\nPump off,?\n2,4\n3,5\n", missing="pump off").dataset
    assert len(dataset.trajectories[0]) == 3


def test_a_decimal_comma_without_digits_after_it_is_a_value(tmp_path):
    dataset = _read(tmp_path, "x;y\nm;V\n1,;2,\n3,;4,\n").dataset
    assert dataset.obs_units == ("m", "V")
    np.testing.assert_array_equal(dataset.trajectories[0].obs, [[1, 2], [3, 4]])
    # Numbers after a word that starts with the sign of comments: a row of data, not of comment.
    dataset = _read(tmp_path, "x;y\n5,;6,\n#N/A;2,\n3,;4,\n").dataset
    np.testing.assert_array_equal(dataset.trajectories[0].obs, [[5, 6], [np.nan, 2], [3, 4]])


# --- Tables with a row a reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["time,sensor,value", "ts,Tag_Name,Value [bar]", "t,variable,reading"])
def test_a_row_a_sensor_is_told_to_be_turned_around(tmp_path, header):
    stamp, sensor, value = header.split(",")
    rows = [f"{t},{name},{t}" for t in range(4) for name in ("temp", "press")]
    with pytest.raises(UserError, match=r"a row for each .* \(2 of them: temp, press\)") as error:
        _read(tmp_path, "\n".join([header, *rows]), obs=value, time=stamp)
    assert f'df.pivot(index="{stamp}", columns="{sensor}", values="{value}")' in str(error.value)
    # Whoever names them as trajectories is believed.
    dataset = _read(tmp_path, "\n".join([header, *rows]), obs=value, time=stamp, trajectory=sensor).dataset
    assert [t.name for t in dataset.trajectories] == ["temp", "press"]


# --- Speed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["1", "1,5"])
def test_the_time_grows_with_the_columns_and_not_with_their_square(tmp_path, cell):
    def seconds(count):
        rows = [";".join(f"obs_{i}" for i in range(count)), *[";".join([cell] * count)] * 2]
        (tmp_path / "wide.csv").write_text("\n".join(rows))
        start = time.process_time()
        assert load_dataset(None, tmp_path / "wide.csv").obs_dim == count
        return time.process_time() - start

    seconds(100)
    few, many = (min(seconds(count) for _ in range(2)) for count in (2_000, 16_000))
    assert many < 30 * few  # 8 times as many; squared it would be 64


def test_lines_above_the_names_and_columns_of_words_say_what_to_do(tmp_path):
    # A weather station's logger: a line about itself, then names, units and kinds of mean.
    path = tmp_path / "log.csv"
    path.write_text('"TOA5","CR1000"\n"T","air","rain"\n1,2,3\n')
    with pytest.raises(
        UserError,
        match=r"line 3, has 3 cells in data row 1; .*: delete lines above .* that hold commas in quotes$",
    ):
        load_dataset("file", path, {"obs": ["air"], "time": "T"})
    path.write_text("air,rain\nDeg C,mm\nAvg,Tot\n1,2\n3,4\n")
    with pytest.raises(UserError, match=r"'Deg C' in data row 1; .*; if the line is no step, delete it$"):
        load_dataset("file", path, {"obs": ["air"]})
    path.write_text("air,pump\n1,AUS\n2,EIN\n")
    with pytest.raises(
        UserError, match=r"'AUS' in data row 1; expected a number, and no row has one: leave the column"
    ):
        load_dataset("file", path, {"obs": ["pump"]})


def test_rows_of_moved_actions_are_said_to_be_moved(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("obs_x,action_u\n1,\n2,5\n3,\n4,6\n")
    with pytest.raises(
        UserError, match=r"data row 2, channel 'action_u'; .*; actions are counted after action_shift=1"
    ):
        load_dataset("file", path, {"action_shift": 1})
