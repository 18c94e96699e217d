"""Weather as Météo-France and Open-Meteo publish it, replayed beside the portal on the same clock.

| path | what |
|---|---|
| `/meteofrance/synop/synop.YYYYMM.csv.gz` | SYNOP of a month, all stations, every three hours |
| `/meteofrance/hourly/H_<dep>_latest-<Y-1>-<Y>.csv.gz` | hourly climatology; also `…_previous-…`, `H_<dep>_<decade>` |
| `/meteofrance/public/DPPaquetObs/v1/paquet/horaire` | observation API: 24 hours of a department; header `apikey` |
| `/open-meteo/v1/forecast` | a forecast, simulated from the observations |

Instants are UTC, here as in the originals. The shift moves them by whole days of 24 hours; the load moves on the Paris
wall clock, so the two are an hour apart where recording and served date differ in summer time.
"""
