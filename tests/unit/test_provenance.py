"""Who computed an item, and from which commit."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cachedeco import Cache, cached, provenance

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty git folder around the working directory."""
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    return tmp_path / ".git"


def revision():
    return provenance.made_here()[3]


def test_the_commit_of_a_branch_is_read(checkout):
    """HEAD names a branch, whose file names the commit."""
    (checkout / "HEAD").write_text("ref: refs/heads/main\n")
    (checkout / "refs" / "heads" / "main").write_text(COMMIT + "\n")
    assert revision() == COMMIT


def test_a_packed_branch_is_read(checkout):
    """After `git gc` all branches stand in one file."""
    (checkout / "HEAD").write_text("ref: refs/heads/main\n")
    (checkout / "packed-refs").write_text(
        f"# pack-refs with: peeled\n{'f' * 40} refs/heads/x\n{COMMIT} refs/heads/main\n"
    )
    assert revision() == COMMIT


def test_a_detached_head_is_read(checkout):
    """HEAD itself names the commit."""
    (checkout / "HEAD").write_text(COMMIT + "\n")
    assert revision() == COMMIT


def test_a_further_worktree_is_followed(tmp_path, monkeypatch):
    """Its .git is a file; its branches lie in the folder that all worktrees share."""
    shared, tree = tmp_path / "repository", tmp_path / "tree"
    (shared / "worktrees" / "tree").mkdir(parents=True)
    (shared / "refs" / "heads").mkdir(parents=True)
    (shared / "refs" / "heads" / "topic").write_text(COMMIT)
    (shared / "worktrees" / "tree" / "HEAD").write_text("ref: refs/heads/topic")
    (shared / "worktrees" / "tree" / "commondir").write_text("../..\n")
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {shared}/worktrees/tree\n")
    monkeypatch.chdir(tree)
    assert revision() == COMMIT


@pytest.mark.parametrize("head", ["", "ref: refs/heads/gone", "no commit", "ref: ../../etc/passwd"])
def test_what_is_no_commit_is_not_noted(checkout, head):
    """A checkout without a commit, or a damaged one, is no reason to fail."""
    (checkout / "HEAD").write_text(head)
    assert revision() is None


def test_an_item_knows_who_made_it(cache):
    """User, program, Python and process; after a commit that one, too."""

    @cached(cache=cache)
    def f(x):
        return x

    f(1)
    maker = f.item(1).made_by
    assert maker["python"] == ".".join(map(str, sys.version_info[:3]))
    assert maker["pid"] > 0
    assert maker["user"]
    assert maker["packages"] == {}


def test_an_item_knows_the_packages_that_its_code_uses(cache):
    """By name and version."""
    np = pytest.importorskip("numpy")

    @cached(cache=cache)
    def f(x):
        return np.sum(x)

    f(1)
    assert f.item(1).made_by["packages"] == {"numpy": np.__version__}


def test_an_item_made_by_hand_was_made_by_nobody_known(cache):
    """There was no call."""
    item = cache.create("demo://x", filename="x")
    assert item.made_by == {}


def test_a_real_checkout_is_understood(tmp_path):
    """What git itself says of HEAD is what is noted."""

    def git(*words):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    try:
        git("init")
    except FileNotFoundError:
        pytest.skip("needs git")
    git("commit", "--allow-empty", "-m", "one")
    code = "from cachedeco.provenance import made_here; print(made_here()[3])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == git("rev-parse", "HEAD")


def test_the_maker_is_seen_by_another_cache_object(tmp_path):
    """It is in the registry, not in memory."""
    first = Cache(tmp_path / "c")

    @cached(cache=first)
    def f(x):
        return x

    f(1)
    (item,) = Cache(tmp_path / "c").search()
    assert item.made_by["user"] == f.item(1).made_by["user"]
