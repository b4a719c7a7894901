"""Networks: the U-Net, a generator and its discriminator, a classifier, and the Inception graph of the Frechet distance."""

from unveil.networks.classifier import Classifier as Classifier
from unveil.networks.discriminator import Discriminator as Discriminator
from unveil.networks.dynamics import ConvDynamics as ConvDynamics
from unveil.networks.energy import ImageEnergy as ImageEnergy
from unveil.networks.frames import FrameDecoder as FrameDecoder
from unveil.networks.frames import FrameEncoder as FrameEncoder
from unveil.networks.generator import Generator as Generator
from unveil.networks.inception import Inception as Inception
from unveil.networks.inception import load_inception as load_inception
from unveil.networks.latent_dynamics import LatentDynamics as LatentDynamics
from unveil.networks.patch_energy import PatchEnergy as PatchEnergy
from unveil.networks.plane import PointDenoiser as PointDenoiser
from unveil.networks.plane import PointEnergy as PointEnergy
from unveil.networks.plane import PointProposal as PointProposal
from unveil.networks.points import PointDiscriminator as PointDiscriminator
from unveil.networks.points import PointGenerator as PointGenerator
from unveil.networks.proposal import Proposal as Proposal
from unveil.networks.unet import UNet as UNet
from unveil.networks.video_unet import VideoUNet as VideoUNet
