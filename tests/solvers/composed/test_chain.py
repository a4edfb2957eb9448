"""A chain is its solvers, one after the other: nothing is added to them, and nothing is lost between them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.executors.code import code_of
from bench.score.metrics import adjusted_mse
from datasets import Measurement, measure, place, placements
from datasets.labels import write_label
from datasets.problem import Problem, beamstop_mask
from solvers import Backend, Information, ParameterError, Status, Streams, create
from solvers.composed.mean import DISTURBED, WORST, Averaged, Leaders, next_generation
from solvers.composed.registration import register
from solvers.composed.stages import split_labels
from solvers.iterative.guess import fitted

COSTS = ("iterations", "starts", "transforms")
NOISY = "rrr[nonneg=true,iterations=40,tolerance=0]"
POLISH = "er[nonneg=true,iterations=20,tolerance=0]"


def chain(stages, **others):
    return write_label("chain", {"stages": stages, **others})


def solve(label, measurement, streams=Streams()):  # noqa: B008
    solver = create(label)
    solver.prepare(Backend("torch"))
    return solver.solve(measurement, streams)


@pytest.fixture(scope="module")
def few(small) -> Measurement:
    return small[:5]


@pytest.mark.parametrize("label", ["rrr[nonneg=true,starts=3,iterations=60]", "alm[nonneg=true,iterations=30]", "hio"])
def test_a_chain_of_one_solver_is_that_solver_to_the_last_bit(few, label):
    one, other = solve(label, few), solve(chain(label), few)
    for field in ("images", "residual", *COSTS):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)
    assert (one.status, one.kernel) == (other.status, other.kernel)


def test_the_second_solver_begins_where_the_first_one_ended(few):
    """Error reduction has no memory but its image. The image that it returns is one map ahead of its iterate."""
    twice = solve(chain("er[iterations=20,tolerance=0] + er[iterations=20,tolerance=0]"), few)
    at_once = solve("er[iterations=41,tolerance=0]", few)
    np.testing.assert_allclose(twice.images, at_once.images, atol=1e-4)
    np.testing.assert_array_equal(twice.iterations, 40)


def test_error_reduction_after_anything_else_lowers_the_residual(few):
    assert (solve(chain(f"{NOISY} + {POLISH}"), few).residual <= solve(NOISY, few).residual + 1e-6).all()


def test_costs_of_the_stages_add_up(few):
    first, both = solve(NOISY, few), solve(chain(f"{NOISY} + {POLISH}"), few)
    np.testing.assert_array_equal(both.iterations, first.iterations + 20)
    assert (both.transforms > first.transforms + 2 * 20).all()
    np.testing.assert_array_equal(both.starts, 1)


def test_every_start_goes_through_all_stages_and_the_last_residual_decides(few):
    stages = f"{NOISY} + {POLISH}"
    every = [solve(chain(stages), few, Streams(first=number)) for number in range(3)]
    best = np.argmin([found.residual for found in every], axis=0)
    found = solve(chain(stages, starts=3), few)
    for row, number in enumerate(best):
        np.testing.assert_array_equal(found.images[row], every[number].images[row])
    np.testing.assert_array_equal(found.starts, 3)
    for cost in ("iterations", "transforms"):
        np.testing.assert_array_equal(getattr(found, cost), np.sum([getattr(one, cost) for one in every], axis=0))


def test_a_solved_image_goes_no_further(few):
    first = solve("rrr[nonneg=true,iterations=500]", few)
    solved = np.array([status == Status.SOLVED for status in first.status])
    assert solved.any()
    found = solve(chain("rrr[nonneg=true,iterations=500] + hio[nonneg=true,iterations=20]", starts=2), few)
    np.testing.assert_array_equal(found.images[solved], first.images[solved])
    np.testing.assert_array_equal(found.iterations[solved], first.iterations[solved])


def test_an_invalid_measurement_stays_invalid_and_disturbs_no_other(few):
    y = few.intensities.copy()
    y[1] = 0
    stages = chain(f"{NOISY} + {POLISH}", starts=2)
    found, good = solve(stages, replace(few, intensities=y)), solve(stages, few)
    assert found.status[1] == Status.INVALID
    assert not found.images[1].any()
    others = [0, 2, 3, 4]
    np.testing.assert_array_equal(found.images[others], good.images[others])


def test_a_start_after_the_first_goes_without_the_network(tiles):
    measurement = measure(place(tiles[:2], placements("shift_flip", seed=0, split="test", indices=np.arange(2))))
    stages = "rrr[nonneg=true,iterations=20,tolerance=0]"
    first, second = (solve(chain(f"unet_a + {stages}"), measurement), solve(stages, measurement, Streams(first=1)))
    both = solve(chain(f"unet_a + {stages}", starts=2), measurement)
    np.testing.assert_array_equal(both.transforms, first.transforms + second.transforms)
    np.testing.assert_array_equal(both.residual, np.minimum(first.residual, second.residual))


@pytest.mark.parametrize("move", [(0, 0), (9, 3), (5, 14)])
def test_what_another_solver_left_anywhere_on_the_grid_is_brought_into_the_box(few, small_objects, move):
    truth = np.zeros((5, *few.grid))
    truth[:, :6, :7] = small_objects[:5]
    solver = create("er[nonneg=true,iterations=1]")
    solver.prepare(Backend("torch"))
    found = solver.refine(np.roll(truth, move, axis=(1, 2)), few, Streams())
    assert set(found.status) == {Status.SOLVED}
    assert (found.residual < 1e-5).all()


def test_a_complex_image_gives_its_real_part_in_the_phase_that_leaves_the_most_of_it(few, small_objects):
    truth = np.zeros((5, *few.grid))
    truth[:, :6, :7] = small_objects[:5]
    solver = create("er[nonneg=true,iterations=1]")
    solver.prepare(Backend("torch"))
    assert (solver.refine(truth * np.exp(2.5j), few, Streams()).residual < 1e-5).all()


def test_in_place_of_an_empty_image_there_is_a_random_guess(few):
    solver = create(NOISY)
    solver.prepare(Backend("torch"))
    found = solver.refine(np.zeros((5, *few.grid)), few, Streams())
    np.testing.assert_array_equal(found.images, solver.solve(few, Streams()).images)


@pytest.mark.parametrize(
    "label", [chain(NOISY, starts=2), chain(NOISY, starts=3, mean=3, generations=2), "pnp", "daps", "deep_image_prior"]
)
def test_no_image_at_all_is_none(few, label):
    found = solve(label, few[:0])
    assert found.images.shape == (0, *few.grid)
    assert not len(found.residual)
    assert found.status == []


def test_a_chain_of_what_is_not_random_is_done_once():
    for label in (chain("pnp[begin=unet_a]"), "unet_a", "pnp[begin=unet_a]", chain(chain("unet_a"))):
        assert not create(label).draws
        with pytest.raises(ParameterError, match="would all be the same"):
            create(chain(label, starts=5))
    for label in (chain("unet_a + rrr"), "daps[begin=unet_a]", "pnp", chain("daps[begin=unet_a]")):
        assert create(label).draws
    assert create("daps[begin=unet_a,starts=4]").starts == 4


def test_a_chain_uses_what_any_of_its_stages_uses():
    used = create(chain("unet_a + rrr[nonneg=true] + er[support=shrinkwrap]")).information()
    assert used == Information("box and shrinkwrap", real=True, nonnegative=True, training_data="fashion_mnist")


def test_a_chain_of_stages_that_know_phases_says_so():
    phased = "er[phase_min=0,phase_max=1.5]"
    assert create(chain(f"{phased} + {phased}")).information().phases
    assert create(chain(f"er + {phased}")).information().phases
    assert not create(chain("er + er")).information().phases


def test_a_chain_is_refused_what_one_of_its_stages_is_refused():
    problem = Problem(grid=(64, 64), frame=(20, 20))
    assert create(chain("unet_a + er")).refusal(problem) == create("unet_a").refusal(problem) != ""
    assert create(chain("rrr + er")).refusal(problem) == ""


def test_a_chain_names_the_files_of_its_stages(tmp_path):
    label = write_label("unet_a", {"weights": tmp_path / "mine.safetensors"})
    solver = create(chain(f"{label} + er"))
    assert solver.named_files() == (tmp_path / "mine.safetensors",)
    assert solver.files(Problem(variant="flip")) == solver.named_files()


def test_the_code_of_a_stage_is_code_of_the_chain():
    assert len({code_of(chain("rrr")), code_of(chain("rrr + er")), code_of("rrr")}) == 3


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (chain("rrr + nothing"), "solver 'chain': stages = .*: 'nothing' is no built-in solver; choose from alm, "),
        (chain("nothing"), "'nothing' is no built-in solver; choose from alm, .*unet_a"),
        (chain("rrr[beta=7]"), "solver 'chain': stages = .*: solver 'rrr': beta = 7"),
        (chain("rrr[beta=0.5"), r"cannot read 'rrr\[beta=0.5'"),
        (
            chain("rrr + unet_a"),
            "'unet_a' cannot begin where another solver ended: it can only be the first; choose from",
        ),
        (chain("rrr + ./mine.py:Mine"), r"'./mine.py:Mine' is no built-in solver; choose from alm, "),
        (chain(" + "), "name at least one solver"),
        (chain("rrr + er", starts=2, mean=3), "mean=3 needs as many starts, not 2"),
        (chain("rrr + er", starts=2, generations=2), "generations=2 are of means: mean=1 leaves none"),
        (
            chain("deep_image_prior", starts=2, mean=2, generations=3),
            "generations=3 go through the last stage from a mean, but deep_image_prior cannot begin there",
        ),
        (chain("unet_a", starts=2), "starts=2 of 'unet_a' would all be the same"),
        (write_label("pnp", {"begin": "unet_a", "starts": 2}), "starts=2 after 'unet_a' would all be the same"),
    ],
)
def test_bad_stages_are_one_line(label, message):
    with pytest.raises(ParameterError, match=message) as error:
        create(label)
    assert str(error.value).isprintable()


def test_only_what_would_be_accepted_is_offered():
    for before in ("", "er + "):
        with pytest.raises(ParameterError) as error:
            create(chain(f"{before}nothing"))
        for name in str(error.value).rpartition("choose from ")[2].split(", "):
            assert create(chain(f"{before}{name}")).label


def test_stages_have_one_spelling():
    assert create(chain("rrr[beta=0.60]+er")).label == 'chain[stages="rrr + er"]'


@given(st.lists(st.sampled_from(["er", "rrr[nonneg=true,beta=0.5]", 'unet_a[weights="a+b]"]']), min_size=1, max_size=4))
def test_a_plus_sign_separates_stages_outside_of_brackets_and_quotation_marks(labels):
    assert split_labels(" + ".join(labels), "+") == labels


# ---- the mean of several starts


def whole_pixels(monkeypatch):
    """Leave out of registration what a literal search does not do."""
    monkeypatch.setattr("solvers.composed.registration._near", lambda product, peak, shift: (peak, shift))


def literal_mean(images, residuals, count):
    """Of real images, each moved by whole pixels, turned and negated to where it is nearest to the best one."""
    order = [k for k in np.argsort(residuals) if residuals[k] <= WORST * min(residuals)][:count]
    best, moved = images[order[0]], []
    for k in order:
        places = [
            sign * np.roll(one, (i, j), (0, 1))
            for one in (images[k], images[k][::-1, ::-1])
            for sign in (1, -1)
            for i in range(best.shape[0])
            for j in range(best.shape[1])
        ]
        moved.append(min(places, key=lambda place: np.linalg.norm(place - best)))
    return np.mean(moved, axis=0)


def test_the_mean_is_that_of_the_best_starts_brought_onto_the_best_one(small_objects, monkeypatch):
    whole_pixels(monkeypatch)
    noisy = measure(small_objects[:4], grid=(14, 15), photons=1e4)
    every = [solve(chain(f"{NOISY} + {POLISH}"), noisy, Streams(first=number)) for number in range(5)]
    found = solve(chain(f"{NOISY} + {POLISH}", starts=5, mean=3), noisy)
    for row in range(4):
        expected = literal_mean([one.images[row] for one in every], [one.residual[row] for one in every], 3)
        np.testing.assert_allclose(found.images[row], expected, atol=1e-5)
    best = solve(chain(f"{NOISY} + {POLISH}", starts=5), noisy)
    for cost in ("iterations", "starts"):
        np.testing.assert_array_equal(getattr(found, cost), getattr(best, cost))
    assert (found.transforms >= best.transforms).all()


def test_the_residual_is_that_of_the_mean(few):
    found = solve(chain(f"{NOISY} + {POLISH}", starts=4, mean=4), few)
    np.testing.assert_allclose(found.residual, oracles.residual(found.images, few.intensities), atol=1e-5)
    assert (found.residual >= solve(chain(f"{NOISY} + {POLISH}", starts=4), few).residual - 1e-6).all()


def test_an_image_that_a_start_has_solved_is_left_as_it_is(few):
    stages = "rrr[nonneg=true,iterations=500]"
    one, other = solve(chain(stages, starts=4), few), solve(chain(stages, starts=4, mean=4), few)
    solved = np.array([status == Status.SOLVED for status in one.status])
    assert solved.any()
    np.testing.assert_array_equal(other.images[solved], one.images[solved])
    np.testing.assert_array_equal(other.residual[solved], one.residual[solved])


def test_the_mean_of_noisy_starts_is_nearer_to_the_truth_than_the_best_of_them(tiles):
    objects = place(tiles[:8], placements("shift_flip", seed=0, split="test", indices=np.arange(8)))
    noisy = measure(objects, photons=1e4)
    stages = "rrr[nonneg=true,iterations=150] + er[nonneg=true,iterations=60]"
    best, mean = (adjusted_mse(objects, solve(chain(stages, starts=5, mean=k), noisy).images) for k in (1, 5))
    assert mean.mean() < 0.95 * best.mean()


def test_an_image_is_averaged_in_the_same_way_in_any_company(small_objects):
    noisy = measure(small_objects[:3], grid=(14, 15), photons=1e4)
    label = chain(f"{NOISY} + {POLISH}", starts=3, mean=3)
    whole, alone = solve(label, noisy), solve(label, noisy[2:])
    np.testing.assert_allclose(alone.images[0], whole.images[2], atol=1e-5)


def literal_generation(mean, spread, start, measurement, streams, count, residual):
    """As `literal_mean`, of what `start` makes of the mean with noise of its own each time; whichever fits better."""
    n1, n2 = measurement.object_shape
    found = []
    for number in range(count):
        noise = Streams(first=streams + number).generator(int(measurement.indices[0])).spawn(1)[0]
        begun = np.zeros_like(mean)
        inside = fitted(mean, (n1, n2), real=True)
        size = DISTURBED * spread**0.5 * np.sqrt(np.mean(inside**2))
        begun[:n1, :n2] = inside + size * noise.standard_normal((n1, n2))
        found.append(start(begun[None]))
    following = literal_mean([one.images[0] for one in found], [one.residual[0] for one in found], count)
    y = measurement.intensities
    symmetric = (y + np.roll(y[:, ::-1, ::-1], 1, (1, 2))) / 2  # as that of every real object is, but for the noise
    return following if oracles.residual(following[None], symmetric)[0] < residual else mean


def test_a_generation_is_the_mean_of_polished_disturbed_means(small_objects, monkeypatch):
    whole_pixels(monkeypatch)
    noisy = measure(small_objects[:4], grid=(14, 15), photons=1e4)
    polish = create(POLISH)
    polish.prepare(Backend("torch"))
    leaders = Leaders(4, 3)
    for number in range(5):
        leaders.add(np.arange(4), solve(chain(f"{NOISY} + {POLISH}"), noisy, Streams(first=number)))
    mean = solve(chain(f"{NOISY} + {POLISH}", starts=5, mean=3), noisy)
    found = solve(chain(f"{NOISY} + {POLISH}", starts=5, mean=3, generations=2), noisy)
    better = 0
    for row in range(4):
        near = leaders.near(row)
        one, part = mean.images[row].astype(np.float64), noisy[row : row + 1]
        moved = [register(near[0], image).image for image in near]
        spread = np.sqrt(np.mean([np.sum((image - one) ** 2) for image in moved]) / np.sum(one**2))
        expected = one
        if len(near) > 1:
            refine = partial(polish.refine, measurement=part, rng=Streams())
            expected = literal_generation(one, spread, refine, part, 5, 3, mean.residual[row])
        np.testing.assert_allclose(found.images[row], expected, atol=2e-4 * np.abs(expected).max())
        better += found.residual[row] < mean.residual[row]
    assert better
    assert (found.starts == mean.starts).all()
    averaged = np.array([len(leaders.near(row)) > 1 for row in range(4)])
    np.testing.assert_array_equal(found.iterations - mean.iterations, np.where(averaged, 3 * 20, 0))


def test_generations_lower_the_residual_and_the_error(tiles):
    objects = place(tiles[:16], placements("shift_flip", seed=0, split="test", indices=np.arange(16)))
    noisy = measure(objects, photons=1e6)
    stages = "rrr[nonneg=true,iterations=300,beta=0.3] + er[nonneg=true,iterations=100]"
    found = [solve(chain(stages, starts=8, mean=8, generations=k), noisy) for k in (1, 2, 3)]
    residuals = np.stack([one.residual for one in found])
    assert (np.diff(residuals, axis=0) <= 0).all()
    assert (residuals[-1] < residuals[0]).mean() > 0.5
    errors = [adjusted_mse(objects, one.images) for one in found]
    assert np.exp(np.log(errors[2] / errors[0]).mean()) < 0.85  # which images are in a wrong basin is chance


def test_generations_are_the_same_in_any_company_and_leave_solved_images_alone(small_objects, few):
    noisy = measure(small_objects[:3], grid=(14, 15), photons=1e4)
    label = chain(f"{NOISY} + {POLISH}", starts=3, mean=3, generations=3)
    whole, alone = solve(label, noisy), solve(label, noisy[2:])
    np.testing.assert_allclose(alone.images[0], whole.images[2], atol=1e-4)
    stages = "rrr[nonneg=true,iterations=500]"
    one, other = (solve(chain(stages, starts=4, mean=4, **more), few) for more in ({}, {"generations": 2}))
    solved = np.array([status == Status.SOLVED for status in one.status])
    assert solved.any()
    for field in ("images", "residual", *COSTS):
        np.testing.assert_array_equal(getattr(other, field)[solved], getattr(one, field)[solved])


def test_every_pass_has_random_numbers_of_its_own(small_objects, monkeypatch):
    drawn = []
    generator = Streams.generator

    def seen(self, index, start=0):
        drawn.append((self.seed, index, self.first + start))
        return generator(self, index, start)

    monkeypatch.setattr(Streams, "generator", seen)
    noisy = measure(small_objects[:2], grid=(14, 15), photons=1e4)
    label = chain(f"{NOISY} + {POLISH}", starts=3, mean=3, generations=3)
    solve(label, noisy, Streams(first=5))
    assert len(drawn) == len(set(drawn))
    numbers = {number - 5 for _, _, number in drawn}
    assert numbers <= set(range(create(label).streams_used))
    assert max(numbers) == create(label).streams_used - 1


def test_generations_of_a_pattern_without_its_centre(small_objects):
    noisy = measure(small_objects[:4], grid=(14, 15), photons=1e4, mask=beamstop_mask((14, 15), 1))
    one, other = (
        solve(chain(f"{NOISY} + {POLISH}", starts=4, mean=4, **more), noisy) for more in ({}, {"generations": 3})
    )
    assert (other.residual <= one.residual).all()
    assert (other.residual < one.residual).any()


def test_what_a_generation_has_solved_is_left_alone(small_objects):
    noisy = measure(small_objects[:4], grid=(14, 15), photons=1e4)
    found = solve(NOISY, noisy)
    found = replace(found, status=[Status.SOLVED, *[Status.STOPPED] * 3])
    polish = create(POLISH)
    polish.prepare(Backend("torch"))
    following = next_generation(Averaged(found, np.full(4, 0.1)), noisy, polish, 2, Streams(first=1))
    np.testing.assert_array_equal(following.iterations - found.iterations, [0, 40, 40, 40])
    np.testing.assert_array_equal(following.images[0], found.images[0])
    assert (following.residual[1:] < found.residual[1:]).all()


def test_generations_say_that_they_use_real_objects():
    stages = "er[real=false] + er[real=false]"
    assert not create(chain(stages)).information().real
    assert create(chain(stages, starts=2, mean=2, generations=2)).information().real


def test_generations_are_not_for_complex_objects_nor_for_few_photons(small_objects):
    label = chain(f"{NOISY} + {POLISH}", starts=3, mean=3, generations=2)
    assert "generations=2 need real objects" in create(label).refusal(Problem(object="complex"))
    assert create(label).refusal(Problem()) == ""
    with pytest.raises(ParameterError, match="generations=2 need real objects"):
        solve(label, replace(measure(small_objects[:1], grid=(14, 15)), real=False))
    dark = measure(small_objects[:3], grid=(14, 15), photons=19 * 6 * 7 / 2)
    one, other = solve(chain(f"{NOISY} + {POLISH}", starts=3, mean=3), dark), solve(label, dark)
    for field in ("images", "residual", *COSTS):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


def test_leaders_are_the_best_in_order_and_none_that_has_diverged(few):
    leaders = Leaders(2, 2)
    found = solve(NOISY, few[:2])
    for residual in (0.5, np.nan, 0.495, 0.9, 0.499):
        leaders.add(np.arange(2), replace(found, images=np.full((2, 3, 3), residual), residual=np.full(2, residual)))
    assert [image[0, 0] for image in leaders.near(1)] == [0.495, 0.499]
