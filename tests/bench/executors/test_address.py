"""An address is refused before anything tries to connect, with what is wrong with it."""

from __future__ import annotations

import pytest

from bench.executors.address import check_address


@pytest.mark.parametrize(
    "address",
    [
        "tcp://10.0.0.1:8786",
        "localhost:8786",
        "tls://node-7.cluster_a.example:1",
        "tcp://[::1]:65535",
        "ucx://host:8786",
        "inproc://10.0.0.1/77/1",
    ],
)
def test_an_address_is_taken_as_it_is(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "no address"),
        ("nonsense", "no address"),
        ("tcp://", "no address"),
        ("tcp://host", "no address"),
        ("tcp://:8786", "no address"),
        ("tcp://host:", "no address"),
        ("tcp://host:port", "no address"),
        ("tcp://host:8786/", "no address"),
        ("tcp://ho st:8786", "no address"),
        ("tcp://host:8786\n", "no address"),
        ("tcp://me@host:8786", "no address"),
        ("tcp://a,b:8786", "no address"),
        ("tcp://::1:8786", "no address"),
        ("tcp://host:-1", "no address"),
        ("tcp://host:\u0661\u0662", "no address"),
        ("tcp://host:0", "no port from 1 to 65535"),
        ("tcp://host:65536", "no port from 1 to 65535"),
        ("http://host:8786", "unknown scheme 'http': choose from tcp, tls"),
        ("://host:8786", "unknown scheme ''"),
    ],
)
def test_what_is_no_address_is_refused(address, words):
    with pytest.raises(ValueError, match=words) as told:
        check_address(address)
    assert repr(address)[1:-1][:4] in str(told.value)


def test_a_bad_address_is_bad_usage(bench, tmp_path):
    done = bench("run", "--executor", "dask", "--dask-scheduler", "tcp://host", "--output", tmp_path / "out")
    assert done.status == 2
    assert done.err == "bench: --dask-scheduler: 'tcp://host' is no address: write tcp://HOST:PORT\n"
    assert not (tmp_path / "out").exists()
