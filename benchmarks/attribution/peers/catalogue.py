"""Which packages are measured, under which settings, and how the table names them. It imports none of them.

Every method has a row with its package's own defaults and one with settings chosen on `sent`, and the grids
they were chosen from. The other sets saw no choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Value = float | int | None
Options = Mapping[str, Value]


@dataclass(frozen=True)
class Setting:
    """One row of the table; `note` says what its options mean. The name is the stem of its score file and
    holds every option, so that scores are never taken for those of another setting.
    """

    stem: str
    options: Options
    note: str

    @property
    def name(self) -> str:
        """The stem of the score file."""
        parts = [f"{key}={value if value is None else f'{value:g}'}" for key, value in self.options.items()]
        return "-".join([self.stem, *parts])


@dataclass(frozen=True)
class Peer:
    """A method of a package. `module` in this folder measures it; `rows` are the table's, with their notes;
    `grid` is what was tried on `sent`.
    """

    module: str
    stem: str
    method: str
    package: str
    rows: Sequence[tuple[Options, str]]
    grid: Mapping[str, tuple[Value, ...]]

    @property
    def settings(self) -> list[Setting]:
        """The table's rows."""
        return [Setting(self.stem, options, note) for options, note in self.rows]

    @property
    def tried(self) -> list[Setting]:
        """The rows, and every combination of the grid's values that is none of them."""
        combinations = [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]
        known = [options for options, _ in self.rows]
        return [*self.settings, *(Setting(self.stem, one, "") for one in combinations if one not in known)]


_EKFAC = Peer(
    module="kronfluence_ekfac",
    stem="ekfac-kronfluence",
    method="EK-FAC",
    package="kronfluence 1.0.1",
    rows=[
        ({"damping": 1e-8}, "damping 1e-8, the default"),
        ({"damping": None}, "damping 0.1 × mean eigenvalue, its own rule"),
        ({"damping": 1e-3}, "damping 0.001, chosen on sent"),
    ],
    grid={"damping": (1e-4, 1e-3, 1e-2)},
)
_TRAK_TRAKER = Peer(
    module="trak",
    stem="trak-traker",
    method="TRAK",
    package="traker 0.3.2",
    rows=[
        ({"dimensions": 2048, "points": 1, "ridge": 0.0}, "k 2048, λ 0, the defaults but for float32"),
        ({"dimensions": 2048, "points": 3, "ridge": 100.0}, "k 2048, λ 100, 3 checkpoints, chosen on sent"),
    ],
    grid={"dimensions": (2048,), "points": (3,), "ridge": (10.0, 100.0, 1000.0)},
)
_TRAK_DATTRI = Peer(
    module="dattri_trak",
    stem="trak-dattri",
    method="TRAK",
    package="dattri 0.3.0",
    rows=[
        ({"dimensions": 512, "points": 1, "ridge": 0.0}, "k 512, λ 0, the defaults"),
        ({"dimensions": 512, "points": 3, "ridge": 1e-2}, "k 512, λ 0.01, 3 checkpoints, chosen on sent"),
    ],
    grid={"dimensions": (512,), "points": (3,), "ridge": (1e-2, 1e-1)},
)
_DATAINF = Peer(
    module="dattri_datainf",
    stem="datainf-dattri",
    method="DataInf",
    package="dattri 0.3.0",
    rows=[({"ridge": 0.0}, "λ 0, the default"), ({"ridge": 1e-5}, "λ 1e-5, chosen on sent")],
    grid={"ridge": (1e-5, 1e-3, 1e-1)},
)
_LOGRA = Peer(
    module="dattri_logra",
    stem="logra-dattri",
    method="LoGra",
    package="dattri 0.3.0",
    rows=[
        ({"dimensions": 4096, "damping": None}, "k 4096 a layer, damping 1e-5 × mean, the defaults"),
        ({"dimensions": 1024, "damping": 100.0}, "k 1024 a layer, damping 100 × mean, chosen on sent"),
    ],
    grid={"dimensions": (1024, 4096), "damping": (0.1, 1.0, 10.0, 100.0, 1000.0)},
)
PEERS: Sequence[Peer] = (_EKFAC, _TRAK_TRAKER, _TRAK_DATTRI, _DATAINF, _LOGRA)


def settings_of(module: str, names: Sequence[str]) -> list[Setting]:
    """What was tried with a module's peer, by name and in its order; KeyError for an unknown one."""
    peer = next(peer for peer in PEERS if peer.module == module)
    known = {setting.name: setting for setting in peer.tried}
    for name in names:
        if name not in known:
            raise KeyError(f"{name}: {module} knows {', '.join(known)}")
    return [setting for name, setting in known.items() if name in names]
