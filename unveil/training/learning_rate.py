"""The learning rate over a stage: a plain function of the step, so that nothing has to be remembered."""

from math import cos, pi

from unveil.training.options import Options


def learning_rate(step: int, steps: int, options: Options) -> float:
    """Give the rate of a step.

    It rises linearly, so that step `warmup - 1` is the first at full rate, and then stays or falls, so that the step
    after the last would have rate zero.

    Args:
        step: steps taken before this one, 0 .. steps - 1.
        steps: steps of the whole stage.
        options: `lr`, `warmup` and `decay`.
    """
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    gone = (step - options.warmup) / max(1, steps - options.warmup)  # from 0 to 1
    match options.decay:
        case "constant":
            return options.lr
        case "linear":
            return options.lr * (1 - gone)
        case "cosine":
            return options.lr * (1 + cos(pi * gone)) / 2
