"""Which paths a source's URI means, and which folders have to be listed for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powersense.sources.file_patterns import MOST_PREFIXES, pattern_of

DAY = datetime(2017, 9, 30, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("uri", "path", "is_meant"),
    [
        ("s3://bucket/raw/*.csv", "raw/a.csv", True),
        ("s3://bucket/raw/*.csv", "raw/deeper/a.csv", False),
        ("s3://bucket/raw/*.csv", "raw/a.csv.part", False),
        ("s3://bucket/raw/*.csv", "raw/axcsv", False),
        ("s3://bucket/raw/**/*.csv", "raw/a.csv", True),
        ("s3://bucket/raw/**/*.csv", "raw/x/y/a.csv", True),
        ("s3://bucket/raw/**", "raw/x/y/a.csv", True),
        ("s3://bucket/raw/**", "rawer/a.csv", False),
        ("gs://bucket/{yyyy}/{mm}/load_{yyyy}{mm}{dd}.csv", "2017/09/load_20170930.csv", True),
        ("gs://bucket/{yyyy}/{mm}/load_{yyyy}{mm}{dd}.csv", "2017/9/load_20170930.csv", False),
        ("abfs://c@account/a b/é (1)+.csv", "a b/é (1)+.csv", True),
        ("file:///data/é/*.csv", "data/é/ñ.csv", True),
        ("file:///data/a%20b/*.csv", "data/a%20b/x.csv", True),
        ("file:///data/a%20b/*.csv", "data/a b/x.csv", False),
        ("s3://bucket/raw/*.csv", "raw/a\nb.csv", True),  # a line end is a letter of a name like others
        ("s3://bucket/list.csv", "list.csv", True),
        ("s3://bucket/list.csv", "list.csv\n", False),
    ],
)
def test_a_path_is_meant_or_not_alike_in_python_and_re2(uri, path, is_meant):
    pattern = pattern_of(uri)
    assert pattern.matches(path) is is_meant
    assert pc.match_substring_regex(pa.array([path]), pattern.regex)[0].as_py() is is_meant


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("s3://bucket/*.csv", ""),
        ("s3://bucket/raw/x_*.csv", "raw/"),
        ("s3://bucket/raw/{yyyy}/a.csv", "raw/"),
        ("s3://bucket/raw/one.csv", "raw/one.csv"),
        ("file:///data/in/*", "data/in/"),
    ],
)
def test_the_prefix_is_the_folder_before_the_first_wildcard(uri, prefix):
    assert pattern_of(uri).prefix == prefix


def test_dated_folders_of_a_span_are_named_to_its_hour():
    pattern = pattern_of("s3://bucket/raw/{yyyy}-{mm}-{dd}/{hh}/*.csv")
    assert pattern.prefixes(DAY - timedelta(hours=2), DAY) == [f"raw/2017-09-30/{hour}/" for hour in (12, 13, 14)]


def test_a_month_s_folder_is_named_once():
    pattern = pattern_of("s3://bucket/{yyyy}/{mm}/{dd}_*.csv")
    assert pattern.prefixes(DAY - timedelta(days=20), DAY + timedelta(days=1)) == ["2017/09/", "2017/10/"]


def test_a_date_behind_a_wildcard_or_in_the_name_alone_limits_nothing():
    for uri in ("s3://bucket/*/{yyyy}/a.csv", "s3://bucket/raw/load_{yyyy}.csv"):
        pattern = pattern_of(uri)
        assert not pattern.is_dated
        assert pattern.prefixes(DAY, DAY) == [pattern.prefix]


def test_too_many_folders_become_those_of_a_coarser_date():
    pattern = pattern_of("s3://bucket/{yyyy}/{mm}/{dd}/*.csv")
    named = pattern.prefixes(DAY - timedelta(days=5 * 366), DAY)
    assert named[0] == "2012/09/"
    assert len(named) == 61
    assert pattern_of("s3://bucket/{yyyy}{mm}{dd}/*").prefixes(DAY - timedelta(days=MOST_PREFIXES + 1), DAY) == [""]


def test_without_a_time_everything_is_listed():
    assert pattern_of("s3://bucket/raw/{yyyy}/*.csv").prefixes(None, DAY) == ["raw/"]


NAMES = st.text(st.sampled_from("ab.*é {}+()"), min_size=1, max_size=6).filter(lambda name: "{" not in name)


@given(folders=st.lists(NAMES, max_size=3), name=NAMES, fill=st.text(st.sampled_from("ab.é"), max_size=3))
def test_what_a_pattern_means_begins_with_its_prefix(folders, name, fill):
    pattern = pattern_of("s3://bucket/" + "/".join([*folders, name]))
    path = re.sub(r"\*+", fill, pattern.text)
    assert pattern.matches(path)
    assert path.startswith(pattern.prefix)
    if pattern.folder_levels is not None:
        assert path[len(pattern.prefix) :].count("/") == pattern.folder_levels


@given(
    since=st.integers(0, 120_000).map(lambda hours: datetime(2012, 1, 1, 0, 59, tzinfo=UTC) + timedelta(hours=hours)),
    hours=st.integers(0, 900),
    share=st.floats(0, 1),
    folders=st.sampled_from(["{yyyy}/{mm}/{dd}/{hh}/", "{yyyy}{mm}{dd}/", "in/{yyyy}/{mm}/", "{yyyy}/w/{mm}-{dd}/"]),
)
def test_every_time_of_a_span_has_its_folder_among_the_named(since, hours, share, folders):
    until = since + timedelta(hours=hours)
    time = since + share * (until - since)
    dated = folders
    for token, letters in (("{yyyy}", "%Y"), ("{mm}", "%m"), ("{dd}", "%d"), ("{hh}", "%H")):
        dated = dated.replace(token, time.strftime(letters))
    named = pattern_of(f"s3://bucket/{folders}*.csv").prefixes(since, until)
    assert dated in named
    assert len(set(named)) == len(named)
