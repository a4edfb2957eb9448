"""Pictures show every solver on every variant, each told from the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.executors.inline import Inline
from bench.figures import draw_figures, gallery, line_styles
from bench.shard import Shard, observe
from bench.sweep import Sweep
from datasets import load_images
from solvers import Backend

SHARD = Shard("", "shift_flip", 0, 0, 3, "test", None)
LABEL = "rrr[nonneg=true,iterations=60]"


def test_a_gallery_has_the_truth_and_every_solver_for_every_image_of_every_variant():
    shards = [replace(SHARD, variant=variant) for variant in ("none", "shift_flip")]
    labels = [LABEL, "er[iterations=5]"]
    images = load_images("sample")
    figure = gallery(shards, labels, images, Inline(images, Backend()))
    groups = [np.array(part.axes).reshape(3, 3) for part in figure.subfigs]
    for shard, axes in zip(shards, groups, strict=True):
        assert [ax.get_title().replace("\n", "") for ax in axes[0]] == ["truth", *labels]
        truth, _ = observe(images, shard)
        for i in range(3):
            np.testing.assert_array_equal(axes[i, 0].images[0].get_array(), truth[i])
            assert 0 <= float(axes[i, 1].get_xlabel()) < float(axes[i, 2].get_xlabel()) <= 1


@pytest.mark.parametrize(("solvers", "files"), [(3, ["gallery.png"]), (8, ["gallery_none.png", "gallery_shift.png"])])
def test_variants_stand_side_by_side_where_there_is_room(tmp_path, solvers, files):
    labels = [f"er[iterations={i}]" for i in range(1, 1 + solvers)]
    sweep = Sweep(solvers=labels, variants=("none", "shift"), images=1, dataset="sample")
    images = load_images("sample")
    draw_figures(sweep, labels, images, Inline(images, Backend()), tmp_path)
    assert sorted(path.name for path in tmp_path.glob("gallery*")) == files


def test_no_two_lines_of_a_sweep_look_alike():
    labels = ["alm", "alm[nonneg=true]", "er", "er[nonneg=true]", "er[iterations=9]", "rrr", "hio", "hio[nonneg=true]"]
    styles = [tuple(style.values()) for style in line_styles(labels)]
    assert len(set(styles)) == len(labels)
    assert styles[0][0] == styles[1][0], "the settings of one solver have one colour"
