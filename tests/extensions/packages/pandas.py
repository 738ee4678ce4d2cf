# SPDX-License-Identifier: MIT
import io

import pandas as pd


def smoke():
    days = pd.date_range("2024-02-27", periods=6, freq="D", tz="Europe/Paris")
    frame = pd.DataFrame({"group": list("abacab"), "value": [1.5, 2, 3, None, 5, 6], "day": days})
    other = pd.DataFrame({"group": ["a", "b"], "name": ["first", "second"]})
    series = pd.Series(range(6), index=days)
    try:
        frame["absent"]
    except KeyError as error:
        refused = str(error)
    return {
        "grouped": frame.groupby("group")["value"].agg(["sum", "count"]).to_dict("index"),
        "merged": frame.merge(other, how="left")["name"].fillna("none").tolist(),
        "pivoted": frame.pivot_table("value", "group", aggfunc="mean").to_dict(),
        "resampled": series.resample("2D").sum().tolist(),
        "rolled": series.rolling(3).mean().dropna().tolist(),
        "read": pd.read_csv(io.StringIO("x,y\n1,a\n2,b\n")).to_dict("list"),
        "json": pd.read_json(io.StringIO(other.to_json(orient="records"))).to_dict("list"),
        "written": frame.head(2).to_csv(index=False),
        "categories": pd.Categorical(["x", "y", "x"]).codes.tolist(),
        "zone": str(days[0].tz_convert("UTC")),
        "parsed": pd.to_datetime("29/02/2024", format="%d/%m/%Y").isoformat(),
        "ranks": frame["value"].rank().fillna(0).tolist(),
        "missing": int(frame["value"].isna().sum()),
        "evaluated": frame.eval("value * 2 + 1").dropna().tolist(),
        "joined": ["_".join(each) for each in pd.MultiIndex.from_product([["a", "b"], ["x", "y"]])],
        "split": frame["group"].str.upper().str.cat(sep=""),
        "intervals": pd.cut([1, 5, 9], 3, labels=False).tolist(),
        "refused": refused,
    }
