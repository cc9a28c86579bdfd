"""The commands, as other programs see them: plain lines, JSON, exit codes."""

from __future__ import annotations

import json

import pytest

from cachedeco import Cache, Status
from cachedeco.cli.main import main


def test_ls_lists_a_line_an_item(run):
    """Tabs between the columns, no heading: for cut and awk."""
    code, out, err = run("ls")
    rows = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [row[1] for row in rows] == ["READY", "READY", "FAILED", "READY"]
    assert [row[-1] for row in rows][1] == "shop_pipeline.table(rows=3, kind='fancy')"


def test_ls_shows_the_columns_that_are_asked_for(run):
    """In their order."""
    assert run("ls", "--columns", "label,id")[1].splitlines()[-1] == "words\t4"


def test_ls_names_the_columns_when_one_is_wrong(run):
    """And is wrong use."""
    code, out, err = run("ls", "--columns", "labl")
    assert (code, out) == (2, "")
    assert err.startswith("cachedeco: there is no column 'labl'; there are id, key")


def test_ls_sorts(run):
    """By any column, the largest first with a minus; what has none comes last then."""
    assert run("ls", "--columns", "id", "--sort=-id")[1].split() == ["4", "3", "2", "1"]
    assert run("ls", "--columns", "id", "--sort=-took")[1].split()[-1] == "4"


def test_ls_takes_the_last_ones(run):
    """The newest, in the same order."""
    assert run("ls", "--columns", "id", "-n", "2")[1].split() == ["3", "4"]


def test_ls_as_json_has_everything(run):
    """Exact, and as JSON's own types."""
    code, out, _ = run("ls", "--json")
    last = json.loads(out)[-1]
    assert code == 0
    assert (last["uri"], last["params"], last["attrs"]) == ("demo://words", {"lang": "en"}, {"batch": 2})
    assert last["created"].endswith("+00:00")


def test_ls_of_nothing_is_no_success(tmp_path, capfd):
    """As grep's."""
    Cache(tmp_path / "empty").create("demo://x", filename="x").remove()
    assert main(["--cache", str(tmp_path / "empty"), "ls"]) == 1
    assert capfd.readouterr() == ("", "no items\n")


@pytest.mark.parametrize("where", ["nowhere", "."])
def test_a_folder_without_a_cache_is_named_and_not_made(tmp_path, monkeypatch, capfd, where):
    """A command that only looks must not leave a folder behind."""
    monkeypatch.chdir(tmp_path)
    assert main(["ls", "--cache", where]) == 3
    assert "--cache FOLDER" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_show_tells_of_a_failure(run):
    """Its traceback, who made it, and by its exit code that it is one."""
    code, out, _ = run("show", "3")
    assert code == 1
    assert out.startswith("shop_pipeline.report(year=2013)\n  status:     FAILED (raised)\n")
    assert out.endswith("ValueError: no data for 2013\n")
    assert "made by:" in out


def test_show_finds_an_item_by_its_key_and_its_uri(run, folder):
    """As much of the key as makes it unique, with a version or without."""
    item = Cache(folder).search(uri="demo://words")[0]
    shown = run("show", "4")[1]
    for name in (item.key, item.key[:12], item.key[:12].upper(), item.version_id, "demo://words"):
        assert run("show", name)[1] == shown


def test_show_does_not_guess_between_several(run):
    """A uri that several calls share."""
    code, _, err = run("show", "py://shop_pipeline/table")
    assert code == 3
    assert "2 items have the uri" in err


def test_show_of_nothing_says_what_to_do(run):
    """The command that lists them."""
    code, _, err = run("show", "0123456789abcdef")
    assert code == 3
    assert "`cachedeco ls`" in err


def test_show_prints_what_a_terminal_would_obey_as_text(tmp_path, capfd):
    """A label or a traceback from elsewhere must not change the terminal's title."""
    cache = Cache(tmp_path / "c")
    given = {"params": {"a\x1b": "\x1b[31m"}, "label": "\x1b[2J", "attrs": {"k": "\x9b"}, "filename": "x"}
    item = cache.create("demo://\x1b]0;x\x07", **given)
    item.failed("Traceback\n\x1b[31mred")
    main(["--cache", str(tmp_path / "c"), "show", "1"])
    main(["--cache", str(tmp_path / "c"), "ls"])
    main(["--cache", str(tmp_path / "c"), "failed"])
    out = capfd.readouterr().out
    assert all(c.isprintable() or c in "\n\t" for c in out)


def test_why_tells_what_differs_from_the_nearest(run):
    """A miss is exit code 1."""
    code, out, _ = run("why", "shop_pipeline:table", "4", "kind=fancy")
    assert code == 1
    assert "argument rows: 3 -> 4" in out


def test_why_takes_a_script_by_its_path(run):
    """A hit is exit code 0; what is no literal is text."""
    code, out, _ = run("why", "./shop_pipeline.py:table", "3", "kind=fancy")
    assert (code, out) == (0, "Hit: version 1 of shop_pipeline.table is stored.\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:f", "cannot be imported"),
        ("shop_pipeline:g", "has no g"),
        ("shop_pipeline:Cache", "not decorated"),
    ],
)
def test_why_of_no_cached_function_says_so(run, name, said):
    """In one sentence."""
    code, out, err = run("why", name)
    assert (code, out) == (3, "")
    assert said in err


def test_why_of_an_item_says_why_it_was_computed(run):
    """Of the second call the argument that was new."""
    assert "argument kind: 'plain' -> 'fancy'" in run("why", "2")[1]


def test_failed_lists_failures_with_their_reason(run):
    """And is exit code 1 while there is one."""
    code, out, _ = run("failed")
    assert code == 1
    assert out.split("\t")[-1] == "ValueError: no data for 2013\n"


def test_retry_calls_again(run, tmp_path):
    """First in vain, then, when what was wrong is repaired, with success; then there are no failures."""
    code, out, _ = run("retry")
    assert (code, out) == (1, "failed  shop_pipeline.report(year=2013): ValueError: no data for 2013\n")
    (tmp_path / "repaired").touch()
    assert run("retry")[:2] == (0, "done    shop_pipeline.report(year=2013)\n")
    assert run("failed") == (0, "", "no failures\n")


def test_rm_moves_to_the_trash_and_restore_brings_back(run, folder):
    """By number."""
    assert run("rm", "4", "--yes")[0] == 0
    assert Cache(folder).best("demo://words", {"lang": "en"}) is None
    assert run("restore", "4")[0] == 0
    assert Cache(folder).best("demo://words", {"lang": "en"}).status == Status.READY


def test_rm_only_shows_in_a_dry_run(run, folder):
    """Items and bytes; nothing goes."""
    code, out, err = run("rm", "4", "--dry-run", "--delete")
    assert code == 0
    assert out.startswith("4\tREADY")
    assert err.startswith("Delete for good: 1 item, ")
    assert len(Cache(folder).search()) == 4


def test_rm_without_anybody_to_ask_does_nothing(run, folder, monkeypatch):
    """In a script --yes has to be said."""
    with open("/dev/null", encoding="utf-8") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        code, _, err = run("rm", "4")
    assert code == 2
    assert "--yes" in err
    assert len(Cache(folder).search()) == 4


def test_rm_deletes_for_good(run, folder):
    """With its file."""
    path = Cache(folder).search(uri="demo://words")[0].path
    assert run("rm", "4", "--yes", "--delete")[0] == 0
    assert not path.exists()


@pytest.mark.parametrize("command", ["rm", "restore"])
def test_what_is_meant_must_be_said(run, command):
    """Neither nothing nor two things."""
    assert run(command)[0] == 2


def test_path_prints_where_a_file_is(run, folder):
    """For other programs."""
    assert run("path", "4") == (0, f"{Cache(folder).search(uri='demo://words')[0].path}\n", "")


def test_path_of_a_value_in_the_registry_says_what_to_do(run):
    """It has none."""
    code, out, err = run("path", "1")
    assert (code, out) == (3, "")
    assert "`open` prints it" in err


def test_open_prints_text_decompressed_and_values_as_python_shows_them(run):
    """A gzip file, and a list."""
    assert run("open", "4") == (0, "one\ntwo\n", "")
    assert run("open", "1") == (0, "[0, 1, 2]\n", "")


def test_open_lists_an_archive_and_prints_its_members(run, folder, tmp_path):
    """By their names."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.txt", "first")
        archive.writestr("b.txt", "second")
    item = Cache(folder).move_in(tmp_path / "two.zip")
    assert run("open", str(item.id))[1].split() == ["a.txt", "b.txt"]
    assert run("open", str(item.id), "b.txt")[1] == "second"
    assert run("open", str(item.id), "c.txt")[0] == 3


def test_du_sums_up_by_function(run):
    """The largest first."""
    rows = [line.split("\t") for line in run("du")[1].splitlines()]
    assert [row[1:] for row in rows][-1] == ["1", "shop_pipeline.report"]
    assert {row[2] for row in rows} == {"shop_pipeline.table", "shop_pipeline.report", "demo://words"}
    sums = json.loads(run("du", "--by", "status", "--json")[1])
    assert {each["status"]: each["items"] for each in sums} == {"READY": 3, "FAILED": 1}


def test_rebuild_keeps_what_lies_beside_values(run, folder):
    """All items of a sound registry."""
    assert run("rebuild", "--yes")[:2] == (0, "4 items are in the new registry\n")


def test_doctor_finds_nothing_wrong_with_a_good_cache(run):
    """Exit code 0; a failure is worth a look."""
    code, out, _ = run("doctor")
    assert code == 0
    assert "sound, 4 records" in out
    assert "`cachedeco failed` lists them" in out


def test_doctor_finds_a_lost_file(run, folder):
    """And says that it is computed again."""
    Cache(folder).search(uri="demo://words")[0].path.unlink()
    code, out, _ = run("doctor")
    assert code == 1
    assert "! damaged or lost values:   1 " in out


def test_doctor_names_settings_but_no_secrets(run, monkeypatch):
    """A key is only said to be set."""
    monkeypatch.setenv("CACHEDECO_SIGNING_KEY", "very secret")
    out = run("doctor")[1]
    assert "CACHEDECO_SIGNING_KEY:" in out
    assert "very secret" not in out


def test_doctor_without_a_cache_tells_of_the_program(tmp_path, capfd):
    """That there is none yet is nothing wrong."""
    assert main(["--cache", str(tmp_path / "none"), "doctor"]) == 0
    assert "there is no folder" in capfd.readouterr().out


def test_completion_prints_a_script(capfd):
    """That knows all commands and options."""
    assert main(["completion", "bash"]) == 0
    out = capfd.readouterr().out
    assert "--dry-run" in out
    assert "doctor" in out


def test_ctrl_c_is_no_traceback(run, monkeypatch):
    """Exit code 130, as of any program."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cachedeco.cli.commands.ls.run", interrupted)
    assert run("ls") == (130, "", "")


def test_a_query_narrows_what_is_listed(run):
    """Several words are one condition."""
    assert run("ls", "--columns", "id", "status", "=", "ready", "and", "batch", "exists")[:2] == (0, "4\n")
    assert run("failed", "params.year = 2013")[0] == 1
    assert run("failed", "params.year = 2014") == (0, "", "no failures\n")
    assert run("du", "label = words")[1].split("\t")[1:] == ["1", "demo://words\n"]


def test_a_wrong_query_points_at_the_place(run):
    """On lines of its own."""
    code, out, err = run("ls", "size > 10MBB")
    assert (code, out) == (3, "")
    assert err.splitlines()[1:] == ["  size > 10MBB", "         ^"]


def test_rm_takes_a_condition(run, folder):
    """And restore those in the trash that meet one."""
    assert run("rm", "--where", "status = failed", "--yes")[0] == 0
    assert [item.status for item in Cache(folder).search(include_removed=True)].count(Status.TRASH) == 1
    assert run("restore", "--where", "function like '%report'")[0] == 0
    assert run("failed")[0] == 1


def test_gc_shows_and_then_does(run, folder):
    """What goes, why, and how much."""
    code, out, err = run("gc", "label = words", "--max-age", "0s", "--dry-run")
    assert code == 0
    assert out.split("\t")[2:] == ["demo://words", "not used for longer than max_age\n"]
    assert err.startswith("1 would go, ")
    assert run("gc", "label = words", "--max-age", "0s", "--yes")[2].endswith(f"1 gone, {err.split(', ')[1]}")
    assert Cache(folder).search(label="words") == []
    assert run("gc", "label = words", "--max-age", "0s")[::2] == (0, "nothing to do\n")


def test_gc_refuses_a_wrong_size(run):
    """In one sentence."""
    code, _, err = run("gc", "--max-size", "much")
    assert code == 3
    assert err.startswith("cachedeco: gc(max_size=...)='much'")


def test_pinned_items_stay(run):
    """Until they are unpinned."""
    assert run("pin", "4")[::2] == (0, "1 pinned\n")
    assert "pinned" in run("show", "4")[1]
    assert run("gc", "--max-age", "0s", "--where", "x")[0] == 2
    assert run("gc", "label = words", "--max-age", "0s", "--yes")[2] == "nothing to do\n"
    assert run("pin", "--off", "--where", "pinned = true")[::2] == (0, "1 unpinned\n")


def test_clean_finds_files_without_a_record(run, folder):
    """And asks before it deletes them."""
    Cache(folder).store.pool.update("DELETE FROM items WHERE id = 4", ())
    code, out, _ = run("clean", "--dry-run")
    assert code == 0
    assert "no record speaks of it" in out
    assert run("clean", "--yes", "--auto")[0] == 0
    assert run("clean")[2] == "nothing to do\n"


def test_verify_finds_damage(run, folder):
    """Exit code 1; the item is in the trash then."""
    assert run("verify")[::2] == (0, "3 checked, 0 damaged, 0 B\n")
    Cache(folder).search(uri="demo://words")[0].path.unlink()
    code, out, err = run("verify", "--full", "--time-limit", "1h")
    assert (code, out.split("\t")[2:]) == (1, ["demo://words", "damaged or lost\n"])
    assert err.startswith("3 checked, 1 damaged")
    assert run("verify", "--time-limit", "soon")[0] == 2


def test_stats_tell_what_was_saved(run):
    """Hits and computations of each function."""
    import shop_pipeline

    shop_pipeline.table(3)
    shop_pipeline.cache.close()
    rows = json.loads(run("stats", "--json")[1])
    by_name = {each["name"]: each for each in rows}
    assert (by_name["shop_pipeline.table"]["hits"], by_name["shop_pipeline.table"]["computed"]) == (1, 2)
    assert by_name["shop_pipeline.report"]["failed"] == 1
    assert len(run("stats")[1].splitlines()) == 3


def test_export_and_import_move_items(run, tmp_path):
    """What meets a condition, with the sums; what is there already is passed over."""
    archive, other = str(tmp_path / "a.zip"), str(tmp_path / "other")
    assert run("export", archive, "label = words", "--dry-run")[:2] == (0, "taken\t1\tdemo://words\t\n")
    assert run("export", archive, "label = words")[::2] == (0, "1 exported, 28 B\n")
    assert run("import", archive)[::2] == (0, "0 imported, 0 B, 1 there already\n")
    assert run("--cache", other, "import", archive)[::2] == (0, "1 imported, 28 B\n")
    (item,) = Cache(other).search(attrs={"batch": 2})
    assert item.open().result.read() == "one\ntwo\n"


def test_import_asks_for_the_word_of_its_user_where_code_could_run(run, tmp_path):
    """And names the two ways out, as options."""
    archive, other = str(tmp_path / "a.zip"), str(tmp_path / "other")
    assert run("export", archive)[0] == 0
    code, out, err = run("--cache", other, "import", archive)
    assert (code, out) == (2, "")
    assert "say --trusted; --no-code leaves them out" in err
    code, out, err = run("--cache", other, "import", archive, "--no-code")
    assert (code, err) == (1, "1 imported, 28 B, 2 left out\n")
    assert out.splitlines()[0].split("\t")[:2] == ["refused", "1"]
    assert run("--cache", other, "import", archive, "--trusted")[0] == 0
    assert len(Cache(other)) == 3


def test_export_of_nothing_is_no_success(run, tmp_path):
    """And an archive that exists is not overwritten."""
    assert run("export", str(tmp_path / "a.zip"), "label = nothing")[::2] == (1, "0 exported, 0 B\n")
    code, _, err = run("export", str(tmp_path / "a.zip"))
    assert code == 3
    assert "is not overwritten" in err
