"""Networks: the U-Net, a generator and its discriminator, a classifier, and the Inception graph of the Frechet distance."""

from unveil.networks.classifier import Classifier as Classifier
from unveil.networks.discriminator import Discriminator as Discriminator
from unveil.networks.generator import Generator as Generator
from unveil.networks.inception import Inception as Inception
from unveil.networks.inception import load_inception as load_inception
from unveil.networks.points import PointDiscriminator as PointDiscriminator
from unveil.networks.points import PointGenerator as PointGenerator
from unveil.networks.unet import UNet as UNet
