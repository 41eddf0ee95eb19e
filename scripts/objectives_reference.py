"""Reference values of the objectives for crates/ssl/testdata/objectives.json.

Written from the equations of the papers with loops over samples and features, in double precision;
gradients are central differences of the mean loss. Parts of a sample in a loss of the batch (VICReg,
Barlow Twins) are computed from the definition in the documentation. Needs numpy only.

    python scripts/objectives_reference.py > crates/ssl/testdata/objectives.json
"""

import json
import sys

import numpy as np


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def simsiam(predicted, target):
    n = len(predicted) // 2
    return np.array(
        [
            -0.5 * cosine(predicted[i], target[n + i]) - 0.5 * cosine(predicted[n + i], target[i])
            for i in range(n)
        ]
    )


def byol(predicted, target):
    n = len(predicted) // 2

    def distance(p, t):
        p, t = p / np.linalg.norm(p), t / np.linalg.norm(t)
        return float(((p - t) ** 2).sum())

    return np.array(
        [
            distance(predicted[i], target[n + i]) + distance(predicted[n + i], target[i])
            for i in range(n)
        ]
    )


def vicreg(z, lam, mu, nu):
    """The loss, and each sample's part in it."""
    n, d = len(z) // 2, z.shape[1]
    views = [z[:n], z[n:]]
    loss = lam * np.mean((views[0] - views[1]) ** 2)
    parts = lam * ((views[0] - views[1]) ** 2).mean(axis=1)
    for view in views:
        deviation = np.sqrt(view.var(axis=0, ddof=1) + 1e-4)
        covariance = np.cov(view, rowvar=False, ddof=1)
        loss += mu / 2 * np.maximum(0.0, 1.0 - deviation).mean()
        loss += nu * sum(
            covariance[i, j] ** 2 for i in range(d) for j in range(d) if i != j
        ) / d
        centred = view - view.mean(axis=0)
        for b in range(n):
            for j in range(d):
                if deviation[j] < 1.0:
                    moment = centred[b, j] ** 2 * n / (n - 1) + 1e-4
                    parts[b] += mu / 2 * (1.0 - moment / deviation[j]) / d
                for i in range(d):
                    if i != j:
                        part = covariance[i, j] * centred[b, i] * centred[b, j]
                        parts[b] += nu * part * n / (n - 1) / d
    return loss, parts


def barlow_twins(z, lam):
    """The loss, and each sample's part in it."""
    n, d = len(z) // 2, z.shape[1]
    a, b = ((view - view.mean(0)) / np.sqrt(view.var(0) + 1e-5) for view in (z[:n], z[n:]))
    correlation = np.array([[(a[:, i] * b[:, j]).mean() for j in range(d)] for i in range(d)])
    loss, parts = 0.0, np.zeros(n)
    for i in range(d):
        for j in range(d):
            c = correlation[i, j]
            if i == j:
                loss += (1 - c) ** 2
                parts += (1 - c) * (1 - a[:, i] * b[:, j])
            else:
                loss += lam * c**2
                parts += lam * c * a[:, i] * b[:, j]
    return loss, parts


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def dino(student, teacher, centre, student_temperature, teacher_temperature):
    n = len(teacher) // 2
    views = len(student) // n
    losses = []
    for b in range(n):
        terms = []
        for t in range(2):
            q = softmax((teacher[t * n + b] - centre[0]) / teacher_temperature)
            for v in range(views):
                if v != t:
                    p = softmax(student[v * n + b] / student_temperature)
                    terms.append(-(q * np.log(p)).sum())
        losses.append(np.mean(terms))
    return np.array(losses)


def mae(painted, images, hidden, side):
    n, channels, height, width = images.shape
    columns = width // side
    patches = (height // side) * columns
    sums = [[] for _ in range(n)]
    for paint, row in zip(painted, hidden):
        b, patch = divmod(int(row), patches)
        y, x = divmod(patch, columns)
        target = [
            images[b, c, y * side + i, x * side + j]
            for i in range(side)
            for j in range(side)
            for c in range(channels)
        ]
        target = np.array(target)
        target = (target - target.mean()) / np.sqrt(target.var(ddof=1) + 1e-6)
        sums[b].append(((paint - target) ** 2).mean())
    return np.array([np.mean(s) for s in sums])


def supervised(scores, labels):
    return np.array([-np.log(softmax(s)[int(y)]) for s, y in zip(scores, labels)])


def gradient(loss, x):
    out = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[at] += 1e-6
        down[at] -= 1e-6
        out[at] = (loss(up) - loss(down)) / 2e-6
    return out


def single(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


def pack(arrays, **numbers):
    packed = {
        name: {
            "shape": list(np.shape(value)),
            "values": [float(f"{v:.9g}") for v in np.ravel(value)],
        }
        for name, value in arrays.items()
    }
    return {"arrays": packed, "numbers": numbers}


def main():
    rng = np.random.default_rng(404)
    cases = {}

    predicted, target = single(rng.normal(size=(8, 5))), single(rng.normal(size=(8, 5)))
    for name, loss in (("simsiam", simsiam), ("byol", byol)):
        cases[name] = pack(
            {
                "predicted": predicted,
                "target": target,
                "per_sample": loss(predicted, target),
                "gradient": gradient(lambda p, loss=loss: loss(p, target).mean(), predicted),
            }
        )

    # Some features with a spread below 1 and some above, so that the hinge is seen on both sides.
    z = single(rng.normal(size=(12, 5)) * np.array([0.3, 0.6, 1.0, 1.6, 2.5]))
    weights = (25.0, 20.0, 1.5)
    loss, parts = vicreg(z, *weights)
    assert abs(parts.mean() - loss) < 1e-12
    cases["vicreg"] = pack(
        {
            "z": z,
            "loss": [loss],
            "per_sample": parts,
            "gradient": gradient(lambda z: vicreg(z, *weights)[0], z),
        },
        invariance=weights[0],
        variance=weights[1],
        covariance=weights[2],
    )

    loss, parts = barlow_twins(z, 0.0051)
    assert abs(parts.mean() - loss) < 1e-12
    cases["barlow_twins"] = pack(
        {
            "z": z,
            "loss": [loss],
            "per_sample": parts,
            "gradient": gradient(lambda z: barlow_twins(z, 0.0051)[0], z),
        },
        redundancy=0.0051,
    )

    student = single(rng.uniform(-1, 1, size=(3 * 5, 6)))
    teacher, centre = single(rng.uniform(-1, 1, size=(3 * 2, 6))), single(rng.normal(size=(1, 6)) * 0.1)
    temperatures = (0.1, 0.04)
    cases["dino"] = pack(
        {
            "student": student,
            "teacher": teacher,
            "centre": centre,
            "per_sample": dino(student, teacher, centre, *temperatures),
            "gradient": gradient(
                lambda s: dino(s, teacher, centre, *temperatures).mean(), student
            ),
        },
        student_temperature=temperatures[0],
        teacher_temperature=temperatures[1],
    )

    images = single(rng.normal(size=(2, 2, 8, 8)))
    hidden = np.array([0, 3, 4 + 1, 4 + 2])
    painted = single(rng.normal(size=(4, 4 * 4 * 2)))
    cases["mae"] = pack(
        {
            "images": images,
            "hidden": hidden,
            "painted": painted,
            "per_sample": mae(painted, images, hidden, 4),
            "gradient": gradient(lambda p: mae(p, images, hidden, 4).mean(), painted),
        }
    )

    scores, labels = single(rng.normal(size=(5, 4)) * 2), np.array([0, 3, 1, 1, 2])
    cases["supervised"] = pack(
        {
            "scores": scores,
            "labels": labels,
            "per_sample": supervised(scores, labels),
            "gradient": gradient(lambda s: supervised(s, labels).mean(), scores),
        }
    )
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
