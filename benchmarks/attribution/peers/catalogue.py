"""Which packages are measured, under which settings, and how the table names them. It imports none of them.

Every method has a row with its package's own defaults and one with the settings that were best on `sent`;
the grids they were chosen from are here too. The other sets saw no choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Value = float | int | None


@dataclass(frozen=True)
class Setting:
    """One row of the table; `name` is also the stem of its score file. `note` says what the options mean."""

    name: str
    options: Mapping[str, Value]
    note: str


@dataclass(frozen=True)
class Peer:
    """A method of a package. `module` in this folder measures it; `grid` names what was tried on `sent`."""

    module: str
    method: str
    package: str
    settings: tuple[Setting, ...]
    grid: Mapping[str, tuple[Value, ...]]

    def grid_settings(self) -> list[Setting]:
        """Every combination of the grid's values, named by them."""
        combinations = [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]
        return [Setting(grid_name(self.module, one), one, "") for one in combinations]


def grid_name(module: str, options: Mapping[str, Value]) -> str:
    """File stem of one combination."""
    return "-".join(
        [module, *(f"{key}={value:g}" if value is not None else key for key, value in options.items())]
    )


_EKFAC = Peer(
    module="kronfluence_ekfac",
    method="EK-FAC",
    package="kronfluence 1.0.1",
    settings=(
        Setting("ekfac-kronfluence", {"damping": 1e-8}, "damping 1e-8, the default"),
        Setting(
            "ekfac-kronfluence-heuristic", {"damping": None}, "damping 0.1 × mean eigenvalue, its own rule"
        ),
    ),
    grid={"damping": (1e-5, 1e-4, 1e-3, 1e-2)},
)
_TRAK_TRAKER = Peer(
    module="trak",
    method="TRAK",
    package="traker 0.3.2",
    settings=(
        Setting("trak-traker", {"dimensions": 2048, "points": 1, "ridge": 0.0}, "k 2048, λ 0, the defaults"),
        Setting(
            "trak-traker-tuned",
            {"dimensions": 2048, "points": 3, "ridge": 100.0},
            "k 2048, λ 100, 3 checkpoints, tuned",
        ),
    ),
    grid={"dimensions": (512, 2048), "points": (1, 3), "ridge": (1.0, 10.0, 100.0, 1000.0)},
)
_TRAK_DATTRI = Peer(
    module="dattri_trak",
    method="TRAK",
    package="dattri 0.3.0",
    settings=(
        Setting("trak-dattri", {"dimensions": 512, "points": 1, "ridge": 0.0}, "k 512, λ 0, the defaults"),
        Setting(
            "trak-dattri-tuned",
            {"dimensions": 512, "points": 3, "ridge": 1e-2},
            "k 512, λ 0.01, 3 checkpoints, tuned",
        ),
    ),
    grid={"dimensions": (512, 2048), "points": (1, 3), "ridge": (1e-3, 1e-2, 1e-1, 1.0)},
)
_DATAINF = Peer(
    module="dattri_datainf",
    method="DataInf",
    package="dattri 0.3.0",
    settings=(
        Setting("datainf-dattri", {"ridge": 0.0}, "λ 0, the default"),
        Setting("datainf-dattri-tuned", {"ridge": 1e-5}, "λ 1e-5, tuned"),
    ),
    grid={"ridge": (1e-5, 1e-3, 1e-1, 10.0)},
)
_LOGRA = Peer(
    module="dattri_logra",
    method="LoGra",
    package="dattri 0.3.0",
    settings=(
        Setting(
            "logra-dattri",
            {"dimensions": 4096, "damping": None},
            "k 4096 a layer, damping 1e-5 × mean eigenvalue, the defaults",
        ),
        Setting(
            "logra-dattri-tuned",
            {"dimensions": 1024, "damping": 10.0},
            "k 1024 a layer, damping 10 × mean eigenvalue, tuned",
        ),
    ),
    grid={"dimensions": (256, 1024, 4096), "damping": (0.1, 1.0, 10.0, 100.0)},
)
PEERS: Sequence[Peer] = (_EKFAC, _TRAK_TRAKER, _TRAK_DATTRI, _DATAINF, _LOGRA)


def settings_of(module: str, names: Sequence[str]) -> list[Setting]:
    """Settings and combinations of a peer by name, in their order here; KeyError for an unknown one."""
    peer = next(peer for peer in PEERS if peer.module == module)
    known = {setting.name: setting for setting in (*peer.settings, *peer.grid_settings())}
    for name in names:
        if name not in known:
            raise KeyError(f"{name}: {module} knows {', '.join(known)}")
    return [setting for name, setting in known.items() if name in names]
