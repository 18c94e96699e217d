"""The columns of the published files, and the quantities that they have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# As in the original files, with the separator at the end of each line.
_SYNOP_HEADER = (
    "numer_sta;date;pmer;tend;cod_tend;dd;ff;t;td;u;vv;ww;w1;w2;n;nbas;hbas;cl;cm;ch;pres;niv_bar;geop;tend24;tn12;"
    "tn24;tx12;tx24;tminsol;sw;tw;raf10;rafper;per;etat_sol;ht_neige;ssfrai;perssfrai;rr1;rr3;rr6;rr12;rr24;"
    "phenspe1;phenspe2;phenspe3;phenspe4;nnuage1;ctype1;hnuage1;nnuage2;ctype2;hnuage2;nnuage3;ctype3;hnuage3;"
    "nnuage4;ctype4;hnuage4;"
)
SYNOP_COLUMNS = tuple(_SYNOP_HEADER.split(";"))
SYNOP_MISSING = "mq"
HOURLY_KEYS = ("NUM_POSTE", "NOM_USUEL", "LAT", "LON", "ALTI", "AAAAMMJJHH")
_HOURLY_VALUES = (
    "RR1 DRR1 FF DD FXY DXY HXY FXI DXI HXI FF2 DD2 FXI2 DXI2 HXI2 FXI3S DXI3S HFXI3S T TD TN HTN TX HTX DG T10 T20 "
    "T50 T100 TNSOL TN50 TCHAUSSEE DHUMEC U UN HUN UX HUX DHUMI40 DHUMI80 TSV PMER PSTAT PMERMIN GEOP N NBAS CL CM CH "
    "N1 C1 B1 N2 C2 B2 N3 C3 B3 N4 C4 B4 VV DVV200 WW W1 W2 SOL SOLNG TMER VVMER ETATMER DIRHOULE HVAGUE PVAGUE "
    "HNEIGEF NEIGETOT TSNEIGE TUBENEIGE HNEIGEFI3 HNEIGEFI1 ESNEIGE CHARGENEIGE GLO GLO2 DIR DIR2 DIF DIF2 UV UV2 "
    "UV_INDICE INFRAR INFRAR2 INS INS2 TLAGON TVEGETAUX ECOULEMENT"
)
HOURLY_COLUMNS = (*HOURLY_KEYS, *(column for name in _HOURLY_VALUES.split() for column in (name, f"Q{name}")))
OBSERVATION_FIELDS = (
    *("t", "td", "tx", "tn", "u", "ux", "un", "dd", "ff", "dxy", "fxy", "dxi", "fxi", "rr1"),
    *("t_10", "t_20", "t_50", "t_100", "vv", "etat_sol", "sss", "n", "insolh", "ray_glo01", "pres", "pmer"),
)

KELVIN = 273.15
# SYNOP gives cloud cover in percent, the other two in eighths of the sky.
OKTA_PCT = 12.5


@dataclass(frozen=True)
class Quantity:
    """A quantity that SYNOP, hourly files and observation API all publish.

    Attributes:
        name: its SYNOP column, and its field of the observation API; SYNOP's units are ours.
        hourly: its column of the hourly files.
        to_hourly: SYNOP's unit to that of the hourly files.
        from_hourly: the way back; NaN where an hourly value says "not observed".
        digits: decimals in the hourly files.
    """

    name: str
    hourly: str
    to_hourly: Callable[[float], float]
    from_hourly: Callable[[float], float]
    digits: int = 0


def _same(value: float) -> float:
    return value


def _oktas(percent: float) -> float:
    return round(percent / OKTA_PCT)


def _percent(oktas: float) -> float:
    # 9: the sky cannot be seen.
    return oktas * OKTA_PCT if oktas <= 8 else float("nan")


QUANTITIES = (
    Quantity("t", "T", lambda kelvin: kelvin - KELVIN, lambda celsius: celsius + KELVIN, 1),
    Quantity("td", "TD", lambda kelvin: kelvin - KELVIN, lambda celsius: celsius + KELVIN, 1),
    Quantity("u", "U", _same, _same),
    Quantity("dd", "DD", _same, _same),
    Quantity("ff", "FF", _same, _same, 1),
    Quantity("n", "N", _oktas, _percent),
    Quantity("rr1", "RR1", _same, _same, 1),
    Quantity("pres", "PSTAT", lambda pascal: pascal / 100, lambda hectopascal: hectopascal * 100, 1),
    Quantity("pmer", "PMER", lambda pascal: pascal / 100, lambda hectopascal: hectopascal * 100, 1),
)
