import pytest
import torch

from unveil.core.errors import ConfigError
from unveil.models.multires_cnf import Levels, MultiResolutionCNF
from unveil.ode import Solver
from unveil.pyramids import PatchTransform
from unveil.recipes import resolve
from unveil.recipes.build import build_model


@pytest.mark.parametrize(
    ("name", "shape", "weights"),
    [("cifar10-mrcnf-3", (3, 32, 32), 1_528_812), ("imagenet64-mrcnf-3", (3, 64, 64), 2_038_416)],
)
def test_models_at_the_scale_of_the_paper_have_as_many_weights_as_published(name, shape, weights):
    model = build_model(resolve(name), shape)
    assert sum(value.numel() for value in model.parameters()) == weights
    assert model.pyramid.logit == "coarsest"
    assert model.solver == Solver("bosh3", rtol=1e-5, atol=1e-5)


def test_recipes_of_clothes_differ_in_their_resolutions_alone():
    one, two, three = (resolve(f"fashion-mrcnf-{s}") for s in (1, 2, 3))
    for other in (two, three):
        model = other.model.model_copy(update={"resolutions": 1})
        assert other.model_copy(update={"name": one.name, "model": model}) == one
    assert (two.model.resolutions, three.model.resolutions) == (2, 3)


def test_a_flow_is_built_as_it_is_written():
    written = ["transform=haar", "logit=finest", "logit_alpha=0.01", "levels=17", "noise=unit", "blocks=2", "hidden=5,6",
               "solver={method: heun, steps: 3}", "backward=adjoint", "probe=gaussian", "kinetic=0.1", "jacobian=0.2",
               "steer=0.3", "adversarial=0.4", "together=true", "only=2", "activation=tanh"]  # fmt: skip
    model = build_model(resolve("digits-mrcnf", [f"model.{change}" for change in written]), (1, 8, 12))
    assert isinstance(model, MultiResolutionCNF)
    assert (model.pyramid.transform, model.pyramid.logit, model.pyramid.alpha) == (
        PatchTransform("haar"),
        "finest",
        0.01,
    )
    assert (model.levels, model.noise, len(model.flow(1).blocks)) == (Levels(17), "unit", 2)
    options = model.training_options
    assert options.solver == Solver("heun", steps=3)
    assert (options.backward, options.probe, options.kinetic, options.jacobian) == ("adjoint", "gaussian", 0.1, 0.2)
    assert (options.steer, options.adversarial, options.together, options.only) == (0.3, 0.4, True, 2)
    assert [layer.out_channels for layer in model.flow(1).blocks[0].layers] == [5, 6, 3]
    assert [(stage.name, list(stage.players)) for stage in model.stages(1)] == [("4x6", ["4x6", "4x6-critic"])]
    assert sum(torch.numel(value) for value in model.critics.parameters()) > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("bits=5", "bits 5 are more than 17 levels have"),
        ("only=3", "only is 3, and there are 2 resolutions"),
        ("steer=1", "model.steer is 1; it must be below 1."),
        ("logit_alpha=0.5", "model.logit_alpha is 0.5; it must be below 0.5."),
        ("transform=db4", "it can be unimodular, haar or orthonormal"),
        ("solver={method: rk5}", "model.solver.method is 'rk5'"),
        ("solver={method: dopri5, rtol: 0}", "model.solver.rtol is 0; it must be above 0."),
        ("levels=1", "model.levels is 1; it must be 2 or more."),
    ],
)
def test_mistakes_are_told_without_torch(change, said):
    with pytest.raises(ConfigError) as caught:
        resolve("digits-mrcnf", [f"model.{change}"])
    assert said in str(caught.value)


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigError, match=r"Images of 10 x 10 cannot have 3 resolutions.* 2 at most"):
        build_model(resolve("fashion-mrcnf-3"), (1, 10, 10))
