"""The paper's figures stand beside what the paper measured, and beside nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.report.paper import Setting, paper_mse

PAPERS = Setting("fashion_mnist", "test", None)


def test_they_are_those_of_its_tables():
    variants = ("none", "flip", "shift", "shift_flip")
    assert [paper_mse("unet_b", v, PAPERS) for v in variants] == [0.103, 0.168, 0.249, 0.248]
    assert [paper_mse("unet_a", v, PAPERS) for v in variants] == [0.103, 0.162, 0.102, 0.161]
    assert [paper_mse("alm", v, PAPERS) for v in variants] == [None, None, None, 0.299]
    assert paper_mse("rrr", "shift_flip", PAPERS) is None


@pytest.mark.parametrize("label", ["alm", "alm[iterations=100]", "alm[starts=2]"])
def test_a_method_stays_the_papers_with_other_settings(label):
    assert paper_mse(label, "shift_flip", PAPERS) == 0.299


@pytest.mark.parametrize("label", ["alm[nonneg=true]", "alm[support=shrinkwrap]", "alm[real=false]"])
def test_a_method_that_uses_other_information_is_not_the_papers(label):
    assert paper_mse(label, "shift_flip", PAPERS) is None


def test_the_sample_is_the_beginning_of_the_papers_data():
    assert paper_mse("alm", "shift_flip", replace(PAPERS, dataset="sample")) == 0.299


@pytest.mark.parametrize("change", [{"dataset": "natural"}, {"split": "train"}, {"photons": 1e5}])
def test_other_data_and_noise_are_not_the_papers(change):
    assert paper_mse("alm", "shift_flip", replace(PAPERS, **change)) is None
