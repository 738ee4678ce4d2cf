# SPDX-License-Identifier: MIT
import datetime
import io

import polars as pl


def smoke():
    frame = pl.DataFrame(
        {
            "group": ["a", "b", "a", "c"] * 2500,
            "value": range(10000),
            "day": [datetime.date(2024, 1, 1) + datetime.timedelta(days=each % 50) for each in range(10000)],
        }
    )
    query = (
        frame.lazy()
        .filter(pl.col("value") % 3 == 0)
        .group_by("group")
        .agg(pl.col("value").sum().alias("sum"), pl.col("day").max(), pl.len())
        .sort("group")
    )
    names = pl.DataFrame({"group": ["a", "b"], "name": ["first", "second"]})
    file = io.BytesIO()
    frame.write_parquet(file)
    file.seek(0)
    try:
        frame.select("absent")
    except pl.exceptions.ColumnNotFoundError as error:
        refused = type(error).__name__
    return {
        "query": [(*each[:2], each[2].isoformat(), each[3]) for each in query.collect().rows()],
        "plan": "FILTER" in query.explain(),
        "joined": query.collect().join(names, on="group", how="left").sort("group")["name"].to_list(),
        "sql": pl.SQLContext(frame=frame).execute("SELECT MAX(value) AS m FROM frame", eager=True).item(),
        "python": frame["value"].head(3).map_elements(lambda each: len(str(each)), return_dtype=pl.Int64).to_list(),
        "csv": pl.read_csv(io.StringIO("x,y\n1,a\n2,b\n")).to_dicts(),
        "parquet": pl.read_parquet(file).equals(frame),
        "strings": pl.Series(["one two", "three"]).str.split(" ").list.len().to_list(),
        "window": frame.select(pl.col("value").rolling_mean(3)).sum().item(),
        "json": frame.head(1).write_json(),
        "refused": refused,
    }
