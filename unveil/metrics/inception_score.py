"""The Inception score: is each image surely of one class, and are all classes there?"""

import torch

from unveil.core.errors import ConfigError
from unveil.metrics.features import Features
from unveil.metrics.intervals import mean_interval
from unveil.metrics.measure import Measure


def inception_score(logits: Features, *, splits: int = 10, seed: int = 0) -> Measure:
    """Measure exp of the mean divergence of each image's classes from the average classes, over random splits.

    It lies between 1 (every image gets the same answer) and the number of classes (sure answers, all classes alike
    often), and looks at no real image. Small splits make it too small, so it only compares at equal counts and splits.

    Args:
        logits: class scores of the images, from a space with `output="logits"`.
        splits: parts of which each gives a score; the score is their mean.
        seed: of the parts, which are random because samples often come sorted by class.

    Returns:
        "inception-score" with the published Inception network, "classifier-score[SPACE]" with any other.

    Raises:
        ConfigError: features were given in the place of logits, or there are more splits than images.

    Source: Salimans et al. (2016), arXiv:1606.03498, section 4.
    """
    if logits.space.output != "logits":
        raise ConfigError(
            f"The Inception score got {logits.space.output} of {logits.space.name}; it needs class scores: make the "
            'space with FeatureSpace.of(network, name, output="logits").'
        )
    if not 1 <= splits <= len(logits):
        raise ConfigError(
            f"{splits} splits of {len(logits)} images were asked for; take 1 to {len(logits)} splits, or more images."
        )
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(seed))
    scores = []
    for part in order.tensor_split(splits):
        log_p = logits.values[part].double().log_softmax(1)
        log_mean = log_p.logsumexp(0) - torch.tensor(len(part)).double().log()
        scores.append((log_p.exp() * (log_p - log_mean)).sum(1).mean().exp())
    values = torch.stack(scores)
    interval = mean_interval(values)
    return Measure(
        logits.space.metric("inception-score", "classifier-score"),
        values.mean().item(),
        len(logits),
        logits.split,
        logits.preprocessing,
        interval,
        "95% of the mean over splits" if interval else "",
        better="high",
        notes=(f"{splits} splits", f"at most {logits.values.shape[1]}"),
    )
