"""Fashion-MNIST from any of its five places, or refused by name."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import threading
import tracemalloc
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from datasets import SPLITS, DatasetError, fashion_mnist, load_images

NAMES = [file.gz for split in SPLITS for file in fashion_mnist._SAMPLE[split]]
IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch, tmp_path) -> None:
    """A machine that has Fashion-MNIST nowhere, on which the sample's files count as the whole data set."""
    archives = {
        split: tuple(replace(file, archive=_sha256(fashion_mnist.SAMPLE_FOLDER / file.gz)) for file in files)
        for split, files in fashion_mnist._SAMPLE.items()
    }
    monkeypatch.setattr(fashion_mnist, "_FULL", archives)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "cache_folder", lambda: tmp_path / "cache")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fill(folder: Path) -> Path:
    """The four files in a folder."""
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copy(fashion_mnist.SAMPLE_FOLDER / name, folder)
    return folder


def refused(folder: Path, name: str, split: str = "test") -> str:
    with pytest.raises(DatasetError) as error:
        load_images("fashion_mnist", split, folder)
    message = str(error.value)
    assert str(folder / name) in message
    assert "\n" not in message
    return message


# ---- where it comes from


def test_the_place_the_user_names_comes_first(tmp_path, monkeypatch):
    mine, variable = fill(tmp_path / "mine"), fill(tmp_path / "variable")
    fill(tmp_path / "debian")
    fill(tmp_path / "cache")
    monkeypatch.setenv("PHASEBENCH_DATA", str(variable))
    assert load_images(data_dir=mine).source == str(mine)
    assert load_images().source == str(variable)


def test_then_the_debian_package_then_the_cache_then_the_sample(tmp_path):
    fill(tmp_path / "debian")
    fill(tmp_path / "cache")
    assert "Debian package dataset-fashion-mnist" in load_images().source
    shutil.rmtree(tmp_path / "debian")
    assert str(tmp_path / "cache") in load_images().source
    shutil.rmtree(tmp_path / "cache")
    assert "sample" in load_images().source


@pytest.mark.parametrize("split", SPLITS)
def test_without_files_and_network_the_sample_is_used_and_this_is_said(split):
    found = load_images("fashion_mnist", split)
    assert found.name == "sample"
    assert "sample" in found.source
    assert "could not be downloaded" in found.source
    np.testing.assert_array_equal(found.images, load_images("sample", split).images)


def test_an_incomplete_folder_of_the_system_is_passed_over(tmp_path):
    (fill(tmp_path / "debian") / LABELS).unlink()
    fill(tmp_path / "cache")
    assert "cache" in load_images().source


def test_unpacked_files_are_read_as_well(tmp_path):
    folder = fill(tmp_path / "mine")
    for name in NAMES:
        (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress((folder / name).read_bytes()))
        (folder / name).unlink()
    np.testing.assert_array_equal(load_images(data_dir=folder).images, load_images("sample").images)


# ---- what is refused


def test_a_folder_that_does_not_exist_is_named(tmp_path, monkeypatch):
    with pytest.raises(DatasetError, match="nowhere' does not exist"):
        load_images(data_dir=tmp_path / "nowhere")
    monkeypatch.setenv("PHASEBENCH_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DatasetError, match="elsewhere' does not exist"):
        load_images()


def test_an_empty_variable_names_no_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(fill(tmp_path / "mine"))
    monkeypatch.setenv("PHASEBENCH_DATA", "")
    assert load_images().name == "sample"


def test_a_folder_in_the_home_of_the_user_may_begin_with_a_tilde(monkeypatch, tmp_path):
    fill(tmp_path / "mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PHASEBENCH_DATA", "~/mine")
    assert load_images().source == str(tmp_path / "mine")


def test_a_folder_for_the_sample_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="'sample' is part of this package"):
        load_images("sample", data_dir=tmp_path)


@pytest.mark.parametrize("name", [IMAGES, IMAGES.removesuffix(".gz")])
def test_no_more_is_read_of_a_file_than_it_should_hold(tmp_path, name):
    """64 MiB of zeros in a small archive, or a file of a terabyte that has no blocks on the disk."""
    folder = fill(tmp_path / "mine")
    (folder / IMAGES).unlink()
    with (gzip.open if name.endswith(".gz") else open)(folder / name, "wb") as stream:
        if name.endswith(".gz"):
            block = bytes(2**20)
            for _ in range(64):
                stream.write(block)
        else:
            stream.truncate(2**40)
    tracemalloc.start()
    message = refused(folder, name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "784016" in message
    assert peak < 2**24


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
@pytest.mark.parametrize("place", ["mine", "debian", "cache"])
def test_what_has_the_name_of_a_file_but_is_none_is_named_and_not_waited_for(tmp_path, make, place):
    folder = fill(tmp_path / place)
    (folder / IMAGES).unlink()
    make(folder / IMAGES)
    with pytest.raises(DatasetError, match=f"{IMAGES} cannot be read: not a regular file"):
        load_images(data_dir=folder if place == "mine" else None)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_missing_file_is_named(tmp_path, name):
    folder = fill(tmp_path / "mine")
    (folder / name).unlink()
    assert "missing" in refused(folder, name)


@pytest.mark.parametrize("name", [IMAGES, LABELS])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named_and_refused(tmp_path, name, kept):
    folder = fill(tmp_path / "mine")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(kept * len(content))])
    refused(folder, name)


@pytest.mark.parametrize("place", [0, 5, 1000, -5])
def test_a_file_with_a_changed_byte_is_named_and_refused(tmp_path, place):
    folder = fill(tmp_path / "mine")
    content = bytearray((folder / IMAGES).read_bytes())
    content[place] ^= 0xFF
    (folder / IMAGES).write_bytes(content)
    if place == 5:  # the time stamp in the header: the content is the same
        load_images(data_dir=folder)
    else:
        refused(folder, IMAGES)


def test_a_well_packed_file_with_another_content_is_refused(tmp_path):
    folder = fill(tmp_path / "mine")
    content = bytearray(gzip.decompress((folder / IMAGES).read_bytes()))
    content[-1] ^= 1
    (folder / IMAGES).write_bytes(gzip.compress(bytes(content)))
    assert "SHA-256" in refused(folder, IMAGES)


@pytest.mark.parametrize("other", [LABELS, "train-images-idx3-ubyte.gz"])
def test_swapped_files_are_refused(tmp_path, other):
    folder = fill(tmp_path / "mine")
    (folder / IMAGES).rename(folder / "held")
    (folder / other).rename(folder / IMAGES)
    (folder / "held").rename(folder / other)
    refused(folder, IMAGES)


def test_a_damaged_system_file_is_refused_and_not_passed_over(tmp_path):
    (fill(tmp_path / "debian") / IMAGES).write_bytes(b"not an archive")
    with pytest.raises(DatasetError, match="debian"):
        load_images()


@pytest.mark.parametrize(("name", "split"), [("mnist", "test"), ("sample", "validation")])
def test_an_unknown_name_is_refused_with_the_choices(name, split):
    with pytest.raises(DatasetError, match="choose from"):
        load_images(name, split)


# ---- downloading


class _Host:
    """A web server on this machine that offers some files under one folder."""

    def __init__(self, files: dict[str, bytes]) -> None:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                asked.append(name)
                self.send_response(200 if name in files else 404)
                self.send_header("Content-Length", str(len(files.get(name, b""))))
                self.end_headers()
                self.wfile.write(files.get(name, b""))

            def log_message(self, *_: object) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/data/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def hosts(monkeypatch):
    """Web servers in place of the official hosts, each with the files it is given."""
    running: list[_Host] = []

    def serve(*contents: dict[str, bytes]) -> list[_Host]:
        running.extend(_Host(files) for files in contents)
        monkeypatch.setattr(fashion_mnist, "HOSTS", tuple(host.url for host in running))
        return running

    monkeypatch.delenv("PHASEBENCH_OFFLINE")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield serve
    for host in running:
        host.server.shutdown()
        host.server.server_close()


@pytest.fixture
def good() -> dict[str, bytes]:
    return {name: (fashion_mnist.SAMPLE_FOLDER / name).read_bytes() for name in NAMES}


def test_what_is_nowhere_is_downloaded_once_and_kept(hosts, good, tmp_path):
    (host,) = hosts(good)
    first, second = load_images(), load_images()
    assert first.name == second.name == "fashion_mnist"
    assert first.source == f"downloaded to {tmp_path / 'cache'}"
    assert second.source == f"the cache {tmp_path / 'cache'}"
    assert host.asked == [IMAGES, LABELS]
    np.testing.assert_array_equal(first.images, load_images("sample").images)


@pytest.mark.parametrize("bad", [{}, {IMAGES: b"something else", LABELS: b"too"}], ids=["missing", "forged"])
def test_where_the_first_host_fails_the_second_is_asked(hosts, good, bad):
    first, second = hosts(bad, good)
    assert load_images().source.startswith("downloaded")
    assert first.asked
    assert second.asked == [IMAGES, LABELS]


def test_a_forged_download_is_not_kept(hosts, tmp_path):
    hosts({IMAGES: b"something else", LABELS: b"too"})
    assert load_images().name == "sample"
    assert not list((tmp_path / "cache").glob("*"))


def test_hosts_out_of_reach_leave_the_sample(hosts):
    (host,) = hosts({})
    host.server.shutdown()
    host.server.server_close()
    assert "could not be downloaded" in load_images().source


def test_offline_nobody_is_asked(hosts, good, monkeypatch):
    (host,) = hosts(good)
    monkeypatch.setenv("PHASEBENCH_OFFLINE", "1")
    assert load_images().name == "sample"
    assert not host.asked
    monkeypatch.setenv("PHASEBENCH_OFFLINE", "0")
    assert load_images().name == "fashion_mnist"


def test_an_unknown_word_for_offline_is_refused(monkeypatch):
    monkeypatch.setenv("PHASEBENCH_OFFLINE", "yes")
    with pytest.raises(DatasetError, match="PHASEBENCH_OFFLINE='yes': choose 1"):
        load_images()


# ---- what is in it


@pytest.mark.parametrize(("split", "size"), [("train", 2000), ("test", 1000)])
def test_the_sample_has_images_labels_and_a_name_of_its_content(split, size):
    sample = load_images("sample", split)
    assert len(sample) == size
    assert sample.images.shape == (size, 28, 28)
    assert sample.labels.shape == (size,)
    assert set(sample.labels) == set(range(10))
    content = gzip.decompress((fashion_mnist.SAMPLE_FOLDER / fashion_mnist._SAMPLE[split][0].gz).read_bytes())
    assert sample.digest == hashlib.sha256(content).hexdigest()


def test_tiles_are_the_chosen_images_between_zero_and_one():
    sample = load_images("sample")
    tiles = sample.tiles(np.array([5, 2]))
    assert tiles.dtype == np.float32
    assert tiles.min() == 0
    assert tiles.max() == 1
    np.testing.assert_allclose(tiles, sample.images[[5, 2]] / 255, rtol=1e-6)


@pytest.mark.parametrize("split", SPLITS)
def test_the_sample_is_the_beginning_of_the_whole_set(split, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("PHASEBENCH_OFFLINE", "1")
    monkeypatch.delenv("PHASEBENCH_DATA", raising=False)
    if not fashion_mnist.DEBIAN_FOLDER.is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    whole, sample = load_images("fashion_mnist", split), load_images("sample", split)
    assert len(whole) == {"train": 60_000, "test": 10_000}[split]
    np.testing.assert_array_equal(whole.images[: len(sample)], sample.images)
    np.testing.assert_array_equal(whole.labels[: len(sample)], sample.labels)
    assert whole.digest != sample.digest
