"""Three steps of two masked heads by PyTorch's autograd and Adam, for the tests of the online bank.

    python scripts/online_reference.py > crates/value/tests/reference/online_heads.txt

Needs PyTorch. Lines: inputs [6, 5], labels [6], weights [2, 6], masks [2, 5], parameters (hidden
weights [5, 8], hidden biases [8], output weights [2, 4, 3], output biases [2, 3]), probabilities
[2, 6, 3] before each of three steps, parameters after them.
"""

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
inputs = torch.randn(6, 5)
labels = torch.tensor([0, 1, 2, 2, 1, 0])
weights = torch.tensor([[1.0, 0, 2, 1, 0, 3], [0, 1, 1, 2, 1, 0]])
masks = torch.tensor([[1.0, 0, 1, 1, 0], [1, 1, 0, 0, 1]])
parameters = [torch.randn(5, 8), torch.randn(8), torch.randn(2, 4, 3), torch.randn(2, 3)]
lines = [inputs, labels, weights, masks, torch.cat([p.flatten() for p in parameters])]
lines = [line.clone() for line in lines]
for p in parameters:
    p.requires_grad_()
optimizer = torch.optim.Adam(parameters, lr=0.05)
for _ in range(3):
    hidden_weights, hidden_biases, output_weights, output_biases = parameters
    probabilities, loss = [], 0
    for head in range(2):
        unit = slice(4 * head, 4 * head + 4)
        hidden = (inputs * masks[head]) @ hidden_weights[:, unit] + hidden_biases[unit]
        scores = hidden.relu() @ output_weights[head] + output_biases[head]
        probabilities.append(scores.softmax(1))
        loss = loss + (
            weights[head] * torch.nn.functional.cross_entropy(scores, labels, reduction="none")
        ).mean()
    lines.append(torch.stack(probabilities).detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
lines.append(torch.cat([p.detach().flatten() for p in parameters]))
print("# scripts/online_reference.py, PyTorch", torch.__version__.split("+")[0])
for line in lines:
    print(" ".join(f"{x:.9g}" for x in line.flatten().tolist()))
