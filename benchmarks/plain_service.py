"""What the service is measured against: the same network behind twenty lines of FastAPI, without any limit.

python benchmarks/plain_service.py BUNDLE PORT
"""

import io
import sys
from pathlib import Path

import numpy as np
import openvino
import uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

network = openvino.Core().read_model(Path(sys.argv[1]) / "model.xml")
for output in network.outputs[2:]:
    network.remove_result(output.node)  # feature maps, which a prediction does not need
model = openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
side = model.input(0).partial_shape[1].get_length()
app = FastAPI()


@app.post("/predict")
def predict(file: UploadFile) -> list[float]:
    image = Image.open(io.BytesIO(file.file.read())).convert("RGB").resize((side, side))
    outputs = model.create_infer_request().infer(np.asarray(image)[None])
    return outputs["logits"][0].tolist()


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="error")
