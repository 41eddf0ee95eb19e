

def preprocess(images, folder=HERE):
    """8-bit images [B, C, H, W] of the encoder's channels as it takes them."""
    facts = json.loads((Path(folder) / "preprocessing.json").read_text())
    x = images.float() / 255
    if list(x.shape[2:]) != facts["size"]:
        x = nn.functional.interpolate(x, facts["size"], mode="bilinear", align_corners=False)
    mean, std = (torch.tensor(facts[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    return (x - mean) / std
