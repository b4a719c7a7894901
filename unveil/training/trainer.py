"""The one loop that trains every model: stages in order, players in turn, nothing lost when it is interrupted."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unveil.core.errors import ConfigError, DivergenceError, RunError
from unveil.core.protocols import Dataset, Model, Stage
from unveil.training.checkpoint import Checkpoint
from unveil.training.compiling import compiled
from unveil.training.feed import Feed
from unveil.training.game import Game
from unveil.training.hooks import Hook, Moment
from unveil.training.interrupt import Interrupt, Interrupted
from unveil.training.keeping import Begin, Keeping
from unveil.training.logbook import Logbook
from unveil.training.options import Options
from unveil.training.order import Purpose, seed_for
from unveil.training.precision import check_precision
from unveil.training.processes import Processes, Vote
from unveil.training.progress import Reporter, Silent, reporter
from unveil.training.run_folder import RunFolder
from unveil.training.tensor_file import load_state


@dataclass(frozen=True)
class Outcome:
    """What a call of `fit` did.

    Attributes:
        steps: steps that were taken now; none where the run was finished already. To prepare a model without stages is one.
        restored: whether the weights of a finished run were missing or damaged, and were written again.
    """

    steps: int
    restored: bool = False


def fit(
    model: Model,
    data: Dataset,
    steps: int | Mapping[str, int],
    options: Options | None = None,
    *,
    run: RunFolder | None = None,
    anew: bool = False,
    begin: Begin | None = None,
    hooks: Sequence[Hook] = (),
    progress: bool | Reporter = True,
    device: str | torch.device | None = None,
) -> Outcome:
    """Train a model, in place, through all of its stages.

    The model ends on the training device, in evaluation mode, with the averaged weights where there is an average; so
    does each stage, before the next is asked for. With a run folder, log lines, checkpoints and weights are kept in
    it; if it holds a checkpoint already, training goes on from there, to the very weights that an uninterrupted
    training would have reached; where nothing is left to train, only weights that are missing or damaged are written
    again. Whatever can be refused is refused before anything in the folder changes. Under torchrun the processes share
    every batch. Torch's global random state is left as it was found.

    Args:
        model: an nn.Module with `stages`. Whatever lasts must be in its state: parameters and buffers. A model with a method
            `prepare(data, generator)` is first let look at the data, unless it goes on from a checkpoint; one that has
            no stages is done then.
        data: samples by index.
        steps: for the only stage, or for each by name; handed to `model.stages`.
        options: how to train.
        run: where to keep everything; without one nothing is kept.
        anew: pay no heed to what the run folder holds; `begin` makes it, or makes room in it.
        begin: called in the first process before the first step, when nothing is left to be refused but what `begin`
            itself refuses: the moment to make the run's folder, or to write another recipe. Not called where nothing
            is left to train.
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
        stack.enter_context(torch.random.fork_rng([here.device] if here.device.type == "cuda" else []))
        stop = stack.enter_context(Interrupt()) if run is not None else None
        training = _Training(model, data, options, here, run, anew, begin, hooks, progress, stop, stack)
        training.prepare()
        stages = iter(model.stages(steps))
        index = 0
        while True:
            training.reseed(index, 0, Purpose.STAGE)
            if (stage := next(stages, None)) is None:
                break
            training.play(index, stage)
            index += 1
        if index == 0:
            training.keep()
        return training.finish(index)


class _Training:
    """What lasts from stage to stage of one call of `fit`."""

    def __init__(
        self,
        model: nn.Module,
        data: Dataset,
        options: Options,
        here: Processes,
        run: RunFolder | None,
        anew: bool,
        begin: Begin | None,
        hooks: Sequence[Hook],
        progress: bool | Reporter,
        stop: Interrupt | None,
        stack: ExitStack,
    ) -> None:
        self.model, self.data, self.options, self.here, self.hooks = model, data, options, here, hooks
        self.stop, self.vote, self.begin = stop, Vote(here), begin
        self.report = reporter(progress) if here.main else Silent()
        stack.callback(self.report.close)
        self.keeping = Keeping(run, here, options.keep, anew, stack)
        self.resumed = self.keeping.resumed
        self.changes: list[str] = []  # settings that are others than those of the checkpoint
        self.about: dict[str, Any] = {}  # what the weights of the newest stage say of themselves
        self.taken = 0

    def prepare(self) -> None:
        """Let the model learn what it has to know of the data before the first step; a checkpoint knows it already."""
        prepare = getattr(self.model, "prepare", None)
        if prepare is not None and self.resumed is None:
            seed = seed_for(self.options.seed, 0, 0, Purpose.STAGE)
            self.report.begin("preparing", 0, 1)
            prepare(self.data, torch.Generator().manual_seed(seed))
            self.report.update(1, {})

    def keep(self) -> None:
        """Keep a model without stages, or take up what was kept of it: there is nothing to train."""
        self.model.to(self.here.device)
        self.about = {"stage": "", "step": 0, "averaged": False}
        if self.resumed is not None:
            load_state(self.model, self.resumed.tensors, self.keeping.source(self.resumed))
            return
        self.here.share_(self.model)
        self.keeping.begin(self.begin, self.changes)
        state = self.model.state_dict()
        settings = {**self.options.record(), "samples": len(self.data), "data": getattr(self.data, "fingerprint", None)}
        notes = {"stage": "", "settled": {}, "settings": settings}
        self.keeping.save(Checkpoint(0, 0, state, notes), state, self.about)
        self.taken = 1

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
        self.about = {"stage": stage.name, "step": start, "averaged": bool(game.ema.state(self.model))}
        if start < stage.steps and not self.keeping.begun:
            self.keeping.begin(self.begin, self.changes)
            if self.resumed is None:
                self._save(index, start, game, logbook)  # so that even a very early interruption loses nothing
        self.report.begin(stage.name, start, stage.steps)
        shown = set(stage.shown)
        game.begin()
        logs: dict[str, float] = {}
        logged, clock = start, time.perf_counter()
        with compiled(self.model) if options.compile else nullcontext(), closing(feed.steps(start, stage.steps)) as fed:
            for step, parts in fed:
                self.reseed(index, step, Purpose.TORCH)
                for move, norm in game.turn(parts, step):
                    logbook.add(step, move, norm)
                done = step + 1
                self.taken += 1
                last = done == stage.steps
                if last or done % options.log_every == 0:
                    logs = logbook.means()
                    now = time.perf_counter()
                    self._log(game, done, logs, (done - logged) / (now - clock))
                    logged, clock = done, now
                told = {name: x for name, x in logs.items() if name in shown or name.endswith("loss")}
                self.report.update(done, told)
                for hook in self.hooks:
                    hook(Moment(stage.name, done, stage.steps, self.model, logs, here.main, game.ema))
                stopped = self._stopped()
                if stopped or last or (options.save_every and done % options.save_every == 0):
                    self._save(index, done, game, logbook)
                if stopped:
                    self._leave(stage, done)
        game.ema.hand_over()

    def finish(self, stages: int) -> Outcome:
        """End well: the model is ready for use, and so are the weights in the folder."""
        if self.resumed is not None and self.resumed.stage >= max(stages, 1):
            raise RunError(
                f"The checkpoint in {self.keeping.run} is of stage number {self.resumed.stage + 1}, "
                f"{self.resumed.notes['stage']!r}, but this model has only {stages}. Was it made from another recipe?"
            )
        finished = self.resumed is not None and not self.keeping.begun
        restored = finished and self.keeping.mend(self.model, self.about)
        self.vote.close()
        self.model.eval()
        return Outcome(self.taken, restored)

    def reseed(self, index: int, step: int, purpose: Purpose) -> None:
        """Seed torch's global generators, for dropout and whatever else draws from them."""
        process = self.here.rank if purpose is Purpose.TORCH else 0
        seed = seed_for(self.options.seed, index, step, purpose, process)
        torch.default_generator.manual_seed(seed)
        if self.here.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def _restore(self, index: int, game: Game, logbook: Logbook) -> int:
        """Go back to the checkpoint if it is of this stage, and give the step to begin with."""
        kept, stage = self.resumed, game.stage
        if kept is None or kept.stage != index:
            return 0
        if kept.notes["stage"] != stage.name:
            raise RunError(
                f"The checkpoint in {self.keeping.run} is of stage {kept.notes['stage']!r}, but this model's stage is "
                f"{stage.name!r}. Resume with the recipe it was made with."
            )
        if kept.step > stage.steps:
            raise RunError(
                f"{self.keeping.run} has taken {kept.step} steps of stage {stage.name!r} already, so it cannot end after "
                f"{stage.steps}; give {kept.step} or more."
            )
        self.changes = _changes(kept.notes["settings"], self._settings(stage))
        game.load(kept.tensors, self.keeping.source(kept))
        logbook.settled = {name: list(values) for name, values in kept.notes["settled"].items()}
        self.resumed = Checkpoint(kept.stage, kept.step, {}, kept.notes)  # the tensors are no longer needed
        return kept.step

    def _save(self, index: int, step: int, game: Game, logbook: Logbook) -> None:
        """Keep everything, if there is where, unless it has gone wrong already."""
        if self.keeping.run is None:
            return
        logbook.settle()
        norm = float(nn.utils.get_total_norm(self.model.parameters()))
        if not math.isfinite(norm):
            raise DivergenceError(
                f"Training diverged: weights are no longer finite after step {step} of stage {game.stage.name!r}. "
                "A lower learning rate, a longer warm-up or clipping usually helps; checkpoints are from before."
            )
        weights = {**self.model.state_dict(), **game.ema.state(self.model)} if step > 0 else None
        notes = {"stage": game.stage.name, "settled": logbook.settled, "settings": self._settings(game.stage)}
        self.keeping.save(Checkpoint(index, step, game.state(), notes), weights, {**self.about, "step": step})

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
        several = len(game.players) > 1
        rates = {f"{name}.lr" if several else "lr": player.rate(done - 1) for name, player in game.players.items()}
        self.keeping.log({"stage": game.stage.name, "step": done, **logs, **rates, "steps_per_second": speed})

    def _stopped(self) -> bool:
        return self.stop is not None and self.vote.any(self.stop.signal is not None)

    def _leave(self, stage: Stage, done: int) -> None:
        self.vote.close()
        raise Interrupted(
            f"Stopped after step {done} of {stage.steps} of stage {stage.name!r}; everything is kept in {self.keeping.run}. "
            "Resume the run in that folder to go on as if nothing had happened.",
            self.stop.signal if self.stop is not None and self.stop.signal else 0,
        )


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the settings that differ from those a run was begun with; how long it is matters only to rates that decay."""
    lasting = now.get("decay") == "constant" and not now.get("players")
    return [
        "its data has changed" if name == "data" else f"{name} was {before.get(name)!r}, is {value!r}"
        for name, value in now.items()
        if before.get(name) != value and not (name == "steps" and lasting)
    ]
