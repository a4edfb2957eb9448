"""The commit of a source tree is that of its own repository, and says whether the tree has changed since."""

from __future__ import annotations

import subprocess

import pytest

from solvers.checkout import commit


def git(folder, *arguments):
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost", "-c", "commit.gpgsign=false")
    command = ("git", *identity, *arguments)
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def tree(tmp_path):
    """A source tree with a package and a file beside it, in a repository of one commit."""
    root = tmp_path.resolve() / "tree"
    (root / "solvers").mkdir(parents=True)
    (root / "pyproject.toml").write_text("old\n")
    (root / "solvers" / "base.py").write_text("old\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_an_unchanged_tree_has_its_commit(tree):
    (tree / "notes").write_text("in no commit, and no part of the code\n")
    assert commit(tree) == git(tree, "rev-parse", "HEAD")


@pytest.mark.parametrize("changed", ["pyproject.toml", "solvers/base.py"])
def test_a_change_anywhere_in_the_tree_is_said(tree, changed):
    (tree / changed).write_text("new\n")
    assert commit(tree) == git(tree, "rev-parse", "HEAD") + "-dirty"


def test_the_repository_around_an_installed_package_is_not_named(tree):
    installed = tree / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    assert commit(installed) is None


def test_outside_a_repository_there_is_none(tmp_path):
    assert commit(tmp_path.resolve()) is None
