import pytest
import torch

from unveil.body import Body, BodyArrays, save_body
from unveil.core.errors import ConfigError
from unveil.recipes import resolve
from unveil.recipes.build import build_data, build_model
from unveil.recipes.pose import POSE


def test_what_a_recipe_says_is_what_is_built():
    recipe = resolve(
        "motions-ik", ["model.network.width=32", "model.gender=number", "model.loss=release", "model.most=9"]
    )
    model = build_model(recipe, POSE)
    assert model.net.width == 32
    assert model.net.told == 11
    assert (model.learning.loss, model.learning.most, model.gender) == ("release", 9, "number")
    again = build_model(recipe, POSE)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_the_laptop_s_weights_are_small_enough_to_be_shipped():
    model = build_model(resolve("motions-ik"), POSE)
    assert sum(value.numel() * value.element_size() for value in model.state_dict().values()) < 5e6


def test_the_paper_s_network_has_the_paper_s_size():
    recipe = resolve("amass-ik")
    assert recipe.model.network.width == 1024
    assert set(recipe.model.held_out) & {"Transitions_mocap", "SSM_synced"}
    assert recipe.model.loss == "release"


def test_a_body_of_one_s_own_is_read(tmp_path):
    embedded = Body.embedded()
    rest, directions = embedded.template[1].numpy(), embedded.directions[1].numpy()
    arrays = BodyArrays(
        rest, directions, None, embedded.regressor[1].numpy(), embedded.weights[1].numpy(), embedded.faces.numpy()
    )
    save_body(Body({"female": arrays}), tmp_path / "mine.npz")
    recipe = resolve("motions-ik", [f"model.body={tmp_path / 'mine.npz'}", "model.network.width=8"])
    model = build_model(recipe, POSE)
    assert model.body.genders == ("female",)
    assert set(build_data(resolve(recipe, ["data.limit=20"])).batch(range(20))[1]["gender"].tolist()) == {1}
    loss, _ = model.loss(build_data(recipe).batch(range(4))[0])
    assert torch.isfinite(loss)


def test_pictures_are_no_poses_and_poses_no_pictures():
    with pytest.raises(ConfigError, match="learns from poses"):
        build_model(resolve("motions-ik"), (3, 8, 8))
    with pytest.raises(ConfigError):
        build_model(resolve("digits-ddpm"), POSE)
    for change in ("data.flip=true", "data.size=32"):
        with pytest.raises(ConfigError, match="for pictures"):
            build_data(resolve("motions-ik", [change]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.least=20", "above most"),
        ("model.loss=thesis", "protores or release"),
        ("model.held_out=[A]", None),
        ("model.network.width=0", "1 or more"),
        ("model.bodies=all", "drawn, varied or given"),
    ],
)
def test_mistakes_are_told(change, message):
    if message is None:
        with pytest.raises(ConfigError, match="in held_out and in validation"):
            resolve("motions-ik", [change, "model.validation=[A]"])
        return
    with pytest.raises(ConfigError, match=message):
        resolve("motions-ik", [change])
