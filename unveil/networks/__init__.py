"""Networks: the U-Net, a classifier, and the Inception graph of the Frechet distance."""

from unveil.networks.classifier import Classifier as Classifier
from unveil.networks.inception import Inception as Inception
from unveil.networks.inception import load_inception as load_inception
from unveil.networks.unet import UNet as UNet
