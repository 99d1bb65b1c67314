"""torch: batches through a network on several workers, which build the network once each."""

import torch

from lightwork import Parallel, delayed, dump, load, share


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.ReLU(), torch.nn.Linear(64, 4))


def classify(model: torch.nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """The most likely class of each row."""
    with torch.inference_mode():
        return model(batch).argmax(dim=1)


def main() -> None:
    model = network()
    batches = list(torch.randn(16, 128, 32, generator=torch.Generator().manual_seed(1)))
    with share(model) as shared:
        classes = Parallel(n_jobs=2)(delayed(classify)(shared, batch) for batch in batches)
    assert torch.equal(torch.cat(classes), classify(model, torch.cat(batches)))
    print("rows of each class:", torch.bincount(torch.cat(classes), minlength=4).tolist())

    dump(model.state_dict(), "weights.lw")
    again = network()
    again.load_state_dict(load("weights.lw", safe=True))  # no code of the file runs
    assert torch.equal(classify(again, batches[0]), classes[0])


if __name__ == "__main__":
    main()
