"""Saves an estimator as MLflow keeps one: `python save.py ESTIMATOR FOLDER`; `mlflow models serve` reads the folder."""

import sys

import joblib
import mlflow.sklearn

if __name__ == "__main__":
    mlflow.sklearn.save_model(
        joblib.load(sys.argv[1]), sys.argv[2], pip_requirements=["scikit-learn"], serialization_format="cloudpickle"
    )
