"""The paper's figures stand beside what the paper measured, and beside nothing else."""

from __future__ import annotations

import pytest

from bench.report.paper import paper_mse
from datasets import VARIANTS
from datasets.problem import Problem

PAPERS = Problem()


def test_they_are_those_of_its_tables():
    assert [paper_mse("unet_b", Problem(variant=v)) for v in VARIANTS] == [0.103, 0.168, 0.249, 0.248]
    assert [paper_mse("unet_a", Problem(variant=v)) for v in VARIANTS] == [0.103, 0.162, 0.102, 0.161]
    assert [paper_mse("alm", Problem(variant=v)) for v in VARIANTS] == [None, None, None, 0.299]
    assert paper_mse("rrr", PAPERS) is None


@pytest.mark.parametrize("label", ["alm", "alm[iterations=100]", "alm[starts=2]"])
def test_a_method_stays_the_papers_with_other_settings(label):
    assert paper_mse(label, PAPERS) == 0.299


@pytest.mark.parametrize("label", ["alm[nonneg=true]", "alm[support=shrinkwrap]", "alm[real=false]"])
def test_a_method_that_uses_other_information_is_not_the_papers(label):
    assert paper_mse(label, PAPERS) is None


def test_the_sample_is_the_beginning_of_the_papers_data():
    assert paper_mse("alm", Problem(dataset="sample")) == 0.299


OTHERS = [{"dataset": "natural"}, {"split": "train"}, {"photons": 1e5}, {"grid": 128}, {"mask": "beamstop[width=1]"}]


@pytest.mark.parametrize("change", OTHERS, ids=str)
def test_other_data_noise_and_grids_are_not_the_papers(change):
    assert paper_mse("alm", Problem(**change)) is None


def test_weights_of_another_training_are_not_the_papers(tmp_path):
    assert paper_mse(f"unet_b[weights={tmp_path}/mine.safetensors]", PAPERS) is None


def test_a_label_that_cannot_be_made_any_more_is_not_the_papers():
    assert paper_mse("alm[parameter_of_an_older_version=1]", PAPERS) is None
