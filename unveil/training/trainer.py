"""The one loop that trains every model: stages in order, players in turn, nothing lost when it is interrupted."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Any

import torch
from torch import nn

from unveil.core.errors import ConfigError, DivergenceError, RunError
from unveil.core.protocols import Dataset, Model, Stage
from unveil.training.checkpoint import Checkpoint, Checkpoints
from unveil.training.compiling import compiled
from unveil.training.feed import Feed
from unveil.training.game import Game
from unveil.training.hooks import Hook, Moment
from unveil.training.interrupt import Interrupt, Interrupted
from unveil.training.logbook import Logbook, LogFile
from unveil.training.options import Options
from unveil.training.order import Purpose, seed_for
from unveil.training.precision import check_precision
from unveil.training.processes import Processes, Vote
from unveil.training.progress import Reporter, Silent, reporter
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import write_tensors


def fit(
    model: Model,
    data: Dataset,
    steps: int | Mapping[str, int],
    options: Options | None = None,
    *,
    run: RunFolder | None = None,
    hooks: Sequence[Hook] = (),
    progress: bool | Reporter = True,
    device: str | torch.device | None = None,
) -> None:
    """Train a model, in place, through all of its stages.

    The model ends on the training device, in evaluation mode, with the averaged weights where there is an average; so
    does each stage, before the next is asked for. With a run folder, log lines, checkpoints and weights are kept in
    it; if it holds a checkpoint already, training goes on from there, to the very weights that an uninterrupted
    training would have reached. Under torchrun the processes share every batch. Torch's global random state is left
    as it was found.

    Args:
        model: an nn.Module with `stages`. Whatever lasts must be in its state: parameters and buffers.
        data: samples by index.
        steps: for the only stage, or for each by name; handed to `model.stages`.
        options: how to train.
        run: where to keep everything; without one nothing is kept.
        hooks: called after every step, in every process.
        progress: whether to show a bar, or lines where there is no terminal, on the standard error stream; or a
            reporter of your own, told by the first process.
        device: where to compute; the best there is by default.

    Raises:
        ConfigError: options, stages or precision that cannot work.
        DataError: there is no data.
        RunError: the run folder does not fit the model, is damaged, in use or full.
        DivergenceError: a loss stopped being finite.
        Interrupted: Ctrl-C or SIGTERM came while training with a run folder, and everything was saved.
    """
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{type(model).__name__} cannot be trained: it must be an nn.Module with stages().")
    options = options or Options()
    here = Processes.join(device)
    check_precision(options.precision, here.device)
    with ExitStack() as stack:
        if run is not None and here.main:
            stack.enter_context(run.lock())
        stack.enter_context(torch.random.fork_rng([here.device] if here.device.type == "cuda" else []))
        stop = stack.enter_context(Interrupt()) if run is not None else None
        training = _Training(model, data, options, here, run, hooks, progress, stop, stack)
        stages = iter(model.stages(steps))
        index = 0
        while True:
            training.reseed(index, 0, Purpose.STAGE)
            if (stage := next(stages, None)) is None:
                break
            training.play(index, stage)
            index += 1
        training.finish(index)


class _Training:
    """What lasts from stage to stage of one call of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        options: Options,
        here: Processes,
        run: RunFolder | None,
        hooks: Sequence[Hook],
        progress: bool | Reporter,
        stop: Interrupt | None,
        stack: ExitStack,
    ) -> None:
        self.model, self.data, self.options, self.here, self.run, self.hooks = model, data, options, here, run, hooks
        self.stop, self.vote = stop, Vote(here)
        self.report = reporter(progress) if here.main else Silent()
        stack.callback(self.report.close)
        self.checkpoints = Checkpoints(run.state, options.keep) if run is not None else None
        self.resumed = self._newest()
        self.log: LogFile | None = None
        if run is not None and here.main:
            self.log = LogFile(run, self.resumed.notes["log"] if self.resumed else 0)
            stack.callback(self.log.close)

    def play(self, index: int, stage: Stage) -> None:
        """Train through one stage, or through what a checkpoint has left of it."""
        if self.resumed is not None and index < self.resumed.stage:
            return
        options, here = self.options, self.here
        self.model.to(here.device)
        if options.channels_last:
            for value in self.model.parameters():
                if value.ndim == 4:
                    value.data = value.data.to(memory_format=torch.channels_last)
        here.share_(self.model)
        game = Game(stage, self.model, options, here)
        logbook = Logbook(stage.name, len(stage.players) > 1, here)
        feed = Feed(self.data, options, index, here)
        start = self._restore(index, game, logbook)
        self.report.begin(stage.name, start, stage.steps)
        game.begin()
        logs: dict[str, float] = {}
        logged, clock = start, time.perf_counter()
        with compiled(self.model) if options.compile else nullcontext(), closing(feed.steps(start, stage.steps)) as fed:
            for step, parts in fed:
                self.reseed(index, step, Purpose.TORCH)
                for move, norm in game.turn(parts, step):
                    logbook.add(step, move, norm)
                done = step + 1
                last = done == stage.steps
                if last or done % options.log_every == 0:
                    logs = logbook.means()
                    now = time.perf_counter()
                    self._log(game, done, logs, (done - logged) / (now - clock))
                    logged, clock = done, now
                self.report.update(done, logs)
                for hook in self.hooks:
                    hook(Moment(stage.name, done, stage.steps, self.model, logs, here.main, game.ema))
                stopped = self._stopped()
                if stopped or last or (options.save_every and done % options.save_every == 0):
                    self._save(index, done, game, logbook)
                if stopped:
                    self._leave(stage, done)
        game.ema.hand_over()

    def finish(self, stages: int) -> None:
        """End well: the model is ready for use."""
        if self.resumed is not None and self.resumed.stage >= stages:
            raise RunError(
                f"The checkpoint in {self.run} is of stage number {self.resumed.stage + 1}, "
                f"{self.resumed.notes['stage']!r}, but this model has only {stages}. Was it made from another recipe?"
            )
        self.vote.close()
        self.model.eval()

    def reseed(self, index: int, step: int, purpose: Purpose) -> None:
        """Seed torch's global generators, for dropout and whatever else draws from them."""
        process = self.here.rank if purpose is Purpose.TORCH else 0
        seed = seed_for(self.options.seed, index, step, purpose, process)
        torch.default_generator.manual_seed(seed)
        if self.here.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _newest(self) -> Checkpoint | None:
        """Find the checkpoint to go on from; the first process chooses for all."""
        if self.checkpoints is None:
            return None
        found = self.checkpoints.newest() if self.here.main else None
        stage, step = self.here.share_numbers([found.stage, found.step] if found else [-1, -1])
        return found if self.here.main or stage < 0 else self.checkpoints.read(stage, step)

    def _restore(self, index: int, game: Game, logbook: Logbook) -> int:
        """Go back to the checkpoint if it is of this stage, and give the step to begin with."""
        kept, stage = self.resumed, game.stage
        if kept is None or kept.stage != index:
            if index == 0:
                self._save(0, 0, game, logbook)  # so that even a very early interruption loses nothing
            return 0
        if kept.notes["stage"] != stage.name or kept.step > stage.steps:
            raise RunError(
                f"The checkpoint in {self.run} is of step {kept.step} of stage {kept.notes['stage']!r}, but this "
                f"model's stage is {stage.name!r} of {stage.steps} steps. Resume with the recipe and the steps it was "
                "made with."
            )
        if self.here.main:
            _compare(kept.notes["settings"], self._settings(stage))
        assert self.checkpoints is not None
        game.load(kept.tensors, str(self.checkpoints.path(kept.stage, kept.step)))
        logbook.settled = {name: list(values) for name, values in kept.notes["settled"].items()}
        self.resumed = Checkpoint(kept.stage, kept.step, {}, kept.notes)  # the tensors are no longer needed
        return kept.step

    def _save(self, index: int, step: int, game: Game, logbook: Logbook) -> None:
        """Keep everything, if there is where, unless it has gone wrong already."""
        if self.checkpoints is None or self.run is None:
            return
        logbook.settle()
        norm = float(nn.utils.get_total_norm(self.model.parameters()))
        if not math.isfinite(norm):
            raise DivergenceError(
                f"Training diverged: weights are no longer finite after step {step} of stage {game.stage.name!r}. "
                "A lower learning rate, a longer warm-up or clipping usually helps; checkpoints are from before."
            )
        if self.log is None:  # not the first process
            return
        if step > 0:
            # Before the checkpoint, so that a finished stage has its weights whenever the power fails.
            averages = game.ema.state(self.model)
            about = {"stage": game.stage.name, "step": step, "averaged": bool(averages)}
            write_tensors(self.run.weights, {**self.model.state_dict(), **averages}, about)
        notes = {
            "stage": game.stage.name,
            "log": self.log.size(),
            "settled": logbook.settled,
            "settings": self._settings(game.stage),
        }
        self.checkpoints.save(Checkpoint(index, step, game.state(), notes))

    def _settings(self, stage: Stage) -> dict[str, Any]:
        """Give what the weights depend on, besides the model itself."""
        return {
            **self.options.record(),
            "steps": stage.steps,
            "samples": len(self.data),
            "data": getattr(self.data, "fingerprint", None),
            "processes": self.here.world,
        }

    def _log(self, game: Game, done: int, logs: Mapping[str, float], speed: float) -> None:
        if self.log is not None:
            several = len(game.players) > 1
            rates = {f"{name}.lr" if several else "lr": player.rate(done - 1) for name, player in game.players.items()}
            self.log.write({"stage": game.stage.name, "step": done, **logs, **rates, "steps_per_second": speed})

    def _stopped(self) -> bool:
        return self.stop is not None and self.vote.any(self.stop.signal is not None)

    def _leave(self, stage: Stage, done: int) -> None:
        self.vote.close()
        raise Interrupted(
            f"Stopped after step {done} of {stage.steps} of stage {stage.name!r}; everything is kept in {self.run}. "
            "Resume the run in that folder to go on as if nothing had happened.",
            self.stop.signal if self.stop is not None and self.stop.signal else 0,
        )


def _compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Warn of settings that differ from those a run was begun with."""
    changed = [
        f"{name} was {before.get(name)!r}, is {value!r}" for name, value in now.items() if before.get(name) != value
    ]
    if changed:
        warnings.warn(
            f"This run goes on with other settings than before ({'; '.join(changed)}), so it will not end with the "
            "weights of an uninterrupted run.",
            stacklevel=2,
        )
