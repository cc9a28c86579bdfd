"""Archives from strangers: whatever is in them, nothing leads out, swells, crashes or becomes a result."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cachedeco import ArchiveError, Cache, Status, cached

MICROSECONDS_OF_2100 = 4_102_444_800_000_000


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def bundle(path, *items, header=None, index=None, also=()):
    """An archive as `Cache.export` writes it, of (what is known, [(role, path, bytes)]) each.

    Args:
        path: of the archive.
        items: in it.
        header: other fields of the header.
        index: another index.
        also: name, bytes and options of further entries.
    """
    with Cache(str(path) + ".empty") as empty:
        empty.export(str(path) + ".model")
    with zipfile.ZipFile(str(path) + ".model") as model:
        head = json.loads(model.read("cachedeco.json"))
    digests = {}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cachedeco.json", json.dumps(head | (header or {})))
        for number, (known, parts) in enumerate(items, 1):
            described = []
            for at, (role, inside, data) in enumerate(parts, 1):
                described.append(
                    {
                        "role": role,
                        "path": inside,
                        "size": len(data),
                        "sha256": "" if role == "folder" else sha256(data),
                    }
                )
                if role != "folder":
                    archive.writestr(f"items/{number}/{at}", data)
            text = json.dumps({"item": known, "parts": described}).encode()
            archive.writestr(f"items/{number}.json", text)
            digests[str(number)] = sha256(text)
        archive.writestr("index.json", json.dumps({"items": digests} if index is None else index))
        for name, data, options in also:
            archive.writestr(name, data, **options)
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """What exports say of an item made by hand, one in a folder, a small value and several files."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    with Cache(folder / "cache") as cache:
        item = cache.create("file", {"x": 1}, attrs={"a": 1}, filename="f.txt")
        item.path.write_text("content")
        item.ready()
        item = cache.create("folder", filename="f")
        (item.path / "sub").mkdir(parents=True)
        (item.path / "sub" / "a").write_text("a")
        (item.path / "b").write_text("b")
        item.ready()

        @cached(cache=cache, uri="value", output={"data": "d"})
        def several(output=None):
            output["data"].write_text("d")
            return output

        several()
        cache.export(folder / "a.zip")
    with Cache(folder / "plain", allow_pickle=False) as plain:
        cached(cache=plain, uri="inline", code_version="1")(lambda: [1, 2])()
        plain.export(folder / "b.zip")
    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(folder / name) as archive:
            for entry in archive.namelist():
                if entry.startswith("items/") and entry.endswith(".json"):
                    content = json.loads(archive.read(entry))
                    parts = [
                        (
                            part["role"],
                            part["path"],
                            b""
                            if part["role"] == "folder"
                            else archive.read(f"{entry.removesuffix('.json')}/{at}"),
                        )
                        for at, part in enumerate(content["parts"], 1)
                    ]
                    found[content["item"]["uri"]] = content["item"], parts
    assert found.keys() == {"file", "folder", "value", "inline"}
    return found


@pytest.fixture
def take(cache, tmp_path):
    """Import one item, changed; returns its entry. Nothing may come to lie outside items of the cache."""

    def run(model, *, parts=None, trusted=None, **changed):
        known, as_they_were = model
        path = bundle(tmp_path / "a.zip", (known | changed, as_they_were if parts is None else parts))
        try:
            (entry,) = cache.import_(path, trusted=trusted)
        finally:
            for each in tmp_path.glob("a.zip*"):
                if each.is_file():
                    each.unlink()
        return entry

    before = {each.name for each in tmp_path.iterdir()} | {"a.zip.empty", "cache", "default-cache"}
    yield run
    assert {each.name for each in tmp_path.iterdir()} <= before
    for item in cache.search(status=Status.READY):
        assert item.intact()


@pytest.mark.parametrize("name", ["file", "folder", "value", "inline"])
def test_the_models_are_taken_as_they_are(take, models, name):
    """So that what is refused below is refused for what was changed."""
    assert take(models[name]).outcome == "taken"


WRONG = [
    {"key": {"hex": "00"}},
    {"key": None},
    {"token": {"hex": "../.."}},
    {"version": 0},
    {"version": -1},
    {"version": 2**80},
    {"version": True},
    {"version": "1"},
    {"status": 1},
    {"status": 2},
    {"status": -1},
    {"scope": "by hand"},
    {"form": "value"},
    {"form": "elsewhere"},
    {"form": None},
    {"form": "files"},
    {"form": "file", "filename": None},
    {"filename": "../f.txt"},
    {"filename": "/etc/passwd"},
    {"filename": "a/b"},
    {"filename": ".."},
    {"filename": ""},
    {"filename": "a\0b"},
    {"filename": "x" * 5000},
    {"ext": "/../../x"},
    {"size": 8},
    {"size": -7},
    {"size": None},
    {"digest": None},
    {"digest": {"hex": "00" * 16}},
    {"digest": {"hex": "00"}},
    {"mac": {"hex": "00"}},
    {"created": -1},
    {"created": 2**70},
    {"ended": None},
    {"ended": "yesterday"},
    {"duration": 2**70},
    {"attempts": -1},
    {"uri": ""},
    {"uri": "\ud800"},
    {"uri": "x" * 2_000_000},
    {"uri": ["u"]},
    {"params": "no json"},
    {"params": "[]"},
    {"params": '{"x": 1}'},
    {"params": "[" * 100_000},
    {"label": 1},
    {"attributes": {"a": 1}},
    {"attributes": [["", "a", "int"]]},
    {"attributes": [["", "", "int", 1]]},
    {"attributes": [["", "a", "module", "os"]]},
    {"attributes": [["", "a", "json", "{"]]},
    {"attributes": [["", "a", "int", [1]]]},
    {"attributes": [["", "a", "int", 2**70]]},
    {"attributes": [["", "a", "date", "yesterday"]]},
    {"attributes": [["", "a", "datetime", 2**61]]},
    {"attributes": [["", "a", "str", "\ud800"]]},
]


@pytest.mark.parametrize("changed", WRONG, ids=lambda each: repr(each)[:40])
def test_what_makes_no_sense_is_refused(take, cache, models, changed):
    """Each by itself, with a reason, and without a trace in the cache."""
    entry = take(models["file"], **changed)
    assert (entry.outcome, bool(entry.reason)) == ("refused", True)
    assert len(cache) == 0
    assert not [name for _, _, names in os.walk(os.path.join(cache.path, "items")) for name in names]


ROOT = ("folder", "", b"")
PARTS = [
    [],
    [("file", "../f", b"a"), ROOT],
    [ROOT, ("file", "../f", b"a")],
    [ROOT, ("file", "/etc/f", b"a")],
    [ROOT, ("file", "sub/../../f", b"a")],
    [ROOT, ("folder", "..", b"")],
    [ROOT, ("file", "a", b"a"), ("file", "a", b"a")],
    [ROOT, ("file", "a", b"a"), ("file", "a/b", b"a")],
    [ROOT, ("file", "gone/a", b"a")],
    [ROOT, ("file", "a\0", b"a")],
    [ROOT, ("link", "a", b"/etc/passwd")],
    [ROOT, ("inline", "a", b"a")],
    [("file", "", b"a"), ("file", "b", b"a")],
    [("folder", "sub", b""), ("file", "sub/a", b"a")],
    [ROOT, ("file", "x" * 5000, b"a")],
    [ROOT, *(("folder", "/".join(["d" * 200] * depth), b"") for depth in range(1, 30))],
    [ROOT, ("arguments", "", b"a"), ("arguments", "", b"a")],
]


@pytest.mark.parametrize("parts", PARTS, ids=lambda each: repr(each)[:60])
def test_parts_that_lead_elsewhere_are_refused(take, cache, models, parts):
    """Out of the folder, over each other, through links, or where no folder is."""
    entry = take(models["folder"], parts=parts)
    assert entry.outcome == "refused"
    assert len(cache) == 0


@pytest.mark.parametrize(
    "filename", ['{"data": "../d"}', '{"data": "gone"}', "{}", "[]", '{"data": 1}', "d", '{"data": "a/b"}']
)
def test_names_of_several_files_stay_in_the_folder(take, models, filename):
    """The mapping names what is there, plainly."""
    assert take(models["value"], filename=filename).outcome == "refused"


@pytest.mark.parametrize(
    "changed",
    [{"serializer": "pickle"}, {"serializer": "stream", "form": "stream"}, {"serializer": "unheard-of"}],
)
def test_a_pickle_under_another_name_is_refused(take, cache, models, changed):
    """The serializer decides, and one that nobody knows may run anything."""
    assert take(models["inline"], trusted=False, **changed).outcome == "refused"
    assert len(cache) == 0


def test_a_value_without_a_serializer_is_refused(take, models):
    """Somebody might take it for a pickle."""
    assert take(models["inline"], serializer=None, trusted=True).outcome == "refused"


def test_a_large_value_in_the_registry_is_refused(take, models):
    """It would have to be read with each look at the record."""
    data = b"x" * 2_000_000
    assert take(models["inline"], parts=[("inline", "", data)], size=len(data)).outcome == "refused"


def test_what_comes_from_the_future_is_of_today(take, models):
    """It would otherwise be fresh until then."""
    item = take(models["file"], created=MICROSECONDS_OF_2100, ended=MICROSECONDS_OF_2100).item
    assert item.created.year < 2100
    assert item.committed.year < 2100


def test_a_high_version_does_not_use_up_the_numbers(take, cache, models):
    """It becomes the next one."""
    assert take(models["file"], version=2**61).item.version == 1
    assert cache.create("file", {"x": 1}).version == 2


def test_an_imported_item_is_not_pinned(take, cache, models):
    """Whether it is, is for this cache to say."""
    assert not take(models["file"], pinned=1).item._record.pinned


def test_texts_of_code_that_are_none_are_dropped(take, cache, models):
    """They are shown by explanations, which must be able to read them."""
    for parts in ("no json", "[1]", '{"a": 1}', 1):
        item = take(models["value"], code_parts=parts, key={"hex": os.urandom(16).hex()}).item
        assert cache.store.items.code_parts(bytes.fromhex(item.code)) is None


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"header": {"format": "something"}}, "no archive of"),
        ({"header": {"version": 2}}, "version 2 of the format"),
        ({"header": {"version": None}}, "of the format"),
        ({"header": {"keys": "cachedeco key 9.9"}}, "scheme"),
        ({"index": []}, "no object"),
        ({"index": {"items": []}}, "no index"),
        ({"also": [("cachedeco.json", b"{}", {})]}, "two entries"),
        ({"also": [("bomb", bytes(1000), {"compress_type": zipfile.ZIP_DEFLATED})]}, "compressed"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_of_another_kind_is_refused_as_a_whole(cache, tmp_path, how, why):
    """With a sentence that says what it is not."""
    with pytest.raises(ArchiveError, match=why):
        cache.import_(bundle(tmp_path / "a.zip", **how))


def test_an_index_without_its_items_refuses_them(cache, tmp_path):
    """What is named and not there is told."""
    index = {"items": {"1": "00", "2": None, "x": "", "-1": ""}}
    receipt = cache.import_(bundle(tmp_path / "a.zip", index=index))
    assert [each.outcome for each in receipt] == ["refused", "refused"]


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\5\6" + bytes(18), bytes(1000)], ids=repr)
def test_a_file_that_is_no_archive_is_refused(cache, tmp_path, content):
    """Whatever it is."""
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"archive|damaged"):
        cache.import_(path)
    with pytest.raises(FileNotFoundError):
        cache.import_(tmp_path / "gone.zip")


def test_entries_that_claim_more_than_the_file_has_are_refused(cache, tmp_path, models):
    """They lie over each other: a small file would fill the disk."""
    path = bundle(tmp_path / "a.zip", models["file"])
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"index.json"))
    for offset in (20, 24):
        data[at + offset : at + offset + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="more bytes than it has"):
        cache.import_(path)


def test_an_archive_that_does_not_fit_is_refused_before_it_is_copied(cache, tmp_path, models, monkeypatch):
    """The disk is not filled first."""
    path = bundle(tmp_path / "a.zip", models["file"])
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
    with pytest.raises(ArchiveError, match="10 are free"):
        cache.import_(path)


@pytest.fixture(scope="module")
def whole(models, tmp_path_factory):
    """The bytes of an archive with all models."""
    return bundle(tmp_path_factory.mktemp("whole") / "a.zip", *models.values()).read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_becomes_a_result(whole, tmp_path_factory, data):
    """Bytes that were changed, cut or doubled are refused, or are none that matter."""
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        what = data.draw(st.sampled_from(["change", "cut", "double"]))
        if what == "change":
            content[at] ^= data.draw(st.integers(1, 255))
        elif what == "cut":
            del content[at : at + data.draw(st.integers(1, 50))]
        else:
            content[at:at] = content[at : at + 50]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "a.zip").write_bytes(content)
    with Cache(folder / "cache") as cache:
        try:
            receipt = cache.import_(folder / "a.zip", trusted=False)
        except ArchiveError:
            return
        for entry in receipt.taken:
            assert entry.item.intact()
            if entry.uri == "file":
                assert entry.item.path.read_text() == "content"
        assert len(cache) == len(receipt.taken)


def test_a_description_that_is_no_description_is_refused(cache, tmp_path):
    """Of whatever it is made."""
    for text in (
        b"[]",
        b"{}",
        b'{"item": 1, "parts": []}',
        b'{"item": {}, "parts": [1]}',
        b"\xff",
        b"[" * 99_999,
    ):
        path = tmp_path / "a.zip"
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            with zipfile.ZipFile(bundle(tmp_path / "model.zip")) as model:
                archive.writestr("cachedeco.json", model.read("cachedeco.json"))
            archive.writestr("items/1.json", text)
            archive.writestr("index.json", json.dumps({"items": {"1": sha256(text)}}))
        path.write_bytes(stream.getvalue())
        (entry,) = cache.import_(path)
        assert entry.outcome == "refused"
        for each in tmp_path.glob("*.zip*"):
            if each.is_file():
                each.unlink()
