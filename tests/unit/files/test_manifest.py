"""Manifests: written whole, read back as they were, and refused when they are not."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cachedeco.files import manifest
from cachedeco.files.manifest import Manifest, dump, parse, read, remove, write

FACTS = {
    "key": b"k" * 16, "uri": "py://f", "version": 3, "status": 3, "scope": b"s" * 16, "code": b"s" * 16,
    "token": b"t" * 16, "form": "value", "serializer": "pickle", "compression": None, "size": 12,
    "digest": b"d" * 16, "mac": None, "filename": "value.pickle", "created": 1, "ended": 2, "duration": 5,
    "attempts": 1, "pinned": 0, "function": "m.f", "params": "{}", "ext": None, "label": None,
    "attributes": [("", "n", "int", 1)],
}  # fmt: skip


def made(**facts):
    return Manifest(**{**FACTS, **facts})


def facts(each):
    return {name: getattr(each, name) for name in Manifest.FIELDS}


def place(tmp_path, each):
    return str(tmp_path / each.name)


STORED = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()


@given(
    uri=st.text(),
    label=st.none() | st.text(),
    mac=st.none() | st.binary(),
    params=st.text(),
    attributes=st.lists(st.tuples(st.text(), st.text(), st.text(), STORED)),
)
def test_whatever_is_written_is_read_back(uri, label, mac, params, attributes):
    """Texts and bytes of any kind, floats to the last digit."""
    each = made(uri=uri, label=label, mac=mac, params=params, attributes=attributes)
    assert facts(parse(dump(each))) == facts(each)


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data):
    """Whatever is flipped, cut off or put in: it is the same or none at all."""
    whole = dump(made())
    position = data.draw(st.integers(0, len(whole) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                whole[:position],
                whole[:position]
                + bytes([whole[position] ^ data.draw(st.integers(1, 255))])
                + whole[position + 1 :],
                whole[:position] + b"0" + whole[position:],
                b"\0" * len(whole),
            ]
        )
    )
    try:
        found = parse(changed)
    except ValueError:
        return
    assert facts(found) == facts(made())


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_what_is_no_manifest_is_a_value_error(data):
    """Nothing else is raised for any content."""
    with pytest.raises(ValueError, match=r".+"):
        parse(data)


def test_another_scheme_is_refused():
    """A later version of the library may write other ones."""
    outer = json.loads(dump(made()))
    outer["item"]["scheme"] = 2
    outer["checksum"] = manifest.xxhash.xxh3_128_hexdigest(manifest._text(outer["item"]).encode())
    with pytest.raises(ValueError, match="scheme"):
        parse(json.dumps(outer).encode())


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a\0b"])
@pytest.mark.parametrize("form", ["value", "files"])
def test_a_file_name_cannot_lead_elsewhere(name, form):
    """Not even with a right checksum: whoever can write here could make one."""
    filename = json.dumps({"x": name}) if form == "files" else name
    with pytest.raises(ValueError, match="no name of a file"):
        parse(dump(made(form=form, filename=filename)))


def test_it_lies_beside_the_folder_and_is_replaced_as_a_whole(tmp_path):
    """No part of an earlier one remains, and nothing that was being written."""
    each = made(label="a long label" * 50)
    write(place(tmp_path, each), each)
    write(place(tmp_path, each), made())
    assert os.listdir(tmp_path) == [made().name + ".json"]
    assert facts(read(place(tmp_path, each) + ".json")) == facts(made())


def test_a_failed_write_leaves_the_earlier_one(tmp_path, monkeypatch):
    """A full disk costs what was new."""
    each = made()
    write(place(tmp_path, each), each)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifest.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(place(tmp_path, each), made(label="new"))
    assert os.listdir(tmp_path) == [each.name + ".json"]
    assert read(place(tmp_path, each) + ".json").label is None


def test_one_in_the_place_of_another_is_refused(tmp_path):
    """A manifest says where it belongs."""
    write(place(tmp_path, made()), made())
    os.rename(place(tmp_path, made()) + ".json", place(tmp_path, made(version=4)) + ".json")
    with pytest.raises(ValueError, match="another item"):
        read(place(tmp_path, made(version=4)) + ".json")


@pytest.mark.skipif(os.name == "nt", reason="links and pipes")
def test_links_and_pipes_are_not_followed(tmp_path):
    """What somebody has planted is no manifest, and does not stop who reads it."""
    write(place(tmp_path, made()), made())
    path = place(tmp_path, made()) + ".json"
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(OSError, match="symbolic links"):
        read(path)
    os.unlink(path)
    os.mkfifo(path)
    with pytest.raises(ValueError, match="no file"):
        read(path)


def test_removing_one_that_is_gone_is_no_error(tmp_path):
    """Somebody else may have been faster."""
    write(place(tmp_path, made()), made())
    remove(place(tmp_path, made()))
    remove(place(tmp_path, made()))
    assert os.listdir(tmp_path) == []
