"""Items on their way from one cache to another, in an archive: what arrives is what went, or nothing."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import zipfile

import pytest

from cachedeco import OUTPUT, ArchiveError, Cache, OptionError, Status, cached, importing
from cachedeco.errors import UntrustedCacheError
from cachedeco.files.staging import Staging
from cachedeco.registry.owner import live_tokens
from cachedeco.retry import RetryError

PATIENCE = 60.0


@pytest.fixture
def other(tmp_path):
    """A cache to import into."""
    with Cache(tmp_path / "other") as opened:
        yield opened


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "archive.zip"


def put(cache, uri="u", params=None, content="content", name="f.txt", **fields):
    """A READY item made by hand."""
    item = cache.create(uri, params, filename=name, **fields)
    item.path.write_text(content)
    item.ready()
    return item


def outcomes(receipt):
    return [each.outcome for each in receipt]


def facts(item):
    """What must be the same in both caches."""
    names = "key version uri label ext filename function code error attempts cause params attrs committed status size"
    return {name: getattr(item, name) for name in names.split()} | {"created": item.created}


def test_an_item_made_by_hand_arrives_as_it_was(cache, other, archive):
    """With its file, its attributes of all kinds and all else that is known of it."""
    attrs = {
        "text": "ü'\"", "number": 2**70, "float": float("inf"), "none": None, "bytes": b"\0\xff", "flag": True,
        "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "day": datetime.date(2026, 1, 2),
        "list": [1, {"a": None}], "lab": {"city": "Bonn", "floor": 2},
    }  # fmt: skip
    item = put(cache, "u", {"x": 1, "y": [1, 2]}, attrs=attrs, label="mine")
    assert outcomes(cache.export(archive)) == ["taken"]
    (entry,) = other.import_(archive)
    assert facts(entry.item) == facts(item)
    assert entry.item.path.read_text() == "content"
    assert entry.item.intact()
    assert other.best("u", {"x": 1, "y": [1, 2]}) == entry.item
    assert other.search(attrs={"lab": {"city": "Bonn"}}) == [entry.item]


@cached(cache="unused")
def unbound():
    pass


def functions(cache):
    """Functions whose results are of all forms."""

    @cached(cache=cache)
    def small(x):
        return {"x": x}

    @cached(cache=cache)
    def large(x):
        return b"x" * 100_000

    @cached(cache=cache, output="out.txt")
    def file(x, output=OUTPUT):
        output.write_text(f"file {x}")
        return output

    @cached(cache=cache, output="out/")
    def folder(x, output=OUTPUT):
        (output / "sub" / "empty").mkdir(parents=True)
        (output / "a.txt").write_text("a")
        (output / "sub" / "b.txt").write_text(f"b {x}")
        return output

    @cached(cache=cache, output={"data": "d.txt", "plot": "p.txt"})
    def several(x, output=OUTPUT):
        output["data"].write_text("data")
        output["plot"].write_text("plot")
        return output

    @cached(cache=cache)
    def stream(x):
        yield from range(x)

    return small, large, file, folder, several, stream


def read(value):
    """What a result is, wherever its files lie."""
    if isinstance(value, dict):
        return {name: read(each) for name, each in value.items()}
    if hasattr(value, "is_dir") and value.is_dir():
        return {
            str(each.relative_to(value)): each.is_file() and each.read_text() for each in value.rglob("*")
        }
    if hasattr(value, "read_text"):
        return value.read_text()
    return list(value) if hasattr(value, "__next__") else value


@pytest.mark.parametrize("key", [None, "a key"], ids=["unsigned", "signed"])
@pytest.mark.parametrize("which", range(6), ids="small large file folder several stream".split())
def test_results_of_functions_are_hits_in_the_other_cache(tmp_path, archive, which, key):
    """Of each form: values in the registry and in files, output files, folders, several files, generators."""
    one, two = (Cache(tmp_path / name, signing_key=key) for name in ("one", "two"))
    function = functions(one)[which]
    before = read(function(3))
    receipt = one.export(archive)
    assert outcomes(receipt) == ["taken"]
    assert outcomes(two.import_(archive, trusted=True)) == ["taken"]
    again = functions(two)[which]
    with Cache(two.path, signing_key=key, mode="raise-on-miss") as strict:
        assert read(functions(strict)[which](3)) == before
    assert len(two) == 1
    assert str(again.item(3).seconds) == str(function.item(3).seconds)
    assert again.why(3).hit
    one.close()
    two.close()


def test_importing_twice_changes_nothing(cache, other, archive):
    """What is there is passed over, and the entry has the item that is there."""
    put(cache)
    cache.export(archive)
    (first,), (second,) = other.import_(archive), other.import_(archive)
    assert (first.outcome, second.outcome) == ("taken", "there")
    assert first.item == second.item
    assert len(other) == 1
    assert outcomes(cache.import_(archive)) == ["there"]


def test_nothing_is_overwritten(cache, other, archive):
    """A version that is taken there stays, and the imported one is the next free one."""
    item, own = put(cache, content="from elsewhere"), put(other, content="own")
    cache.export(archive)
    (entry,) = other.import_(archive)
    assert (entry.version, entry.item.version) == (1, 2)
    assert own.path.read_text() == "own"
    assert own.version == item.version == 1
    assert entry.item.path.read_text() == "from elsewhere"
    assert entry.item.filename == "f.txt"


def test_a_version_keeps_its_number_where_it_is_free(cache, other, archive):
    """And its order among the others; a number that was used there is not used again."""
    for content in ("1", "2", "3"):
        put(cache, content=content)
    cache.export(archive, version=[2, 3])
    assert [each.item.version for each in other.import_(archive)] == [2, 3]
    assert other.best("u").path.read_text() == "3"
    other.remove(all=True, disk=True, keep_record=False)
    assert [each.item.version for each in other.import_(archive)] == [4, 5]


def test_a_part_of_a_cache_is_exported(cache, other, archive):
    """By the conditions of a search, the text of one among them."""
    for number in range(4):
        put(
            cache,
            f"u{number}",
            content=str(number),
            attrs={"number": number},
            label="even" if number % 2 == 0 else None,
        )
    receipt = cache.export(archive, label="even", where="number > 0")
    assert [each.uri for each in receipt] == ["u2"]
    assert [each.item.uri for each in other.import_(archive)] == ["u2"]


def test_dry_runs_do_nothing_and_tell_all(cache, other, archive):
    """An export writes no file, and an import no record."""
    put(cache)
    receipt = cache.export(archive, dry_run=True)
    assert (outcomes(receipt), receipt.size) == (["taken"], 7)
    assert not archive.exists()
    cache.export(archive)
    before = sorted(os.walk(other.path))
    receipt = other.import_(archive, dry_run=True)
    assert (outcomes(receipt), receipt.size) == (["taken"], 7)
    assert "would be taken" in str(receipt)
    assert len(other) == 0
    assert [each for each in sorted(os.walk(other.path)) if "items" in each[0]] == [
        each for each in before if "items" in each[0]
    ]


def test_failures_go_along_if_they_are_asked_for(cache, other, archive):
    """With their tracebacks; by default only what is READY."""

    @cached(cache=cache, store_args=True)
    def fails(x):
        raise ValueError(f"no {x}")

    with pytest.raises(ValueError, match="no 1"):
        fails(1)
    assert outcomes(cache.export(archive)) == []
    archive.unlink()
    assert outcomes(cache.export(archive, where="status = failed", dry_run=True)) == ["taken"]
    cache.export(archive, status=[Status.READY, Status.FAILED])
    (entry,) = other.import_(archive, trusted=True)
    (failed,) = other.failed()
    assert failed == entry.item
    assert "no 1" in failed.error
    assert (failed.cause, failed.status) == ("raised", Status.FAILED)
    assert outcomes(other.import_(archive, trusted=True)) == ["there"]


@pytest.mark.parametrize("status", [Status.WRITE, Status.TRASH, Status.UNINITIALIZED, [3, 1]], ids=str)
def test_only_what_nobody_writes_to_is_exported(cache, archive, status):
    """Other statuses are refused by name."""
    with pytest.raises(OptionError, match="only READY and FAILED"):
        cache.export(archive, status=status)
    assert not archive.exists()


@pytest.mark.parametrize("key", [None, "a key"], ids=["unsigned", "signed"])
def test_stored_arguments_go_along(tmp_path, archive, key):
    """Where they are trusted, the call can be found by them there."""
    with Cache(tmp_path / "one", signing_key=key) as one, Cache(tmp_path / "two", signing_key=key) as two:

        @cached(cache=one, store_args=True)
        def fails(x):
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 - it has no text
            fails([1, 2])
        one.export(archive, status=Status.FAILED)
        two.import_(archive, trusted=None if key else True)
        (retried,) = two.retry_failed()
        # The arguments were read, and it is the function in this test that nobody can import.
        assert isinstance(retried.error, RetryError)
        assert "stored arguments" not in str(retried.error)


def test_stored_arguments_of_strangers_stay_out(cache, other, archive):
    """They are pickles."""

    @cached(cache=cache, store_args=True)
    def fails(x):
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - as above
        fails(1)
    cache.export(archive, status=Status.FAILED)
    assert outcomes(other.import_(archive)) == ["taken"]
    assert "no stored arguments" in str(other.retry_failed()[0].error)


def test_what_runs_code_comes_only_by_the_callers_word(cache, other, archive):
    """By default that is an error before anything is imported; False leaves it out."""
    functions(cache)[0](1)
    put(cache)
    cache.export(archive)
    with pytest.raises(UntrustedCacheError, match="trusted=True"):
        other.import_(archive)
    assert len(other) == 0
    receipt = other.import_(archive, dry_run=True)
    assert sorted(outcomes(receipt)) == ["refused", "taken"]
    receipt = other.import_(archive, trusted=False)
    assert sorted(outcomes(receipt)) == ["refused", "taken"]
    assert "may run code" in str(receipt)
    assert outcomes(other.import_(archive, trusted=True)) == ["taken", "there"]


def test_a_cache_without_pickles_takes_none(cache, tmp_path, archive):
    """Whatever the caller says; what runs no code comes in."""
    functions(cache)[0](1)
    with Cache(tmp_path / "plain", allow_pickle=False) as plain:
        functions(plain)[0](1)
        plain.export(archive)
    with Cache(tmp_path / "strict", allow_pickle=False) as strict:
        assert outcomes(strict.import_(archive)) == ["taken"]
        cache.export(tmp_path / "b.zip")
        assert outcomes(strict.import_(tmp_path / "b.zip", trusted=True)) == ["refused"]


def test_a_signed_cache_takes_only_what_is_signed_with_its_key(cache, tmp_path, archive):
    """Neither what is not signed nor what is signed with another key, whatever the caller says."""
    put(cache)
    cache.export(archive)
    with Cache(tmp_path / "b", signing_key="b") as b:
        put(b)
        b.export(tmp_path / "b.zip")
    with Cache(tmp_path / "signed", signing_key="a") as signed:
        for path, why in ((archive, "not signed"), (tmp_path / "b.zip", "another key")):
            for dry_run in (True, False):
                (entry,) = signed.import_(path, trusted=True, dry_run=dry_run)
                assert (entry.outcome, why in entry.reason) == ("refused", True)
        assert len(signed) == 0


def test_what_is_signed_is_signed_anew_for_its_place(tmp_path, archive):
    """It has another version there, for which the old signature is none."""
    with Cache(tmp_path / "one", signing_key="k") as one, Cache(tmp_path / "two", signing_key="k") as two:
        put(one, content="from elsewhere")
        put(two, content="own")
        one.export(archive)
        (entry,) = two.import_(archive)
        assert entry.item.version == 2
        assert two.best("u") == entry.item
        assert two.best("u").load().read_text() == "from elsewhere"


def test_damaged_items_are_left_out(cache, other, archive):
    """And told; the others go."""
    damaged, lost, whole = (put(cache, name) for name in ("damaged", "lost", "whole"))
    damaged.path.chmod(0o600)
    damaged.path.write_text("Content")
    lost.path.unlink()
    receipt = cache.export(archive)
    assert outcomes(receipt) == ["refused", "refused", "taken"]
    assert [each.uri for each in receipt.refused] == ["damaged", "lost"]
    assert [each.item.uri for each in other.import_(archive)] == [whole.uri]


def test_an_item_with_links_is_left_out(cache, archive, tmp_path):
    """They lead to other places on another machine."""
    item = cache.create("u", filename="folder")
    item.path.mkdir()
    (item.path / "a").write_text("a")
    (item.path / "link").symlink_to("a")
    item.ready()
    (entry,) = cache.export(archive)
    assert "links" in entry.reason


def test_what_changes_while_it_is_exported_is_left_out(cache, archive, monkeypatch, other):
    """What is already in the archive of it is no item."""
    from cachedeco import exporting

    first, second = put(cache, "a"), put(cache, "b")
    chunks = exporting._file

    def change(path):
        yield from chunks(path)
        if str(first.path) == path:
            first.path.chmod(0o600)
            first.path.write_text("CONTENT")

    monkeypatch.setattr(exporting, "_file", change)
    assert outcomes(cache.export(archive)) == ["refused", "taken"]
    assert [each.item.uri for each in other.import_(archive)] == [second.uri]


def test_a_lost_file_comes_back(cache, other, archive):
    """An item that is there without its bytes does not keep the archive's out."""
    put(cache)
    cache.export(archive)
    (entry,) = other.import_(archive)
    entry.item.path.unlink()
    assert outcomes(other.import_(archive, dry_run=True)) == ["taken"]
    (again,) = other.import_(archive)
    assert again.outcome == "taken"
    assert other.best("u").path.read_text() == "content"
    assert entry.item.status == Status.TRASH


def test_what_is_in_the_trash_there_comes_back_too(cache, other, archive):
    """To import it is to want it."""
    put(cache)
    cache.export(archive)
    (entry,) = other.import_(archive)
    entry.item.remove()
    assert outcomes(other.import_(archive)) == ["taken"]


def test_an_archive_is_not_overwritten(cache, archive):
    """Nor is anything else that is at its path; and nothing is left beside it."""
    put(cache)
    archive.write_text("mine")
    with pytest.raises(FileExistsError):
        cache.export(archive)
    assert archive.read_text() == "mine"
    assert [each.name for each in archive.parent.glob("archive*")] == ["archive.zip"]


def test_an_archive_in_a_folder_that_is_missing_is_refused(cache, tmp_path):
    """By the name of the folder, not by that of a file that nobody has asked for."""
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere for the archive"):
        cache.export(tmp_path / "nowhere" / "archive.zip")


def test_an_export_that_breaks_off_leaves_nothing(cache, archive, monkeypatch):
    """There is an archive when it is whole."""
    put(cache)

    def full(*_):
        raise OSError(28, "No space left on device")
        yield

    monkeypatch.setattr("cachedeco.exporting._file", full)
    with pytest.raises(OSError, match="No space"):
        cache.export(archive)
    assert list(archive.parent.glob("archive*")) == []


def test_a_cache_that_is_only_read_exports_and_takes_nothing(cache, archive):
    """Reading is enough for one, and not for the other."""
    put(cache)
    with Cache(cache.path, mode="read-only") as reader:
        assert outcomes(reader.export(archive)) == ["taken"]
        with pytest.raises(OptionError, match="read-only"):
            reader.import_(archive)


def test_an_imported_item_survives_the_loss_of_the_registry(cache, other, archive):
    """It has its manifest as any other."""
    item = put(cache, attrs={"a": 1})
    cache.export(archive)
    other.import_(archive)
    assert other.rebuild() == 1
    assert other.best("u").attrs == item.attrs
    assert other.best("u").path.read_text() == "content"


def test_an_expiry_counts_from_the_first_commit(cache, other, archive, monkeypatch):
    """An import does not make a result younger."""

    def make(store):
        @cached(cache=store, expires=datetime.timedelta(hours=1))
        def value():
            return 1

        return value

    make(cache)()
    cache.store.pool.update("UPDATE items SET ended = ended - 7200000000, created = created - 7200000000", ())
    cache.export(archive)
    other.import_(archive, trusted=True)
    assert make(other).item() is None


def test_keys_of_another_scheme_are_refused(cache, other, archive, monkeypatch):
    """Nothing would ever find such items."""
    put(cache)
    cache.export(archive)
    monkeypatch.setattr(importing, "SCHEMES", "cachedeco key 2.1")
    with pytest.raises(ArchiveError, match="scheme"):
        other.import_(archive)


IMPORT_AND_DIE = """
import os, sys
from cachedeco import Cache, importing
from cachedeco.files import staging
from cachedeco.registry import adopting

def die(*_, **__):
    os._exit(9)

place = sys.argv[3]
if place == "claimed":
    importing._Taking._copy = die
elif place == "copied":
    staging.Staging.publish = die
elif place == "published":
    adopting.commit = die
elif place == "committed":
    adopting.forget = die
with Cache(sys.argv[1]) as cache:
    cache.import_(sys.argv[2])
"""


@pytest.mark.parametrize("place", ["claimed", "copied", "published", "committed"])
def test_a_process_that_is_killed_leaves_no_half_item(cache, other, archive, place):
    """What it has committed is whole, the rest is nobody's result, and the next import does it."""
    put(cache)
    cache.export(archive)
    command = [sys.executable, "-W", "error", "-c", IMPORT_AND_DIE, other.path, str(archive), place]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(command, env=environment, check=False, timeout=PATIENCE).returncode == 9
    whole = place == "committed"
    assert (other.best("u") is not None) is whole
    (entry,) = other.import_(archive)
    assert entry.outcome == ("there" if whole else "taken")
    assert entry.item.path.read_text() == "content"
    assert [each.status for each in other.search("u")] == [Status.READY]
    assert other.failed() == []


def test_an_import_that_breaks_off_leaves_nothing_of_the_item(cache, other, archive, monkeypatch):
    """Neither a record nor a file, nor a claim that somebody could wait for."""
    put(cache)
    cache.export(archive)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Staging, "publish", full)
        with pytest.raises(OSError, match="No space"):
            other.import_(archive)
    assert len(other) == 0
    assert not live_tokens
    assert not [name for _, _, names in os.walk(os.path.join(other.path, "items")) for name in names]
    assert outcomes(other.import_(archive)) == ["taken"]


def test_two_imports_at_once_make_one_item(cache, other, archive, monkeypatch):
    """Who comes second finds at its commit that the item is there."""
    put(cache)
    cache.export(archive)
    publish, entries = Staging.publish, []

    def second_import(self, **options):
        monkeypatch.setattr(Staging, "publish", publish)
        entries.extend(other.import_(archive))
        return publish(self, **options)

    monkeypatch.setattr(Staging, "publish", second_import)
    entries.extend(other.import_(archive))
    assert [each.outcome for each in entries] == ["taken", "there"]
    assert [each.path.read_text() for each in other.search("u")] == ["content"]
    assert len(list((other.search("u")[0].path.parent.parent).iterdir())) == 2  # its folder and its manifest


def test_an_import_does_not_wait_for_who_computes_the_same(cache, other, archive):
    """Nor does who computes wait for it."""
    functions(cache)[0](1)
    cache.export(archive)

    @cached(cache=other)
    def imports():
        return outcomes(other.import_(archive, trusted=True))

    assert imports() == ["taken"]


def test_a_name_that_is_no_text_elsewhere_arrives(cache, other, archive):
    """File names are bytes on this system, and what lies in a folder may have any."""
    item = cache.create("u", filename="folder")
    os.makedirs(os.fsencode(item.path) + b"/sub \xff")
    with open(os.fsencode(item.path) + b"/sub \xff/a\\b\n", "wb") as file:
        file.write(b"content")
    item.ready()
    cache.export(archive)
    (entry,) = other.import_(archive)
    with open(os.fsencode(entry.item.path) + b"/sub \xff/a\\b\n", "rb") as file:
        assert file.read() == b"content"
    assert entry.item.intact()


def test_the_archive_is_a_zip_file_that_others_can_read(cache, archive):
    """Nothing in it is compressed or has a name that leads anywhere."""
    put(cache)
    cache.export(archive)
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == ["cachedeco.json", "items/1/1", "items/1.json", "index.json"]
        assert opened.read("items/1/1") == b"content"
        assert opened.testzip() is None
