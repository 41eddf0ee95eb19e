"""Reference values for the learners of `afterimage-value`, by scikit-learn and NumPy.

    python scripts/value_reference.py

writes crates/value/src/reference/*.csv: a small table (three columns, three kinds of labels, weights
as of a bag), and what scikit-learn's trees, logistic and ridge regression predict for the rows of
weight 0. Trees are kept only where all random states agree (of 200), so that no tie decides.
"""

from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

OUT = Path(__file__).parent.parent / "crates/value/src/reference"
ROWS, COLUMNS = 120, 3


def agreed(make, x, y, w, ask):
    """Predictions on which trees of 200 random states agree; NaN elsewhere.

    Labels that are numbers get a tiny noise, or rounding would decide between equally good columns,
    the same way for every state.
    """
    inside = w > 0
    predictions = []
    for state in range(200):
        noise = 0 if y.dtype == int else 1e-9 * np.random.default_rng(state).normal(size=len(y))
        tree = make(state).fit(x[inside], (y + noise)[inside], sample_weight=w[inside])
        predictions.append(tree.predict(ask))
    predictions = np.array(predictions, dtype=float)
    same = np.all(np.abs(predictions - predictions[0]) < 1e-7, axis=0)
    return np.where(same, predictions[0], np.nan)


def main():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    noise = rng.normal(size=ROWS) * 0.4
    two = (x[:, 0] * x[:, 1] + 0.3 * x[:, 2] + noise > 0).astype(int)
    three = np.digitize(x[:, 0] + 0.5 * x[:, 1] + noise, [-0.5, 0.5])
    number = np.round(x[:, 0] - 2 * x[:, 1] + noise, 4)
    w = np.bincount(rng.integers(0, ROWS, ROWS), minlength=ROWS).astype(float)
    inside = w > 0

    columns = {f"x{j}": x[:, j] for j in range(COLUMNS)}
    columns |= {"two": two, "three": three, "number": number, "weight": w.astype(int)}
    classifier = lambda **k: lambda state: DecisionTreeClassifier(random_state=state, **k)
    columns["tree_two"] = agreed(classifier(), x, two, w, x)
    columns["tree_three"] = agreed(classifier(), x, three, w, x)
    columns["stump_two"] = agreed(classifier(max_depth=1), x, two, w, x)
    columns["stump_three"] = agreed(classifier(max_depth=1), x, three, w, x)
    columns["tree_number"] = agreed(lambda s: DecisionTreeRegressor(random_state=s), x, number, w, x)
    columns["depth3_number"] = agreed(
        lambda s: DecisionTreeRegressor(random_state=s, max_depth=3), x, number, w, x
    )
    z = (x - x.mean(0, dtype=float)) / x.std(0, dtype=float)
    settings = dict(C=1.0, tol=1e-10, max_iter=10_000)
    for name, y in [("two", two), ("three", three)]:
        model = LogisticRegression(**settings)
        if name == "two":
            # One score a class, as with more classes: scikit-learn's binary form has twice the penalty.
            model.set_params(C=2.0)
        probability = model.fit(z[inside], y[inside], sample_weight=w[inside]).predict_proba(z)
        columns[f"logistic_{name}"] = probability[np.arange(ROWS), y]
    y = (number - number.mean()) / number.std()
    columns["ridge"] = Ridge(alpha=1.0).fit(z[inside], y[inside], sample_weight=w[inside]).predict(z)

    OUT.mkdir(exist_ok=True)
    lines = [",".join(columns)]
    for row in range(ROWS):
        lines.append(",".join(repr(float(values[row])) for values in columns.values()))
    (OUT / "learners.csv").write_text("\n".join(lines) + "\n")
    kept = {name: int(np.isfinite(v[~inside]).sum()) for name, v in columns.items() if "_" in name}
    print(f"{int((~inside).sum())} rows out of bag; compared:", kept)


main()
