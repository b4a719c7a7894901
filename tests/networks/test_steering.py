import torch

from unveil.networks.unet import UNet


def test_steering_made_beforehand_changes_nothing():
    torch.manual_seed(0)
    net = UNet(1, channels=16, mult=(1, 2), blocks=1, classes=3).eval()
    for value in net.parameters():
        value.data.add_(0.05 * torch.randn_like(value))
    x, t, label = torch.randn(4, 1, 8, 8), torch.rand(4), torch.tensor([0, 3, 1, 2])
    with torch.no_grad():
        assert torch.equal(net(x, t, label, steering=net.steering(t, label)), net(x, t, label))
        one = net.steering(t[:1])  # a row for all
        torch.testing.assert_close(net(x, t[0], steering=one), net(x, t[:1].expand(4)))
