#!/usr/bin/env bash
# lightning 2.6.6: EarlyStopping with a max_steps that ends inside the first epoch. Expected: three steps are trained and
# the training ends, for nothing can be said about early stopping yet. Seen: RuntimeError once the steps are done, and
# whatever comes after `fit` is lost. The validation before training (num_sanity_val_steps, on by default) is not enough.
# Output: "RuntimeError: Early stopping conditioned on metric `val_loss` which is not available".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 lightning==2.6.6 numpy==2.4.6
seen=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from torch.utils.data import DataLoader


class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, index):
        return self.layer(batch).square().mean()

    def validation_step(self, batch, index):
        self.log("val_loss", self.layer(batch).square().mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


batches = DataLoader(torch.ones(10, 1))
quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
trainer = Trainer(max_steps=3, accelerator="cpu", callbacks=[EarlyStopping("val_loss", patience=2)], **quiet)
try:
    trainer.fit(Line(), batches, batches)
    print(f"trained {trainer.global_step} steps")
except RuntimeError as error:
    print("RuntimeError:", str(error).split(".")[0])
PYTHON
)
echo "$seen"
[ "$seen" = "RuntimeError: Early stopping conditioned on metric \`val_loss\` which is not available" ]
