"""A stage in play: its players with their optimisers and averages, and the moves they take in turn."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn

from unveil.core.errors import ConfigError, RunError
from unveil.core.protocols import Batch, Move, Stage
from unveil.training.ema import Ema
from unveil.training.options import Options
from unveil.training.player import Player
from unveil.training.precision import autocast
from unveil.training.processes import Processes
from unveil.training.tensor_file import load_state


class Game:
    """The players of one stage, and how a training step moves them.

    Args:
        stage: the stage.
        model: of which the players are parts; its state holds all that lasts.
        options: for all players, and for each.
        here: the processes that train together.

    Raises:
        ConfigError: a player has nothing to move, or something that is no part of the model.
    """

    def __init__(self, stage: Stage, model: nn.Module, options: Options, here: Processes) -> None:
        self.stage, self.model = stage, model
        lasting = set(model.parameters())
        self.players: dict[str, Player] = {}
        for name, module in stage.players.items():
            player = Player(name, module, stage.steps, options.of(name), here)
            strangers = [key for key, value in player.parameters.items() if value not in lasting]
            if strangers:
                raise ConfigError(
                    f"The player {name!r} of stage {stage.name!r} moves {strangers[0]}, which is no parameter of the "
                    "model and would be lost with a checkpoint; make the player a submodule of the model."
                )
            self.players[name] = player
        self.ema = Ema(self.players.values())
        self._autocast = autocast(options.precision, here.device)

    def begin(self) -> None:
        """Put the players in training mode and the rest of the model in evaluation mode."""
        self.model.eval()
        for module in self.stage.players.values():
            module.train()

    def turn(self, parts: Sequence[Batch], step: int) -> Iterator[tuple[Move, Tensor | None]]:
        """Take one training step: every move in turn, each on all parts of the batch before the next.

        Yields:
            For every part, the move, and for the last part of a move also the norm of the gradient that moved.
        """
        turns = []
        for part in parts:
            with self._autocast:
                turns.append(iter(self.stage.moves(part)))
        while moves := self._moves(turns):
            last = moves[-1]
            norm = self.players[last.player].move(step, share=last.rate, anew=last.anew)
            for move in moves:
                yield move, norm if move is last else None
        self.ema.update(step)

    def _moves(self, turns: Sequence[Iterator[Move]]) -> list[Move]:
        """Go on to the next move on every part, and add up its gradients; none when the turn is over."""
        moves: list[Move] = []
        for turn in turns:
            with self._autocast:
                move = next(turn, None)
            if move is None:
                continue
            if move.player not in self.players:
                raise ConfigError(
                    f"Stage {self.stage.name!r} moved {move.player!r}, which is none of its players: "
                    f"{', '.join(self.players)}."
                )
            self.players[move.player].backward(move.loss / len(turns) if len(turns) > 1 else move.loss)
            moves.append(move)
        if moves and (len(moves) < len(turns) or len({move.player for move in moves}) > 1):
            raise ConfigError(
                f"Stage {self.stage.name!r} took different moves for different parts of one batch; with accumulate "
                "above 1 the moves of a step may not depend on the data."
            )
        return moves

    def state(self) -> dict[str, Tensor]:
        """Give all that the next steps depend on, as named tensors."""
        state = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        state |= {f"average/{name}": value for name, value in self.ema.state(self.model).items()}
        for name, player in self.players.items():
            state |= {f"optimizer/{name}/{place}": value for place, value in player.state().items()}
        return state

    def load(self, state: Mapping[str, Tensor], source: str) -> None:
        """Go back to a state.

        Raises:
            RunError: it is the state of another model or other players.
        """

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}

        load_state(self.model, under("model/"), source)
        self.ema.load(self.model, under("average/"))
        for name, player in self.players.items():
            try:
                player.load(under(f"optimizer/{name}/"))
            except (KeyError, RuntimeError) as error:
                raise RunError(f"{source} does not fit the player {name!r} of this model: {error}.") from error
