"""Simulated images against the physics they show; data sets of images through statistics and our own file format."""

import numpy as np
import pytest

from mts3.data import Dataset, Trajectory, describe, describe_channels, fit_normalizer, load_dataset, save_dataset
from mts3.data.sets.generators import GENERATED, bouncing_balls, generate_bouncing_balls, generate_pendulum_images
from mts3.data.sets.generators import pendulum_images as pendulum
from mts3.errors import UserError


def quiet(**options):
    return pendulum.simulate_pendulum(6, 80, 0, velocity_noise=0.0, **options)


@pytest.mark.parametrize("make", [generate_pendulum_images, generate_bouncing_balls])
def test_the_same_seed_gives_the_same_bits_and_nobodys_generator_moves(make):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - to see that it stays
    one, same, other = make(3, 20, seed=1), make(3, 20, seed=1), make(3, 20, seed=2)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    for left, right in zip(one.trajectories, same.trajectories, strict=True):
        assert left.obs.tobytes() == right.obs.tobytes()
        assert left.actions.tobytes() == right.actions.tobytes()
    assert one.trajectories[0].obs.tobytes() != other.trajectories[0].obs.tobytes()
    assert one.image_shape == (1, 24, 24)
    assert one.trajectories[0].obs.shape == (20, 576)
    recipe = GENERATED[one.name].recipes["small"]
    assert (recipe.obs_dim, len(recipe.action_names)) == (one.obs_dim, one.action_dim)


def test_a_pendulum_nobody_pushes_keeps_its_energy():
    made = quiet()
    assert np.abs(made.energy - made.energy[:, :1]).max() < 1e-3
    assert made.energy.max() > 10.0  # some go over high
    assert np.abs(quiet(driven=True).energy - quiet(driven=True).energy[:, :1]).max() > 1.0


def test_small_swings_have_the_period_of_the_textbook():
    angle, _ = pendulum._swing(np.array([0.05]), np.zeros((1, 200)), 0.0, np.random.default_rng(0))
    time = pendulum.RECIPE.sample_time * np.arange(200)
    np.testing.assert_allclose(angle[0], 0.05 * np.cos(np.sqrt(9.81) * time), atol=5e-4)


def test_the_targets_are_the_angle_on_the_unit_circle_and_the_image_shows_it():
    made = quiet(image_noise=False)
    np.testing.assert_allclose(np.linalg.norm(made.targets, axis=-1), 1.0, rtol=1e-6)
    frames = made.images.reshape(6, 80, 24, 24).astype(np.float64)
    centre = (np.arange(24) + 0.5) / 24 * 2 - 1
    mass = frames.sum((2, 3))
    x, y = (frames.sum(2) * centre).sum(-1) / mass, (frames.sum(3) * centre).sum(-1) / mass
    seen = np.stack([x, y], -1) / np.hypot(x, y)[..., None]  # y points down, and so does the angle zero
    np.testing.assert_allclose(seen, made.targets, atol=0.03)
    assert (made.images.min(), made.images.max()) == (0.0, 1.0)


def test_the_noise_comes_and_goes_slowly():
    clarity = pendulum.clarity_of(200, 75, np.random.default_rng(0))
    assert clarity.min() == 0.0
    assert clarity.max() == 1.0
    now, next_ = clarity[:, :-1].ravel(), clarity[:, 1:].ravel()
    assert np.corrcoef(now, next_)[0, 1] > 0.9
    assert 0.1 < (clarity == 0).mean() < 0.4
    made, clean = quiet(), quiet(image_noise=False)
    error = np.abs(made.images - clean.images).mean(-1)
    assert np.corrcoef(error.ravel(), made.clarity.ravel())[0, 1] < -0.95


def test_missing_images_are_whole_and_change_nothing_else():
    made, whole = quiet(missing=0.5), quiet()
    gone = np.isnan(made.images)
    assert (gone.all(-1) == gone.any(-1)).all()
    assert 0.4 < gone.mean() < 0.6
    np.testing.assert_array_equal(made.images[~gone], whole.images[~gone])
    np.testing.assert_array_equal(made.angle, whole.angle)


def test_a_driven_pendulum_has_its_torque_as_action():
    dataset = generate_pendulum_images(2, 10)
    assert (dataset.action_names, dataset.action_units) == (("torque",), ("Nm",))
    assert generate_pendulum_images(2, 10, driven=False).action_dim == 0


@pytest.mark.parametrize("balls", [1, 3])
def test_balls_stay_inside_keep_their_energy_and_do_not_pass_through_each_other(balls):
    made = bouncing_balls.simulate_balls(20, 300, 0, balls=balls, radius=0.1)
    assert made.position.min() >= 0.1 - 1e-9
    assert made.position.max() <= 0.9 + 1e-9
    np.testing.assert_allclose(made.energy, made.energy[:, :1].repeat(300, 1), rtol=1e-9)
    turned = (np.sign(made.velocity[:, 1:]) != np.sign(made.velocity[:, :-1])).any((0, 1, 3))
    assert turned.all()  # every ball met a wall
    for one in range(balls):
        for other in range(one + 1, balls):
            apart = np.linalg.norm(made.position[:, :, one] - made.position[:, :, other], axis=-1)
            assert 0.15 < apart.min() < 0.25


def test_what_is_drawn_is_as_large_as_a_ball():
    made = bouncing_balls.simulate_balls(4, 10, 0, balls=1)
    for size in (24, 64):
        area = bouncing_balls.draw(made, size).sum(-1) / size**2
        np.testing.assert_allclose(area, np.pi * made.radius**2, rtol=0.03)
    colour = bouncing_balls.draw(made, 24, colour=True).reshape(4, 10, 3, -1).max(-1)
    np.testing.assert_allclose(colour, np.broadcast_to(bouncing_balls.COLOURS[0], colour.shape), rtol=1e-6)


@pytest.mark.parametrize(("options", "words"), [({"balls": 9}, "do not fit"), ({"speed": 2.0}, "slow them down")])
def test_impossible_balls_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        bouncing_balls.simulate_balls(1, 2, 0, **options)


def _images(shape=(3, 2, 4), size=24, **changes):
    obs = np.random.default_rng(0).random((5, size)).astype(np.float32)
    trajectory = Trajectory(obs, np.zeros((5, 0)), "t")
    return Dataset(**{"name": "i", "trajectories": (trajectory,), "obs_names": (), "action_names": ()} | changes,
                   sample_time=1.0, image_shape=shape)  # fmt: skip


def test_pixels_are_named_counted_and_described_together(tmp_path):
    dataset = _images()
    assert dataset.obs_names[:5] == ("pixel_0_0_0", "pixel_0_0_1", "pixel_0_0_2", "pixel_0_0_3", "pixel_0_1_0")
    assert describe(dataset).obs_dim == 24
    (pixels,) = describe_channels(dataset)
    assert pixels.name == "image 3x2x4"
    assert pixels.mean == pytest.approx(dataset.trajectories[0].obs.mean(), rel=1e-5)
    loaded = load_dataset(None, save_dataset(dataset, tmp_path / "i.npz"))
    assert (loaded.image_shape, loaded.obs_names) == ((3, 2, 4), dataset.obs_names)
    with pytest.raises(UserError, match=r"image_shape \(3, 2, 4\), 24 pixels, and 12 obs channels"):
        _images(size=12, obs_names=tuple("abcdefghijkl"))


def test_one_mean_and_one_spread_for_all_pixels():
    dataset = _images()
    dark = dataset.trajectories[0].obs.copy()
    dark[:, 3] = 0.0  # a pixel that is never lit
    dark[0, 5] = np.nan
    normalizer, constant = fit_normalizer([Trajectory(dark, np.zeros((5, 0)), "t")], image_shape=dataset.image_shape)
    assert constant == []
    np.testing.assert_allclose(normalizer.obs_mean, np.full(24, np.nanmean(dark)), rtol=1e-5)
    np.testing.assert_allclose(normalizer.obs_std, np.full(24, np.nanstd(dark)), rtol=1e-5)
