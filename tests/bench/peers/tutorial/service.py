"""The service that tutorials end with: FastAPI, a pydantic row, joblib, `predict` for each request in a thread.

Run by uvicorn. BENCH_ESTIMATOR names the estimator's file, BENCH_FEATURES its columns.
"""

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel, create_model

FEATURES = os.environ["BENCH_FEATURES"].split(",")

app = FastAPI()
model = joblib.load(os.environ["BENCH_ESTIMATOR"])
Row = create_model("Row", **dict.fromkeys(FEATURES, (float, ...)))


class Batch(BaseModel):
    """Many rows at once."""

    instances: list[list[float]]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/predict")
def predict(row: Row) -> dict[str, int]:
    answered = model.predict([[getattr(row, name) for name in FEATURES]])
    return {"predictions": int(answered[0])}


@app.post("/predict/batch")
def predict_batch(batch: Batch) -> dict[str, list[int]]:
    return {"predictions": model.predict(batch.instances).tolist()}
