"""Pictures show what the tables count: images registered to the truth, and curves that end at the tables' numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from doubles import Blank, register_solvers
from oracles import conjugate_flip, embed

from bench.figures import converge, draw_figures, gallery, line_styles, registered
from bench.metrics import adjusted_mse
from bench.shard import Shard, observe
from bench.sweep import Sweep
from datasets import load_images
from solvers import Backend, Streams, create

SHARD = Shard("", "shift_flip", 0, 0, 3, "test", None)
LABEL, SHORT = "rrr[nonneg=true,iterations=60]", "rrr[nonneg=true,iterations=20]"


@pytest.mark.parametrize("flipped", [True, False])
def test_a_reconstruction_is_shown_where_and_as_the_truth_is(rng, flipped):
    truth = rng.random((2, 5, 4))
    seen = -3 * (conjugate_flip(truth) if flipped else truth)
    np.testing.assert_allclose(registered(truth, embed(seen, (9, 11), (7, 8))), truth, atol=1e-12)


def test_a_complex_reconstruction_of_a_real_image_is_shown_without_its_phase(rng):
    truth = rng.random((2, 5, 4))
    np.testing.assert_allclose(registered(truth, embed(truth * 1j, (9, 11), (1, 2))), truth, atol=1e-12)


def test_a_curve_ends_at_the_score_of_the_reconstruction():
    images, backend = load_images("sample"), Backend()
    long, short = (converge(label, SHARD, images, backend) for label in (LABEL, SHORT))
    truth, measurement = observe(images, SHARD)
    solver = create(SHORT)
    solver.prepare(backend)
    found = solver.solve(measurement, Streams(0))
    assert short.mse.tolist() == [np.median(adjusted_mse(truth, found.images))]
    assert short.residual.tolist() == [np.median(found.residual)]
    assert long.iterations.tolist() == [20, 40, 60]
    assert (np.diff(long.seconds) > 0).all()
    assert long.mse[0] == short.mse[0]


def test_a_solver_that_does_not_iterate_has_no_curve(monkeypatch):
    register_solvers(monkeypatch, Blank)
    assert converge("blank", SHARD, load_images("sample"), Backend()) is None


def test_a_gallery_has_the_truth_and_every_solver_for_every_image_of_every_variant():
    shards = [replace(SHARD, variant=variant) for variant in ("none", "shift_flip")]
    labels = [LABEL, "er[iterations=5]"]
    figure = gallery(shards, labels, load_images("sample"), Backend())
    groups = [np.array(part.axes).reshape(3, 3) for part in figure.subfigs]
    for shard, axes in zip(shards, groups, strict=True):
        assert [ax.get_title().replace("\n", "") for ax in axes[0]] == ["truth", *labels]
        truth, _ = observe(load_images("sample"), shard)
        for i in range(3):
            np.testing.assert_array_equal(axes[i, 0].images[0].get_array(), truth[i])
            assert 0 <= float(axes[i, 1].get_xlabel()) < float(axes[i, 2].get_xlabel()) <= 1


@pytest.mark.parametrize(("solvers", "files"), [(3, ["gallery.png"]), (8, ["gallery_none.png", "gallery_shift.png"])])
def test_variants_stand_side_by_side_where_there_is_room(tmp_path, solvers, files):
    labels = [f"er[iterations={i}]" for i in range(1, 1 + solvers)]
    sweep = Sweep(solvers=labels, variants=("none", "shift"), images=1, dataset="sample")
    draw_figures(sweep, labels, load_images("sample"), Backend(), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("gallery*")) == files


def test_no_two_lines_of_a_sweep_look_alike():
    labels = ["alm", "alm[nonneg=true]", "er", "er[nonneg=true]", "er[iterations=9]", "rrr", "hio", "hio[nonneg=true]"]
    styles = [tuple(style.values()) for style in line_styles(labels)]
    assert len(set(styles)) == len(labels)
    assert styles[0][0] == styles[1][0], "the settings of one solver have one colour"
